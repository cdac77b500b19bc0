import { assert, describe, it } from "@effect/vitest"
import { LlmError } from "@switchyard/core/LlmError"
import { abandoned, failed, type Outcome } from "@switchyard/core/Outcome"
import type { Slot } from "@switchyard/core/Slot"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"
import { completed, seeded } from "../balancing/strategies/support.js"

const error = (reason: LlmError["reason"], more: Partial<LlmError["data"]> = {}): Outcome =>
  failed(new LlmError({ reason, description: "test", ...more }))

const setup = (options?: LatencyTracker.Options) => {
  const tracker = LatencyTracker.make(options)
  const slot = StubLlm.slot("a")
  const figures = tracker.of(slot)
  /** A whole call that begins at `from` and ends as told `duration` ms later. */
  const call = (from: number, duration: number, outcome: Outcome = completed(duration), on: Slot = slot) => {
    tracker.begin(on, false, from).settled(outcome, from + duration)
  }
  /** A stream whose content comes after `first` ms, and which ends after `duration`. */
  const stream = (from: number, first: number, duration: number, outcome: Outcome = completed(duration, 5, first)) => {
    const tracked = tracker.begin(slot, true, from)
    tracked.answered(from + first)
    tracked.settled(outcome, from + duration)
  }
  return { tracker, slot, figures, call, stream }
}

const close = (actual: number | undefined, expected: number, tolerance = 1e-6) => {
  assert.isDefined(actual)
  assert.closeTo(actual ?? Number.NaN, expected, tolerance)
}

describe("streams", () => {
  it("say how fast they are written, per token from the first content on", () => {
    const { figures, stream, tracker } = setup()
    stream(0, 500, 2500, completed(2500, 100, 500))
    assert.strictEqual(figures.writing.get(2500), 20)
    const group = tracker.group("m")
    assert.deepStrictEqual([group?.writing.get(2500), group?.length.get(2500)], [20, 100])
  })

  it("say what the first token takes beside few calls and beside many, by powers of two", () => {
    const { figures, slot, stream, tracker } = setup()
    stream(0, 100, 100)
    const others = Array.from({ length: 8 }, () => tracker.begin(slot, true, 0))
    stream(0, 900, 900)
    assert.strictEqual(figures.firstsBeside(0).get(900), 100)
    assert.strictEqual(figures.firstsBeside(8).get(900), 900)
    assert.strictEqual(figures.firstsBeside(13).get(900), 900)
    assert.isUndefined(figures.firstsBeside(15).get(900))
    assert.isUndefined(figures.firstsBeside(3).get(900))
    for (const other of others) other.settled(abandoned, 900)
  })
})

