import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, describe, it } from "@effect/vitest"
import * as ControlPlane from "@switchyard/gateway/ControlPlane"
import * as GatewayConfig from "@switchyard/gateway/GatewayConfig"
import * as KeyRing from "@switchyard/gateway/KeyRing"
import * as ManualClock from "@switchyard/testing/ManualClock"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { type Clock, Duration, Effect, Either, TestClock } from "effect"
import { parts, serve } from "../../support/controlPlaneSupport.js"

const master = "sk-master-0123456789"
const team = "sk-team-0123456789"
const host = "gw.example:4000"
const own = { host, origin: `http://${host}` }

interface Answer {
  readonly status: number
  readonly code: string | undefined
  readonly state: string | undefined
  readonly cookie: string | undefined
  readonly headers: Headers
}

interface Sent {
  readonly headers?: Readonly<Record<string, string>>
  readonly method?: string
  readonly body?: string
  readonly address?: string
}

const answerOf = async (response: Response): Promise<Answer> => {
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true
  // biome-ignore lint/suspicious/noExplicitAny: what comes is looked at by each test
  const json: any = isJson ? await response.json() : undefined
  if (!isJson) await response.body?.cancel()
  const { headers, status } = response
  return {
    status,
    code: json?.error?.code,
    state: json?.state,
    cookie: headers.get("set-cookie") ?? undefined,
    headers
  }
}

const sending =
  (app: HttpApp.Default, clock: Clock.Clock) =>
  (path: string, { address = "10.0.0.1", body, headers = own, method = "POST" }: Sent = {}): Effect.Effect<Answer> =>
    Effect.gen(function* () {
      const request = HttpServerRequest.fromWeb(
        new Request(`http://${host}${path}`, { method, ...(body === undefined ? {} : { body }) })
      ).modify({ url: path, headers: headers as never, remoteAddress: address })
      const answer = yield* app.pipe(
        Effect.provideService(HttpServerRequest.HttpServerRequest, request),
        Effect.withClock(clock),
        Effect.scoped,
        Effect.orDie
      )
      return yield* Effect.promise(() => answerOf(HttpServerResponse.toWeb(answer)))
    })

const settings = {
  deployments: [{ id: "a", group: "m", model: "gpt" }],
  masterKey: master,
  keys: [{ name: "team", key: team }]
}

const start = (given: object = settings) =>
  Effect.gen(function* () {
    const built = yield* parts({ settings: given, base: StubLlm.make().attempts })
    let { generation } = built
    const refused: Array<string> = []
    // The gateway's own: what happens every few seconds meanwhile is not looked at here.
    const time = ManualClock.make()
    const send = sending(
      ControlPlane.make({
        ...built.deps,
        generations: { ...built.deps.generations, current: () => generation },
        onRefusal: ({ path, refusal }) => refused.push(`${path} ${refusal.code}`)
      }),
      time.clock
    )
    const pass = (duration: Duration.DurationInput) => time.advance(Duration.toMillis(duration))
    const reload = (next: object) => {
      const config = Either.getOrThrow(GatewayConfig.decode(next))
      generation = { ...generation, source: { config }, keys: KeyRing.make(config) }
    }
    const login = (key: string = master, more: Sent = {}) =>
      send("/admin/login", { body: JSON.stringify({ key }), ...more })
    return { send, login, pass, reload, refused }
  })

const sessionIn = ({ cookie = "" }: Answer): string => /^switchyard_session=[\w-]{43}/.exec(cookie)?.[0] ?? "none"

const by = (cookie: string, more: Readonly<Record<string, string>> = {}) => ({ headers: { ...own, cookie, ...more } })

