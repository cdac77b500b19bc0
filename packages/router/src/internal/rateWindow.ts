/**
 * How many things happened in the last while, with bounded memory: a ring of counters. Exact enough for a failure rate;
 * limits, which must not err, keep single entries instead.
 */

/** A count over a sliding window. A thing is forgotten when it is `window` ms old, or at most one bucket before. */
export class RateWindow {
  private readonly counts: Uint32Array
  private readonly width: number
  private newest = Number.NEGATIVE_INFINITY
  private sum = 0

  constructor(
    /** ms */
    window: number,
    buckets = 60
  ) {
    this.counts = new Uint32Array(buckets)
    this.width = window / buckets
  }

  /** Counts one thing at `now` (monotonic ms, at least 0). */
  add(now: number): void {
    const at = this.advance(now)
    this.counts[at] = (this.counts[at] ?? 0) + 1
    this.sum++
  }

  /** How many are still in the window. */
  total(now: number): number {
    this.advance(now)
    return this.sum
  }

  /** Forgets everything. */
  clear(): void {
    this.counts.fill(0)
    this.sum = 0
  }

  /** Drops the buckets that the clock has left behind; gives the place of the current one. */
  private advance(now: number): number {
    const { length } = this.counts
    const index = Math.max(Math.floor(now / this.width), this.newest)
    if (index - this.newest >= length) this.clear()
    else {
      for (let i = this.newest + 1; i <= index; i++) {
        this.sum -= this.counts[i % length] ?? 0
        this.counts[i % length] = 0
      }
    }
    this.newest = index
    return index % length
  }
}
