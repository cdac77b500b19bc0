import { spawn } from "node:child_process"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Worker } from "node:worker_threads"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { buildSync } from "esbuild"
import type { LedgerError } from "../../src/errors/LedgerError.js"
import * as Line from "../../src/journal/line.js"
import { LineBuffer } from "../../src/journal/lineBuffer.js"
import * as Ledger from "../../src/ledger/Ledger.js"
import type { UsageRecord } from "../../src/record/UsageRecord.js"
import * as Driver from "../../src/store/sqlite/driver.js"
import { hour, key, morning, record } from "../store/samples.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-ledger-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A folder from which packages are found. */
const beside = Effect.acquireRelease(
  Effect.sync(() => {
    const at = fileURLToPath(new URL("../../.tmp/", import.meta.url))
    mkdirSync(at, { recursive: true })
    return mkdtempSync(join(at, "killed-"))
  }),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const open = (data: string, of: Partial<Ledger.Options> = {}) =>
  Effect.map(
    Layer.build(Ledger.layer({ store: { engine: "sqlite", path: join(data, "ledger.db") }, data, ...of })),
    (context) => Context.get(context, Ledger.Ledger)
  )

const lineOf = (of: UsageRecord): string => {
  const lines = new LineBuffer()
  Line.ofRecord(lines, of)
  return Buffer.from(lines.gathered(undefined)).toString()
}

const spent = { scope: "caller", key: "alice", length: hour, cost: 1_000, time: morning }
const look = { scope: "caller", key: "alice", length: hour, limit: 1, amount: 0, lasts: 1, now: morning }
const all = { by: ["key"] as const, from: undefined, to: undefined }

describe("a ledger", () => {
  it.scopedLive("has what was appended in its store before it answers, and leaves no journal behind", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const scope = yield* Scope.make()
      const ledger = yield* Scope.extend(open(data), scope)
      for (let at = 0; at < 500; at++) {
        ledger.append(record({ id: `r${at}` }))
        ledger.spend(spent)
      }
      expect((yield* ledger.store.report(all))[0]).toMatchObject({ by: { key: "alice" }, requests: 500, cost: 500_000 })
      expect((yield* ledger.store.lease("me", [look]))[0]?.spent).toBe(500_000)
      yield* ledger.store.putKey(key(), undefined)
      expect((yield* Effect.flip(ledger.store.putKey(key(), undefined))).reason).toBe("conflict")
      expect((yield* ledger.store.snapshot).keys).toHaveLength(1)
      ledger.append(record({ id: "last", time: Date.now() }))
      ledger.append(record({ id: "old", time: Date.now() - 2 * hour }))
      expect(ledger.health()).toMatchObject({ engine: "sqlite", state: "up", lost: 0, error: undefined })

      // What a gateway left behind that is no more, with a line that its end tore; and one that lives.
      const left = join(data, "journals", "of-a-dead-one")
      const living = join(data, "journals", "of-a-living-one")
      for (const path of [left, living]) {
        mkdirSync(path)
        writeFileSync(join(path, "lock"), "")
        writeFileSync(
          join(path, "0000000000000000.jsonl"),
          `${lineOf(record({ id: `of ${path}`, time: Date.now() }))}[0,"torn`
        )
      }
      const driver = yield* Driver.load(undefined)
      const held = driver.open(join(living, "lock"))
      held.exec("BEGIN EXCLUSIVE")
      yield* Scope.close(scope, Exit.void)
      expect(readdirSync(join(data, "journals")).sort()).toEqual(["of-a-dead-one", "of-a-living-one"])

      const again = yield* open(data, { keep: "1 hour" })
      const found = (id: string) => Effect.map(again.store.records({ limit: 5, id }), ({ length }) => length)
      expect(yield* found("last")).toBe(1)
      expect(yield* found(`of ${left}`)).toBe(1)
      expect(yield* found(`of ${living}`)).toBe(0)
      const names = readdirSync(join(data, "journals"))
      expect(names).toContain("of-a-living-one")
      expect(names).not.toContain("of-a-dead-one")
      held.close()
      // What is kept for an hour is not kept for two; its sum is.
      while ((yield* found("old")) > 0) yield* Effect.sleep("20 millis")
      expect((yield* again.store.report(all))[0]?.requests).toBe(503)
    })
  )

  // The clock of this test stands still: whatever waits for time waits for ever.
  it.scoped("ends once its store has answered, and not when it would have given up waiting", () =>
    Effect.gen(function* () {
      const data = yield* folder
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { append, store } = yield* open(data)
          append(record())
          yield* Effect.addFinalizer(() => Effect.ignore(store.putNote("left", "behind")))
        })
      )
      expect(readdirSync(join(data, "journals"))).toEqual([])
      const again = yield* open(data)
      expect(yield* again.store.note("left")).toBe("behind")
    })
  )

  it.scopedLive("waits for a store that another program holds, and loses nothing by it", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const ledger = yield* open(data)
      const driver = yield* Driver.load(undefined)
      const other = driver.open(join(data, "ledger.db"))
      const changes = yield* Effect.fork(Stream.runHead(ledger.changes))
      yield* Effect.sleep("50 millis")
      other.exec("BEGIN IMMEDIATE")
      ledger.append(record())
      yield* Fiber.join(changes)
      expect(ledger.health()).toMatchObject({ state: "away", error: { reason: "locked" } })
      expect(ledger.health().awaySince).toBeGreaterThan(0)
      expect(ledger.health().waitingBytes).toBeGreaterThan(0)
      other.exec("COMMIT")
      other.close()
      yield* Effect.retry(ledger.settled, { while: () => Effect.as(Effect.sleep("50 millis"), true) })
      expect((yield* ledger.store.report(all))[0]?.requests).toBe(1)
    })
  )

  it.scopedLive("begins its thread again when it dies, and loses nothing by it", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const threads: Array<Worker> = []
      const seen = (told: unknown) => threads.push((told as { readonly worker: Worker }).worker)
      subscribe("worker_threads", seen)
      yield* Effect.addFinalizer(() => Effect.sync(() => unsubscribe("worker_threads", seen)))
      const ledger = yield* open(data)
      const states: Array<string> = []
      yield* Effect.fork(Stream.runForEach(ledger.changes, ({ state }) => Effect.sync(() => states.push(state))))
      yield* Effect.sleep("20 millis")
      const asked = yield* Effect.fork(Effect.flip(Effect.forever(ledger.store.snapshot)))
      yield* Effect.promise(() => threads[0]?.terminate() ?? Promise.resolve(0))
      expect((yield* Fiber.join(asked)).reason).toBe("away")
      ledger.append(record())
      while (!states.includes("up")) yield* Effect.sleep("20 millis")
      expect(states).toEqual(["away", "up"])
      expect((yield* ledger.store.report(all))[0]?.requests).toBe(1)
    })
  )

  it.scopedLive("is not begun without its store", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const failing = (of: Partial<Ledger.Options>): Effect.Effect<LedgerError> =>
        Effect.orDie(Effect.flip(Effect.scoped(open(data, of))))
      writeFileSync(join(data, "file"), "")
      expect((yield* failing({ store: { engine: "sqlite", path: join(data, "file", "x.db") } })).reason).toBe("place")
      expect((yield* failing({ data: join(data, "file") })).reason).toBe("place")
      const nobody = yield* failing({ store: { engine: "postgres", url: "postgresql://u:top-secret@127.0.0.1:1/x" } })
      expect(nobody.reason).toBe("away")
      expect(nobody.message).not.toContain("secret")
    })
  )
})

