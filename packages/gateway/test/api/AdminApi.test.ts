import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as AdminApi from "@switchyard/gateway/AdminApi"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"
import { start } from "../support/controlPlaneSupport.js"

const master = "sk-master-0123456789"

const team = "sk-team-0123456789"

/** Ids that a router of paths could take for something else. */
const ids = [
  "a",
  "A",
  "openai/gpt-4o",
  "/leading",
  "trailing/",
  "isolate",
  "a/isolate",
  "x/reset/y",
  ":id",
  "*",
  "%2F",
  "%25",
  "100%",
  "a+b c",
  "a?b=1#c",
  "ünï/日本",
  'azure/gpt-4o#2@eu %2F"<b>',
  "n".repeat(3000),
  `n/${"n/".repeat(300)}N`
]

const boot = (keys: object = {}) =>
  start({
    settings: { deployments: ids.map((id) => ({ id, group: "m", model: "gpt" })), ...keys },
    base: StubLlm.make().attempts
  })

const locked = { masterKey: master, keys: [{ name: "team", key: team }] }

const clientOf = (url: string, key?: string) =>
  HttpApiClient.make(AdminApi.Api, {
    baseUrl: url,
    transformClient: (client) =>
      key === undefined ? client : HttpClient.mapRequest(client, HttpClientRequest.bearerToken(key))
  }).pipe(Effect.provide(FetchHttpClient.layer))

const ask = (url: string, init: RequestInit = {}) =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    await response.body?.cancel()
    const { headers, status } = response
    return { status, allow: headers.get("allow"), cache: headers.get("cache-control"), headers }
  })

