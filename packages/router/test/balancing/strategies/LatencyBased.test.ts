import { assert, describe, it } from "@effect/vitest"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import type { Slot } from "@switchyard/core/Slot"
import * as Balancer from "@switchyard/router/Balancer"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as Latency from "@switchyard/router/Latency"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import * as LatencyBased from "@switchyard/router/RoutingStrategy/LatencyBased"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Layer, Random, TestClock } from "effect"
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
  tally
} from "./support.js"

const setup = (n: number, options?: LatencyBased.Options, trackerOptions?: LatencyTracker.Options) => {
  const tracker = LatencyTracker.make(trackerOptions)
  const stats = DeploymentStats.make()
  const slots = plainSlots(n)
  const at = (index: number): Slot => slots[index] ?? assert.fail("no such slot")
  return {
    tracker,
    stats,
    slots,
    at,
    strategy: LatencyBased.make({ tracker, stats, random: seeded("latency") }, options),
    /** A plain call that ended just before time 0. */
    took: (index: number, duration: number, outputTokens = 5) =>
      tracker.begin(at(index), false, -duration).settled(completed(duration, outputTokens), 0),
    streamed: (index: number, first: number, duration: number) => {
      const tracked = tracker.begin(at(index), true, -duration)
      tracked.answered(first - duration)
      tracked.settled(completed(duration, 5, first), 0)
    },
    failedAt: (index: number, now: number) => tracker.begin(at(index), false, now).settled(refused, now)
  }
}

