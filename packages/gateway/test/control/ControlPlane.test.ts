import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import type { DeploymentView } from "@switchyard/gateway/Admin"
import type { Entry } from "@switchyard/gateway/EventLog"
import type * as Timeline from "@switchyard/gateway/Timeline"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, Stream, TestClock } from "effect"
import { type Options, start } from "../support/controlPlaneSupport.js"
import { eventually } from "../support/gateways.js"

const master = "sk-master-0123456789"

const deployment = (id: string, more: object = {}) => ({ id, group: "m", model: "gpt", ...more })

const settings = (more: object = {}) => ({ deployments: [deployment("a"), deployment("b")], ...more })

const keyed = (more: object = {}) =>
  settings({
    masterKey: master,
    keys: [{ name: "team", key: "sk-team-0123456789", groups: ["m", "x/*", "nick"] }],
    ...more
  })

const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } })

interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: a body is looked at as a client would
  readonly json: any
}

const get = (url: string, init: RequestInit = {}): Effect.Effect<Answered> =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    const text = await response.text()
    const isJson = response.headers.get("content-type")?.includes("json") === true && text !== ""
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined }
  })

const boot = (options: Partial<Options> = {}) =>
  start({ settings: settings(), base: StubLlm.make().attempts, ...options })

const failing = (id: string) =>
  StubLlm.make(({ deployment }) =>
    deployment === id ? { fail: { reason: "Authentication", description: "bad key", status: 401 } } : {}
  )

const chat = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })

/** Reads server-sent events one by one. */
const openEvents = (url: string, init: RequestInit = {}) =>
  Effect.gen(function* () {
    const controller = new AbortController()
    yield* Effect.addFinalizer(() => Effect.sync(() => controller.abort()))
    const response = yield* Effect.promise(() => fetch(url, { ...init, signal: controller.signal }))
    const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader()
    let rest = ""
    // biome-ignore lint/suspicious/noExplicitAny: an event is looked at as a client would
    const next = Effect.promise(async (): Promise<{ event: string; data: any } | undefined> => {
      for (;;) {
        const end = rest.indexOf("\n\n")
        if (end !== -1) {
          const block = rest.slice(0, end)
          rest = rest.slice(end + 2)
          const event = /^event: (.*)$/m.exec(block)?.[1]
          if (event === undefined) continue
          return { event, data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? "null") }
        }
        const { done, value } = await reader.read()
        if (done) return undefined
        rest += value
      }
    })
    return { next, leave: Effect.sync(() => controller.abort()), response }
  })

describe("ControlPlane: paths", () => {
  it.scoped("an unknown path is named with its method, in OpenAI's shape", () =>
    Effect.gen(function* () {
      const { url } = yield* boot()
      const { json, status } = yield* get(`${url}/v1/nothing?x=1`, { method: "DELETE" })
      assert.strictEqual(status, 404)
      assert.deepStrictEqual(json.error, {
        message: "Unknown request URL: DELETE /v1/nothing",
        type: "invalid_request_error",
        param: null,
        code: "unknown_url"
      })
    })
  )
  it.scoped("a wrong method is answered with the right ones", () =>
    Effect.gen(function* () {
      const { url } = yield* boot()
      const models = yield* get(`${url}/v1/models`, { method: "POST" })
      assert.deepStrictEqual([models.status, models.headers.get("allow")], [405, "GET, HEAD"])
      const chats = yield* get(`${url}/chat/completions`)
      assert.deepStrictEqual([chats.status, chats.headers.get("allow")], [405, "POST"])
      const act = yield* get(`${url}/admin/deployments/a/isolate`)
      assert.deepStrictEqual(
        [act.status, act.headers.get("allow"), act.json.error.code],
        [405, "POST", "method_not_allowed"]
      )
    })
  )
  it.scoped("HEAD is answered like GET, without the body; a slash at the end does not matter", () =>
    Effect.gen(function* () {
      const { url } = yield* boot()
      const { status, text } = yield* get(`${url}/v1/models/`, { method: "HEAD" })
      assert.deepStrictEqual([status, text], [200, ""])
    })
  )
  it.scoped("every answer bears the security headers, errors too", () =>
    Effect.gen(function* () {
      const { url } = yield* boot()
      for (const path of ["/", "/dashboard/uplot.js", "/admin/deployments", "/nowhere"]) {
        const { headers } = yield* get(`${url}${path}`)
        const policy = headers.get("content-security-policy") ?? ""
        assert.include(policy, "default-src 'self'")
        assert.include(policy, "frame-ancestors 'none'")
        assert.notInclude(policy, "unsafe")
        assert.strictEqual(headers.get("x-content-type-options"), "nosniff")
        assert.strictEqual(headers.get("referrer-policy"), "no-referrer")
      }
    })
  )
  it.scoped("what the guard turns away is told nothing", () =>
    Effect.gen(function* () {
      const { now, url } = yield* boot()
      now.isAllowed = (headers) => headers["origin"] === undefined
      assert.strictEqual((yield* get(`${url}/admin/deployments`)).status, 200)
      for (const path of ["/admin/deployments", "/v1/models", "/health/ready", "/"]) {
        const { json, status } = yield* get(`${url}${path}`, { headers: { origin: "http://evil.example" } })
        assert.deepStrictEqual([status, json.error.code], [403, "loopback_only"])
      }
    })
  )
  it.scoped("a page that did not change is not sent again", () =>
    Effect.gen(function* () {
      const { url } = yield* boot()
      const first = yield* get(`${url}/dashboard/dashboard.js`)
      assert.match(first.headers.get("content-type") ?? "", /^text\/javascript/)
      const again = yield* get(`${url}/dashboard/dashboard.js`, {
        headers: { "if-none-match": first.headers.get("etag") ?? "" }
      })
      assert.deepStrictEqual([again.status, again.text], [304, ""])
    })
  )
})

