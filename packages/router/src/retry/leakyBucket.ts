/** Amounts are whole thousandths: sums of fractions would drift. */
const scale = 1000
const slots = 10

/** Attempts per window that are allowed however few requests come, in thousandths of one. */
export const reserveOf = (perSecond: number, windowMs: number): number =>
  Math.round((perSecond * scale * windowMs) / 1000)

/** A leaky token bucket: a sliding sum over ten slots of the window, plus the reserve. */
export class LeakyBucket {
  private readonly sums = new Array<number>(slots).fill(0)
  private readonly slotMs: number
  private readonly depositOf: number
  private sum = 0
  private latest = Number.NEGATIVE_INFINITY

  constructor(
    share: number,
    windowMs: number,
    /** In thousandths of an attempt. */
    public reserve: number
  ) {
    this.slotMs = windowMs / slots
    this.depositOf = Math.round(share * scale)
  }

  balance(now: number): number {
    this.advance(now)
    return Math.max(0, this.reserve + this.sum) / scale
  }

  deposit(now: number): void {
    this.add(now, this.depositOf)
  }

  withdraw(now: number): boolean {
    this.advance(now)
    if (this.reserve + this.sum < scale) return false
    this.add(now, -scale)
    return true
  }

  /** Whole attempts that come from others, or go to them. */
  transfer(attempts: number, now: number): void {
    this.add(now, attempts * scale)
  }

  private add(now: number, amount: number): void {
    const slot = this.advance(now)
    this.sums[slot] = (this.sums[slot] ?? 0) + amount
    this.sum += amount
  }

  /** Lets what is older than the window expire; the slot of this moment. */
  private advance(now: number): number {
    const current = Math.floor(now / this.slotMs)
    if (current > this.latest) {
      const steps = Math.min(slots, current - this.latest)
      for (let i = 0; i < steps; i++) {
        const slot = (((current - i) % slots) + slots) % slots
        this.sum -= this.sums[slot] ?? 0
        this.sums[slot] = 0
      }
      this.latest = current
    }
    return ((this.latest % slots) + slots) % slots
  }
}
