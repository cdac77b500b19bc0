/** What several layers do together, in the tower that `Router.make` builds. */
import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { LlmErrorFields, Reason } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import type * as Service from "@switchyard/core/Service"
import { now } from "@switchyard/core/Time"
import { estimate } from "@switchyard/core/Usage"
import * as Cache from "@switchyard/router/Cache"
import * as CacheStore from "@switchyard/router/CacheStore"
import { DeploymentStats } from "@switchyard/router/DeploymentStats"
import * as Router from "@switchyard/router/Router"
import { SpendWindows } from "@switchyard/router/SpendWindows"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, Exit, Fiber, Stream, TestClock } from "effect"
import { DeploymentRegistry } from "../../src/registry/DeploymentRegistry.js"
import { answering } from "../support/tower.js"

/** Five tokens of output cost half a dollar, input nothing: a request of at most five tokens is reckoned exactly. */
const prices = { inputPrice: 0, cachedInputPrice: 0, outputPrice: 100_000 }

const d = (id: string, more: Partial<DeploymentConfig> = {}): DeploymentConfig => ({
  id,
  group: "m",
  model: "m",
  ...prices,
  ...more
})

const chat = (options: LlmRequest.RequestOptions = {}, body: object = {}) =>
  LlmRequest.chat(
    { model: "m", messages: [{ role: "user", content: "Hi" }], max_tokens: 5, ...body },
    { caller: "me", ...options }
  )

const fails = (reason: Reason, more: Partial<LlmErrorFields> = {}): StubLlm.Reply => ({
  fail: { reason, description: "scripted", ...more }
})

const down = fails("Unavailable", { status: 503 })

const perDay = (limit: number) => ({ limit, window: "1 day" as const })

/** Half a dollar's worth, whatever the text. */
const usage = estimate(10, 5)

const byDeployment =
  (replies: Readonly<Record<string, StubLlm.Reply>>) =>
  ({ deployment }: StubLlm.StubCall): StubLlm.Reply => ({ usage, ...replies[deployment] })

const setup = (options: Router.Options, replies: Readonly<Record<string, StubLlm.Reply>> = {}) =>
  Effect.gen(function* () {
    const stub = StubLlm.make(byDeployment(replies))
    const { service, state } = yield* Router.make(options, stub.attempts)
    answering(Context.get(state, DeploymentRegistry).slots(), 5)
    const window = Context.get(state, SpendWindows).window("caller", "me", 86_400_000, 0)
    return {
      stub,
      service,
      state,
      asked: () => stub.calls.map(({ deployment }) => deployment as string),
      /** USD of the caller's budget per day. */
      spent: Effect.map(now, (at) => window.used(at))
    }
  })

/** Sends the request, lets all the time pass that it takes, and gives its exit. */
const send = (service: Service.RequestService, request = chat()) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(Effect.exit(LlmService.complete(service, request)))
    yield* TestClock.adjust("30 seconds")
    return yield* Fiber.join(fiber)
  })

const reasonOf = <A>(exit: Exit.Exit<A, { readonly reason: Reason }>): string =>
  Exit.isSuccess(exit) ? "ok" : exit.cause._tag === "Fail" ? exit.cause.error.reason : exit.cause._tag

