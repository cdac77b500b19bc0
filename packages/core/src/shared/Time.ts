/**
 * Monotonic milliseconds from Effect's `Clock`. `Clock.currentTimeMillis` is wall time and jumps with NTP; breakers,
 * windows, deadlines and latencies must not.
 */
import { Clock, Context, Duration, Effect, Fiber, Option } from "effect"

/** Monotonic time of a `Clock` in milliseconds, with a fraction. Only differences between two readings mean anything. */
export const nowMs = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

/** The fiber that runs this: only to be called while an effect runs. `Effect.withFiberRuntime` is an operation of its own. */
export const fiberHere = (): Fiber.RuntimeFiber<unknown, unknown> => Option.getOrThrow(Fiber.getCurrentFiber())

/** The clock of a fiber. */
export const clockOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Clock.Clock =>
  Context.get(fiber.currentDefaultServices, Clock.Clock)

/**
 * The clock of the fiber that runs this: only to be called while an effect runs. `Effect.clockWith` is an operation of its own,
 * which counts where each request goes.
 */
export const clockHere = (): Clock.Clock => clockOf(fiberHere())

/** Reads the monotonic clock once and hands the milliseconds to `f`. */
export const withNow = <A, E, R>(f: (now: number) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => f(nowMs(clock)))

/** The monotonic clock in milliseconds, as an effect. */
export const now: Effect.Effect<number> = withNow(Effect.succeed)

/** A `DurationInput` option in milliseconds: options are converted once, when a layer is made, not per call. */
export const toMs = (duration: Duration.DurationInput): number => Duration.toMillis(duration)
