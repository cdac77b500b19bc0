import { assert, describe, it } from "@effect/vitest"
import type { Slot } from "@switchyard/core/Slot"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import { RoutingStrategy } from "@switchyard/router/RoutingStrategy"
import * as LeastExpectedLatency from "@switchyard/router/RoutingStrategy/LeastExpectedLatency"
import { Effect, Layer } from "effect"
import { choose, completed, every, plainSlots, refused, seeded, shareOf, simulate, slotsOf, tally } from "./support.js"

const setup = (slots: ReadonlyArray<Slot>) => {
  const tracker = LatencyTracker.make()
  const stats = DeploymentStats.make()
  const at = (index: number): Slot => slots[index] ?? assert.fail("no such slot")
  return {
    slots,
    stats,
    tracker,
    strategy: LeastExpectedLatency.make({ tracker, stats, random: seeded("least") }),
    took: (index: number, ...durations: ReadonlyArray<number>) => {
      for (const duration of durations) tracker.begin(at(index), false, -duration).settled(completed(duration), 0)
    },
    fails: (index: number) => tracker.begin(at(index), false, 0).settled(refused, 0),
    waits: (index: number, since: number) => tracker.begin(at(index), false, since),
    busy: (index: number, inFlight: number) => {
      stats.of(at(index)).inFlight = inFlight
    }
  }
}

const steady = (latency: number) => [latency, latency * 1.01, latency * 0.99, latency, latency]

