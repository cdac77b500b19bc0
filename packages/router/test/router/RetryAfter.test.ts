/** What a provider's Retry-After does to the request that got it, to those that come later, and to what callers are told. */
import { assert, describe, it } from "@effect/vitest"
import { type LlmError, type LlmErrorFields, longestHold, type Reason } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import { nowMs } from "@switchyard/core/Time"
import * as Cooldown from "@switchyard/router/Cooldown"
import * as Router from "@switchyard/router/Router"
import * as UsageWindows from "@switchyard/router/UsageWindows"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Exit, Fiber, Random, TestClock } from "effect"

const fails = (reason: Reason, more: Partial<LlmErrorFields> = {}): StubLlm.Reply => ({
  fail: { reason, description: "scripted", ...more }
})
const limited = (retryAfter?: number) =>
  fails("RateLimited", { status: 429, ...(retryAfter === undefined ? {} : { retryAfter }) })
const out = (status: number, retryAfter?: number) =>
  fails(status === 504 || status === 408 ? "Timeout" : "Unavailable", {
    status,
    ...(retryAfter === undefined ? {} : { retryAfter })
  })

const member = (id: string, group = "m", more: object = {}) => ({ id, group, model: "m", ...more })

interface Setup extends Omit<Router.Options, "deployments"> {
  readonly deployments?: ReadonlyArray<ReturnType<typeof member>>
  readonly seed?: string
}

/** A whole router; `script` replies by deployment and by how often it was asked before. */
const setup = (script: (id: string, nth: number) => StubLlm.Reply, given: Setup = {}) =>
  Effect.gen(function* () {
    const { deployments = [member("a")], seed = "seed", ...options } = given
    const counts = new Map<string, number>()
    const stub = StubLlm.make(({ deployment }) => {
      const nth = counts.get(deployment) ?? 0
      counts.set(deployment, nth + 1)
      return script(deployment, nth)
    })
    const { service } = yield* Effect.withRandom(
      Router.make({ strategy: "ordered", metrics: false, ...options, deployments }, stub.attempts),
      Random.make(seed)
    )
    /** Sends, lets the time pass that it takes, and tells how it ended and after how long. */
    const send = (model = "m", options: LlmRequest.RequestOptions = {}) =>
      Effect.gen(function* () {
        const clock = yield* Effect.clock
        const begin = nowMs(clock)
        const request = LlmRequest.chat({ model, messages: [{ role: "user", content: "Hi" }] }, options)
        const call = Effect.exit(LlmService.complete(service, request))
        const fiber = yield* Effect.fork(Effect.map(call, (exit) => ({ exit, took: nowMs(clock) - begin })))
        const settle = Effect.repeatN(Effect.yieldNow(), 20)
        yield* settle
        for (let i = 0; i < 40 && fiber.unsafePoll() === null; i++)
          yield* Effect.zipRight(TestClock.adjust(500), settle)
        const { exit, took } = yield* Fiber.join(fiber)
        const error = Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error : undefined
        return { error, took, answer: Exit.isSuccess(exit) ? exit.value : undefined }
      })
    return { send, calls: () => stub.calls.map(({ deployment }) => deployment as string).join("") }
  })

const endOf = ({ error }: { readonly error: LlmError | undefined }): string =>
  error === undefined ? "ok" : `${error.httpStatus} ${error.reason}`

describe("ten days, as a provider may ask for them", () => {
  it.scoped("are a minute for the breaker, the strategies, this request and the callers, by one rule", () =>
    Effect.gen(function* () {
      const days = 864_000_000
      const slot = StubLlm.slot("a")
      const usage = UsageWindows.make()
      usage.throttle(slot, days, 0)
      assert.deepStrictEqual(
        [longestHold - 1, longestHold].map((at) => usage.usage(slot, at).headroom),
        [0, 1]
      )
      assert.strictEqual(Cooldown.defaults.maxRetryAfter, longestHold)
      const { send } = yield* setup(() => limited(days))
      for (let i = 0; i < 2; i++) {
        const { error } = yield* send()
        assert.isAtMost(error?.retryAfter ?? Number.POSITIVE_INFINITY, longestHold * 1.1)
      }
    })
  )
})

