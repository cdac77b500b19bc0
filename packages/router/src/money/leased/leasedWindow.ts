import type { Effect } from "effect"
import { LocalSpendWindow, type SpendWindow } from "../SpendWindows.js"
import { ofDollars, perDollar, toDollars } from "./NanoUsd.js"
import type { LeaseAsk, LeaseGrant, Spent, WindowName, WindowState } from "./SpendLease.js"

/** Ms that a lease lasts: as long as what is left of a crash counts as spent. */
const leaseLasts = 60_000

/** A lease is renewed when it lasts no longer than this, ms. */
const renewedBefore = 30_000

/** A window that nobody has used for so long, in ms, gives its lease back. */
const idleAfter = 5_000

/** What is left by the store's answer counts for so long, in ms, where that is too little. */
const answerHolds = 1_000

/** A lease is this share of the limit, or one call if that is more. */
const share = 0.01

/** What a window asks of whoever keeps the leases of all of them. Times are monotonic ms, but for `wallNow`. */
export interface Office {
  /** The store does not answer, or not in time. */
  readonly isAway: (now: number) => boolean
  readonly wallNow: () => number
  /** Asks for the window soon; nobody waits. */
  readonly want: (window: LeasedWindow) => void
  /** The window is used: it is looked after every second until it rests. */
  readonly watch: (window: LeasedWindow) => void
  /** Asks for the window now; done when there is an answer, 100 ms at the latest. */
  readonly ask: (window: LeasedWindow) => Effect.Effect<void>
  readonly spend: (spent: Spent) => void
  /** What may be spent here of what was left of a limit (nano-USD), while the store does not answer. Left out: by who else held a lease. */
  readonly aloneMay?: ((left: number) => number) | undefined
  /** Runs a function when an effect has ended, however it did. */
  readonly finally: (effect: Effect.Effect<void>, end: () => void) => Effect.Effect<void>
}

/** When an ask was made, by both clocks: what comes back in wall-clock ms is told from there. */
export interface AskedAt {
  readonly now: number
  readonly wall: number
}

const within = (value: number, least: number, most: number): number => Math.max(least, Math.min(most, value))

/**
 * A window whose sum is everybody's: what the store knew when it answered last, and what was settled here since. Calls spend
 * from a lease; where the store does not answer they go on by what is known. Sums here are nano-USD, those of the base USD.
 */
export class LeasedWindow extends LocalSpendWindow implements SpendWindow {
  /** Settled by everybody, as the store knows it. */
  private stored = 0
  /** Settled here since the store was asked last. Some of it may be in `stored`, too, until it is asked again: never less. */
  private unstored = 0
  /** Of `unstored`, what the ask on its way finds stored. */
  private asked = 0
  private others = 0
  /** Who else held a lease of it by the last answer. */
  private sharers = 0
  private lease = 0
  private leaseUntil = Number.NEGATIVE_INFINITY
  /** The store had less than was asked for. */
  private isShort = false
  private isLoaded = false
  private wantsMore = false
  private answeredAt = Number.NEGATIVE_INFINITY
  private usedAt = Number.NEGATIVE_INFINITY
  /** Estimates of calls that wait for an answer. */
  private waiting = 0
  private limit = 0
  private usual = 0
  /** What rounding has left over, below half a nano-USD. */
  private rest = 0
  /** When the window in force ends by the store's word, wall-clock ms. */
  private storeEndsAt: number | undefined

  constructor(
    private readonly name: WindowName,
    private readonly office: Office
  ) {
    super(name.length)
  }

  /** Waits for the store where the lease is too small for a call, unless it is known that there is no more. */
  readonly prepare = (estimate: number, limit: number, now: number): Effect.Effect<void> | undefined => {
    const { office } = this
    const need = this.note(estimate, limit, now)
    if (office.isAway(now)) return undefined
    if (this.isLoaded && this.limit === Number.MAX_SAFE_INTEGER) return undefined
    if (this.isLoaded && this.isSpent(limit, now)) {
      // Nobody waits for what is spent; but the store may have forgotten it, with a key that was deleted.
      this.wantsMore = true
      return undefined
    }
    const free = this.free(now) - this.waiting
    if (this.isLoaded && free >= need) {
      if (free - need < this.chunk / 2 && !this.isShort) this.wish()
      return undefined
    }
    if (this.isShort && now - this.answeredAt < answerHolds) return undefined
    this.waiting += need
    return office.finally(office.ask(this), () => {
      this.waiting -= need
    })
  }

  override fits(estimate: number, limit: number, now: number): boolean {
    const does = super.fits(estimate, limit, now) && (!this.office.isAway(now) || this.fitsAlone(estimate, limit))
    // Others may have given back what they held.
    if (!does && this.others > 0) {
      this.note(estimate, limit, now)
      this.wantsMore = true
    }
    return does
  }

  /**
   * Without the store's answer calls go on by the lease and a share of what was left when it answered last: what was spent here
   * since comes off that. All of what was left would be spent by each that shares the window.
   */
  private fitsAlone(estimate: number, limit: number): boolean {
    const { aloneMay } = this.office
    const most = ofDollars(limit)
    if (most === Number.MAX_SAFE_INTEGER) return true
    const left = Math.max(0, most - this.stored - this.others - this.lease)
    const alone = this.lease + (aloneMay === undefined ? left / (1 + this.sharers) : aloneMay(left))
    const own = this.unstored + this.reservedNano
    return own + ofDollars(estimate) <= alone || (!this.isHeld && own < alone)
  }

