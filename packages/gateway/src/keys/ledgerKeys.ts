import * as KeyBook from "@switchyard/ledger/KeyBook"
import type { Ledger } from "@switchyard/ledger/Ledger"
import type { LedgerError } from "@switchyard/ledger/LedgerError"
import * as LedgerSecret from "@switchyard/ledger/LedgerSecret"
import { type Context, Effect, type Redacted, type Scope } from "effect"

/** How a ledger's keys are held. */
export interface LedgerKeysOptions extends KeyBook.Options {
  /** What keys are hashed under. Default: one that is made with the first use and kept. */
  readonly secret?: Redacted.Redacted | undefined
}

/** The book of a ledger's keys, which follows it until the scope closes. */
export const bookOf = (
  ledger: Context.Tag.Service<Ledger>,
  { secret, ...options }: LedgerKeysOptions = {}
): Effect.Effect<Context.Tag.Service<KeyBook.KeyBook>, LedgerError, Scope.Scope> => {
  const { engine, place } = ledger.health()
  return Effect.flatMap(
    LedgerSecret.find({ given: secret, database: engine === "sqlite" ? place : undefined, notes: ledger.store }),
    (found) => KeyBook.make(ledger.store, found, options)
  )
}
