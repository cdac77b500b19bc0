/**
 * An Effect `Schedule` in place of the backoff: one request's steps through it.
 */
import type { LlmError } from "@switchyard/core/LlmError"
import { type Clock, Effect, type Schedule, ScheduleDecision, ScheduleIntervals } from "effect"

/** What says how long a deployment that failed is left alone. */
export type RetrySchedule = Schedule.Schedule<unknown, LlmError>

/** Where one request stands in a schedule. */
export class Steps {
  private state: unknown

  constructor(
    private readonly schedule: RetrySchedule,
    private readonly clock: Clock.Clock
  ) {
    this.state = schedule.initial
  }

  /** Ms until the next try of the same deployment; undefined when the schedule has ended. */
  next(error: LlmError): Effect.Effect<number | undefined> {
    return Effect.suspend(() => {
      const now = this.clock.unsafeCurrentTimeMillis()
      return Effect.map(this.schedule.step(now, error, this.state), ([state, , decision]) => {
        this.state = state
        return ScheduleDecision.isDone(decision)
          ? undefined
          : Math.max(0, ScheduleIntervals.start(decision.intervals) - now)
      })
    })
  }
}
