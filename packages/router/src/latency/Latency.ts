/**
 * Times every attempt for the strategies that go by latency. A success is a sample; a stream gives its time to the first
 * content as soon as that is there. An attempt that was given up or timed out is one as far as it outlasted what was
 * expected, so that a deployment which hangs loses its good name; a fast failure never is one.
 *
 * It belongs below the breaker and the limits, so that what they turn away is not timed, and above the timeouts, so that
 * it sees them.
 */
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Service from "@switchyard/core/Service"
import { type Context, Effect, type Layer } from "effect"
import * as Concern from "../stack/Concern.js"
import { Latencies, Options as LatencyOptions, LatencyTracker } from "./LatencyTracker.js"

/** The layer, from the tracker that it writes to. */
export const make = (tracker: Context.Tag.Service<LatencyTracker>): Service.AttemptLayer =>
  Service.bracketAttempt({
    begin: ({ request, slot }, at) => tracker.begin(slot, request.stream, at),
    onFirstContent: (tracked, at) => tracked.answered(at),
    end: (tracked, outcome, at) => tracked.settled(outcome, at)
  })

/** Times the attempts of the inner service. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService | LatencyTracker> = Service.wrap(
  DeploymentService,
  Effect.map(LatencyTracker, make)
)

/** The layer as a concern of a stack. Its options are those of what it feeds. */
export class Latency extends Concern.attempt({
  name: "latency",
  about: "Averages of how long a deployment takes",
  options: LatencyOptions,
  outside: { timeouts: "an attempt that timed out was slow" },
  state: [Latencies],
  make: () => Effect.map(LatencyTracker, make)
}) {}
