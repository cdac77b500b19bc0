import type { SlidingWindow } from "../limits/slidingWindow.js"
import type { AdmitAsk, SharedLimits } from "./Engine.js"
import type { Grant, Lent, Room, Told } from "./UsageLoans.js"

/** At most so much of each kind is lent, in calls: about a second of a busy process. */
const most = 1_024

/** Less than room for so many calls is not worth a loan, and near the limit nothing is lent. */
const least = 8

/** A borrower gets this part of its share of what is free. */
const part = 4

/** After room was asked back nothing is lent for so long, ms. */
const pause = 250

/** What one borrower was lent of one key: one loan that is open, and those of whose calls some still run. */
interface Loan extends Lent {
  readonly limits: SharedLimits
  lent: Room
  running: number
  held: number
  isClosed: boolean
  /** When it is forfeited without a word of its borrower. */
  until: number
  lease: number
  /** Entries of the windows by the borrower's names for them. */
  readonly moments: Map<number, { readonly requestEntry: number; readonly tokenEntry: number; readonly at: number }>
}

const none: Room = { requests: 0, tokens: 0, calls: 0 }

const plus = (a: Room, b: Room, sign: 1 | -1): Room => ({
  requests: a.requests + sign * b.requests,
  tokens: a.tokens + sign * b.tokens,
  calls: a.calls + sign * b.calls
})

const noLimits: SharedLimits = { rpm: undefined, tpm: undefined, maxParallel: undefined }

const isSame = (a: SharedLimits, b: SharedLimits): boolean =>
  a.rpm === b.rpm && a.tpm === b.tpm && a.maxParallel === b.maxParallel

let numbered = 0

/** The loans of one key. Times are ms of the engine's clock. */
export class Loans {
  private readonly byNumber = new Map<number, Loan>()
  private lentSum = none
  private runningSum = 0
  private heldSum = 0
  private pausedUntil = Number.NEGATIVE_INFINITY
  private endsFirst = Number.POSITIVE_INFINITY

  constructor(
    private readonly window: number,
    private readonly requests: SlidingWindow,
    private readonly settled: SlidingWindow
  ) {}

  /** What all have been lent, used by calls in flight or not used yet. */
  get lent(): Room {
    return this.lentSum
  }

  /** Calls of borrowers in flight, as they said last. */
  get running(): number {
    return this.runningSum
  }

  /** Tokens that these hold. */
  get held(): number {
    return this.heldSum
  }

  get isEmpty(): boolean {
    return this.byNumber.size === 0
  }

  /** `free` is what nobody has used or been lent. */
  lend(ask: AdmitAsk, borrower: string, borrowers: number, free: Room, now: number): Grant | undefined {
    const { key, lease, limits } = ask
    const known = this.openOf(borrower)
    if (now < this.pausedUntil || isSame(limits, noLimits)) return undefined
    if (known !== undefined && !isSame(known.limits, limits)) return undefined
    const share = (amount: number, bound: number) => Math.min(bound, Math.floor(amount / (part * borrowers)))
    const each = Math.max(1, ask.tokens)
    const hasTokens = limits.tpm !== undefined
    const wanted: Room = {
      requests: share(free.requests, most),
      tokens: hasTokens ? share(free.tokens, most * each) : 0,
      calls: share(free.calls, most)
    }
    if (wanted.requests < least || wanted.calls < least || (hasTokens && wanted.tokens < least * each)) return undefined
    const unused = known === undefined ? none : this.unusedOf(known)
    const more = plus(wanted, unused, -1)
    const room = {
      requests: Math.max(0, more.requests),
      tokens: Math.max(0, more.tokens),
      calls: Math.max(0, more.calls)
    }
    const loan = known ?? this.begun(key, borrower, limits)
    loan.lent = plus(loan.lent, room, 1)
    this.lentSum = plus(this.lentSum, room, 1)
    this.hold(loan, lease, now)
    return { key, loan: loan.loan, room }
  }

