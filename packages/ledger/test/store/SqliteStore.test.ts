import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SqliteStore from "../../src/store/SqliteStore.js"
import * as Driver from "../../src/store/sqlite/driver.js"
import * as Place from "../../src/store/sqlite/place.js"
import * as SqliteErrors from "../../src/store/sqlite/sqliteErrors.js"
import { type Open, suite } from "./contract.js"
import { key, record } from "./samples.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-ledger-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const opening = (driver: "libsql" | "node"): Open =>
  Effect.flatMap(folder, (path) => {
    const one = SqliteStore.make({ path: join(path, "ledger.db"), driver })
    return Effect.all([one, one])
  })

const hasNode = (() => {
  try {
    createRequire(import.meta.url)("node:sqlite")
    return true
  } catch {
    return false
  }
})()

suite("SQLite, by libsql", opening("libsql"))
if (hasNode) suite("SQLite, by Node's own", opening("node"))

const batch = { journal: "j", from: 0, to: 1, records: [record()], spent: [] }

/** Opens a file, changes it by hand, and closes it. */
const byHand = (path: string, sql: string) =>
  Effect.map(Driver.load("libsql"), (driver) => {
    const connection = driver.open(path)
    connection.exec(sql)
    connection.close()
  })

describe("a file of SQLite", () => {
  it.scopedLive("is for its owner alone, with its folder and what SQLite lays beside it", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "made", "deep")
      const store = yield* SqliteStore.make({ path: join(path, "ledger.db") })
      yield* store.write(batch)
      expect(statSync(path).mode & 0o777).toBe(0o700)
      const modes = readdirSync(path).map((name) => [name, statSync(join(path, name)).mode & 0o777])
      expect(modes).toEqual([
        ["ledger.db", 0o600],
        ["ledger.db-shm", 0o600],
        ["ledger.db-wal", 0o600]
      ])
    })
  )

  it.scopedLive("loses the rights that others had", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "ledger.db")
      yield* Effect.scoped(SqliteStore.make({ path }))
      chmodSync(path, 0o644)
      yield* SqliteStore.make({ path })
      expect(statSync(path).mode & 0o777).toBe(0o600)
    })
  )

  it.scopedLive("of a later version is refused and not touched", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "ledger.db")
      yield* Effect.scoped(SqliteStore.make({ path }))
      yield* byHand(path, "UPDATE schema_version SET version = 99")
      const before = readFileSync(path)
      const error = yield* Effect.flip(Effect.scoped(SqliteStore.make({ path })))
      expect(error.reason).toBe("newer")
      expect(error.message).toContain("tables 99")
      expect(readFileSync(path).equals(before)).toBe(true)
    })
  )

  it.scopedLive("of another program is refused and not touched", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "ledger.db")
      yield* byHand(path, "CREATE TABLE theirs (a)")
      const before = readFileSync(path)
      expect((yield* Effect.flip(Effect.scoped(SqliteStore.make({ path })))).reason).toBe("place")
      expect(readFileSync(path).equals(before)).toBe(true)
    })
  )

  const text = Buffer.from("this is no database, however long one looks at it. ".repeat(40))
  it.scopedLive("that is no database is kept aside, never overwritten, and a new one begins", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "ledger.db")
      const kept: Array<string | undefined> = []
      for (let times = 0; times < 2; times++) {
        rmSync(`${path}-wal`, { force: true })
        writeFileSync(path, text)
        const store = yield* Effect.scoped(
          Effect.tap(SqliteStore.make({ path }), (made) => made.putKey(key(), undefined))
        )
        kept.push(store.keptAside)
      }
      expect(new Set(kept).size).toBe(2)
      for (const aside of kept) {
        expect(aside).toContain(`${path}.corrupt-`)
        expect(readFileSync(String(aside)).equals(text)).toBe(true)
      }
      const again = yield* SqliteStore.make({ path })
      expect(again.keptAside).toBeUndefined()
      expect((yield* again.snapshot).keys).toHaveLength(1)
    })
  )

  it.scopedLive("with a damaged page is kept aside too", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "ledger.db")
      yield* Effect.scoped(Effect.flatMap(SqliteStore.make({ path }), (store) => store.write(batch)))
      const bytes = readFileSync(path)
      bytes.fill(0xa5, 8_192, 40_960)
      writeFileSync(path, bytes)
      const store = yield* SqliteStore.make({ path })
      expect(readFileSync(String(store.keptAside)).equals(bytes)).toBe(true)
      expect(yield* store.records({ limit: 1 })).toEqual([])
    })
  )

  it.scopedLive("that is only read stays where it is, damaged or not there", () =>
    Effect.gen(function* () {
      const at = yield* folder
      writeFileSync(join(at, "bad.db"), text)
      const opened = (name: string) =>
        Effect.flip(Effect.scoped(SqliteStore.make({ path: join(at, name), isReading: true })))
      expect((yield* opened("bad.db")).reason).toBe("corrupt")
      expect((yield* opened("none.db")).reason).toBe("place")
      expect(readdirSync(at)).toEqual(["bad.db"])
    })
  )

  it.scopedLive("in a folder that can't be made says so", () =>
    Effect.gen(function* () {
      const at = yield* folder
      writeFileSync(join(at, "file"), "")
      const error = yield* Effect.flip(Effect.scoped(SqliteStore.make({ path: join(at, "file", "ledger.db") })))
      expect(error.reason).toBe("place")
      expect(error.message).toContain(join(at, "file"))
    })
  )

  it.effect.each([
    [0x6969, undefined, "NFS"],
    [0xff534d42, undefined, "CIFS"],
    [0xfe534d42, undefined, "SMB"],
    [0x65735546, "fuse.sshfs", "fuse.sshfs"]
  ] as const)("on a disk over a network is refused: %s %s", ([type, name, called]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Place.folder(tmpdir(), () => ({ type, name })))
      expect(error.reason).toBe("place")
      expect(error.message).toContain(called)
    })
  )

  it.effect.each([
    [0xef53, undefined],
    [0x01021994, undefined],
    [0x65735546, "fuse.ntfs-3g"],
    [0x65735546, "virtiofs"]
  ] as const)("on a local disk is not: %s %s", ([type, name]) => Place.folder(tmpdir(), () => ({ type, name })))

  it.each([
    [{ rawCode: 5 }, "locked"],
    [{ rawCode: 13 }, "full"],
    [{ rawCode: 8 | (2 << 8) }, "readOnly"],
    [{ errcode: 11 | (1 << 8) }, "corrupt"],
    [{ errcode: 26 }, "corrupt"],
    [new Error('ConnectionFailed("Unable to open connection to local database x: 14")'), "place"],
    [new Error("whatever"), "place"]
  ])("what goes wrong with it has a name: %o", (thrown, reason) => {
    const error = SqliteErrors.of(thrown, "/data/ledger.db")
    expect(error.reason).toBe(reason)
    expect(error.message).toContain("/data/ledger.db")
  })
})