describe("averages", () => {
  it("are unknown before the first sample, which is then the average; 0 is a latency as any other", () => {
    const { call, figures } = setup()
    assert.isUndefined(figures.duration(0))
    assert.isUndefined(figures.timeToFirstToken(0))
    assert.isUndefined(figures.durationPerToken(0))
    assert.isUndefined(figures.peak(0))
    call(0, 0)
    assert.strictEqual(figures.duration(0), 0)
  })

  it("take a new sample with the weight alpha: 0.2, or what is configured", () => {
    const standard = setup()
    const seed = setup({ alpha: 0.3 })
    for (const { call } of [standard, seed]) {
      call(0, 1000)
      call(1000, 0)
    }
    close(standard.figures.duration(1000), 800)
    close(seed.figures.duration(1000), 700)
  })

  it("keep time to first token and duration apart, and divide only the duration by the tokens", () => {
    const { figures, stream } = setup()
    stream(0, 100, 2000, completed(2000, 50, 100))
    assert.strictEqual(figures.timeToFirstToken(2000), 100)
    assert.strictEqual(figures.duration(2000), 2000)
    assert.strictEqual(figures.durationPerToken(2000), 40)
  })

  it("take a stream's first token when it comes, not when the stream ends", () => {
    const { figures, slot, tracker } = setup()
    const tracked = tracker.begin(slot, true, 0)
    tracked.answered(300)
    assert.strictEqual(figures.timeToFirstToken(300), 300)
    assert.isUndefined(figures.duration(300))
  })

  it("know no time per token of a call without output", () => {
    const { call, figures } = setup()
    call(0, 500, completed(500, 0))
    assert.isUndefined(figures.durationPerToken(500))
    assert.strictEqual(figures.duration(500), 500)
  })

  it("count half after a half-life against a new sample, and are unknown after five without one", () => {
    const { call, figures } = setup({ halfLife: "1 minute" })
    call(0, 1000)
    call(61_000 - 500, 500)
    close(figures.duration(61_000), 0.4 * 1000 + 0.6 * 500)
    assert.isDefined(figures.duration(61_000 + 300_000))
    assert.isUndefined(figures.duration(61_000 + 300_001))
    assert.isUndefined(figures.quantile(0.5, false, 61_000 + 600_000))
  })

  it("stay between the least and the greatest sample, in any order of concurrent calls", () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = seeded(`ema ${seed}`)
      const { figures, slot, tracker } = setup({ alpha: Math.max(0.01, random()) })
      let least = Number.POSITIVE_INFINITY
      let greatest = 0
      let now = 0
      const open: Array<{ readonly from: number; readonly tracked: LatencyTracker.TrackedCall }> = []
      for (let step = 0; step < 60; step++) {
        now += random() * 1000
        if (random() < 0.5 || open.length === 0) open.push({ from: now, tracked: tracker.begin(slot, false, now) })
        else {
          const [{ from, tracked } = { from: 0, tracked: undefined }] = open.splice(
            Math.floor(random() * open.length),
            1
          )
          tracked?.settled(completed(now - from), now)
          least = Math.min(least, now - from)
          greatest = Math.max(greatest, now - from)
          const average = figures.duration(now) ?? Number.NaN
          assert.isTrue(average >= least - 1e-9 && average <= greatest + 1e-9, `seed ${seed}, step ${step}: ${average}`)
        }
      }
    }
  })
})

