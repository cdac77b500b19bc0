import { assert, describe, it } from "@effect/vitest"
import * as KeysApi from "@switchyard/gateway/KeysApi"
import * as RequestLog from "@switchyard/gateway/RequestLog"
import { Effect } from "effect"
import { managedPaths } from "../../../src/control/management/paths.js"
import { ask, chat, fileKey, master, start } from "./desk.js"

/** A request that is in order, for each route. */
const bodies: Readonly<Record<string, object>> = {
  "/key/generate": {},
  "/key/update": { key: "K" },
  "/key/delete": { keys: ["K"] },
  "/key/block": { key: "K" },
  "/key/unblock": { key: "K" },
  "/key/regenerate": { key: "K" },
  "/key/:key/regenerate": {},
  "/team/new": { team_id: "new" },
  "/team/update": { team_id: "t" },
  "/team/delete": { team_ids: ["t"] },
  "/team/block": { team_id: "t" },
  "/team/unblock": { team_id: "t" },
  "/team/member_add": { team_id: "t", member: { user_id: "u" } },
  "/team/member_delete": { team_id: "t", user_id: "u" },
  "/user/new": { user_id: "new" },
  "/user/update": { user_id: "u" },
  "/user/delete": { user_ids: ["u"] }
}

const queries: Readonly<Record<string, string>> = {
  "/key/info": "?key=K",
  "/team/info": "?team_id=t",
  "/user/info": "?user_id=u",
  "/global/spend/report": "?start_date=2026-01-01&end_date=2026-12-31"
}

const withKey = (value: object | undefined, key: string): object | undefined =>
  value === undefined ? undefined : (JSON.parse(JSON.stringify(value).replaceAll('"K"', JSON.stringify(key))) as object)

/** What a request for a route is, about a key, a team and a user that are there. */
const requestOf = ({ path }: KeysApi.Endpoint, key: string) =>
  [path.replace(":key", key) + (queries[path] ?? "").replace("K", key), withKey(bodies[path], key)] as const