describe("signing in", () => {
  it.scoped("with the master key gives a session in a cookie that no script reads and no other site sends", () =>
    Effect.gen(function* () {
      const { login, send } = yield* start()
      const first = yield* login()
      assert.deepStrictEqual(
        [first.status, first.state, first.headers.get("cache-control")],
        [200, "signedIn", "no-store"]
      )
      assert.match(
        first.cookie ?? "",
        /^switchyard_session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/
      )
      const byTls = yield* login(master, { headers: { host: "gw.example", origin: "https://gw.example" } })
      assert.match(byTls.cookie ?? "", /; SameSite=Strict; Secure$/)
      // What a proxy claims is anybody's to write.
      const claimed = yield* login(master, { headers: { ...own, "x-forwarded-proto": "https" } })
      assert.notInclude(claimed.cookie, "Secure")
      assert.strictEqual(new Set([first, byTls, claimed].map(sessionIn)).size, 3)
      const session = sessionIn(first)
      assert.strictEqual((yield* send("/admin/deployments", { method: "GET", ...by(session) })).status, 200)
      assert.strictEqual((yield* send("/admin/session", { method: "GET", ...by(session) })).state, "signedIn")
      const among = by(`a=1; switchyard_session=short; switchyard_session=${"x".repeat(43)}; ${session}; b=2`)
      assert.strictEqual((yield* send("/admin/deployments", { method: "GET", ...among })).status, 200)
    })
  )

  it.scoped("takes nothing but the master key, and quotes nothing that was sent", () =>
    Effect.gen(function* () {
      const { login, refused, send } = yield* start()
      const cases = [
        [JSON.stringify({ key: "sk-wrong" }), 401, "invalid_api_key"],
        [JSON.stringify({ key: team }), 403, "master_key_required"],
        [JSON.stringify({ key: 5 }), 400, "invalid_request"],
        [JSON.stringify({ Key: master }), 400, "invalid_request"],
        [JSON.stringify([master]), 400, "invalid_request"],
        [JSON.stringify({ key: "" }), 400, "invalid_request"],
        [`{"key": "${master}`, 400, "invalid_request"],
        [JSON.stringify({ key: master, padding: "x".repeat(5_000) }), 400, "invalid_request"],
        ["", 400, "invalid_request"]
      ] as const
      for (const [body, status, code] of cases) {
        const answer = yield* send("/admin/login", { body })
        assert.deepStrictEqual([answer.status, answer.code, answer.cookie], [status, code, undefined], body)
      }
      assert.deepStrictEqual(
        refused,
        cases.map(([, , code]) => `/admin/login ${code}`)
      )
      assert.strictEqual((yield* send("/admin/login", { method: "GET" })).status, 405)
      assert.strictEqual((yield* login(` ${master} `)).status, 200)
    })
  )

  it.scoped("is tried five times a minute from one address and twenty times in all, then it takes a while", () =>
    Effect.gen(function* () {
      const { login, pass } = yield* start()
      const tryFrom = (address: string, key = "sk-wrong") =>
        Effect.map(login(key, { address }), ({ headers, status }) => [status, headers.get("retry-after")])
      pass("1 hour")
      for (let count = 0; count < 5; count++) {
        assert.deepStrictEqual(yield* tryFrom("10.0.0.1"), [401, null])
        pass("5 seconds")
      }
      assert.deepStrictEqual(yield* tryFrom("10.0.0.1"), [429, "35"])
      assert.deepStrictEqual(yield* tryFrom("10.0.0.1", master), [429, "35"])
      assert.deepStrictEqual(yield* tryFrom("10.0.0.2", master), [200, null])
      // What was turned away unseen does not count, so that whoever waits comes in.
      pass("35 seconds")
      assert.deepStrictEqual(yield* tryFrom("10.0.0.1", master), [200, null])

      pass("1 minute")
      for (let count = 0; count < 20; count++) {
        assert.deepStrictEqual(yield* tryFrom(`10.0.1.${count >> 2}`), [401, null])
      }
      assert.deepStrictEqual(yield* tryFrom("10.0.9.9", master), [429, "60"])
      pass("1 minute")
      assert.deepStrictEqual(yield* tryFrom("10.0.9.9", master), [200, null])
    })
  )

  it.scoped("counts tries that come at once", () =>
    Effect.gen(function* () {
      const { login } = yield* start()
      const answers = yield* Effect.all(
        Array.from({ length: 30 }, () => login("sk-wrong")),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        [401, 429].map((status) => answers.filter((answer) => answer.status === status).length),
        [5, 25]
      )
    })
  )

  it.scoped("is not there without a master key; where there is no key at all nobody needs it", () =>
    Effect.gen(function* () {
      const { deployments, keys } = settings
      for (const [given, state, status] of [
        [{ deployments }, "open", 200],
        [{ deployments, keys }, "signedOut", 401]
      ] as const) {
        const { login, send } = yield* start(given)
        const answer = yield* login()
        assert.deepStrictEqual([answer.status, answer.code], [404, "no_login"])
        assert.strictEqual((yield* send("/admin/session", { method: "GET" })).state, state)
        assert.strictEqual((yield* send("/admin/deployments", { method: "GET" })).status, status)
      }
    })
  )
})

