import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { LedgerError } from "../errors/LedgerError.js"
import * as PgPlace from "../store/postgres/pgPlace.js"
import * as SqliteStore from "../store/SqliteStore.js"
import type { Store } from "../store/Store.js"
import type { EngineOptions } from "./protocol.js"

/** Only where it is used: a thread over a file has no need of what it brings with it. */
const postgres = Effect.tryPromise({
  try: () => import("../store/PostgresStore.js"),
  catch: (thrown) =>
    new LedgerError({ reason: "missing", description: `The ledger's thread can't load: ${String(thrown)}` })
})

/** Opens the store that options name. */
export const openStore = (options: EngineOptions): Effect.Effect<Store, LedgerError, Scope.Scope> =>
  options.engine === "sqlite"
    ? SqliteStore.make({ path: options.path, driver: options.driver })
    : Effect.flatMap(postgres, ({ make }) => make({ url: options.url }))

/** Where a store is, as it may be shown: without a password. */
export const placeOf = (options: EngineOptions): string =>
  options.engine === "sqlite" ? options.path : PgPlace.placeOf(options.url)
