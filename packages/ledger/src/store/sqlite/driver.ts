/** SQLite as two packages give it, in the few words that are used of it: `libsql`, and Node's own from 22.13 on. */
import { createRequire } from "node:module"
import * as Effect from "effect/Effect"
import { LedgerError } from "../../errors/LedgerError.js"
import type { Row, Value } from "../tables/engine.js"
import { withShortReport } from "./cLibrary.js"

/** Which package: `libsql` where it loads, else `node`. */
export type DriverName = "libsql" | "node"

/** A statement that is ready. */
interface Prepared {
  readonly all: (values: ReadonlyArray<Value>) => ReadonlyArray<Row>
  readonly run: (values: ReadonlyArray<Value>) => void
}

/** A connection. Every function may throw. */
export interface Connection {
  readonly exec: (sql: string) => void
  readonly prepare: (sql: string) => Prepared
  readonly close: () => void
}

/** A way to open files. */
export interface Driver {
  readonly name: DriverName
  readonly open: (path: string) => Connection
}

const require = createRequire(import.meta.url)

interface LibsqlStatement {
  readonly all: (values: ReadonlyArray<Value>) => ReadonlyArray<Row>
  readonly run: (values: ReadonlyArray<Value>) => unknown
}

interface LibsqlDatabase {
  readonly exec: (sql: string) => void
  readonly prepare: (sql: string) => LibsqlStatement
  readonly close: () => void
}

const libsql = (): Driver => {
  const Database = withShortReport(() => require("libsql")) as new (path: string) => LibsqlDatabase
  return {
    name: "libsql",
    open: (path) => {
      const database = new Database(path)
      return {
        exec: (sql) => database.exec(sql),
        prepare: (sql) => {
          const statement = database.prepare(sql)
          return {
            all: (values) => statement.all(values),
            run: (values) => {
              statement.run(values)
            }
          }
        },
        close: () => database.close()
      }
    }
  }
}

interface NodeStatement {
  readonly all: (...values: ReadonlyArray<Value>) => ReadonlyArray<Row>
  readonly run: (...values: ReadonlyArray<Value>) => unknown
  readonly setReadBigInts: (isOn: boolean) => void
}

interface NodeDatabase {
  readonly exec: (sql: string) => void
  readonly prepare: (sql: string) => NodeStatement
  readonly close: () => void
}

/** By a name of its own: an older Node, and what checks imports under one, has no such module. */
const nodesOwn = "node:sqlite"

const node = (): Driver => {
  const { DatabaseSync } = require(nodesOwn) as { DatabaseSync: new (path: string) => NodeDatabase }
  return {
    name: "node",
    open: (path) => {
      const database = new DatabaseSync(path)
      return {
        exec: (sql) => database.exec(sql),
        prepare: (sql) => {
          const statement = database.prepare(sql)
          // It refuses to read what a number does not hold exactly; whoever reads makes numbers of it.
          statement.setReadBigInts(true)
          return {
            all: (values) => statement.all(...values),
            run: (values) => {
              statement.run(...values)
            }
          }
        },
        close: () => database.close()
      }
    }
  }
}

const makers: Readonly<Record<DriverName, () => Driver>> = { libsql, node }

/** Loads a driver: the one that is named, else the first that this machine has. */
export const load = (name: DriverName | undefined): Effect.Effect<Driver, LedgerError> =>
  Effect.firstSuccessOf(
    (name === undefined ? (["libsql", "node"] as const) : [name]).map((one) => Effect.try(() => makers[one]()))
  ).pipe(
    Effect.mapError(
      () =>
        new LedgerError({
          reason: "missing",
          description:
            "SQLite is not there for this machine: libsql has nothing for it, and Node brings its own from 22.13 on. Use a newer Node, or a database on Postgres"
        })
    )
  )