describe("LatencyBased", () => {
  it("sends a stream where the first token is fastest, and any other call where the whole is", () => {
    const { slots, strategy, streamed } = setup(2)
    streamed(0, 100, 9000)
    streamed(1, 800, 2000)
    assert.strictEqual(choose(strategy, slots, { request: request({ stream: true }) }), "d0")
    assert.strictEqual(choose(strategy, slots), "d1")
  })

  it("compares by duration per output token, when told to", () => {
    const { slots, strategy, took } = setup(2, { perOutputToken: true })
    took(0, 1000, 10)
    took(1, 5000, 500)
    assert.strictEqual(choose(strategy, slots), "d1")
  })

  it("passes over the fastest while it is closed", () => {
    const { slots, strategy, took } = setup(3)
    took(0, 10)
    took(1, 500)
    took(2, 300)
    assert.strictEqual(choose(strategy, slots, { isClosed: (slot) => slot.id === "d0" }), "d2")
    assert.strictEqual(choose(strategy, slots, { isClosed: () => true }), undefined)
    assert.strictEqual(choose(strategy, []), undefined)
  })

  it("chooses at random within the buffer, and never beyond it", () => {
    const { slots, strategy, took } = setup(4, { buffer: 0.5 })
    took(0, 1000)
    took(1, 1500)
    took(2, 1501)
    took(3, 1200)
    const counts = tally(strategy, slots, 6000)
    assert.isBelow(chiSquare(counts, [1, 1, 0, 1]), chiSquareLimit(3), String(counts))
  })

  it("without a buffer chooses the lowest alone, and evenly among equals", () => {
    const { slots, strategy, took } = setup(3)
    took(0, 1000)
    took(1, 1000)
    took(2, 1000.1)
    assert.isBelow(chiSquare(tally(strategy, slots, 4000), [1, 1, 0]), chiSquareLimit(2))
  })

  it("spreads calls over all while nothing is known of any, by what they have unanswered", () => {
    const { at, slots, stats, strategy } = setup(3)
    assert.isTrue(tally(strategy, slots, 10).filter((count) => count > 0).length > 1)
    stats.of(at(0)).inFlight = 2
    stats.of(at(1)).inFlight = 1
    assert.deepStrictEqual(tally(strategy, slots, 50), [0, 0, 50])
  })

  it("explores a deployment of which nothing is known with one call at a time, or as many as it is told", () => {
    for (const maxExploring of [1, 3]) {
      const { at, slots, stats, strategy, took, tracker } = setup(2, { maxExploring })
      took(0, 50)
      const explored: Array<LatencyTracker.TrackedCall> = []
      for (let i = 0; i < maxExploring; i++) {
        assert.strictEqual(choose(strategy, slots), "d1")
        stats.of(at(1)).inFlight++
        explored.push(tracker.begin(at(1), false, 0))
      }
      assert.deepStrictEqual(tally(strategy, slots, 20), [20, 0])
      explored.forEach((tracked) => {
        stats.of(at(1)).inFlight--
        tracked.settled(completed(20), 0)
      })
      assert.strictEqual(choose(strategy, slots), "d1")
    }
  })

  it("counts a call as unanswered from the moment of its choice, and a running stream no more", () => {
    const { at, slots, stats, strategy, took, tracker } = setup(2)
    took(0, 50)
    stats.of(at(1)).inFlight = 1
    assert.strictEqual(choose(strategy, slots), "d0")
    tracker.begin(at(1), true, 0).answered(10)
    assert.strictEqual(choose(strategy, slots), "d1")
  })

  it("does not go on exploring what fails at once, but comes back half a minute later", () => {
    const { failedAt, slots, strategy, took } = setup(2)
    took(0, 50)
    failedAt(1, 0)
    assert.deepStrictEqual(tally(strategy, slots, 100), [100, 0])
    assert.strictEqual(choose(strategy, slots, { now: 10_000 }), "d0")
    assert.strictEqual(choose(strategy, slots, { now: 40_000 }), "d1")
  })

  it("forgets what is old: a slow deployment is tried again", () => {
    const { slots, strategy, took } = setup(2, {}, { halfLife: "1 minute" })
    took(0, 50)
    took(1, 60_000)
    assert.strictEqual(choose(strategy, slots, { now: 299_000 }), "d0")
    took(0, 50)
    assert.isDefined(choose(strategy, slots, { now: 301_000 }))
    const fresh = setup(2, {}, { halfLife: "1 minute" })
    fresh.took(1, 60_000)
    fresh.tracker.begin(fresh.at(0), false, 300_000).settled(completed(50), 300_050)
    assert.strictEqual(choose(fresh.strategy, fresh.slots, { now: 300_051 }), "d1")
  })

  it("never floods a deployment of which nothing is known while another is known, and starves none", () => {
    for (let seed = 0; seed < 500; seed++) {
      const random = seeded(`flood ${seed}`)
      const ids = plainSlots(2 + Math.floor(random() * 6))
      const delays = new Map<string, number>(ids.map((slot) => [slot.id, 20 + random() * 5000]))
      const { run, stats, tracker } = simulate(ids, (deps) =>
        LatencyBased.make({ ...deps, random: seeded(`s${seed}`) })
      )
      let now = 0
      const arrivals = Array.from({ length: 300 }, () => {
        now += random() < 0.5 ? 0 : random() * 400
        return now
      })
      run(
        arrivals,
        (id) => ({ takes: delays.get(id) ?? 0 }),
        (slot, at) => {
          if (tracker.of(slot).duration(at) !== undefined) return
          const someKnown = ids.some((other) => tracker.of(other).duration(at) !== undefined)
          if (someKnown) assert.strictEqual(stats.of(slot).inFlight, 0, `seed ${seed}, ${slot.id} at ${at}`)
        }
      )
      run([now + 6000], () => ({ takes: 1 }))
      assert.isTrue(
        ids.every((slot) => stats.of(slot).requests > 0),
        `seed ${seed}: one was never tried`
      )
    }
  })

  it("does not herd: equal deployments share the calls, whichever was lucky last", () => {
    for (const seed of ["one", "two", "three"]) {
      for (const step of [20, 50, 100]) {
        const dice = seeded(seed)
        const { run } = simulate(plainSlots(4), (deps) => LatencyBased.make({ ...deps, random: seeded(seed) }))
        const arrivals = every(step, 0, 60_000)
        const ids = run(arrivals, () => ({ takes: 70 + 60 * dice() }))
        const window = 10_000 / step
        for (let from = 0; from + window <= ids.length; from += window / 4) {
          const seen = ids.slice(from, from + window)
          for (const id of ["d0", "d1", "d2", "d3"]) {
            assert.isAtMost(shareOf(id, seen), 0.5, `${id} from ${from * step} ms, each ${step} ms, seed ${seed}`)
          }
        }
      }
    }
  })

  it("keeps to the fastest where the difference is no chance, and looks at the losers again within a minute", () => {
    const latencies: Readonly<Record<string, number>> = { d0: 100, d1: 110, d2: 300 }
    for (const noise of [0, 0.05]) {
      const dice = seeded("losers")
      const { run } = simulate(plainSlots(3), (deps) => LatencyBased.make({ ...deps, random: seeded("losers") }))
      const arrivals = every(400, 0, 300_000)
      const ids = run(arrivals, (id) => ({ takes: (latencies[id] ?? 0) * (1 + noise * (2 * dice() - 1)) }))
      assert.isAbove(shareOf("d0", ids), 0.8, `noise ${noise}`)
      for (const id of ["d1", "d2"]) {
        const times = [0, ...arrivals.filter((_, index) => ids[index] === id), 300_000]
        const longest = Math.max(...times.map((time, index) => time - (times[index - 1] ?? 0)))
        assert.isAtMost(longest, 60_000, `${id}, noise ${noise}`)
      }
    }
  })

  it("spends few of the calls on losers where there are few calls", () => {
    const { run } = simulate(plainSlots(2), (deps) => LatencyBased.make({ ...deps, random: seeded("rare") }))
    const ids = run(every(60_000, 0, 6_000_000), (id) => ({ takes: id === "d0" ? 100 : 5000 }))
    assert.isAbove(shareOf("d0", ids), 0.8)
  })

  it("goes by samples alone with an infinite half-life", () => {
    const { slots, strategy, took, tracker, at } = setup(2, {}, { halfLife: Number.POSITIVE_INFINITY, alpha: 0.5 })
    assert.isUndefined(tracker.of(at(0)).duration(0))
    took(0, 100)
    took(0, 200)
    took(1, 120)
    assert.strictEqual(tracker.of(at(0)).duration(1e9), 150)
    assert.strictEqual(tracker.of(at(0)).quantile(1, false, 1e9) === undefined, false)
    assert.strictEqual(choose(strategy, slots, { now: 1e9 }), "d1")
  })

  it("sends little to a deployment that fails at once from the beginning", () => {
    const { run } = simulate(plainSlots(3), (deps) => LatencyBased.make({ ...deps, random: seeded("broken") }))
    const sent = run(every(100, 0, 120_000), (id) => (id === "d0" ? { takes: 1, fails: true } : { takes: 500 }))
    assert.isBelow(shareOf("d0", sent), 0.02)
  })
})

