import { assert, describe, it } from "@effect/vitest"
import * as PriorityBased from "@switchyard/router/RoutingStrategy/PriorityBased"
import { chiSquare, chiSquareLimit, choose, seeded, slotsOf, tally } from "./support.js"

const strategy = () => PriorityBased.make({ random: seeded("priority") })

describe("PriorityBased", () => {
  it("takes one without a priority last, so that it does not outrank a configured one", () => {
    assert.deepStrictEqual(tally(strategy(), slotsOf({}, { priority: 7 }), 100), [0, 100])
  })
  it("spreads calls evenly over the lowest priority value, and sends none to others", () => {
    const counts = tally(strategy(), slotsOf({ priority: 1 }, { priority: 2 }, { priority: 1 }, { priority: 1 }), 9000)
    assert.isBelow(chiSquare(counts, [1, 0, 1, 1]), chiSquareLimit(3), String(counts))
  })

  it("takes the next value while all of the lowest are closed", () => {
    const slots = slotsOf({ priority: 0.5 }, { priority: 0.7 }, { priority: 0.7 })
    const counts = tally(strategy(), slots, 1000, { isClosed: (slot) => slot.id === "a" })
    assert.strictEqual(counts[0], 0)
    assert.isBelow(chiSquare(counts, [0, 1, 1]), chiSquareLimit(2))
  })

  it("chooses nothing among none and among closed ones", () => {
    assert.strictEqual(choose(strategy(), []), undefined)
    assert.strictEqual(choose(strategy(), slotsOf({}, {}), { isClosed: () => true }), undefined)
  })
})
