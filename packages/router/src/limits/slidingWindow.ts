/** The length of the window of every limit, in ms. */
export const windowMs = 60_000

/** Up to this many entries in one window are kept apart, each with its own time; beyond, those of a 2,000th of it share one. */
const exactEntries = 2000

/** Sums of larger amounts would lose the small ones: more than this is nobody's amount, and counts as this. */
const most = 1e12

const bounded = (amount: number): number =>
  amount <= most && amount >= -most ? amount : amount > 0 ? most : amount < 0 ? -most : 0

/**
 * Amounts of the last 60 seconds, or of another length, exact to the fraction of a millisecond: an amount of time t counts
 * until t + 60 s and no longer. A ring buffer with at most about 4,000 entries: a busier window merges neighbours of 30 ms under the time of
 * the latest, so that amounts may leave late but never early, and a limit that is checked against `total` holds in any
 * window. Entries are named by a sequence number, so that each can be changed later in constant time.
 */
export class SlidingWindow {
  private times = new Float64Array(8)
  private amounts = new Float64Array(8)
  private head = 0
  private tail = 0
  private sum = 0
  private lastBegan = 0
  /** When the oldest entry leaves: until then `total` has nothing to look up, which is what a scan of many windows needs. */
  private oldestUntil = Number.POSITIVE_INFINITY

  constructor(
    /** How long an amount counts, ms. */
    private readonly length: number = windowMs
  ) {}

  /** The sum of the window up to `now`. */
  total(now: number): number {
    return now < this.oldestUntil ? this.sum : this.expire(now)
  }

  /** Nothing of the window up to `now` is kept. */
  isEmpty(now: number): boolean {
    this.total(now)
    return this.head === this.tail
  }

  /** Adds an amount at `now`; the number of its entry. A clock that steps back adds at the time of the latest entry. */
  add(now: number, given: number): number {
    const amount = bounded(given)
    this.total(now)
    this.sum += amount
    const last = this.tail - 1
    const lastAt = this.times[last & (this.times.length - 1)] ?? 0
    const isCrowded = this.tail - this.head >= exactEntries
    if (this.head < this.tail && (now <= lastAt || (isCrowded && now - this.lastBegan < this.length / exactEntries))) {
      const index = last & (this.times.length - 1)
      this.times[index] = Math.max(now, lastAt)
      this.amounts[index] = (this.amounts[index] ?? 0) + amount
      if (last === this.head) this.oldestUntil = Math.max(now, lastAt) + this.length
      return last
    }
    if (this.tail - this.head === this.times.length) this.grow()
    const index = this.tail & (this.times.length - 1)
    this.times[index] = now
    this.amounts[index] = amount
    this.lastBegan = now
    if (this.head === this.tail) this.oldestUntil = now + this.length
    return this.tail++
  }

  /** Changes an entry by `delta`, at its own time: nothing happens when it has left the window. */
  change(entry: number, delta: number, now: number): void {
    this.total(now)
    if (entry < this.head) return
    const index = entry & (this.times.length - 1)
    const before = this.amounts[index] ?? 0
    const after = bounded(before + delta)
    this.amounts[index] = after
    this.sum += after - before
  }

  /** When `amount` of the present total will have left; undefined when there is not so much. */
  leaves(amount: number): number | undefined {
    const mask = this.times.length - 1
    let left = 0
    for (let entry = this.head; entry < this.tail; entry++) {
      left += this.amounts[entry & mask] ?? 0
      if (left >= amount) return (this.times[entry & mask] ?? 0) + this.length
    }
    return undefined
  }

  /** How many entries are kept; for tests of the bound. */
  get size(): number {
    return this.tail - this.head
  }

  private expire(now: number): number {
    const mask = this.times.length - 1
    while (this.head < this.tail && (this.times[this.head & mask] ?? 0) + this.length <= now) {
      this.sum -= this.amounts[this.head & mask] ?? 0
      this.head++
    }
    // Sums of fractions, and of very large amounts, drift: what is empty holds nothing.
    if (this.head === this.tail) this.sum = 0
    this.oldestUntil =
      this.head < this.tail ? (this.times[this.head & mask] ?? 0) + this.length : Number.POSITIVE_INFINITY
    return this.sum
  }

  private grow(): void {
    const { amounts, times } = this
    const mask = times.length - 1
    const wider = times.length * 2 - 1
    this.times = new Float64Array(wider + 1)
    this.amounts = new Float64Array(wider + 1)
    for (let entry = this.head; entry < this.tail; entry++) {
      this.times[entry & wider] = times[entry & mask] ?? 0
      this.amounts[entry & wider] = amounts[entry & mask] ?? 0
    }
  }
}
