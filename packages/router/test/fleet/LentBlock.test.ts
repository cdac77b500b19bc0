/** Room that a process was lent, as its borrower knows it. */
import { assert, describe, it } from "@effect/vitest"
import { LentBlock } from "@switchyard/router/LentBlock"

const nothing = { requests: 0, tokens: 0, calls: 0, requestsFreeIn: undefined, tokensFreeIn: undefined }

describe("what is used of a loan", () => {
  it("is never less than nothing, when an answer came that did not know of a call yet", () => {
    const limits = { rpm: 1_000, tpm: 100_000, maxParallel: 100 }
    for (const used of [undefined, 3]) {
      const block = new LentBlock("k", 1, limits, 60_000, 10_000)
      block.more({ requests: 50, tokens: 5_000, calls: 50 }, nothing, 0, 0)
      block.take("a", 40, 1)
      block.heard(nothing, 2)
      block.end("a", used)
      const use = block.take("b", 10, 3)
      assert.strictEqual(use?.requests, 1)
      assert.strictEqual(use?.tokens, 10)
      assert.strictEqual(use?.calls, 1)
    }
  })
})
