/**
 * A store in a file of SQLite: nothing to install. Several processes may use one file; who finds it busy waits. It blocks the
 * thread that asks it, so that a gateway asks it in a thread of its own.
 */
import { existsSync, renameSync, statSync } from "node:fs"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { LedgerError } from "../errors/LedgerError.js"
import type { Store } from "./Store.js"
import * as Driver from "./sqlite/driver.js"
import * as Place from "./sqlite/place.js"
import * as SqliteEngine from "./sqlite/sqliteEngine.js"
import * as SqliteErrors from "./sqlite/sqliteErrors.js"
import * as Schema from "./tables/schema.js"
import * as SqlStore from "./tables/sqlStore.js"

/** Where the file is, and how it is opened. */
export interface Options {
  /** The file. Its folder is made where there is none (rights 0700), and so is the file (0600). */
  readonly path: string
  /** Which SQLite; without it `libsql` where that loads, else Node's own. */
  readonly driver?: "libsql" | "node" | undefined
  /** Only says what is there: a file that is not there is an error, and a damaged one stays where it is. Default false. */
  readonly isReading?: boolean | undefined
}

/** A store, and what its opening had to do. */
export interface SqliteStore extends Store {
  /** Where a damaged file was put, in whose place a new one begins; undefined when the file was sound. */
  readonly keptAside: string | undefined
}

/** Ms that a file which another process holds is waited for: less than whoever asks a gateway's ledger waits. */
const busyFor = 4_000

/** Bytes up to which a file is checked as a whole when it is opened: more takes longer than a start should. */
const checkedUpTo = 64 * 1024 * 1024

/**
 * A commit is on the disk before it is answered: `FULL`. In a thread of its own that costs nobody anything, and keeps what
 * `NORMAL` may lose with the power. The pragmas are of the connection, and said at each opening.
 */
const pragmas = [
  `PRAGMA busy_timeout = ${busyFor}`,
  "PRAGMA journal_mode = WAL",
  "PRAGMA synchronous = FULL",
  "PRAGMA foreign_keys = ON",
  "PRAGMA journal_size_limit = 67108864",
  "PRAGMA temp_store = MEMORY"
]

const foreign = (path: string): LedgerError =>
  new LedgerError({
    reason: "place",
    description: `${path} is a database of another program: nothing was touched; choose another file`
  })

const ask = (connection: Driver.Connection, sql: string): unknown => {
  const [row] = connection.prepare(sql).all([])
  return row === undefined ? undefined : Object.values(row)[0]
}

/** Looks before it touches: what is newer, damaged or another program's stays as it is. */
const inspect = (connection: Driver.Connection, path: string): boolean => {
  connection.exec(`PRAGMA busy_timeout = ${busyFor}`)
  const isOurs =
    Number(ask(connection, "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'")) === 1
  if (!isOurs && Number(ask(connection, "SELECT COUNT(*) FROM sqlite_master")) > 0) throw foreign(path)
  if (isOurs && statSync(path).size <= checkedUpTo && ask(connection, "PRAGMA quick_check(1)") !== "ok") {
    throw new LedgerError({ reason: "corrupt", description: `${path} is damaged` })
  }
  return isOurs
}

const prepare = (connection: Driver.Connection, path: string): Effect.Effect<Store, LedgerError> =>
  Effect.gen(function* () {
    const engine = SqliteEngine.make(connection, path)
    const attempt = <A>(run: () => A) => Effect.try({ try: run, catch: (thrown) => SqliteErrors.of(thrown, path) })
    const isOurs = yield* attempt(() => inspect(connection, path))
    const version = yield* Schema.check(engine, isOurs, path)
    yield* attempt(() => {
      for (const pragma of pragmas) connection.prepare(pragma).all([])
    })
    if (version < Schema.current) {
      // Asked again once the file is held: another process may have been faster.
      const exists = Effect.map(
        engine.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'", []),
        (rows) => rows.length > 0
      )
      yield* engine.atomic(
        "write",
        Effect.flatMap(
          Effect.flatMap(exists, (isThere) => Schema.check(engine, isThere, path)),
          (from) => (from < Schema.current ? Schema.migrate(engine, from) : Effect.void)
        )
      )
    }
    return SqlStore.make(engine)
  })

/** Moves what is beside the file into it, where nobody else is at it: libsql does not do so by itself. */
const close = (connection: Driver.Connection): Effect.Effect<void> =>
  Effect.ignore(
    Effect.try(() => {
      try {
        connection.exec("PRAGMA busy_timeout = 0")
        connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all([])
      } finally {
        connection.close()
      }
    })
  )

const open = (driver: Driver.Driver, path: string): Effect.Effect<Store, LedgerError, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.try({ try: () => driver.open(path), catch: (thrown) => SqliteErrors.of(thrown, path) }),
      close
    ),
    (connection) => Effect.onError(prepare(connection, path), () => Effect.ignore(Effect.try(() => connection.close())))
  )

const inodeOf = (path: string): number | undefined => (existsSync(path) ? statSync(path).ino : undefined)

/** Puts a damaged file aside, with what belongs to it; undefined when another process was faster and a new one is there. */
const putAside = (path: string, inode: number | undefined): Effect.Effect<string | undefined, LedgerError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.try({
      try: () => {
        if (inodeOf(path) !== inode) return undefined
        const named = `${path}.corrupt-${new Date(now).toISOString().replaceAll(/[-:]|[.]\d+/g, "")}`
        let aside = named
        for (let n = 2; existsSync(aside); n++) aside = `${named}-${n}`
        for (const end of ["-wal", "-shm", ""]) {
          if (existsSync(path + end)) renameSync(path + end, aside + end)
        }
        return aside
      },
      catch: (thrown) => Place.errorOf(thrown, path)
    })
  )

/**
 * Opens a file, and brings its tables up to date. A damaged one is put aside as `FILE.corrupt-TIME`, and a new one begins: its
 * keys and sums are then those that come in anew.
 */
export const make = (options: Options): Effect.Effect<SqliteStore, LedgerError, Scope.Scope> =>
  Effect.gen(function* () {
    const { path } = options
    const isReading = options.isReading === true
    const driver = yield* Driver.load(options.driver)
    if (isReading && !existsSync(path)) {
      return yield* new LedgerError({ reason: "place", description: `There is no ledger at ${path}` })
    }
    if (!isReading) {
      yield* Place.folder(Place.folderOf(path))
      yield* Place.file(path)
    }
    const inode = inodeOf(path)
    const plain = Effect.map(open(driver, path), (store): SqliteStore => ({ ...store, keptAside: undefined }))
    const anew = Effect.gen(function* () {
      const keptAside = yield* putAside(path, inode)
      yield* Place.file(path)
      const store = yield* open(driver, path)
      if (keptAside !== undefined) {
        yield* Effect.logError(
          `The ledger's file ${path} was damaged: it is kept as ${keptAside}, and a new one begins. Its keys and what was spent are in the old one alone`
        )
      }
      return { ...store, keptAside }
    })
    return yield* Effect.catchIf(
      plain,
      (error) => error.reason === "corrupt" && !isReading,
      () => anew
    )
  })
