/**
 * What the tests of this package share: both transports, and a service before a fake upstream or a raw server.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type { Attempt } from "@switchyard/core/Attempt"
import type { StreamEvent } from "@switchyard/core/ChatChunk"
import * as ChatChunk from "@switchyard/core/ChatChunk"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { EventStream } from "@switchyard/core/EventStream"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { CompleteResponse, LlmResponse, StreamingResponse } from "@switchyard/core/LlmResponse"
import type { AttemptService } from "@switchyard/core/Service"
import * as Time from "@switchyard/core/Time"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import * as Transport from "@switchyard/providers/Transport"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import type { FakeProvider } from "@switchyard/testing/FakeProvider"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, Layer, type Scope } from "effect"

/** A key that must never be seen in an error. */
export const key = "sk-test-4f9d2c7b1a8e6035"

export interface Wire {
  readonly name: string
  readonly layer: Layer.Layer<Transport.Transport, unknown>
}

export const undici: Wire = { name: "undici", layer: UndiciTransport.layer }

export const httpClient: Wire = {
  name: "HttpClient",
  layer: Transport.layerHttpClient.pipe(Layer.provide(FetchHttpClient.layer))
}

export const transportOf = (wire: Wire): Effect.Effect<Context.Tag.Service<Transport.Transport>, never, Scope.Scope> =>
  Effect.map(Effect.orDie(Layer.build(wire.layer)), (context) => Context.get(context, Transport.Transport))

export const serviceOver = (
  wire: Wire,
  options: OpenAiCompatible.Options = {}
): Effect.Effect<AttemptService, never, Scope.Scope> =>
  Effect.map(transportOf(wire), (transport) => OpenAiCompatible.make(transport, options))

/** An attempt on a fresh deployment, begun now. */
export const attemptOn = (request: LlmRequest.LlmRequest, config: Partial<DeploymentConfig>): Effect.Effect<Attempt> =>
  Effect.map(Time.now, (now) =>
    StubLlm.attempt(request, StubLlm.slot("d1", { apiKey: key, model: "up-model", ...config }), now)
  )

/** Calls a service with one request on one deployment. */
export const call = (
  service: AttemptService,
  request: LlmRequest.LlmRequest,
  config: Partial<DeploymentConfig>
): Effect.Effect<LlmResponse, LlmError> =>
  Effect.flatMap(attemptOn(request, config), (attempt) => service.call(attempt))

export const messages = [{ role: "user", content: "Hi there" }]

export const chat = (
  body: Readonly<Record<string, unknown>> = {},
  options: LlmRequest.RequestOptions = {}
): LlmRequest.LlmRequest => LlmRequest.chat({ model: "m", messages, ...body }, options)

export const streamed = (
  body: Readonly<Record<string, unknown>> = {},
  options: LlmRequest.RequestOptions = {}
): LlmRequest.LlmRequest => chat({ stream: true, ...body }, options)

export const complete = (response: LlmResponse): CompleteResponse => {
  if (response._tag !== "Complete") throw new Error("expected a whole answer, got a stream")
  return response
}

export const streaming = (response: LlmResponse): StreamingResponse => {
  if (response._tag !== "Streaming") throw new Error("expected a stream, got a whole answer")
  return response
}

/** The body of the first request that an upstream got. */
export const firstBody = (up: FakeProvider): Readonly<Record<string, unknown>> => {
  const body = up.journal()[0]?.body
  if (typeof body !== "object" || body === null) throw new Error("the upstream got no JSON body")
  return body as Readonly<Record<string, unknown>>
}

/** Every event until the clean end. */
export const readAll = (events: EventStream): Effect.Effect<ReadonlyArray<StreamEvent>, LlmError> =>
  Effect.gen(function* () {
    const all: Array<StreamEvent> = []
    for (;;) {
      const batch = yield* events.pull
      if (batch.length === 0) return all
      all.push(...batch)
    }
  })

export const textOf = (events: ReadonlyArray<StreamEvent>): string =>
  events.map((event) => ChatChunk.text(event.json)).join("")

/** One turn of the event loop. */
export const tick: Effect.Effect<void> = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Waits until something is so; the test's own timeout bounds it. */
export const eventually = (isSo: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (isSo() ? Effect.void : Effect.zipRight(tick, eventually(isSo))))

export interface RawServer {
  readonly origin: string
  readonly port: number
  readonly sockets: () => number
  /** Sockets ever accepted. */
  readonly accepted: () => number
}

/** A server for answers that no well-behaved upstream gives. */
export const rawServer = (
  handler: (request: IncomingMessage, response: ServerResponse) => void
): Effect.Effect<RawServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<RawServer & { readonly close: () => Promise<void> }>((resume) => {
      const open = new Set<Socket>()
      let accepted = 0
      const server = createServer((request, response) => {
        request.resume()
        request.on("end", () => handler(request, response))
        response.on("error", () => {})
      })
      server.on("connection", (socket) => {
        accepted++
        open.add(socket)
        socket.on("error", () => {})
        socket.on("close", () => open.delete(socket))
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(
          Effect.succeed({
            origin: `http://127.0.0.1:${port}`,
            port,
            sockets: () => open.size,
            accepted: () => accepted,
            close: () =>
              new Promise<void>((done) => {
                server.close(() => done())
                for (const socket of open) socket.destroy()
              })
          })
        )
      })
    }),
    (server) => Effect.promise(() => server.close())
  )