describe("ControlPlane: keys", () => {
  it.scoped("admin endpoints: no key, a wrong one, a virtual one, the master's", () =>
    Effect.gen(function* () {
      const { url } = yield* boot({ settings: keyed() })
      for (const path of ["/admin/deployments", "/admin/config", "/admin/fleet", "/admin/timeline", "/admin/events"]) {
        const codes = [{}, bearer("sk-wrong"), bearer("sk-team-0123456789")]
        const seen: Array<unknown> = []
        for (const init of codes) {
          const { json, status } = yield* get(`${url}${path}`, init)
          seen.push([status, json.error.code])
        }
        assert.deepStrictEqual(seen, [
          [401, "invalid_api_key"],
          [401, "invalid_api_key"],
          [403, "master_key_required"]
        ])
      }
      assert.strictEqual((yield* get(`${url}/admin/deployments`, bearer(master))).status, 200)
      const action = yield* get(`${url}/admin/deployments/a/isolate`, {
        method: "POST",
        ...bearer("sk-team-0123456789")
      })
      assert.strictEqual(action.status, 403)
    })
  )
  it.scoped("with virtual keys only, nobody is the master, and it says so", () =>
    Effect.gen(function* () {
      const { url } = yield* boot({ settings: settings({ keys: [{ name: "t", key: "sk-team-0123456789" }] }) })
      const { json, status } = yield* get(`${url}/admin/config`, bearer("sk-team-0123456789"))
      assert.strictEqual(status, 403)
      assert.include(json.error.message, "masterKey")
    })
  )
  it.scoped("with no key configured, whoever passes the guard may use the admin endpoints", () =>
    Effect.gen(function* () {
      const { url } = yield* boot()
      assert.strictEqual((yield* get(`${url}/admin/config`)).status, 200)
    })
  )
  it.scoped("metrics are for anybody, or for the master alone when the configuration says so", () =>
    Effect.gen(function* () {
      const open = yield* boot({ settings: keyed() })
      const { headers, status, text } = yield* get(`${open.url}/metrics`)
      assert.deepStrictEqual([status, headers.get("content-type"), text], [200, "text/plain; version=0.0.4", "up 1\n"])
      const shut = yield* boot({ settings: keyed({ server: { metricsKey: true } }) })
      assert.strictEqual((yield* get(`${shut.url}/metrics`)).status, 401)
      assert.strictEqual((yield* get(`${shut.url}/metrics`, bearer(master))).status, 200)
    })
  )
})

