import { assert, describe, it } from "@effect/vitest"
import * as AnswerView from "@switchyard/core/AnswerView"
import * as ChatChunk from "@switchyard/core/ChatChunk"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"

const delta = (delta: object, finish: string | null = null, index = 0) => ({
  id: "c1",
  choices: [{ index, delta, finish_reason: finish }]
})

describe("what a stream said", () => {
  it("is its text, its thoughts, why it ended and what it used", () => {
    const {
      body: _,
      usage,
      ...view
    } = AnswerView.ofChunks([
      delta({ role: "assistant", content: "" }),
      delta({ reasoning_content: "hm, " }),
      delta({ reasoning_content: "yes" }),
      delta({ content: "one " }),
      delta({ content: "other choice" }, "length", 1),
      delta({ content: "two" }),
      delta({}, "stop"),
      { choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } }
    ])
    assert.deepStrictEqual(view, {
      text: "one two",
      reasoning: "hm, yes",
      refusal: undefined,
      toolCalls: [],
      finishReason: "stop"
    })
    assert.deepStrictEqual([usage?.inputTokens, usage?.outputTokens], [3, 4])
  })

  it("is tool calls by their index, whose arguments come in pieces and between each other", () => {
    const call = (index: number, more: object) => delta({ tool_calls: [{ index, ...more }] })
    const { finishReason, toolCalls } = AnswerView.ofChunks([
      call(1, { id: "b", type: "function", function: { name: "second", arguments: "{" } }),
      call(0, { id: "a", type: "function", function: { name: "first", arguments: '{"x"' } }),
      call(1, { function: { arguments: "}" } }),
      call(0, { function: { arguments: ":1}" } }),
      delta({}, "tool_calls")
    ])
    assert.deepStrictEqual(toolCalls, [
      { id: "a", name: "first", arguments: '{"x":1}' },
      { id: "b", name: "second", arguments: "{}" }
    ])
    assert.strictEqual(finishReason, "tool_calls")
  })

  it("has no reason where it did not end, and nothing at all where nothing came", () => {
    const cut = AnswerView.ofChunks([delta({ content: "half" })])
    assert.deepStrictEqual([cut.text, cut.finishReason, cut.usage], ["half", undefined, undefined])
    const none = AnswerView.ofChunks([])
    assert.deepStrictEqual([none.text, none.toolCalls, none.finishReason], ["", [], undefined])
  })

  it.effect("is collected from a service, and fails as the stream does", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ text: "one two three" })
      const ask = () => LlmService.stream(stub.requests, LlmRequest.chat({ model: "m", messages: [] }))
      const answer = yield* ChatChunk.collect(ask())
      assert.deepStrictEqual(
        [answer.text, answer.finishReason, answer.usage?.outputTokens],
        ["one two three", "stop", 5]
      )
      stub.reply({ text: "one two", failAfter: 1, fail: { reason: "Unavailable", description: "reset" } })
      assert.strictEqual((yield* Effect.flip(ChatChunk.collect(ask()))).description.includes("reset"), true)
    })
  )
})

describe("what a whole answer says", () => {
  for (const [what, body, text, calls] of [
    ["a text", { choices: [{ message: { content: "Hi" } }] }, "Hi", []],
    ["parts", { choices: [{ message: { content: [{ type: "text", text: "H" }, { text: "i" }, 3] } }] }, "Hi", []],
    ["a legacy completion", { choices: [{ text: "Hi" }] }, "Hi", []],
    ["spoilt fields", { choices: [{ message: { content: 3, tool_calls: [null, {}, 4] } }] }, "", []],
    ["no choices", { choices: null }, "", []],
    [
      "a custom tool",
      { choices: [{ message: { tool_calls: [{ id: "x", custom: { name: "sh", input: "ls" } }] } }] },
      "",
      [{ id: "x", name: "sh", arguments: "ls" }]
    ]
  ] as const) {
    it(`is read with care: ${what}`, () => {
      const view = AnswerView.ofBody(body)
      assert.deepStrictEqual([view.text, view.toolCalls], [text, calls])
    })
  }
})
