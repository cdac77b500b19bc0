/**
 * Lowest share of the tokens per minute used, LiteLLM's `usage-based-routing`; calls in flight count with their estimate.
 * A deployment without a limit has no share of its own: its tokens are measured against the largest limit of the tier, and
 * where nobody has a limit, tokens are compared. So it gets as much as the largest, and does not win for ever.
 */

import { type Uniform, uniform } from "@switchyard/core/Dice"
import { type Context, Effect, Layer } from "effect"
import { UsageWindows } from "../../limits/UsageWindows.js"
import type { Candidates } from "../Candidates.js"
import { LowestPick } from "../lowestPick.js"
import { RoutingStrategy, type Strategy } from "../RoutingStrategy.js"

/** What the strategy works with. */
export interface Deps {
  readonly windows: Pick<Context.Tag.Service<UsageWindows>, "usage">
  readonly random: Uniform
}

const largestLimit = (candidates: Candidates): number => {
  let largest = 0
  for (let i = 0; i < candidates.size; i++) {
    const { tpm } = candidates.at(i).deployment
    if (tpm !== undefined && tpm > largest) largest = tpm
  }
  return largest > 0 ? largest : 1
}

/** The strategy, from the windows that it reads. */
export const make = ({ random, windows }: Deps): Strategy => {
  const pick = new LowestPick(random)
  return {
    name: "UsageBased",
    select: (candidates) => {
      const unlimited = largestLimit(candidates)
      pick.clear()
      for (let i = 0; i < candidates.size; i++) {
        const slot = candidates.at(i)
        const limit = slot.deployment.tpm ?? unlimited
        const share = limit > 0 ? windows.usage(slot, candidates.now).tokens / limit : Number.POSITIVE_INFINITY
        if (pick.admits(share) && candidates.isOpen(i)) pick.take(i, share)
      }
      return pick.index
    }
  }
}

/** Sends calls to the deployment that used the smallest share of its tokens per minute. */
export const layer: Layer.Layer<RoutingStrategy, never, UsageWindows> = Layer.fresh(
  Layer.effect(
    RoutingStrategy,
    Effect.zipWith(UsageWindows, uniform, (windows, random) => make({ windows, random }))
  )
)