describe("who may manage keys", () => {
  it("the control plane knows every path of the API, and no other", () => {
    assert.sameMembers(
      managedPaths.map((path) => path),
      KeysApi.endpoints.map(({ path }) => path)
    )
    assert.sameMembers(
      Object.keys(bodies),
      KeysApi.endpoints.filter(({ method }) => method === "POST").map(({ path }) => path)
    )
  })

  it.scopedLive("the master key alone, on each route; a caller asks about the own key", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      const caller = (yield* ask(gateway, "/key/generate", { key_alias: "caller" })).json.key
      for (const endpoint of KeysApi.endpoints) {
        const { method, path } = endpoint
        const needsKey = path.startsWith("/key/")
        const { key } = needsKey ? (yield* ask(gateway, "/key/generate", {})).json : { key: "K" }
        if (path.startsWith("/team/")) yield* ask(gateway, "/team/new", { team_id: "t" })
        if (path.startsWith("/user/")) yield* ask(gateway, "/user/new", { user_id: "u", auto_create_key: false })
        const [url, body] = requestOf(endpoint, key)
        const roles = [
          ["", 401, "invalid_api_key"],
          ["sk-nobody-knows-it", 401, "invalid_api_key"],
          [caller, 403, "master_key_required"],
          [fileKey, 403, "master_key_required"]
        ] as const
        const refused = yield* Effect.all(
          roles.map(([role]) => ask(gateway, url, body, role)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          refused.map(({ json, status }) => [status, json.error.code]),
          roles.map(([, status, code]) => [status, code]),
          path
        )
        const other = yield* ask(gateway, url, method === "GET" ? {} : undefined)
        assert.deepStrictEqual(
          [other.status, other.headers.get("allow")],
          [405, method === "GET" ? "GET, HEAD" : method]
        )
        const answer = yield* ask(gateway, url, body)
        assert.strictEqual(answer.status, 200, `${path} ${JSON.stringify(answer.json)}`)
        assert.strictEqual(answer.headers.get("cache-control"), "no-store")
      }
      const own = yield* ask(gateway, "/key/info", undefined, caller)
      assert.deepStrictEqual([own.status, own.json.info.name], [200, "caller"])
      assert.strictEqual((yield* ask(gateway, `/key/info?key=${caller}`, undefined, caller)).status, 200)
      // A key that is asked about in a query lets nobody in.
      assert.strictEqual((yield* ask(gateway, `/key/info?key=${master}`, undefined, "")).status, 401)
      assert.strictEqual((yield* ask(gateway, "/key/info", undefined, fileKey)).status, 404)
    })
  )

  it.scopedLive("without a master key, and without a ledger, none of it is there", () =>
    Effect.gen(function* () {
      const keyless = yield* start({ masterKey: undefined })
      for (const endpoint of KeysApi.endpoints) {
        const [url, body] = requestOf(endpoint, "sk-whatever")
        for (const role of ["", fileKey, master]) {
          const { json, status } = yield* ask(keyless, url, body, role)
          assert.deepStrictEqual([status, json.error.code], [404, "unknown_url"], `${role} ${url}`)
        }
      }
    })
  )

  it.scopedLive("a key in a path is in no log", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const log: RequestLog.RequestLog = {
        ...RequestLog.silent,
        turnedAway: ({ path, refusal }) => void seen.push(`${path} ${refusal.code}`)
      }
      const path = "/key/sk-secret-of-somebody/regenerate"
      const gateway = yield* start({}, log)
      yield* ask(gateway, path, {}, "sk-nobody")
      yield* ask(gateway, path)
      yield* ask(gateway, path, {})
      yield* ask(yield* start({ masterKey: undefined }, log), path, {})
      assert.deepStrictEqual(
        seen,
        ["invalid_api_key", "method_not_allowed", "key_not_found", "unknown_url"].map(
          (code) => `/key/.../regenerate ${code}`
        )
      )
    })
  )

  it.scopedLive(
    "whoever signed in manages keys as the master from the gateway's own page, and calls no model by that",
    () =>
      Effect.gen(function* () {
        const gateway = yield* start({ server: { port: 0, cors: "*" } })
        const send = (path: string, body: object | undefined, headers: Readonly<Record<string, string>>) =>
          Effect.promise(async () => {
            const method = body === undefined ? "GET" : "POST"
            const type = { "content-type": "application/json" }
            const init = body === undefined ? {} : { body: JSON.stringify(body) }
            const answer = await fetch(gateway.url + path, { method, headers: { ...type, ...headers }, ...init })
            // biome-ignore lint/suspicious/noExplicitAny: what comes is looked at below
            const json: any = await answer.json()
            return { status: answer.status, code: json.error?.code, json, headers: answer.headers }
          })
        const own = { origin: gateway.url }
        const signedIn = yield* send("/admin/login", { key: master }, own)
        const cookie = signedIn.headers.get("set-cookie")?.split(";", 1)[0] ?? ""
        const made = yield* send("/key/generate", { key_alias: "shop" }, { ...own, cookie })
        assert.deepStrictEqual([made.status, made.json.key_alias], [200, "shop"])
        assert.strictEqual((yield* chat(gateway, made.json.key)).status, 200)
        const info = yield* send(`/key/info?key=${made.json.key}`, undefined, { cookie })
        assert.strictEqual(info.json.info.key_alias, "shop")

        const asked = { model: "cheap", messages: [{ role: "user", content: "Hi" }] }
        for (const [path, body] of [
          ["/v1/chat/completions", asked],
          ["/v1/models", undefined],
          ["/v1/files", undefined]
        ] as const) {
          assert.strictEqual((yield* send(path, body, { ...own, cookie })).status, 401, path)
        }
        for (const origin of ["https://evil.example", "http://127.0.0.1:3000", "null"]) {
          for (const [path, body] of [
            ["/key/generate", { key_alias: "theirs" }],
            ["/key/block", { key: made.json.key }],
            ["/key/list", undefined]
          ] as const) {
            const foreign = yield* send(path, body, { origin, cookie })
            assert.deepStrictEqual([foreign.status, foreign.code], [403, "foreign_page"], `${origin} ${path}`)
            assert.isNull(foreign.headers.get("access-control-allow-credentials"))
          }
        }
        yield* send("/admin/logout", {}, { ...own, cookie })
        assert.strictEqual((yield* send("/key/generate", {}, { ...own, cookie })).status, 401)
      })
  )

  it.scopedLive(
    "while the store is away keys that are known go on, others are told to come back, and nothing is managed",
    () =>
      Effect.gen(function* () {
        const { gateway, test } = yield* start()
        const { key } = (yield* ask(gateway, "/key/generate", {})).json
        test.isAway = true
        const refused = yield* ask(gateway, "/key/generate", {})
        assert.deepStrictEqual([refused.status, refused.json.error.code], [503, "ledger_unavailable"])
        assert.isNotNull(refused.headers.get("retry-after"))
        assert.strictEqual((yield* chat(gateway, key)).status, 200)
        assert.strictEqual((yield* chat(gateway, fileKey)).status, 200)
        const unknown = yield* chat(gateway, "sk-nobody-knows-it")
        assert.deepStrictEqual([unknown.status, unknown.json.error.code], [503, "keys_unavailable"])
        assert.isNotNull(unknown.headers.get("retry-after"))
        const admin = yield* ask(gateway, "/admin/config", undefined, "sk-nobody-knows-it")
        assert.deepStrictEqual([admin.status, admin.json.error.code], [503, "keys_unavailable"])
        assert.isNotNull(admin.headers.get("retry-after"))
        test.isAway = false
        assert.strictEqual((yield* ask(gateway, "/key/block", { key })).status, 200)
        test.isAway = true
        yield* ask(gateway, "/key/list")
        assert.strictEqual((yield* chat(gateway, key)).status, 403)
        const blocked = yield* ask(gateway, "/admin/config", undefined, key)
        assert.deepStrictEqual([blocked.status, blocked.json.error.code], [403, "key_blocked"])
      })
  )
})
