import { assert, describe, it } from "@effect/vitest"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { Either } from "effect"

const chat = (body: object = {}) =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], ...body })
const refused = (operation: LlmRequest.Operation, body: unknown): LlmError =>
  Either.getOrThrowWith(Either.flip(LlmRequest.decode(operation, body)), () => new Error("decoded"))

describe("LlmRequest", () => {
  it("keeps the payload whole and reads model and stream from it", () => {
    const body = { model: "m", messages: [], stream: true, odd: { deep: [1] } }
    const request = LlmRequest.chat(body, { tags: ["eu"], caller: "c" })
    assert.strictEqual(request.body, body)
    assert.deepInclude(request, { operation: "chat", model: "m", stream: true, caller: "c", sessionKey: undefined })
    assert.deepStrictEqual(request.tags, ["eu"])
    assert.strictEqual(request.route.journal.requestedGroup, "m")
  })

  it("embeddings never stream", () => {
    assert.isFalse(LlmRequest.embeddings({ model: "m", input: "x", ...{ stream: true } }).stream)
  })

  it("`begin` gives every sending a route of its own", () => {
    const request = chat()
    const first = LlmRequest.begin(request, 5)
    const second = LlmRequest.begin(request, 6)
    assert.notStrictEqual(first.route.journal, second.route.journal)
    assert.strictEqual(first.route.startedAt, 5)
    assert.strictEqual(first.body, request.body)
  })
})

describe("LlmRequest.inForce", () => {
  it("is the request's value, and with `lowerOnly` the smaller one", () => {
    assert.deepStrictEqual(
      [undefined, 0, 5, 9, Number.POSITIVE_INFINITY].map((own) => [
        LlmRequest.inForce({}, own, 7),
        LlmRequest.inForce({ lowerOnly: true }, own, 7)
      ]),
      [
        [7, 7],
        [0, 0],
        [5, 5],
        [9, 7],
        [Number.POSITIVE_INFINITY, 7]
      ]
    )
    assert.strictEqual(LlmRequest.inForce({ lowerOnly: true }, Number.NaN, 7), 7)
  })
})

describe("LlmRequest.decode", () => {
  it("takes unknown fields as they are", () => {
    const body = {
      model: "m",
      messages: [{ role: "user", content: [{ type: "x" }], odd: 1 }],
      new_field: { a: 1 },
      stream: null
    }
    const request = Either.getOrThrow(LlmRequest.decode("chat", body))
    assert.strictEqual(request.body as unknown, body)
    assert.isFalse(request.stream)
    assert.isTrue(Either.isRight(LlmRequest.decode("completion", { model: "m", prompt: ["a"] })))
    assert.isTrue(Either.isRight(LlmRequest.decode("embeddings", { model: "m", input: [1, 2] })))
  })

  it("names every wrong field at once, as an invalid request", () => {
    const error = refused("chat", { model: "", messages: [{ content: "x" }], stream: "yes" })
    assert.strictEqual(error.reason, "InvalidRequest")
    for (const field of ["model", "messages.0.role", "stream"]) assert.include(error.description, field)
  })

  it("refuses no messages, no model and what is no object", () => {
    assert.include(refused("chat", { model: "m", messages: [] }).description, "messages")
    assert.include(refused("chat", { messages: [{ role: "user" }] }).description, "model")
    assert.include(refused("embeddings", { model: "m", input: 5 }).description, "input")
    for (const nothing of [null, undefined, 3, "x", []]) {
      assert.strictEqual(refused("chat", nothing).reason, "InvalidRequest")
    }
  })
})

