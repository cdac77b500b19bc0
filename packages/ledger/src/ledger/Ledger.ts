/**
 * The ledger as a gateway uses it. What is asked goes to the thread that works for it; `append` only writes to the journal.
 * Nothing here blocks the thread that serves.
 */
import { Context, type Effect, Layer, type Stream } from "effect"
import type { LedgerError } from "../errors/LedgerError.js"
import type { Spent } from "../money/Lease.js"
import type { UsageRecord } from "../record/UsageRecord.js"
import type { Store } from "../store/Store.js"
import type { Health } from "./Health.js"
import * as MakeLedger from "./makeLedger.js"

export type { Health } from "./Health.js"
export type { Options } from "./makeLedger.js"

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

/**
 * A ledger with its journal and its thread. A store that can't be opened at the start fails the layer; one that goes away later
 * fails nothing: the journal keeps what happens until it is back. When the layer ends all is stored, or kept for the next start.
 */
export const layer = (options: MakeLedger.Options): Layer.Layer<Ledger, LedgerError> =>
  Layer.scoped(Ledger, MakeLedger.make(options))
