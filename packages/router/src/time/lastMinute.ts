import { key, type Slot } from "@switchyard/core/Slot"
import { RateWindow } from "./rateWindow.js"

const minute = 60_000
/** No attempt uses more: a larger figure is none. */
const mostTokens = 1e9

/** What a deployment did in the last 60 seconds, to the second: cheap enough to count on every call. */
export class LastMinute {
  private readonly begun = new RateWindow(minute)
  private readonly used = new RateWindow(minute)
  private readonly failed = new RateWindow(minute)

  /** An attempt began. */
  begin(now: number): void {
    this.begun.add(now)
  }

  /** An attempt that had begun was turned away before a byte was sent. */
  takeBack(now: number): void {
    this.begun.takeBack(now)
  }

  /** An attempt ended, with so many tokens. */
  end(tokens: number, isFailure: boolean, now: number): void {
    if (tokens > 0 && tokens <= mostTokens) this.used.addMany(now, Math.round(tokens))
    if (isFailure) this.failed.add(now)
  }

  requests(now: number): number {
    return this.begun.total(now)
  }

  tokens(now: number): number {
    return this.used.total(now)
  }

  failures(now: number): number {
    return this.failed.total(now)
  }
}

const lastMinute = key("lastMinute", () => new LastMinute())

/** The last minute of a slot's deployment. The Balancer's figures write it. */
export const lastMinuteOf = (slot: Slot): LastMinute => slot.get(lastMinute)
