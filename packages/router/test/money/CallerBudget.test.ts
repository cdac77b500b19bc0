import { assert, describe, it } from "@effect/vitest"
import { type DeploymentConfig, DeploymentId } from "@switchyard/core/Deployment"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Route from "@switchyard/core/Route"
import * as Service from "@switchyard/core/Service"
import { busy } from "@switchyard/core/Status"
import { estimate, total } from "@switchyard/core/Usage"
import * as Balancer from "@switchyard/router/Balancer"
import * as Cache from "@switchyard/router/Cache"
import * as CacheStore from "@switchyard/router/CacheStore"
import * as CallerBudget from "@switchyard/router/CallerBudget"
import * as Cost from "@switchyard/router/Cost"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as PriceBook from "@switchyard/router/PriceBook"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import * as SpendWindows from "@switchyard/router/SpendWindows"
import * as Contract from "@switchyard/testing/Contract"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { type Duration, Effect, Either, Exit, Fiber, Layer, Stream, TestClock } from "effect"
import { learnLength, likelyOutput } from "../../src/money/answerLengths.js"
import { forSeeds, VirtualTime } from "../support/schedules.js"
import { answering, firstOpen } from "../support/tower.js"

/** USD 1 per token, so that a request of one prompt token and four of output costs 5. */
const dollar = { inputPrice: 1e6, outputPrice: 1e6 }
const five = estimate(1, 4)
const day: Duration.DurationInput = "1 day"
const dayMs = 86_400_000

type Member = Partial<DeploymentConfig> & { readonly id: string }

const setup = (
  options: CallerBudget.Options,
  more: {
    readonly members?: ReadonlyArray<Member>
    readonly windows?: ReturnType<typeof SpendWindows.make>
    /** What is between the budget and the balancer. */
    readonly inside?: Service.RequestLayer
    readonly withCost?: boolean
    /** Output tokens that answers have had so far. Default 4. */
    readonly answers?: number
    /** How many there were. Default 50. */
    readonly times?: number
  } = {}
) => {
  const { inside = (next) => next, members = [{ id: "a" }, { id: "b" }], windows = SpendWindows.make() } = more
  const stub = StubLlm.make({ usage: five })
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
    DeploymentRegistry.make({
      deployments: members.map((member) => ({ group: "m", model: "m", ...dollar, ...member }))
    })
  )
  answering(registry.slots(), more.answers ?? 4, more.times)
  const attempts = more.withCost === false ? stub.attempts : stub.attempts.pipe(Cost.make(prices))
  const service = attempts.pipe(
    Balancer.make({ registry, strategy: firstOpen, stats: DeploymentStats.make() }),
    inside,
    CallerBudget.make({ windows, registry, prices, events }, options)
  )
  const used = (caller: string, now = 0, length = dayMs) => windows.window("caller", caller, length, now).used(now)
  return { stub, windows, published, registry, service, used }
}

const ask = (caller: string | undefined = "alice", maxTokens = 4) =>
  LlmRequest.chat(
    { model: "m", max_tokens: maxTokens, messages: [{ role: "user", content: "" }] },
    caller === undefined ? {} : { caller }
  )

const failure = (service: Service.RequestService, request = ask()): Effect.Effect<LlmError> =>
  Effect.orDie(Effect.flip(LlmService.complete(service, request)))

const alice = (limit: number, window: Duration.DurationInput = day) => ({ callers: { alice: { limit, window } } })

/** Asks again on another deployment after a failure. */
const retrying: Service.RequestLayer = (next) =>
  Service.request((request) =>
    Effect.catchAll(next.call(request), () => {
      const failed = request.route.journal.last?.deployment
      const route = failed === undefined ? request.route : Route.exclude(request.route, failed)
      return Effect.suspend(() => next.call({ ...request, route }))
    })
  )

/** Two attempts against each other; the slower one is ended before the answer is given. */
const racing: Service.RequestLayer = (next) =>
  Service.request((request) =>
    Effect.raceFirst(
      next.call(request),
      Effect.suspend(() => {
        const first = request.route.journal.last?.deployment
        const route = first === undefined ? request.route : Route.exclude(request.route, first)
        return next.call({ ...request, route })
      })
    )
  )

