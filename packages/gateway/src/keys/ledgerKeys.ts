import * as KeyBook from "@switchyard/ledger/KeyBook"
import type { Ledger } from "@switchyard/ledger/Ledger"
import type { LedgerError } from "@switchyard/ledger/LedgerError"
import * as LedgerSecret from "@switchyard/ledger/LedgerSecret"
import { type Context, Effect, Redacted, type Scope } from "effect"
import type { GatewayConfig } from "../config/GatewayConfig.js"
import type { Problem } from "../config/Problem.js"
import type { KeyRing } from "./KeyRing.js"
import type { Desk } from "./management/KeyDesk.js"

/** The book of a ledger's keys, which follows it until the scope closes. */
export const bookOf = (
  ledger: Context.Tag.Service<Ledger>,
  settings: GatewayConfig["ledger"]
): Effect.Effect<Context.Tag.Service<KeyBook.KeyBook>, LedgerError, Scope.Scope> => {
  const { engine, place } = ledger.health()
  const { secret, staleFor } = settings === undefined || settings === false ? {} : settings
  const given = secret === undefined ? undefined : typeof secret === "string" ? Redacted.make(secret) : secret
  return Effect.flatMap(
    LedgerSecret.find({ given, database: engine === "sqlite" ? place : undefined, notes: ledger.store }),
    (found) => KeyBook.make(ledger.store, found, staleFor === undefined ? {} : { staleFor })
  )
}

/** What keys of a ledger are managed with, beside those of the configuration in force. */
export const deskOf = (
  ledger: Context.Tag.Service<Ledger>,
  book: Context.Tag.Service<KeyBook.KeyBook>,
  current: () => { readonly keys: KeyRing; readonly source: { readonly config: Pick<GatewayConfig, "keys"> } }
): Desk => ({
  ledger,
  book,
  isNamed: (name) => current().source.config.keys.some((key) => key.name === name),
  isKnown: (key) => current().keys.identify(key) !== undefined
})

/** A source, told of keys in its configuration that have the name of one in the ledger: limits, logs and reports take both for one. */
export const toldOfNamesakes = <
  A extends { readonly config: Pick<GatewayConfig, "keys">; readonly problems?: ReadonlyArray<Problem> | undefined }
>(
  source: A,
  book: Pick<Context.Tag.Service<KeyBook.KeyBook>, "named"> | undefined
): A & { readonly problems: ReadonlyArray<Problem> } => {
  const { config, problems = [] } = source
  const twice = book === undefined ? [] : config.keys.filter(({ name }) => book.named(name) !== undefined)
  const found = twice.map(
    ({ name }): Problem => ({
      severity: "warning",
      path: "keys",
      message: `the ledger has a key of the name ${JSON.stringify(name)}, too: limits, budgets and reports take both for one caller; rename one of them`,
      file: undefined,
      line: undefined,
      column: undefined
    })
  )
  return { ...source, problems: [...problems, ...found] }
}