describe("ControlPlane: models", () => {
  const models = {
    deployments: [
      deployment("a", { provider: "openai" }),
      deployment("b", { provider: "azure" }),
      { id: "c", group: "x/large one", model: "l", provider: "groq" },
      { id: "d", group: "wild/*", model: "*" },
      { id: "e", group: "secret", model: "s" }
    ],
    aliases: { nick: "m" },
    hiddenModels: ["secret"]
  }
  const ids = ({ json }: Answered) => json.data.map(({ id }: { readonly id: string }) => id)

  it.scoped("groups and aliases are listed; patterns and hidden ones are not, with and without /v1", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("90 seconds")
      const { url } = yield* boot({ settings: models })
      const answer = yield* get(`${url}/v1/models`)
      assert.strictEqual(answer.json.object, "list")
      assert.deepStrictEqual(ids(answer), ["m", "x/large one", "nick"])
      assert.deepStrictEqual(answer.json.data[0], { id: "m", object: "model", created: 90, owned_by: "switchyard" })
      assert.strictEqual(answer.json.data[1].owned_by, "groq")
      assert.deepStrictEqual((yield* get(`${url}/models`)).json, answer.json)
    })
  )
  it.scoped("one model: slashes, encoded or not, hidden names and what a pattern stands for", () =>
    Effect.gen(function* () {
      const { url } = yield* boot({ settings: models })
      for (const [path, id] of [
        ["m", "m"],
        ["x/large%20one", "x/large one"],
        ["x%2Flarge%20one", "x/large one"],
        ["secret", "secret"],
        ["wild/any", "wild/any"],
        [`wild/${"n".repeat(300)}`, `wild/${"n".repeat(300)}`]
      ]) {
        assert.strictEqual((yield* get(`${url}/v1/models/${path}`)).json.id, id)
        assert.strictEqual((yield* get(`${url}/models/${path}`)).json.id, id)
      }
      const { json, status } = yield* get(`${url}/v1/models/gpt-9`)
      assert.deepStrictEqual([status, json.error.code, json.error.param], [404, "model_not_found", "model"])
      assert.strictEqual((yield* get(`${url}/v1/models/%zz`)).status, 404)
    })
  )
  it.scoped("a key sees only what it may use, and nobody sees anything without one", () =>
    Effect.gen(function* () {
      const keys = [{ name: "team", key: "sk-team-0123456789", groups: ["x/*", "nick"] }]
      const { url } = yield* boot({ settings: { ...models, masterKey: master, keys } })
      assert.strictEqual((yield* get(`${url}/v1/models`)).status, 401)
      assert.deepStrictEqual(ids(yield* get(`${url}/v1/models`, bearer("sk-team-0123456789"))), ["x/large one", "nick"])
      assert.strictEqual((yield* get(`${url}/v1/models/m`, bearer("sk-team-0123456789"))).status, 404)
      assert.deepStrictEqual(ids(yield* get(`${url}/v1/models`, bearer(master))), ["m", "x/large one", "nick"])
    })
  )
})

describe("ControlPlane: health", () => {
  it.scoped("is alive in every phase, and ready in one; neither needs a key", () =>
    Effect.gen(function* () {
      const { now, url } = yield* boot({ settings: keyed() })
      for (const [phase, expected] of [
        ["starting", 503],
        ["ready", 200],
        ["draining", 503]
      ] as const) {
        now.phase = phase
        for (const path of ["/health/live", "/health/liveliness"]) {
          assert.strictEqual((yield* get(`${url}${path}`)).status, 200)
        }
        for (const path of ["/health/ready", "/health/readiness"]) {
          const { json, status } = yield* get(`${url}${path}`)
          assert.deepStrictEqual([status, json.phase, json.closedGroups], [expected, phase, []])
        }
      }
    })
  )
  it.scoped("names the groups with no open deployment, and when the first of them returns", () =>
    Effect.gen(function* () {
      const deployments = [deployment("a"), deployment("b"), { id: "c", group: "other", model: "o" }]
      const stub = StubLlm.make({ fail: { reason: "Authentication", description: "bad key", status: 401 } })
      const { tower, url } = yield* boot({
        settings: { deployments, cooldown: { duration: "20 seconds", jitter: 0 } },
        base: stub.attempts
      })
      yield* get(`${url}/admin/deployments/a/isolate`, { method: "POST" })
      assert.deepStrictEqual((yield* get(`${url}/health/ready`)).json.closedGroups, [])
      yield* Effect.ignore(LlmService.complete(tower.service, chat))
      const { json, status } = yield* get(`${url}/health/ready`)
      assert.strictEqual(status, 200)
      assert.strictEqual(json.closedGroups.length, 1)
      const [group] = json.closedGroups
      assert.deepStrictEqual([group.group, group.reason], ["m", "cooldown"])
      assert.isAbove(group.returnsInMs, 0)
      yield* TestClock.adjust(group.returnsInMs)
      assert.deepStrictEqual((yield* get(`${url}/health/ready`)).json.closedGroups, [])
    })
  )
})

