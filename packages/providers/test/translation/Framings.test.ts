import { assert, describe, it } from "@effect/vitest"
import { EventStreamCodec } from "@smithy/eventstream-codec"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { Effect } from "effect"
import * as S from "../support/support.js"

const service = S.serviceOver(S.undici)

const codec = new EventStreamCodec(
  (bytes) => new TextDecoder().decode(bytes),
  (text) => new TextEncoder().encode(text)
)
const text = (value: string) => ({ type: "string" as const, value })
const message = (event: string, body: unknown, kind: "event" | "exception" = "event"): Uint8Array =>
  codec.encode({
    headers: { ":message-type": text(kind), [`:${kind}-type`]: text(event), ":content-type": text("application/json") },
    body: new TextEncoder().encode(JSON.stringify(body))
  })

const said = [
  message("messageStart", { role: "assistant" }),
  message("contentBlockDelta", { contentBlockIndex: 0, delta: { text: "Hello " } }),
  message("contentBlockDelta", { contentBlockIndex: 0, delta: { text: "there" } }),
  message("contentBlockStop", { contentBlockIndex: 0 }),
  message("messageStop", { stopReason: "end_turn" }),
  message("metadata", { usage: { inputTokens: 12, outputTokens: 7, totalTokens: 19 }, metrics: { latencyMs: 1 } })
]

/** A server that answers with these bytes, some at a time. */
const serving = (type: string, bytes: Uint8Array, step = 7) =>
  S.rawServer((_, response) => {
    response.writeHead(200, { "content-type": type })
    for (let at = 0; at < bytes.length; at += step) response.write(bytes.subarray(at, at + step))
    response.end()
  })

const nova = (origin: string): Partial<DeploymentConfig> => ({
  protocol: "bedrock",
  model: "amazon.nova-pro-v1:0",
  baseUrl: origin
})
const amazon = "application/vnd.amazon.eventstream"

describe("Amazon's event stream", () => {
  it.scopedLive("is read however its bytes are split, usage after the end of the message too", () =>
    Effect.gen(function* () {
      const up = yield* serving(amazon, Buffer.concat(said))
      const stream = S.streaming(yield* S.call(yield* service, S.streamed(), nova(up.origin)))
      assert.strictEqual(S.textOf(yield* S.readAll(stream.events)), "Hello there")
      const { outcome } = stream.events.settlement
      assert.deepInclude(outcome?._tag === "Completed" ? outcome.usage : {}, { inputTokens: 12, outputTokens: 7 })
    })
  )

  it.scopedLive("tells failures behind a status of 200, and what is damaged or cut", () =>
    Effect.gen(function* () {
      const broken = Uint8Array.from(said[1] ?? [])
      broken[broken.length - 1] = (broken[broken.length - 1] ?? 0) ^ 0xff
      const cases: ReadonlyArray<readonly [ReadonlyArray<Uint8Array>, string]> = [
        [[message("throttlingException", { message: "Too many requests" }, "exception")], "RateLimited"],
        [[...said.slice(0, 1), broken], "MalformedResponse"],
        [said.slice(0, 4), "StreamInterrupted"]
      ]
      for (const [messages, reason] of cases) {
        const up = yield* serving(amazon, Buffer.concat(messages))
        const stream = S.streaming(yield* S.call(yield* service, S.streamed(), nova(up.origin)))
        assert.strictEqual((yield* Effect.flip(S.readAll(stream.events))).reason, reason)
      }
    })
  )

  it.scopedLive("a request is signed by the account where there is no key", () =>
    Effect.gen(function* () {
      let authorization: string | undefined
      const up = yield* S.rawServer((request, response) => {
        authorization = request.headers.authorization
        response.writeHead(200, { "content-type": "application/json" })
        response.end(
          JSON.stringify({
            output: { message: { role: "assistant", content: [{ text: "Hi" }] } },
            stopReason: "end_turn",
            usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 }
          })
        )
      })
      const answer = yield* S.call(yield* service, S.chat(), {
        ...nova(up.origin),
        apiKey: undefined,
        location: "eu-west-1",
        auth: { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "secret" }
      })
      assert.include(S.complete(answer).raw, "Hi")
      assert.match(
        authorization ?? "",
        /^AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE\/\d{8}\/eu-west-1\/bedrock\/aws4_request,/
      )
    })
  )
})

describe("a stream of lines", () => {
  it.scopedLive("is Ollama's, and is read to its last word", () =>
    Effect.gen(function* () {
      const line = (fields: object) =>
        `${JSON.stringify({ model: "m", created_at: "2026-01-01T00:00:00Z", ...fields })}\n`
      const lines =
        line({ message: { role: "assistant", content: "Hé" }, done: false }) +
        line({ message: { role: "assistant", content: "llo" }, done: false }) +
        line({
          message: { role: "assistant", content: "" },
          done: true,
          done_reason: "stop",
          prompt_eval_count: 12,
          eval_count: 7
        })
      const up = yield* serving("application/x-ndjson", Buffer.from(lines), 5)
      const stream = S.streaming(
        yield* S.call(yield* service, S.streamed(), { protocol: "ollama", baseUrl: up.origin })
      )
      assert.strictEqual(S.textOf(yield* S.readAll(stream.events)), "Héllo")
      const { outcome } = stream.events.settlement
      assert.deepInclude(outcome?._tag === "Completed" ? outcome.usage : {}, { inputTokens: 12, outputTokens: 7 })
    })
  )
})
