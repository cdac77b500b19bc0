import * as Asked from "../upstream/Asked.js"
import { least, openOnes, type Rule, type RuleDeps, shuffled } from "./Rule.js"

/** The lowest moving average of successful calls, the first of several; one without any counts as the mean of the others. */
export const lowestAverage = (_: RuleDeps): Rule => {
  const averages = new Map<string, number>()
  const alpha = 0.2
  return {
    select: (candidates) => {
      const open = openOnes(candidates)
      const known = open.flatMap((index) => averages.get(candidates.at(index).id) ?? [])
      const mean = known.length === 0 ? 0 : known.reduce((sum, one) => sum + one, 0) / known.length
      return least(open, (index) => averages.get(candidates.at(index).id) ?? mean)
    },
    ended: ({ deployment, startedAt }, outcome, at) => {
      if (outcome._tag !== "Completed") return
      const before = averages.get(deployment)
      const took = at - startedAt
      averages.set(deployment, before === undefined ? took : alpha * took + (1 - alpha) * before)
    }
  }
}

/** The lowest moving average of the time until a call was answered, well or badly; one without any counts 0. */
export const lowestEma = (_: RuleDeps): Rule => {
  const averages = new Map<string, number>()
  const answeredOnce = new WeakSet<object>()
  const alpha = 0.3
  const add = (attempt: Parameters<NonNullable<Rule["answered"]>>[0], at: number): void => {
    if (answeredOnce.has(attempt)) return
    answeredOnce.add(attempt)
    const before = averages.get(attempt.deployment)
    const took = at - attempt.startedAt
    averages.set(attempt.deployment, before === undefined ? took : alpha * took + (1 - alpha) * before)
  }
  return {
    select: (candidates) => least(openOnes(candidates), (index) => averages.get(candidates.at(index).id) ?? 0),
    answered: add,
    ended: (attempt, outcome, at) => {
      if (outcome._tag !== "Abandoned") add(attempt, at)
    }
  }
}

/** Finagle's constants: the time constant of what fades, and what an unknown one with calls in flight costs. */
const decayMs = 10_000
const unknownPenalty = 1e9

/**
 * Finagle's `PeakEwma` under the power of two choices: of two by chance the one with the lower cost, which is its round trips'
 * peak-sensitive moving average times its calls in flight and one more. Failures are round trips as well.
 */
export const peakEwma = ({ draws }: RuleDeps): Rule => {
  interface Metric {
    cost: number
    stamp: number
    pending: number
  }
  const metrics = new Map<string, Metric>()
  const of = (id: string): Metric => {
    const known = metrics.get(id) ?? { cost: 0, stamp: 0, pending: 0 }
    metrics.set(id, known)
    return known
  }
  const observe = (metric: Metric, now: number, took: number): void => {
    const weight = Math.exp(-Math.max(0, now - metric.stamp) / decayMs)
    metric.cost = took > metric.cost ? took : metric.cost * weight + took * (1 - weight)
    metric.stamp = now
  }
  const answeredOnce = new WeakSet<object>()
  return {
    select: (candidates) => {
      const pair = shuffled(openOnes(candidates), draws).slice(0, 2)
      return least(pair, (index) => {
        const metric = of(candidates.at(index).id)
        observe(metric, candidates.now, 0)
        return metric.cost === 0 && metric.pending !== 0
          ? unknownPenalty + metric.pending
          : metric.cost * (metric.pending + 1)
      })
    },
    begun: ({ deployment }) => {
      of(deployment).pending++
    },
    answered: (attempt, at) => {
      answeredOnce.add(attempt)
      // A call is pending until its answer begins.
      of(attempt.deployment).pending--
      observe(of(attempt.deployment), at, at - attempt.startedAt)
    },
    ended: (attempt, outcome, at) => {
      if (answeredOnce.has(attempt)) return
      const metric = of(attempt.deployment)
      metric.pending--
      if (outcome._tag !== "Abandoned") observe(metric, at, at - attempt.startedAt)
    }
  }
}

/** What a failed attempt costs the oracle beside its time, in ms: one more try. */
const failureCost = 1000

/** Who sees every queue, every incident and every limit, and takes what will be done first; what chance will draw it knows not. */
export const oracle = ({ draws, foresee }: RuleDeps): Rule => ({
  select: (candidates) => {
    const asked = Asked.of(candidates.request.route.journal)
    return least(shuffled(openOnes(candidates), draws), (index) => {
      const { failing, total } = foresee(candidates.at(index).id, asked)
      return total + failing * (total + failureCost)
    })
  }
})