describe("spending limits", () => {
  const general = { chains: { general: { m: ["spare"] }, rateLimit: { m: ["spare"] } } }

  it.scoped("a deployment whose limit is used up is passed over, and a group that is leads to its fallback", () =>
    Effect.gen(function* () {
      const { asked, service } = yield* setup({
        deployments: [d("a", { priority: 1 }), d("b", { priority: 2 }), d("s", { group: "spare" })],
        strategy: "ordered",
        spendLimits: { deployments: { a: perDay(1), b: perDay(0.5) } },
        fallback: general
      })
      for (let i = 0; i < 5; i++) assert.strictEqual(reasonOf(yield* send(service)), "ok")
      assert.deepStrictEqual(asked(), ["a", "a", "b", "s", "s"])
    })
  )
  for (const [scope, limits] of [
    ["a provider", { providers: { acme: perDay(1) } }],
    ["a tag", { tags: { team: perDay(1) } }]
  ] as const) {
    it.scoped(`the limit of ${scope} is for all its bearers together; a group without room is NoDeployment`, () =>
      Effect.gen(function* () {
        const shared = { provider: "acme", tags: ["team"] }
        const { asked, service } = yield* setup({ deployments: [d("a", shared), d("b", shared)], spendLimits: limits })
        const request = () => chat({ tags: ["team"] })
        yield* send(service, request())
        yield* send(service, request())
        const error = yield* Effect.flip(LlmService.complete(service, request()))
        assert.strictEqual(error.reason, "NoDeployment")
        assert.deepStrictEqual(new Set(error.blocked?.map(({ reason }) => reason)), new Set(["spend"]))
        assert.deepStrictEqual([error.httpStatus, error.fallback], [429, "rateLimit"])
        assert.strictEqual(asked().length, 2)
      })
    )
  }
  it.scoped("a limit is whole again when its window has passed", () =>
    Effect.gen(function* () {
      const { service } = yield* setup({
        deployments: [d("a")],
        spendLimits: { deployments: { a: { limit: 0.5, window: "1 hour" } } }
      })
      assert.strictEqual(reasonOf(yield* send(service)), "ok")
      assert.strictEqual(reasonOf(yield* send(service)), "NoDeployment")
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(reasonOf(yield* send(service)), "ok")
    })
  )
  it.scoped("calls at once cannot overspend: as many are let through as there is money for", () =>
    Effect.gen(function* () {
      const { asked, service } = yield* setup(
        { deployments: [d("a")], spendLimits: { deployments: { a: perDay(1.5) } }, retry: false },
        { a: { delay: "1 second" } }
      )
      const fibers = yield* Effect.forEach(Array.from({ length: 10 }), () =>
        Effect.fork(Effect.exit(LlmService.complete(service, chat())))
      )
      yield* TestClock.adjust("1 second")
      const exits = yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 3)
      assert.strictEqual(asked().length, 3)
    })
  )
})