describe("a session", () => {
  it.scoped("ends an hour after it was used, at the latest twelve hours after it began, and by signing out", () =>
    Effect.gen(function* () {
      const { login, pass, send } = yield* start()
      const status = (session: string) =>
        Effect.map(send("/admin/config", { method: "GET", ...by(session) }), (answer) => answer.status)
      const left = sessionIn(yield* login())
      const used = sessionIn(yield* login())
      for (let halves = 0; halves < 12 * 2; halves++) {
        assert.strictEqual(yield* status(used), 200, `${halves}`)
        // To be told about is no use.
        assert.strictEqual(
          (yield* send("/admin/session", { method: "GET", ...by(left) })).state,
          halves < 2 ? "signedIn" : "signedOut"
        )
        pass("30 minutes")
      }
      assert.deepStrictEqual([yield* status(left), yield* status(used)], [401, 401])

      const mine = sessionIn(yield* login())
      const other = sessionIn(yield* login())
      const out = yield* send("/admin/logout", by(mine))
      assert.deepStrictEqual([out.status, out.state], [200, "signedOut"])
      assert.match(out.cookie ?? "", /^switchyard_session=; Path=\/; Max-Age=0; HttpOnly; SameSite=Strict$/)
      assert.deepStrictEqual([yield* status(mine), yield* status(other)], [401, 200])
    })
  )

  it.scoped(
    "ends with another master key, goes on over a reload that keeps it, and is another after signing in anew",
    () =>
      Effect.gen(function* () {
        const { login, reload, send } = yield* start()
        const status = (session: string) =>
          Effect.map(send("/admin/config", { method: "GET", ...by(session) }), (answer) => answer.status)
        const first = sessionIn(yield* login())
        reload({ ...settings, keys: [] })
        assert.strictEqual(yield* status(first), 200)
        const second = sessionIn(yield* login(master, by(first)))
        assert.deepStrictEqual([yield* status(first), yield* status(second)], [401, 200])
        reload({ ...settings, masterKey: "sk-another-master-key" })
        assert.strictEqual(yield* status(second), 401)
        reload(settings)
        assert.strictEqual(yield* status(second), 401)
      })
  )

  it.scoped("is one of at most sixty-four: the one that was used least lately makes room", () =>
    Effect.gen(function* () {
      const { login, send } = yield* start()
      const status = (session: string) =>
        Effect.map(send("/admin/config", { method: "GET", ...by(session) }), (answer) => answer.status)
      const sessions: Array<string> = []
      for (let count = 0; count < 64; count++) sessions.push(sessionIn(yield* login()))
      const [first = "", second = ""] = sessions
      assert.strictEqual(yield* status(first), 200)
      yield* login()
      assert.deepStrictEqual([yield* status(first), yield* status(second)], [200, 401])
    })
  )

  it.scoped("is taken from this gateway's own page alone", () =>
    Effect.gen(function* () {
      const { login, send } = yield* start()
      const cookie = sessionIn(yield* login())
      const isolate = "/admin/deployments/a/isolate"
      const site = "sec-fetch-site"
      const cases: ReadonlyArray<readonly [string, Readonly<Record<string, string>>, post: number, get: number]> = [
        ["its origin", { host, origin: `http://${host}` }, 200, 200],
        ["its origin behind TLS", { host: "gw.example", origin: "https://gw.example" }, 200, 200],
        ["the scheme's own port", { host: "gw.example:443", origin: "https://gw.example" }, 200, 200],
        [
          "the browser says so, whatever the proxy calls us",
          { host: "inner:1", origin: "https://out", [site]: "same-origin" },
          200,
          200
        ],
        ["nobody says where from", { host }, 403, 200],
        ["another site", { host, origin: "https://evil.example" }, 403, 403],
        ["another port of the same host", { host, origin: "http://gw.example:3000" }, 403, 403],
        ["another host's name that begins so", { host, origin: "http://gw.example.evil.example:4000" }, 403, 403],
        ["a sandboxed frame", { host, origin: "null" }, 403, 403],
        ["a file", { host, origin: "file://" }, 403, 403],
        ["the browser says another site", { host, origin: `http://${host}`, [site]: "cross-site" }, 403, 403],
        ["the browser says another port", { host, origin: `http://${host}`, [site]: "same-site" }, 403, 403],
        ["an address that somebody typed", { host, [site]: "none" }, 403, 200],
        ["no host", { origin: "http://gw.example:4000" }, 403, 403]
      ]
      for (const [what, headers, post, get] of cases) {
        const sent = { headers: { ...headers, cookie } }
        const written = yield* send(isolate, sent)
        assert.deepStrictEqual([written.status, written.code], [post, post === 403 ? "foreign_page" : undefined], what)
        assert.strictEqual((yield* send("/admin/deployments", { method: "GET", ...sent })).status, get, what)
        assert.strictEqual((yield* login(master, { headers })).status, post, what)
        if (post === 403) assert.strictEqual((yield* send("/admin/logout", sent)).status, 403, what)
      }
      // None of that is asked of a program with a key, and a key beats a session.
      const program = { host, origin: "https://evil.example", cookie }
      const bearing = (key: string) => ({ headers: { ...program, authorization: `Bearer ${key}` } })
      assert.strictEqual((yield* send(isolate, bearing(master))).status, 200)
      assert.strictEqual((yield* send(isolate, bearing(team))).status, 403)
      assert.strictEqual((yield* send(isolate, bearing("sk-wrong"))).status, 401)
    })
  )

  it.scoped("that is over ends what it was listening to", () =>
    Effect.gen(function* () {
      const { deps } = yield* parts({ settings, base: StubLlm.make().attempts })
      const { url } = yield* serve(deps)
      const asked = (path: string, init: RequestInit = {}) => Effect.promise(() => fetch(url + path, init))
      const from = { origin: url }
      const signedIn = yield* asked("/admin/login", {
        method: "POST",
        headers: from,
        body: JSON.stringify({ key: master })
      })
      const cookie = signedIn.headers.get("set-cookie")?.split(";", 1)[0] ?? ""
      const events = yield* asked("/admin/events", { headers: { cookie } })
      const reader = events.body?.getReader()
      const next = Effect.promise(async () => (await reader?.read())?.done)
      assert.deepStrictEqual([events.status, yield* next], [200, false])
      yield* TestClock.adjust("2100 millis")
      assert.isFalse(yield* next)
      assert.strictEqual((yield* asked("/admin/logout", { method: "POST", headers: { ...from, cookie } })).status, 200)
      yield* TestClock.adjust("2100 millis")
      assert.isTrue(yield* next)
    })
  )

  it.scoped("opens what the master manages, and nothing else", () =>
    Effect.gen(function* () {
      const { login, send } = yield* start({ ...settings, server: { metricsKey: true } })
      const { headers } = by(sessionIn(yield* login()))
      for (const path of ["/v1/models", "/model/info", "/health", "/metrics", "/v1/responses/resp_1"]) {
        assert.strictEqual((yield* send(path, { method: "GET", headers })).status, 401, path)
      }
    })
  )
})
