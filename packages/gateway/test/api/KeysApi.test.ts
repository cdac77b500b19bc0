import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as KeysApi from "@switchyard/gateway/KeysApi"
import { Effect } from "effect"
import { chat, master, start } from "../keys/management/desk.js"

const clientOf = (url: string, key?: string) =>
  HttpApiClient.make(KeysApi.Api, {
    baseUrl: url,
    transformClient: (client) =>
      key === undefined ? client : HttpClient.mapRequest(client, HttpClientRequest.bearerToken(key))
  }).pipe(Effect.provide(FetchHttpClient.layer))

describe("KeysApi", () => {
  it.scopedLive("every answer is what the API declares: the derived client reads it", () =>
    Effect.gen(function* () {
      const gateway = yield* start()
      const client = yield* clientOf(gateway.url, master)
      const { key } = yield* client.generateKey({ payload: { key_alias: "a", team_id: "t", user_id: "u" } })
      yield* chat(gateway, key)
      assert.strictEqual((yield* client.updateKey({ payload: { key, rpm_limit: 5 } })).rpm_limit, 5)
      assert.isTrue((yield* client.blockKey({ payload: { key } })).blocked)
      assert.isFalse((yield* client.unblockKey({ payload: { key } })).blocked)
      const next = yield* client.regenerateKey({ payload: { key } })
      const last = yield* client.regenerateThisKey({ path: { key: next.key }, payload: {} })
      assert.strictEqual((yield* client.keyInfo({ urlParams: { key: last.key } })).info.name, "a")
      assert.strictEqual((yield* client.listKeys({ urlParams: { return_full_object: "true" } })).total_count, 1)
      yield* client.newTeam({ payload: { team_id: "t" } })
      yield* client.updateTeam({ payload: { team_id: "t", max_budget: 1 } })
      yield* client.blockTeam({ payload: { team_id: "t" } })
      yield* client.unblockTeam({ payload: { team_id: "t" } })
      assert.strictEqual((yield* client.teamInfo({ urlParams: { team_id: "t" } })).keys.length, 1)
      assert.strictEqual((yield* client.listTeams({ urlParams: {} })).length, 1)
      yield* client.newUser({ payload: { user_id: "u" } })
      yield* client.updateUser({ payload: { user_id: "u", soft_budget: 1 } })
      assert.strictEqual((yield* client.userInfo({ urlParams: { user_id: "u" } })).keys.length, 2)
      assert.strictEqual((yield* client.listUsers({ urlParams: {} })).total, 1)
      assert.strictEqual((yield* client.spendLogs({ urlParams: {} })).length, 1)
      const dates = { start_date: "2020-01-01", end_date: "2100-01-01" }
      assert.strictEqual((yield* client.spendLogs({ urlParams: dates })).length, 1)
      assert.strictEqual((yield* client.spendReport({ urlParams: dates })).length, 1)
      assert.strictEqual((yield* client.spendReport({ urlParams: { ...dates, api_key: "a" } })).length, 1)
      assert.deepStrictEqual((yield* client.deleteTeams({ payload: { team_ids: ["t"] } })).deleted_keys, 1)
      assert.deepStrictEqual((yield* client.deleteUsers({ payload: { user_ids: ["u"] } })).deleted_keys, 1)
      const { key: third } = yield* client.generateKey({ payload: {} })
      assert.deepStrictEqual((yield* client.deleteKeys({ payload: { keys: [third] } })).deleted_keys, [third])
      assert.property(yield* client.keysDocument(), "openapi")
    })
  )

  it.scopedLive("its failures are the declared ones", () =>
    Effect.gen(function* () {
      const { test, url } = yield* start()
      const client = yield* clientOf(url, master)
      yield* client.generateKey({ payload: { key_alias: "a" } })
      assert.instanceOf(yield* Effect.flip((yield* clientOf(url)).listKeys({ urlParams: {} })), KeysApi.Unauthorized)
      assert.instanceOf(yield* Effect.flip(client.generateKey({ payload: { duration: "x" } })), KeysApi.Invalid)
      assert.instanceOf(yield* Effect.flip(client.blockKey({ payload: { key: "none" } })), KeysApi.Missing)
      assert.instanceOf(yield* Effect.flip(client.generateKey({ payload: { key_alias: "a" } })), KeysApi.Conflict)
      test.isAway = true
      assert.instanceOf(yield* Effect.flip(client.listKeys({ urlParams: {} })), KeysApi.LedgerAway)
    })
  )

  it("its document lists every endpoint with its key, and nothing that cannot happen", () => {
    const document = KeysApi.document()
    const text = JSON.stringify(document)
    const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { responses, security }]) => {
        assert.deepStrictEqual(security, [{ bearer: [] }])
        return `${method.toUpperCase()} ${path} ${Object.keys(responses).join(" ")}`
      })
    )
    assert.strictEqual(listed.length, KeysApi.endpoints.length)
    assert.includeMembers(listed, [
      "POST /key/generate 200 400 401 403 404 409 503",
      "POST /key/{key}/regenerate 200 400 401 403 404 409 503",
      "GET /key/info 200 400 401 403 404 503",
      "GET /key/openapi.json 200 401 403"
    ])
    for (const [reference] of text.matchAll(/#\/components\/schemas\/\w+/g)) {
      assert.property(document.components.schemas, reference.split("/")[3] ?? "")
    }
    assert.notInclude(text, "DecodeError")
  })
})
