/**
 * Where what was spent is known: to all who use the same database; else to all gateways together, where they share state, and each
 * of them keeps what it spent itself; else to this gateway alone, and to its next start where there is a ledger.
 */
import * as DurableSpendWindows from "@switchyard/ledger/DurableSpendWindows"
import type { Ledger } from "@switchyard/ledger/Ledger"
import * as SharedSpendWindows from "@switchyard/router/SharedSpendWindows"
import type { SpendWindows } from "@switchyard/router/SpendWindows"
import { type Context, Effect, type Scope } from "effect"
import type { SharedState } from "../fleet/SharedState.js"

/** The windows, until the scope closes; undefined where nobody but a tower knows of them. */
export const make = (
  ledger: Context.Tag.Service<Ledger> | undefined,
  shared: Pick<SharedState, "guard"> | undefined
): Effect.Effect<Context.Tag.Service<SpendWindows> | undefined, never, Scope.Scope> => {
  const isEverybodys = ledger?.health().engine === "postgres"
  if (shared !== undefined && !isEverybodys) {
    const memory = ledger === undefined ? undefined : { spend: ledger.spend, windows: ledger.store.windows }
    return SharedSpendWindows.make(shared.guard, { memory })
  }
  return ledger === undefined ? Effect.succeed(undefined) : DurableSpendWindows.of(ledger)
}
