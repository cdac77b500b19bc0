/**
 * Room that an engine lends to a process in advance, so that most calls ask nobody. What is lent counts against the limit as if
 * it were used, so that all together never exceed it; the engine has it back before it refuses anybody.
 */
import type { Effect } from "effect"
import type { AdmitAsk } from "./Engine.js"

/** How much of each kind of limit. */
export interface Room {
  readonly requests: number
  /** 0 where the limits don't name any. */
  readonly tokens: number
  readonly calls: number
}

/** What is lent, or lent besides. */
export interface Grant {
  readonly key: string
  /** Names the loan: of one that was forfeited nothing may be used. */
  readonly loan: number
  readonly room: Room
}

/** What a borrower has done with a loan since its last word. */
export interface Told {
  readonly key: string
  readonly loan: number
  /** Names the requests that are told of here, for what is to be said of them later. */
  readonly moment: number
  /** Calls that began, and count from now on: late, but never early. */
  readonly requests: number
  /** Of calls that ended, by the moment of their beginning: tokens used, and requests of which nothing was sent. */
  readonly ended: ReadonlyArray<readonly [moment: number, tokens: number, refunds: number]>
  /** What is lent no more: it was used, or comes back. */
  readonly less: Room
  /** Calls in flight, and the tokens that they hold. */
  readonly running: number
  readonly held: number
  /** The borrower takes no more of it. */
  readonly isClosed: boolean
}

/** A loan as it is asked back. */
export interface Lent {
  readonly borrower: string
  readonly key: string
  readonly loan: number
}

/** Lends room. Each operation is one atomic step. */
export interface UsageLender {
  /** Room like that of a call that was just admitted, for one of so many borrowers; undefined near the limit. */
  readonly lend: (ask: AdmitAsk, borrower: string, borrowers: number) => Effect.Effect<Grant | undefined>
  readonly told: (borrower: string, words: ReadonlyArray<Told>) => Effect.Effect<void>
  /** Holds loans for `lease` ms from now on; gives those that were forfeited before. */
  readonly renew: (borrower: string, lent: ReadonlyArray<Lent>, lease: number) => Effect.Effect<ReadonlyArray<Lent>>
  /** Has nothing lent of this key until it is asked for again, and gives what has to be asked back. */
  readonly recall: (key: string) => Effect.Effect<ReadonlyArray<Lent>>
  /** The borrower is gone: calls end, what else it was lent counts as used. */
  readonly forfeit: (borrower: string) => Effect.Effect<void>
}
