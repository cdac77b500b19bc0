/**
 * Lowest average latency, LiteLLM's `latency-based-routing`: streams by time to first token, other calls by duration.
 * Averages that differ by no more than chance would make them are equal, and share the calls: the lowest of them is that by
 * luck, and would keep all traffic until its luck ends.
 *
 * A deployment of which nothing is known, or nothing recent, is explored: it gets the next call while fewer than
 * `maxExploring` of its calls are unanswered, so it is neither starved nor flooded. One that lost is looked at in the same
 * way each half minute, as far as there is traffic enough for that to be few of the calls. One that failed while it was
 * explored rests for about half a minute. When nothing is known of any, calls go where the fewest are unanswered.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import { type Uniform, uniform } from "@switchyard/core/Dice"
import * as Field from "@switchyard/core/Field"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { Slot } from "@switchyard/core/Slot"
import { type Context, Effect, Layer, Schema } from "effect"
import { type Average, type DeploymentLatency, LatencyTracker } from "../../latency/LatencyTracker.js"
import { DeploymentStats } from "../../registry/DeploymentStats.js"
import type { Candidates } from "../Candidates.js"
import { LowestPick } from "../lowestPick.js"
import { RoutingStrategy, type Strategy } from "../RoutingStrategy.js"

/** Options of the strategy. */
export const Options = Field.options("The strategy that chooses by latency.", {
  /** Chooses at random among those within `lowest · (1 + buffer)`. Default 0: the lowest, and what chance alone makes slower. */
  buffer: Field.option(
    Field.nonNegative,
    "Chooses at random among those within `lowest · (1 + buffer)`. Default 0: the lowest, and what chance alone makes slower.",
    0
  ),
  /** Compares calls that are no streams by duration per output token. Default false: by duration. */
  perOutputToken: Field.option(
    Schema.Boolean,
    "Compares calls that are no streams by duration per output token. Default false: by duration.",
    false
  ),
  /** Unanswered calls allowed on a deployment whose latency is unknown, while that of another is known. Default 1. */
  maxExploring: Field.option(
    Field.positiveCount,
    "Unanswered calls allowed on a deployment whose latency is unknown, while that of another is known.",
    1
  )
})
/** Options of the strategy. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/** What the strategy works with. */
export interface Deps {
  readonly tracker: Context.Tag.Service<LatencyTracker>
  readonly stats: Context.Tag.Service<DeploymentStats>
  readonly random: Uniform
}

/** Differences below so many standard errors are chance: of equal deployments 95 % stay within. */
const certainty = 2
/** Ms after which what is known of a deployment that is not chosen is looked at again. */
const lookAgainAfter = 30_000
/** Of so many calls of a group at most one looks at a deployment that lost. */
const callsPerLook = 8

/** A failure penalty above this is a failure of the last half minute: not the moment to explore. */
const restAbove = 1.25

/** The strategy, from the figures that it reads. */
export const make = ({ random, stats, tracker }: Deps, options: Options = {}): Strategy => {
  const buffer = options.buffer ?? defaults.buffer
  const perOutputToken = options.perOutputToken ?? defaults.perOutputToken
  const maxExploring = options.maxExploring ?? defaults.maxExploring
  const warm = new LowestPick(random)
  const cold = new LowestPick(random)
  const old = new LowestPick(random)
  const sinceLook = new Map<string, number>()

  const averageOf = (latency: DeploymentLatency, request: LlmRequest): Average => {
    if (request.stream) return latency.firsts
    return perOutputToken ? latency.perToken : latency.wholes
  }

  /** Calls that were chosen and have no answer yet, including those that the tracker has not seen begin. */
  const unanswered = (slot: Slot, latency: DeploymentLatency): number =>
    Math.max(latency.unanswered, stats.of(slot).inFlight - (latency.running - latency.unanswered))

  const mayExplore = (slot: Slot, now: number): boolean => {
    const latency = tracker.of(slot)
    return unanswered(slot, latency) < maxExploring && latency.failurePenalty(now) <= restAbove
  }

  /** Finds the best of the known ones, the one known longest ago, and of the unknown ones that with the fewest unanswered calls. */
  const survey = (candidates: Candidates): void => {
    const { now, request, size } = candidates
    warm.clear()
    cold.clear()
    old.clear()
    for (let i = 0; i < size; i++) {
      const slot = candidates.at(i)
      const latency = tracker.of(slot)
      const average = averageOf(latency, request)
      const known = average.get(now)
      if (known !== undefined) {
        if (warm.admits(known) && candidates.isOpen(i)) warm.take(i, known)
        const freshness = -average.age(now)
        if (freshness <= -lookAgainAfter && old.admits(freshness) && candidates.isOpen(i)) old.take(i, freshness)
      } else {
        const rank = (unanswered(slot, latency) + 1) * latency.failurePenalty(now)
        if (cold.admits(rank) && candidates.isOpen(i)) cold.take(i, rank)
      }
    }
  }

  /** Any of the known ones that are hardly slower than the best, or slower by chance. */
  const asGood = (candidates: Candidates): number => {
    const { now, request, size } = candidates
    const best = averageOf(tracker.of(candidates.at(warm.index)), request)
    const lowest = warm.score
    const limit = lowest * (1 + buffer)
    const { share, variance = 0 } = best
    if (variance === 0 && buffer === 0) return warm.index
    const noise = certainty * certainty * variance
    warm.clear()
    for (let i = 0; i < size; i++) {
      const average = averageOf(tracker.of(candidates.at(i)), request)
      const known = average.get(now)
      if (known === undefined) continue
      const above = known - lowest
      const isChance = above * above <= noise * (share + average.share)
      if ((isChance || known <= limit) && candidates.isOpen(i)) warm.take(i, 0)
    }
    return warm.index
  }

  /** Whether the group has had calls enough since the last look at one that lost. */
  const looksAgain = (candidates: Candidates): boolean => {
    const { group, now } = candidates
    const calls = (sinceLook.get(group) ?? 0) + 1
    const isDue = calls >= callsPerLook && old.index !== -1 && mayExplore(candidates.at(old.index), now)
    sinceLook.set(group, isDue ? 0 : calls)
    return isDue
  }

  return {
    name: "LatencyBased",
    select: (candidates) => {
      survey(candidates)
      if (warm.index === -1) return cold.index
      if (cold.index !== -1 && mayExplore(candidates.at(cold.index), candidates.now)) return cold.index
      return looksAgain(candidates) ? old.index : asGood(candidates)
    }
  }
}

/** Sends calls to the fastest deployment. */
export const layerWith = (
  options: Options
): Layer.Layer<RoutingStrategy, ConfigError, LatencyTracker | DeploymentStats> =>
  Layer.fresh(
    Layer.effect(
      RoutingStrategy,
      Effect.gen(function* () {
        const valid = yield* Field.decode(Options, options, "latencyBased")
        const random = yield* uniform
        return make({ tracker: yield* LatencyTracker, stats: yield* DeploymentStats, random }, valid)
      })
    )
  )

/** Sends calls to the fastest deployment, with the defaults. */
export const layer: Layer.Layer<RoutingStrategy, never, LatencyTracker | DeploymentStats> = Layer.fresh(
  Layer.orDie(layerWith({}))
)
