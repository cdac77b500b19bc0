/**
 * The deployment that is furthest from its rate limits: the largest smaller one of what is left of its tokens and of its
 * requests per minute, as shares. What providers' own headers teach about the room left is included.
 */

import { type Uniform, uniform } from "@switchyard/core/Dice"
import { type Context, Effect, Layer } from "effect"
import { UsageWindows } from "../../limits/UsageWindows.js"
import { LowestPick } from "../lowestPick.js"
import { RoutingStrategy, type Strategy } from "../RoutingStrategy.js"

/** What the strategy works with. */
export interface Deps {
  readonly windows: Pick<Context.Tag.Service<UsageWindows>, "usage">
  readonly random: Uniform
}

/** The strategy, from the windows that it reads. */
export const make = ({ random, windows }: Deps): Strategy => {
  const pick = new LowestPick(random)
  return {
    name: "RateLimitAware",
    select: (candidates) => {
      pick.clear()
      for (let i = 0; i < candidates.size; i++) {
        const used = 1 - windows.usage(candidates.at(i), candidates.now).headroom
        if (pick.admits(used) && candidates.isOpen(i)) pick.take(i, used)
      }
      return pick.index
    }
  }
}

/** Sends calls to the deployment with the most room under its limits. */
export const layer: Layer.Layer<RoutingStrategy, never, UsageWindows> = Layer.fresh(
  Layer.effect(
    RoutingStrategy,
    Effect.zipWith(UsageWindows, uniform, (windows, random) => make({ windows, random }))
  )
)
