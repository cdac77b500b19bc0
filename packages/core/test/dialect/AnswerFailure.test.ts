import { assert, describe, it } from "@effect/vitest"
import { blockedPrompt, errorOf, failureOf } from "@switchyard/core/AnswerFailure"
import * as BaseService from "@switchyard/core/BaseService"
import type { JsonObject } from "@switchyard/core/Json"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { Effect, Stream } from "effect"

const choice = { index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }
const choices = [choice]

const filtered = { prompt_filter_results: [{ content_filter_results: { hate: { filtered: true, severity: "high" } } }] }
const unfiltered = { prompt_filter_results: [{ content_filter_results: { hate: { filtered: false } } }] }

const answers: ReadonlyArray<readonly [what: string, body: JsonObject]> = [
  ["a choice", { choices }],
  ["an error that is null", { choices, error: null }],
  ["an error that is empty", { choices, error: {} }],
  ["an error in which nothing is set", { choices, error: { message: "", type: "", param: "", code: null } }],
  ["an error that is false", { choices, error: false }],
  ["an empty text", { choices: [{ ...choice, message: { role: "assistant", content: "" } }] }],
  ["tool calls alone", { choices: [{ ...choice, message: { content: null }, finish_reason: "tool_calls" }] }],
  ["a filtered answer", { choices: [{ index: 0, finish_reason: "content_filter" }] }],
  ["a legacy text", { choices: [{ text: "Hi", finish_reason: "length" }] }],
  ["a status that is fine", { choices, base_resp: { status_code: 0, status_msg: "" }, code: 0, status: 200 }],
  ["filters that let it through", { choices, ...unfiltered }],
  ["filters that only warn", { choices, ...filtered }]
]

const failures: ReadonlyArray<readonly [what: string, body: JsonObject, tag: "error" | "blocked" | "empty"]> = [
  ["no choices", { choices: [], usage: { total_tokens: 3 } }, "empty"],
  ["choices of null", { choices: null }, "empty"],
  ["nothing", {}, "empty"],
  ["a choice of null", { choices: [null] }, "empty"],
  ["a choice of nothing", { choices: [{ index: 0, message: null }] }, "empty"],
  ["filters that let it through, and no choices", { choices: [], ...unfiltered }, "empty"],
  ["another protocol's answer", { type: "message", content: [{ type: "text", text: "Hi" }] }, "empty"],
  ["an error beside choices", { choices, error: { message: "gone", code: 502 } }, "error"],
  ["an error as text beside choices", { choices, error: "gone" }, "error"],
  ["an error as a list beside choices", { choices, error: [{ message: "gone" }] }, "error"],
  ["an error in a choice", { choices: [{ ...choice, error: { code: 502, message: "gone" } }] }, "error"],
  ["an error in one choice of two", { choices: [choice, { ...choice, index: 1, finish_reason: "error" }] }, "error"],
  ["an error that is empty, and no choices", { error: {} }, "error"],
  ["an error that is true", { error: true, message: "gone" }, "error"],
  ["an object of the kind error", { object: "error", message: "gone" }, "error"],
  ["the kind error beside choices", { object: "error", message: "gone", choices }, "error"],
  ["a detail", { detail: "gone" }, "error"],
  ["a message and a status", { message: "gone", status: 503 }, "error"],
  ["no success", { success: false, errors: [{ message: "gone" }] }, "error"],
  ["no success beside choices", { success: false, choices }, "error"],
  ["a bad base_resp beside choices", { choices, base_resp: { status_code: 1002, status_msg: "slow" } }, "error"],
  ["a blocked prompt of Azure's", { choices: [], ...filtered }, "blocked"],
  ["a blocked prompt of Gemini's", { promptFeedback: { blockReason: "SAFETY" } }, "blocked"],
  ["a blocked prompt, in snake case", { choices: [], prompt_feedback: { block_reason: "OTHER" } }, "blocked"]
]

const brokenReasons = [
  "error",
  "ERROR",
  "network_error",
  "error_limit",
  "failed",
  "abort",
  "cancelled",
  "insufficient_system_resource"
]

describe("A whole answer", () => {
  it.each(answers.map(([what, body]) => ({ what, body })))("with $what is one", ({ body }) => {
    assert.isUndefined(failureOf("chat", body))
  })

  it.each(failures.map(([what, body, tag]) => ({ what, body, tag })))("with $what is none: $tag", ({ body, tag }) => {
    assert.strictEqual(failureOf("chat", body)?._tag, tag)
  })

  it.each(brokenReasons)("that ends with %s is none", (reason) => {
    assert.strictEqual(failureOf("chat", { choices: [{ ...choice, finish_reason: reason }] })?._tag, "error")
    assert.isDefined(errorOf({ choices: [{ delta: {}, finish_reason: reason }] }))
  })

  it.each(["stop", "length", "tool_calls", "function_call", "content_filter", "eos", "max_tokens", "end_turn"])(
    "that ends with %s is one",
    (reason) => assert.isUndefined(failureOf("chat", { choices: [{ ...choice, finish_reason: reason }] }))
  )

  it("of embeddings holds data", () => {
    assert.isUndefined(failureOf("embeddings", { data: [{ embedding: [1] }], error: {} }))
    assert.strictEqual(failureOf("embeddings", { data: [] })?._tag, "empty")
    assert.strictEqual(failureOf("embeddings", { choices })?._tag, "empty")
    assert.strictEqual(failureOf("embeddings", { detail: "gone" })?._tag, "error")
    assert.strictEqual(
      failureOf("embeddings", { data: [{ embedding: [1] }], error: { message: "gone" } })?._tag,
      "error"
    )
  })

  it.effect("of any client of one's own is held to the same", () =>
    Effect.gen(function* () {
      const service = (body: JsonObject) =>
        BaseService.forRequests({ complete: () => Effect.succeed(body), stream: () => Stream.empty })
      const reasonOf = (body: JsonObject) =>
        Effect.map(
          Effect.flip(service(body).call(LlmRequest.chat({ model: "m", messages: [] }))),
          ({ reason }) => reason
        )
      assert.strictEqual(yield* reasonOf({ choices: [] }), "MalformedResponse")
      assert.strictEqual(yield* reasonOf({ choices, error: { message: "gone" } }), "Unavailable")
      assert.strictEqual(yield* reasonOf({ choices: [], ...filtered }), "ContentPolicyViolation")
    })
  )
})

describe("A chunk", () => {
  const life: ReadonlyArray<JsonObject> = [
    { choices: [] },
    { choices: [], usage: { total_tokens: 3 } },
    { choices: [], error: null },
    { choices: [], error: { message: "", code: null } },
    { choices: [], ...filtered },
    { type: "ping" },
    { detail: "queued" },
    { choices: [{ delta: {}, finish_reason: null }] }
  ]
  it.each(life)("%j is life", (chunk) => assert.isUndefined(errorOf(chunk)))

  it("says why the prompt was blocked", () => {
    assert.strictEqual(blockedPrompt(filtered), "hate")
    assert.strictEqual(
      blockedPrompt({ promptFeedback: { blockReason: "ARMOR", blockReasonMessage: "injection" } }),
      "ARMOR: injection"
    )
    assert.isUndefined(blockedPrompt(unfiltered))
    assert.isUndefined(blockedPrompt({}))
  })

  it("never overflows, however deep its error is", () => {
    let error: unknown = 0
    for (let i = 0; i < 50_000; i++) error = [error]
    assert.isDefined(errorOf({ choices, error }))
  })
})
