import { wordsOf } from "@switchyard/core/LlmRequest"
import type { Slot } from "@switchyard/core/Slot"
import type { Context } from "effect"
import type { Average, DeploymentLatency, LatencyTracker } from "../../latency/LatencyTracker.js"
import type { DeploymentStats } from "../../registry/DeploymentStats.js"
import type { Candidates } from "../Candidates.js"

/** What the times are read from. */
export interface Deps {
  readonly tracker: Context.Tag.Service<LatencyTracker>
  readonly stats: Context.Tag.Service<DeploymentStats>
}

/** Differences below so many standard errors are chance. */
const certainty = 2
/** As fast as the fastest, and as good as it. */
const asFast = 1.1
/** What is borne by so many calls less, is tried. */
const grown = 0.75
/** So many times as long as with few calls is a burden. */
const burdened = 2
/** Ms that say what a deployment is like under a load that it has had; older ones say what it was like. */
const recent = 60_000

/** Ms after which what is known of a deployment that is not chosen is looked at again. */
const lookAgainAfter = 30_000
/**
 * Whether a deployment that lost is worth a call: what is known of it is old, or its last sample was as good as the best is on
 * average, so that a slow time may be over.
 */
export const isWorthALook = (average: Average, best: number, now: number): boolean =>
  average.age(now) >= lookAgainAfter || (average.latest <= best && (average.get(now) ?? 0) > best * asFast)

/** Calls that were chosen and have no answer yet, including those that the tracker has not seen begin. */
export const unanswered = (slot: Slot, latency: DeploymentLatency, stats: Deps["stats"]): number =>
  Math.max(latency.unanswered, stats.of(slot).inFlight - (latency.running - latency.unanswered))

/** How long the answer to a stream is written. One for a selection: what it knows of the request it asks once. */
export class WritingTime {
  /** Output tokens to expect; 0 where nobody knows, or that is no stream. */
  tokens = 0
  private usual = 0

  constructor(private readonly tracker: Deps["tracker"]) {}

  /** Begins a selection. */
  begin({ group, now, request }: Candidates): void {
    this.tokens = 0
    if (!request.stream) return
    const figures = this.tracker.group(group)
    const length = figures?.length.get(now)
    if (figures === undefined || length === undefined) return
    this.usual = figures.writing.get(now) ?? 0
    this.tokens = Math.min(length, wordsOf(request).largestOutputBound(request.body) ?? length)
  }

  /** In ms; as fast as the group is usual where nobody knows how fast the deployment is. */
  of(slot: Slot, now: number): number {
    return this.tokens === 0 ? 0 : this.tokens * (this.tracker.of(slot).writing.get(now) ?? this.usual)
  }
}

/**
 * How long a call may be expected to take at each deployment: until its first token, with as many calls beside it as run there
 * now, and then as long as an answer of this request's length is written there; times the tries that one success takes of late.
 * Of calls that are no streams, the whole. One for a selection.
 */
export class ExpectedTime {
  private readonly writing: WritingTime

  constructor(private readonly deps: Deps) {
    this.writing = new WritingTime(deps.tracker)
  }

  /** Begins a selection. */
  begin(candidates: Candidates): void {
    this.writing.begin(candidates)
  }

  /** In ms; undefined where nobody knows. */
  of({ now, request }: Candidates, slot: Slot): number | undefined {
    const latency = this.deps.tracker.of(slot)
    const average = (request.stream ? latency.firsts : latency.wholes).get(now)
    if (average === undefined) return undefined
    const { oldestUnanswered } = latency
    const age = oldestUnanswered === undefined ? 0 : now - oldestUnanswered
    // One call that takes twice as long as usual is nothing unusual.
    const first = Math.max(this.crowded(slot, now, average, request.stream), age / 2)
    return (first + this.writing.of(slot, now)) * latency.failurePenalty(now)
  }

  /** The average, or what it was with as many calls as there are now, where that is more and known. */
  private crowded(slot: Slot, now: number, average: number, stream: boolean): number {
    if (!stream) return average
    const beside = this.deps.tracker.of(slot).firstsBeside(this.deps.stats.of(slot).inFlight)
    const known = beside.age(now) < recent ? beside.get(now) : undefined
    return known === undefined ? average : Math.max(average, known)
  }

  /**
   * Whether about as many calls as run there now have been no burden to it lately: streams that began beside them came as soon as
   * those that began beside few.
   */
  bears({ now, request }: Candidates, slot: Slot): boolean {
    if (!request.stream) return false
    const latency = this.deps.tracker.of(slot)
    const beside = Math.floor(this.deps.stats.of(slot).inFlight * grown)
    const here = latency.firstsBeside(beside)
    const known = here.age(now) < recent ? here.get(now) : undefined
    if (known === undefined) return false
    for (let fewer = 0; fewer < beside; fewer = 2 * fewer + 1) {
      const calm = latency.firstsBeside(fewer).get(now)
      if (calm !== undefined && calm * burdened < known) return false
    }
    return true
  }

  /** Whether one that takes `time` is as good as the fastest, which takes `lowest`: what is more is little, or chance. */
  isAsGood({ request }: Candidates, slot: Slot, time: number, fastest: Slot, lowest: number): boolean {
    if (time <= lowest * asFast) return true
    const [mine, best] = [this.deps.tracker.of(slot), this.deps.tracker.of(fastest)]
    const above = time - lowest
    const { tokens } = this.writing
    const first = request.stream ? [mine.firsts, best.firsts] : [mine.wholes, best.wholes]
    const variance =
      (first[1]?.variance ?? 0) * ((first[0]?.share ?? 0) + (first[1]?.share ?? 0)) +
      tokens * tokens * (best.writing.variance ?? 0) * (mine.writing.share + best.writing.share)
    return above * above <= certainty * certainty * variance
  }
}
