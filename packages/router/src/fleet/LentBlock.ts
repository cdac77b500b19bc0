/**
 * Room that a process was lent of one key: which calls fit into it, and what there is to say of them to who lent it.
 */
import type { SharedLimits, SharedUse } from "./Engine.js"
import type { Room, Told } from "./UsageLoans.js"

/** A block of which nothing was used for so long goes back, ms. */
const idle = 1_000

interface Going {
  readonly tokens: number
  readonly moment: number
}

/** What was used by calls that began at one moment. */
interface Ended {
  tokens: number
  refunds: number
}

const sane = (tokens: number): number => (tokens > 0 && Number.isFinite(tokens) ? tokens : 0)

/** A loan as its borrower knows it; times are monotonic ms. */
export class LentBlock {
  private requests = 0
  private tokens = 0
  private calls = 0
  private readonly going = new Map<string, Going>()
  private held = 0
  private moment = 0
  private begun = 0
  private ended = new Map<number, Ended>()
  private lessRequests = 0
  private lessTokens = 0
  private lessCalls = 0
  private hasNews = false
  private closed = false
  private usedAt = 0
  /** It was last sure to be this process's: a frozen one's is not, once it wakes. */
  private saidAt = 0
  private use = { requests: 0, tokens: 0, calls: 0 }
  private requestsFreeAt: number | undefined
  private tokensFreeAt: number | undefined

  constructor(
    readonly key: string,
    readonly loan: number,
    readonly limits: SharedLimits,
    readonly window: number,
    private readonly lease: number
  ) {}

  get isClosed(): boolean {
    return this.closed
  }

  /** Nothing will be said of it any more. */
  get isOver(): boolean {
    return this.closed && this.going.size === 0 && !this.hasNews
  }

  isIdle(now: number): boolean {
    return !this.closed && now - this.usedAt >= idle
  }

  /** It has more, by an answer to a question of `asked`. */
  more(room: Room, use: SharedUse, asked: number, now: number): void {
    if (this.closed) {
      this.lessRequests += room.requests
      this.lessTokens += room.tokens
      this.lessCalls += room.calls
      this.hasNews = true
      return
    }
    this.requests += room.requests
    this.tokens += room.tokens
    this.calls += room.calls
    this.usedAt = now
    this.saidAt = asked
    this.heard(use, now)
  }

  /** What all have used. */
  heard(use: SharedUse, now: number): void {
    this.use = { requests: use.requests, tokens: use.tokens, calls: use.calls }
    this.requestsFreeAt = use.requestsFreeIn === undefined ? undefined : now + use.requestsFreeIn
    this.tokensFreeAt = use.tokensFreeIn === undefined ? undefined : now + use.tokensFreeIn
  }

  /** Begins a call; what is used by then, or undefined where there is no room. */
  take(attempt: string, estimated: number, now: number): SharedUse | undefined {
    const known = this.going.get(attempt)
    if (known !== undefined) return this.told(now)
    if (this.closed || this.requests < 1 || this.calls < 1 || !this.isSure(now)) return undefined
    const { tpm } = this.limits
    const tokens = Math.max(1, Math.min(sane(estimated), tpm ?? Number.POSITIVE_INFINITY))
    if (tpm !== undefined) {
      if (this.tokens < tokens) return undefined
      this.tokens -= tokens
    }
    this.requests--
    this.calls--
    this.begun++
    this.held += tokens
    this.going.set(attempt, { tokens, moment: this.moment })
    this.use.requests++
    this.use.tokens += tokens
    this.use.calls++
    this.usedAt = now
    this.hasNews = true
    return this.told(now)
  }

  /** A call is over, with the tokens that it used; undefined where nothing was sent. */
  end(attempt: string, used: number | undefined): void {
    const call = this.going.get(attempt)
    if (call === undefined) return
    this.going.delete(attempt)
    this.held = this.going.size === 0 ? 0 : this.held - call.tokens
    const tokens = sane(used ?? 0)
    this.use.calls = Math.max(0, this.use.calls - 1)
    // What was heard meanwhile may not know of it yet.
    this.use.tokens = Math.max(0, this.use.tokens + tokens - call.tokens)
    this.hasNews = true
    this.lessCalls++
    if (this.limits.tpm !== undefined) this.lessTokens += call.tokens
    if (!this.closed) {
      // The engine holds on to what is used again here.
      this.calls++
      this.lessCalls--
      const back = Math.max(0, call.tokens - tokens)
      if (this.limits.tpm !== undefined) {
        this.tokens += back
        this.lessTokens -= back
      }
    }
    const isUnsaid = used === undefined && call.moment === this.moment
    if (isUnsaid) {
      // Nobody has heard of it.
      this.begun--
      this.use.requests = Math.max(0, this.use.requests - 1)
      if (this.closed) this.lessRequests++
      else this.requests++
      return
    }
    const known = this.ended.get(call.moment)
    const refund = used === undefined ? 1 : 0
    if (known === undefined) this.ended.set(call.moment, { tokens, refunds: refund })
    else {
      known.tokens += tokens
      known.refunds += refund
    }
  }

  /** Takes no more calls: what is not used goes back. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.hasNews = true
    this.lessRequests += this.requests
    this.lessTokens += this.tokens
    this.lessCalls += this.calls
    this.requests = 0
    this.tokens = 0
    this.calls = 0
  }

  /** What was not said yet; undefined where there is nothing, unless a word is due anyway. */
  word(now: number, isDue = false): Told | undefined {
    if (!this.hasNews && !isDue) return undefined
    const word: Told = {
      key: this.key,
      loan: this.loan,
      moment: this.moment,
      requests: this.begun,
      ended: [...this.ended].map(([moment, { refunds, tokens }]) => [moment, tokens, refunds] as const),
      less: { requests: this.lessRequests + this.begun, tokens: this.lessTokens, calls: this.lessCalls },
      running: this.going.size,
      held: this.held,
      isClosed: this.closed
    }
    if (this.isSure(now)) this.saidAt = now
    this.moment++
    this.begun = 0
    this.ended = new Map()
    this.lessRequests = 0
    this.lessTokens = 0
    this.lessCalls = 0
    this.hasNews = false
    return word
  }

  /** After half a lease without a word it may be no more: then it is asked for, and is a loan of its own again or another. */
  private isSure(now: number): boolean {
    return now - this.saidAt < this.lease / 2
  }

  private told(now: number): SharedUse {
    const left = (until: number | undefined) => (until === undefined ? undefined : Math.max(0, until - now))
    const { calls, requests, tokens } = this.use
    return {
      requests,
      tokens,
      calls,
      requestsFreeIn: left(this.requestsFreeAt),
      tokensFreeIn: left(this.tokensFreeAt)
    }
  }
}
