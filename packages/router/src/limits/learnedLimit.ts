import type { RateLimitWindow } from "@switchyard/core/RateLimitHeaders"
import { Schema } from "effect"
import { windowMs } from "./slidingWindow.js"

/** What a provider said is believed for a day at most, whatever reset it names. */
const maxBelief = 24 * 60 * 60 * 1000

const amount = Schema.Number.pipe(Schema.between(0, 1e15))

/** What is known of one limit. */
export const LimitSnapshot = Schema.Struct({
  limit: Schema.optionalWith(amount, { exact: true }),
  remaining: amount,
  /** ms */
  lasts: Schema.Number.pipe(Schema.between(0, maxBelief))
})
/** What is known of one limit. */
export type LimitSnapshot = typeof LimitSnapshot.Type

/** What is known of a deployment's limits by its provider's word. */
export const LearnedSnapshot = Schema.Struct({
  requests: Schema.optionalWith(LimitSnapshot, { exact: true }),
  tokens: Schema.optionalWith(LimitSnapshot, { exact: true })
})
/** What is known of a deployment's limits by its provider's word. */
export type LearnedSnapshot = typeof LearnedSnapshot.Type

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

  /** What another process may go on with: what is left now; undefined where nothing is known. */
  snapshot(used: number, now: number): LimitSnapshot | undefined {
    if (now >= this.until) return undefined
    return {
      ...(this.limit === undefined ? {} : { limit: this.limit }),
      remaining: Math.max(0, this.remaining - Math.max(0, used - this.usedThen)),
      lasts: Math.min(maxBelief, this.until - now)
    }
  }

  /** Believes what another process knew at `now`, which may be past, unless the provider has said something since. */
  restore({ lasts, limit, remaining }: LimitSnapshot, used: number, now: number): void {
    if (this.until > Number.NEGATIVE_INFINITY) return
    this.limit = limit
    this.remaining = remaining
    this.usedThen = used
    this.until = now + lasts
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