describe("what routing reads of a payload", () => {
  it("the bound of the output: either spelling, nonsense is no bound", () => {
    assert.strictEqual(LlmRequest.maxOutputTokens(chat({ max_tokens: 5 })), 5)
    assert.strictEqual(LlmRequest.maxOutputTokens(chat({ max_tokens: 5, max_completion_tokens: 7 })), 7)
    assert.strictEqual(LlmRequest.largestOutputBound({ max_tokens: 9, max_completion_tokens: 7 }), 9)
    assert.isUndefined(LlmRequest.largestOutputBound({ max_tokens: null, reasoning: "low" }))
    const choices = [{ n: 2, best_of: 3 }, { prompt: ["a", "b"], n: 2 }, { prompt: [1, 2, 3] }, { n: "4" }, { n: 0 }]
    assert.deepStrictEqual(
      choices.map((body) => LlmRequest.choicesIn("completion", body)),
      [3, 4, 1, 4, 1]
    )
    assert.strictEqual(LlmRequest.maxOutputTokens(chat({ max_tokens: 0 })), 0)
    for (const odd of [undefined, null, -1, "5", Number.NaN]) {
      assert.isUndefined(LlmRequest.maxOutputTokens(chat({ max_tokens: odd })))
    }
  })

  it("tools and response format", () => {
    assert.strictEqual(LlmRequest.tools(chat({ tools: [{}] })).length, 1)
    assert.strictEqual(LlmRequest.tools(chat({ tools: "x" })).length, 0)
    assert.strictEqual(LlmRequest.responseFormat(chat({ response_format: { type: "json_schema" } })), "json_schema")
    assert.isUndefined(LlmRequest.responseFormat(chat({ response_format: "json" })))
  })

  it("reasoning, in the words of every provider", () => {
    for (const body of [
      { reasoning_effort: "low" },
      { reasoning: { effort: "high" } },
      { reasoning: {} },
      { thinking: { type: "enabled" } },
      { thinking: true },
      { enable_thinking: true },
      { thinking_budget: 1024 },
      { think: "high" },
      { include_reasoning: true },
      { chat_template_kwargs: { enable_thinking: true } },
      { extra_body: { google: { thinking_config: { include_thoughts: true } } } },
      { generationConfig: { thinkingConfig: { thinkingBudget: -1 } } }
    ]) {
      assert.isTrue(LlmRequest.asksForReasoning(chat(body)), JSON.stringify(body))
    }
    for (const body of [
      { reasoning_effort: "none" },
      { reasoning_effort: null },
      { reasoning: { enabled: false } },
      { thinking: { type: "disabled" } },
      { enable_thinking: false },
      { thinking_budget: 0 },
      { chat_template_kwargs: { enable_thinking: false } },
      { include_reasoning: false }
    ]) {
      assert.isFalse(LlmRequest.asksForReasoning(chat(body)), JSON.stringify(body))
    }
    assert.isFalse(LlmRequest.asksForReasoning(chat()))
  })

  it("estimates four characters as a token: messages and tools, whatever their shape", () => {
    assert.strictEqual(
      LlmRequest.estimateInputTokens(LlmRequest.completion({ model: "m", prompt: "x".repeat(400) })),
      100
    )
    assert.strictEqual(
      LlmRequest.estimateInputTokens(LlmRequest.embeddings({ model: "m", input: ["abcd", "efgh"] })),
      2
    )
    const plain = LlmRequest.estimateInputTokens(chat())
    assert.isAbove(LlmRequest.estimateInputTokens(chat({ tools: [{ function: { name: "x".repeat(40) } }] })), plain + 9)
  })

  it("a request that goes on with another payload is as long as that one, and as it was with its own", () => {
    const request = chat()
    const longer = { ...request, body: { ...request.body, messages: [{ role: "user", content: "x".repeat(4000) }] } }
    const own = LlmRequest.estimateInputTokens(request)
    for (let i = 0; i < 2; i++) {
      assert.isAbove(LlmRequest.estimateInputTokens(longer), 1000)
      assert.strictEqual(LlmRequest.estimateInputTokens(request), own)
    }
  })

  it("an inline image counts as an image, not as its encoding", () => {
    const image = (url: string) =>
      LlmRequest.estimateInputTokens(
        chat({ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }] })
      )
    assert.isAtMost(image(`data:image/png;base64,${"A".repeat(1_000_000)}`), 1100)
    assert.isAtMost(image("data:image/png;base64,AAAA"), 20)
  })

  it("media count as media, whatever their part is called; text in a document is text", () => {
    const data = "A".repeat(1_000_000)
    const size = (part: object) =>
      LlmRequest.estimateInputTokens(chat({ messages: [{ role: "user", content: [part] }] }))
    for (const part of [
      { type: "input_audio", input_audio: { data, format: "wav" } },
      { type: "file", file: { file_data: data, filename: "a.pdf" } },
      { type: "input_file", file_data: data },
      { type: "image", source: { type: "base64", media_type: "image/png", data } },
      { type: "video_url", video_url: { url: `data:video/mp4;base64,${data}` } },
      { inline_data: { mime_type: "image/png", data } }
    ]) {
      assert.isAtMost(size(part), 1100, JSON.stringify(part).slice(0, 40))
    }
    for (const part of [
      { type: "text", text: data },
      { type: "text", text: `data: ${data}` },
      { type: "document", source: { type: "text", data } }
    ]) {
      assert.isAtLeast(size(part), 250_000)
    }
  })

  it("the longest single input is what a window bounds; a token's id counts one", () => {
    const both = (request: LlmRequest.LlmRequest) => [
      LlmRequest.estimateInputTokens(request),
      LlmRequest.longestInputTokens(request)
    ]
    const embeddings = (input: unknown) => both(LlmRequest.embeddings({ model: "m", input }))
    const completion = (prompt: unknown) => both(LlmRequest.completion({ model: "m", prompt }))
    const text = "x".repeat(400)
    for (const of of [embeddings, completion]) {
      assert.deepStrictEqual(of([text, text, "x".repeat(800)]), [400, 200])
      assert.deepStrictEqual(of(text), [100, 100])
      assert.deepStrictEqual(of([1, 2, 3]), [3, 3])
      assert.deepStrictEqual(of([[1, 2, 3], [4]]), [4, 3])
      assert.deepStrictEqual(of([text, [1, 2]]), [102, 100])
      assert.deepStrictEqual(of([]), [0, 0])
    }
    const [total, longest] = both(chat())
    assert.strictEqual(total, longest)
    assert.isAtMost(
      LlmRequest.estimateInputTokens(chat({ tools: [{ function: { parameters: { enum: [1, 2, 3] } } }] })),
      30
    )
  })

  it("walks input that is nested deeper than any stack", () => {
    let deep: unknown = "abcd"
    for (let i = 0; i < 100_000; i++) deep = [deep]
    assert.strictEqual(LlmRequest.estimateInputTokens(LlmRequest.embeddings({ model: "m", input: deep })), 1)
  })
})