describe("the request that got it", () => {
  it.scoped("waits for 3 s whatever chance does, up to a fifth longer, and not for more than 3 s", () =>
    Effect.gen(function* () {
      const times = new Set<number>()
      for (let i = 0; i < 12; i++) {
        const { calls, send } = yield* setup((_, nth) => (nth === 0 ? limited(3_000) : {}), { seed: `${i}` })
        const ended = yield* send()
        assert.deepStrictEqual([endOf(ended), calls()], ["ok", "aa"])
        assert.isTrue(ended.took >= 3_000 && ended.took <= 3_651, `${ended.took}`)
        times.add(ended.took)
      }
      assert.isAbove(times.size, 6, "callers don't come back together")
      const { calls, send } = yield* setup((_, nth) => (nth === 0 ? limited(3_001) : {}))
      assert.deepStrictEqual([endOf(yield* send()), calls()], ["429 RateLimited", "a"])
    })
  )
  it.scoped("waits for an outage's too, and beside a cooldown that the failure brought", () =>
    Effect.gen(function* () {
      for (const [status, cooldown] of [
        [503, {}],
        [529, { failures: 1, duration: "1 minute" }],
        [429, { failures: 1, duration: "1 minute" }]
      ] as const) {
        const script = (_: string, nth: number) => (nth > 0 ? {} : status === 429 ? limited(3_000) : out(status, 3_000))
        const { calls, send } = yield* setup(script, { cooldown })
        const ended = yield* send()
        assert.deepStrictEqual([endOf(ended), calls()], ["ok", "aa"], `${status}`)
        assert.isAtLeast(ended.took, 3_000)
      }
    })
  )
  it.scoped("a waiting retry sleeps until the status opens, though others were told to wait longer meanwhile", () =>
    Effect.gen(function* () {
      const waits = [2_000, 3_000]
      const { calls, send } = yield* setup((_, nth) => (nth < 2 ? { ...limited(waits[nth]), delay: 10 } : {}))
      const first = yield* Effect.fork(send())
      const second = yield* Effect.fork(send())
      const ended = [yield* Fiber.join(first), yield* Fiber.join(second)]
      assert.deepStrictEqual(ended.map(endOf), ["ok", "ok"])
      assert.strictEqual(calls(), "aaaa")
    })
  )
  it.scoped("a quick 504 or 408 is retried on a lone deployment, as a 503 is; a late one and a 524 are not", () =>
    Effect.gen(function* () {
      for (const [reply, expected] of [
        [out(504), "ok aa"],
        [out(408), "ok aa"],
        [fails("Timeout", { status: 504, elapsed: 9_000 }), "ok aa"],
        [out(503), "ok aa"],
        [fails("Timeout", { status: 504, elapsed: 11_000 }), "504 Timeout a"],
        [fails("Timeout", { status: 408, elapsed: 60_000 }), "504 Timeout a"],
        [out(524), "502 Unavailable a"],
        [fails("Timeout", { bound: "deployment", phase: "firstToken" }), "504 Timeout a"]
      ] as const) {
        const { calls, send } = yield* setup((_, nth) => (nth === 0 ? reply : {}))
        assert.strictEqual(`${endOf(yield* send())} ${calls()}`, expected)
      }
    })
  )
})

describe("later requests", () => {
  const chains = { general: { m: ["gen"] }, rateLimit: { m: ["lim"] } }
  const spares = [member("g", "gen"), member("l", "lim")]

  it.scoped("an outage's stays an outage: 503 and the general chain, never forced; only a 429's is a limit", () =>
    Effect.gen(function* () {
      for (const [reply, alone, chain] of [
        [out(502, 30_000), "503 NoDeployment", "g"],
        [out(503, 30_000), "503 NoDeployment", "g"],
        [out(529, 30_000), "503 NoDeployment", "g"],
        [out(504, 30_000), "503 NoDeployment", "g"],
        [limited(30_000), "429 NoDeployment", "l"]
      ] as const) {
        const lone = yield* setup(() => reply)
        yield* lone.send()
        assert.strictEqual(endOf(yield* lone.send()), alone)
        assert.strictEqual(lone.calls(), "a", "asked once, then left alone")
        const chained = yield* setup((id) => (id === "a" ? reply : {}), {
          deployments: [member("a"), ...spares],
          fallback: { chains }
        })
        yield* chained.send()
        yield* chained.send()
        assert.strictEqual(chained.calls(), `a${chain}${chain}`)
      }
    })
  )
  it.scoped("a plain 500's Retry-After holds nobody off", () =>
    Effect.gen(function* () {
      const { calls, send } = yield* setup((_, nth) => (nth < 3 ? out(500, 30_000) : {}))
      const { error } = yield* send()
      assert.strictEqual(error?.retryAfter, undefined)
      assert.strictEqual(endOf(yield* send()), "ok")
      assert.strictEqual(calls(), "aaaa")
    })
  )
  it.scoped("an outage beside a limit is an outage until it is over", () =>
    Effect.gen(function* () {
      const replies = { a: out(503, 20_000), b: limited(40_000) }
      const { send } = yield* setup((id) => replies[id as "a" | "b"], { deployments: [member("a"), member("b")] })
      yield* send()
      assert.strictEqual(endOf(yield* send()), "503 NoDeployment")
    })
  )
  it.scoped("an explicit empty rate limit chain does not take the general one from an outage", () =>
    Effect.gen(function* () {
      const { calls, send } = yield* setup((id) => (id === "a" ? out(503, 30_000) : {}), {
        deployments: [member("a"), ...spares],
        fallback: { chains: { general: { m: ["gen"] }, rateLimit: { m: [] } } }
      })
      for (let i = 0; i < 3; i++) assert.strictEqual(endOf(yield* send()), "ok")
      assert.strictEqual(calls(), "aggg")
    })
  )
})

