import type { Deployment } from "@switchyard/core/Deployment"
import { longestHold } from "@switchyard/core/LlmError"
import type { RateLimitHeaders } from "@switchyard/core/RateLimitHeaders"
import { type Busy, busy, open, type Status, worst } from "@switchyard/core/Status"
import { LearnedLimit, type LearnedSnapshot } from "./learnedLimit.js"
import { SlidingWindow } from "./slidingWindow.js"

/** The last answer of one limit, made anew only when its end changes. */
class BusyStatus {
  private value: Busy
  constructor(
    private readonly reason: string,
    private readonly early: boolean
  ) {
    this.value = this.made(undefined)
  }

  until(until: number | undefined): Busy {
    if (this.value.until !== until) this.value = this.made(until)
    return this.value
  }

  private made(until: number | undefined): Busy {
    return this.early ? { ...busy(this.reason, until), early: true } : busy(this.reason, until)
  }
}

/** The limits that calls are held to, per 60 s and at once; an undefined one does not bind. */
type Limits = Pick<Deployment, "rpm" | "tpm" | "maxParallel">

/** What one call took, and where it stands in the windows. */
export interface Taken {
  readonly tokens: number
  readonly requestEntry: number
  readonly tokenEntry: number
}

const sane = (tokens: number): number => (tokens > 0 && Number.isFinite(tokens) ? tokens : 0)

/** An estimate as it is reserved: at least one token, and never more than the limit, so that any call can ever run. */
const clamped = (tokens: number, tpm: number | undefined): number =>
  Math.max(1, Math.min(sane(tokens), tpm ?? Infinity))

const shareLeft = (used: number, limit: number | undefined): number =>
  limit === undefined ? 1 : limit <= 0 ? 0 : 1 - used / limit

/**
 * The limits' view of one deployment, or of one caller. Limits come from the configuration of the moment, so a reload
 * holds at once. A request and the reserved part of its tokens count from admission, what goes beyond the reservation
 * from the outcome; a reservation is held until the outcome, even if that outlasts the window.
 */
export class SlotUsage {
  /** Somebody reads the usage, so calls are worth counting without a limit. */
  isWatched = false
  /** What `read` writes. */
  readonly view = { tokens: 0, requests: 0, headroom: 1 }
  private readonly requests = new SlidingWindow()
  private readonly settled = new SlidingWindow()
  private readonly learnedRequests = new LearnedLimit()
  private readonly learnedTokens = new LearnedLimit()
  private readonly requestsBusy = new BusyStatus("rpm", false)
  /** Calls reserve more than they use, as a rule. */
  private readonly tokensBusy = new BusyStatus("tpm", true)
  private readonly parallelBusy: Busy = { ...busy("maxParallel"), early: true }
  private inFlight = 0
  private held = 0
  private throttledUntil = Number.NEGATIVE_INFINITY
  /** Until when the provider's word, or its wish to be left alone, may matter. */
  private heardUntil = Number.NEGATIVE_INFINITY

  status({ maxParallel, rpm, tpm }: Limits, tokens: number, now: number): Status {
    if (maxParallel !== undefined && this.inFlight >= maxParallel) return this.parallelBusy
    const byRequests = rpm === undefined ? open : this.requestStatus(rpm, now)
    return tpm === undefined ? byRequests : worst(byRequests, this.tokenStatus(tpm, clamped(tokens, tpm), now))
  }

  take(tpm: number | undefined, tokens: number, now: number): Taken {
    const reserved = clamped(tokens, tpm)
    this.inFlight++
    this.held += reserved
    return { tokens: reserved, requestEntry: this.requests.add(now, 1), tokenEntry: this.settled.add(now, 0) }
  }

  /** What calls in flight hold: permits, and reserved tokens. */
  get holding(): { readonly calls: number; readonly tokens: number } {
    return { calls: this.inFlight, tokens: this.held }
  }

  /** Nothing counts any more, and no call is in flight. */
  isIdle(now: number): boolean {
    return this.inFlight === 0 && this.requests.isEmpty(now) && this.settled.isEmpty(now)
  }

  settle(taken: Taken, tokens: number, now: number): void {
    const used = sane(tokens)
    this.inFlight--
    this.held -= taken.tokens
    this.settled.change(taken.tokenEntry, Math.min(used, taken.tokens), now)
    if (used > taken.tokens) this.settled.add(now, used - taken.tokens)
  }

  release(taken: Taken, now: number): void {
    this.inFlight--
    this.held -= taken.tokens
    this.requests.change(taken.requestEntry, -1, now)
  }

  read({ rpm, tpm }: Limits, now: number): SlotUsage["view"] {
    const { view } = this
    view.tokens = this.held + this.settled.total(now)
    view.requests = this.requests.total(now)
    const own = Math.min(shareLeft(view.tokens, tpm), shareLeft(view.requests, rpm))
    view.headroom = Math.max(0, now < this.heardUntil ? Math.min(own, this.heardHeadroom(tpm, rpm, now)) : own)
    return view
  }

  learn(said: RateLimitHeaders, now: number): void {
    if (said.requests !== undefined) this.learnedRequests.learn(said.requests, this.requests.total(now), now)
    if (said.tokens !== undefined) this.learnedTokens.learn(said.tokens, this.held + this.settled.total(now), now)
    this.heardUntil = Math.max(this.heardUntil, this.learnedRequests.until, this.learnedTokens.until)
    if (said.retryAfter !== undefined) this.throttle(said.retryAfter, now)
  }

  /** What another process may go on with of the provider's word; undefined where that is nothing. */
  snapshot(now: number): LearnedSnapshot | undefined {
    const requests = this.learnedRequests.snapshot(this.requests.total(now), now)
    const tokens = this.learnedTokens.snapshot(this.held + this.settled.total(now), now)
    if (requests === undefined && tokens === undefined) return undefined
    return { ...(requests === undefined ? {} : { requests }), ...(tokens === undefined ? {} : { tokens }) }
  }

  /** Goes on from another process's snapshot of `now`, which may be past. */
  restore({ requests, tokens }: LearnedSnapshot, now: number): void {
    if (requests !== undefined) this.learnedRequests.restore(requests, this.requests.total(now), now)
    if (tokens !== undefined) this.learnedTokens.restore(tokens, this.held + this.settled.total(now), now)
    this.heardUntil = Math.max(this.heardUntil, this.learnedRequests.until, this.learnedTokens.until)
  }

  throttle(duration: number, now: number): void {
    const until = now + Math.min(sane(duration), longestHold)
    if (until > this.throttledUntil) this.throttledUntil = until
    if (until > this.heardUntil) this.heardUntil = until
  }

  private heardHeadroom(tpm: number | undefined, rpm: number | undefined, now: number): number {
    if (now < this.throttledUntil) return 0
    return Math.min(
      this.learnedTokens.headroom(this.view.tokens, tpm, now),
      this.learnedRequests.headroom(this.view.requests, rpm, now)
    )
  }

  private requestStatus(rpm: number, now: number): Status {
    const used = this.requests.total(now)
    if (used < rpm) return open
    return this.requestsBusy.until(rpm <= 0 ? undefined : this.requests.leaves(used - rpm + 1))
  }

  private tokenStatus(tpm: number, tokens: number, now: number): Status {
    const excess = this.held + this.settled.total(now) + tokens - tpm
    if (tpm > 0 && excess <= 0) return open
    return this.tokensBusy.until(tpm <= 0 ? undefined : this.settled.leaves(excess))
  }
}
