/**
 * Weighted random choice, LiteLLM's `simple-shuffle`. Shares are the deployments' weights when any of them has one (the
 * others count as 1), else their rpm, else their tpm, else all equal; a deployment without a limit counts as the largest.
 * When all shares are 0 the choice is even.
 */

import type { Uniform } from "@switchyard/core/Dice"
import type { Layer } from "effect"
import * as RoutingStrategy from "../RoutingStrategy.js"
import { weightedOpen } from "../weighted.js"

/** The strategy, from its source of random numbers. */
export const make = (deps: { readonly random: Uniform }): RoutingStrategy.Strategy => ({
  name: "SimpleShuffle",
  select: (candidates) => weightedOpen(candidates, deps.random)
})

/** Spreads calls at random, in proportion to the deployments' weights. */
export const layer: Layer.Layer<RoutingStrategy.RoutingStrategy> = RoutingStrategy.layer((random) => make({ random }))