  told(borrower: string, word: Told, now: number): number {
    const loan = this.byNumber.get(word.loan)
    if (loan?.borrower !== borrower) return 0
    const { held, isClosed, less, moment, requests, running } = word
    if (requests > 0) {
      loan.moments.set(moment, {
        requestEntry: this.requests.add(now, requests),
        tokenEntry: this.settled.add(now, 0),
        at: now
      })
    }
    for (const [of, tokens, refunds] of word.ended) {
      const entries = loan.moments.get(of)
      if (entries === undefined) continue
      this.settled.change(entries.tokenEntry, tokens, now)
      if (refunds > 0) this.requests.change(entries.requestEntry, -refunds, now)
    }
    for (const [name, { at }] of loan.moments) {
      if (at + this.window > now) break
      loan.moments.delete(name)
    }
    loan.lent = plus(loan.lent, less, -1)
    this.lentSum = plus(this.lentSum, less, -1)
    this.runs(loan, running, held)
    loan.isClosed = isClosed
    if (isClosed && running === 0) this.drop(loan)
    else this.hold(loan, loan.lease, now)
    return requests
  }

  renew(borrower: string, number: number, lease: number, now: number): boolean {
    const loan = this.byNumber.get(number)
    if (loan?.borrower !== borrower) return false
    this.hold(loan, lease, now)
    return true
  }

  /** Those that have to be asked back. */
  recall(now: number): ReadonlyArray<Lent> {
    const open = [...this.byNumber.values()].filter(({ isClosed }) => !isClosed)
    if (open.length > 0) this.pausedUntil = now + pause
    return open.map(({ borrower, key, loan }) => ({ borrower, key, loan }))
  }

  /** What its calls did nobody knows: all counts as used. */
  forfeit(borrower: string, now: number): void {
    for (const loan of [...this.byNumber.values()]) if (loan.borrower === borrower) this.lose(loan, now)
  }

  /** Forfeits what was lent to those that say nothing any more. */
  endLeases(now: number): void {
    if (now < this.endsFirst) return
    this.endsFirst = Number.POSITIVE_INFINITY
    for (const loan of [...this.byNumber.values()]) {
      if (loan.until <= now) this.lose(loan, now)
      else this.endsFirst = Math.min(this.endsFirst, loan.until)
    }
  }

  private lose(loan: Loan, now: number): void {
    const { requests, tokens } = loan.lent
    const used = Math.max(tokens, loan.held)
    if (requests > 0) this.requests.add(now, requests)
    if (used > 0) this.settled.add(now, used)
    this.drop(loan)
  }

  private openOf(borrower: string): Loan | undefined {
    for (const loan of this.byNumber.values()) if (loan.borrower === borrower && !loan.isClosed) return loan
    return undefined
  }

  private unusedOf({ held, lent, limits, running }: Loan): Room {
    return {
      requests: lent.requests,
      tokens: limits.tpm === undefined ? 0 : Math.max(0, lent.tokens - held),
      calls: Math.max(0, lent.calls - running)
    }
  }

  private begun(key: string, borrower: string, limits: SharedLimits): Loan {
    const loan: Loan = {
      borrower,
      key,
      loan: ++numbered,
      limits,
      lent: none,
      running: 0,
      held: 0,
      isClosed: false,
      until: 0,
      lease: 0,
      moments: new Map()
    }
    this.byNumber.set(loan.loan, loan)
    return loan
  }

  private hold(loan: Loan, lease: number, now: number): void {
    loan.lease = lease
    loan.until = now + lease
    this.endsFirst = Math.min(this.endsFirst, loan.until)
  }

  private runs(loan: Loan, running: number, held: number): void {
    this.runningSum += running - loan.running
    this.heldSum += held - loan.held
    loan.running = running
    loan.held = held
  }

  private drop(loan: Loan): void {
    this.runs(loan, 0, 0)
    this.lentSum = plus(this.lentSum, loan.lent, -1)
    this.byNumber.delete(loan.loan)
    if (this.byNumber.size === 0) this.lentSum = none
  }
}
