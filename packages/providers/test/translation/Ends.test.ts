/**
 * Ends of answers in another dialect, over real sockets: ends that are not said, ends that are none, and callers who leave.
 */
import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { Dialect } from "@switchyard/core/Dialect"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { gemini } from "@switchyard/dialects/Gemini"
import { messages } from "@switchyard/dialects/Messages"
import { responses } from "@switchyard/dialects/Responses"
import { Effect } from "effect"
import * as S from "../support/support.js"

const asks = {
  messages: { model: "m", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] },
  responses: { model: "m", input: "Hi" },
  gemini: { contents: [{ role: "user", parts: [{ text: "Hi" }] }] }
}
const speakers = [messages, responses, gemini]

const event = (json: unknown): string => `data: ${JSON.stringify(json)}\n\n`
const text = (content: string): string => event({ id: "c", choices: [{ index: 0, delta: { content } }] })

const over = (body: string, request: LlmRequest.LlmRequest, config: Partial<DeploymentConfig> = {}) =>
  Effect.gen(function* () {
    const server = yield* S.rawServer((_, response) => {
      response.writeHead(200, { "content-type": body.startsWith("data:") ? "text/event-stream" : "application/json" })
      response.end(body)
    })
    return yield* S.call(yield* S.serviceOver(S.undici), request, { baseUrl: server.origin, ...config })
  })

const ofStream = (dialect: Dialect): LlmRequest.LlmRequest => {
  const body = asks[dialect.name as keyof typeof asks]
  // Gemini's requests say neither: their path does.
  return dialect === gemini
    ? LlmRequest.of(dialect, "chat", body, { model: "m", stream: true })
    : LlmRequest.of(dialect, "chat", { ...body, stream: true })
}

const spoken = (events: ReadonlyArray<{ readonly data: string }>): string => events.map(({ data }) => data).join("\n")

describe("a provider that never says why an answer ends", () => {
  const said = text("Hel") + text("lo")

  for (const dialect of speakers) {
    it.scopedLive(`is taken at its word that it is done, where that is accepted: ${dialect.name}`, () =>
      Effect.gen(function* () {
        const accepted = yield* over(`${said}data: [DONE]\n\n`, ofStream(dialect), { onMissingFinish: "accept" })
        const { events } = S.streaming(accepted)
        const last = spoken((yield* S.readAll(events)).slice(-2))
        assert.match(last, /message_stop|response\.completed|STOP/)
      })
    )

    it.scopedLive(`is cut off where it is not accepted, or did not say so: ${dialect.name}`, () =>
      Effect.gen(function* () {
        const strict = S.streaming(yield* over(`${said}data: [DONE]\n\n`, ofStream(dialect)))
        assert.strictEqual((yield* Effect.flip(S.readAll(strict.events))).reason, "StreamInterrupted")
        const silent = S.streaming(yield* over(said, ofStream(dialect), { onMissingFinish: "accept" }))
        assert.strictEqual((yield* Effect.flip(S.readAll(silent.events))).reason, "StreamInterrupted")
      })
    )
  }

  it.scopedLive("said nothing at all: that is no answer", () =>
    Effect.gen(function* () {
      const nothing = over(`${event({ id: "c", choices: [] })}data: [DONE]\n\n`, ofStream(messages), {
        onMissingFinish: "accept"
      })
      const failed = yield* Effect.flip(Effect.flatMap(nothing, (answer) => S.readAll(S.streaming(answer).events)))
      assert.notStrictEqual(failed.reason, "InvalidRequest")
    })
  )
})

describe("Gemini's call that is none", () => {
  const candidate = { content: { role: "model", parts: [] }, finishReason: "MALFORMED_FUNCTION_CALL", index: 0 }
  const on: Partial<DeploymentConfig> = { protocol: "gemini" }

  it.scopedLive("is a failure that another deployment may mend, whole and streamed", () =>
    Effect.gen(function* () {
      const body = JSON.stringify({ candidates: [candidate] })
      const whole = yield* Effect.flip(over(body, LlmRequest.of(messages, "chat", asks.messages), on))
      assert.strictEqual(whole.reason, "MalformedResponse")
      const stream = over(event({ candidates: [candidate] }), ofStream(messages), on)
      const failed = yield* Effect.flip(Effect.flatMap(stream, (answer) => S.readAll(S.streaming(answer).events)))
      assert.strictEqual(failed.reason, "Unavailable")
    })
  )
})

describe("a stream that its caller leaves", () => {
  it.scopedLive("costs what was written of it, although usage was told at its beginning only", () =>
    Effect.gen(function* () {
      const start = {
        type: "message_start",
        message: { id: "msg_1", type: "message", content: [], usage: { input_tokens: 9, output_tokens: 1 } }
      }
      const delta = { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "x".repeat(400) } }
      const { events } = S.streaming(
        yield* over(event(start) + event(delta), ofStream(messages), { protocol: "anthropic" })
      )
      const cut = yield* Effect.either(S.readAll(events))
      assert.strictEqual(cut._tag, "Left")
      assert.deepInclude(events.usage(), { inputTokens: 9, outputTokens: 100, estimated: true })
    })
  )
})
