/**
 * Places that callers share: one caller alone may hold all of them, but not while another goes without.
 */

/** How many have to be there before some of them are kept for others. */
const leastToReserve = 4

/** The part of all places that no single caller may take where there are several: an eighth, one at least. */
const reserveOf = (limit: number): number => (limit < leastToReserve ? 0 : Math.max(1, Math.floor(limit / 8)))

/** How long somebody who was turned away counts as one who goes without, in ms. */
const memory = 10_000

/** Who is told apart by name; undefined stands for all without one. */
export type CallerName = string | undefined

/**
 * Counts the places that each caller holds. Where several callers may come (`isShared`), an eighth of the places is kept from
 * each of them, so that the next finds room although one came with a thousand calls; and while somebody goes without, nobody
 * gets more than an equal part.
 */
export class FairShares {
  private readonly held = new Map<CallerName, number>()
  /** Those who were turned away with less than their part, and until when that counts (monotonic ms). */
  private readonly without = new Map<CallerName, number>()
  private taken = 0

  constructor(
    private readonly limit: number,
    private readonly isShared: () => boolean = () => false
  ) {}

  /** Places that are taken. */
  get inUse(): number {
    return this.taken
  }

  /** Places that a caller holds. */
  heldBy(caller: CallerName): number {
    return this.held.get(caller) ?? 0
  }

  /** Whether a caller gets one more place while nobody waits; it still has to be taken. */
  mayTake(caller: CallerName): boolean {
    if (this.taken >= this.limit) return false
    return !this.isShared() || this.heldBy(caller) < Math.max(1, this.limit - reserveOf(this.limit))
  }

  /** The same where nobody can wait: whoever was turned away counts for a while as one who does. */
  mayTakeNow(caller: CallerName, now: number): boolean {
    if (!this.mayTake(caller)) {
      if (this.taken >= this.limit && this.heldBy(caller) < this.partOf(caller)) this.without.set(caller, now + memory)
      return false
    }
    if (this.without.size === 0) return true
    for (const [name, until] of this.without) if (until <= now) this.without.delete(name)
    return this.without.size === 0 || this.heldBy(caller) < this.partOf(caller)
  }

  take(caller: CallerName): void {
    this.taken++
    this.held.set(caller, this.heldBy(caller) + 1)
  }

  giveBack(caller: CallerName): void {
    this.taken--
    const left = this.heldBy(caller) - 1
    if (left > 0) this.held.set(caller, left)
    else this.held.delete(caller)
  }

  /** An equal part for everybody who holds a place or goes without one. */
  private partOf(caller: CallerName): number {
    let callers = this.held.size
    for (const name of this.without.keys()) if (!this.held.has(name)) callers++
    if (!this.held.has(caller) && !this.without.has(caller)) callers++
    return Math.max(1, Math.floor(this.limit / callers))
  }
}
