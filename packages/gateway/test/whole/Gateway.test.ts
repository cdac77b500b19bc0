/**
 * A gateway as a whole, over real sockets: how it starts, changes its configuration and ends.
 */
import { request as httpRequest } from "node:http"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describe, expect, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Either, Exit, Fiber, Scope } from "effect"
import * as GatewayConfig from "../../src/config/GatewayConfig.js"
import * as Gateway from "../../src/Gateway.js"

const config = (settings: object): GatewayConfig.GatewayConfig =>
  Either.getOrThrowWith(GatewayConfig.decode({ server: { port: 0 }, ...settings }), (error) => error)

const deployment = (provider: FakeProvider.FakeProvider, id = provider.name) => ({
  id,
  group: "smart",
  model: "gpt-4o",
  baseUrl: provider.url
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

const post = (url: string, body: object, headers: Record<string, string> = {}): Effect.Effect<Answer> =>
  Effect.promise(async () => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body)
    })
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  })

const chat = { model: "smart", messages: [{ role: "user", content: "Where to?" }] }

/** A request with a Host header of its own, which fetch does not allow. */
const withHost = (url: string, host: string): Effect.Effect<number> =>
  Effect.async((resume) => {
    const sent = httpRequest(`${url}/v1/chat/completions`, { method: "POST", headers: { host } }, (answer) => {
      answer.resume()
      resume(Effect.succeed(answer.statusCode ?? 0))
    })
    sent.end("{}")
  })

