/**
 * The open deployments of the lowest `priority` value, each equally likely; those without one come last. Those of a higher value get traffic only while
 * all lower ones are closed, or have failed in the same request.
 */

import type { Uniform } from "@switchyard/core/Dice"
import type { Layer } from "effect"
import type { Candidates } from "../Candidates.js"
import * as RoutingStrategy from "../RoutingStrategy.js"

const priority = (candidates: Candidates, index: number): number | undefined => candidates.at(index).deployment.priority

/** The strategy, from its source of random numbers. */
export const make = (deps: { readonly random: Uniform }): RoutingStrategy.Strategy => ({
  name: "PriorityBased",
  select: (candidates) => RoutingStrategy.lowest(candidates, deps.random, priority)
})

/** Spreads calls evenly over the deployments of the lowest priority value. */
export const layer: Layer.Layer<RoutingStrategy.RoutingStrategy> = RoutingStrategy.layer((random) => make({ random }))