describe("a caller's budget", () => {
  const callerBudget = { callers: { me: perDay(1) } }
  const fallback = { chains: { general: { m: ["spare"] }, rateLimit: { m: ["spare"] } } }
  const deployments = [d("a"), d("s", { group: "spare" })]

  it.scoped("that is used up ends the request: no deployment is asked, no fallback, and others may go on", () =>
    Effect.gen(function* () {
      const { asked, service } = yield* setup({ deployments, callerBudget, fallback })
      yield* send(service)
      yield* send(service)
      const error = yield* Effect.flip(LlmService.complete(service, chat()))
      assert.deepStrictEqual(
        [error.reason, error.httpStatus, error.httpCode, error.breaker],
        ["BudgetExceeded", 429, "insufficient_quota", "neutral"]
      )
      assert.strictEqual(asked().length, 2)
      assert.strictEqual(reasonOf(yield* send(service, chat({ caller: "you" }))), "ok")
      yield* TestClock.adjust("1 day")
      assert.strictEqual(reasonOf(yield* send(service)), "ok")
    })
  )
  it.scoped("an error that the provider answered with costs nothing", () =>
    Effect.gen(function* () {
      const { asked, service } = yield* setup({ deployments: [d("a")], callerBudget }, { a: fails("InvalidRequest") })
      for (let i = 0; i < 6; i++) assert.strictEqual(reasonOf(yield* send(service)), "InvalidRequest")
      assert.strictEqual(asked().length, 6)
    })
  )
  it.scoped("a stream that its caller leaves is charged for what it used, as one that dies", () =>
    Effect.gen(function* () {
      for (const leave of [true, false]) {
        const { service, spent } = yield* setup(
          { deployments: [d("a")], callerBudget: { callers: { me: perDay(0.6) } }, recovery: { policy: "error" } },
          { a: { chunks: ["eight by", "tes more"], failAfter: leave ? 9 : 2, ...(leave ? { stallAfter: 2 } : down) } }
        )
        const events = LlmService.stream(service, chat({}, { stream: true }))
        yield* Effect.ignore(Stream.runDrain(leave ? Stream.take(events, 2) : events))
        assert.isAbove(yield* spent, 0.1, leave ? "left" : "died")
      }
    })
  )
  it.scoped(
    "an attempt that timed out is charged for its prompt beside the one that answers; a refused one is not",
    () =>
      Effect.gen(function* () {
        const prompt = (LlmRequest.estimateInputTokens(chat()) * 10_000) / 1e6
        const options: Router.Options = {
          deployments: [d("a", { priority: 1, timeout: 1_000, inputPrice: 10_000 }), d("b", { priority: 2 })],
          strategy: "ordered",
          callerBudget: { callers: { me: perDay(1 + 1.5 * prompt) } }
        }
        for (const [reply, more] of [
          [{ hang: true }, prompt],
          [down, 0]
        ] as const) {
          const { asked, service, spent } = yield* setup(options, { a: reply })
          assert.strictEqual(reasonOf(yield* send(service)), "ok")
          assert.deepStrictEqual(asked(), ["a", "b"])
          assert.closeTo(yield* spent, 0.5 + more, 1e-9)
        }
      })
  )
  it.scoped("the attempt that lost a hedge is charged for its prompt beside the winner", () =>
    Effect.gen(function* () {
      const prompt = (LlmRequest.estimateInputTokens(chat()) * 10_000) / 1e6
      for (const [delay, more] of [
        [1_000, prompt],
        [undefined, 0]
      ] as const) {
        const { asked, service, spent } = yield* setup(
          {
            deployments: [d("a", { priority: 1, inputPrice: 10_000 }), d("b", { priority: 2 })],
            strategy: "ordered",
            hedge: { delay: 100 },
            callerBudget: { callers: { me: perDay(1 + 1.5 * prompt) } }
          },
          { a: delay === undefined ? { usage: estimate(0, 5) } : { delay } }
        )
        assert.strictEqual(reasonOf(yield* send(service)), "ok")
        assert.deepStrictEqual(asked(), delay === undefined ? ["a"] : ["a", "b"])
        assert.closeTo(yield* spent, 0.5 + more, 1e-9)
      }
    })
  )
  it.scoped("without a cache in the stack equal requests are two calls", () =>
    Effect.gen(function* () {
      const { asked, service } = yield* setup({ deployments: [d("a")] })
      yield* send(service)
      yield* send(service)
      assert.strictEqual(asked().length, 2)
    })
  )
  it.scoped("a cache hit costs nothing: no budget, no limit, no deployment", () =>
    Effect.gen(function* () {
      const { asked, service } = yield* setup({ deployments: [d("a", { rpm: 1 })], callerBudget })
      const cached = Cache.make({ store: CacheStore.make(), scope: yield* Effect.scope }, { ttl: "1 hour" })(service)
      for (let i = 0; i < 5; i++) assert.strictEqual(reasonOf(yield* send(cached)), "ok")
      assert.strictEqual(asked().length, 1)
    })
  )
})

