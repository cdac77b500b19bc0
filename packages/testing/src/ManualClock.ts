/**
 * A clock that moves only when it is told to, and at once. `TestClock` waits a few real milliseconds at every step until
 * all fibers are suspended; property tests over thousands of schedules cannot afford that, so they let fibers run by
 * yielding and move this clock between the yields.
 */
import { Clock, Duration, Effect } from "effect"

/** A clock for one schedule. */
export interface ManualClock {
  /** Give it to the effect under test with `Effect.withClock`. */
  readonly clock: Clock.Clock
  /** Moves the time on by so many milliseconds and wakes who has slept long enough, the earliest first. */
  readonly advance: (ms: number) => void
  /** Monotonic ms. */
  readonly now: () => number
  /** How many sleep. */
  readonly sleeping: () => number
  /** When the next of them wakes (monotonic ms); infinite when nobody sleeps. */
  readonly next: () => number
}

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/** A clock that stands at 0. */
export const make = (): ManualClock => {
  let now = 0
  let sleepers: Array<Sleeper> = []
  const sleep = (duration: Duration.Duration): Effect.Effect<void> =>
    Effect.async<void>((resume) => {
      const sleeper = { at: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
      sleepers.push(sleeper)
      return Effect.sync(() => {
        sleepers = sleepers.filter((other) => other !== sleeper)
      })
    })
  return {
    clock: {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: () => now,
      unsafeCurrentTimeNanos: () => BigInt(Math.round(now * 1e6)),
      currentTimeMillis: Effect.sync(() => now),
      currentTimeNanos: Effect.sync(() => BigInt(Math.round(now * 1e6))),
      sleep
    },
    advance: (ms) => {
      now += ms
      const due = sleepers.filter((sleeper) => sleeper.at <= now).sort((a, b) => a.at - b.at)
      sleepers = sleepers.filter((sleeper) => sleeper.at > now)
      for (const sleeper of due) sleeper.wake()
    },
    now: () => now,
    sleeping: () => sleepers.length,
    next: () => sleepers.reduce((soonest, { at }) => Math.min(soonest, at), Number.POSITIVE_INFINITY)
  }
}
