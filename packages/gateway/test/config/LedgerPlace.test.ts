/**
 * Where keys, budgets and records would be kept: settings, the environment, folders that can and cannot be written.
 */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as LedgerPlace from "@switchyard/gateway/LedgerPlace"
import { Effect, Either, Redacted } from "effect"
import { loadFiles, reportOf } from "../support/configFiles.js"
import { decode, deploymentOf } from "../support/gateways.js"

const deployments = [deploymentOf({ name: "east", url: "http://127.0.0.1:9/v1" })]
const config = (settings: object = {}) => decode({ deployments, ...settings })
const day = { limit: 1, window: "1 day" }
const key = { name: "joe", key: "sk-joe-12345" }
const postgres = "postgresql://llm:hunter2pass@db.internal:5432/litellm?sslmode=require"

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-place-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

describe("the ledger's place", () => {
  it("is nowhere until there is a key or a budget", () => {
    const of = (settings: object) => LedgerPlace.placeOf(config(settings), { data: "/data", env: {} })._tag
    const on = { None: "off", Sqlite: "on", Postgres: "postgres", Homeless: "homeless" } as const
    const table: ReadonlyArray<readonly [string, object]> = [
      ["off", {}],
      ["on", { masterKey: "sk-master-1" }],
      ["on", { keys: [key] }],
      ["on", { callerBudget: { everyCaller: day } }],
      ["on", { callerBudget: { callers: { joe: day } } }],
      ["off", { callerBudget: { callers: {} } }],
      ["on", { spendLimits: { providers: { openai: day } } }],
      ["on", { spendLimits: { requestTags: { blog: day } } }],
      ["on", { ledger: {} }],
      ["off", { masterKey: "sk-master-1", keys: [{ ...key, budget: day }], ledger: false }],
      ["postgres", { ledger: { url: postgres } }]
    ]
    for (const [expected, settings] of table) assert.strictEqual(on[of(settings)], expected, JSON.stringify(settings))
  })

  it("is the data folder: as named, else the variable's, else the XDG state folder, else that below the home folder", () => {
    const file = (data: string | undefined, env: Readonly<Record<string, string>>, url?: string) => {
      const place = LedgerPlace.placeOf(config({ ledger: url === undefined ? {} : { url } }), { data, env })
      return place._tag === "Sqlite" ? place.path : place._tag
    }
    const env = { SWITCHYARD_DATA: "/var/s", XDG_STATE_HOME: "/x", HOME: "/h" }
    const { SWITCHYARD_DATA: _, ...xdg } = env
    assert.strictEqual(file("/named", env), "/named/ledger.db")
    assert.strictEqual(file(undefined, env), "/var/s/ledger.db")
    assert.strictEqual(file("", xdg), "/x/switchyard/ledger.db")
    assert.strictEqual(file(undefined, { ...xdg, XDG_STATE_HOME: "relative" }), "/h/.local/state/switchyard/ledger.db")
    assert.strictEqual(file(undefined, {}), join(homedir(), ".local/state/switchyard/ledger.db"))
    assert.strictEqual(file("/named", {}, "sqlite:team.db"), "/named/team.db")
    assert.strictEqual(file("/named", {}, "sqlite:///abs/team.db"), "/abs/team.db")
    assert.strictEqual(file("/named", {}, "sqlite:/abs/team.db"), "/abs/team.db")
    assert.strictEqual(file("/named", {}, "sqlite:///./team.db"), "/named/team.db")
  })

  it.scoped("without a folder that can be written is a warning where there is a budget, and else a note", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const blocked = join(folder, "file")
      writeFileSync(blocked, "")
      const said = (settings: object, data: string) => {
        const made = config(settings)
        return LedgerPlace.problemsOf(LedgerPlace.placeOf(made, { data, env: {} }), made).map(
          ({ message, severity }) => `${severity} ${message}`
        )
      }
      const inFile = join(blocked, "below")
      assert.match(said({ keys: [{ ...key, budget: day }] }, inFile).join(), /^warning what is spent .*no folder/)
      assert.match(said({ masterKey: "sk-master-1" }, inFile).join(), /^note no keys and no usage are kept/)
      assert.match(said({ ledger: { url: postgres } }, inFile).join(), /^warning nothing can be kept in .* away/)
      assert.deepStrictEqual(said({}, inFile), [])
      assert.deepStrictEqual(said({ keys: [key] }, join(folder, "not", "yet")), [])
      assert.deepStrictEqual(readdirSync(folder), ["file"])
      if (process.getuid?.() === 0) return
      const closed = join(folder, "closed")
      mkdirSync(closed, { mode: 0o500 })
      assert.match(said({ keys: [key] }, closed).join(), /no permission/)
      chmodSync(closed, 0o700)
    })
  )

  it("of Postgres is shown without what nobody may read", () => {
    const place = LedgerPlace.placeOf(config({ ledger: { url: postgres } }), { data: "/data", env: {} })
    const shown = LedgerPlace.shownPlace(place)
    assert.include(shown, "db.internal:5432/litellm")
    assert.notInclude(shown, "hunter2pass")
    assert.notInclude(JSON.stringify(place), "hunter2pass")
    assert.strictEqual(place._tag === "Postgres" ? Redacted.value(place.url) : "", postgres)
  })
})