describe("a request", () => {
  it.scoped("keeps its Idempotency-Key, tags and payload on every attempt, and is left as it was", () =>
    Effect.gen(function* () {
      const { asked, service, stub } = yield* setup(
        {
          deployments: [d("a", { tags: ["x"] }), d("b", { tags: ["x"] }), d("s", { group: "spare", tags: ["x"] })],
          fallback: { chains: { general: { m: ["spare"] } } }
        },
        { a: down, b: down }
      )
      const request = chat({ tags: ["x"], overrides: { headers: { "Idempotency-Key": "1" } } })
      const before = JSON.stringify(request)
      assert.strictEqual(reasonOf(yield* send(service, request)), "ok")
      assert.strictEqual(JSON.stringify(request), before)
      assert.strictEqual(asked().at(-1), "s")
      assert.isAbove(stub.calls.length, 2)
      for (const { request: sent } of stub.calls) {
        assert.deepStrictEqual(
          [sent.overrides.headers, sent.tags, sent.body.messages],
          [{ "Idempotency-Key": "1" }, ["x"], request.body.messages]
        )
      }
    })
  )
  it.scoped("never leaves its region, not even by a fallback", () =>
    Effect.gen(function* () {
      const { asked, service } = yield* setup(
        {
          deployments: [
            d("a", { region: "eu" }),
            d("u", { group: "spare", region: "us" }),
            d("n", { group: "spare" }),
            d("e", { group: "last", region: "eu" })
          ],
          fallback: { chains: { general: { m: ["spare", "last"] } } },
          retry: false
        },
        { a: down }
      )
      assert.strictEqual(reasonOf(yield* send(service, chat({ demands: { region: "eu" } }))), "ok")
      assert.deepStrictEqual(asked(), ["a", "e"])
    })
  )
  it.scoped("has one budget of attempts over all groups, one kept for each hop, and fails as its primary did", () =>
    Effect.gen(function* () {
      const groups = ["m", "n", "o", "p"]
      const { asked, service } = yield* setup(
        {
          deployments: groups.flatMap((group) => [1, 2, 3, 4].map((n) => d(`${group}${n}`, { group }))),
          fallback: { chains: { general: { m: ["n", "o", "p"] } } }
        },
        Object.fromEntries(
          groups.flatMap((group) =>
            [1, 2, 3, 4].map((n) => [`${group}${n}`, { ...fails("Unavailable", { code: group }) }])
          )
        )
      )
      const error = yield* Effect.flip(Effect.flatten(send(service)))
      assert.strictEqual(error.code, "m")
      assert.strictEqual(asked().length, 8)
      assert.strictEqual(error.attempts?.length, 8)
      assert.deepStrictEqual([...new Set(asked().map((id) => id[0]))], groups)
      assert.strictEqual(asked().filter((id) => id.startsWith("m")).length, 3)
    })
  )
  it.scoped("is told how it was answered: deployment, group, fallback, attempts, times, usage and cost", () =>
    Effect.gen(function* () {
      const { service } = yield* setup(
        {
          deployments: [d("a"), d("s", { group: "spare" })],
          fallback: { chains: { rateLimit: { m: ["spare"] } } },
          retry: false
        },
        { a: { ...fails("RateLimited", { status: 429 }), delay: 200 }, s: { delay: 300 } }
      )
      const { journal } = yield* Effect.flatten(send(service))
      const report = journal.report()
      assert.deepInclude(report, {
        requestedGroup: "m",
        group: "spare",
        deployment: "s" as never,
        usedFallback: true,
        fallbackKind: "rateLimit",
        latency: 500
      })
      assert.deepStrictEqual(
        report.attempts.map(({ deployment, duration, outcome, reason }) => [deployment, outcome, reason, duration]),
        [
          ["a", "failed", "RateLimited", 200],
          ["s", "completed", undefined, 300]
        ] as never
      )
      assert.strictEqual(report.usage?.outputTokens, 5)
      assert.closeTo(report.cost ?? 0, 0.5, 1e-9)
    })
  )
  it.scoped("that is bound to a deployment's state goes to nobody else, by no retry, hedge or fallback", () =>
    Effect.gen(function* () {
      const { asked, service, stub } = yield* setup({
        deployments: [d("a", { priority: 1 }), d("b", { priority: 2 }), d("s", { group: "spare" })],
        strategy: "ordered",
        hedge: { delay: 100 },
        fallback: { chains: { general: { m: ["spare"] } } }
      })
      yield* send(service)
      stub.reply(byDeployment({ a: { ...down, delay: 500 } }))
      const exit = yield* send(service, chat({}, { previous_response_id: "chatcmpl-stub" }))
      assert.strictEqual(reasonOf(exit), "Unavailable")
      assert.deepStrictEqual([...new Set(asked())], ["a"])
      assert.strictEqual(reasonOf(yield* send(service)), "ok")
    })
  )
  it.scoped("of an empty retry budget is not retried, but falls back", () =>
    Effect.gen(function* () {
      const { asked, service } = yield* setup(
        {
          deployments: [d("a"), d("b"), d("s", { group: "spare" })],
          retryBudget: { share: 0, perSecond: 0 },
          fallback: { chains: { general: { m: ["spare"] } } }
        },
        { a: down, b: down }
      )
      assert.strictEqual(reasonOf(yield* send(service)), "ok")
      assert.strictEqual(asked().length, 2)
      assert.strictEqual(asked()[1], "s")
    })
  )
})

