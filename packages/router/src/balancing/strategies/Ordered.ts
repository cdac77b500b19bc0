/**
 * The first open deployment in a fixed order: lowest `priority` first, unset last, and as configured among equals; liter-llm's
 * `Fallback`. Unlike `PriorityBased` it spreads nothing: the second gets traffic only while the first is closed, or in a
 * request in which the first has failed. For that it needs no code: who retries puts the deployment that failed on the
 * route's `avoided` list, and the next selection of that request passes over it while another remains.
 */
import { Layer } from "effect"
import { RoutingStrategy, type Strategy } from "../RoutingStrategy.js"

/** The strategy; it keeps no state. */
export const make = (): Strategy => ({
  name: "Ordered",
  select: (candidates) => {
    let best = -1
    let bestPriority = Number.POSITIVE_INFINITY
    for (let i = 0; i < candidates.size; i++) {
      const { priority = Number.POSITIVE_INFINITY } = candidates.at(i).deployment
      if ((best === -1 || priority < bestPriority) && candidates.isOpen(i)) {
        best = i
        bestPriority = priority
      }
    }
    return best
  }
})

/** Asks the deployments of a group in order of priority. */
export const layer: Layer.Layer<RoutingStrategy> = Layer.fresh(Layer.sync(RoutingStrategy, make))
