/**
 * How one deployment is chosen among those that could take the call. One tag, one layer per strategy: each names the
 * state that it reads in its own requirements.
 */
import { type Uniform, uniform } from "@switchyard/core/Dice"
import { Context, Effect, Layer } from "effect"
import type { Candidates } from "./Candidates.js"
import { LowestPick } from "./lowestPick.js"

/** A strategy: a name for reports, and a synchronous choice. */
export interface Strategy {
  readonly name: string
  /**
   * The index of an open candidate, or -1 when none is. Runs to its end without interruption, so reading and writing its
   * own state is atomic.
   */
  readonly select: (candidates: Candidates) => number
  /** Of one that leaves the choice to another strategy in each group: that one, by whose name defects are told. */
  readonly inGroup?: (group: string) => Strategy
  /** What it reckons with for each candidate, in their order, for those who ask why: a plain read. Strategies that reckon with neither have none. */
  readonly judge?: (candidates: Candidates) => ReadonlyArray<Judgement>
}

/** What a strategy expects of a request on a deployment. */
export interface Judgement {
  /** Ms until the whole answer is there; undefined while nobody knows. */
  readonly expectedTime: number | undefined
  /** USD; undefined where no price is known. */
  readonly expectedCost: number | undefined
  /** Whether that is within what the strategy was told; undefined while nobody knows. */
  readonly isWithin: boolean | undefined
}

/** Chooses a deployment. A custom strategy is any layer that provides this tag. */
export class RoutingStrategy extends Context.Tag("@switchyard/router/RoutingStrategy")<RoutingStrategy, Strategy>() {}

/** Random numbers for strategies: the same dice as everywhere. */
export { type Uniform, uniform }

/** A strategy layer from a function that is given random numbers. */
export const layer = (make: (random: Uniform) => Strategy): Layer.Layer<RoutingStrategy> =>
  Layer.fresh(Layer.effect(RoutingStrategy, Effect.map(uniform, make)))

/**
 * The open candidate with the lowest score; ties are broken uniformly at random. A score of `undefined` or `NaN` counts as
 * worst. -1 when no candidate is open.
 *
 * One pass, and nothing allocated per candidate. A candidate's status is asked only when its score could win, so `score`
 * must also do for candidates that are not open.
 */
export const lowest = (
  candidates: Candidates,
  random: Uniform,
  score: (candidates: Candidates, index: number) => number | undefined
): number => {
  const pick = new LowestPick(random)
  for (let i = 0; i < candidates.size; i++) {
    const given = score(candidates, i)
    const value = given === undefined || Number.isNaN(given) ? Number.POSITIVE_INFINITY : given
    if (pick.admits(value) && candidates.isOpen(i)) pick.take(i, value)
  }
  return pick.index
}

const equal = (): number => 0

/** Any open candidate, each equally likely; -1 when none is open. */
export const anyOpen = (candidates: Candidates, random: Uniform): number => lowest(candidates, random, equal)
