/** An average without a sample for this many half-lives is unknown. */
const halfLivesUntilUnknown = 5

/**
 * An exponential moving average over samples whose memory also fades with time: the weight of what is known halves with
 * each half-life, so that a sample after a long pause counts nearly alone. With an infinite half-life only samples count.
 */
export class Ema {
  private value = 0
  private at = Number.NEGATIVE_INFINITY
  private squares = 0
  private concentration = 1
  /** The last sample; NaN before the first. */
  latest = Number.NaN

  constructor(
    private readonly alpha: number,
    private readonly halfLife: number
  ) {}

  /** The average; undefined before the first sample, and when the last one is too old to mean anything. */
  get(now: number): number | undefined {
    return this.age(now) > halfLivesUntilUnknown * this.halfLife || this.isEmpty ? undefined : this.value
  }

  /** Ms since the last sample; infinite before the first. */
  age(now: number): number {
    return now - this.at
  }

  /** How far samples lie around the average: their variance; undefined while there was only one. */
  get variance(): number | undefined {
    return this.concentration < 1 ? this.squares / (1 - this.concentration) : undefined
  }

  /** What the average's own variance is of that of the samples: 1 after the first, then less with each. */
  get share(): number {
    return this.concentration
  }

  record(sample: number, now: number): void {
    const kept = this.isEmpty ? 0 : (1 - this.alpha) * 2 ** ((this.at - now) / this.halfLife)
    const off = sample - this.value
    this.latest = sample
    this.value += (1 - kept) * off
    this.squares = kept * (this.squares + (1 - kept) * off * off)
    this.concentration = kept * kept * this.concentration + (1 - kept) * (1 - kept)
    this.at = now
  }

  private get isEmpty(): boolean {
    return this.at === Number.NEGATIVE_INFINITY
  }
}
