/**
 * How many things happened in the last while, with bounded memory: a ring of counters. Exact enough for a failure rate;
 * limits, which must not err, keep single entries instead.
 */

/** A count over a sliding window. A thing is forgotten when it is `window` ms old, or at most one bucket before. */
export class RateWindow {
  /** Doubles: tokens of one second may be more than an integer of 32 bits, which would wrap and spoil the sum for good. */
  private readonly counts: Float64Array
  private readonly width: number
  private newest = Number.NEGATIVE_INFINITY
  private sum = 0

  constructor(
    /** ms */
    readonly window: number,
    buckets = 60
  ) {
    this.counts = new Float64Array(buckets)
    this.width = window / buckets
  }

  /** Counts one thing at `now` (monotonic ms, at least 0). */
  add(now: number): void {
    this.addMany(now, 1)
  }

  /** How many are still in the window. */
  total(now: number): number {
    this.advance(now)
    return this.sum
  }

  /** The same counts over another length, as far back as that reaches; itself when it has that length. */
  resized(window: number): RateWindow {
    const { counts, newest, width } = this
    const { length } = counts
    if (window === this.window) return this
    const made = new RateWindow(window, length)
    if (this.sum === 0) return made
    for (let index = Math.max(0, newest - length + 1); index <= newest; index++) {
      const count = counts[index % length] ?? 0
      if (count > 0) made.addMany(index === 0 ? 0 : index * width, count)
    }
    return made
  }

  /** Forgets everything. */
  clear(): void {
    this.counts.fill(0)
    this.sum = 0
  }

  /** Takes back one of the things of this moment, where there is one. */
  takeBack(now: number): void {
    const at = this.advance(now)
    const count = this.counts[at] ?? 0
    if (count === 0) return
    this.counts[at] = count - 1
    this.sum--
  }

  /** Counts several things at once. */
  addMany(now: number, count: number): void {
    const at = this.advance(now)
    this.counts[at] = (this.counts[at] ?? 0) + count
    this.sum += count
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