describe("the ledger's settings", () => {
  const file = (ledger: string) =>
    `deployments: [{ id: a, group: g, model: m, apiKey: sk-a-1234567 }]\nledger: ${ledger}\n`

  it.effect("that make no sense are said at their lines, and no password with them", () =>
    Effect.gen(function* () {
      const told = (ledger: string, env: Readonly<Record<string, string>> = {}) =>
        Effect.map(loadFiles({ "config.yaml": file(ledger) }, env), (read) => reportOf(read).slice(1).join("\n"))
      const url =
        /config\.yaml:2:\d+ error ledger\.url: expected postgresql:\/\/USER:PASSWORD@HOST\/DATABASE or sqlite:PATH/
      for (const bad of [
        "mysql://u:hunter2pass@h/d",
        "sqlite:",
        "sqlite::memory:",
        "sqlite:folder/",
        "postgresql://",
        "7"
      ]) {
        const report = yield* told(`{ url: "${bad}" }`)
        assert.match(report, url, bad)
        assert.notInclude(report, "hunter2pass")
      }
      assert.match(yield* told("true"), /ledger: expected false or an object|ledger: expected/)
      const several = yield* told("{ keep: 0, spool: -1, staleFor: soon, secret: short, urI: x }")
      for (const one of ["keep: expected a duration above 0", "spool: expected a whole number of at least 1"]) {
        assert.include(several, one)
      }
      for (const one of [
        "staleFor: expected a duration of 0 or more",
        "a secret of at least 16",
        "did you mean url?"
      ]) {
        assert.include(several, one)
      }
      assert.notInclude(yield* told("{ secret: hunter2pass }"), "hunter2pass")
      assert.match(yield* told("{}", { SWITCHYARD_LEDGER_URL: "mysql://u:hunter2pass@h/d" }), /ledger\.url.*expected/)
    })
  )

  it.effect("come from the environment, too, but for a ledger that the file switches off", () =>
    Effect.gen(function* () {
      const env = { SWITCHYARD_LEDGER_URL: ` ${postgres}\n`, SWITCHYARD_LEDGER_SECRET: "0123456789abcdef\n" }
      const of = (ledger: string) =>
        Effect.map(loadFiles({ "config.yaml": file(ledger) }, env), (read) => Either.getOrThrow(read))
      const { config: taken, display, problems } = yield* of("{ keep: 7 days, url: 'sqlite:x.db' }")
      const ledger = typeof taken.ledger === "object" ? taken.ledger : {}
      assert.strictEqual(Redacted.isRedacted(ledger.url) ? Redacted.value(ledger.url) : "", postgres)
      assert.strictEqual(Redacted.isRedacted(ledger.secret) ? Redacted.value(ledger.secret) : "", "0123456789abcdef")
      assert.strictEqual(ledger.keep, "7 days")
      assert.notInclude(JSON.stringify([display, problems, taken.ledger]), "hunter2pass")
      assert.strictEqual((yield* of("false")).config.ledger, false)
    })
  )

  it.effect("of a file show neither password nor secret", () =>
    Effect.gen(function* () {
      const read = yield* loadFiles({ "config.yaml": file(`{ url: "${postgres}", secret: "0123456789abcdef" }`) })
      const { display } = Either.getOrThrow(read)
      const shown = JSON.stringify(display)
      assert.include(shown, "db.internal")
      for (const secret of ["hunter2pass", "0123456789abcdef"]) assert.notInclude(shown, secret)
    })
  )
})
