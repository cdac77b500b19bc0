/**
 * The cells of a caller who leaves in the middle of a stream, for every caller's dialect over every provider's: over real sockets,
 * with providers that begin an answer and never end it.
 */
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { EventStreamCodec } from "@smithy/eventstream-codec"
import type { JsonObject } from "@switchyard/core/Json"
import type { Gateway } from "@switchyard/gateway/Gateway"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { DeploymentStats } from "@switchyard/router/DeploymentStats"
import { Context, Effect, type Scope } from "effect"
import { answers, type Provider, type Said } from "../../../dialects/test/conformance/answers.js"
import { type Caller, callers, providers, type Verdict } from "../../../dialects/test/conformance/cells.js"
import { samples } from "../../../dialects/test/conformance/samples.js"
import { authorized, eventually, start } from "../support/gateways.js"

const codec = new EventStreamCodec(
  (bytes) => new TextDecoder().decode(bytes),
  (text) => new TextEncoder().encode(text)
)

const amazonMessage = (event: string, json: JsonObject): Uint8Array =>
  codec.encode({
    headers: {
      ":message-type": { type: "string", value: "event" },
      ":event-type": { type: "string", value: event },
      ":content-type": { type: "string", value: "application/json" }
    },
    body: new TextEncoder().encode(JSON.stringify(json))
  })

const types: { readonly [provider in Provider]?: string } = {
  converse: "application/vnd.amazon.eventstream",
  ollama: "application/x-ndjson"
}

const framed = (provider: Provider, { event, json }: Said["events"][number]): string | Uint8Array => {
  if (provider === "converse") return amazonMessage(String(event), Object.values(json)[0] as JsonObject)
  if (provider === "ollama") return `${JSON.stringify(json)}\n`
  return `${event === undefined ? "" : `event: ${event}\n`}data: ${JSON.stringify(json)}\n\n`
}

/** The events of an answer up to its first words. */
const beginning = (provider: Provider): Said["events"] => {
  const { events } = answers[provider].text
  const first = events.findIndex(({ json }) => JSON.stringify(json).includes("Hello "))
  return events.slice(0, first + 1)
}

/** A provider that begins to answer; how many requests came, and how many of them were broken off. */
interface Beginner {
  readonly url: string
  asked: number
  aborted: number
}

const beginner = (provider: Provider): Effect.Effect<Beginner, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(
        () =>
          new Promise<{ readonly server: Server; readonly state: Beginner }>((resolve) => {
            const server = createServer((request, response) => {
              request.resume()
              request.once("end", () => {
                state.asked++
                response.once("close", () => {
                  if (!response.writableEnded) state.aborted++
                })
                response.writeHead(200, { "content-type": types[provider] ?? "text/event-stream" })
                for (const event of beginning(provider)) response.write(framed(provider, event))
              })
            })
            const state: Beginner = {
              get url() {
                return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
              },
              asked: 0,
              aborted: 0
            }
            server.listen(0, "127.0.0.1", () => resolve({ server, state }))
          })
      ),
      ({ server }) =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    ),
    ({ state }) => state
  )

const protocols: Readonly<Record<Provider, string>> = {
  chat: "openai",
  messages: "anthropic",
  responses: "responses",
  gemini: "gemini",
  converse: "bedrock",
  cohere: "cohere",
  ollama: "ollama"
}

const paths: Readonly<Record<Caller, (model: string) => string>> = {
  chat: () => "/v1/chat/completions",
  messages: () => "/v1/messages",
  responses: () => "/v1/responses",
  gemini: (model) => `/v1beta/models/${model}:streamGenerateContent?alt=sse`
}

const names = Object.keys(providers) as ReadonlyArray<Provider>

/** One gateway over a provider of each dialect, each of which takes one call at a time. */
export interface Leaving {
  readonly gateway: Gateway
  readonly beginners: ReadonlyMap<Provider, Beginner>
}

/** Starts the gateway and its providers. */
export const make: Effect.Effect<Leaving, never, Scope.Scope> = Effect.gen(function* () {
  const beginners = new Map<Provider, Beginner>()
  for (const provider of names) beginners.set(provider, yield* beginner(provider))
  const gateway = yield* start([], {
    deployments: names.map((provider) => ({
      id: `on-${provider}`,
      group: provider,
      model: provider === "converse" ? "amazon.nova-pro-v1:0" : `${provider}-model`,
      protocol: protocols[provider],
      baseUrl: beginners.get(provider)?.url,
      apiKey: "sk-upstream-0123456789",
      maxParallel: 1
    })),
    retry: { attempts: 1 },
    queue: false
  })
  return { gateway, beginners }
})

const wrong = (why: string): Verdict => ({ _tag: "wrong", why })

const open = (gateway: Gateway, caller: Caller, provider: Provider, signal: AbortSignal): Promise<Response> =>
  fetch(gateway.url + paths[caller](provider), {
    method: "POST",
    headers: { "content-type": "application/json", ...authorized },
    body: JSON.stringify({
      ...samples[caller].chat,
      ...(caller === "gemini" ? {} : { model: provider, stream: true })
    }),
    signal
  })

/** Reads until the first words have come. */
const firstWords = async (response: Response): Promise<string> => {
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ""
  while (!text.includes("Hello ")) {
    const piece = await reader?.read()
    if (piece === undefined || piece.done) return text
    text += decoder.decode(piece.value, { stream: true })
  }
  return text
}

/**
 * Carries a cell out: a caller gets the first words and leaves. The provider's request is broken off, the call is counted as left,
 * once, and its place is free again: one other caller may have it, and no two.
 */
export const carryOut = ({ beginners, gateway }: Leaving, caller: Caller, provider: Provider): Effect.Effect<Verdict> =>
  Effect.gen(function* () {
    const up = beginners.get(provider)
    const { state } = gateway.generations.current().tower
    const slot = Context.get(state, DeploymentRegistry)
      .slots()
      .find(({ deployment }) => deployment.id === `on-${provider}`)
    if (up === undefined || slot === undefined) return wrong("there is no such provider")
    const stats = Context.get(state, DeploymentStats).of(slot)
    const before = { aborted: up.aborted, abandoned: stats.abandoned, requests: stats.requests }
    const leaving = new AbortController()
    const response = yield* Effect.promise(() => open(gateway, caller, provider, leaving.signal))
    const text = yield* Effect.promise(() => firstWords(response))
    if (!text.includes("Hello ")) return wrong(`${response.status} ${text}`)
    const other = yield* Effect.promise(async () => {
      const refused = await open(gateway, caller, provider, AbortSignal.timeout(10_000))
      return { status: refused.status, body: await refused.text() }
    })
    if (other.status !== 429) return wrong(`a second call beside it: ${other.status} ${other.body}`)
    if (stats.inFlight !== 1 || up.aborted !== before.aborted) return wrong("the call is not open")
    leaving.abort()
    yield* eventually(
      () => `${caller} over ${provider}: the request is broken off`,
      () => up.aborted === before.aborted + 1 && stats.inFlight === 0
    )
    const { abandoned, failures, requests } = stats
    return abandoned === before.abandoned + 1 && requests === before.requests + 1 && failures === 0
      ? { _tag: "works" }
      : wrong(`abandoned ${abandoned - before.abandoned}, requests ${requests - before.requests}, failures ${failures}`)
  })

/** All cells. */
export const cells: ReadonlyArray<{ readonly caller: Caller; readonly provider: Provider }> = (
  Object.keys(callers) as ReadonlyArray<Caller>
).flatMap((caller) => names.map((provider) => ({ caller, provider })))