/** Two attempts, of which the first that answers counts. */
const beside: Service.RequestLayer = (next) =>
  Service.request((request) =>
    Effect.race(
      next.call(request),
      Effect.suspend(() => next.call({ ...request, route: Route.exclude(request.route, DeploymentId("a")) }))
    )
  )

/** The group `dear` after a failure. */
const fallingBack: Service.RequestLayer = (next) =>
  Service.request((request) =>
    Effect.catchAll(next.call(request), () => {
      request.route.journal.hop({ kind: "general", from: "m", to: "dear" })
      return Effect.suspend(() => next.call({ ...request, model: "dear" }))
    })
  )

const completed = (outputTokens: number): Outcome => ({
  _tag: "Completed",
  usage: estimate(1, outputTokens),
  timeToFirstToken: 0,
  duration: 0
})

describe("contract", () => {
  const layer = Effect.map(
    DeploymentRegistry.make({ deployments: [{ id: "a", group: "m", model: "m", ...dollar }] }),
    (registry): Service.RequestLayer =>
      (next) => {
        const deps = {
          registry,
          windows: SpendWindows.make(),
          prices: PriceBook.make(),
          events: { publish: () => {}, isActive: () => false, stream: Stream.empty }
        }
        const budget = CallerBudget.make(deps, { everyCaller: { limit: 1e9, window: day } })(next)
        return Service.request((request) => budget.call({ ...request, caller: "alice" }))
      }
  )
  for (const { check, name } of Contract.requestLayer(layer)) it.effect(name, () => check)
})

