import type { RateLimitWindow } from "@switchyard/core/RateLimitHeaders"
import { windowMs } from "./slidingWindow.js"

/** What a provider said is believed for a day at most, whatever reset it names. */
const maxBelief = 24 * 60 * 60 * 1000

/** What the provider's headers said last about one quantity, until its window resets. */
export class LearnedLimit {
  private limit: number | undefined
  private remaining = 0
  private usedThen = 0
  /** Monotonic ms until which the provider's word holds. */
  until = Number.NEGATIVE_INFINITY

  /** Believes a header set; `used` is what the local window shows at that moment. */
  learn(said: RateLimitWindow, used: number, now: number): void {
    if (said.remaining === undefined) return
    this.limit = said.limit
    this.remaining = said.remaining
    this.usedThen = used
    this.until = now + Math.min(said.resetAfter ?? windowMs, maxBelief)
  }

  /**
   * The share that is left, what was used since the headers came taken off; 1 when nothing is known. `localLimit` stands
   * in for a limit that the provider did not name.
   */
  headroom(used: number, localLimit: number | undefined, now: number): number {
    if (now >= this.until) return 1
    const left = this.remaining - Math.max(0, used - this.usedThen)
    if (left <= 0) return 0
    const limit = this.limit ?? localLimit
    return limit === undefined || limit <= 0 ? 1 : Math.min(1, left / limit)
  }
}
