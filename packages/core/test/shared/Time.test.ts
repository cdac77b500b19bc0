import { assert, describe, it } from "@effect/vitest"
import * as Time from "@switchyard/core/Time"
import { Duration, Effect, TestClock } from "effect"

describe("Time", () => {
  it.effect("follows the clock in milliseconds, with a fraction", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Time.now, 0)
      yield* TestClock.adjust("1500 millis")
      assert.strictEqual(yield* Time.now, 1500)
      assert.strictEqual(yield* Time.withNow((now) => Effect.succeed(now + 1)), 1501)
      const half = { unsafeCurrentTimeNanos: () => 1_500_000n } as Effect.Effect.Success<typeof Effect.clock>
      assert.strictEqual(Time.nowMs(half), 1.5)
    })
  )

  it.effect("reads the clock when the effect runs, not when it is built", () =>
    Effect.gen(function* () {
      const later = Time.withNow(Effect.succeed)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* later, 2000)
    })
  )

  it.live("the real one never goes back", () =>
    Effect.gen(function* () {
      let before = yield* Time.now
      for (let i = 0; i < 1000; i++) {
        const now = yield* Time.now
        assert.isAtLeast(now, before)
        before = now
      }
    })
  )

  it("turns any duration into milliseconds", () => {
    assert.deepStrictEqual([Time.toMs("2 seconds"), Time.toMs(5), Time.toMs(Duration.minutes(1))], [2000, 5, 60_000])
  })
})
