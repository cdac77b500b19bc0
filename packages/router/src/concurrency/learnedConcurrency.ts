/**
 * How many calls at once a deployment bears, learned from what comes of them. Calls that wait at a provider are answered
 * late, so when the median time to an answer is above what it is without a queue, the limit shrinks by their ratio; while
 * it is not, and the limit is used, it grows by its square root: the gradient of Netflix's concurrency-limits, against a
 * baseline that a long overload does not move. What a provider refuses for overload cuts it at once.
 */

/** How a limit is learned. */
export interface Rule {
  readonly min: number
  readonly max: number
  readonly initial: number
  /** The median may be so many times the baseline before the limit shrinks. */
  readonly tolerance: number
  /** What is left of the limit after a refusal. */
  readonly cut: number
}

/** A median is taken of as many samples as the limit has calls, but of no fewer and no more than these. */
const samplesPerWindow = { fewest: 5, most: 10 }
/** The share of the way to a higher value that the limit goes in one window; to a lower one it goes at once. */
const smoothing = 0.5
/** No window takes more than this of the limit. */
const least = 0.5
/** The limit is in use when so much of it was taken within the window. */
const inUse = 0.8
/** With less than this taken at most, nothing waits for a call of ours: so long an answer takes by itself. */
const unhurried = 0.5
/** The share of the way to a window's median that the baseline goes while nothing waits, or nothing can be given up. */
const learning = 0.2
/** The same while the limit is in use: an overload of minutes is none of the baseline's business, one of hours is. */
const drift = 0.002

/** Samples of one kind: times to the first token say nothing of times for a whole answer. */
class Samples {
  /** What the median is while nothing waits, averaged, as the least of many medians is chance; undefined until one window is full. */
  baseline: number | undefined
  private readonly values: Array<number> = []

  /** The median of the window that this sample fills; undefined while it is not full. */
  add(value: number, limit: number): number | undefined {
    const { fewest, most } = samplesPerWindow
    this.values.push(value)
    // Who comes to a new deployment finds it empty; later ones may wait behind them already.
    const enough = this.baseline === undefined ? fewest : Math.max(fewest, Math.min(most, limit))
    if (this.values.length < enough) return undefined
    this.values.sort((a, b) => a - b)
    const median = this.values[this.values.length >> 1]
    this.values.length = 0
    return median
  }
}

/** What is known of one deployment. Times are monotonic ms. */
export class LearnedConcurrency {
  /** Calls at once; a fraction of one more is kept, and not used. */
  limit: number
  inFlight = 0
  private peak = 0
  private cutAt = Number.NEGATIVE_INFINITY
  private readonly firsts = new Samples()
  private readonly wholes = new Samples()

  constructor({ initial }: Pick<Rule, "initial">) {
    this.limit = initial
  }

  /** Whether there is room for one more. */
  get hasRoom(): boolean {
    return this.inFlight < Math.floor(this.limit)
  }

  /** One more call runs. */
  taken(): void {
    this.inFlight++
    if (this.inFlight > this.peak) this.peak = this.inFlight
  }

  /** A call is over. */
  given(): void {
    this.inFlight--
  }

  /** A stream's first token came after `ms`. */
  began(ms: number, rule: Rule): void {
    this.learn(this.firsts, ms, rule)
  }

  /** A whole answer came, in `msPerToken`. */
  answered(msPerToken: number, rule: Rule): void {
    this.learn(this.wholes, msPerToken, rule)
  }

  /** A call that began at `startedAt` was refused for overload: all that ran together with it are one refusal. */
  refused(startedAt: number, now: number, { cut, min }: Rule): void {
    if (startedAt <= this.cutAt) return
    this.cutAt = now
    this.limit = Math.max(min, Math.min(this.limit, this.peak) * cut)
  }

  /** A reload may have changed the bounds. */
  within({ max, min }: Rule): void {
    this.limit = Math.min(max, Math.max(min, this.limit))
  }

  private learn(samples: Samples, value: number, rule: Rule): void {
    const median = samples.add(value, this.limit)
    if (median === undefined) return
    const { peak } = this
    this.peak = this.inFlight
    samples.baseline = this.baselineAfter(samples.baseline, median, peak, rule)
    const bearable = rule.tolerance * samples.baseline
    const gradient = median > bearable ? Math.max(least, bearable / median) : 1
    const isUsed = peak >= inUse * Math.floor(this.limit)
    if (gradient === 1 && !isUsed) return
    if (peak < unhurried * this.limit) return
    const change = (gradient - 1) * this.limit + (isUsed ? Math.sqrt(this.limit) : 0)
    this.limit += change > 0 ? smoothing * change : change
    this.within(rule)
  }

  private baselineAfter(known: number | undefined, median: number, peak: number, { min }: Rule): number {
    if (known === undefined) return median
    const isOwn = median > known && peak >= unhurried * this.limit && this.limit > min
    return known + (isOwn ? drift : learning) * (median - known)
  }
}
