/**
 * Power of two choices by peak latency, after Finagle's P2C + PeakEWMA: of two random candidates the one with the lower
 *
 * `(max(peak, average, age of the oldest unanswered call) × (unanswered + 1) + writing) × failure penalty / weight`
 *
 * The peak is the time to the first token (headers for a plain call), jumping up at once and fading with e^(−Δt/τ), also
 * while nothing happens; a stream's fades to the average alone, so that a slow deployment does not look good for being left
 * alone. Only calls that have no answer yet are in the way of the next: a stream that is being written is not, and who takes
 * most of the traffic has many. What it takes to write an answer of the usual length, or of this request's bound, is added.
 *
 * A deployment that goes silent is left as soon as its oldest call has waited longer than others take, long before a timeout.
 * Failures are no samples, but a penalty that fades. A deployment of which nothing is known counts as the group's median plus
 * its own unanswered calls. Expected time is constant, whatever the group's size.
 *
 * Scores alone would leave a deployment for ever that is unknown, whose last call failed, or that was slow once: it gets a
 * call also when it was only compared a few times, while it goes on failing ever more rarely, and one that was slow after half
 * a minute.
 */
import { type Uniform, uniform } from "@switchyard/core/Dice"
import * as Slot from "@switchyard/core/Slot"
import { type Context, Effect, Layer } from "effect"
import { LatencyTracker } from "../../latency/LatencyTracker.js"
import { DeploymentStats } from "../../registry/DeploymentStats.js"
import type { Candidates } from "../Candidates.js"
import { RoutingStrategy, type Strategy } from "../RoutingStrategy.js"
import { weightOf } from "../weighted.js"
import { isWorthALook, WritingTime } from "./expectedTime.js"

/** What the strategy works with. */
export interface Deps {
  readonly tracker: Context.Tag.Service<LatencyTracker>
  readonly stats: Context.Tag.Service<DeploymentStats>
  readonly random: Uniform
}

/** Up to this many candidates a scan is as cheap as drawing. */
const scanUpTo = 4
/** Draws before a scan: with half of the candidates closed, one selection in 4,000 needs one. */
const draws = 16
/** Latencies below a millisecond are all the same, and none is 0. */
const leastLatency = 1

/** Comparisons that a deployment of which nothing good is known loses before it gets a call all the same. */
const firstPatience = 4
const mostPatience = 32

/** How long a deployment waits for a look that its score does not earn it. */
interface Wait {
  lost: number
  patience: number
}

/** The strategy, from the figures that it reads. */
export const make = ({ random, stats, tracker }: Deps): Strategy => {
  const writing = new WritingTime(tracker)
  const waits = Slot.key<Wait>("peakEwmaWait", () => ({ lost: 0, patience: firstPatience }))
  const score = (candidates: Candidates, slot: Slot.Slot, weighted: boolean): number => {
    const { group, now, request } = candidates
    const latency = tracker.of(slot)
    const { oldestUnanswered } = latency
    const expected = latency.peak(now) ?? tracker.group(group)?.typical(now) ?? 0
    const usual = request.stream ? (latency.firsts.get(now) ?? 0) : 0
    const age = oldestUnanswered === undefined ? 0 : now - oldestUnanswered
    const waiting = Math.max(0, stats.of(slot).inFlight - (latency.running - latency.unanswered))
    const first = Math.max(expected, usual, age, leastLatency) * (waiting + 1)
    const load = (first + writing.of(slot, now)) * latency.failurePenalty(now)
    return weighted ? load / weightOf(slot) : load
  }

  /** Whether one that lost a comparison is looked at all the same: one call at a time, and rarely while calls fail. */
  const isDue = (slot: Slot.Slot, winner: Slot.Slot, now: number, stream: boolean): boolean => {
    const latency = tracker.of(slot)
    const wait = slot.get(waits)
    if (!latency.isFailing) {
      wait.patience = firstPatience
      const best = stream ? tracker.of(winner).firsts.get(now) : undefined
      const mayBeBack = best !== undefined && isWorthALook(latency.firsts, best, now)
      if (latency.peak(now) !== undefined && !mayBeBack) return false
    }
    if (stats.of(slot).inFlight > 0) return false
    if (++wait.lost < wait.patience) return false
    wait.lost = 0
    wait.patience = Math.min(2 * wait.patience, mostPatience)
    return true
  }

  const better = (candidates: Candidates, a: number, b: number, weighted: boolean): number => {
    if (a === -1 || b === -1) return a
    writing.begin(candidates)
    const ofA = score(candidates, candidates.at(a), weighted)
    const ofB = score(candidates, candidates.at(b), weighted)
    if (ofA === ofB) return random() < 0.5 ? a : b
    const winner = ofA < ofB ? a : b
    const loser = winner === a ? b : a
    return isDue(candidates.at(loser), candidates.at(winner), candidates.now, candidates.request.stream)
      ? loser
      : winner
  }

  const canServe = (candidates: Candidates, index: number, weighted: boolean): boolean =>
    (!weighted || weightOf(candidates.at(index)) > 0) && candidates.isOpen(index)

  /** The better of two, each pair equally likely; looks at every candidate. */
  const scan = (candidates: Candidates, weighted: boolean): number => {
    let first = -1
    let second = -1
    let seen = 0
    for (let i = 0; i < candidates.size; i++) {
      if (!canServe(candidates, i, weighted)) continue
      seen++
      if (seen === 1) first = i
      else if (seen === 2) second = i
      else {
        const place = Math.floor(random() * seen)
        if (place === 0) first = i
        else if (place === 1) second = i
      }
    }
    return better(candidates, first, second, weighted)
  }

  const draw = (candidates: Candidates): number => {
    let first = -1
    for (let tries = 0; tries < draws; tries++) {
      const index = Math.floor(random() * candidates.size)
      if (index === first || !canServe(candidates, index, true)) continue
      if (first === -1) first = index
      else return better(candidates, first, index, true)
    }
    return scan(candidates, true)
  }

  return {
    name: "PeakEwma",
    select: (candidates) => {
      const index = candidates.size > scanUpTo ? draw(candidates) : scan(candidates, true)
      return index === -1 ? scan(candidates, false) : index
    }
  }
}

/** Sends calls to the better of two random deployments. The time constant τ is an option of the `LatencyTracker`. */
export const layer: Layer.Layer<RoutingStrategy, never, LatencyTracker | DeploymentStats> = Layer.fresh(
  Layer.effect(
    RoutingStrategy,
    Effect.gen(function* () {
      return make({ tracker: yield* LatencyTracker, stats: yield* DeploymentStats, random: yield* uniform })
    })
  )
)
