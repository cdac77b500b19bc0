/** How sure a success is before anything is known: the smaller, the more the first failure counts. */
const prior = 0.2

/** What each outcome leaves of the weight of those before it: about four count, however many there are in a second. */
const keptPerOutcome = 0.75

/**
 * What Finagle's PeakEwma balancer keeps of one endpoint: an average that jumps to a peak at once and otherwise follows
 * slowly, fading also while nothing happens; and beside it the share of failures among the latest outcomes, fading alike.
 */
export class PeakFigure {
  private value = Number.NaN
  private valueAt = 0
  private attempts = 0
  private failures = 0
  private countedAt = 0
  private endedBadly = false

  constructor(private readonly tau: number) {}

  /** The average at `now`; undefined before the first sample. */
  get(now: number): number | undefined {
    return Number.isNaN(this.value) ? undefined : this.value * Math.exp((this.valueAt - now) / this.tau)
  }

  record(sample: number, now: number): void {
    if (!(this.value > sample)) {
      this.value = sample
    } else {
      const kept = Math.exp((this.valueAt - now) / this.tau)
      this.value = kept * this.value + (1 - kept) * sample
    }
    this.valueAt = now
  }

  /** Tries that one success takes at the recent share of failures: 1 without any, falling back to 1 with time. */
  penalty(now: number): number {
    if (this.failures === 0) return 1
    const kept = Math.exp((this.countedAt - now) / this.tau)
    return (kept * this.attempts + prior) / (kept * (this.attempts - this.failures) + prior)
  }

  /** Whether the latest outcome was a failure. */
  get isFailing(): boolean {
    return this.endedBadly
  }

  succeeded(now: number): void {
    this.endedBadly = false
    this.fade(now)
    this.attempts++
  }

  /** A failure is no sample, but neither is it idleness: the average stays where it is, instead of fading to a good one. */
  failed(now: number): void {
    this.endedBadly = true
    this.fade(now)
    this.attempts++
    this.failures++
    this.valueAt = now
  }

  private fade(now: number): void {
    const kept = keptPerOutcome * Math.exp((this.countedAt - now) / this.tau)
    this.attempts *= kept
    this.failures *= kept
    this.countedAt = now
  }
}