describe("what is a sample", () => {
  it("a fast failure is none: a deployment that refuses at once does not become the fastest", () => {
    const { call, figures } = setup()
    call(0, 800)
    for (const reason of ["Unavailable", "RateLimited", "Authentication", "MalformedResponse"] as const) {
      call(1000, 2, error(reason))
    }
    call(1000, 5, error("InvalidRequest"))
    assert.strictEqual(figures.duration(1005), 800)
    assert.strictEqual(figures.samples(false, 800), 1)
    assert.isUndefined(setup().figures.duration(0))
  })

  it("a slow failure that is no timeout is none either", () => {
    const { call, figures } = setup()
    call(0, 100)
    call(100, 9000, error("Unavailable"))
    assert.strictEqual(figures.duration(9100), 100)
  })

  it("a call that was abandoned is one when it had outlasted the average, and none when it had not", () => {
    const { call, figures } = setup()
    call(0, 1000)
    const peak = figures.peak(1900)
    call(1000, 900, abandoned)
    assert.strictEqual(figures.duration(1900), 1000)
    assert.strictEqual(figures.peak(1900), peak)
    call(1900, 6000, abandoned)
    assert.isAbove(figures.duration(7900) ?? 0, 1900)
    assert.isAbove(figures.peak(7900) ?? 0, 5999)
  })

  it("a call that timed out is one when it had outlasted the average", () => {
    const { call, figures } = setup()
    call(0, 1000)
    call(1000, 500, error("Timeout", { phase: "connect" }))
    assert.strictEqual(figures.duration(1500), 1000)
    call(1500, 10_000, error("Timeout", { phase: "total" }))
    assert.isAbove(figures.duration(11_500) ?? 0, 2700)
  })

  it("a stream that is given up before its first token is one for the time to first token", () => {
    const { figures, slot, stream, tracker } = setup()
    stream(0, 200, 3000)
    tracker.begin(slot, true, 3000).settled(abandoned, 3100)
    assert.strictEqual(figures.timeToFirstToken(3100), 200)
    tracker.begin(slot, true, 3100).settled(error("Timeout", { phase: "firstToken" }), 5100)
    assert.isAbove(figures.timeToFirstToken(5100) ?? 0, 500)
    close(figures.duration(5100), 3000)
  })

  it("a stream that breaks after its first token keeps that sample, and adds none", () => {
    const { figures, slot, tracker } = setup()
    const tracked = tracker.begin(slot, true, 0)
    tracked.answered(150)
    tracked.settled(error("StreamInterrupted", { interruptedBy: "Unavailable" }), 1000)
    assert.strictEqual(figures.timeToFirstToken(1000), 150)
    assert.isUndefined(figures.duration(1000))
  })

  it("a timeout says something of a deployment of which nothing is known, a caller who left does not", () => {
    const silent = setup()
    silent.call(0, 5000, error("Timeout", { phase: "total" }))
    assert.strictEqual(silent.figures.duration(5000), 5000)
    const left = setup()
    left.call(0, 5000, abandoned)
    left.call(0, 5000, error("Timeout", { phase: "total", bound: "caller" }))
    assert.isUndefined(left.figures.duration(5000))
  })

  it("a caller who left a deployment of which nothing is known counts when the group's median was over", () => {
    const { call, figures, slot, tracker } = setup()
    const sibling = StubLlm.slot("b")
    call(0, 1000, completed(1000), sibling)
    tracker.begin(slot, false, 0).settled(abandoned, 500)
    assert.isUndefined(figures.duration(500))
    call(500, 4000, abandoned)
    assert.strictEqual(figures.duration(4500), 4000)
  })

  it("outlasting the average raises the time per token in the same proportion", () => {
    const { call, figures } = setup({ alpha: 0.5 })
    call(0, 1000, completed(1000, 10))
    call(1000, 3000, abandoned)
    const grown = (figures.duration(4000) ?? 0) / 1000
    assert.isAbove(grown, 1.9)
    close(figures.durationPerToken(4000), 100 * grown)
  })
})

describe("quantiles", () => {
  it("are right to about ten percent, for streams and plain calls apart", () => {
    const { figures, slot, stream, tracker } = setup()
    const random = seeded("quantiles")
    for (let i = 0; i < 2000; i++) tracker.begin(slot, false, 0).settled(completed(random() * 10_000), 0)
    for (let i = 0; i < 200; i++) stream(0, 100, 5000)
    for (const q of [0.1, 0.5, 0.9, 0.95]) {
      const found = figures.quantile(q, false, 0) ?? 0
      assert.closeTo(found / (q * 10_000), 1, 0.1, `q ${q}: ${found}`)
    }
    assert.closeTo(figures.quantile(0.95, true, 0) ?? 0, 100, 10)
    close(figures.samples(false, 0), 2000, 0.5)
  })

  it("go with the time: an hour ago hardly counts", () => {
    const { call, figures } = setup()
    for (let i = 0; i < 500; i++) call(0, 10_000)
    for (let i = 0; i < 5; i++) call(3_600_000, 100)
    assert.isBelow(figures.quantile(0.95, false, 3_600_100) ?? 0, 120)
    assert.isBelow(figures.samples(false, 3_600_100), 6)
  })

  it("weigh samples by their age: after five minutes two hundred new ones outweigh five hundred old ones", () => {
    const { call, figures } = setup()
    for (let i = 0; i < 500; i++) call(0, 10_000)
    for (let i = 0; i < 200; i++) call(300_000, 100)
    assert.isBelow(figures.quantile(0.5, false, 300_100) ?? 0, 120)
    assert.isAbove(figures.quantile(0.9, false, 300_100) ?? 0, 8000)
  })

  it("still work after a year", () => {
    const { call, figures } = setup()
    const year = 365 * 24 * 3_600_000
    for (let day = 0; day <= 365; day++) call((day * year) / 365, 100)
    assert.closeTo(figures.quantile(0.5, false, year + 100) ?? 0, 100, 10)
    assert.closeTo(figures.samples(false, year + 100), 1, 0.01)
  })

  it("know the slow ones that were given up, so that hedging does not talk itself into impatience", () => {
    const { call, figures } = setup()
    for (let i = 0; i < 80; i++) call(0, 100)
    for (let i = 0; i < 20; i++) call(0, 2000, abandoned)
    assert.isAbove(figures.quantile(0.95, false, 2000) ?? 0, 1500)
  })

  it("exist for a group over all its deployments, and take any latency", () => {
    const { call, tracker } = setup()
    assert.isUndefined(tracker.group("m"))
    call(0, 100)
    call(0, 300, completed(300), StubLlm.slot("b"))
    call(0, 200, completed(200), StubLlm.slot("c"))
    const group = tracker.group("m")
    assert.closeTo(group?.quantile(0.5, false, 300) ?? 0, 200, 25)
    close(group?.samples(false, 300), 3, 0.01)
    for (const strange of [0, 1e-9, 1e12]) call(300, 1, completed(strange))
    assert.isTrue(Number.isFinite(group?.quantile(1, false, 301)))
    assert.isAtLeast(group?.quantile(0, false, 301) ?? -1, 0)
  })
})

