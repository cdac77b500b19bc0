import { assert, describe, it } from "@effect/vitest"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Route from "@switchyard/core/Route"
import * as Service from "@switchyard/core/Service"
import { estimate } from "@switchyard/core/Usage"
import * as Balancer from "@switchyard/router/Balancer"
import * as CallerBudget from "@switchyard/router/CallerBudget"
import * as CallerLimits from "@switchyard/router/CallerLimits"
import { type Budget, CallerTerms, type Limit, type Terms } from "@switchyard/router/CallerTerms"
import * as CallerWindows from "@switchyard/router/CallerWindows"
import * as Cost from "@switchyard/router/Cost"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as PriceBook from "@switchyard/router/PriceBook"
import * as Router from "@switchyard/router/Router"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import * as SpendLimits from "@switchyard/router/SpendLimits"
import * as SpendWindows from "@switchyard/router/SpendWindows"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Either, Fiber, Stream, TestClock } from "effect"
import { answering, firstOpen } from "../support/tower.js"

/** USD 1 per token, so that a request of one prompt token and four of output costs 5. */
const dollar = { inputPrice: 1e6, outputPrice: 1e6 }
const day = 86_400_000

const budget = (scope: Budget["scope"], key: string, limit: number, more: Partial<Budget> = {}): Budget => ({
  scope,
  key,
  limit,
  window: day,
  ...more
})

const limit = (scope: Limit["scope"], key: string, of: Limit["limit"]): Limit => ({ scope, key, limit: of })

interface Asked {
  readonly budgets?: CallerBudget.Options
  readonly limits?: CallerLimits.Options
  readonly windows?: ReturnType<typeof SpendWindows.make>
  readonly inside?: Service.RequestLayer
}

const setup = (told: Record<string, Partial<Terms>>, options: Asked = {}) => {
  const { inside = (next: Service.RequestService) => next, windows = SpendWindows.make() } = options
  const terms = new Map<string, Terms>()
  const tell = (caller: string, { budgets = [], limits = [] }: Partial<Terms>) => terms.set(caller, { budgets, limits })
  for (const [caller, one] of Object.entries(told)) tell(caller, one)
  const stub = StubLlm.make({ usage: estimate(1, 4) })
  const published: Array<RouterEvent> = []
  const events = {
    stream: Stream.empty,
    isActive: () => false,
    publish: (event: RouterEvent) => {
      published.push(event)
    }
  }
  const prices = PriceBook.make()
  const registry = Effect.runSync(
    DeploymentRegistry.make({ deployments: ["a", "b"].map((id) => ({ id, group: "m", model: "m", ...dollar })) })
  )
  answering(registry.slots(), 4)
  const callerTerms = { of: (caller: string) => terms.get(caller) }
  const uses = CallerWindows.make()
  const service = stub.attempts.pipe(
    Cost.make(prices),
    Balancer.make({ registry, strategy: firstOpen, stats: DeploymentStats.make() }),
    inside,
    CallerBudget.make({ windows, registry, prices, events, terms: callerTerms }, options.budgets ?? {}),
    CallerLimits.make({ windows: uses, terms: callerTerms }, options.limits ?? {})
  )
  const used = (scope: string, key: string) => windows.window(scope, key, day, 0).used(0)
  return { stub, published, service, used, tell, uses }
}

const ask = (caller: string) =>
  LlmRequest.chat({ model: "m", max_tokens: 4, messages: [{ role: "user", content: "" }] }, { caller })

const refusal = (service: Service.RequestService, caller: string): Effect.Effect<LlmError> =>
  Effect.orDie(Effect.flip(LlmService.complete(service, ask(caller))))

const beside: Service.RequestLayer = (next) =>
  Service.request((request) =>
    Effect.race(
      next.call(request),
      Effect.suspend(() => {
        const first = request.route.journal.last?.deployment
        const route = first === undefined ? request.route : Route.exclude(request.route, first)
        return next.call({ ...request, route })
      })
    )
  )

