import { assert, describe, it } from "@effect/vitest"
import * as Deployment from "@switchyard/core/Deployment"
import * as SimpleShuffle from "@switchyard/router/RoutingStrategy/SimpleShuffle"
import { Either } from "effect"
import { chiSquare, chiSquareLimit, choose, plainSlots, seeded, slotsOf, tally } from "./support.js"

const strategy = () => SimpleShuffle.make({ random: seeded("shuffle") })

const spreads = (configs: ReadonlyArray<Partial<Deployment.DeploymentConfig>>, shares: ReadonlyArray<number>) => {
  const counts = tally(strategy(), slotsOf(...configs), 20_000)
  assert.isBelow(chiSquare(counts, shares), chiSquareLimit(shares.length), `${counts} for ${shares}`)
}

describe("SimpleShuffle", () => {
  it("spreads calls in proportion to the weights, fractions included", () => {
    spreads([{ weight: 0.5 }, { weight: 1 }, { weight: 2.5 }], [0.5, 1, 2.5])
  })

  it("reads the weight of each deployment, and counts one without a weight as 1", () => {
    spreads([{ rpm: 1000 }, { weight: 3 }, {}], [1, 3, 1])
  })

  it("goes by rpm where nobody has a weight: 1440 against 6 is nearly everything", () => {
    const [small = 0, big = 0] = tally(strategy(), slotsOf({ rpm: 6 }, { rpm: 1440 }), 1000)
    assert.isAtLeast(big, 890)
    assert.strictEqual(small + big, 1000)
    spreads([{ rpm: 6 }, { rpm: 1440 }], [6, 1440])
  })

  it("goes by tpm where nobody has a weight or rpm", () => {
    spreads([{ tpm: 10_000 }, { tpm: 30_000 }], [1, 3])
  })

  it("counts a deployment without the limit that the others have as the largest", () => {
    spreads([{ rpm: 100 }, { rpm: 300 }, {}], [100, 300, 300])
  })

  it("chooses evenly where nobody has a weight or a limit", () => {
    spreads([{}, {}, {}, {}], [1, 1, 1, 1])
  })

  it("chooses evenly when all weights are 0", () => {
    spreads([{ weight: 0 }, { weight: 0 }, { weight: 0 }], [1, 1, 1])
  })

  it("never chooses a weight of 0 while another is open, and does when none is", () => {
    const slots = slotsOf({ weight: 0 }, { weight: 1 })
    assert.deepStrictEqual(tally(strategy(), slots, 1000), [0, 1000])
    assert.strictEqual(choose(strategy(), slots, { isClosed: (slot) => slot.id === "b" }), "a")
  })

  it("keeps proportions with weights whose sum overflows", () => {
    const huge = Number.MAX_VALUE
    spreads([{ weight: huge }, { weight: huge }, { weight: huge / 2 }], [1, 1, 0.5])
    spreads([{ weight: 1e-200 }, { weight: 3e-200 }], [1, 3])
  })

  it("keeps the proportions of those that are open", () => {
    const counts = tally(strategy(), slotsOf({ weight: 5 }, { weight: 1 }, { weight: 2 }), 20_000, {
      isClosed: (slot) => slot.id === "a"
    })
    assert.isBelow(chiSquare(counts, [0, 1, 2]), chiSquareLimit(2))
  })

  it("chooses a deployment that stands alone, nothing among none, and nothing when all are closed", () => {
    assert.deepStrictEqual(tally(strategy(), plainSlots(1), 50), [50])
    assert.strictEqual(choose(strategy(), []), undefined)
    assert.strictEqual(choose(strategy(), plainSlots(3), { isClosed: () => true }), undefined)
  })

  it("does not collapse to one deployment in rapid calls", () => {
    const counts = tally(strategy(), plainSlots(3), 20)
    assert.isTrue(
      counts.every((count) => count > 0),
      String(counts)
    )
  })

  it("makes the same choices for the same seed", () => {
    const choices = () => {
      const made = strategy()
      return Array.from({ length: 50 }, () => choose(made, slotsOf({ weight: 1 }, { weight: 2 }, { weight: 3 })))
    }
    assert.deepStrictEqual(choices(), choices())
  })

  it("is never given a weight that is negative or not finite: the configuration is refused", () => {
    for (const weight of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      const decoded = Deployment.decodeAll([{ id: "a", group: "m", model: "m", weight }])
      assert.isTrue(Either.isLeft(decoded), String(weight))
      if (Either.isLeft(decoded)) assert.strictEqual(decoded.left.issues[0]?.path, "deployments[0].weight")
    }
  })
})
