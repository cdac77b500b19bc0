import { assert, describe, it } from "@effect/vitest"
import * as RateLimitAware from "@switchyard/router/RoutingStrategy/RateLimitAware"
import { chiSquare, chiSquareLimit, choose, seeded, tally, withUsage } from "./support.js"

const setup = (entries: Parameters<typeof withUsage>[0]) => {
  const { slots, windows } = withUsage(entries)
  return { slots, limits: RateLimitAware.make({ windows, random: seeded("limits") }) }
}

describe("RateLimitAware", () => {
  it("chooses the one with the most headroom, and counts one without a limit as free", () => {
    const { limits, slots } = setup([{ headroom: 0.4 }, { headroom: 0.6 }, { headroom: 0.5 }])
    assert.strictEqual(choose(limits, slots), "b")
    const free = setup([{ headroom: 0.99 }, {}])
    assert.strictEqual(choose(free.limits, free.slots), "b")
  })

  it("breaks ties evenly: at the start of a minute nobody gets it all", () => {
    const { limits, slots } = setup([{}, {}, {}, {}])
    assert.isBelow(chiSquare(tally(limits, slots, 12_000), [1, 1, 1, 1]), chiSquareLimit(4))
  })

  it("passes over what is closed, and chooses nothing among none", () => {
    const { limits, slots } = setup([{ headroom: 1 }, { headroom: 0.01 }])
    assert.strictEqual(choose(limits, slots, { isClosed: (slot) => slot.id === "a" }), "b")
    assert.strictEqual(choose(limits, []), undefined)
    assert.strictEqual(choose(limits, slots, { isClosed: () => true }), undefined)
  })
})
