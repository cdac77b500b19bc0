import { assert, describe, it } from "@effect/vitest"
import { ChunkFold } from "@switchyard/core/ChunkFold"
import { FastCheck as fc } from "effect"

const chunk = (choice: unknown) => ({ id: "c", choices: [choice] })

const good = chunk({
  index: 0,
  delta: {
    content: "words",
    reasoning: "thoughts",
    tool_calls: [{ index: 0, id: "t", function: { name: "f", arguments: "{}" } }]
  }
})

/** What a stream said, and then something that no provider should say. */
const folded = (...later: ReadonlyArray<unknown>) => {
  const fold = new ChunkFold()
  fold.add(good)
  for (const one of later) fold.add(chunk(one))
  const [choice] = fold.answer().choices as ReadonlyArray<{ readonly message?: Record<string, unknown> }>
  return choice?.message ?? {}
}

const said = { content: "words", reasoning: "thoughts" }

describe("the chunks of a stream as one answer", () => {
  it.each([
    [{ index: 0, delta: [1] }],
    [{ index: 0, delta: 7 }],
    [{ index: 0, delta: "text" }],
    [{ index: 0, delta: { content: 5 } }],
    [{ index: 0, delta: { content: { a: 1 } } }],
    [{ index: 0, delta: { content: true, reasoning: ["x"] } }],
    [{ index: 0, delta: { reasoning: { a: 1 } } }],
    [{ index: 0, delta: { tool_calls: "none" } }],
    [{ index: 0, delta: { tool_calls: [{ index: 0, function: "f" }] } }],
    [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: 3 } }] } }]
  ])("what was said stays when %j follows", (later) => {
    const { content, reasoning, tool_calls } = folded(later)
    assert.deepStrictEqual({ content, reasoning }, said)
    assert.deepStrictEqual(tool_calls, [{ id: "t", function: { name: "f", arguments: "{}" } }])
  })

  it.each([
    [{ index: 0, delta: [[1]] }],
    [{ index: 0, delta: { content: 5, reasoning: { a: 1 } } }],
    [{ index: 0, delta: { content: { a: 1 }, tool_calls: 1 } }],
    [{ index: 0, delta: { tool_calls: [{ index: 0, function: "f" }] } }]
  ])("what is said counts after %j, too", (before) => {
    const fold = new ChunkFold()
    fold.add(chunk(before))
    fold.add(good)
    const [choice] = fold.answer().choices as ReadonlyArray<{ readonly message?: Record<string, unknown> }>
    assert.deepInclude(choice?.message, {
      ...said,
      tool_calls: [{ id: "t", function: { name: "f", arguments: "{}" } }]
    })
  })

  it("what was said stays whatever follows", () => {
    const name = fc.constantFrom("content", "reasoning", "tool_calls", "function", "arguments", "audio")
    const value = fc.oneof(fc.jsonValue(), fc.dictionary(name, fc.jsonValue(), { maxKeys: 3 }))
    fc.assert(
      fc.property(fc.array(fc.record({ index: fc.constant(0), delta: value }), { maxLength: 4 }), (later) => {
        const { content, reasoning } = folded(...later)
        const text = Array.isArray(content) ? (content[0] as { readonly text?: unknown }).text : content
        assert.isTrue(typeof text === "string" && text.startsWith("words"), JSON.stringify(content))
        assert.isTrue(typeof reasoning === "string" && reasoning.startsWith("thoughts"), JSON.stringify(reasoning))
      }),
      { numRuns: 300 }
    )
  })
})