/** The whole way: Balancer over Latency over a stub whose deployments are as slow as they are told. */
const tower = (stub: StubLlm.StubLlm, ids: ReadonlyArray<string>, options?: LatencyBased.Options) => {
  const State = Layer.mergeAll(
    LatencyTracker.layerMemory,
    DeploymentStats.layerMemory,
    DeploymentRegistry.layer({ deployments: ids.map((id) => ({ id, group: "m", model: "m" })) })
  )
  return Balancer.layer.pipe(
    Layer.provide(Latency.layer),
    Layer.provide(Layer.succeed(DeploymentService, stub.attempts)),
    Layer.provide(LatencyBased.layerWith(options ?? {})),
    Layer.provideMerge(State)
  )
}

const chat = LlmRequest.chat({ model: "m", messages: [{ role: "user" }] })

describe("LatencyBased in a router", () => {
  it.effect("leaves a deployment that begins to hang, once its callers have left", () =>
    Effect.gen(function* () {
      let hangs = false
      const stub = StubLlm.make(({ deployment }) =>
        deployment === "fast" ? (hangs ? { hang: true } : { delay: 10 }) : { delay: 500 }
      )
      yield* Effect.gen(function* () {
        const ask = Effect.fork(Effect.timeoutOption(LlmService.complete(chat), "3 seconds"))
        for (let i = 0; i < 6; i++) {
          yield* ask
          yield* TestClock.adjust("1 second")
        }
        hangs = true
        const before = stub.calls.length
        for (let i = 0; i < 10; i++) {
          yield* ask
          yield* TestClock.adjust("4 seconds")
        }
        const hung = stub.calls.slice(before).filter((call) => call.deployment === "fast")
        assert.isAtLeast(hung.length, 1)
        assert.isAtMost(hung.length, 2)
      }).pipe(Effect.provide(tower(stub, ["fast", "slow"])), Effect.withRandom(Random.make("hang")))
    })
  )

  it.effect("refuses options that make no sense, all at once", () =>
    Effect.gen(function* () {
      const built = Layer.build(tower(StubLlm.make(), ["a"], { buffer: -1, maxExploring: 0 }))
      const error = yield* Effect.flip(Effect.scoped(built))
      assert.deepStrictEqual(
        error.issues.map((issue) => issue.path),
        ["latencyBased.buffer", "latencyBased.maxExploring"]
      )
    })
  )
})
