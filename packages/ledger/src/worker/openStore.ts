import type { Effect, Scope } from "effect"
import type { LedgerError } from "../errors/LedgerError.js"
import * as PostgresStore from "../store/PostgresStore.js"
import * as PgPlace from "../store/postgres/pgPlace.js"
import * as SqliteStore from "../store/SqliteStore.js"
import type { Store } from "../store/Store.js"
import type { EngineOptions } from "./protocol.js"

/** Opens the store that options name. */
export const openStore = (options: EngineOptions): Effect.Effect<Store, LedgerError, Scope.Scope> =>
  options.engine === "sqlite"
    ? SqliteStore.make({ path: options.path, driver: options.driver })
    : PostgresStore.make({ url: options.url })

/** Where a store is, as it may be shown: without a password. */
export const placeOf = (options: EngineOptions): string =>
  options.engine === "sqlite" ? options.path : PgPlace.placeOf(options.url)
