import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Attempt } from "@switchyard/core/Attempt"
import * as Deployment from "@switchyard/core/Deployment"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { Slot } from "@switchyard/core/Slot"
import * as Asked from "@switchyard/simulator/Asked"
import type { SimulatedUpstream } from "@switchyard/simulator/SimulatedUpstream"
import type { VirtualTime } from "@switchyard/simulator/VirtualTime"
import { Cause, Effect, Exit, Option, type Scope } from "effect"
import { SimulatedCall } from "../../src/upstream/simulatedCall.js"

/** Where a request says what it asks for, so that its luck and its answer's length are those of the simulation. */
export const saying = (request: LlmRequest.LlmRequest, asked: Asked.Asked): LlmRequest.LlmRequest => ({
  ...request,
  body: { ...request.body, user: JSON.stringify(asked) }
})

/** A delta that is content, so that a first token is one. */
const chunk = (delta: object, finish: string | null, more: object = {}): string =>
  `data: ${JSON.stringify({ id: "modelled", object: "chat.completion.chunk", created: 0, model: "modelled", choices: [{ index: 0, delta, finish_reason: finish }], ...more })}\n\n`

const fail = (answer: ServerResponse, cause: Cause.Cause<LlmError>): void => {
  const error = Option.getOrUndefined(Cause.failureOption(cause))
  if (answer.headersSent || error?.status === undefined) return void answer.destroy()
  const headers = error.retryAfter === undefined ? {} : { "retry-after": String(Math.ceil(error.retryAfter / 1000)) }
  answer.writeHead(error.status, { "content-type": "application/json", ...headers })
  answer.end(JSON.stringify({ error: { message: `modelled ${error.status}` } }))
}

const write = (answer: ServerResponse, response: LlmResponse, asked: Asked.Asked): Effect.Effect<void, LlmError> => {
  const usage = {
    prompt_tokens: asked.inputTokens,
    completion_tokens: asked.outputTokens,
    total_tokens: asked.inputTokens + asked.outputTokens
  }
  if (response._tag === "Complete") {
    return Effect.sync(() => {
      const choices = [{ index: 0, message: { role: "assistant", content: "words" }, finish_reason: "stop" }]
      answer.writeHead(200, { "content-type": "application/json", ...response.headers })
      answer.end(JSON.stringify({ id: "modelled", object: "chat.completion", created: 0, choices, usage }))
    })
  }
  answer.writeHead(200, { "content-type": "text/event-stream", ...response.headers })
  answer.write(chunk({ role: "assistant", content: "word " }, null))
  const { events } = response
  const drained: Effect.Effect<void, LlmError> = Effect.flatMap(events.pull, (batch) =>
    batch.length === 0 || events.settlement.outcome?._tag === "Completed" ? Effect.void : drained
  )
  return Effect.map(drained, () => {
    answer.end(`${chunk({}, "stop")}${chunk({}, null, { choices: [], usage })}data: [DONE]\n\n`)
  })
}

const bodyOf = async (incoming: IncomingMessage): Promise<{ readonly stream?: boolean; readonly user: string }> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as { stream?: boolean; user: string }
}

/** An upstream of a scenario behind a socket of its own: the same model answers, in real time. Its base URL. */
export const serve = (upstream: SimulatedUpstream, time: VirtualTime): Effect.Effect<string, never, Scope.Scope> => {
  const slot = Slot.make(Deployment.make({ id: upstream.id, group: "modelled", model: "modelled" }))
  /** A request that comes again has another luck. */
  const journals = new Map<number, LlmRequest.LlmRequest>()
  const server = createServer((incoming, answer) => {
    void bodyOf(incoming).then(({ stream = false, user }) => {
      const asked = JSON.parse(user) as Asked.Asked
      const request =
        journals.get(asked.luck) ??
        LlmRequest.begin(LlmRequest.chat({ model: "modelled", messages: [], stream }), time.now)
      journals.set(asked.luck, request)
      const { journal } = request.route
      Asked.note(journal, asked)
      const now = time.clock.unsafeCurrentTimeNanos()
      const attempt = new Attempt(journal.entries.length + 1, request, slot, Number(now) / 1e6, false, false)
      journal.append(attempt)
      const call = new SimulatedCall(attempt, upstream, time, (answered) => {
        Effect.runCallback(
          Effect.flatMap(answered, (response) => write(answer, response, asked)),
          {
            onExit: (exit) => {
              if (Exit.isFailure(exit)) fail(answer, exit.cause)
            }
          }
        )
      })
      answer.on("close", () => call.leave())
      upstream.receive(attempt, call)
    })
  })
  const listening = Effect.async<string>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      resume(Effect.succeed(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`))
    })
  })
  return Effect.acquireRelease(listening, () =>
    Effect.sync(() => {
      server.close()
      server.closeAllConnections()
    })
  )
}
