import { estimateInputTokens } from "@switchyard/core/LlmRequest"
import { total } from "@switchyard/core/Usage"
import { least, openOnes, type Rule, type RuleDeps, shuffled } from "./Rule.js"

/** `simple-shuffle`: by chance, weighted by `weight`, else `rpm`, else `tpm`, where the first deployment has one. */
export const simpleShuffle = ({ draws }: RuleDeps): Rule => ({
  select: (candidates) => {
    const open = openOnes(candidates)
    const first = open[0]
    if (first === undefined) return -1
    const { rpm, tpm, weight } = candidates.at(first).deployment
    const key = weight !== undefined ? "weight" : rpm !== undefined ? "rpm" : tpm !== undefined ? "tpm" : undefined
    const weightOf = (index: number): number => (key === undefined ? 1 : (candidates.at(index).deployment[key] ?? 0))
    let left = draws.uniform() * open.reduce((sum, index) => sum + weightOf(index), 0)
    for (const index of open) {
      left -= weightOf(index)
      if (left < 0) return index
    }
    return first
  }
})

/** `least-busy`: the fewest in flight, the first of several. */
export const leastBusy = (_: RuleDeps): Rule => {
  const inFlight = new Map<string, number>()
  const add = (id: string, count: number): void => void inFlight.set(id, (inFlight.get(id) ?? 0) + count)
  return {
    select: (candidates) => least(openOnes(candidates), (index) => inFlight.get(candidates.at(index).id) ?? 0),
    begun: ({ deployment }) => add(deployment, 1),
    ended: ({ deployment }) => add(deployment, -1)
  }
}

const minute = 60_000

/**
 * `usage-based-routing-v2`: the fewest tokens in this minute of the clock, by chance among several. Who would pass `tpm` with this
 * prompt is out, and so is who would reach `rpm` with this call, its last one never being used, unless it is the minute's first.
 */
export const usageBased = ({ draws }: RuleDeps): Rule => {
  const used = new Map<string, { minute: number; tokens: number; requests: number }>()
  const of = (id: string, now: number) => {
    const current = Math.floor(now / minute)
    const known = used.get(id)
    if (known !== undefined && known.minute === current) return known
    const made = { minute: current, tokens: 0, requests: 0 }
    used.set(id, made)
    return made
  }
  return {
    select: (candidates) => {
      const { now } = candidates
      const input = estimateInputTokens(candidates.request)
      const within = openOnes(candidates).filter((index) => {
        const { id, rpm, tpm } = candidates.at(index).deployment
        const { requests, tokens } = of(id, now)
        const isWithinTokens = tokens + input <= (tpm ?? Number.POSITIVE_INFINITY)
        return isWithinTokens && (requests === 0 || requests + 1 < (rpm ?? Number.POSITIVE_INFINITY))
      })
      return least(shuffled(within, draws), (index) => of(candidates.at(index).id, now).tokens)
    },
    begun: ({ deployment, startedAt }) => {
      of(deployment, startedAt).requests++
    },
    ended: ({ deployment }, outcome, at) => {
      if (outcome._tag === "Completed") of(deployment, at).tokens += total(outcome.usage)
    }
  }
}

/** Samples that are kept. */
const kept = 10
/** What a call that timed out counts, in seconds. */
const timedOut = 1000

/**
 * `latency-based-routing`: the mean of the last ten, each a time divided by the tokens of its answer: of streams that to the first
 * token, of plain calls the whole; one without any counts 0. Failures are no samples, but a timeout is one of 1,000 seconds.
 */
export const latencyBased = ({ draws }: RuleDeps): Rule => {
  const firsts = new Map<string, Array<number>>()
  const wholes = new Map<string, Array<number>>()
  const add = (to: Map<string, Array<number>>, id: string, seconds: number): void => {
    const samples = to.get(id) ?? []
    to.set(id, samples)
    samples.push(seconds)
    if (samples.length > kept) samples.shift()
  }
  const mean = (samples: ReadonlyArray<number> | undefined): number =>
    samples === undefined ? 0 : samples.reduce((sum, one) => sum + one, 0) / samples.length
  return {
    select: (candidates) => {
      const { stream } = candidates.request
      return least(shuffled(openOnes(candidates), draws), (index) => {
        const { id } = candidates.at(index)
        return mean((stream ? firsts.get(id) : undefined) ?? wholes.get(id))
      })
    },
    ended: ({ deployment, request, startedAt }, outcome, at) => {
      if (outcome._tag === "Failed") {
        if (outcome.error.reason === "Timeout") add(wholes, deployment, timedOut)
        return
      }
      if (outcome._tag !== "Completed") return
      const perToken = 1 / (1000 * Math.max(1, outcome.usage.outputTokens))
      add(wholes, deployment, (at - startedAt) * perToken)
      if (request.stream) add(firsts, deployment, outcome.timeToFirstToken * perToken)
    }
  }
}
