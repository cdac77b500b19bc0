/**
 * A store on Postgres, for teams that share gateways: by the optional packages `@effect/sql-pg` and `@effect/sql`. It makes and
 * writes tables of the schema `switchyard` alone; several gateways may use one database, of several versions only forward.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { LedgerError } from "../errors/LedgerError.js"
import * as PgEngine from "./postgres/pgEngine.js"
import { check, placeOf } from "./postgres/pgPlace.js"
import type { Store } from "./Store.js"
import type { Engine } from "./tables/engine.js"
import * as Schema from "./tables/schema.js"
import * as SqlStore from "./tables/sqlStore.js"

/** Where the server is. */
export interface Options {
  /** `postgresql://USER:PASSWORD@HOST:5432/DATABASE`, as LiteLLM's `database_url`. */
  readonly url: string
  /** Whether it hears of changes of keys that others make (`changed`). Who looks once has no need of it. Default true. */
  readonly isListening?: boolean | undefined
}

/** Two gateways that start at once take turns: the number of this lock is ours alone. */
const migrating = 7_381_940_226

/** By a query: what functions know of names may be from before a lock that was waited for. */
const hasTables = (engine: Engine) =>
  Effect.map(
    engine.rows("SELECT 1 AS one FROM pg_catalog.pg_tables WHERE schemaname = ? AND tablename = 'schema_version'", [
      PgEngine.schema
    ]),
    ({ length }) => length > 0
  )

const versionOf = (engine: Engine, place: string) =>
  Effect.flatMap(hasTables(engine), (isThere) => Schema.check(engine, isThere, place))

/** Nothing is asked for that is there already: a role without rights on the database goes on with tables that its owner made. */
const prepare = (engine: Engine, place: string): Effect.Effect<void, LedgerError> =>
  Effect.gen(function* () {
    if ((yield* engine.atomic("read", versionOf(engine, place))) === Schema.current) return
    yield* engine.atomic(
      "write",
      Effect.gen(function* () {
        yield* engine.rows("SELECT pg_advisory_xact_lock(?)", [migrating])
        const from = yield* versionOf(engine, place)
        if (from === Schema.current) return
        const there = yield* engine.rows("SELECT 1 AS one FROM pg_catalog.pg_namespace WHERE nspname = ?", [
          PgEngine.schema
        ])
        if (there.length === 0) yield* engine.rows(`CREATE SCHEMA ${PgEngine.schema}`, [])
        yield* Schema.migrate(engine, from)
      })
    )
  })

/** Opens a database, and brings its tables up to date. */
export const make = (options: Options): Effect.Effect<Store, LedgerError, Scope.Scope> =>
  Effect.gen(function* () {
    const wrong = check(options.url)
    if (wrong !== undefined) return yield* wrong
    const engine = yield* PgEngine.make(options.url, options.isListening !== false)
    yield* prepare(engine, placeOf(options.url))
    return SqlStore.make(engine)
  })