describe("the peak average", () => {
  it("jumps to a peak at once, comes down slowly, and fades while nothing happens", () => {
    const { call, figures } = setup({ tau: "10 seconds" })
    call(0, 100)
    call(100, 2000)
    assert.strictEqual(figures.peak(2100), 2000)
    call(3000, 100)
    const kept = Math.exp(-0.1)
    close(figures.peak(3100), kept * 2000 + (1 - kept) * 100)
    close(figures.peak(13_100), (figures.peak(3100) ?? 0) / Math.E)
  })

  it("takes a plain call's headers and a stream's first content", () => {
    const { call, figures, stream } = setup()
    call(0, 5000, completed(5000, 5, 700))
    assert.strictEqual(figures.peak(5000), 700)
    stream(5000, 900, 60_000)
    assert.isAbove(figures.peak(5900) ?? 0, 800)
  })

  it("does not fade to a good one while calls fail", () => {
    const { call, figures } = setup()
    call(0, 500)
    for (let at = 1000; at <= 100_000; at += 1000) call(at, 1, error("Unavailable"))
    close(figures.peak(100_001), 500)
    assert.isBelow(figures.peak(130_000) ?? 0, 50)
  })
})

describe("the failure penalty", () => {
  it("is the number of tries that a success takes, lately", () => {
    const { call, figures } = setup()
    assert.strictEqual(figures.failurePenalty(0), 1)
    let sum = 0
    for (let i = 0; i < 100; i++) {
      call(0, 0, i % 2 === 0 ? completed(0) : error("Unavailable"))
      sum += figures.failurePenalty(0)
    }
    assert.closeTo(sum / 100, 2, 0.2)
  })

  it("rises within a few failures, however many successes there were", () => {
    const { call, figures } = setup()
    for (let i = 0; i < 1000; i++) call(0, 0)
    call(0, 0, error("Unavailable"))
    assert.isBelow(figures.failurePenalty(0), 1.5)
    for (let i = 0; i < 9; i++) call(0, 0, error("Unavailable"))
    assert.isAbove(figures.failurePenalty(0), 8)
  })

  it("is high at the first failure, and gone a minute later", () => {
    const { call, figures } = setup()
    call(0, 0, error("RateLimited"))
    assert.isAbove(figures.failurePenalty(0), 5)
    assert.isBelow(figures.failurePenalty(60_000), 1.02)
  })

  it("is not raised by errors that say nothing of the deployment, nor by callers who leave", () => {
    const { call, figures } = setup()
    for (const reason of ["InvalidRequest", "ContextWindowExceeded", "ContentPolicyViolation", "Rejected"] as const) {
      call(0, 1, error(reason))
    }
    call(0, 1, abandoned)
    call(0, 1, error("Timeout", { bound: "caller" }))
    assert.strictEqual(figures.failurePenalty(1), 1)
  })
})

