import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import * as Ledger from "../../src/ledger/Ledger.js"
import { hour, key, morning, record } from "../store/samples.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-ledger-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const open = (data: string, of: Partial<Ledger.Options> = {}) =>
  Effect.map(
    Layer.build(Ledger.layer({ store: { engine: "sqlite", path: join(data, "ledger.db") }, data, ...of })),
    (context) => Context.get(context, Ledger.Ledger)
  )

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
      ledger.append(record({ id: "last" }))
      expect(ledger.health()).toMatchObject({ engine: "sqlite", state: "up", lost: 0, error: undefined })
      yield* Scope.close(scope, Exit.void)
      expect(readdirSync(join(data, "journals"))).toEqual([])
      const again = yield* open(data)
      expect((yield* again.store.records({ limit: 1, id: "last" })).length).toBe(1)
      expect(existsSync(join(data, "journals"))).toBe(true)
    })
  )
})