describe("AdminApi", () => {
  it.scoped("every answer is what the API declares: the derived client reads it", () =>
    Effect.gen(function* () {
      const { url } = yield* boot(locked)
      const client = yield* clientOf(url, master)
      const { connectionsWaiting, deployments } = yield* client.deployments()
      assert.strictEqual(connectionsWaiting, 0)
      assert.deepStrictEqual(
        deployments.map(({ id }) => id),
        ids
      )
      const config = yield* client.config()
      assert.deepStrictEqual([config.generation, config.lastRefusal, config.problems], [1, null, []])
      assert.deepStrictEqual((yield* client.timeline()).intervalMs, 5000)
      assert.property(yield* client.openapi(), "openapi")
      const spend = yield* client.spend()
      assert.deepStrictEqual([spend.hasLedger, spend.days.length, spend.keys.total], [false, 30, 0])
      assert.strictEqual((yield* client.isolate({ path: { id: "a" } })).state, "isolated")
    })
  )
  it.scoped("its failures are the declared ones", () =>
    Effect.gen(function* () {
      const { url } = yield* boot(locked)
      const none = yield* Effect.flip((yield* clientOf(url)).config())
      const other = yield* Effect.flip((yield* clientOf(url, team)).config())
      const unknown = yield* Effect.flip((yield* clientOf(url, master)).reset({ path: { id: "zz" } }))
      assert.instanceOf(none, AdminApi.Unauthorized)
      assert.instanceOf(other, AdminApi.Forbidden)
      assert.instanceOf(unknown, AdminApi.NotFound)
      assert.deepStrictEqual(
        [none, other, unknown].map((failure) => ("error" in failure ? (failure.error as { code: string }).code : "")),
        ["invalid_api_key", "master_key_required", "deployment_not_found"]
      )
    })
  )
  it.scoped("an id is one deployment's, whatever it is made of, and however its slashes are written", () =>
    Effect.gen(function* () {
      const { url } = yield* boot()
      const client = yield* clientOf(url)
      const act = (path: string, action: string) =>
        Effect.promise(async () => {
          const answer = await fetch(`${url}/admin/deployments/${path}/${action}`, { method: "POST" })
          const { id, isolated } = (await answer.json()) as { readonly id?: string; readonly isolated?: boolean }
          return [answer.status, id, isolated]
        })
      for (const id of ids) {
        const { id: found, isolated } = yield* client.isolate({ path: { id } })
        assert.deepStrictEqual([found, isolated], [id, true])
        // Doubled slashes, and those at an end, mean nothing in a path: only an encoded one stands for itself there.
        const isPlain = !/^\/|\/$/.test(id)
        const path = isPlain ? id.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(id)
        assert.deepStrictEqual(yield* act(path, "release"), [200, id, false])
      }
      for (const [path, action] of [
        ["%zz", "isolate"],
        ["a", "Isolate"]
      ] as const) {
        assert.strictEqual((yield* act(path, action))[0], 404)
      }
    })
  )
  it.scoped("each endpoint takes its own method, with or without a slash at the end, and says so to every other", () =>
    Effect.gen(function* () {
      const { url } = yield* boot(locked)
      const headers = { authorization: `Bearer ${master}` }
      for (const { method, path } of AdminApi.endpoints) {
        const at = `${url}${path.replace(":id", "a")}`
        const allow = method === "GET" ? "GET, HEAD" : method
        assert.strictEqual((yield* ask(at, { method, headers })).status, 200)
        assert.strictEqual((yield* ask(`${at}/`, { method: method === "GET" ? "HEAD" : method, headers })).status, 200)
        for (const other of ["DELETE", "PUT", "PATCH", "OPTIONS", method === "GET" ? "POST" : "GET"]) {
          const refused = yield* ask(at, { method: other })
          assert.deepStrictEqual([refused.status, refused.allow], [405, allow], `${other} ${path}`)
        }
        const caseless = at.replace("/admin/", "/Admin/")
        assert.strictEqual((yield* ask(caseless, { method, headers })).status, 404)
      }
    })
  )
  it.scoped("each endpoint asks for the master key, lets no cache keep an answer, and tells whom it turned away", () =>
    Effect.gen(function* () {
      const { deps, url } = yield* boot(locked)
      const seen: Array<string> = []
      Object.assign(deps, {
        onRefusal: ({
          id,
          method,
          path,
          refusal
        }: {
          id: string
          method: string
          path: string
          refusal: { code: string }
        }) => seen.push(`${id} ${method} ${path} ${refusal.code}`)
      })
      for (const { method, path } of AdminApi.endpoints) {
        const own = path.replace(":id", "x%2Fa")
        const answer = yield* ask(`${url}${own}?key=1`, { method, headers: { "x-request-id": "r-1" } })
        assert.deepStrictEqual(
          [
            answer.status,
            answer.cache,
            ...["www-authenticate", "x-should-retry", "x-request-id"].map((name) => answer.headers.get(name))
          ],
          [401, "no-store", "Bearer", "false", "r-1"]
        )
        assert.match(answer.headers.get("content-type") ?? "", /^application\/json/)
        assert.strictEqual(seen.pop(), `r-1 ${method} ${own} invalid_api_key`)
        const forbidden = yield* ask(`${url}${own}`, { method, headers: { "x-api-key": team } })
        assert.deepStrictEqual([forbidden.status, forbidden.cache], [403, "no-store"])
        const allowed = yield* ask(`${url}${path.replace(":id", "a")}`, { method, headers: { "x-api-key": master } })
        assert.match(`${allowed.status} ${allowed.cache}`, /^200 no-store/)
      }
    })
  )
  it.scoped("its document lists every endpoint with its key, and nothing that cannot happen", () =>
    Effect.gen(function* () {
      const { url } = yield* boot()
      const document = (yield* (yield* clientOf(url)).openapi()) as ReturnType<typeof AdminApi.document>
      const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, { responses, security }]) => {
          assert.deepStrictEqual(security, [{ bearer: [] }])
          return `${method.toUpperCase()} ${path} ${Object.keys(responses).join(" ")}`
        })
      )
      assert.sameMembers(listed, [
        "GET /admin/deployments 200 401 403 503",
        "POST /admin/deployments/{id}/isolate 200 401 403 404 503",
        "POST /admin/deployments/{id}/release 200 401 403 404 503",
        "POST /admin/deployments/{id}/reset 200 401 403 404 503",
        "GET /admin/config 200 401 403 503",
        "GET /admin/fleet 200 401 403 503",
        "GET /admin/timeline 200 401 403 503",
        "GET /admin/events 200 401 403 503",
        "GET /admin/spend 200 401 403 503",
        "GET /admin/spend.csv 200 401 403 503",
        "GET /admin/openapi.json 200 401 403 503"
      ])
      assert.property(document.paths["/admin/events"]?.get?.responses[200]?.content, "text/event-stream")
      const text = JSON.stringify(document)
      for (const [reference] of text.matchAll(/#\/components\/schemas\/\w+/g)) {
        assert.property(document.components.schemas, reference.split("/")[3] ?? "")
      }
      assert.notInclude(text, "DecodeError")
    })
  )
})
