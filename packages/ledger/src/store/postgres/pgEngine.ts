/** Postgres as an engine: every transaction on a connection of its own, and bounded in time on both sides. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { LedgerError } from "../../errors/LedgerError.js"
import type { Engine, Row } from "../tables/engine.js"
import * as PgErrors from "./pgErrors.js"
import * as PgNotices from "./pgNotices.js"
import { placeOf } from "./pgPlace.js"
import * as PgPool from "./pgPool.js"

/** All that is ours is in this schema. LiteLLM's tables in the same database are in another, and never written. */
export const schema = "switchyard"

const channel = "switchyard_keys"

/** The client of the transaction that a statement belongs to. */
class Held extends Context.Tag("@switchyard/ledger/Held")<Held, PgPool.Client>() {}

/** Parameters are numbered here, and asked by marks everywhere else. */
const numbered = new Map<string, string>()
const numberMarks = (sql: string): string => {
  const known = numbered.get(sql)
  if (known !== undefined) return known
  let at = 0
  const text = sql.replaceAll("?", () => `$${++at}`)
  if (numbered.size >= 500) numbered.clear()
  numbered.set(sql, text)
  return text
}

/** How often a transaction is done again that the server undid in favour of another one. */
const turnsAgain = 4

/** An engine; one that does not listen has no connection for notices. */
export const make = (url: string, isListening: boolean): Effect.Effect<Engine, LedgerError, Scope.Scope> =>
  Effect.gen(function* () {
    const place = placeOf(url)
    const waiting = new Set<() => void>()
    const wakeAll = () => {
      for (const wake of [...waiting]) wake()
    }
    const listening = (client: PgPool.Client): Effect.Effect<void> =>
      PgNotices.listen(client.reserve, channel, wakeAll, PgPool.patience).pipe(
        Effect.catchAll((why) => (why === "silent" ? Effect.void : Effect.delay(listening(client), "1 second")))
      )
    const pool = yield* PgPool.make(url, isListening ? listening : undefined)

    const run = (sql: string, values: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<Row>, LedgerError> =>
      Effect.flatMap(Effect.serviceOption(Held), (held) =>
        Option.isNone(held)
          ? Effect.die(new Error("a statement outside of a transaction"))
          : Effect.mapError(
              held.value.unsafe(numberMarks(sql), values) as Effect.Effect<ReadonlyArray<Row>, unknown>,
              (thrown) => PgErrors.of(thrown, place)
            )
      )
    /** Rows as columns: one statement, however many rows. */
    const unnest = (columns: ReadonlyArray<readonly [string, string]>): string =>
      `unnest(${columns.map(([, type]) => `?::${type}[]`).join(", ")})`
    const asColumns = (columns: ReadonlyArray<unknown>, rows: ReadonlyArray<ReadonlyArray<unknown>>) =>
      columns.map((_, at) => rows.map((row) => row[at]))

    const engine: Engine = {
      table: (name) => `${schema}.${name}`,
      clustered: "",
      oneOf: (rest) => `ctid = ANY (ARRAY(SELECT ctid ${rest}))`,
      inOrder: (column) => `${column} COLLATE "C"`,
      rows: run,
      insert: (table, columns, rows, conflict) =>
        rows.length === 0
          ? Effect.void
          : Effect.asVoid(
              run(
                `INSERT INTO ${schema}.${table} (${columns.map(([name]) => name).join(", ")}) SELECT * FROM ${unnest(columns)} ${conflict}`,
                asColumns(columns, rows)
              )
            ),
      hold: (table, keys, of) =>
        of.length === 0
          ? Effect.succeed([])
          : run(
              `SELECT t.* FROM ${schema}.${table} t JOIN ${unnest(keys)} AS k (${keys.map(([name]) => name).join(", ")})
               USING (${keys.map(([name]) => name).join(", ")}) ORDER BY ${keys.map(([name]) => `t.${name}`).join(", ")} FOR UPDATE OF t`,
              asColumns(keys, of)
            ),
      atomic: (kind, effect) =>
        Effect.retry(
          pool.use((client) =>
            client.withTransaction(
              Effect.zipRight(
                client.unsafe(
                  // A snapshot and its version are read as of one moment.
                  `${kind === "read" ? "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; " : ""}SET LOCAL statement_timeout = ${Duration.toMillis(PgPool.patience) - 200}`,
                  []
                ),
                Effect.provideService(effect, Held, client)
              )
            )
          ),
          { times: turnsAgain, while: PgErrors.isTurnedBack }
        ),
      tellChanged: (version) => Effect.asVoid(run(`SELECT pg_notify('${channel}', ?::bigint::text)`, [version])),
      changed: Effect.async<void>((resume) => {
        const wake = () => {
          waiting.delete(wake)
          resume(Effect.void)
        }
        waiting.add(wake)
        return Effect.sync(() => waiting.delete(wake))
      })
    }
    return engine
  })
