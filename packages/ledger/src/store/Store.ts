/**
 * What an engine keeps, and how it is asked: one interface for SQLite and Postgres, in the thread that works for the ledger.
 * One contract suite holds both to it.
 */
import type { Effect } from "effect"
import type { LedgerError } from "../errors/LedgerError.js"
import type { KeyChanges, KeySnapshot, LedgerGroup, LedgerKey } from "../keys/LedgerKey.js"
import type { LeaseAsk, LeaseGrant, Spent, WindowState } from "../money/Lease.js"
import type { UsageRecord } from "../record/UsageRecord.js"
import type { RecordAsk, Report, ReportAsk } from "./Report.js"

/** A piece of a journal, and where it ends: stored together, so that no piece counts twice. */
export interface Batch {
  /** Which journal: one for each gateway. */
  readonly journal: string
  /** Where this piece begins and ends; one that begins before what is stored already is not stored. */
  readonly from: number
  readonly to: number
  readonly records: ReadonlyArray<UsageRecord>
  readonly spent: ReadonlyArray<Spent>
}

/** An engine. Every write is one transaction; nothing is lost that was answered. */
export interface Store {
  /**
   * Stores records, their share of the rollup by day, key, team, model and deployment, and what windows spent. Gives where the
   * journal is stored up to: beyond this batch when it was stored before, then the next one begins there.
   */
  readonly write: (batch: Batch) => Effect.Effect<number, LedgerError>
  /** Where a journal is stored up to; 0 for one that is not known. */
  readonly storedUpTo: (journal: string) => Effect.Effect<number, LedgerError>
  /** Leases of `holder`, in place of those that it had on the same windows. */
  readonly lease: (
    holder: string,
    asks: ReadonlyArray<LeaseAsk>
  ) => Effect.Effect<ReadonlyArray<LeaseGrant>, LedgerError>
  /** All windows in force at a time (wall-clock ms), with what anybody's leases hold of them; at most 100,000. */
  readonly windows: (now: number) => Effect.Effect<ReadonlyArray<WindowState>, LedgerError>
  /** Gives back all leases of a holder that ends. */
  readonly release: (holder: string) => Effect.Effect<void, LedgerError>
  readonly snapshot: Effect.Effect<KeySnapshot, LedgerError>
  readonly changesSince: (version: number) => Effect.Effect<KeyChanges, LedgerError>
  /** Resolves when somebody else may have changed keys: a notice where the engine has one, else never. */
  readonly changed: Effect.Effect<void, LedgerError>
  /** Makes or replaces; `expected` is the `updatedAt` that is to be replaced, undefined for a new one: else a `conflict`. */
  readonly putKey: (key: LedgerKey, expected: number | undefined) => Effect.Effect<void, LedgerError>
  readonly deleteKeys: (hashes: ReadonlyArray<string>) => Effect.Effect<number, LedgerError>
  /** A key gets another hash, and keeps all else: what it has spent, too. */
  readonly rehashKey: (hash: string, next: LedgerKey) => Effect.Effect<void, LedgerError>
  readonly putGroup: (group: LedgerGroup, expected: number | undefined) => Effect.Effect<void, LedgerError>
  readonly deleteGroups: (kind: LedgerGroup["kind"], ids: ReadonlyArray<string>) => Effect.Effect<number, LedgerError>
  readonly report: (ask: ReportAsk) => Effect.Effect<Report, LedgerError>
  /** Single records, newest first. */
  readonly records: (ask: RecordAsk) => Effect.Effect<ReadonlyArray<UsageRecord>, LedgerError>
  /** Deletes records older than a wall-clock time in ms, at most 10,000 at once; the rollup stays. Gives how many. */
  readonly prune: (before: number) => Effect.Effect<number, LedgerError>
  /** Small texts by name: the ledger's secret, what a planned restart hands over. */
  readonly note: (name: string) => Effect.Effect<string | undefined, LedgerError>
  readonly putNote: (name: string, text: string) => Effect.Effect<void, LedgerError>
  /** Writes a note unless there is one; gives the one that is there then: of all who come at once one writes it. */
  readonly keepNote: (name: string, text: string) => Effect.Effect<string, LedgerError>
}
