/**
 * Who is let in: what a reload may not open, and what an open gateway does not serve.
 */
import { createHash } from "node:crypto"
import { request as httpRequest } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Either } from "effect"
import * as Gateway from "../../src/Gateway.js"
import { loadFiles } from "../support/configFiles.js"
import { decode, deploymentOf, messages } from "../support/gateways.js"

const settings = (more: object = {}) => ({
  server: { port: 0 },
  deployments: [deploymentOf({ name: "east", url: "http://127.0.0.1:1/v1" })],
  ...more
})

const hash = createHash("sha256").update("sk-hashed-0001").digest("hex")

/** The status and the error of a request with any headers, `Host` too. */
const ask = (
  url: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body = JSON.stringify({ model: "smart", messages })
): Effect.Effect<{ readonly status: number; readonly text: string }> =>
  Effect.async((resume) => {
    const method = path.startsWith("/v1/chat") ? "POST" : "GET"
    const type: Record<string, string> = method === "POST" ? { "content-type": "application/json" } : {}
    const sent = httpRequest(url + path, { method, headers: { ...type, ...headers } }, (answer) => {
      let text = ""
      answer.on("data", (chunk) => {
        text += chunk
      })
      answer.on("end", () => resume(Effect.succeed({ status: answer.statusCode ?? 0, text })))
    })
    sent.end(method === "POST" ? body : undefined)
  })

describe("a gateway with keys", () => {
  it.scopedLive("is not opened by a reload, whichever keys it has: that is refused, and needs a restart", () =>
    Effect.gen(function* () {
      for (const keys of [
        { masterKey: "sk-master-0001" },
        { keys: [{ name: "joe", key: "sk-joe-00001" }] },
        { keys: [{ name: "joe", hash }] }
      ]) {
        const gateway = yield* Gateway.make({ config: decode(settings(keys)) })
        for (const without of [{}, { keys: [] }]) {
          const { issues } = yield* Effect.flip(gateway.reload({ config: decode(settings(without)) }))
          assert.deepStrictEqual(
            issues.map(({ path }) => path),
            ["masterKey"]
          )
          assert.include(issues[0]?.expected, "restart to open it")
        }
        assert.strictEqual(gateway.generations.current().number, 1)
        assert.include(gateway.generations.lastRefusal(), "restart to open it")
        assert.strictEqual((yield* ask(gateway.url, "/v1/chat/completions")).status, 401)
      }
    })
  )

  it.scopedLive(
    "may get other keys, or others in place of its master key; an open one may be locked, and stays so",
    () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make({ config: decode(settings()) })
        for (const keys of [{ masterKey: "sk-master-0001" }, { keys: [{ name: "joe", hash }] }]) {
          yield* gateway.reload({ config: decode(settings(keys)) })
          assert.strictEqual((yield* ask(gateway.url, "/v1/models")).status, 401)
        }
        yield* Effect.flip(gateway.reload({ config: decode(settings()) }))
        assert.strictEqual((yield* ask(gateway.url, "/v1/models")).status, 401)
      })
  )

  it.effect("LITELLM_MASTER_KEY locks a LiteLLM file that has none; set but empty it is an error", () =>
    Effect.gen(function* () {
      const text = `model_list:\n  - { model_name: g, litellm_params: { model: openai/m, api_key: k } }\n`
      const load = (LITELLM_MASTER_KEY: string) => loadFiles({ "config.yaml": text }, { LITELLM_MASTER_KEY })
      assert.isDefined(Either.getOrThrow(yield* load("sk-env-00001\n")).config.masterKey)
      for (const empty of ["", " ", "\n"]) {
        const refused = Either.getOrThrow(Either.flip(yield* load(empty)))
        assert.include(refused.error.message, "LITELLM_MASTER_KEY")
      }
    })
  )
})

