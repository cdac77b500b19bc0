import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as LedgerSecret from "@switchyard/ledger/LedgerSecret"
import { Effect, Redacted } from "effect"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-secret-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const notesOf = (known: Map<string, string>): LedgerSecret.Notes => ({
  note: (name) => Effect.sync(() => known.get(name)),
  keepNote: (name, text) =>
    Effect.sync(() => {
      if (!known.has(name)) known.set(name, text)
      return known.get(name) ?? ""
    })
})

describe("LedgerSecret", () => {
  it.scoped("is a file of its owner's beside the database, made once, whoever comes first", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const database = join(place, "ledger.sqlite")
      const notes = notesOf(new Map())
      const find = LedgerSecret.find({ given: undefined, database, notes })
      const found = (yield* Effect.all(
        Array.from({ length: 8 }, () => find),
        { concurrency: "unbounded" }
      )).map(Redacted.value)
      assert.strictEqual(new Set(found).size, 1)
      assert.isAtLeast(found[0]?.length ?? 0, 43)
      assert.deepStrictEqual(readdirSync(place), ["ledger.sqlite.secret"])
      assert.strictEqual(statSync(`${database}.secret`).mode & 0o777, 0o600)
      assert.strictEqual(Redacted.value(yield* find), readFileSync(`${database}.secret`, "utf8").trim())
    })
  )
  it.scoped("a file that was cut is an error and not another secret; so is one that can't be written", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "secret")
      writeFileSync(path, "short\n")
      const cut = yield* Effect.flip(LedgerSecret.ofFile(path))
      assert.match(cut.message, /it holds fewer than 32 characters/)
      const nowhere = yield* Effect.flip(LedgerSecret.ofFile(join(path, "below")))
      assert.deepStrictEqual([cut.reason, nowhere.reason], ["place", "place"])
      assert.match(nowhere.message, /ENOTDIR.*Set ledger\.secret/)
    })
  )
  it.effect("is a note that all who share a store share, and what is given beats both", () =>
    Effect.gen(function* () {
      const known = new Map<string, string>()
      const find = LedgerSecret.find({ given: undefined, database: undefined, notes: notesOf(known) })
      const [a, b] = yield* Effect.all([find, find], { concurrency: 2 })
      assert.strictEqual(Redacted.value(a), Redacted.value(b))
      assert.strictEqual(known.get("secret"), Redacted.value(a))
      const given = Redacted.make("given")
      const notes = notesOf(new Map())
      assert.strictEqual(yield* LedgerSecret.find({ given, database: "/nowhere/x", notes }), given)
    })
  )
})
