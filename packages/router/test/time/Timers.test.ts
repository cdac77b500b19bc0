import { assert, describe, it } from "@effect/vitest"
import { cases } from "@switchyard/testing/Effort"
import { Duration, Effect, FastCheck as fc, TestClock } from "effect"
import { Timer, Timers, timersOf } from "../../src/time/timers.js"
import { VirtualTime } from "../support/schedules.js"

class Recorder extends Timer {
  constructor(
    readonly name: number,
    private readonly fired: Array<readonly [name: number, at: number]>,
    private readonly then: (timer: Recorder, now: number) => void = () => {}
  ) {
    super()
  }

  override fire(now: number): void {
    this.fired.push([this.name, now])
    this.then(this, now)
  }
}

/** Timers in virtual time, and what of that time they use. */
const setup = () => {
  const time = new VirtualTime()
  const fired: Array<readonly [number, number]> = []
  const asleep = new Set<{ readonly until: number }>()
  let begun = 0
  const clock = {
    ...time.clock,
    sleep: (duration: Duration.Duration) =>
      Effect.suspend(() => {
        const sleep = { until: time.now + Duration.toMillis(duration) }
        asleep.add(sleep)
        begun++
        return Effect.ensuring(
          time.clock.sleep(duration),
          Effect.sync(() => asleep.delete(sleep))
        )
      })
  }
  return {
    time,
    fired,
    timers: new Timers(clock, time),
    timer: (name: number) => new Recorder(name, fired),
    advance: (ms: number) => time.advance(time.now + ms),
    /** Sleeps that were ever begun. */
    begun: () => begun,
    /** When the sleeps that still run will end. */
    pending: () => Array.from(asleep, ({ until }) => until)
  }
}

type Step =
  | { readonly _tag: "set"; readonly name: number; readonly after: number }
  | { readonly _tag: "remove"; readonly name: number }
  | { readonly _tag: "advance"; readonly ms: number }

const steps: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ _tag: fc.constant("set" as const), name: fc.nat(15), after: fc.nat(500) }) },
    { weight: 2, arbitrary: fc.record({ _tag: fc.constant("remove" as const), name: fc.nat(15) }) },
    { weight: 1, arbitrary: fc.record({ _tag: fc.constant("advance" as const), ms: fc.nat(300) }) }
  ),
  { minLength: 1, maxLength: 40 }
)

describe("timers", () => {
  it("do what a plain list of due times does, for any order of set, move, remove and waiting", () => {
    fc.assert(
      fc.property(steps, (script) => {
        const { advance, fired, pending, time, timers } = setup()
        const made = Array.from({ length: 16 }, (_, name) => new Recorder(name, fired))
        const model = new Map<number, number>()
        const expected: Array<readonly [number, number]> = []
        for (const step of [...script, { _tag: "advance" as const, ms: 1000 }]) {
          if (step._tag === "set") {
            const timer = made[step.name]
            if (timer !== undefined) timers.set(timer, time.now + step.after)
            model.set(step.name, time.now + step.after)
          } else if (step._tag === "remove") {
            const timer = made[step.name]
            if (timer !== undefined) timers.remove(timer)
            model.delete(step.name)
          } else {
            advance(step.ms)
            for (const [name, due] of model) {
              if (due > time.now) continue
              model.delete(name)
              expected.push([name, due])
            }
            assert.isAtMost(pending().length, 1, "one fiber sleeps at most")
          }
          assert.strictEqual(timers.size, model.size)
        }
        const sorted = (list: ReadonlyArray<readonly [number, number]>) =>
          [...list].sort(([a, at], [b, bt]) => at - bt || a - b)
        assert.deepStrictEqual(sorted(fired), sorted(expected))
        assert.deepStrictEqual(
          fired.map(([, at]) => at),
          fired.map(([, at]) => at).sort((a, b) => a - b)
        )
      }),
      { numRuns: cases(2000), seed: 20261101 }
    )
  })
  it("need one sleep for ten thousand calls that end in time, and keep nothing of them", () => {
    const { advance, begun, pending, time, timer, timers } = setup()
    for (let i = 0; i < 10_000; i++) {
      const made = timer(i)
      timers.set(made, time.now + 600_000)
      timers.remove(made)
    }
    advance(0)
    assert.strictEqual(timers.size, 0)
    assert.isAtMost(begun(), 2)
    assert.isAtMost(pending().length, 1)
  })
  it("let the clock go soon after the last one is removed, so that the process can end", () => {
    const { advance, pending, timer, timers } = setup()
    const made = timer(0)
    timers.set(made, 600_000)
    assert.deepStrictEqual(pending(), [600_000])
    timers.remove(made)
    advance(0)
    assert.deepStrictEqual(pending(), [100])
    advance(100)
    assert.deepStrictEqual(pending(), [])
  })
  it("wake for an earlier one that comes later", () => {
    const { advance, fired, timer, timers } = setup()
    timers.set(timer(1), 1000)
    timers.set(timer(2), 10)
    advance(10)
    assert.deepStrictEqual(fired, [[2, 10]])
    advance(990)
    assert.deepStrictEqual(fired, [
      [2, 10],
      [1, 1000]
    ])
  })
  it("fire one that is already due as soon as possible, never inside `set`", () => {
    const { advance, fired, time, timer, timers } = setup()
    time.now = 50
    timers.set(timer(1), 20)
    assert.deepStrictEqual(fired, [])
    advance(0)
    assert.deepStrictEqual(fired, [[1, 50]])
  })
  it("may be set again while they fire", () => {
    const { advance, fired, timers } = setup()
    const again = new Recorder(1, fired, (self, now) => {
      if (now < 30) timers.set(self, now + 10)
    })
    timers.set(again, 10)
    advance(100)
    assert.deepStrictEqual(
      fired.map(([, at]) => at),
      [10, 20, 30]
    )
    assert.strictEqual(timers.size, 0)
  })
  it("that never come due are not kept", () => {
    const { timer, timers } = setup()
    const made = timer(1)
    timers.set(made, 10)
    timers.set(made, Number.POSITIVE_INFINITY)
    assert.strictEqual(timers.size, 0)
  })
  it("further away than a platform timer reaches are waited for in steps", () => {
    const { advance, fired, pending, timer, timers } = setup()
    const month = 30 * 86_400_000
    timers.set(timer(1), month)
    assert.isBelow(pending()[0] ?? 0, 2 ** 31)
    advance(month)
    assert.deepStrictEqual(fired, [[1, month]])
  })
  it.effect("are exact on the test clock, and shared by everything that runs on it", () =>
    Effect.gen(function* () {
      const fired: Array<readonly [number, number]> = []
      const clock = yield* Effect.clock
      const runtime = yield* Effect.runtime<never>()
      const timers = timersOf(clock, runtime)
      assert.strictEqual(timersOf(clock, runtime), timers)
      for (const due of [30, 10, 20]) timers.set(new Recorder(due, fired), due)
      yield* TestClock.adjust(25)
      assert.deepStrictEqual(fired, [
        [10, 10],
        [20, 20]
      ])
    })
  )
})
