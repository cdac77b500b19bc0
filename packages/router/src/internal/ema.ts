/** An average without a sample for this many half-lives is unknown. */
const halfLivesUntilUnknown = 5

/**
 * An exponential moving average over samples whose memory also fades with time: the weight of what is known halves with
 * each half-life, so that a sample after a long pause counts nearly alone.
 */
export class Ema {
  private value = 0
  private at = Number.NEGATIVE_INFINITY

  constructor(
    private readonly alpha: number,
    private readonly halfLife: number
  ) {}

  /** The average; undefined before the first sample, and when the last one is too old to mean anything. */
  get(now: number): number | undefined {
    return now - this.at > halfLivesUntilUnknown * this.halfLife ? undefined : this.value
  }

  record(sample: number, now: number): void {
    const kept = (1 - this.alpha) * 2 ** ((this.at - now) / this.halfLife)
    this.value = kept * this.value + (1 - kept) * sample
    this.at = now
  }
}
