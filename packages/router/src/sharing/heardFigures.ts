import { isJsonObject } from "@switchyard/core/Json"
import type { Posted } from "../fleet/BoardEngine.js"
import type { Average, DeploymentLatency } from "../latency/LatencyTracker.js"

/** What others know of one average. Times are monotonic ms. */
export interface HeardAverage {
  readonly value: number
  /** When it was heard, and what it weighed then: 1 is one sample of that moment. */
  readonly heardAt: number
  readonly weight: number
  /** Of the latest sample. */
  readonly sampledAt: number
  readonly variance: number | undefined
}

/** What others know of one deployment. */
export interface Heard {
  readonly wholes: HeardAverage | undefined
  readonly perToken: HeardAverage | undefined
  readonly firsts: HeardAverage | undefined
  readonly writing: HeardAverage | undefined
  readonly peak: { readonly value: number; readonly heardAt: number } | undefined
}

/** The options of a tracker that matter here, in ms. */
export interface Fading {
  readonly halfLife: number
  readonly tau: number
}

const averages = ["wholes", "perToken", "firsts"] as const

/** An average without a sample for so many half-lives is unknown, here as in one process. */
const halfLivesUntilUnknown = 5

/** No word tells of more deployments than that. */
const mostDeployments = 1_000

/** What is said of an average: its value, ms since the latest sample, how sure it is, and its variance. */
const said = (average: Average, now: number): ReadonlyArray<number | null> | undefined => {
  const value = average.get(now)
  return value === undefined ? undefined : [value, average.age(now), average.share, average.variance ?? null]
}

/** What a process says of its own figures; those that are old, or that nobody measured, are left out. */
export const written = (figures: Iterable<readonly [string, DeploymentLatency]>, now: number): string => {
  const word: Record<string, unknown> = {}
  let count = 0
  for (const [id, latency] of figures) {
    const parts = averages.map((name) => said(latency[name], now) ?? null)
    const peak = latency.peak(now) ?? null
    if (parts.every((part) => part === null) && peak === null) continue
    if (++count > mostDeployments) break
    // Behind the peak: older processes read as far as that.
    word[id] = [...parts, peak, said(latency.writing, now) ?? null]
  }
  return JSON.stringify(word)
}

const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined

const averageOf = (part: unknown, age: number, { halfLife }: Fading, now: number): HeardAverage | undefined => {
  const [value, sampled, share, variance] = Array.isArray(part) ? part.map(number) : []
  if (value === undefined || sampled === undefined || share === undefined || share <= 0 || share > 1) return undefined
  const old = sampled + age
  return { value, heardAt: now, weight: 2 ** (-old / halfLife) / share, sampledAt: now - old, variance }
}

const together = (a: HeardAverage | undefined, b: HeardAverage | undefined): HeardAverage | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  const weight = a.weight + b.weight
  return {
    value: weight > 0 ? (a.value * a.weight + b.value * b.weight) / weight : b.value,
    heardAt: b.heardAt,
    weight,
    sampledAt: Math.max(a.sampledAt, b.sampledAt),
    variance: a.variance ?? b.variance
  }
}

/** What all others say, by deployment. */
export const read = (posted: ReadonlyArray<Posted>, fading: Fading, now: number): ReadonlyMap<string, Heard> => {
  const found = new Map<string, Heard & { readonly peaks: number }>()
  for (const { age, json } of posted) {
    let word: unknown
    try {
      word = JSON.parse(json)
    } catch {
      continue
    }
    if (!isJsonObject(word)) continue
    for (const [id, parts] of Object.entries(word)) {
      if (!Array.isArray(parts)) continue
      const known = found.get(id)
      const [wholes, perToken, firsts] = parts.map((part) => averageOf(part, age, fading, now))
      const peak = number(parts[3])
      const writing = averageOf(parts[4], age, fading, now)
      const faded = peak === undefined ? undefined : peak * Math.exp(-age / fading.tau)
      const peaks = (known?.peaks ?? 0) + (faded === undefined ? 0 : 1)
      const sum = (known?.peak?.value ?? 0) * (known?.peaks ?? 0) + (faded ?? 0)
      found.set(id, {
        wholes: together(known?.wholes, wholes),
        perToken: together(known?.perToken, perToken),
        firsts: together(known?.firsts, firsts),
        writing: together(known?.writing, writing),
        peak: peaks === 0 ? undefined : { value: sum / peaks, heardAt: now },
        peaks
      })
    }
  }
  return found
}

/** An average of this process and of others, each by its weight. */
export class MergedAverage implements Average {
  heard: HeardAverage | undefined

  constructor(
    private readonly own: Average,
    private readonly halfLife: number
  ) {}

  get(now: number): number | undefined {
    const { heard, own } = this
    const mine = own.get(now)
    if (heard === undefined || now - heard.sampledAt > halfLivesUntilUnknown * this.halfLife) return mine
    if (mine === undefined) return heard.value
    const ownWeight = 2 ** (-own.age(now) / this.halfLife) / own.share
    const weight = heard.weight * 2 ** ((heard.heardAt - now) / this.halfLife)
    return ownWeight + weight > 0 ? (mine * ownWeight + heard.value * weight) / (ownWeight + weight) : mine
  }

  age(now: number): number {
    const own = this.own.age(now)
    return this.heard === undefined ? own : Math.min(own, now - this.heard.sampledAt)
  }

  get latest(): number {
    return this.own.latest
  }

  get variance(): number | undefined {
    return this.own.variance ?? this.heard?.variance
  }

  get share(): number {
    const { heard, own } = this
    if (heard === undefined || !(heard.weight > 0)) return own.share
    const weight = Number.isFinite(own.age(0)) ? 1 / own.share : 0
    return Math.min(1, 1 / (weight + heard.weight))
  }
}
