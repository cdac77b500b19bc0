import { assert, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as RequestLog from "@switchyard/gateway/RequestLog"
import { Effect } from "effect"
import { decode } from "../../support/gateways.js"
import { ask, chat, fileKey, master, settingsOf, start } from "./desk.js"

describe("keys over HTTP", () => {
  it.scopedLive("a key is made, told once, let in, told about, changed, blocked, replaced and deleted", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      const asked = {
        key_alias: "shop",
        models: ["cheap"],
        aliases: { "gpt-4o": "cheap" },
        max_budget: 10,
        soft_budget: 8,
        budget_duration: "30d",
        rpm_limit: 50,
        tpm_limit: 100_000,
        max_parallel_requests: 5,
        tags: ["prod"],
        metadata: { owner: "a@b.c" },
        duration: "1h",
        team_id: "core",
        user_id: "ann"
      }
      const made = yield* ask(gateway, "/key/generate", asked)
      assert.strictEqual(made.status, 200)
      const { key, token } = made.json
      assert.match(key, /^sk-[\w-]{32}$/)
      const { budget_duration, duration: _, ...same } = asked
      const shown = { ...same, budget_duration, key_name: `sk-...${key.slice(-4)}`, blocked: false, spend: 0 }
      assert.deepInclude(made.json, shown)
      assert.approximately(Date.parse(made.json.expires), Date.now() + 3_600_000, 60_000)

      assert.strictEqual((yield* chat(gateway, key)).status, 200)
      assert.strictEqual((yield* chat(gateway, key, "gpt-4o")).status, 200)
      assert.deepStrictEqual((yield* chat(gateway, key, "dear")).json.error.code, "model_not_allowed")
      for (const hash of [token, token.toUpperCase()]) assert.strictEqual((yield* chat(gateway, hash)).status, 401)

      for (const named of [key, token]) {
        const { json } = yield* ask(gateway, `/key/info?key=${named}`)
        assert.deepInclude(json.info, { ...shown, spend: json.info.spend })
        assert.strictEqual(json.key, named)
      }
      const own = yield* ask(gateway, "/key/info", undefined, key)
      assert.strictEqual(own.json.info.token, token)

      const changed = yield* ask(gateway, "/key/update", { key, max_budget: null, soft_budget: null, models: ["dear"] })
      assert.deepInclude(changed.json, { max_budget: null, models: ["dear"], rpm_limit: 50, key_alias: "shop" })
      assert.strictEqual((yield* chat(gateway, key, "dear")).status, 200)

      assert.isTrue((yield* ask(gateway, "/key/block", { key })).json.blocked)
      const blocked = yield* chat(gateway, key, "dear")
      assert.deepStrictEqual([blocked.status, blocked.json.error.code], [403, "key_blocked"])
      assert.isFalse((yield* ask(gateway, "/key/unblock", { key: token })).json.blocked)

      const next = yield* ask(gateway, `/key/${key}/regenerate`, {})
      assert.deepInclude(next.json, { key_alias: "shop", name: "shop", models: ["dear"], team_id: "core" })
      assert.isAbove(next.json.spend, 0)
      assert.deepStrictEqual(
        [(yield* chat(gateway, key, "dear")).status, (yield* chat(gateway, next.json.key, "dear")).status],
        [401, 200]
      )
      const again = yield* ask(gateway, "/key/regenerate", { key: next.json.key, new_key: "my-own-key-0123456789" })
      assert.strictEqual(again.json.key, "my-own-key-0123456789")
      assert.strictEqual((yield* chat(gateway, "my-own-key-0123456789", "dear")).status, 200)

      const gone = yield* ask(gateway, "/key/delete", { keys: null, key_aliases: ["shop"] })
      assert.deepStrictEqual(gone.json, { deleted_keys: ["shop"] })
      assert.strictEqual((yield* chat(gateway, "my-own-key-0123456789")).status, 401)
      const logs = yield* ask(gateway, "/spend/logs?api_key=shop")
      assert.isAtLeast(logs.json.length, 4)
      const lists = JSON.stringify([(yield* ask(gateway, "/key/list?return_full_object=true")).json, logs.json])
      for (const secret of [key, next.json.key, "my-own-key-0123456789"]) assert.notInclude(lists, secret)
    })
  )

  it.scopedLive("a key expires, by how long or until when it is good", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      const past = yield* ask(gateway, "/key/generate", { expires: "2020-01-01T00:00:00Z" })
      const expired = yield* chat(gateway, past.json.key)
      assert.deepStrictEqual([expired.status, expired.json.error.code], [401, "expired_key"])
      const renewed = yield* ask(gateway, "/key/update", { key: past.json.key, duration: "2w" })
      assert.approximately(Date.parse(renewed.json.expires), Date.now() + 14 * 86_400_000, 60_000)
      assert.strictEqual((yield* chat(gateway, past.json.key)).status, 200)
      assert.isNull((yield* ask(gateway, "/key/update", { key: past.json.key, expires: null })).json.expires)
    })
  )

  it.scopedLive("keys and names are nobody else's: not the ledger's, the file's or the master's", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      const own = { key: "my-own-key-0123456789", key_alias: "mine" }
      assert.strictEqual((yield* ask(gateway, "/key/generate", own)).status, 200)
      const other = yield* ask(gateway, "/key/generate", { key_alias: "other" })
      for (const [path, body] of [
        ["/key/generate", { key: own.key }],
        ["/key/generate", { key: fileKey }],
        ["/key/generate", { key: master }],
        ["/key/generate", { key_alias: "mine" }],
        ["/key/generate", { key_alias: "of-the-file" }],
        ["/key/generate", { key_alias: "(master)" }],
        ["/key/update", { key: own.key, key_alias: "other" }],
        ["/key/regenerate", { key: own.key, new_key: other.json.key }],
        ["/user/new", { user_id: "u", key_alias: "mine" }]
      ] as const) {
        const { json, status } = yield* ask(gateway, path, body)
        assert.deepStrictEqual([status, json.error.code], [409, "conflict"], JSON.stringify([path, body]))
      }
      assert.strictEqual((yield* ask(gateway, "/user/info?user_id=u")).status, 404)
      assert.strictEqual((yield* ask(gateway, "/key/update", { key: own.key, key_alias: "mine" })).status, 200)
    })
  )

  it.scopedLive("everything that is wrong is said at once, and nothing has changed", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      for (const [path, body, params] of [
        [
          "/key/generate",
          { max_budget: -1, budget_duration: "soon", models: "cheap", colour: 1, rpm_limits: 2, key: "short" },
          ["max_budget", "models", "colour", "rpm_limits", "key"]
        ],
        ["/key/generate", { duration: "1 fortnight", budget_duration: "0d" }, ["duration", "budget_duration"]],
        ["/key/generate", { expires: "tomorrow" }, ["expires"]],
        ["/key/generate", { expires: "2030-01-01", duration: "1d" }, ["expires"]],
        ["/key/generate", { config: { a: 1 }, permissions: {} }, ["config"]],
        ["/key/update", { models: [] }, ["key"]],
        ["/key/delete", {}, ["keys"]],
        ["/key/regenerate", {}, ["key"]],
        ["/team/new", { team_id: "", members_with_roles: [{ role: "admin" }] }, ["team_id", "members_with_roles"]],
        ["/team/delete", { team_ids: "t" }, ["team_ids"]],
        ["/user/new", { tpm_limit: 1.5, admin: true }, ["tpm_limit", "admin"]]
      ] as const) {
        const { json, status } = yield* ask(gateway, path, body)
        assert.strictEqual(status, 400, path)
        for (const param of params) assert.include(json.error.message, param, path)
      }
      for (const [path, params] of [
        ["/key/list?page=0&size=x&colour=red&page=1", ["page", "colour"]],
        ["/key/list?size=x&return_full_object=yes", ["size", "return_full_object"]],
        ["/team/info", ["team_id"]],
        ["/spend/logs?start_date=yesterday&limit=100000", ["start_date", "limit"]],
        ["/global/spend/report?group_by=customer", ["start_date", "end_date", "group_by"]]
      ] as const) {
        const { json, status } = yield* ask(gateway, path)
        assert.strictEqual(status, 400, path)
        for (const param of params) assert.include(json.error.message, param, path)
      }
      assert.strictEqual((yield* ask(gateway, "/key/list")).json.total_count, 0)
      const notJson = yield* ask(gateway, "/key/generate", "{")
      assert.deepStrictEqual([notJson.status, notJson.json.error.code], [400, "invalid_json"])
      const large = yield* ask(gateway, "/key/generate", { metadata: { text: "x".repeat(70_000) } })
      assert.deepStrictEqual([large.status, large.json.error.code], [413, "request_too_large"])
      // What LiteLLM's clients send along without meaning anything by it.
      const harmless = { config: {}, permissions: {}, spend: 0, budget_id: null, guardrails: [] }
      assert.strictEqual((yield* ask(gateway, "/key/generate", harmless)).status, 200)
      assert.strictEqual((yield* ask(gateway, "/key/generate", "")).status, 200)
    })
  )

  it.scopedLive("lists have pages and filters, and hints in place of keys", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      const tokens: Array<string> = []
      for (const [key_alias, team_id, user_id] of [
        ["a", "t", "u"],
        ["b", "t", "v"],
        ["c", undefined, "u"]
      ] as const) {
        tokens.push((yield* ask(gateway, "/key/generate", { key_alias, team_id, user_id })).json.token)
      }
      const [a, b, c] = tokens
      const list = (query: string) => Effect.map(ask(gateway, `/key/list?${query}`), ({ json }) => json)
      assert.deepStrictEqual(yield* list("size=2"), {
        keys: [c, b],
        total_count: 3,
        current_page: 1,
        total_pages: 2
      })
      assert.deepStrictEqual((yield* list("size=2&page=2")).keys, [a])
      assert.deepStrictEqual((yield* list("team_id=t")).keys, [b, a])
      assert.deepStrictEqual((yield* list("team_id=t&user_id=u")).keys, [a])
      assert.deepStrictEqual((yield* list("key_alias=b")).keys, [b])
      const [whole] = (yield* list(`key_hash=${c}&return_full_object=true&include_team_keys=true`)).keys
      assert.match(whole.key_name, /^sk-\.\.\..{4}$/)
      assert.deepStrictEqual([whole.token, whole.user_id, whole.team_id], [c, "u", null])
    })
  )

  it.scopedLive("a key of the file with the name of one in the ledger is told of, at a start and at a reload", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const gateway = yield* start({ keys: [] })
      yield* ask(gateway, "/key/generate", { key_alias: "twin" })
      const problems = (of: { readonly url: string }) =>
        Effect.map(ask(of, "/admin/config"), ({ json }) =>
          json.problems.map(({ message }: { readonly message: string }) => message)
        )
      assert.deepStrictEqual(yield* problems(gateway), [])
      const twins = decode(
        settingsOf(gateway.provider.url, {
          keys: ["twin", "only"].map((name) => ({ name, key: `sk-${name}-0123456789` }))
        })
      )
      yield* gateway.gateway.reload({ config: twins })
      const [told, ...more] = yield* problems(gateway)
      assert.match(told, /the ledger has a key of the name "twin", too/)
      assert.deepStrictEqual(more, [])
      const log = {
        ...RequestLog.silent,
        note: (level: string, event: string, fields: object) =>
          void lines.push(`${level} ${event} ${JSON.stringify(fields)}`)
      }
      const second = yield* Gateway.make({ config: twins }, { ledger: gateway.ledger }, log)
      assert.deepStrictEqual(yield* problems(second), [told])
      assert.match(lines.join("\n"), /^warn keys .*twin.*, too/m)
      yield* gateway.gateway.reload({ config: decode(settingsOf(gateway.provider.url)) })
      assert.deepStrictEqual(yield* problems(gateway), [])
    })
  )
})
