/**
 * Times every attempt for the strategies that go by latency. A success is a sample; a stream gives its time to the first
 * content as soon as that is there. An attempt that was given up or timed out is one as far as it outlasted what was
 * expected, so that a deployment which hangs loses its good name; a fast failure never is one.
 *
 * It belongs below the breaker and the limits, so that what they turn away is not timed, and above the timeouts, so that
 * it sees them.
 */
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Outcome from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { nowMs } from "@switchyard/core/Time"
import { type Context, Effect, Exit, type Layer } from "effect"
import { LatencyTracker, type TrackedCall } from "./LatencyTracker.js"

/** The layer, from the tracker that it writes to. */
export const make =
  (tracker: Context.Tag.Service<LatencyTracker>): Service.AttemptLayer =>
  (next) =>
    Service.attempt(
      (attempt) =>
        Effect.clockWith((clock) => {
          let tracked: TrackedCall | undefined
          // Observation begins inside what onExit guards: an interruption between two steps must not leave it open.
          const call = Effect.suspend(() => {
            tracked = tracker.begin(attempt.slot, attempt.request.stream, nowMs(clock))
            return next.call(attempt)
          })
          return Effect.onExit(call, (exit) =>
            Effect.sync(() => {
              if (tracked === undefined) return
              const observed = tracked
              if (Exit.isFailure(exit)) {
                observed.settled(Outcome.fromCause(exit.cause), nowMs(clock))
              } else if (exit.value._tag === "Complete") {
                observed.settled(exit.value.outcome, nowMs(clock))
              } else {
                const { settlement } = exit.value.events
                settlement.onFirstContent(() => observed.answered(nowMs(clock)))
                settlement.onSettled((outcome) => observed.settled(outcome, nowMs(clock)))
              }
            })
          )
        }),
      next.status
    )

/** Times the attempts of the inner service. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService | LatencyTracker> = Service.wrap(
  DeploymentService,
  Effect.map(LatencyTracker, make)
)
