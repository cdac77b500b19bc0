/** SQLite as an engine: one connection, asked by one fiber at a time. */
import * as Effect from "effect/Effect"
import type { LedgerError } from "../../errors/LedgerError.js"
import type { Engine, Value } from "../tables/engine.js"
import type { Connection } from "./driver.js"
import * as SqliteErrors from "./sqliteErrors.js"

/** Statements that are kept ready. */
const mostPrepared = 200

/** An engine over a connection. What it is asked outside of `atomic` waits for nobody: only opening does so. */
export const make = (connection: Connection, place: string): Engine => {
  const ready = new Map<string, ReturnType<Connection["prepare"]>>()
  const prepared = (sql: string) => {
    const known = ready.get(sql)
    if (known !== undefined) return known
    if (ready.size >= mostPrepared) ready.clear()
    const made = connection.prepare(sql)
    ready.set(sql, made)
    return made
  }
  const attempt = <A>(run: () => A): Effect.Effect<A, LedgerError> =>
    Effect.try({ try: run, catch: (thrown) => SqliteErrors.of(thrown, place) })
  const turn = Effect.unsafeMakeSemaphore(1)

  const rollback = Effect.sync(() => {
    try {
      connection.exec("ROLLBACK")
    } catch {
      // SQLite has ended the transaction itself: a full disk does that.
    }
  })

  return {
    table: (name) => name,
    clustered: " WITHOUT ROWID",
    oneOf: (rest) => `rowid IN (SELECT rowid ${rest})`,
    inOrder: (column) => column,
    rows: (sql, values) => attempt(() => prepared(sql).all(values)),
    insert: (table, columns, rows, conflict) =>
      rows.length === 0
        ? Effect.void
        : attempt(() => {
            const names = columns.map(([name]) => name).join(", ")
            const marks = columns.map(() => "?").join(", ")
            const statement = prepared(`INSERT INTO ${table} (${names}) VALUES (${marks}) ${conflict}`)
            for (const row of rows) statement.run(row)
          }),
    // A transaction that writes holds the whole file.
    hold: (table, keys, of) =>
      attempt(() => {
        const statement = prepared(`SELECT * FROM ${table} WHERE ${keys.map(([name]) => `${name} = ?`).join(" AND ")}`)
        return of.flatMap((key: ReadonlyArray<Value>) => statement.all(key))
      }),
    atomic: (kind, effect) =>
      turn.withPermits(1)(
        Effect.uninterruptible(
          attempt(() => connection.exec(kind === "write" ? "BEGIN IMMEDIATE" : "BEGIN")).pipe(
            Effect.zipRight(effect),
            Effect.zipLeft(attempt(() => connection.exec("COMMIT"))),
            Effect.onError(() => rollback)
          )
        )
      ),
    tellChanged: () => Effect.void,
    changed: Effect.never
  }
}
