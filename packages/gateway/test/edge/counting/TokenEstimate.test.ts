import { assert, describe, it } from "@effect/vitest"
import { estimateHigh } from "../../../src/edge/counting/tokenEstimate.js"

const of = (content: unknown) => estimateHigh({ messages: [{ role: "user", content }] }, ["messages"])

describe("an estimate that errs high", () => {
  it.each([
    ["prose", "The quick brown fox jumps over the lazy dog. ".repeat(100), 1000],
    ["code", "if (a[i] !== b[j]) { return x(y, z); }\n".repeat(100), 1700],
    ["Chinese", "敏捷的棕色狐狸跳过懒狗".repeat(100), 1100],
    ["nothing", "", 0]
  ])("is above what tokenizers make of %s, and not far above", (_, text, real) => {
    assert.isAtLeast(of(text), real)
    assert.isAtMost(of(text), 30 + 2 * real)
  })

  it("takes pictures for pictures in every language, and documents by their length", () => {
    const data = "iVBORw0KGgo".repeat(50_000)
    for (const part of [
      { type: "image_url", image_url: { url: `data:image/png;base64,${data}` } },
      { type: "image", source: { type: "base64", media_type: "image/png", data } },
      { inlineData: { mimeType: "image/png", data } }
    ]) {
      assert.isAtLeast(of([part]), 1600)
      assert.isAtMost(of([part]), 4000)
    }
    const document = { type: "document", source: { type: "base64", media_type: "application/pdf", data } }
    assert.isAtLeast(of([document]), 10_000)
  })

  it("counts the schemas of tools, and nothing but what is named", () => {
    const tools = [{ name: "weather", input_schema: { type: "object", properties: { place: { type: "string" } } } }]
    assert.isAbove(estimateHigh({ tools }, ["tools"]), 25)
    assert.strictEqual(estimateHigh({ tools, metadata: { a: "x".repeat(1000) } }, ["messages"]), 8)
  })

  it("walks any depth", () => {
    let deep: unknown = "x"
    for (let i = 0; i < 100_000; i++) deep = [deep]
    assert.isAbove(of(deep), 0)
  })
})