describe("budgets that terms tell of", () => {
  it.effect("of a key, its team and its user all bind, and the refusal says which one is full", () =>
    Effect.gen(function* () {
      const all = (key: number, team: number, user: number) => ({
        budgets: [budget("caller", "k", key), budget("team", "t", team), budget("user", "u", user)]
      })
      for (const [limits, scope] of [
        [all(5, 100, 100), "caller"],
        [all(100, 5, 100), "team"],
        [all(100, 100, 5), "user"]
      ] as const) {
        const { published, service, used } = setup({ k: limits })
        yield* LlmService.complete(service, ask("k"))
        const error = yield* refusal(service, "k")
        assert.deepStrictEqual([error.reason, error.code], ["BudgetExceeded", `${scope}_budget`])
        assert.include(error.message, `the ${scope}'s budget of 5 USD`)
        assert.deepStrictEqual([used("caller", "k"), used("team", "t"), used("user", "u")], [5, 5, 5])
        const key = { caller: "k", team: "t", user: "u" }[scope]
        assert.deepStrictEqual(published, [{ _tag: "BudgetExhausted", at: 0, scope, key }])
      }
    })
  )
  it.effect("a team's is for all its keys together, and who belongs to none has none", () =>
    Effect.gen(function* () {
      const team = { budgets: [budget("team", "t", 10)] }
      const { service, used } = setup({ a: team, b: team })
      yield* LlmService.complete(service, ask("a"))
      yield* LlmService.complete(service, ask("b"))
      assert.strictEqual((yield* refusal(service, "a")).code, "team_budget")
      yield* LlmService.complete(service, ask("c"))
      assert.deepStrictEqual([used("team", "t"), used("caller", "a"), used("caller", "c")], [10, 0, 0])
    })
  )
  it.effect("nothing stays set aside of those that had room when another had none", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup({
        k: { budgets: [budget("caller", "k", 100), budget("team", "t", 6)] },
        other: { budgets: [budget("team", "t", 6)] }
      })
      stub.reply({ delay: 10, usage: estimate(1, 4) })
      const first = yield* Effect.fork(LlmService.complete(service, ask("other")))
      yield* Effect.yieldNow()
      assert.deepStrictEqual(
        yield* Effect.map(refusal(service, "k"), ({ code, reason, retryAfter }) => [reason, code, retryAfter]),
        ["Rejected", "team_budget", 5_000]
      )
      assert.deepStrictEqual([used("caller", "k"), used("team", "t")], [0, 5])
      yield* TestClock.adjust(10)
      yield* Fiber.join(first)
    })
  )
  it.effect("a further attempt has to fit into each of them, or sets nothing aside", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(
        { k: { budgets: [budget("caller", "k", 100), budget("team", "t", 9)] } },
        { inside: beside }
      )
      stub.reply({ delay: 10, usage: estimate(1, 4) })
      const call = yield* Effect.fork(LlmService.complete(service, ask("k")))
      yield* Effect.yieldNow()
      assert.deepStrictEqual([used("caller", "k"), used("team", "t")], [5, 5])
      yield* TestClock.adjust(10)
      yield* Fiber.join(call)
      assert.strictEqual(stub.calls.length, 1)
      assert.deepStrictEqual([used("caller", "k"), used("team", "t")], [5, 5])
    })
  )
  it.effect("that change bind at once, and forget nothing that was spent", () =>
    Effect.gen(function* () {
      const { service, tell } = setup({ k: { budgets: [budget("caller", "k", 5)] } })
      yield* LlmService.complete(service, ask("k"))
      assert.strictEqual((yield* refusal(service, "k")).reason, "BudgetExceeded")
      tell("k", { budgets: [budget("caller", "k", 10)] })
      yield* LlmService.complete(service, ask("k"))
      assert.strictEqual((yield* refusal(service, "k")).reason, "BudgetExceeded")
    })
  )
  it.effect("stand beside that of the options; of the same window the smaller one counts, once", () =>
    Effect.gen(function* () {
      for (const [inOptions, told] of [
        [10, 100],
        [100, 10]
      ] as const) {
        const { service, used } = setup(
          { k: { budgets: [budget("caller", "k", told)] } },
          { budgets: { callers: { k: { limit: inOptions, window: "1 day" } } } }
        )
        yield* LlmService.complete(service, ask("k"))
        assert.strictEqual(used("caller", "k"), 5)
        yield* LlmService.complete(service, ask("k"))
        assert.include((yield* refusal(service, "k")).message, "10 USD")
      }
    })
  )
  it.effect("the budget for every caller is for those that have none of their own", () =>
    Effect.gen(function* () {
      const { service } = setup(
        { k: { budgets: [budget("caller", "k", 10)] }, member: { budgets: [budget("team", "t", 100)] } },
        { budgets: { everyCaller: { limit: 5, window: "1 day" } } }
      )
      for (const [caller, calls] of [
        ["k", 2],
        ["member", 1],
        ["somebody", 1]
      ] as const) {
        for (let i = 0; i < calls; i++) yield* LlmService.complete(service, ask(caller))
        assert.strictEqual((yield* refusal(service, caller)).code, "caller_budget")
      }
    })
  )
  it.effect("a sum at which a warning is due is told once per window, and refuses nothing", () =>
    Effect.gen(function* () {
      const { published, service } = setup({
        k: { budgets: [budget("caller", "k", Number.POSITIVE_INFINITY, { soft: 10 })] }
      })
      for (let i = 0; i < 4; i++) yield* LlmService.complete(service, ask("k"))
      const warning = { _tag: "BudgetNearlySpent", scope: "caller", key: "k", soft: 10 } as const
      assert.deepStrictEqual(published, [{ ...warning, at: 0 }])
      yield* TestClock.adjust(day)
      for (let i = 0; i < 3; i++) yield* LlmService.complete(service, ask("k"))
      assert.deepStrictEqual(published, [
        { ...warning, at: 0 },
        { ...warning, at: day }
      ])
    })
  )
  it.effect("reach the concerns of a tower from its context", () =>
    Effect.gen(function* () {
      const { attempts } = StubLlm.make({ usage: estimate(1, 4) })
      const { service } = yield* Router.make(
        {
          deployments: [{ id: "a", group: "m", model: "m", ...dollar }],
          callerBudget: {},
          callerLimits: {},
          retry: false
        },
        attempts
      )
      yield* LlmService.complete(service, ask("poor"))
      assert.strictEqual((yield* refusal(service, "poor")).code, "caller_budget")
      assert.strictEqual((yield* refusal(service, "busy")).code, "team_limit")
      yield* LlmService.complete(service, ask("somebody"))
    }).pipe(
      Effect.provideService(CallerTerms, {
        of: (caller) =>
          caller === "poor"
            ? { budgets: [budget("caller", "poor", 5)], limits: [] }
            : caller === "busy"
              ? { budgets: [], limits: [limit("team", "t", { rpm: 0 })] }
              : undefined
      }),
      Effect.scoped
    )
  )
})

