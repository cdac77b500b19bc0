/**
 * Money that many processes spend of the same windows, as an engine keeps it: each process spends from leases, so that it asks once
 * for many calls, and tells what it has settled as a sum that only grows, so that a word said twice counts once.
 */
import type { Effect } from "effect"
import type { EngineError } from "./EngineError.js"

/** What a process asks for and tells, of one window. Money is whole nano-USD; times are ms from now on. */
export interface SpendAsk {
  /** Whose window. One of another length is another window: it has another key. */
  readonly key: string
  /** Names the process; nobody outside may choose it. */
  readonly holder: string
  /** Length of a window, ms; infinite for one that never ends. */
  readonly length: number
  /** What the window may spend in all. */
  readonly limit: number
  /** What its lease is to be from now on, in place of the one that it had; 0 gives it back, undefined leaves it as it is. */
  readonly amount: number | undefined
  /** How long the lease holds without a word. */
  readonly lasts: number
  /** All that this process has settled of windows of this key, since it began: never less than it said before. */
  readonly settled: number
  /** How much of that an answer has confirmed, or is to count no more. */
  readonly confirmed: number
  /** What this process knows that all have spent of the window in force: an engine that knows of less has lost something. */
  readonly known: number
  /** The window that `known` is about, as the engine named it; 0 for one that it has not named. */
  readonly window: number
  /** When that window ends, where the engine has not named it and this process knows. */
  readonly endsIn: number | undefined
}

/** What it got. */
export interface SpendGrant {
  /** Settled by all in the window in force. */
  readonly spent: number
  /** Its lease now: at most what was asked for, and at most what is left. */
  readonly granted: number
  readonly leasedByOthers: number
  /** Names the window in force; 0 where none has begun. */
  readonly window: number
  /** When it ends, ms from now on: 0 where none has begun, infinite for one that never ends. */
  readonly endsIn: number
}

/** The money of many processes. */
export interface SpendEngine {
  /**
   * Answers each ask, in their order. A window begins with its first lease or its first settled money, and ends after its length, by
   * the engine's clock; leases end with it. Each ask is atomic, and asked again it changes nothing.
   */
  readonly lease: (asks: ReadonlyArray<SpendAsk>) => Effect.Effect<ReadonlyArray<SpendGrant>, EngineError>
}