describe("deployments", () => {
  it.scoped("of a fallback have breakers of their own, which close as any other's", () =>
    Effect.gen(function* () {
      const { asked, service } = yield* setup(
        {
          deployments: [d("a"), d("f", { group: "spare" }), d("g", { group: "last" })],
          fallback: { chains: { general: { m: ["spare", "last"] } } },
          cooldown: { duration: "1 hour", maxDuration: "1 hour" },
          retry: false
        },
        { a: down, f: down }
      )
      for (let i = 0; i < 12; i++) assert.strictEqual(reasonOf(yield* send(service)), "ok")
      const count = (id: string) => asked().filter((one) => one === id).length
      assert.deepStrictEqual([count("a"), count("f"), count("g")], [5, 5, 12])
    })
  )
  it.scoped("are chosen by priority only where the strategy says so", () =>
    Effect.gen(function* () {
      for (const [strategy, both] of [
        ["simple-shuffle", true],
        ["priority-based", false]
      ] as const) {
        const { asked, service } = yield* setup({
          deployments: [d("a", { priority: 1 }), d("b", { priority: 2 })],
          strategy
        })
        for (let i = 0; i < 40; i++) yield* LlmService.complete(service, chat())
        assert.strictEqual(new Set(asked()).size === 2, both, strategy)
      }
    })
  )
  it.scoped("hold nothing after calls of every end", () =>
    Effect.gen(function* () {
      const { service, state, stub } = yield* setup({
        deployments: [d("a", { maxParallel: 3, rpm: 100_000, tpm: 100_000_000 }), d("b", { maxParallel: 3 })],
        cooldown: false,
        hedge: { delay: 50 }
      })
      const replies: ReadonlyArray<StubLlm.Reply> = [
        { delay: 10 },
        { delay: 100 },
        down,
        { hang: true },
        { defect: "boom" },
        { gap: 30 },
        { failAfter: 1, ...down },
        { stallAfter: 1 }
      ]
      stub.reply(({ index }) => replies[(index * 5 + (index >> 3)) % replies.length] ?? {})
      for (let i = 0; i < 200; i++) {
        const request = chat({}, { stream: i % 2 === 0 })
        const fiber = yield* Effect.fork(
          request.stream
            ? Stream.runDrain(
                i % 3 === 0 ? Stream.take(LlmService.stream(service, request), 1) : LlmService.stream(service, request)
              )
            : LlmService.complete(service, request)
        )
        yield* TestClock.adjust(i % 7 === 0 ? 20 : 200)
        yield* Fiber.interrupt(fiber)
      }
      assert.deepStrictEqual([stub.inFlight(), stub.openStreams()], [0, 0])
      const registry = Context.get(state, DeploymentRegistry)
      for (const id of ["a", "b"]) {
        const slot = registry.slot(id)
        if (slot === undefined) return assert.fail("no slot")
        assert.strictEqual(Context.get(state, DeploymentStats).of(slot).inFlight, 0)
      }
      stub.reply({})
      yield* TestClock.adjust("2 minutes")
      yield* LlmService.complete(service, chat())
    })
  )
})