describe("a caller's budget", () => {
  it.effect("who has spent it is refused with the time to the end of the window, and nobody is called", () =>
    Effect.gen(function* () {
      const { service, stub } = setup(alice(10))
      yield* LlmService.complete(service, ask())
      yield* LlmService.complete(service, ask())
      yield* TestClock.adjust("1 hour")
      const error = yield* failure(service)
      assert.deepStrictEqual(
        [error.reason, error.httpStatus, error.httpCode, error.retry, error.fallback],
        ["BudgetExceeded", 429, "insufficient_quota", "never", "none"]
      )
      assert.strictEqual(error.retryAfter, dayMs - 3_600_000)
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.effect("a new window begins it anew", () =>
    Effect.gen(function* () {
      const { service } = setup(alice(5))
      yield* LlmService.complete(service, ask())
      yield* failure(service)
      yield* TestClock.adjust(day)
      yield* LlmService.complete(service, ask())
    })
  )
  it.effect(
    "each caller has a budget of its own; requests without a caller, and callers without a limit, have none",
    () =>
      Effect.gen(function* () {
        const { service, stub } = setup(alice(5))
        yield* LlmService.complete(service, ask())
        yield* failure(service)
        for (const caller of ["bob", undefined, "constructor"]) {
          yield* LlmService.complete(service, { ...ask(), caller })
          yield* LlmService.complete(service, { ...ask(), caller })
        }
        assert.strictEqual(stub.calls.length, 7)
      })
  )
  it.effect("the limit of every caller is for those who are not listed, each for itself", () =>
    Effect.gen(function* () {
      const { service } = setup({ ...alice(10), everyCaller: { limit: 5, window: day } })
      for (const caller of ["alice", "alice", "bob", "carol"]) yield* LlmService.complete(service, ask(caller))
      for (const caller of ["alice", "bob", "carol"]) yield* failure(service, ask(caller))
    })
  )
  it.effect("a budget per day and one per month stand side by side", () =>
    Effect.gen(function* () {
      const windows = SpendWindows.make()
      const month = setup(alice(10, "30 days"), { windows })
      const { service } = setup(alice(5), { windows, inside: () => month.service })
      yield* LlmService.complete(service, ask())
      assert.include((yield* failure(service)).description, "5 USD")
      yield* TestClock.adjust(day)
      yield* LlmService.complete(service, ask())
      yield* TestClock.adjust(day)
      assert.include((yield* failure(service)).description, "10 USD")
      assert.strictEqual(month.stub.calls.length, 2)
    })
  )
  it.effect("windows of the app's own, kept anywhere, are asked and told: plain objects will do", () =>
    Effect.gen(function* () {
      const settled: Array<number> = []
      const left = { calls: 1 }
      const window = (): SpendWindows.SpendWindow => ({
        length: dayMs,
        used: () => 3,
        resetsAt: () => undefined,
        isIdle: () => false,
        isHeld: false,
        fits: () => left.calls > 0,
        isSpent: () => left.calls === 0,
        freesIn: 1_000,
        tellOnce: () => true,
        reserve: () => {
          if (left.calls === 0) return undefined
          left.calls--
          return { covers: () => true, cover: () => true, settle: (cost) => settled.push(cost) }
        }
      })
      const { service } = setup(alice(5), { windows: { window } })
      yield* LlmService.complete(service, ask())
      assert.strictEqual((yield* failure(service)).code, "caller_budget")
      assert.deepStrictEqual(settled, [5])
    })
  )
  it.effect("calls in flight together cannot overspend; who does not fit may come back when they have ended", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice(11))
      stub.reply({ delay: 100, usage: five })
      const fibers = yield* Effect.forEach([0, 1], () => Effect.fork(LlmService.complete(service, ask())))
      yield* Effect.yieldNow()
      const error = yield* failure(service)
      assert.deepStrictEqual(
        [error.reason, error.httpStatus, error.code, error.retryAfter],
        ["Rejected", 429, "caller_budget", 2_500]
      )
      assert.include(error.description, "calls in flight hold what is left")
      yield* TestClock.adjust(100)
      yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.strictEqual(used("alice", 100), 10)
    })
  )
  it.effect("the estimate is that of the group's dearest deployment, and gives way to the real cost", () =>
    Effect.gen(function* () {
      const members = [{ id: "cheap" }, { id: "dear", inputPrice: 2e6, outputPrice: 3e6 }]
      const { service, stub, used } = setup(alice(30), { members })
      stub.reply({ delay: 100, usage: five })
      const first = yield* Effect.fork(LlmService.complete(service, ask()))
      yield* Effect.yieldNow()
      assert.strictEqual(used("alice"), 2 + 4 * 3)
      yield* TestClock.adjust(100)
      yield* Fiber.join(first)
      assert.strictEqual(used("alice", 100), 5)
    })
  )
  it.effect("two price books over one registry do not mix", () =>
    Effect.gen(function* () {
      const registry = yield* DeploymentRegistry.make({ deployments: [{ id: "a", group: "m", model: "m" }] })
      const stub = StubLlm.make()
      const budget = (price: number) =>
        CallerBudget.make(
          {
            registry,
            windows: SpendWindows.make(),
            prices: PriceBook.make({ m: { input: price, cachedInput: price, output: price } }),
            events: { publish: () => {}, isActive: () => false, stream: Stream.empty }
          },
          alice(6)
        )(stub.requests)
      stub.reply({ hang: true })
      const dear = budget(1e6)
      const cheap = budget(1)
      yield* Effect.fork(LlmService.complete(dear, ask()))
      yield* Effect.fork(LlmService.complete(cheap, ask()))
      yield* Effect.yieldNow()
      yield* failure(dear)
      const second = yield* Effect.fork(LlmService.complete(cheap, ask()))
      yield* Effect.yieldNow()
      assert.isTrue((yield* Fiber.poll(second))._tag === "None")
      assert.strictEqual(stub.calls.length, 3)
    })
  )
  it.effect("a reload with the same or another limit forgets nothing that was spent", () =>
    Effect.gen(function* () {
      const windows = SpendWindows.make()
      yield* LlmService.complete(setup(alice(10), { windows }).service, ask())
      const reloaded = setup(alice(10), { windows })
      yield* LlmService.complete(reloaded.service, ask())
      yield* failure(reloaded.service)
      const raised = setup(alice(15), { windows })
      yield* LlmService.complete(raised.service, ask())
      yield* failure(raised.service)
    })
  )
  it.effect("a budget of 0 lets nothing through and promises nothing", () =>
    Effect.gen(function* () {
      const { service } = setup(alice(0))
      const error = yield* failure(service)
      assert.deepStrictEqual([error.reason, error.retryAfter], ["BudgetExceeded", undefined])
    })
  )
  it.effect("an exhausted budget is told once per window", () =>
    Effect.gen(function* () {
      const { published, service } = setup(alice(5))
      for (let round = 0; round < 2; round++) {
        yield* LlmService.complete(service, ask())
        for (let i = 0; i < 3; i++) yield* failure(service)
        yield* TestClock.adjust(day)
      }
      assert.deepStrictEqual(published, [
        { _tag: "BudgetExhausted", at: 0, scope: "caller", key: "alice" },
        { _tag: "BudgetExhausted", at: dayMs, scope: "caller", key: "alice" }
      ])
    })
  )
})