describe("limits that terms tell of", () => {
  it.effect("of a key, its team and its user all bind, and nothing is used of those that had room", () =>
    Effect.gen(function* () {
      for (const scope of ["caller", "team", "user"] as const) {
        const of = (one: Limit["scope"]) => ({ rpm: one === scope ? 1 : 10, maxParallel: 5, tpm: 10_000 })
        const { service, uses } = setup({
          k: {
            limits: [limit("caller", "x", of("caller")), limit("team", "x", of("team")), limit("user", "x", of("user"))]
          }
        })
        yield* LlmService.complete(service, ask("k"))
        const error = yield* refusal(service, "k")
        assert.deepStrictEqual([error.reason, error.code, error.retryAfter], ["Rejected", `${scope}_limit`, 60_000])
        assert.include(error.message, `the ${scope}'s limit of 1 requests per minute`)
        for (const one of ["caller", "team", "user"] as const) {
          assert.deepStrictEqual(uses.window("x", 0, one).used(0), { requests: 1, tokens: 5, calls: 0 })
        }
      }
    })
  )
  it.effect("stand beside those of the options: of the same caller the smaller ones count, once", () =>
    Effect.gen(function* () {
      const { service, uses } = setup(
        { k: { limits: [limit("caller", "k", { rpm: 2 })] }, other: { limits: [limit("team", "t", { rpm: 9 })] } },
        { limits: { callers: { k: { rpm: 5, tpm: 1_000 } }, everyCaller: { rpm: 1 } } }
      )
      yield* LlmService.complete(service, ask("k"))
      assert.strictEqual(uses.window("k", 0).used(0).requests, 1)
      yield* LlmService.complete(service, ask("k"))
      assert.include((yield* refusal(service, "k")).message, "limit of 2 requests")
      yield* LlmService.complete(service, ask("other"))
      assert.include((yield* refusal(service, "other")).message, "the caller's limit of 1 requests")
      assert.strictEqual(uses.window("t", 0, "team").used(0).requests, 1)
    })
  )
})

