/**
 * The base service of a simulated tower: it answers for every deployment by the model of its upstream. What stands above it is
 * the tower as it serves.
 */
import * as Service from "@switchyard/core/Service"
import { Effect } from "effect"
import type { VirtualTime } from "../time/VirtualTime.js"
import type { SimulatedUpstream } from "./SimulatedUpstream.js"
import { SimulatedCall } from "./simulatedCall.js"

/** The upstreams of a simulation, by the ids of their deployments, as a base service. */
export const make = (time: VirtualTime, upstreams: ReadonlyMap<string, SimulatedUpstream>): Service.AttemptService =>
  Service.expiring(
    Service.attemptWithin((attempt, region) =>
      Service.awaiting(region, (resume) => {
        const upstream = upstreams.get(attempt.deployment)
        if (upstream === undefined) {
          resume(Effect.dieMessage(`no upstream is modelled for ${attempt.deployment}`))
          return () => {}
        }
        attempt.sent = true
        const call = new SimulatedCall(attempt, upstream, time, resume)
        upstream.receive(attempt, call)
        return () => call.leave()
      })
    )
  )
