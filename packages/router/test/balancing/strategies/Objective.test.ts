import { assert, describe, it } from "@effect/vitest"
import type { Slot } from "@switchyard/core/Slot"
import { zero } from "@switchyard/core/Usage"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import * as PriceBook from "@switchyard/router/PriceBook"
import * as Router from "@switchyard/router/Router"
import * as Objective from "@switchyard/router/RoutingStrategy/Objective"
import { learnLength } from "../../../src/money/answerLengths.js"
import { candidatesOf, choose, completed, refused, request, seeded, slotsOf, tally } from "./support.js"

/** A dear, a middling and a cheap deployment, in this order. */
const shop = () =>
  slotsOf({ inputPrice: 5, outputPrice: 15 }, { inputPrice: 2, outputPrice: 8 }, { inputPrice: 0.5, outputPrice: 2 })

const setup = (options: Objective.Options = {}, slots: ReadonlyArray<Slot> = shop()) => {
  const tracker = LatencyTracker.make()
  const stats = DeploymentStats.make()
  const at = (index: number): Slot => slots[index] ?? assert.fail("no such slot")
  return {
    slots,
    strategy: Objective.make({ tracker, stats, prices: PriceBook.make({}), random: seeded("objective") }, options),
    /** Answers of these lengths in ms, all of them over at `now`. */
    took: (index: number, duration: number, times = 5, now = 0) => {
      for (let i = 0; i < times; i++) tracker.begin(at(index), false, now - duration).settled(completed(duration), now)
    },
    writes: (index: number, outputTokens: number) =>
      learnLength(at(index), request(), { ...completed(1000), usage: { ...zero, outputTokens } }, 0),
    fails: (index: number) => tracker.begin(at(index), false, 0).settled(refused, 0),
    waits: (index: number, since: number) => tracker.begin(at(index), false, since)
  }
}

describe("the least cost within a time", () => {
  it("is that of the cheapest deployment which is expected to answer in time", () => {
    const { slots, strategy, took } = setup({ latency: "5 seconds" })
    took(0, 1000)
    took(1, 3000)
    took(2, 9000)
    assert.deepStrictEqual(tally(strategy, slots, 50), [0, 50, 0])
  })

  it("is that of the fastest deployment where nobody answers in time", () => {
    const { slots, strategy, took } = setup({ latency: 500 })
    took(0, 1000)
    took(1, 3000)
    took(2, 9000)
    assert.deepStrictEqual(tally(strategy, slots, 50), [50, 0, 0])
  })

  it("passes over what is closed, and a cheap one that fails often", () => {
    const { fails, slots, strategy, took } = setup({ latency: "5 seconds" })
    for (const index of [0, 1, 2]) took(index, 2000)
    assert.strictEqual(choose(strategy, slots, { isClosed: ({ id }) => id === "c" }), "b")
    for (let i = 0; i < 5; i++) fails(2)
    assert.strictEqual(choose(strategy, slots), "b")
  })

  it("gives those of which nothing is known a call at a time, the cheapest first", () => {
    const { slots, strategy, waits } = setup()
    assert.strictEqual(choose(strategy, slots), "c")
    waits(2, 0)
    assert.strictEqual(choose(strategy, slots), "b")
    waits(1, 0)
    assert.strictEqual(choose(strategy, slots), "a")
  })

  it("leaves a cheap one as soon as its calls wait longer than the bound, before any of them has ended", () => {
    const { slots, strategy, took, waits } = setup({ latency: "5 seconds" })
    for (const index of [0, 1, 2]) took(index, 2000)
    waits(2, 0)
    assert.strictEqual(choose(strategy, slots, { now: 1000 }), "c")
    assert.strictEqual(choose(strategy, slots, { now: 20_000 }), "b")
  })

  it("finds a cheap one again that was too slow and has become fast", () => {
    const { slots, strategy, took } = setup({ latency: "5 seconds" })
    took(0, 1000)
    took(2, 30_000)
    let found = 0
    for (let now = 0; now < 600_000; now += 500) {
      const id = choose(strategy, slots, { now })
      took(id === "c" ? 2 : id === "b" ? 1 : 0, id === "b" ? 9000 : 1000, 1, now)
      if (id === "c") found = now
    }
    assert.isAtLeast(found, 599_000)
  })

  it("looks at a slow one no more often than every tenth second", () => {
    const { slots, strategy, took } = setup({ latency: "5 seconds" }, shop())
    took(0, 1000)
    took(1, 9000)
    took(2, 30_000)
    const looks = [0, 0, 0]
    for (let now = 0; now < 100_000; now += 100) {
      const id = choose(strategy, slots, { now })
      const index = id === "c" ? 2 : id === "b" ? 1 : 0
      looks[index] = (looks[index] ?? 0) + 1
      took(index, [1000, 9000, 30_000][index] ?? 0, 1, now)
    }
    assert.isAtMost((looks[1] ?? 0) + (looks[2] ?? 0), 20)
  })

  it("shares the work among those that cost the same, however long answers happened to be there", () => {
    const price = { inputPrice: 1, outputPrice: 4 }
    const { slots, strategy, took, writes } = setup({}, slotsOf(price, price, { inputPrice: 5, outputPrice: 15 }))
    for (const index of [0, 1, 2]) took(index, 1000)
    writes(0, 4000)
    for (let i = 0; i < 20; i++) {
      writes(0, 100)
      writes(1, 100)
    }
    const [a = 0, b = 0, c] = tally(strategy, slots, 100)
    assert.isAtLeast(a, 20)
    assert.isAtLeast(b, 20)
    assert.strictEqual(c, 0)
  })

  it("reckons three times as long as the fastest takes to be in time, where nobody says what is", () => {
    const { slots, strategy, took } = setup()
    took(0, 20_000)
    took(1, 30_000)
    took(2, 50_000)
    assert.deepStrictEqual(tally(strategy, slots, 20), [0, 0, 20])
    took(2, 90_000, 30)
    assert.deepStrictEqual(tally(strategy, slots, 20), [0, 20, 0])
  })

  it("expects less time of a request that bounds its answer", () => {
    const { slots, strategy, took } = setup({ latency: "5 seconds" })
    took(0, 1000)
    took(1, 6000)
    took(2, 6000)
    const brief = request({ body: { max_tokens: 1 } })
    const [long, short] = [request(), brief].map((one) => strategy.judge?.(candidatesOf(slots, { request: one }))[2])
    assert.isBelow(short?.expectedCost ?? 0, long?.expectedCost ?? 0)
  })
})