/** Windows of somebody who has to be asked first. */
const asking = (wait: number, asked: Array<string>) => {
  const inner = SpendWindows.make()
  return {
    window: (scope: string, key: string, length: number, now: number): SpendWindows.SpendWindow => {
      const window: SpendWindows.SpendWindow & { prepare?: SpendWindows.SpendWindow["prepare"] } = inner.window(
        scope,
        key,
        length,
        now
      )
      return Object.assign(window, {
        prepare: (sum: number, of: number) => {
          asked.push(`${scope} ${sum} of ${of}`)
          return wait === 0 ? undefined : Effect.asVoid(Effect.sleep(wait))
        }
      })
    }
  }
}

describe("windows that ask somebody first", () => {
  it.effect("are waited for together before money is set aside, which then counts from its time", () =>
    Effect.gen(function* () {
      for (const wait of [0, 50]) {
        const asked: Array<string> = []
        const { service, stub, used } = setup(
          { k: { budgets: [budget("caller", "k", 100), budget("team", "t", 4)] } },
          { windows: asking(wait, asked) }
        )
        const call = yield* Effect.fork(Effect.either(LlmService.complete(service, ask("k"))))
        yield* Effect.yieldNow()
        assert.strictEqual(stub.calls.length, wait === 0 ? 1 : 0)
        yield* TestClock.adjust(50)
        assert.isTrue(Either.isRight(yield* Fiber.join(call)))
        assert.deepStrictEqual(asked, ["caller 5 of 100", "team 5 of 4"])
        assert.deepStrictEqual([used("caller", "k"), used("team", "t")], [5, 5])
        assert.strictEqual(
          (yield* Effect.zipLeft(Effect.fork(refusal(service, "k")), TestClock.adjust(50)).pipe(
            Effect.flatMap(Fiber.join)
          )).code,
          "team_budget"
        )
      }
    })
  )
  it.effect("are waited for before an attempt, too, and an attempt that finds no room fails as ever", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const prices = PriceBook.make()
      const registry = Effect.runSync(
        DeploymentRegistry.make({ deployments: [{ id: "a", group: "m", model: "m", ...dollar }] })
      )
      answering(registry.slots(), 4)
      const stub = StubLlm.make({ usage: estimate(1, 4) })
      const events = { publish: () => {}, isActive: () => false, stream: Stream.empty }
      const service = stub.attempts.pipe(
        Cost.make(prices),
        SpendLimits.make(
          { windows: asking(50, asked), prices, events },
          { providers: { openai: { limit: 5, window: "1 day" } } }
        ),
        Balancer.make({ registry, strategy: firstOpen, stats: DeploymentStats.make() })
      )
      const both = yield* Effect.fork(
        Effect.all(
          [
            Effect.either(LlmService.complete(service, ask("k"))),
            Effect.either(LlmService.complete(service, ask("k")))
          ],
          {
            concurrency: 2
          }
        )
      )
      yield* Effect.yieldNow()
      assert.strictEqual(stub.calls.length, 0)
      yield* TestClock.adjust(50)
      const ends = (yield* Fiber.join(both)).map((end) => (Either.isLeft(end) ? end.left.reason : "answered"))
      assert.deepStrictEqual(ends.sort(), ["NoDeployment", "answered"])
      assert.strictEqual(stub.calls.length, 1)
    })
  )
})
