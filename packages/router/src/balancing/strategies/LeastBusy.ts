/**
 * Fewest calls in flight relative to weight; a stream is in flight until its end. A deployment of weight 0 is taken only
 * when nothing else is open. The Balancer counts a call in the same step in which it is chosen, so concurrent selections
 * see each other.
 */

import { type Uniform, uniform } from "@switchyard/core/Dice"
import { type Context, Effect, Layer } from "effect"
import { DeploymentStats } from "../../registry/DeploymentStats.js"
import type { Candidates } from "../Candidates.js"
import { LowestPick } from "../lowestPick.js"
import { RoutingStrategy, type Strategy } from "../RoutingStrategy.js"
import { weightOf } from "../weighted.js"

/** What the strategy works with. */
export interface Deps {
  readonly stats: Context.Tag.Service<DeploymentStats>
  readonly random: Uniform
}

/** The strategy, from the figures that it reads. */
export const make = ({ random, stats }: Deps): Strategy => {
  const pick = new LowestPick(random)
  const fewest = (candidates: Candidates, weighted: boolean): number => {
    pick.clear()
    for (let i = 0; i < candidates.size; i++) {
      const slot = candidates.at(i)
      const weight = weighted ? weightOf(slot) : 1
      if (weight === 0) continue
      const load = stats.of(slot).inFlight / weight
      if (pick.admits(load) && candidates.isOpen(i)) pick.take(i, load)
    }
    return pick.index
  }
  return {
    name: "LeastBusy",
    select: (candidates) => {
      const index = fewest(candidates, true)
      return index === -1 ? fewest(candidates, false) : index
    }
  }
}

/** Sends calls to the least busy deployment. */
export const layer: Layer.Layer<RoutingStrategy, never, DeploymentStats> = Layer.fresh(
  Layer.effect(
    RoutingStrategy,
    Effect.zipWith(DeploymentStats, uniform, (stats, random) => make({ stats, random }))
  )
)