describe("what callers are told", () => {
  const told = (script: (id: string, nth: number) => StubLlm.Reply, given: Setup = {}) =>
    Effect.gen(function* () {
      const { send } = yield* setup(script, given)
      const first = yield* send()
      const second = yield* send()
      return [first.error?.retryAfter, second.error?.retryAfter].map((ms) =>
        ms === undefined ? undefined : Math.round(ms / 100) / 10
      )
    })
  const noChance = { retryAfterJitter: 0, jitter: 0 }

  it.scoped("a day, nines and 1e40 become the minute for which the router itself keeps away", () =>
    Effect.gen(function* () {
      for (const ms of [864_000_000, 1e23, 1e43]) {
        assert.deepStrictEqual(yield* told(() => limited(ms), { cooldown: noChance }), [60, 60])
        assert.deepStrictEqual(yield* told(() => out(503, ms), { cooldown: noChance }), [60, 60])
        assert.deepStrictEqual(yield* told(() => limited(ms), { cooldown: false }), [60, 60])
      }
      assert.deepStrictEqual(yield* told(() => fails("InvalidRequest", { status: 400, retryAfter: 1e43 })), [
        undefined,
        undefined
      ])
    })
  )
  it.scoped("of several deployments, the one that opens first", () =>
    Effect.gen(function* () {
      const deployments = [member("a"), member("b"), member("c")]
      const waits: Record<string, number> = { a: 20_000, b: 7_000, c: 40_000 }
      assert.deepStrictEqual(yield* told((id) => limited(waits[id]), { deployments, cooldown: noChance }), [7, 7])
    })
  )
  it.scoped("of several groups, the one that opens first", () =>
    Effect.gen(function* () {
      const deployments = [member("a"), member("l", "lim")]
      const fallback = { chains: { rateLimit: { m: ["lim"] } } }
      const script = (id: string) => limited(id === "a" ? 20_000 : 7_000)
      assert.deepStrictEqual(yield* told(script, { deployments, fallback, cooldown: noChance }), [7, 7])
    })
  )
  it.scoped("of a sole deployment that is asked while failures alone keep it closed: not the cooldown", () =>
    Effect.gen(function* () {
      const cooldown = { ...noChance, failures: 1, duration: "30 seconds" as const, maxDuration: "30 seconds" as const }
      const { calls, send } = yield* setup((_, nth) => (nth === 0 ? limited(5_000) : {}), { cooldown })
      assert.strictEqual((yield* send()).error?.retryAfter, 5_000)
      assert.strictEqual((yield* send()).error?.retryAfter, 5_000)
      yield* TestClock.adjust(5_000)
      assert.strictEqual(endOf(yield* send()), "ok")
      assert.strictEqual(calls(), "aa")
      const two = { cooldown, deployments: [member("a"), member("b")] }
      assert.deepStrictEqual(yield* told(() => limited(5_000), two), [30, 30], "with another one it is not forced")
    })
  )
  it.scoped("nothing where it would be asked again at once", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* told(() => limited()), [undefined, undefined])
      assert.deepStrictEqual(yield* told(() => out(503)), [undefined, undefined])
    })
  )
})

describe("a call that names a cooling deployment", () => {
  const deployments = [member("a"), member("b")]
  const broken = { failures: 1, duration: "1 minute", jitter: 0, maxDuration: "1 minute" } as const

  it.scoped("by its id: its success changes nothing for the group, nor does a row of them", () =>
    Effect.gen(function* () {
      const { calls, send } = yield* setup((id, nth) => (id === "a" && nth === 0 ? out(503) : {}), {
        deployments,
        cooldown: broken
      })
      yield* send()
      for (let i = 0; i < 5; i++) {
        assert.strictEqual(endOf(yield* send("a")), "ok")
        assert.strictEqual(endOf(yield* send("m", { demands: { deployment: "a" as never } })), "ok")
      }
      yield* send()
      assert.strictEqual(calls(), `ab${"a".repeat(10)}b`)
      yield* TestClock.adjust("1 minute")
      yield* send()
      assert.strictEqual(calls(), `ab${"a".repeat(10)}ba`, "the group looks at it when its cooldown is over")
    })
  )
  it.scoped("its failures make no trial of it, and no longer cooldown", () =>
    Effect.gen(function* () {
      const { calls, send } = yield* setup((id, nth) => (id === "a" && nth % 2 === 0 ? out(500) : {}), {
        deployments,
        cooldown: broken,
        retry: { attempts: 2 }
      })
      yield* send()
      for (let i = 0; i < 6; i++) yield* send("a")
      const asked = calls().length
      yield* TestClock.adjust("40 seconds")
      yield* send()
      yield* TestClock.adjust("20 seconds")
      yield* send()
      assert.match(calls().slice(asked), /^ba/, "a minute after the first failure it is asked again")
    })
  )
  it.scoped("one that is sent as the last resort still half-opens", () =>
    Effect.gen(function* () {
      const { calls, send } = yield* setup((_, nth) => (nth === 0 ? out(500) : {}), {
        cooldown: { ...broken, successThreshold: 1 },
        retry: { attempts: 1 }
      })
      yield* send()
      assert.strictEqual(endOf(yield* send()), "ok")
      assert.strictEqual(endOf(yield* send()), "ok")
      assert.strictEqual(calls(), "aaa")
    })
  )
})
