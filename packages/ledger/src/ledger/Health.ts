import type { LedgerError } from "../errors/LedgerError.js"

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
