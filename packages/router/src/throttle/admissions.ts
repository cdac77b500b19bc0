import { RateWindow } from "../time/rateWindow.js"

/** No more than this is turned away, so that some always find out that it is over. */
const mostShed = 0.95
/** Priorities beyond this, either way, are alike. */
const mostPriority = 8

const rankOf = (priority: number): number =>
  Number.isNaN(priority) ? 0 : Math.max(-mostPriority, Math.min(mostPriority, Math.round(priority)))

/**
 * What became of the requests of one group in the last while, and how many are to be turned away for it: the rule of
 * Google's SRE book. Those of the worst priority go first, and others only when that is not enough.
 */
export class Admissions {
  private readonly asked: RateWindow
  private readonly accepted: RateWindow
  private readonly arrived = new Map<number, RateWindow>()

  constructor(private readonly window: number) {
    this.asked = new RateWindow(window)
    this.accepted = new RateWindow(window)
  }

  /** A request has come. */
  arrive(priority: number, now: number): void {
    const rank = rankOf(priority)
    let window = this.arrived.get(rank)
    if (window === undefined) {
      window = new RateWindow(this.window)
      this.arrived.set(rank, window)
    }
    window.add(now)
  }

  /** A request is over: the group has served it, or it was too much. One that was turned away is too much as well. */
  settle(isAccepted: boolean, now: number): void {
    this.asked.add(now)
    if (isAccepted) this.accepted.add(now)
  }

  /** The share of all requests that is to be turned away. */
  share(k: number, minimum: number, now: number): number {
    const asked = this.asked.total(now)
    if (asked < minimum) return 0
    return Math.min(mostShed, Math.max(0, (asked - k * this.accepted.total(now)) / (asked + 1)))
  }

  /** The part of `share` that falls on those of a priority, of which one has arrived. */
  shareOf(priority: number, share: number, now: number): number {
    if (this.arrived.size === 1) return share
    const rank = rankOf(priority)
    let [all, worse, same] = [0, 0, 0]
    for (const [other, window] of this.arrived) {
      const count = window.total(now)
      all += count
      if (other > rank) worse += count
      else if (other === rank) same += count
    }
    return same === 0 ? share : Math.min(mostShed, Math.max(0, (share * all - worse) / same))
  }
}
