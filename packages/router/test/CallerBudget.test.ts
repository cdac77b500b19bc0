import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Route from "@switchyard/core/Route"
import * as Service from "@switchyard/core/Service"
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
import { type Duration, Effect, Either, type Exit, Fiber, Layer, Stream, TestClock } from "effect"
import { forSeeds, VirtualTime } from "./support/schedules.js"
import { firstOpen } from "./support/tower.js"

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
  const attempts = more.withCost === false ? stub.attempts : stub.attempts.pipe(Cost.make(prices))
  const service = attempts.pipe(
    Balancer.make({ registry, strategy: firstOpen, stats: DeploymentStats.make() }),
    inside,
    CallerBudget.make({ windows, registry, prices, events }, options)
  )
  const used = (caller: string, now = 0, length = dayMs) => windows.window("caller", caller, length, now).used(now)
  return { stub, windows, published, service, used }
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
      const month = setup(alice(12, "30 days"), { windows })
      const { service } = setup(alice(6), { windows, inside: () => month.service })
      yield* LlmService.complete(service, ask())
      assert.include((yield* failure(service)).description, "6 USD")
      yield* TestClock.adjust(day)
      yield* LlmService.complete(service, ask())
      yield* TestClock.adjust(day)
      assert.include((yield* failure(service)).description, "12 USD")
      assert.strictEqual(month.stub.calls.length, 2)
    })
  )
  it.effect("calls in flight together cannot overspend; who does not fit is told so, with no time to wait for", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice(11))
      stub.reply({ delay: 100, usage: five })
      const fibers = yield* Effect.forEach([0, 1], () => Effect.fork(LlmService.complete(service, ask())))
      yield* Effect.yieldNow()
      const error = yield* failure(service)
      assert.deepStrictEqual([error.reason, error.retryAfter], ["BudgetExceeded", undefined])
      yield* TestClock.adjust(100)
      yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.strictEqual(used("alice", 100), 10)
    })
  )
  it.effect("the estimate is that of the group's dearest deployment, and gives way to the real cost", () =>
    Effect.gen(function* () {
      const members = [{ id: "cheap" }, { id: "dear", inputPrice: 2e6, outputPrice: 3e6 }]
      const { service, used } = setup(alice(14), { members })
      yield* LlmService.complete(service, ask("alice", 3))
      assert.strictEqual(used("alice"), 5)
      assert.strictEqual((yield* failure(service)).reason, "BudgetExceeded")
      yield* LlmService.complete(service, ask("alice", 2))
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
        stub.setStatus({ _tag: "Busy", reason: "rpm", until: 10 })
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
      const Live = CallerBudget.layer(wrong as unknown as CallerBudget.Options).pipe(
        Layer.provide(Layer.succeed(LlmService.LlmService, StubLlm.make().requests)),
        Layer.provide(DeploymentRegistry.layer({ deployments: [{ id: "a", group: "m", model: "m" }] })),
        Layer.provide(SpendWindows.layerMemory),
        Layer.provide(PriceBook.layerPublic)
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
  it("a caller spends at most the limit and what calls cost above their estimates; all is charged, nothing reserved", () => {
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
        if (now > limit + overshoot()) throw new Error(`${now} of ${limit}, overshoot ${overshoot()}`)
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
