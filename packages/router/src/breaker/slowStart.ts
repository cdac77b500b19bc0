import { key, type Slot } from "@switchyard/core/Slot"

/** Where a ramp begins: a deployment that gets nothing shows nothing. */
const leastShare = 0.1

/** How much of its usual traffic a recovered deployment gets: a line from a tenth up to all of it. */
export class SlowStart {
  private from = Number.NEGATIVE_INFINITY
  private until = Number.NEGATIVE_INFINITY
  private due = 0

  /** Begins a ramp of `length` ms; 0 means that there is none. */
  begin(length: number, now: number): void {
    this.from = now
    this.until = now + length
    this.due = 0
  }

  isRunning(now: number): boolean {
    return now < this.until
  }

  /** The share at a moment: 1, but while a ramp runs. */
  factor(now: number): number {
    return now >= this.until ? 1 : Math.max(leastShare, (now - this.from) / (this.until - this.from))
  }

  /** Whether the deployment is in on one more selection that could take it: evenly, as often as its share says. */
  admits(now: number): boolean {
    this.due += this.factor(now)
    if (this.due < 1) return false
    this.due -= 1
    return true
  }
}

const slowStart = key("slowStart", () => new SlowStart())

/** The ramp of a slot's deployment. The breaker begins it, whoever chooses reads it. */
export const slowStartOf = (slot: Slot): SlowStart => slot.get(slowStart)
