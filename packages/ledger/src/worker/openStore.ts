import type { Effect, Scope } from "effect"
import { LedgerError } from "../errors/LedgerError.js"
import * as SqliteStore from "../store/SqliteStore.js"
import type { Store } from "../store/Store.js"
import type { EngineOptions } from "./protocol.js"

/** Opens the store that options name. */
export const openStore = (options: EngineOptions): Effect.Effect<Store, LedgerError, Scope.Scope> =>
  options.engine === "sqlite"
    ? SqliteStore.make({ path: options.path, driver: options.driver })
    : new LedgerError({ reason: "missing", description: "Postgres is not there" })

/** Where a store is, as it may be shown: without a password. */
export const placeOf = (options: EngineOptions): string => {
  if (options.engine === "sqlite") return options.path
  try {
    const { host, pathname } = new URL(options.url)
    return `postgresql://${host}${pathname}`
  } catch {
    return "postgresql://(an address that can't be read)"
  }
}
