/**
 * The least time that is to be expected, after Prequal: a deployment with more calls in flight than is usual in its group, and
 * than it has borne lately without getting slower, is hot, and comes last; of the others the fastest is chosen, and of those
 * that are as fast, but for chance, the least busy.
 *
 * What is expected is the average time to the first token (of a plain call, to its answer), with as many calls beside it as
 * there are now, but at least as long as the oldest call there has waited already; then the time to write an answer of the
 * usual length, or of this request's bound; times the tries that one success takes of late. Deployments of which nothing is
 * known get one call at a time, and those that lost are looked at again each half minute, as far as there is traffic enough,
 * and at once again where a look was good.
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
import { ExpectedTime, isWorthALook, unanswered } from "./expectedTime.js"

/** What the strategy works with. */
export interface Deps {
  readonly tracker: Context.Tag.Service<LatencyTracker>
  readonly stats: Context.Tag.Service<DeploymentStats>
  readonly random: Uniform
}

/** So many candidates are looked at, beginning with one by chance; all others only where none of them is open. */
const mostLooked = 16
/** More calls in flight than the group's mean times this, and one more, are hot. */
const hotFrom = 1.2
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
  const times = new ExpectedTime({ stats, tracker })

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

  const load = (slot: Slot): number => stats.of(slot).inFlight / (weightOf(slot) || 1)

  const mayExplore = (candidates: Candidates, index: number): boolean => {
    if (index === -1) return false
    const slot = candidates.at(index)
    const latency = tracker.of(slot)
    return unanswered(slot, latency, stats) < 1 && latency.failurePenalty(candidates.now) <= restAbove
  }

  /** The calls in flight from which on a deployment of the group is hot. */
  const hotLoad = (candidates: Candidates): number => {
    let sum = 0
    for (let k = 0; k < count; k++) sum += load(candidates.at((start + k) % candidates.size))
    return (hotFrom * sum) / count + 1
  }

  /** More calls are in flight there than is usual in the group, and than anybody has seen it serve. */
  const isHot = (candidates: Candidates, slot: Slot, hot: number): boolean =>
    load(slot) > hot && !times.bears(candidates, slot)

  const survey = (candidates: Candidates, hot: number): void => {
    const { now, size } = candidates
    for (const pick of [fastest, idlest, unknown]) pick.clear()
    for (let k = 0; k < count; k++) {
      const i = (start + k) % size
      const slot = candidates.at(i)
      const busy = load(slot)
      const time = times.of(candidates, slot)
      if (time === undefined) {
        const rank = (busy + 1) * tracker.of(slot).failurePenalty(now)
        if (unknown.admits(rank) && candidates.isOpen(i)) unknown.take(i, rank)
        continue
      }
      if (idlest.admits(busy) && candidates.isOpen(i)) idlest.take(i, busy)
      if (fastest.admits(time) && !isHot(candidates, slot, hot) && candidates.isOpen(i)) fastest.take(i, time)
    }
  }

  /** The least busy of those that are as fast as the fastest, but for chance. */
  const leastBusy = (candidates: Candidates, hot: number): number => {
    const lowest = fastest.score
    const best = candidates.at(fastest.index)
    idlest.clear()
    for (let k = 0; k < count; k++) {
      const i = (start + k) % candidates.size
      const slot = candidates.at(i)
      const time = times.of(candidates, slot)
      const busy = load(slot)
      if (time === undefined || !idlest.admits(busy) || isHot(candidates, slot, hot)) continue
      if (times.isAsGood(candidates, slot, time, best, lowest) && candidates.isOpen(i)) idlest.take(i, busy)
    }
    return idlest.index
  }

  /** One that lost and is looked at again: the one known longest ago, where the group has had calls enough since the last look. */
  const lookedAgain = (candidates: Candidates): number => {
    const { group, now, size } = candidates
    const calls = (sinceLook.get(group) ?? 0) + 1
    sinceLook.set(group, calls)
    if (calls < callsPerLook || fastest.index === -1) return -1
    const best = averageOf(candidates, candidates.at(fastest.index)).get(now) ?? 0
    old.clear()
    for (let k = 0; k < count; k++) {
      const i = (start + k) % size
      const average = averageOf(candidates, candidates.at(i))
      const known = average.get(now)
      if (known === undefined || !isWorthALook(average, best, now)) continue
      const freshness = -average.age(now)
      if (old.admits(freshness) && candidates.isOpen(i)) old.take(i, freshness)
    }
    if (!mayExplore(candidates, old.index)) return -1
    sinceLook.set(group, 0)
    return old.index
  }

  const choose = (candidates: Candidates, all: boolean): number => {
    look(candidates, all)
    times.begin(candidates)
    const hot = hotLoad(candidates)
    survey(candidates, hot)
    if (mayExplore(candidates, unknown.index)) return unknown.index
    const again = lookedAgain(candidates)
    if (again !== -1) return again
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
