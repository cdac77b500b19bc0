/**
 * Answers with a good status that say that they failed, over real sockets: whole, streamed, and a stream in answer to a plain
 * request.
 */
import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { Reason } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import { Effect } from "effect"
import * as S from "../support/support.js"

const choice = { index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }
const event = (json: unknown): string => `data: ${JSON.stringify(json)}\n\n`
const delta = (delta: unknown, finish: string | null = null, more: object = {}): string =>
  event({ id: "c1", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: finish, ...more }] })
const done = "data: [DONE]\n\n"

const ask = (
  body: string,
  request: LlmRequest.LlmRequest,
  config: Partial<DeploymentConfig> = {},
  options: OpenAiCompatible.Options = {}
) =>
  Effect.gen(function* () {
    const server = yield* S.rawServer((_, response) => {
      response.writeHead(200, { "content-type": body.startsWith("data:") ? "text/event-stream" : "application/json" })
      response.end(body)
    })
    const service = yield* S.serviceOver(S.undici, options)
    return yield* S.call(service, request, { baseUrl: server.origin, ...config })
  })

const wholes: ReadonlyArray<readonly [what: string, body: unknown, reason: Reason]> = [
  ["no choices", { choices: [], usage: {} }, "MalformedResponse"],
  ["a finish reason of error", { choices: [{ ...choice, finish_reason: "error" }] }, "Unavailable"],
  ["an error beside choices", { choices: [choice], error: { code: 429, message: "slow down" } }, "RateLimited"],
  ["an error in a choice", { choices: [{ ...choice, error: { code: 429, message: "slow down" } }] }, "RateLimited"],
  ["an error in a list", [{ error: { code: 429, message: "slow down" } }], "RateLimited"],
  ["an error as text", { error: "maximum context length is 10" }, "ContextWindowExceeded"],
  ["a detail", { detail: "maximum context length is 10" }, "ContextWindowExceeded"],
  ["a status", { message: "down", status: 503 }, "Unavailable"],
  ["a status as text", { error: { code: "429", message: "slow" } }, "RateLimited"],
  ["no success", { success: false, errors: [{ code: 3040, message: "out of capacity" }] }, "Unavailable"],
  ["the kind error", { object: "error", message: "no such thing", code: 404 }, "ModelNotFound"],
  ["a blocked prompt", { promptFeedback: { blockReason: "SAFETY" } }, "ContentPolicyViolation"],
  ["an answer of embeddings", { data: [{ embedding: [1] }] }, "MalformedResponse"]
]

const streams: ReadonlyArray<readonly [what: string, body: string, reason: Reason | undefined]> = [
  ["a finish reason of error", delta({ content: "a" }, "error") + done, "Unavailable"],
  ["an error in a choice", delta({}, null, { error: { code: 429, message: "slow down" } }) + done, "RateLimited"],
  ["an error beside choices", event({ choices: [{ delta: {} }], error: { code: 429 } }) + done, "RateLimited"],
  ["an error as text", event({ error: "overloaded" }) + done, "Unavailable"],
  ["the kind error", event({ object: "error", message: "down", code: 503 }) + done, "Unavailable"],
  [
    "a blocked prompt",
    event({ choices: [], promptFeedback: { blockReason: "SAFETY" } }) + done,
    "ContentPolicyViolation"
  ],
  [
    "an empty error in each event",
    event({ choices: [{ delta: { content: "a" } }], error: { message: "" } }) + delta({}, "stop") + done,
    undefined
  ],
  [
    "chunks without choices",
    event({ choices: [] }) + delta({ content: "a" }, "stop") + event({ choices: [] }) + done,
    undefined
  ]
]

describe("A 200 that says that it failed", () => {
  it.scopedLive.each(wholes.map(([what, body, reason]) => ({ what, body, reason })))(
    "whole, with $what: $reason, for both kinds of request",
    ({ body, reason }) =>
      Effect.gen(function* () {
        for (const request of [S.chat(), S.streamed()]) {
          const error = yield* Effect.flip(ask(JSON.stringify(body), request))
          assert.strictEqual(error.reason, reason, error.message)
          assert.strictEqual(error.deployment, "d1")
        }
      })
  )

  it.scopedLive.each(streams.map(([what, body, reason]) => ({ what, body, reason })))(
    "streamed, with $what: $reason, for both kinds of request",
    ({ body, reason }) =>
      Effect.gen(function* () {
        const whole = yield* Effect.either(ask(body, S.chat()))
        const streamed = S.streaming(yield* ask(body, S.streamed()))
        const read = yield* Effect.either(S.readAll(streamed.events))
        for (const end of [whole, read]) {
          const found = end._tag === "Left" ? end.left.reason : undefined
          assert.strictEqual(found === "StreamInterrupted" ? undefined : found, reason)
        }
      })
  )

  it.scopedLive("an embeddings answer without data is malformed", () =>
    Effect.gen(function* () {
      const request = LlmRequest.embeddings({ model: "m", input: "a" })
      for (const body of ['{"data":[]}', '{"choices":[{"text":"a"}]}', "{}"]) {
        assert.strictEqual((yield* Effect.flip(ask(body, request))).reason, "MalformedResponse")
      }
    })
  )
})

describe("A [DONE] without a finish reason", () => {
  const body = delta({ role: "assistant", content: "Hi" }) + done

  it.scopedLive("is a cut, whole and streamed", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(ask(body, S.chat()))).code, "cut")
      const { events } = S.streaming(yield* ask(body, S.streamed()))
      assert.strictEqual((yield* Effect.flip(S.readAll(events))).reason, "StreamInterrupted")
    })
  )

  it.scopedLive("is an end where the deployment or the service accepts it, and the deployment's word wins", () =>
    Effect.gen(function* () {
      const accept = { onMissingFinish: "accept" } as const
      for (const [config, options] of [
        [accept, {}],
        [{}, accept],
        [accept, { onMissingFinish: "cut" }]
      ] as const) {
        const { events } = S.streaming(yield* ask(body, S.streamed(), config, options))
        const read = yield* S.readAll(events)
        assert.strictEqual(S.textOf(read), "Hi")
        assert.deepInclude(read.at(-1)?.json, { id: "c1", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })
        const { choices } = S.complete(yield* ask(body, S.chat(), config, options)).body
        assert.deepInclude((choices as ReadonlyArray<object>)[0], { finish_reason: "stop" })
      }
      const { events } = S.streaming(yield* ask(body, S.streamed(), { onMissingFinish: "cut" }, accept))
      assert.strictEqual((yield* Effect.flip(S.readAll(events))).reason, "StreamInterrupted")
    })
  )
})
