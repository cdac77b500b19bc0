import { assert, describe, it } from "@effect/vitest"
import * as ChatChunk from "@switchyard/core/ChatChunk"
import type { JsonObject } from "@switchyard/core/Json"
import { FastCheck as fc } from "effect"

const read = (...chunks: ReadonlyArray<JsonObject>): ChatChunk.StreamFacts => {
  const facts = new ChatChunk.StreamFacts()
  for (const chunk of chunks) facts.read(chunk)
  return facts
}
const choice = (fields: JsonObject): JsonObject => ({ choices: [{ index: 0, finish_reason: null, ...fields }] })

describe("StreamFacts", () => {
  it("is whole when every choice that began has finished", () => {
    assert.isFalse(read().isWhole)
    assert.isFalse(read(choice({ delta: { content: "a" } })).isWhole)
    assert.isTrue(read(choice({ delta: { content: "a" } }), choice({ delta: {}, finish_reason: "stop" })).isWhole)
    const two = [choice({ delta: {} }), choice({ index: 1, delta: {} }), choice({ delta: {}, finish_reason: "length" })]
    assert.isFalse(read(...two).isWhole)
    assert.isTrue(read(...two, choice({ index: 1, delta: {}, finish_reason: "stop" })).isWhole)
  })

  it("an empty or null finish reason finishes nothing, and a chunk after the finish reopens nothing", () => {
    assert.isFalse(read(choice({ delta: {}, finish_reason: "" })).isWhole)
    const facts = read(choice({ delta: {}, finish_reason: "stop" }), choice({ delta: { content: "" } }))
    assert.isTrue(facts.isWhole)
    assert.strictEqual(facts.finishReason, "stop")
  })

  it("counts the characters of text, refusals, reasoning and tool calls", () => {
    const facts = read(
      choice({ delta: { content: "four" } }),
      choice({ delta: { refusal: "no" } }),
      choice({ delta: { reasoning_content: "hmm" } }),
      choice({ delta: { tool_calls: [{ index: 0, function: { name: "f", arguments: "{}" } }, null, { index: 1 }] } }),
      choice({ delta: { function_call: { arguments: "1" } } })
    )
    assert.strictEqual(facts.characters, 4 + 2 + 3 + 3 + 1)
  })

  it("tells reasoning from content: a restart after reasoning alone loses nothing", () => {
    for (const delta of [{ reasoning_content: "x" }, { reasoning: "x" }, { reasoning_content: "", thinking: "x" }]) {
      const facts = read(choice({ delta }))
      assert.isTrue(facts.hasReasoning)
      assert.isFalse(facts.hasContent)
    }
  })

  it("keeps the last usage, and a null one or nonsense does not erase it", () => {
    const facts = read(
      { usage: { prompt_tokens: 1, completion_tokens: 1 } },
      { usage: { prompt_tokens: 2, completion_tokens: 3 } },
      { usage: null },
      { usage: "lots" }
    )
    assert.deepInclude(facts.usage, { inputTokens: 2, outputTokens: 3 })
  })

  it("survives any JSON", () => {
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(fc.constantFrom("choices", "usage", "delta", "x"), fc.jsonValue())),
        (chunks) => {
          read(...chunks)
          read(
            ...chunks.map((chunk) => ({ choices: [chunk, { delta: chunk, finish_reason: chunk.x, index: chunk.x }] }))
          )
          for (const chunk of chunks) {
            ChatChunk.text(chunk)
            ChatChunk.errorOf(chunk)
            ChatChunk.completionText(chunk)
            ChatChunk.fromCompletion(chunk)
          }
        }
      ),
      { seed: 3, numRuns: 300 }
    )
  })
})

describe("text", () => {
  it("is what the chunk adds to the first choice", () => {
    assert.strictEqual(ChatChunk.text(choice({ delta: { content: "Hi" } })), "Hi")
    assert.strictEqual(ChatChunk.text(choice({ text: "legacy" })), "legacy")
    assert.strictEqual(ChatChunk.text(choice({ index: 1, delta: { content: "other" } })), "")
    assert.strictEqual(ChatChunk.text(choice({ delta: { role: "assistant" } })), "")
    assert.strictEqual(ChatChunk.text({ choices: [] }), "")
  })
})

describe("errorOf", () => {
  it("finds an error object or an error text, and nothing in any other chunk", () => {
    assert.deepStrictEqual(ChatChunk.errorOf({ error: { code: "x" } }), { code: "x" })
    assert.deepStrictEqual(ChatChunk.errorOf({ error: "gone" }), { message: "gone" })
    assert.isUndefined(ChatChunk.errorOf({ error: null, choices: [] }))
    assert.isUndefined(ChatChunk.errorOf({ choices: [] }))
  })
})

describe("a whole answer as one chunk", () => {
  it("says the same: text, finish reason and usage", () => {
    const body = {
      id: "c",
      object: "chat.completion",
      choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 1, completion_tokens: 2 }
    }
    const chunk = ChatChunk.fromCompletion(body)
    assert.strictEqual(chunk.object, "chat.completion.chunk")
    assert.strictEqual(chunk.id, "c")
    assert.strictEqual(ChatChunk.text(chunk), ChatChunk.completionText(body))
    const facts = read(chunk)
    assert.isTrue(facts.isWhole && facts.hasContent)
    assert.deepInclude(facts.usage, { inputTokens: 1, outputTokens: 2 })
  })

  it("numbers tool calls, as stream readers put them together by index", () => {
    const chunk = ChatChunk.fromCompletion({
      choices: [{ message: { tool_calls: [{ id: "a" }, { id: "b" }] }, finish_reason: "tool_calls" }]
    })
    assert.deepStrictEqual(chunk.choices, [
      {
        index: 0,
        finish_reason: "tool_calls",
        delta: {
          tool_calls: [
            { index: 0, id: "a" },
            { index: 1, id: "b" }
          ]
        }
      }
    ])
  })

  it("takes an index that is no number for none", () => {
    const { choices } = ChatChunk.fromCompletion({
      choices: [
        { index: 0, message: {} },
        { index: null, message: { tool_calls: [{ index: "a" }, { index: null }] } }
      ]
    })
    assert.deepStrictEqual(choices, [
      { index: 0, delta: {} },
      { index: 1, delta: { tool_calls: [{ index: 0 }, { index: 1 }] } }
    ])
  })

  it("numbers choices that have no number, so that they do not run together", () => {
    const chat = { choices: [{ message: { content: "a" } }, { message: { content: "b" } }] }
    const legacy = { object: "text_completion", choices: [{ text: "a" }, { text: "b" }] }
    for (const body of [chat, legacy]) {
      const { choices } = ChatChunk.fromCompletion(body)
      assert.deepStrictEqual(
        (choices as ReadonlyArray<{ readonly index: unknown }>).map(({ index }) => index),
        [0, 1]
      )
    }
  })

  it("keeps a legacy completion's text", () => {
    const body = { object: "text_completion", choices: [{ index: 0, text: "Hi", finish_reason: "stop" }] }
    assert.deepStrictEqual(ChatChunk.fromCompletion(body), body)
    assert.strictEqual(ChatChunk.completionText(body), "Hi")
  })
})