describe("what is set aside", () => {
  const held = (
    request: LlmRequest.LlmRequest,
    more: { readonly members?: ReadonlyArray<Member>; readonly answers?: number; readonly times?: number } = {}
  ) =>
    Effect.gen(function* () {
      const { members = [{ id: "a" }], answers = 0, times = 0 } = more
      const { registry, service, stub, used } = setup(alice(1e9), { members, answers: 0, times: 0 })
      answering(registry.slots(), answers, times)
      stub.reply({ hang: true })
      const fiber = yield* Effect.fork(LlmService.complete(service, request))
      yield* Effect.yieldNow()
      const amount = used("alice") - 1
      yield* Fiber.interrupt(fiber)
      return amount
    })
  const asking = (body: Readonly<Record<string, unknown>>) =>
    LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "" }], ...body }, { caller: "alice" })

  it.effect("is 4,096 output tokens, or the model's most, until a deployment has given 50 answers", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* held(asking({})), 4096)
      assert.strictEqual(yield* held(asking({}), { answers: 10, times: 49 }), 4096)
      assert.strictEqual(yield* held(asking({}), { answers: 10, times: 50 }), 10)
      const members = [{ id: "a", provider: "openrouter", model: "cohere/command-r-08-2024" }]
      assert.strictEqual(yield* held(asking({}), { members }), 4000)
    })
  )
  const bounds: ReadonlyArray<readonly [body: Readonly<Record<string, unknown>>, tokens: number]> = [
    [{ max_tokens: 1 }, 10],
    [{ max_completion_tokens: 1, max_tokens: 400 }, 400],
    [{ max_completion_tokens: 400, max_tokens: 1 }, 400],
    [{ max_tokens: "400" }, 400],
    [{ max_tokens: -1, max_output_tokens: 30 }, 30],
    [{ max_tokens: null, n: 3 }, 30],
    [{ max_tokens: 20, n: 3 }, 60],
    [{ max_tokens: 1, options: { num_predict: 99 } }, 99],
    [{ max_tokens: 1, reasoning: { max_tokens: 77 } }, 77],
    [{ max_tokens: 1e300 }, 1e8]
  ]
  for (const [body, tokens] of bounds) {
    it.effect(`is the larger of all bounds and of what answers have been: ${JSON.stringify(body)}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* held(asking(body), { answers: 10, times: 50 }), tokens)
      })
    )
  }
  it.effect("is what a deployment adds to the request, too", () =>
    Effect.gen(function* () {
      const members = [{ id: "a", defaults: { max_tokens: 5_000, n: 2 } }]
      assert.strictEqual(yield* held(asking({}), { members }), 10_000)
    })
  )
  it.effect("goes by answers that no bound has cut short where the request has none", () =>
    Effect.gen(function* () {
      const { registry, service, stub, used } = setup(alice(1e9), { answers: 900 })
      stub.reply({ usage: estimate(1, 4) })
      for (let i = 0; i < 6_000; i++) {
        for (const slot of registry.slots()) learnLength(slot, ask(), completed(4), 0)
      }
      stub.reply({ hang: true })
      const holding = (request: LlmRequest.LlmRequest) =>
        Effect.gen(function* () {
          const before = used("alice")
          const fiber = yield* Effect.fork(LlmService.complete(service, request))
          yield* Effect.yieldNow()
          const amount = used("alice") - before - 1
          yield* Fiber.interrupt(fiber)
          return amount
        })
      assert.isBelow(yield* holding(asking({ max_tokens: 1 })), 5)
      assert.isAbove(yield* holding(asking({})), 850)
    })
  )
  it.effect("outlives a reload with the deployment", () =>
    Effect.gen(function* () {
      const { registry } = setup(alice(1e9), { answers: 7 })
      yield* registry.replace({ deployments: [{ id: "a", group: "m", model: "m", ...dollar, weight: 3 }] })
      const slot = registry.slot("a") ?? assert.fail("no slot")
      assert.strictEqual(likelyOutput(asking({}), slot, "m", 0), 7)
    })
  )
  it.effect("the only call in flight is let in while anything is left, and nobody beside it", () =>
    Effect.gen(function* () {
      const { service, stub } = setup(alice(6), { answers: 4_000 })
      yield* LlmService.complete(service, ask())
      stub.reply({ delay: 100, usage: five })
      const only = yield* Effect.fork(LlmService.complete(service, ask()))
      yield* Effect.yieldNow()
      assert.strictEqual((yield* failure(service)).reason, "Rejected")
      yield* TestClock.adjust(100)
      yield* Fiber.join(only)
      assert.strictEqual((yield* failure(service)).reason, "BudgetExceeded")
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  for (const [what, body] of [
    ["that name no bound", {}],
    ["whose bound the provider ignores", { max_tokens: 1 }],
    ["with two bounds, of which the provider goes by the larger", { max_completion_tokens: 1, max_tokens: 4_000 }]
  ] as const) {
    it.effect(`200 calls at once ${what} spend at most 1.25 of the budget, and one call`, () =>
      Effect.gen(function* () {
        const prices = { inputPrice: 10, outputPrice: 40 }
        for (const answers of [0, 4_000]) {
          const { service, stub, used } = setup(alice(1), {
            members: [{ id: "a", ...prices }],
            answers,
            times: answers === 0 ? 0 : 60
          })
          stub.reply({ delay: 300, usage: estimate(10, 4_000) })
          const calls = yield* Effect.forEach(Array.from({ length: 200 }), () =>
            Effect.fork(Effect.exit(LlmService.complete(service, asking(body))))
          )
          yield* TestClock.adjust(300)
          yield* Effect.forEach(calls, (fiber) => Fiber.join(fiber))
          for (let i = 0; i < 3; i++) {
            const next = yield* Effect.fork(Effect.exit(LlmService.complete(service, asking(body))))
            yield* TestClock.adjust(300)
            yield* Fiber.join(next)
          }
          const now = answers === 0 ? 1_200 : 2_400
          assert.isAtMost(used("alice", now), 1.25 + 0.17)
          assert.isAtLeast(used("alice", now), 1)
          assert.isAtLeast(stub.calls.length, 7)
        }
      })
    )
  }
})

describe("further attempts of a call", () => {
  it.effect("are covered: a second one beside the first is not made where it does not fit", () =>
    Effect.gen(function* () {
      for (const [limit, calls] of [
        [9, 1],
        [10, 2]
      ] as const) {
        const { service, stub, used } = setup(alice(limit), { inside: beside })
        stub.reply(({ index }) => ({ delay: 100 - index, usage: five }))
        const fiber = yield* Effect.fork(Effect.exit(LlmService.complete(service, ask())))
        yield* TestClock.adjust(1)
        assert.strictEqual(stub.calls.length, calls)
        assert.strictEqual(used("alice", 1), 5 * calls)
        yield* Fiber.interrupt(fiber)
      }
    })
  )
  it.effect("are made after one that has cost nothing, whatever is left", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice(5), { inside: retrying })
      stub.reply(({ index }) =>
        index === 0 ? { fail: { reason: "Unavailable", description: "503", status: 503 } } : { usage: five }
      )
      yield* LlmService.complete(service, ask())
      assert.strictEqual(used("alice"), 5)
    })
  )
  it.effect("in a dearer group are covered at its price, and others are refused meanwhile", () =>
    Effect.gen(function* () {
      const members = [{ id: "a" }, { id: "dear", group: "dear", inputPrice: 5e6, outputPrice: 5e6 }]
      const { registry, service, stub, used } = setup(alice(40), { members, inside: fallingBack })
      assert.strictEqual(registry.groups().length, 2)
      stub.reply(({ deployment }) =>
        deployment === "a"
          ? { fail: { reason: "Unavailable", description: "503", status: 503 } }
          : { delay: 100, usage: five }
      )
      const first = yield* Effect.fork(LlmService.complete(service, ask()))
      yield* Effect.yieldNow()
      assert.strictEqual(used("alice"), 25)
      const second = yield* Effect.fork(Effect.exit(LlmService.complete(service, ask())))
      yield* TestClock.adjust(100)
      yield* Fiber.join(first)
      const exit = yield* Fiber.join(second)
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(
        stub.calls.map(({ deployment }) => deployment),
        ["a", "dear", "a"]
      )
      assert.strictEqual(used("alice", 100), 25)
    })
  )
})

describe("what a caller is charged", () => {
  it.effect("attempts that failed on the way to the answer", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice(1_000), { inside: retrying })
      stub.reply(({ deployment }) =>
        deployment === "a" ? { fail: { reason: "Timeout", phase: "total", description: "late" } } : { usage: five }
      )
      yield* LlmService.complete(service, ask())
      assert.strictEqual(stub.calls.length, 2)
      assert.strictEqual(used("alice"), 1 + 5)
    })
  )
  it.effect("the loser of a hedge", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice(1_000), { inside: racing })
      stub.reply(({ index }) => (index === 0 ? { hang: true } : { delay: 10, usage: five }))
      const fiber = yield* Effect.fork(LlmService.complete(service, ask()))
      yield* TestClock.adjust(10)
      yield* Fiber.join(fiber)
      assert.strictEqual(stub.calls.length, 2)
      assert.strictEqual(used("alice", 10), 1 + 5)
    })
  )
  it.effect("a plain call that was abandoned, by its prompt; a stream, by what had come", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice(1_000))
      stub.reply({ hang: true })
      const fiber = yield* Effect.fork(LlmService.complete(service, ask()))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(used("alice"), 1)
      stub.reply({ chunks: ["four", "more"], gap: 10, usage: five })
      yield* Stream.runDrain(Stream.take(LlmService.stream(service, ask()), 2))
      assert.strictEqual(used("alice"), 1 + 2)
    })
  )
  it.effect("a stream at its end, and until then its estimate", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice(1_000))
      stub.reply({ chunks: ["a", "b"], gap: 100, usage: estimate(1, 2) })
      const fiber = yield* Effect.fork(Stream.runDrain(LlmService.stream(service, ask())))
      yield* TestClock.adjust(50)
      assert.strictEqual(used("alice", 50), 5)
      yield* TestClock.adjust(50)
      yield* Fiber.join(fiber)
      assert.strictEqual(used("alice", 100), 3)
    })
  )
  it.effect(
    "nothing for an error that the provider answered with, or for a request that no deployment could take",
    () =>
      Effect.gen(function* () {
        const { service, stub, used } = setup(alice(1_000))
        stub.reply({ fail: { reason: "RateLimited", description: "429" } })
        yield* failure(service)
        stub.setStatus(busy("rpm", 10))
        yield* failure(service)
        assert.strictEqual(used("alice"), 0)
      })
  )
  it.effect("usage is charged at the price also where no Cost layer wrote it down", () =>
    Effect.gen(function* () {
      const { service, used } = setup(alice(1_000), { withCost: false })
      yield* LlmService.complete(service, ask())
      assert.strictEqual(used("alice"), 5)
    })
  )
  it.scoped("a cache hit costs no budget, and an exhausted one does not stop it", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice(5))
      const cached = service.pipe(Cache.make({ store: CacheStore.make(), scope: yield* Effect.scope }))
      for (let i = 0; i < 5; i++) yield* LlmService.complete(cached, ask())
      assert.strictEqual(stub.calls.length, 1)
      assert.strictEqual(used("alice"), 5)
      assert.strictEqual((yield* failure(cached, ask("alice", 3))).reason, "BudgetExceeded")
    })
  )
  it.scoped("requests that share one call in flight are charged once", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice(1_000))
      const cached = service.pipe(Cache.make({ store: CacheStore.make(), scope: yield* Effect.scope }))
      stub.reply({ delay: 10, usage: five })
      const fibers = yield* Effect.forEach([0, 1, 2], () => Effect.fork(LlmService.complete(cached, ask())))
      yield* TestClock.adjust(10)
      yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.strictEqual(used("alice", 10), 5)
    })
  )
})

describe("the layer", () => {
  it.effect("says everything that is wrong with its options", () =>
    Effect.gen(function* () {
      const wrong = { callers: { alice: { limit: Number.NaN, window: "soon" } }, everyone: {} }
      const Live = CallerBudget.layerWith(wrong as unknown as CallerBudget.Options).pipe(
        Layer.provide(Layer.succeed(LlmService.LlmService, StubLlm.make().requests)),
        Layer.provide(DeploymentRegistry.layer({ deployments: [{ id: "a", group: "m", model: "m" }] })),
        Layer.provide(SpendWindows.layerMemory),
        Layer.provide(PriceBook.layer)
      )
      const built = yield* Effect.either(Effect.scoped(Layer.build(Live)))
      assert.deepStrictEqual(Either.isLeft(built) ? built.left.issues.map((found) => found.path).sort() : [], [
        "callerBudget.callers.alice.limit",
        "callerBudget.callers.alice.window",
        "callerBudget.everyone"
      ])
    })
  )
})

describe("any schedule", () => {
  it("a caller spends at most the limit, one call, and what calls cost above their estimates; all is charged, nothing reserved", () => {
    forSeeds(1_500, (dice) => {
      const time = new VirtualTime(dice.pick([2048, 19, 23, 31]))
      const limit = dice.int(5, 40)
      // One long window, or short ones that roll while calls are in flight.
      const length = dice.pick([1e9, dice.int(50, 400)])
      const { service, stub, used } = setup(alice(limit, length), { inside: dice.pick([retrying, (next) => next]) })
      stub.reply(() => {
        const delay = dice.pick([0, 1, 20, 100])
        const usage = estimate(1, dice.int(0, 8))
        return dice.pick<StubLlm.Reply>([
          { delay, usage },
          { delay, usage },
          { delay, fail: { reason: "RateLimited", description: "429" } },
          { chunks: ["one ", "two ", "three"], gap: dice.int(1, 60), usage }
        ])
      })
      const overshoot = () =>
        stub.outcomes.reduce((sum, { usage }) => sum + (usage === undefined ? 0 : Math.max(0, total(usage) - 5)), 0)
      const check = () => {
        const now = used("alice", time.now, length)
        // The last call is let in while anything is left.
        if (now > limit + 5 + overshoot()) throw new Error(`${now} of ${limit}, overshoot ${overshoot()}`)
      }
      const impatience = dice.pick([0, 0.3])
      let interrupted = 0
      const fibers: Array<Fiber.RuntimeFiber<Exit.Exit<unknown, LlmError>>> = []
      for (let i = 0; i < 15; i++) {
        const call: Effect.Effect<unknown, LlmError> = dice.chance(0.5)
          ? Stream.runDrain(LlmService.stream(service, ask()))
          : LlmService.complete(service, ask())
        fibers.push(time.fork(Effect.exit(call)))
        time.flush(dice.int(0, 60))
        if (dice.chance(impatience)) {
          time.interrupt(dice.pick([fibers[0] ?? assert.fail(), ...fibers]))
          interrupted++
        }
        if (dice.chance(0.6)) time.advance(time.now + dice.int(0, 150), check)
        check()
      }
      time.advance(time.now + 1_000, check)
      if (stub.inFlight() !== 0) throw new Error(`${stub.inFlight()} calls in flight`)
      if (length === 1e9) {
        let known = 0
        for (const { _tag, usage } of stub.outcomes) {
          known += usage !== undefined ? total(usage) : _tag === "Abandoned" ? 1 : 0
        }
        // An interruption may fall between two layers: before the provider was asked, or after it had answered (9 at most).
        const charged = used("alice", time.now, length)
        if (charged < known - 8 * interrupted || charged > known + interrupted) {
          throw new Error(`${charged} charged, ${known} used, ${interrupted} interrupted`)
        }
      }
      time.advance(time.now + 2 * length)
      if (used("alice", time.now, length) !== 0) throw new Error("something is left in a new window")
    })
  })
})
