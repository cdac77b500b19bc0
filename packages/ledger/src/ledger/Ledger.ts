/**
 * The ledger as a gateway uses it. What is asked goes to the thread that works for it; `append` only writes to the journal.
 * Nothing here blocks the thread that serves.
 */
import { Context, type Effect, type Stream } from "effect"
import type { LedgerError } from "../errors/LedgerError.js"
import type { Spent } from "../money/Lease.js"
import type { UsageRecord } from "../record/UsageRecord.js"
import type { Store } from "../store/Store.js"

/** How the ledger is doing. */
export interface Health {
  readonly engine: "sqlite" | "postgres"
  /** Where it is: a path, or an address without its password. */
  readonly place: string
  /** `away`: what happens is written to the journal only, until the store is back. */
  readonly state: "up" | "away"
  /** Why it is away. */
  readonly error: LedgerError | undefined
  /** Bytes of the journal that are not in the store yet. */
  readonly waitingBytes: number
  /** Records that found no room in the journal, since the start. */
  readonly lost: number
  /** Wall-clock ms since when the store has not answered; undefined while it does. */
  readonly awaySince: number | undefined
}

/** Keeps keys, budgets and usage records. */
export class Ledger extends Context.Tag("@switchyard/ledger/Ledger")<
  Ledger,
  {
    /** Writes a record, and what windows spent with it, to the journal: in the file before the tick is over. Never fails. */
    readonly append: (record: UsageRecord) => void
    readonly spend: (spent: Spent) => void
    /** The store, asked through the thread: each answer within 5 s, else `away`. */
    readonly store: Omit<Store, "write" | "storedUpTo">
    readonly health: () => Health
    /** Each change between `up` and `away`, and lost records as they are lost. */
    readonly changes: Stream.Stream<Health>
    /** Waits until all that was appended so far is in the store. */
    readonly settled: Effect.Effect<void, LedgerError>
  }
>() {}