describe("ControlPlane: deployments", () => {
  const find = (answered: Answered, id: string): DeploymentView =>
    answered.json.deployments.find((view: DeploymentView) => view.id === id)

  it.scoped("shows state, cooldown, counts and the last error of each", () =>
    Effect.gen(function* () {
      const { eventLog, tower, url } = yield* boot({
        settings: {
          deployments: [
            deployment("a", { priority: 0, baseUrl: "https://user:pass@one.example:8443/v1?key=1", rpm: 10 }),
            deployment("b", { priority: 1 })
          ],
          strategy: "ordered"
        },
        base: failing("a").attempts
      })
      const { journal } = yield* LlmService.complete(tower.service, chat)
      eventLog.noteFailures(journal)
      yield* TestClock.adjust("3 seconds")
      const answer = yield* get(`${url}/admin/deployments`)
      const a = find(answer, "a")
      assert.deepStrictEqual(
        [a.state, a.isolated, a.cooldown?.reason, a.cooldown?.cause, a.requests, a.failures, a.host],
        ["cooldown", false, "cooldown", "Authentication", 1, 1, "one.example:8443"]
      )
      assert.isAbove(a.cooldown?.remainingMs ?? 0, 0)
      assert.deepStrictEqual(a.lastErrors, [
        { at: 0, reason: "Authentication", status: 401, message: "bad key", ageMs: 3000 }
      ])
      assert.deepStrictEqual([a.limits.rpm, a.headroom], [10, 0.9])
      const b = find(answer, "b")
      assert.deepStrictEqual(
        [b.state, b.cooldown, b.successes, b.tokens, b.headroom, b.lastErrors.length],
        ["healthy", null, 1, 15, null, 0]
      )
      assert.notInclude(answer.text, "pass")
    })
  )
  it.scoped(
    "says of one that is alone in its group that it is asked all the same, where failures alone keep it closed",
    () =>
      Effect.gen(function* () {
        const deployments = [deployment("lone", { group: "one" }), deployment("a"), deployment("b")]
        const { tower, url } = yield* boot({ settings: { deployments } })
        const cooldowns = Context.get(tower.state, CooldownState)
        const told = (id: string) => Effect.map(get(`${url}/admin/deployments`), (answer) => find(answer, id).cooldown)
        for (const slot of Context.get(tower.state, DeploymentRegistry).slots()) {
          yield* cooldowns.cool(slot, "10 seconds", "Unavailable")
        }
        assert.include(yield* told("lone"), { reason: "cooldown", lastResort: true })
        assert.include(yield* told("a"), { reason: "cooldown", lastResort: false })
      })
  )
  it.scoped("looking does not make anybody count", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const { tower, url } = yield* boot({ base: stub.attempts })
      for (let i = 0; i < 2; i++) {
        assert.isNull(find(yield* get(`${url}/admin/deployments`), "a").headroom)
        yield* LlmService.complete(tower.service, chat)
      }
    })
  )
  it.scoped("isolated by hand it gets no call, released it does; ids may hold anything", () =>
    Effect.gen(function* () {
      const id = 'azure/gpt-4o#2@eu %2F"<b>'
      const stub = StubLlm.make()
      const { tower, url } = yield* boot({
        settings: {
          deployments: [deployment(id, { priority: 0 }), deployment("b", { priority: 1 })],
          strategy: "ordered"
        },
        base: stub.attempts
      })
      const act = (action: string) =>
        get(`${url}/admin/deployments/${encodeURIComponent(id)}/${action}`, { method: "POST" })
      const isolated = yield* act("isolate")
      assert.deepStrictEqual([isolated.status, isolated.json.id, isolated.json.state], [200, id, "isolated"])
      yield* LlmService.complete(tower.service, chat)
      yield* act("reset")
      yield* LlmService.complete(tower.service, chat)
      assert.strictEqual((yield* act("release")).json.isolated, false)
      yield* LlmService.complete(tower.service, chat)
      assert.deepStrictEqual(
        stub.calls.map(({ deployment }) => deployment as string),
        ["b", "b", id]
      )
    })
  )
  it.scoped("a reset ends a cooldown", () =>
    Effect.gen(function* () {
      const deployments = [deployment("a", { priority: 0 }), deployment("b", { priority: 1 })]
      const { tower, url } = yield* boot({
        settings: { deployments, strategy: "ordered" },
        base: failing("a").attempts
      })
      yield* LlmService.complete(tower.service, chat)
      assert.strictEqual(find(yield* get(`${url}/admin/deployments`), "a").state, "cooldown")
      const { json } = yield* get(`${url}/admin/deployments/a/reset`, { method: "POST" })
      assert.isNull(json.cooldown)
    })
  )
  it.scoped("an id that is not in the configuration is not found, whatever is asked of it", () =>
    Effect.gen(function* () {
      const { url } = yield* boot()
      for (const action of ["isolate", "release", "reset"]) {
        const { json, status } = yield* get(`${url}/admin/deployments/zz/${action}`, { method: "POST" })
        assert.deepStrictEqual([status, json.error.code], [404, "deployment_not_found"])
      }
      const other = yield* get(`${url}/admin/deployments/a/explode`, { method: "POST" })
      assert.deepStrictEqual([other.status, other.json.error.code], [404, "unknown_url"])
    })
  )
})