describe("unanswered calls", () => {
  it("the oldest is found whatever order they end in, and none is left when all are over", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = seeded(`unanswered ${seed}`)
      const { figures, slot, tracker } = setup()
      const waiting = new Map<number, LatencyTracker.TrackedCall>()
      const streaming: Array<LatencyTracker.TrackedCall> = []
      for (let now = 1; now <= 80; now++) {
        const ids = [...waiting.keys()]
        const id = ids[Math.floor(random() * ids.length)]
        const chance = random()
        if (id === undefined || chance < 0.5) {
          waiting.set(now, tracker.begin(slot, true, now))
        } else {
          const tracked = waiting.get(id)
          waiting.delete(id)
          if (tracked === undefined) continue
          if (chance < 0.65) {
            tracked.answered(now)
            tracked.answered(now)
            streaming.push(tracked)
          } else {
            const ends = [completed(now - id), abandoned, error("Unavailable"), error("Timeout")]
            tracked.settled(ends[now % ends.length] as Outcome, now)
            tracked.settled(abandoned, now)
            tracked.answered(now)
          }
        }
        const oldest = Math.min(...waiting.keys())
        const where = `seed ${seed}, now ${now}`
        assert.strictEqual(figures.oldestUnanswered, Number.isFinite(oldest) ? oldest : undefined, where)
        assert.strictEqual(figures.unanswered, waiting.size, where)
        assert.strictEqual(figures.running, waiting.size + streaming.length, where)
      }
      for (const tracked of [...waiting.values(), ...streaming]) tracked.settled(abandoned, 100)
      assert.deepStrictEqual([figures.running, figures.unanswered, figures.oldestUnanswered], [0, 0, undefined])
    }
  })
})

describe("the tracker", () => {
  it("keeps its figures through a change of the deployment's configuration", () => {
    const { call, slot, tracker } = setup()
    call(0, 100)
    const changed = slot.withDeployment(StubLlm.deployment("a", { weight: 3 }))
    assert.strictEqual(tracker.of(changed).duration(100), 100)
  })

  it("keeps nothing in common with another tracker over the same slots", () => {
    const { call, slot } = setup()
    call(0, 100)
    assert.isUndefined(LatencyTracker.make().of(slot).duration(100))
  })

  it.effect("refuses options that make no sense, all at once, with their paths", () =>
    Effect.gen(function* () {
      const build = (options: LatencyTracker.Options) =>
        Effect.flip(Effect.provide(LatencyTracker.LatencyTracker, LatencyTracker.layerMemoryWith(options)))
      const wrong = yield* build({ alpha: 0, halfLife: 0, tau: "soon" as "1 second" })
      assert.deepStrictEqual(
        wrong.issues.map((issue) => issue.path),
        ["latency.alpha", "latency.halfLife", "latency.tau"]
      )
      assert.include((yield* build({ alpha: 1.5 })).message, "a number above 0, at most 1")
    })
  )
})

describe("groups", () => {
  it("are kept up to 10,000; then the one that was seen first is forgotten", () => {
    const tracker = LatencyTracker.make()
    const see = (group: string) => tracker.begin(StubLlm.slot("a", { group }), false, 0).settled(completed(5), 5)
    for (let i = 0; i < 10_000; i++) see(`g${i}`)
    assert.isDefined(tracker.group("g0"))
    see("one more")
    assert.deepStrictEqual(
      ["g0", "g1", "one more"].map((group) => tracker.group(group) !== undefined),
      [false, true, true]
    )
  })
})
