/**
 * Money that a gateway may spend of a window without asking again. A lease is durable: while its gateway lives it is renewed
 * and settled, and after a crash it counts as spent until it expires.
 */

/** A window of money: what is spent by whom in how long. */
export interface WindowName {
  /** `caller`, `team`, `user`, `deployment`, `provider`, `tag`, `requestTag`. */
  readonly scope: string
  readonly key: string
  /** ms; infinite for one that never ends. */
  readonly length: number
}

/** A window as the store knows it. Times are wall-clock ms, money nano-USD. */
export interface WindowState extends WindowName {
  /** Undefined when none has begun. */
  readonly endsAt: number | undefined
  /** Settled by everybody. */
  readonly spent: number
  /** Held by leases that have not expired, of others. */
  readonly leasedByOthers: number
}

/** What a gateway asks for: that its lease of a window be `amount` from now on, for `lasts` ms. 0 gives it back. */
export interface LeaseAsk extends WindowName {
  /** Nano-USD that the window may spend in all. */
  readonly limit: number
  readonly amount: number
  readonly lasts: number
  /** When a window begins that has not begun, wall-clock ms. */
  readonly now: number
}

/** What it got: at most what is left, perhaps 0. */
export interface LeaseGrant extends WindowState {
  /** How many others hold a lease of it. Left out: who asks knows it otherwise. */
  readonly sharers?: number
  readonly granted: number
  readonly expiresAt: number
}

/** Money that was spent of a window: written to the journal with the call that spent it. */
export interface Spent extends WindowName {
  /** Nano-USD. */
  readonly cost: number
  /** When it was settled, wall-clock ms: it belongs to the window in force then. */
  readonly time: number
}
