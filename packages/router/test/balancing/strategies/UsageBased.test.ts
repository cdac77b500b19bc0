import { assert, describe, it } from "@effect/vitest"
import * as UsageBased from "@switchyard/router/RoutingStrategy/UsageBased"
import { chiSquare, chiSquareLimit, choose, seeded, tally, withUsage } from "./support.js"

const setup = (entries: Parameters<typeof withUsage>[0]) => {
  const { slots, used, windows } = withUsage(entries)
  return { slots, used, usage: UsageBased.make({ windows, random: seeded("usage") }) }
}

describe("UsageBased", () => {
  it("chooses the smallest share of the limit, not the fewest tokens", () => {
    const { slots, usage } = setup([
      { tpm: 1000, tokens: 100 },
      { tpm: 10_000, tokens: 500 }
    ])
    assert.strictEqual(choose(usage, slots), "b")
  })

  it("tells shares below one percent apart", () => {
    const { slots, usage } = setup([
      { tpm: 1_000_000, tokens: 9000 },
      { tpm: 1_000_000, tokens: 8000 }
    ])
    assert.deepStrictEqual(tally(usage, slots, 50), [0, 50])
  })

  it("does not let a deployment without a limit win for ever: its tokens count against the largest limit", () => {
    const { slots, usage, used } = setup([{ tpm: 1000 }, { tpm: 2000 }, {}])
    for (let i = 0; i < 500; i++) {
      const id = choose(usage, slots) ?? ""
      const use = used.get(id)
      if (use !== undefined) use.tokens += 1
    }
    const tokens = slots.map((slot) => used.get(slot.id)?.tokens ?? 0)
    assert.deepStrictEqual(tokens, [100, 200, 200])
  })

  it("compares tokens where nobody has a limit", () => {
    const { slots, usage } = setup([{ tokens: 10 }, { tokens: 9 }, { tokens: 11 }])
    assert.strictEqual(choose(usage, slots), "b")
  })

  it("takes a limit of 0 last", () => {
    const { slots, usage } = setup([{ tpm: 0 }, { tpm: 100, tokens: 99 }])
    assert.strictEqual(choose(usage, slots), "b")
    assert.strictEqual(choose(usage, slots, { isClosed: (slot) => slot.id === "b" }), "a")
  })

  it("breaks ties evenly", () => {
    const { slots, usage } = setup([{ tpm: 100 }, { tpm: 200 }, {}])
    assert.isBelow(chiSquare(tally(usage, slots, 9000), [1, 1, 1]), chiSquareLimit(3))
  })

  it("passes over a full one that is closed, and chooses nothing among none", () => {
    const { slots, usage } = setup([{ tpm: 100 }, { tpm: 100, tokens: 50 }])
    assert.strictEqual(choose(usage, slots, { isClosed: (slot) => slot.id === "a" }), "b")
    assert.strictEqual(choose(usage, []), undefined)
    assert.strictEqual(choose(usage, slots, { isClosed: () => true }), undefined)
  })
})