describe("a gateway that is killed", () => {
  /** The program, made of JavaScript beside its thread: what reads TypeScript takes seconds to begin. */
  const compiled = (data: string): string => {
    const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
    buildSync({
      entryPoints: { writer: at("bench/writer.ts"), thread: at("src/worker/thread.ts") },
      outdir: data,
      bundle: true,
      format: "esm",
      platform: "node",
      conditions: ["@switchyard/source"],
      external: ["effect", "effect/*", "@effect/*", "libsql"]
    })
    return join(data, "writer.js")
  }

  it.scopedLive("loses the last tick at most, and counts nothing twice, beside another on the same file", () =>
    Effect.gen(function* () {
      const data = yield* beside
      const program = compiled(data)
      const begun = ["one", "two"].map((name) => {
        const told = join(data, name)
        writeFileSync(told, "")
        const child = spawn(process.execPath, [program, data, told], { stdio: ["ignore", "ignore", "inherit"] })
        return {
          child,
          acknowledged: () => Number(readFileSync(told, "utf8").trimEnd().split("\n").at(-1)),
          ended: new Promise((resolve) => child.once("exit", resolve))
        }
      })
      while (begun.some(({ acknowledged }) => acknowledged() < 2_000)) yield* Effect.sleep("5 millis")
      for (const { child } of begun) child.kill("SIGKILL")
      yield* Effect.promise(() => Promise.all(begun.map(({ ended }) => ended)))
      const before = begun.reduce((sum, { acknowledged }) => sum + acknowledged(), 0)
      const ledger = yield* open(data)
      const [sum] = yield* ledger.store.report({ ...all, by: [] })
      const requests = sum?.requests ?? 0
      expect(requests).toBeGreaterThanOrEqual(before)
      expect(requests).toBeLessThanOrEqual(before + 2 * 20)
      const asks = Array.from({ length: 10 }, (_, at) => ({
        ...look,
        key: `key-${at}`,
        length: Number.POSITIVE_INFINITY
      }))
      const windows = yield* ledger.store.lease("me", asks)
      const inWindows = windows.reduce((of, { spent: part }) => of + part, 0)
      // A spend is written after its record: each tear may be between them.
      expect([0, 1_000, 2_000].map((torn) => (sum?.cost ?? 0) - torn)).toContain(inWindows)
    })
  )
})