describe("ControlPlane: configuration", () => {
  const secrets = [
    "plain-provider-credential",
    "header-credential-value",
    "master-credential",
    "virtual-credential",
    "url-password",
    "query-credential",
    "ab".repeat(32)
  ]
  const holding = {
    deployments: [
      deployment("a", {
        apiKey: secrets[0],
        headers: { "x-tenant": secrets[1], cookie: "s=1" },
        baseUrl: `https://user:${secrets[4]}@one.example/v1?token=${secrets[5]}`,
        defaults: { user: `copied ${secrets[0]}`, extra: { password: "hunter2-hunter2" } }
      })
    ],
    masterKey: secrets[2],
    keys: [
      { name: "team", key: secrets[3], rpm: 7 },
      { name: "hashed", hash: secrets[6] }
    ]
  }
  const holdsNone = (text: string) => {
    for (const secret of [...secrets, "hunter2", "s=1"]) assert.notInclude(text, secret)
  }

  it.scoped("shows generation, files, problems and settings, and no secret, wherever it stands", () =>
    Effect.gen(function* () {
      const { url } = yield* boot({
        settings: holding,
        source: { files: ["/etc/switchyard.yaml"] },
        lastRefusal: `keys[0].key: found ${secrets[3]}`
      })
      const { json, text } = yield* get(`${url}/admin/config`, bearer("master-credential"))
      holdsNone(text)
      assert.deepStrictEqual([json.generation, json.installedAt, json.files], [1, 0, ["/etc/switchyard.yaml"]])
      const [shown] = json.config.router.deployments
      assert.deepStrictEqual([shown.id, shown.apiKey, shown.headers["x-tenant"]], ["a", "<secret>", "<secret>"])
      assert.deepStrictEqual(
        [json.config.masterKey, json.config.keys[0].name, json.config.keys[0].rpm],
        ["<secret>", "team", 7]
      )
    })
  )
  it.scoped("a file's own words are shown as they are, references too; a secret that slipped in is not", () =>
    Effect.gen(function* () {
      const display = {
        model_list: [{ api_key: "os.environ/OPENAI_API_KEY", note: `see ${secrets[0]}`, api_base: "https://x.example" }]
      }
      const { url } = yield* boot({ settings: holding, source: { display } })
      const { json, text } = yield* get(`${url}/admin/config`, bearer("master-credential"))
      holdsNone(text)
      assert.deepStrictEqual(json.config.model_list[0], {
        api_key: "os.environ/OPENAI_API_KEY",
        note: "<secret>",
        api_base: "https://x.example"
      })
    })
  )
  it.scoped("no other endpoint tells a secret either", () =>
    Effect.gen(function* () {
      const { url } = yield* boot({ settings: holding })
      for (const path of ["/admin/deployments", "/admin/timeline", "/v1/models", "/health/ready", "/"]) {
        holdsNone((yield* get(`${url}${path}`, bearer("master-credential"))).text)
      }
      const { next } = yield* openEvents(`${url}/admin/events`, bearer("master-credential"))
      holdsNone(JSON.stringify(yield* next))
    })
  )
})