describe("Gateway", () => {
  it.scopedLive("answers with the body of the provider, and says in headers where it came from", () =>
    Effect.gen(function* () {
      const provider = yield* FakeProvider.make({ name: "east" })
      const gateway = yield* Gateway.make({ config: config({ deployments: [deployment(provider)] }) })
      const answer = yield* post(`${gateway.url}/v1/chat/completions`, chat, { "x-request-id": "my-id" })
      expect(answer.status).toBe(200)
      expect(JSON.parse(answer.text)).toMatchObject({ model: "gpt-4o", choices: [{ finish_reason: "stop" }] })
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        "x-request-id": "my-id",
        "x-switchyard-deployment": "east",
        "x-switchyard-group": "smart",
        "x-switchyard-attempts": "1"
      })
      expect(Number(answer.headers.get("x-switchyard-overhead-ms"))).toBeGreaterThanOrEqual(0)
    })
  )

  it.scopedLive("a failover shows in the headers: attempts, fallback kind, and the group that answered", () =>
    Effect.gen(function* () {
      const down = yield* FakeProvider.make({ name: "down" })
      const spare = yield* FakeProvider.make({ name: "spare" })
      yield* down.behave({ status: 503 })
      const gateway = yield* Gateway.make({
        config: config({
          deployments: [deployment(down), { ...deployment(spare), group: "other" }],
          fallback: { chains: { general: { smart: ["other"] } } },
          retry: { attempts: 1 }
        })
      })
      const answer = yield* post(`${gateway.url}/v1/chat/completions`, chat)
      expect(answer.status).toBe(200)
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        "x-switchyard-deployment": "spare",
        "x-switchyard-group": "other",
        "x-switchyard-attempts": "2",
        "x-switchyard-fallback": "general"
      })
    })
  )

  it.scopedLive("the last error tells its attempts, and when to come back", () =>
    Effect.gen(function* () {
      const provider = yield* FakeProvider.make({ name: "busy" })
      yield* provider.behave({ status: 429, headers: { "retry-after": "7" } })
      const gateway = yield* Gateway.make({ config: config({ deployments: [deployment(provider)] }) })
      const answer = yield* post(`${gateway.url}/v1/chat/completions`, chat)
      expect(answer.status).toBe(429)
      expect(answer.headers.get("x-should-retry")).toBe(null)
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(7)
      expect(Number(answer.headers.get("retry-after"))).toBeLessThanOrEqual(9)
      expect(JSON.parse(answer.text)).toMatchObject({
        error: {
          type: "rate_limit_error",
          code: "rate_limit_exceeded",
          attempts: [{ deployment: "busy", outcome: "failed", reason: "RateLimited", status: 429 }]
        }
      })
    })
  )

  it.live("with metrics off there are none: no figure is served, by whatever name", () =>
    Effect.gen(function* () {
      const silent = config({
        metrics: false,
        deployments: [{ id: "a", group: "m", model: "x", baseUrl: "http://127.0.0.1:1/v1" }]
      })
      const gateway = yield* Gateway.make({ config: silent }, { port: 0 })
      const response = yield* Effect.promise(() => fetch(`${gateway.url}/metrics`))
      expect(response.status).toBe(404)
      expect(yield* Effect.promise(() => response.text())).not.toMatch(/^switchyard_/m)
    }).pipe(Effect.scoped)
  )

  it.scopedLive("without a key only this machine's own programs are served", () =>
    Effect.gen(function* () {
      const provider = yield* FakeProvider.make()
      const open = config({ deployments: [deployment(provider)] })
      const gateway = yield* Gateway.make({ config: open })
      expect(gateway.isOpen).toBe(true)
      expect(yield* withHost(gateway.url, "evil.example")).toBe(403)
      expect((yield* post(`${gateway.url}/v1/chat/completions`, chat, { origin: "https://evil.example" })).status).toBe(
        403
      )
      expect((yield* post(`${gateway.url}/v1/chat/completions`, chat)).status).toBe(200)
      const exposed = yield* Effect.flip(Effect.scoped(Gateway.make({ config: open }, { host: "0.0.0.0" })))
      expect(exposed).toMatchObject({ _tag: "ConfigError", issues: [{ path: "server.host", value: '"0.0.0.0"' }] })
    })
  )

  it.scopedLive("says so when another program has the port", () =>
    Effect.gen(function* () {
      const provider = yield* FakeProvider.make()
      const settings = config({ deployments: [deployment(provider)] })
      const { port } = yield* Gateway.make({ config: settings })
      const error = yield* Effect.flip(Effect.scoped(Gateway.make({ config: settings }, { port })))
      expect(error.message).toBe(`cannot listen on 127.0.0.1:${port}: another program listens there`)
    })
  )

  it.scopedLive("a reload changes where requests go, and a call in flight ends where it began", () =>
    Effect.gen(function* () {
      const before = yield* FakeProvider.make({ name: "before" })
      const after = yield* FakeProvider.make({ name: "after" })
      const gate = FakeProvider.gate()
      yield* before.next({ gate })
      const gateway = yield* Gateway.make({ config: config({ deployments: [deployment(before)] }) })
      const inFlight = yield* Effect.fork(post(`${gateway.url}/v1/chat/completions`, chat))
      yield* before.awaitEntry(() => true)
      yield* gateway.reload({ config: config({ deployments: [deployment(after)] }) })
      const next = yield* post(`${gateway.url}/v1/chat/completions`, chat)
      expect(next.headers.get("x-switchyard-deployment")).toBe("after")
      gate.open()
      const old = yield* Fiber.join(inFlight)
      expect(old.status).toBe(200)
      expect(old.headers.get("x-switchyard-deployment")).toBe("before")
      expect(gateway.generations.current().number).toBe(2)
    })
  )

  it.scopedLive("a configuration that was replaced is forgotten with all that was built for it", () =>
    Effect.gen(function* () {
      const provider = yield* FakeProvider.make()
      const gateway = yield* Gateway.make({ config: config({ deployments: [deployment(provider)] }) })
      setFlagsFromString("--expose-gc")
      const collect = runInNewContext("gc") as () => void
      const replaced: Array<WeakRef<object>> = []
      for (let i = 0; i < 3; i++) {
        expect((yield* post(`${gateway.url}/v1/chat/completions`, chat)).status).toBe(200)
        const { keys, tower } = gateway.generations.current()
        replaced.push(new WeakRef(tower), new WeakRef(keys))
        yield* gateway.reload({ config: config({ deployments: [deployment(provider, `another-${i}`)] }) })
      }
      const left = Effect.sync(() => {
        collect()
        // The last is still within reach of this very test.
        return replaced.slice(0, -2).filter((one) => one.deref() !== undefined).length
      })
      yield* Effect.repeat(Effect.zipRight(Effect.sleep(100), left), { until: (count) => count === 0, times: 100 })
      expect(yield* left).toBe(0)
    })
  )

  it.scopedLive("a reload that would leave the door open is refused, and the old configuration stays", () =>
    Effect.gen(function* () {
      const provider = yield* FakeProvider.make()
      const guarded = config({ deployments: [deployment(provider)], masterKey: "sk-m" })
      const gateway = yield* Gateway.make({ config: guarded }, { host: "0.0.0.0" })
      const error = yield* Effect.flip(gateway.reload({ config: config({ deployments: [deployment(provider)] }) }))
      expect(error.issues[0]?.path).toBe("server.host")
      expect(gateway.generations.current().number).toBe(1)
      expect((yield* post(`http://127.0.0.1:${gateway.port}/v1/chat/completions`, chat)).status).toBe(401)
    })
  )

  it.scopedLive("an ending gateway lets calls in flight finish and takes no new ones", () =>
    Effect.gen(function* () {
      const provider = yield* FakeProvider.make()
      yield* provider.next({ latencyMs: 400 })
      const scope = yield* Scope.make()
      const gateway = yield* Gateway.make({ config: config({ deployments: [deployment(provider)] }) }).pipe(
        Scope.extend(scope)
      )
      const inFlight = yield* Effect.fork(post(`${gateway.url}/v1/chat/completions`, chat))
      yield* provider.awaitEntry(() => true)
      const ending = yield* Effect.fork(Scope.close(scope, Exit.void))
      expect((yield* Fiber.join(inFlight)).status).toBe(200)
      yield* Fiber.join(ending)
      const refused = yield* Effect.exit(
        Effect.tryPromise(() => fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", body: "{}" }))
      )
      expect(Exit.isFailure(refused)).toBe(true)
    })
  )

  it.scopedLive(
    "an ending gateway tells the calls that outlast the drain time, aborts their upstream, and counts them",
    () =>
      Effect.gen(function* () {
        const provider = yield* FakeProvider.make()
        yield* provider.next({ stallAfterChunks: 2 }, { hang: true })
        const scope = yield* Scope.make()
        const gateway = yield* Gateway.make({
          config: config({ deployments: [deployment(provider)], server: { port: 0, drainTimeout: 100 } })
        }).pipe(Scope.extend(scope))
        const url = `${gateway.url}/v1/chat/completions`
        const stream = yield* Effect.fork(post(url, { ...chat, stream: true }))
        yield* provider.awaitEntry(({ chunksSent }) => chunksSent === 2)
        const plain = yield* Effect.fork(post(url, chat))
        yield* provider.awaitEntry(() => provider.journal().length === 2)
        yield* Scope.close(scope, Exit.void)
        const cut = yield* Fiber.join(stream)
        expect(cut.status).toBe(200)
        expect(cut.text).not.toContain("[DONE]")
        const last = cut.text.trim().split("\n\n").at(-1) ?? ""
        expect(JSON.parse(last.slice("data: ".length))).toMatchObject({
          error: { code: "shutting_down", type: "service_unavailable_error" }
        })
        const refused = yield* Fiber.join(plain)
        expect([refused.status, JSON.parse(refused.text).error.code]).toEqual([503, "shutting_down"])
        expect(refused.headers.get("retry-after")).not.toBeNull()
        expect(gateway.cutCalls()).toBe(2)
        yield* provider.awaitEntry(() => provider.journal().every(({ end }) => end === "clientAborted"))
      })
  )

  it.scopedLive(
    "an ending gateway serves on for the drain delay, over new connections too, and says that it is not ready",
    () =>
      Effect.gen(function* () {
        const provider = yield* FakeProvider.make()
        const scope = yield* Scope.make()
        const gateway = yield* Gateway.make({
          config: config({ deployments: [deployment(provider)], server: { port: 0, drainDelay: 700 } })
        }).pipe(Scope.extend(scope))
        const get = (path: string) => Effect.promise(() => fetch(`${gateway.url}${path}`).then(({ status }) => status))
        expect(yield* get("/health/ready")).toBe(200)
        const ending = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* Effect.yieldNow()
        expect([yield* get("/health/ready"), yield* get("/health/live")]).toEqual([503, 200])
        const served = yield* post(`${gateway.url}/v1/chat/completions`, chat)
        expect([served.status, served.headers.get("connection")]).toEqual([200, "close"])
        yield* Fiber.join(ending)
        const refused = yield* Effect.exit(Effect.tryPromise(() => fetch(`${gateway.url}/health/live`)))
        expect(Exit.isFailure(refused)).toBe(true)
        expect(gateway.cutCalls()).toBe(0)
      })
  )
})