describe("the least time within a budget", () => {
  it("is that of the fastest deployment which is cheap enough", () => {
    const { slots, strategy, took } = setup({ minimize: "latency", costPerMillion: 9 })
    took(0, 1000)
    took(1, 3000)
    took(2, 9000)
    assert.deepStrictEqual(tally(strategy, slots, 20), [0, 20, 0])
  })

  it("is asked of the cheapest where nobody is cheap enough, and one without a price is not", () => {
    const slots = slotsOf({ inputPrice: 5, outputPrice: 15 }, { inputPrice: 2, outputPrice: 8 }, {})
    const { strategy, took } = setup({ minimize: "latency", cost: 0 }, slots)
    for (const index of [0, 1, 2]) took(index, 1000)
    assert.strictEqual(choose(strategy, slots), "b")
  })

  it("has no bound unless one is given", () => {
    const { slots, strategy, took } = setup({ minimize: "latency" })
    took(0, 1000)
    took(1, 3000)
    took(2, 9000)
    assert.deepStrictEqual(tally(strategy, slots, 20), [20, 0, 0])
  })
})

describe("Objective", () => {
  it("says what it expects of a deployment, and whether that is within its bounds", () => {
    const { slots, strategy, took } = setup({ latency: "5 seconds" })
    took(1, 3000)
    took(2, 9000)
    const judged = strategy.judge?.(candidatesOf(slots)) ?? []
    assert.deepStrictEqual(
      judged.map((one) => [one.expectedTime, one.isWithin]),
      [
        [undefined, undefined],
        [3000, true],
        [9000, false]
      ]
    )
    assert.isAbove(judged[0]?.expectedCost ?? 0, judged[1]?.expectedCost ?? 0)
  })

  it("takes other objectives for single groups", () => {
    const { slots, strategy, took } = setup({ latency: "5 seconds", groups: { m: { minimize: "latency" } } })
    took(0, 1000)
    took(1, 3000)
    took(2, 3000)
    assert.strictEqual(choose(strategy, slots), "a")
  })

  it("is told under `objective`, with every mistake at its path", () => {
    const deployments = [{ id: "a", group: "m", model: "m" }]
    const wrong = { minimize: "noise", latency: -1, groups: { m: { cost: -1 } } } as never
    const issues = Router.check({ deployments, strategy: "objective", objective: wrong })
    assert.deepStrictEqual(issues.map(({ path }) => path).sort(), [
      "objective.groups.m.cost",
      "objective.latency",
      "objective.minimize"
    ])
  })
})