describe("a gateway without keys", () => {
  const relayed: ReadonlyArray<readonly [string, string]> = [
    ["Forwarded", "for=203.0.113.7"],
    ["X-Forwarded-For", "203.0.113.7"],
    ["x-forwarded-host", "api.example.com"],
    ["X-Forwarded-Proto", "https"],
    ["X-FORWARDED-ANYTHING", "x"],
    ["Via", "1.1 proxy"],
    ["X-Real-IP", "203.0.113.7"],
    ["True-Client-IP", "203.0.113.7"],
    ["CF-Connecting-IP", "203.0.113.7"],
    ["X-Client-IP", "203.0.113.7"],
    ["X-Original-Host", "api.example.com"],
    ["X-Forwarded-For", ""]
  ]

  it.scopedLive("serves nothing that a proxy passes on, but the probes of its health", () =>
    Effect.gen(function* () {
      const provider = yield* FakeProvider.make({ name: "east" })
      const gateway = yield* Gateway.make({ config: decode(settings({ deployments: [deploymentOf(provider)] })) })
      for (const [name, value] of relayed) {
        for (const path of ["/v1/chat/completions", "/v1/models", "/admin/config", "/metrics", "/health", "/"]) {
          const { status, text } = yield* ask(gateway.url, path, { [name]: value })
          assert.strictEqual(status, 403, `${name} ${path}`)
          assert.include(text, `the header ${name.toLowerCase()} says that a proxy passes on`)
        }
        for (const path of ["/health/live", "/health/ready", "/health/liveliness", "/health/readiness"]) {
          assert.strictEqual((yield* ask(gateway.url, path, { [name]: value })).status, 200, `${name} ${path}`)
        }
      }
      assert.lengthOf(provider.journal(), 0)
      assert.strictEqual((yield* ask(gateway.url, "/v1/chat/completions", { "x-request-id": "a" })).status, 200)
      // With a key it is the key that counts.
      yield* gateway.reload({
        config: decode(settings({ deployments: [deploymentOf(provider)], masterKey: "sk-m-01" }))
      })
      const keyed = { "x-forwarded-for": "203.0.113.7", authorization: "Bearer sk-m-01" }
      assert.strictEqual((yield* ask(gateway.url, "/v1/chat/completions", keyed)).status, 200)
    })
  )

  it.scopedLive("lets no page of another local port spend by a request that its browser sends unasked", () =>
    Effect.gen(function* () {
      const provider = yield* FakeProvider.make({ name: "east" })
      const gateway = yield* Gateway.make({ config: decode(settings({ deployments: [deploymentOf(provider)] })) })
      for (const origin of ["http://127.0.0.1:3000", "http://localhost:3000", "http://[::1]:3000", "null", ""]) {
        for (const type of [
          "text/plain",
          "text/plain;charset=UTF-8",
          "TEXT/PLAIN; application/json",
          "application/x-www-form-urlencoded",
          "multipart/form-data; boundary=x",
          ""
        ]) {
          const { status } = yield* ask(gateway.url, "/v1/chat/completions", { origin, "content-type": type })
          assert.include([403, 415], status, `${origin} ${type}`)
        }
      }
      assert.strictEqual((yield* ask(gateway.url, "/v1/chat/completions", { origin: "null" })).status, 403)
      assert.lengthOf(provider.journal(), 0)
      // Asked, a browser's page of another port is refused by its browser; a program may say any origin.
      const asked = { origin: "http://127.0.0.1:3000" }
      assert.strictEqual((yield* ask(gateway.url, "/v1/chat/completions", asked)).status, 200)
      assert.strictEqual(
        (yield* ask(gateway.url, "/v1/chat/completions", { origin: gateway.url, "content-type": "text/plain" })).status,
        200
      )
    })
  )
})

describe("a gateway that others reach", () => {
  const groups = ["secret-group", "open-group"].map((group) =>
    deploymentOf({ name: `${group}-1`, url: "http://127.0.0.1:1/v1" }, { group })
  )
  const locked = (more: object = {}) =>
    decode(
      settings({
        masterKey: "sk-master-0001",
        keys: [{ name: "joe", key: "sk-joe-00001", groups: ["open-group"] }],
        deployments: groups,
        ...more
      })
    )
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

  it.scopedLive("tells names to those with a key, and the others no more than counts", () =>
    Effect.gen(function* () {
      for (const host of ["0.0.0.0", "::"]) {
        const gateway = yield* Gateway.make({ config: locked() }, { host })
        const url = `http://127.0.0.1:${gateway.port}`
        for (const path of ["/health/ready", "/health/readiness"]) {
          const { status, text } = yield* ask(url, path)
          assert.strictEqual(status, 200)
          assert.deepStrictEqual((JSON.parse(text) as { readonly counts: unknown }).counts, {
            groups: 2,
            closedGroups: 0
          })
          assert.notInclude(text, "group-1")
          assert.notInclude((yield* ask(url, path, bearer("sk-wrong"))).text, "[]")
          assert.include((yield* ask(url, path, bearer("sk-joe-00001"))).text, '"closedGroups":[]')
        }
        for (const path of ["/health/live", "/health/liveliness"])
          assert.strictEqual((yield* ask(url, path)).status, 200)
        assert.strictEqual((yield* ask(url, "/health")).status, 401)
        const refused = yield* ask(url, "/metrics")
        assert.deepStrictEqual([refused.status, refused.text.includes("switchyard_")], [401, false])
        assert.strictEqual((yield* ask(url, "/metrics", bearer("sk-wrong"))).status, 401)
        for (const key of ["sk-master-0001", "sk-joe-00001"]) {
          assert.strictEqual((yield* ask(url, "/metrics", bearer(key))).status, 200)
        }
      }
    })
  )

  it.scopedLive(
    "tells its metrics to anybody where `metrics.public` says so, and to the master alone where `metricsKey` does",
    () =>
      Effect.gen(function* () {
        const open = yield* Gateway.make({ config: locked({ metrics: { public: true } }) }, { host: "0.0.0.0" })
        assert.strictEqual((yield* ask(`http://127.0.0.1:${open.port}`, "/metrics")).status, 200)
        const both = { metrics: { public: true }, server: { port: 0, metricsKey: true } }
        const shut = yield* Gateway.make({ config: locked(both) }, { host: "0.0.0.0" })
        const url = `http://127.0.0.1:${shut.port}`
        assert.strictEqual((yield* ask(url, "/metrics")).status, 401)
        assert.strictEqual((yield* ask(url, "/metrics", bearer("sk-joe-00001"))).status, 403)
        assert.strictEqual((yield* ask(url, "/metrics", bearer("sk-master-0001"))).status, 200)
      })
  )

  it.scopedLive("on loopback anybody reads both, but not through a proxy", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ config: locked() })
      assert.include((yield* ask(gateway.url, "/health/ready")).text, '"closedGroups":[]')
      assert.strictEqual((yield* ask(gateway.url, "/metrics")).status, 200)
      const relayed = yield* ask(gateway.url, "/health/ready", { "x-forwarded-for": "203.0.113.7" })
      assert.include(relayed.text, '"counts"')
      const open = yield* Gateway.make({ config: decode(settings({ deployments: groups })) })
      assert.include((yield* ask(open.url, "/health/ready", { via: "1.1 x" })).text, '"counts"')
      assert.include((yield* ask(open.url, "/health/ready")).text, '"closedGroups":[]')
    })
  )
})
