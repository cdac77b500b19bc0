import { SlidingWindow } from "../limits/slidingWindow.js"
import type { AdmitAsk, Admitted, Refused, SharedLimits, SharedUse } from "./Engine.js"
import { Loans } from "./loans.js"
import type { Grant, Lent, Told } from "./UsageLoans.js"

/** A call in flight. */
interface Taken {
  readonly tokens: number
  readonly requestEntry: number
  readonly tokenEntry: number
  readonly number: number
  /** When its room comes back without a word of its process. */
  until: number
}

const sane = (tokens: number): number => (tokens > 0 && Number.isFinite(tokens) ? tokens : 0)

const left = (until: number | undefined, now: number): number | undefined =>
  until === undefined ? undefined : Math.max(0, until - now)

/**
 * What one key has used, by calls of many processes: the same sums as those of one process, and a lease for each call. Times
 * are ms of the engine's clock.
 */
export class SharedUsage {
  private readonly requests: SlidingWindow
  private readonly settled: SlidingWindow
  private readonly taken = new Map<string, Taken>()
  private readonly loans: Loans
  private held = 0
  private count = 0
  /** No lease ends before. */
  private endsFirst = Number.POSITIVE_INFINITY

  constructor(
    /** ms */
    readonly window: number
  ) {
    this.requests = new SlidingWindow(window)
    this.settled = new SlidingWindow(window)
    this.loans = new Loans(window, this.requests, this.settled)
  }

  admit({ attempt, lease, limits, tokens }: AdmitAsk, now: number): Admitted | Refused {
    this.endLeases(now)
    const known = this.taken.get(attempt)
    if (known !== undefined) return { _tag: "Admitted", number: known.number, use: this.use(now) }
    const wanted = Math.max(1, Math.min(sane(tokens), limits.tpm ?? Number.POSITIVE_INFINITY))
    const refused = this.refusal(limits, wanted, now)
    if (refused !== undefined) return refused
    const until = now + lease
    this.count++
    this.taken.set(attempt, {
      tokens: wanted,
      requestEntry: this.requests.add(now, 1),
      tokenEntry: this.settled.add(now, 0),
      number: this.count,
      until
    })
    this.held += wanted
    this.endsFirst = Math.min(this.endsFirst, until)
    return { _tag: "Admitted", number: this.count, use: this.use(now) }
  }

  settle(attempt: string, tokens: number, now: number): void {
    this.endLeases(now)
    const known = this.taken.get(attempt)
    if (known !== undefined) this.end(attempt, known, sane(tokens), now)
  }

  release(attempt: string, now: number): void {
    this.endLeases(now)
    const known = this.taken.get(attempt)
    if (known === undefined) return
    this.end(attempt, known, 0, now)
    this.requests.change(known.requestEntry, -1, now)
  }

  /** False for a call whose lease has ended. */
  renew(attempt: string, lease: number, now: number): boolean {
    this.endLeases(now)
    const known = this.taken.get(attempt)
    if (known === undefined) return false
    known.until = now + lease
    this.endsFirst = Math.min(this.endsFirst, known.until)
    return true
  }

  record(requests: number, tokens: number, ago: number, now: number): void {
    if (ago >= this.window) return
    // What happened without the engine counts from now on: late, but never early.
    if (requests > 0) this.requests.add(now, requests)
    if (tokens > 0) this.settled.add(now, tokens)
    this.count += requests
  }

  /** Room like that of a call that was just admitted, for one of so many borrowers; undefined near the limit. */
  lend(ask: AdmitAsk, borrower: string, borrowers: number, now: number): Grant | undefined {
    const { maxParallel, rpm, tpm } = ask.limits
    const { calls, requests, tokens } = this.loans.lent
    const left = (limit: number | undefined, used: number) => (limit ?? Number.POSITIVE_INFINITY) - used
    const free = {
      requests: left(rpm, this.requests.total(now) + requests),
      tokens: left(tpm, this.held + this.settled.total(now) + tokens),
      calls: left(maxParallel, this.taken.size + calls)
    }
    return this.loans.lend(ask, borrower, borrowers, free, now)
  }

  told(borrower: string, word: Told, now: number): void {
    this.endLeases(now)
    this.count += this.loans.told(borrower, word, now)
  }

  /** False for a loan that was forfeited. */
  renewLoan(borrower: string, loan: number, lease: number, now: number): boolean {
    this.endLeases(now)
    return this.loans.renew(borrower, loan, lease, now)
  }

  /** What has to be asked back before anybody is refused. */
  recall(now: number): ReadonlyArray<Lent> {
    this.endLeases(now)
    return this.loans.recall(now)
  }

  forfeit(borrower: string, now: number): void {
    this.loans.forfeit(borrower, now)
  }

  use(now: number): SharedUse {
    this.endLeases(now)
    return {
      requests: this.requests.total(now),
      tokens: this.held + this.loans.held + this.settled.total(now),
      calls: this.taken.size + this.loans.running,
      requestsFreeIn: left(this.requests.leaves(1), now),
      tokensFreeIn: left(this.settled.leaves(1), now)
    }
  }

  /** Nothing counts any more. */
  isIdle(now: number): boolean {
    this.endLeases(now)
    return this.taken.size === 0 && this.loans.isEmpty && this.requests.isEmpty(now) && this.settled.isEmpty(now)
  }

  private refusal({ maxParallel, rpm, tpm }: SharedLimits, tokens: number, now: number): Refused | undefined {
    const refused = (reason: Refused["reason"], until: number | undefined): Refused => ({
      _tag: "Refused",
      reason,
      freesIn: left(until, now),
      use: this.use(now)
    })
    const { lent } = this.loans
    if (maxParallel !== undefined && this.taken.size + lent.calls >= maxParallel) {
      return refused("maxParallel", undefined)
    }
    if (rpm !== undefined) {
      const used = this.requests.total(now) + lent.requests
      if (used >= rpm) return refused("rpm", rpm <= 0 ? undefined : this.requests.leaves(used - rpm + 1))
    }
    if (tpm !== undefined) {
      const excess = this.held + lent.tokens + this.settled.total(now) + tokens - tpm
      if (tpm <= 0 || excess > 0) return refused("tpm", tpm <= 0 ? undefined : this.settled.leaves(excess))
    }
    return undefined
  }

  private end(attempt: string, { tokenEntry, tokens }: Taken, used: number, now: number): void {
    this.taken.delete(attempt)
    this.held = this.taken.size === 0 ? 0 : this.held - tokens
    this.settled.change(tokenEntry, Math.min(used, tokens), now)
    if (used > tokens) this.settled.add(now, used - tokens)
  }

  /** A process that says nothing any more may have used what its calls held. */
  private endLeases(now: number): void {
    this.loans.endLeases(now)
    if (now < this.endsFirst) return
    this.endsFirst = Number.POSITIVE_INFINITY
    for (const [attempt, taken] of this.taken) {
      if (taken.until <= now) this.end(attempt, taken, taken.tokens, now)
      else this.endsFirst = Math.min(this.endsFirst, taken.until)
    }
  }
}
