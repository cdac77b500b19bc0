/**
 * The least time that is to be expected, after Prequal: a deployment with more calls in flight than is usual in its group is
 * hot, and comes last; of the others the fastest is chosen, and of those that are as fast, but for chance, the least busy.
 *
 * What is expected is the average time to the first token (of a plain call, to its answer), but at least as long as the oldest
 * call there has waited already, times the tries that one success takes of late. Deployments of which nothing is known get one
 * call at a time, and those that lost are looked at again each half minute, as far as there is traffic enough.
 */
import { type Uniform, uniform } from "@switchyard/core/Dice"
import type { Slot } from "@switchyard/core/Slot"
import { type Context, Effect, Layer } from "effect"
import { type Average, LatencyTracker } from "../../latency/LatencyTracker.js"
import { DeploymentStats } from "../../registry/DeploymentStats.js"
import type { Candidates } from "../Candidates.js"
import { LowestPick } from "../lowestPick.js"
import { RoutingStrategy, type Strategy } from "../RoutingStrategy.js"
import { weightOf } from "../weighted.js"

/** What the strategy works with. */
export interface Deps {
  readonly tracker: Context.Tag.Service<LatencyTracker>
  readonly stats: Context.Tag.Service<DeploymentStats>
  readonly random: Uniform
}

/** So many candidates are looked at, beginning with one by chance; all others only where none of them is open. */
const mostLooked = 16
/** More calls in flight than the group's mean times this, and two more, are hot. */
const hotFrom = 1.5
/** Differences below so many standard errors are chance. */
const certainty = 2
/** As fast as the fastest, and as good as it. */
const asFast = 1.1
/** Ms after which what is known of a deployment that is not chosen is looked at again. */
const lookAgainAfter = 30_000
/** Of so many calls of a group at most one looks at a deployment that lost. */
const callsPerLook = 8
/** A failure penalty above this is a failure of the last half minute: not the moment to explore. */
const restAbove = 1.25

/** The strategy, from the figures that it reads. */
export const make = ({ random, stats, tracker }: Deps): Strategy => {
  const fastest = new LowestPick(random)
  const idlest = new LowestPick(random)
  const unknown = new LowestPick(random)
  const old = new LowestPick(random)
  const sinceLook = new Map<string, number>()

  /** Where looking begins, and how many are looked at. */
  let start = 0
  let count = 0

  const look = ({ size }: Candidates, all: boolean): void => {
    count = all ? size : Math.min(size, mostLooked)
    start = count === size ? 0 : Math.floor(random() * size)
  }

  const averageOf = ({ request }: Candidates, slot: Slot): Average => {
    const latency = tracker.of(slot)
    return request.stream ? latency.firsts : latency.wholes
  }

  const expected = (candidates: Candidates, slot: Slot): number | undefined => {
    const { now } = candidates
    const known = averageOf(candidates, slot).get(now)
    if (known === undefined) return undefined
    const latency = tracker.of(slot)
    const { oldestUnanswered } = latency
    const age = oldestUnanswered === undefined ? 0 : now - oldestUnanswered
    // One call that takes twice as long as usual is nothing unusual.
    return Math.max(known, age / 2) * latency.failurePenalty(now)
  }

  const load = (slot: Slot): number => stats.of(slot).inFlight / (weightOf(slot) || 1)

  const mayExplore = (candidates: Candidates, index: number): boolean => {
    if (index === -1) return false
    const latency = tracker.of(candidates.at(index))
    const { inFlight } = stats.of(candidates.at(index))
    const waiting = Math.max(latency.unanswered, inFlight - (latency.running - latency.unanswered))
    return waiting < 1 && latency.failurePenalty(candidates.now) <= restAbove
  }

  /** The calls in flight from which on a deployment of the group is hot. */
  const hotLoad = (candidates: Candidates): number => {
    let sum = 0
    for (let k = 0; k < count; k++) sum += load(candidates.at((start + k) % candidates.size))
    return (hotFrom * sum) / count + 2
  }

  const survey = (candidates: Candidates, hot: number): void => {
    const { now, size } = candidates
    for (const pick of [fastest, idlest, unknown, old]) pick.clear()
    for (let k = 0; k < count; k++) {
      const i = (start + k) % size
      const slot = candidates.at(i)
      const busy = load(slot)
      const time = expected(candidates, slot)
      if (time === undefined) {
        const rank = (busy + 1) * tracker.of(slot).failurePenalty(now)
        if (unknown.admits(rank) && candidates.isOpen(i)) unknown.take(i, rank)
        continue
      }
      if (idlest.admits(busy) && candidates.isOpen(i)) idlest.take(i, busy)
      if (busy <= hot && fastest.admits(time) && candidates.isOpen(i)) fastest.take(i, time)
      const freshness = -averageOf(candidates, slot).age(now)
      if (freshness <= -lookAgainAfter && old.admits(freshness) && candidates.isOpen(i)) old.take(i, freshness)
    }
  }

  /** The least busy of those that are as fast as the fastest, but for chance. */
  const leastBusy = (candidates: Candidates, hot: number): number => {
    const { score: lowest } = fastest
    const { share, variance = 0 } = averageOf(candidates, candidates.at(fastest.index))
    const noise = certainty * certainty * variance
    idlest.clear()
    for (let k = 0; k < count; k++) {
      const i = (start + k) % candidates.size
      const slot = candidates.at(i)
      const time = expected(candidates, slot)
      const busy = load(slot)
      if (time === undefined || busy > hot || !idlest.admits(busy)) continue
      const above = time - lowest
      const isChance = above * above <= noise * (share + averageOf(candidates, slot).share)
      if ((isChance || time <= lowest * asFast) && candidates.isOpen(i)) idlest.take(i, busy)
    }
    return idlest.index
  }

  const looksAgain = (candidates: Candidates): boolean => {
    const { group } = candidates
    const calls = (sinceLook.get(group) ?? 0) + 1
    const isDue = calls >= callsPerLook && mayExplore(candidates, old.index)
    sinceLook.set(group, isDue ? 0 : calls)
    return isDue
  }

  const choose = (candidates: Candidates, all: boolean): number => {
    look(candidates, all)
    const hot = hotLoad(candidates)
    survey(candidates, hot)
    if (mayExplore(candidates, unknown.index)) return unknown.index
    if (looksAgain(candidates)) return old.index
    if (fastest.index !== -1) return leastBusy(candidates, hot)
    return idlest.index === -1 ? unknown.index : idlest.index
  }

  return {
    name: "LeastExpectedLatency",
    select: (candidates) => {
      if (candidates.size === 0) return -1
      const index = choose(candidates, false)
      return index === -1 && candidates.size > mostLooked ? choose(candidates, true) : index
    }
  }
}

/** Sends calls where the least time is to be expected. */
export const layer: Layer.Layer<RoutingStrategy, never, LatencyTracker | DeploymentStats> = Layer.fresh(
  Layer.effect(
    RoutingStrategy,
    Effect.gen(function* () {
      return make({ tracker: yield* LatencyTracker, stats: yield* DeploymentStats, random: yield* uniform })
    })
  )
)
