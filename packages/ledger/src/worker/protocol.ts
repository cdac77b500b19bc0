/** What the thread that serves and the one that works for the ledger say to each other. */
import { LedgerError } from "../errors/LedgerError.js"
import type { Store } from "../store/Store.js"

/** Which store, and where. */
export type EngineOptions =
  | { readonly engine: "sqlite"; readonly path: string; readonly driver?: "libsql" | "node" | undefined }
  | { readonly engine: "postgres"; readonly url: string }

/** What a thread is told first. */
export interface ThreadOptions {
  readonly engine: EngineOptions
  /** The folder of all journals, and the name of the one that is written by this process. */
  readonly journals: string
  readonly journal: string
  /** Position up to which it is written, in memory of both threads. */
  readonly written: BigInt64Array
  /** Ms that records are kept; undefined: for ever. */
  readonly keep: number | undefined
}

/** An error as it is sent: a class does not survive the way. */
export type Sent = Pick<LedgerError, "reason" | "description">

export const sent = ({ reason, description }: LedgerError): Sent => ({ reason, description })

export const received = (error: Sent): LedgerError => new LedgerError(error)

/** What can be asked: the store's own words, `settle` (all that is in the journal is in the store), and `end`. */
export type Word = Exclude<keyof Store, "write" | "storedUpTo" | "changed"> | "settle" | "end"

export interface Question {
  readonly id: number
  readonly word: Word
  readonly values: ReadonlyArray<unknown>
  /** Position of the journal when it was asked: what comes later is not waited for. */
  readonly upTo: number
}

/** What comes back, and what comes unasked. */
export type News =
  | { readonly tag: "ready" }
  /** The store could not be opened at the start. */
  | { readonly tag: "unable"; readonly error: Sent }
  | { readonly tag: "answer"; readonly id: number; readonly value: unknown }
  | { readonly tag: "refusal"; readonly id: number; readonly error: Sent }
  /** How far the journal is stored. */
  | { readonly tag: "stored"; readonly to: number }
  | { readonly tag: "health"; readonly error: Sent | undefined }
  /** Somebody may have changed keys. */
  | { readonly tag: "changed" }
  | { readonly tag: "log"; readonly level: "Info" | "Warning" | "Error"; readonly message: string }