describe("LeastExpectedLatency", () => {
  it("chooses the faster of two, although more calls are in flight there", () => {
    const { busy, slots, strategy, took } = setup(plainSlots(2))
    took(0, ...steady(300))
    took(1, ...steady(900))
    busy(0, 3)
    busy(1, 1)
    assert.deepStrictEqual(tally(strategy, slots, 50), [50, 0])
  })

  it("leaves the fastest once it has more in flight than is usual in its group", () => {
    const { busy, slots, strategy, took } = setup(plainSlots(3))
    took(0, ...steady(300))
    took(1, ...steady(600))
    took(2, ...steady(900))
    busy(0, 10)
    busy(1, 2)
    assert.strictEqual(choose(strategy, slots), "d1")
    busy(1, 8)
    busy(2, 8)
    assert.strictEqual(choose(strategy, slots), "d0")
  })

  it("gives the least busy of those that are as fast, by their weights", () => {
    const slots = slotsOf({ weight: 2 }, { weight: 1 }, { weight: 1 })
    const { busy, strategy, took } = setup(slots)
    for (const index of [0, 1, 2]) took(index, 300, 500, 200, 400, 300)
    busy(0, 4)
    busy(1, 3)
    busy(2, 3)
    assert.strictEqual(choose(strategy, slots), "a")
  })

  it("leaves a deployment whose oldest call has waited far longer than others take", () => {
    const { slots, strategy, took, waits } = setup(plainSlots(2))
    took(0, ...steady(300))
    took(1, ...steady(500))
    waits(0, 0)
    assert.strictEqual(choose(strategy, slots, { now: 400 }), "d0")
    assert.strictEqual(choose(strategy, slots, { now: 3000 }), "d1")
  })

  it("counts the tries that a success takes where calls fail", () => {
    const { fails, slots, strategy, took } = setup(plainSlots(2))
    took(0, ...steady(200))
    took(1, ...steady(600))
    for (let i = 0; i < 6; i++) fails(0)
    assert.strictEqual(choose(strategy, slots), "d1")
  })

  it("gives one call at a time to those of which nothing is known", () => {
    const { busy, slots, strategy, took } = setup(plainSlots(3))
    took(0, ...steady(200))
    const first = choose(strategy, slots)
    assert.include(["d1", "d2"], first)
    busy(1, 1)
    busy(2, 1)
    assert.strictEqual(choose(strategy, slots), "d0")
  })

  it("spreads calls evenly over equals, and keeps them from a slow one", () => {
    const { run } = simulate(plainSlots(4), (deps) => LeastExpectedLatency.make({ ...deps, random: seeded("equal") }))
    const sent = run(every(25, 0, 120_000), (id) => ({ takes: id === "d3" ? 2000 : 200 })).slice(400)
    for (const id of ["d0", "d1", "d2"]) assert.closeTo(shareOf(id, sent), 0.33, 0.08)
    assert.isBelow(shareOf("d3", sent), 0.01)
  })

  it("leaves a brownout within seconds, and looks again until it is over", () => {
    const { run } = simulate(plainSlots(3), (deps) => LeastExpectedLatency.make({ ...deps, random: seeded("brown") }))
    const fate = (id: string, now: number) => ({ takes: id === "d0" && now >= 20_000 && now < 50_000 ? 4000 : 200 })
    const phase = (from: number, to: number) => shareOf("d0", run(every(50, from, to), fate))
    assert.closeTo(phase(0, 20_000), 0.33, 0.15)
    phase(20_000, 24_000)
    assert.isBelow(phase(24_000, 50_000), 0.03)
    phase(50_000, 100_000)
    assert.isAbove(phase(100_000, 130_000), 0.15)
  })

  const unequal = ["d0", "d1", "d2"].map((id, index) => [id, 300 * (index + 1)] as const)
  const firstOf = new Map<string, number>(unequal)

  it("sends nearly all streams to the fastest, where it bears them", () => {
    const { run } = simulate(
      plainSlots(3),
      (deps) => LeastExpectedLatency.make({ ...deps, random: seeded("bears") }),
      true
    )
    const fate = (id: string) => ({ first: firstOf.get(id) ?? 0, takes: 2000 + (firstOf.get(id) ?? 0) })
    assert.isAbove(shareOf("d0", run(every(80, 0, 200_000), fate).slice(1000)), 0.9)
  })

  it("leaves some of them to others, where more calls at once make it slow", () => {
    const sim = simulate(
      plainSlots(3),
      (deps) => LeastExpectedLatency.make({ ...deps, random: seeded("burdened") }),
      true
    )
    let most = 0
    const fate = (id: string) => {
      const { inFlight } = sim.stats.of(sim.slots.find((slot) => slot.id === id) ?? assert.fail(id))
      if (id === "d0") most = Math.max(most, inFlight)
      const first = (firstOf.get(id) ?? 0) + (id === "d0" && inFlight > 10 ? 500 * (inFlight - 10) : 0)
      return { first, takes: 2000 + first }
    }
    sim.run(every(80, 0, 60_000), fate)
    most = 0
    const share = shareOf("d0", sim.run(every(80, 60_000, 200_000), fate))
    assert.isBelow(share, 0.75)
    assert.isAtMost(most, 20)
  })

  it("adds the time in which an answer is written", () => {
    const { run } = simulate(
      plainSlots(2),
      (deps) => LeastExpectedLatency.make({ ...deps, random: seeded("written") }),
      true
    )
    const fate = (id: string) => (id === "d0" ? { first: 300, takes: 6000 } : { first: 400, takes: 2000 })
    assert.isAbove(shareOf("d1", run(every(200, 0, 100_000), fate).slice(100)), 0.9)
  })

  it("looks at sixteen of ten thousand, and finds the only one that is open", () => {
    const { slots, strategy } = setup(plainSlots(10_000))
    let asked = 0
    const onStatus = () => {
      asked++
    }
    assert.isDefined(choose(strategy, slots, { onStatus }))
    assert.isAtMost(asked, 50)
    assert.strictEqual(choose(strategy, slots, { isClosed: ({ id }) => id !== "d7777" }), "d7777")
  })

  it.effect("is a layer over the tower's figures", () =>
    Effect.gen(function* () {
      const strategy = yield* RoutingStrategy
      assert.strictEqual(strategy.name, "LeastExpectedLatency")
    }).pipe(
      Effect.provide(
        LeastExpectedLatency.layer.pipe(
          Layer.provide(LatencyTracker.layerMemory),
          Layer.provide(DeploymentStats.layerMemory)
        )
      )
    )
  )
})
