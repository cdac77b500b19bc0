import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { Slot } from "@switchyard/core/Slot"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import { RoutingStrategy } from "@switchyard/router/RoutingStrategy"
import * as PeakEwma from "@switchyard/router/RoutingStrategy/PeakEwma"
import { Effect, Layer } from "effect"
import {
  chiSquare,
  chiSquareLimit,
  choose,
  completed,
  every,
  plainSlots,
  refused,
  request,
  seeded,
  shareOf,
  simulate,
  slotsOf,
  tally
} from "./support.js"

const setup = (slots: ReadonlyArray<Slot>) => {
  const tracker = LatencyTracker.make()
  const stats = DeploymentStats.make()
  const at = (index: number): Slot => slots[index] ?? assert.fail("no such slot")
  return {
    slots,
    tracker,
    stats,
    at,
    strategy: PeakEwma.make({ tracker, stats, random: seeded("peak") }),
    took: (index: number, duration: number, now = 0) =>
      tracker.begin(at(index), false, now - duration).settled(completed(duration), now),
    busy: (index: number, inFlight: number) => {
      stats.of(at(index)).inFlight = inFlight
    }
  }
}

const pair = (...configs: ReadonlyArray<Partial<DeploymentConfig>>) => setup(slotsOf(...configs))

describe("PeakEwma", () => {
  it("chooses the faster of two", () => {
    const { slots, strategy, took } = pair({}, {})
    took(0, 300)
    took(1, 200)
    assert.isAtMost(tally(strategy, slots, 50)[0] ?? 50, 3, "few looks, ever more rarely")
  })

  it("counts calls in flight: each one more costs as much as the latency", () => {
    const { busy, slots, strategy, took } = pair({}, {})
    took(0, 300)
    took(1, 200)
    busy(0, 1)
    busy(1, 1)
    assert.strictEqual(choose(strategy, slots), "b")
    busy(1, 3)
    assert.strictEqual(choose(strategy, slots), "a")
  })

  it("divides by the weight, takes a weight of 0 only when nothing else is open, and all 0 as even", () => {
    const heavy = pair({ weight: 2 }, {})
    heavy.took(0, 300)
    heavy.took(1, 200)
    assert.strictEqual(choose(heavy.strategy, heavy.slots), "a")
    const zero = pair({ weight: 0 }, { weight: 1 }, { weight: 0 })
    zero.took(0, 1)
    zero.took(1, 9000)
    assert.deepStrictEqual(tally(zero.strategy, zero.slots, 100), [0, 100, 0])
    assert.isDefined(choose(zero.strategy, zero.slots, { isClosed: (slot) => slot.id === "b" }))
    const none = pair({ weight: 0 }, { weight: 0 }, { weight: 0 }, { weight: 0 }, { weight: 0 })
    assert.isBelow(chiSquare(tally(none.strategy, none.slots, 5000), [1, 1, 1, 1, 1]), chiSquareLimit(5))
  })

  it("leaves a deployment whose oldest call waits longer than another would take", () => {
    const { at, slots, strategy, took, tracker } = pair({}, {})
    took(0, 100)
    took(1, 500)
    const hanging = tracker.begin(at(0), false, 0)
    assert.strictEqual(choose(strategy, slots, { now: 300 }), "a")
    assert.strictEqual(choose(strategy, slots, { now: 600 }), "b")
    hanging.settled(completed(600), 600)
    assert.strictEqual(choose(strategy, slots, { now: 600 }), "b")
  })

  it("lets an idle deployment's latency fade, so that it is tried again", () => {
    const { busy, slots, strategy, took } = pair({}, {})
    took(0, 5000)
    busy(1, 1)
    took(1, 500, 10_000)
    assert.strictEqual(choose(strategy, slots, { now: 10_000 }), "b")
    took(1, 500, 30_000)
    assert.strictEqual(choose(strategy, slots, { now: 30_000 }), "a")
  })

  it("counts a deployment of which nothing is known as the group's median and its own calls in flight", () => {
    const { busy, slots, strategy, took } = setup(plainSlots(4))
    took(0, 100)
    took(1, 400)
    took(2, 4000)
    const among = (...ids: ReadonlyArray<string>) => ({ isClosed: (slot: Slot) => !ids.includes(slot.id) })
    assert.strictEqual(choose(strategy, slots, among("d0", "d3")), "d0")
    assert.strictEqual(choose(strategy, slots, among("d2", "d3")), "d3")
    busy(3, 20)
    assert.strictEqual(choose(strategy, slots, among("d2", "d3")), "d2")
  })

  it("goes by calls in flight while nothing is known of any", () => {
    const { busy, slots, strategy } = pair({}, {})
    busy(0, 2)
    busy(1, 1)
    assert.strictEqual(choose(strategy, slots), "b")
  })

  it("makes failures a penalty that fades: a deployment that fails at once is not the fastest", () => {
    const { at, slots, strategy, took, tracker } = pair({}, {})
    took(0, 100)
    took(1, 400)
    const fail = (now: number) => tracker.begin(at(0), false, now).settled(refused, now)
    fail(0)
    fail(0)
    fail(0)
    assert.isAtMost(tally(strategy, slots, 50)[0] ?? 50, 3, "few looks, ever more rarely")
    for (let now = 1000; now < 60_000; now += 1000) {
      took(1, 400, now)
      if (choose(strategy, slots, { now }) === "a") return
    }
    assert.fail("never tried again")
  })

  it("breaks ties evenly, and spreads over equals whatever their number", () => {
    for (const n of [2, 3, 5, 40]) {
      const { slots, strategy } = setup(plainSlots(n))
      const counts = tally(strategy, slots, 500 * n)
      assert.isBelow(
        chiSquare(
          counts,
          slots.map(() => 1)
        ),
        chiSquareLimit(n),
        String(counts)
      )
    }
  })

  it("gives the slowest of many only what two random draws give it", () => {
    const { slots, strategy, took } = setup(plainSlots(10))
    slots.forEach((_, i) => {
      took(i, 100 + 10 * i)
    })
    const counts = tally(strategy, slots, 20_000)
    const shares = slots.map((_, i) => 9 - i)
    assert.isBelow(chiSquare(counts, shares), chiSquareLimit(9), String(counts))
  })

  it("looks at two candidates of ten thousand, and at few when half are closed", () => {
    const { slots, strategy } = setup(plainSlots(10_000))
    let asked = 0
    const onStatus = () => asked++
    for (let i = 0; i < 200; i++) choose(strategy, slots, { onStatus })
    assert.isAtMost(asked / 200, 2.1)
    asked = 0
    for (let i = 0; i < 200; i++) choose(strategy, slots, { onStatus, isClosed: (slot) => /[02468]$/.test(slot.id) })
    assert.isAtMost(asked / 200, 5)
  })

  it("finds the only open candidate among many, and nothing among none", () => {
    const { slots, strategy } = setup(plainSlots(500))
    assert.strictEqual(choose(strategy, slots, { isClosed: (slot) => slot.id !== "d321" }), "d321")
    assert.strictEqual(choose(strategy, slots, { isClosed: () => true }), undefined)
    assert.strictEqual(choose(strategy, []), undefined)
  })

  it("chooses every pair of the few that are open equally often", () => {
    const { slots, strategy } = setup(plainSlots(100))
    const opened = ["d3", "d4", "d50", "d99"]
    const counts = tally(strategy, slots, 8000, { isClosed: (slot) => !opened.includes(slot.id) })
    const shares = slots.map((slot) => (opened.includes(slot.id) ? 1 : 0))
    assert.isBelow(chiSquare(counts, shares), chiSquareLimit(4))
  })

  it("spreads load by speed: equals alike, the slow one less", () => {
    const { run } = simulate(plainSlots(4), (deps) => PeakEwma.make({ ...deps, random: seeded("speed") }))
    const sent = run(every(25, 0, 120_000), (id) => ({ takes: id === "d3" ? 600 : 200 })).slice(400)
    for (const id of ["d0", "d1", "d2"]) assert.closeTo(shareOf(id, sent), 0.3, 0.07)
    assert.closeTo(shareOf("d3", sent), 0.1, 0.07)
  })

  it("moves traffic away from a brownout within seconds, and back when it is over", () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = seeded(`brownout ${seed}`)
      const { run } = simulate(plainSlots(4), (deps) => PeakEwma.make({ ...deps, random }))
      const fate = (id: string, now: number) => ({ takes: id === "d0" && now >= 20_000 && now < 50_000 ? 8000 : 200 })
      const phase = (from: number, to: number) => shareOf("d0", run(every(50, from, to), fate))
      assert.closeTo(phase(0, 20_000), 0.25, 0.1, `seed ${seed}: before`)
      phase(20_000, 22_000)
      assert.isBelow(phase(22_000, 50_000), 0.04, `seed ${seed}: during`)
      phase(50_000, 100_000)
      assert.isAbove(phase(100_000, 120_000), 0.15, `seed ${seed}: after`)
    }
  })

  it("sends little to a deployment that begins to fail at once, and comes back when it works again", () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = seeded(`failing ${seed}`)
      const { run } = simulate(plainSlots(4), (deps) => PeakEwma.make({ ...deps, random }))
      const fate = (id: string, now: number) =>
        id === "d0" && now >= 20_000 && now < 80_000 ? { takes: 1, fails: true } : { takes: 500 }
      const phase = (from: number, to: number) => shareOf("d0", run(every(50, from, to), fate))
      phase(0, 20_000)
      assert.isBelow(phase(20_000, 80_000), 0.08, `seed ${seed}: while it fails`)
      phase(80_000, 120_000)
      assert.isAbove(phase(120_000, 150_000), 0.15, `seed ${seed}: after`)
    }
  })

  it("looks within 40 calls at what it knows nothing good of, however steady the others are", () => {
    for (const takes of [20, 77, 110, 333]) {
      for (const size of [2, 3, 4]) {
        const sequential = (from: number, calls: number) => every(takes + 1, from, from + calls * (takes + 1))
        const slots = plainSlots(size)
        const last = `d${size - 1}`
        const known = slots.slice(0, -1)
        const { run, tracker } = simulate(slots, (deps) => PeakEwma.make({ ...deps, random: seeded("steady") }))
        // The others are known, and the newcomer joins.
        for (const slot of known) {
          for (let i = 0; i < 40; i++) tracker.begin(slot, false, -takes).settled(completed(takes), 0)
        }
        const steady = () => ({ takes })
        assert.include(run(sequential(1, 40), steady), last, `a newcomer among ${size}, ${takes} ms`)

        const failing = (id: string) => ({ takes, fails: id === last })
        const cold = simulate(plainSlots(size), (deps) => PeakEwma.make({ ...deps, random: seeded("cold") }))
        const first = cold.run(sequential(0, 40), failing)
        assert.include(first, last, `tried among ${size}, ${takes} ms`)
        const begun = 40 * (takes + 1)
        assert.isBelow(shareOf(last, cold.run(sequential(begun, 400), failing)), 0.1, "and left while it fails")
        const failed = simulate(plainSlots(size), (deps) => PeakEwma.make({ ...deps, random: seeded("once") }))
        let failures = 0
        const ids = failed.run(sequential(0, 80), (id) => ({ takes, fails: id === last && failures++ === 0 }))
        const failedAt = ids.indexOf(last)
        const after = ids.slice(failedAt + 1, failedAt + 41)
        assert.include(after, last, `failed once among ${size}, ${takes} ms`)
      }
    }
  })

  it("keeps streams from a slow one, although many are being written at the fast ones", () => {
    const { run } = simulate(plainSlots(4), (deps) => PeakEwma.make({ ...deps, random: seeded("streams") }), true)
    const fate = (id: string) => (id === "d3" ? { first: 2000, takes: 12_000 } : { first: 400, takes: 5000 })
    const sent = run(every(80, 0, 240_000), fate).slice(500)
    assert.isBelow(shareOf("d3", sent), 0.01)
    for (const id of ["d0", "d1", "d2"]) assert.closeTo(shareOf(id, sent), 0.33, 0.07)
  })

  it("looks again each half minute at one whose streams were slow, and comes back at once when they no longer are", () => {
    const { run } = simulate(plainSlots(3), (deps) => PeakEwma.make({ ...deps, random: seeded("again") }), true)
    const fate = (id: string, now: number) =>
      id === "d0" && now >= 20_000 && now < 60_000 ? { first: 5000, takes: 9000 } : { first: 300, takes: 1500 }
    const phase = (from: number, to: number) => shareOf("d0", run(every(50, from, to), fate))
    assert.closeTo(phase(0, 20_000), 0.33, 0.1)
    phase(20_000, 25_000)
    assert.isBelow(phase(25_000, 60_000), 0.02)
    phase(60_000, 105_000)
    assert.isAbove(phase(105_000, 120_000), 0.2)
  })

  it("adds what it takes to write an answer of the usual length, or of the request's own bound", () => {
    const { at, slots, strategy, tracker } = pair({}, {})
    const streamed = (index: number, first: number, takes: number) => {
      const tracked = tracker.begin(at(index), true, 0)
      tracked.answered(first)
      tracked.settled(completed(takes, 100, first), takes)
    }
    for (let i = 0; i < 3; i++) {
      streamed(0, 300, 1300)
      streamed(1, 200, 5200)
    }
    const asked = (body: Record<string, unknown>) =>
      choose(strategy, slots, { now: 5200, request: request({ stream: true, body }) })
    assert.strictEqual(asked({}), "a")
    assert.strictEqual(asked({ max_tokens: 1 }), "b")
  })

  it.effect("is built as a Layer from the state that it reads", () =>
    Effect.gen(function* () {
      const strategy = yield* RoutingStrategy
      assert.strictEqual(choose(strategy, plainSlots(1)), "d0")
    }).pipe(
      Effect.provide(
        PeakEwma.layer.pipe(Layer.provide(LatencyTracker.layerMemory), Layer.provide(DeploymentStats.layerMemory))
      )
    )
  )
})
