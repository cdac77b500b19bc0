/**
 * Files that can't be written, are damaged, or are of a later version, under a gateway that is served: what it says, and what it
 * leaves as it is. A disk that is full, or can only be read, is a real one, where this user may mount one.
 */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as SqliteStore from "@switchyard/ledger/SqliteStore"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { file, run, start } from "../support/process.js"
import { chat, listens, settings } from "./support.js"

/** A database as a later version of Switchyard would leave it. */
const ofLaterVersion = (path: string): void => {
  const Database = createRequire(new URL("../../../ledger/package.json", import.meta.url))("libsql") as new (
    path: string
  ) => {
    readonly exec: (sql: string) => void
    readonly prepare: (sql: string) => { all: () => void }
    close: () => void
  }
  const database = new Database(path)
  database.exec("UPDATE schema_version SET version = 999")
  database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all()
  database.close()
}

const metric = (url: string, name: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/metrics`, { headers: { authorization: "Bearer sk-master-of-test-1" } })
    return Number(new RegExp(`^switchyard_${name}(?:\\{[^}]*\\})? (\\S+)`, "m").exec(await response.text())?.[1])
  })

const until = <A>(ask: Effect.Effect<A>, isSo: (answer: A) => boolean): Effect.Effect<A> =>
  Effect.flatMap(ask, (answer) =>
    isSo(answer) ? Effect.succeed(answer) : Effect.zipRight(Effect.sleep("100 millis"), until(ask, isSo))
  )

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-places-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const mount = (...words: ReadonlyArray<string>) => execFileSync("mount", words, { stdio: "ignore" })

/** A disk of its own, of so many KiB; undefined where this user may mount none. */
const disk = (size: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const path = mkdtempSync(join(tmpdir(), "switchyard-disk-"))
        try {
          mount("-t", "tmpfs", "-o", `size=${size}k`, "none", path)
          return { path, isMounted: true }
        } catch {
          console.warn("SKIPPED: this user may mount no disk (root may): a full disk, and one that can only be read")
          return { path, isMounted: false }
        }
      }),
      ({ isMounted, path }) =>
        Effect.sync(() => {
          if (isMounted) execFileSync("umount", ["--lazy", path], { stdio: "ignore" })
          rmSync(path, { recursive: true, force: true })
        })
    ),
    ({ isMounted, path }) => (isMounted ? path : undefined)
  )

/** Fills a disk to its last block. */
const fill = (path: string): string => {
  const { bavail, bsize } = statfsSync(path)
  const filler = join(path, "filler")
  try {
    writeFileSync(filler, Buffer.alloc(bavail * bsize + bsize))
  } catch {
    // As much as there was room for is in it.
  }
  return filler
}

describe("a ledger's file", { timeout: 300_000 }, () => {
  it.scopedLive("on a disk that fills up: calls go on, it is told what is lost, and with room again all is kept", () =>
    Effect.gen(function* () {
      const data = yield* disk(4_096)
      if (data === undefined) return
      const upstream = yield* FakeProvider.make({ name: "east" })
      const config = yield* file("c.yaml", settings(upstream.url))
      const gateway = yield* start(["serve", "--config", config, "--data", data])
      const [, url = ""] = yield* gateway.until(listens)
      assert.strictEqual(yield* chat(url), 200)
      const filler = fill(data)
      // The journal's last block takes some more lines, and then none.
      yield* until(Effect.zipRight(chat(url), metric(url, "ledger_records_lost_total")), (lost) => lost > 0)
      assert.strictEqual(yield* chat(url), 200)
      yield* gateway.until(/found no room in the ledger's journal and are lost.*ENOSPC/)
      rmSync(filler)
      const answered = (yield* Effect.sync(() => upstream.journal().length)) + 1
      assert.strictEqual(yield* chat(url), 200)
      yield* until(metric(url, "ledger_waiting_bytes"), (bytes) => bytes === 0)
      const lost = yield* metric(url, "ledger_records_lost_total")
      gateway.child.kill("SIGTERM")
      yield* gateway.finished
      const spend = yield* run(["spend", "--config", config, "--data", data, "--by", "key", "--json"])
      const [sum] = JSON.parse(spend.stdout) as ReadonlyArray<{ readonly requests: number }>
      // Lost entries are records, and what windows spent with them.
      assert.isAtLeast(sum?.requests ?? 0, answered - lost)
      assert.isAtMost(sum?.requests ?? 0, answered)
    })
  )

  it.scopedLive("on a disk that can only be read: without a name it is done without, by name it is an error", () =>
    Effect.gen(function* () {
      const data = yield* disk(1_024)
      if (data === undefined) return
      mount("-o", "remount,ro", data)
      const upstream = yield* FakeProvider.make({ name: "east" })
      const config = yield* file("c.yaml", settings(upstream.url))
      const gateway = yield* start(["serve", "--config", config, "--data", data])
      yield* gateway.until(/what is spent of budgets is forgotten with each restart/)
      const [, url = ""] = yield* gateway.until(listens)
      assert.strictEqual(yield* chat(url), 200)
      const named = yield* file("c.yaml", settings(upstream.url, "ledger: { url: 'sqlite:own.db' }\n"))
      const refused = yield* run(["serve", "--config", named, "--data", data])
      assert.strictEqual(refused.code, 1)
      assert.match(refused.stderr, /switchyard: serve: the ledger can't be kept: .*own\.db.*/)
      assert.deepStrictEqual(readdirSync(data), [])
    })
  )

  it.scopedLive(
    "that is damaged is kept aside and told of, and a new one begins; one that was newer stays as it is",
    () =>
      Effect.gen(function* () {
        const upstream = yield* FakeProvider.make({ name: "east" })
        const config = yield* file("c.yaml", settings(upstream.url))
        const damaged = yield* folder
        const bytes = Buffer.alloc(64 * 1024, "no database ")
        writeFileSync(join(damaged, "ledger.db"), bytes)
        const gateway = yield* start(["serve", "--config", config, "--data", damaged])
        const [, aside = ""] = yield* gateway.until(/was damaged: it is kept as (\S+), and a new one begins/)
        const [, url = ""] = yield* gateway.until(listens)
        assert.strictEqual(yield* chat(url), 200)
        assert.isTrue(readFileSync(aside).equals(bytes))
        gateway.child.kill("SIGTERM")
        yield* gateway.finished
        const spend = yield* run(["spend", "--config", config, "--data", damaged, "--by", "key"])
        assert.match(spend.stdout, /\njoe +1 +0 /)

        const newer = yield* folder
        mkdirSync(newer, { recursive: true })
        const path = join(newer, "ledger.db")
        yield* Effect.scoped(SqliteStore.make({ path }))
        ofLaterVersion(path)
        const before = readFileSync(path)
        const refused = yield* run(["serve", "--config", config, "--data", newer])
        assert.strictEqual(refused.code, 1)
        assert.match(refused.stderr, /written by a later version of this program .*nothing was touched/)
        assert.isTrue(readFileSync(path).equals(before))
      })
  )
})