describe("ControlPlane: events", () => {
  it.scoped("a snapshot first, then what happens as it happens, and a sample every 2 seconds", () =>
    Effect.gen(function* () {
      const { url } = yield* boot()
      yield* get(`${url}/admin/deployments/a/isolate`, { method: "POST" })
      const { next, response } = yield* openEvents(`${url}/admin/events`)
      assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/)
      const first = yield* next
      assert.strictEqual(first?.event, "snapshot")
      assert.deepStrictEqual(
        first?.data.events.map(({ deployment, type }: Entry & { readonly deployment: string }) => [type, deployment]),
        [["DeploymentIsolated", "a"]]
      )
      assert.deepStrictEqual([first?.data.total, first?.data.phase, first?.data.generation], [2, "ready", 1])
      yield* get(`${url}/admin/deployments/b/isolate`, { method: "POST" })
      yield* TestClock.adjust("100 millis")
      const second = yield* next
      assert.deepStrictEqual([second?.event, second?.data.deployment], ["router", "b"])
      yield* TestClock.adjust("2 seconds")
      const third = yield* next
      assert.strictEqual(third?.event, "sample")
      assert.deepStrictEqual(
        third?.data.deployments.map(({ state }: DeploymentView) => state),
        ["isolated", "isolated"]
      )
    })
  )
  it.scoped("new points of the timeline come once each", () =>
    Effect.gen(function* () {
      const deployments = [deployment("a", { priority: 0 }), deployment("b", { priority: 1 })]
      const { tower, url } = yield* boot({ settings: { deployments, strategy: "ordered" } })
      const { next } = yield* openEvents(`${url}/admin/events`)
      yield* next
      yield* LlmService.complete(tower.service, chat)
      const points: Array<Timeline.Latest> = []
      for (let i = 0; points.length < 2 && i < 20; i++) {
        yield* TestClock.adjust("2100 millis")
        const message = yield* next
        if (message?.event === "point") points.push(message.data)
      }
      assert.deepStrictEqual(
        points.map(({ at, deployments, number }) => [number, at, deployments.map(({ requests }) => requests ?? 0)]),
        [
          [1, 5000, [1, 0]],
          [2, 10_000, [0, 0]]
        ]
      )
    })
  )
  it.scoped("ends when the client leaves, and the place is free again", () =>
    Effect.gen(function* () {
      const { eventLog, url } = yield* boot()
      const listening = { now: 0 }
      const { onEvent } = eventLog
      Object.assign(eventLog, {
        onEvent: (listener: () => void) => {
          const stop = onEvent(listener)
          listening.now++
          return () => {
            listening.now--
            stop()
          }
        }
      })
      const clients = []
      for (let i = 0; i < 32; i++) {
        const client = yield* openEvents(`${url}/admin/events`)
        yield* client.next
        clients.push(client)
      }
      assert.strictEqual(listening.now, 32)
      const { headers, json, status } = yield* get(`${url}/admin/events`)
      assert.deepStrictEqual([status, json.error.code, headers.get("retry-after")], [503, "too_many_listeners", "10"])
      for (const { leave } of clients) yield* leave
      yield* eventually(
        () => "nobody listens",
        () => listening.now === 0
      )
      const again = yield* openEvents(`${url}/admin/events`)
      assert.strictEqual((yield* again.next)?.event, "snapshot")
    })
  )
  it.scoped("ends when the gateway drains", () =>
    Effect.gen(function* () {
      const { now, url } = yield* boot()
      const { next } = yield* openEvents(`${url}/admin/events`)
      yield* next
      now.phase = "draining"
      yield* TestClock.adjust("2100 millis")
      assert.isUndefined(yield* next)
    })
  )
  it.scoped("of a thousand deployments those in trouble and the busiest are told", () =>
    Effect.gen(function* () {
      const deployments = Array.from({ length: 1000 }, (_, i) => deployment(`d${i}`))
      const { url } = yield* boot({ settings: { deployments } })
      yield* get(`${url}/admin/deployments/d987/isolate`, { method: "POST" })
      const { next } = yield* openEvents(`${url}/admin/events`)
      const first = yield* next
      assert.deepStrictEqual([first?.data.total, first?.data.deployments.length], [1000, 200])
      assert.include(
        first?.data.deployments.map(({ id }: DeploymentView) => id),
        "d987"
      )
      assert.strictEqual((yield* get(`${url}/admin/deployments`)).json.deployments.length, 1000)
    })
  )
})

describe("ControlPlane: streams", () => {
  it.scoped("figures of streams and of plain calls are kept apart", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ firstToken: "0 millis", chunks: ["a"] })
      const { tower, url } = yield* boot({ settings: { deployments: [deployment("a")] }, base: stub.attempts })
      yield* Stream.runDrain(LlmService.stream(tower.service, { ...chat, stream: true }))
      const [view] = (yield* get(`${url}/admin/deployments`)).json.deployments as ReadonlyArray<DeploymentView>
      assert.deepStrictEqual([view?.stream.samples, view?.plain.samples], [1, 0])
    })
  )
})