  /** What is asked of the store, and noted as asked. */
  askAt(at: AskedAt): LeaseAsk {
    this.roll(at.now)
    this.asked = this.unstored
    this.wantsMore = false
    const ahead = this.isUsed(at.now) || this.waiting > 0 ? this.chunk : 0
    const amount =
      this.limit === Number.MAX_SAFE_INTEGER
        ? 0
        : Math.min(this.limit, this.reservedNano + Math.max(ahead, this.waiting))
    return { ...this.name, limit: this.limit, amount: Math.ceil(amount), lasts: leaseLasts, now: at.wall }
  }

  /** Whether something of what was settled here has not been stored as far as this knows. */
  get hasUnstored(): boolean {
    return this.unstored > 0
  }

  /** What the store knew of it at the start. */
  goOn({ endsAt, leasedByOthers, spent }: WindowState, at: AskedAt): void {
    this.stored = spent
    this.spent = toDollars(spent)
    this.others = leasedByOthers
    this.isLoaded = true
    if (endsAt !== undefined) this.endsBy(endsAt, at)
  }

  /** The store has answered. */
  learn({ amount }: LeaseAsk, grant: LeaseGrant, at: AskedAt, now: number): void {
    this.stored = grant.spent
    this.unstored = Math.max(0, this.unstored - this.asked)
    this.asked = 0
    this.others = grant.leasedByOthers
    this.sharers = grant.sharers ?? 0
    this.lease = grant.granted
    this.leaseUntil = at.now + within(grant.expiresAt - at.wall, 0, leaseLasts)
    this.isShort = grant.granted < amount
    this.isLoaded = true
    this.answeredAt = now
    if (grant.endsAt !== undefined) this.endsBy(grant.endsAt, at)
    this.spent = toDollars(this.stored + this.unstored)
  }

  private endsBy(endsAt: number, at: AskedAt): void {
    this.endsAt = at.now + within(endsAt - at.wall, 0, this.length)
    this.storeEndsAt = endsAt
  }

  /** The store has not answered. */
  missed(): void {
    this.asked = 0
    this.wantsMore = true
  }

  /** Whether the store should be asked or told something. */
  isDue(now: number): boolean {
    this.roll(now)
    if (this.wantsMore || this.hasUnstored || this.waiting > 0) return true
    if (this.lease === 0) return false
    return this.isHeld || this.isUsed(now) ? this.leaseUntil - now < renewedBefore : true
  }

  /** Nothing is left to ask or to tell. */
  isResting(now: number): boolean {
    return !this.isDue(now) && !this.isHeld && !this.isUsed(now) && this.lease === 0
  }

  protected override heldElsewhere(): number {
    return toDollars(this.others)
  }

  protected override mayTake(estimate: number, limit: number, now: number): boolean {
    const need = this.note(estimate, limit, now)
    if (this.limit === Number.MAX_SAFE_INTEGER || this.office.isAway(now) || !this.isLoaded) return true
    const free = this.free(now)
    if (free >= need) return true
    this.wish()
    // The store had all that it was asked for, and more is on its way.
    return this.isShort ? !this.isHeld && free > 0 : this.fitsAlone(estimate, limit)
  }

  protected override setAside(estimate: number, limit: number): number {
    const amount = super.setAside(estimate, limit)
    if (this.reservedNano > this.lease) this.wish()
    return amount
  }

  protected override settle(amount: number, cost: number, now: number): void {
    super.settle(amount, cost, now)
    if (!(cost > 0 && cost < Number.POSITIVE_INFINITY)) return
    const exact = cost * perDollar + this.rest
    const nano = ofDollars(exact / perDollar)
    this.rest = exact - nano
    if (nano === 0) return
    this.unstored += nano
    this.office.watch(this)
    const { key, length, scope } = this.name
    this.office.spend({ scope, key, length, cost: nano, time: this.timeNow() })
  }

  protected override end(): void {
    super.end()
    this.stored = 0
    this.unstored = 0
    this.asked = 0
    this.others = 0
    this.sharers = 0
    this.lease = 0
    this.isShort = false
    this.storeEndsAt = undefined
  }

  /** The wall clock's time, but within the window that the money was admitted in, whatever was done to the clock. */
  private timeNow(): number {
    const wall = this.office.wallNow()
    const { storeEndsAt } = this
    if (storeEndsAt === undefined || !(this.length < Number.POSITIVE_INFINITY)) return wall
    return within(wall, storeEndsAt - this.length, storeEndsAt - 1)
  }

  private note(estimate: number, limit: number, now: number): number {
    this.roll(now)
    this.usedAt = now
    this.limit = ofDollars(limit)
    this.usual = ofDollars(estimate)
    this.office.watch(this)
    return this.usual
  }

  private wish(): void {
    this.wantsMore = true
    this.office.want(this)
  }

  /** What calls in flight hold. */
  private get reservedNano(): number {
    return ofDollars(this.reserved)
  }

  private get chunk(): number {
    return Math.max(this.limit * share, this.usual)
  }

  /** What the lease has left. */
  private free(now: number): number {
    return (now < this.leaseUntil ? this.lease : 0) - this.unstored - this.reservedNano
  }

  private isUsed(now: number): boolean {
    return now - this.usedAt < idleAfter
  }
}
