import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import type { RequestService } from "@switchyard/core/Service"
import { busy, closed } from "@switchyard/core/Status"
import { estimate, total } from "@switchyard/core/Usage"
import * as Balancer from "@switchyard/router/Balancer"
import * as Cost from "@switchyard/router/Cost"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as Fallback from "@switchyard/router/Fallback"
import * as PriceBook from "@switchyard/router/PriceBook"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import * as SpendLimits from "@switchyard/router/SpendLimits"
import * as SpendWindows from "@switchyard/router/SpendWindows"
import * as Contract from "@switchyard/testing/Contract"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { type Duration, Effect, Either, Exit, Fiber, Layer, Stream, TestClock } from "effect"
import { forSeeds, VirtualTime } from "../support/schedules.js"
import { answering, firstOpen } from "../support/tower.js"

/** USD 1 per token, so that a request of one prompt token and four of output costs 5. */
const dollar = { inputPrice: 1e6, outputPrice: 1e6 }
const five = estimate(1, 4)
const day: Duration.DurationInput = "1 day"

type Member = Partial<DeploymentConfig> & { readonly id: string }

const setup = (members: ReadonlyArray<Member>, options: SpendLimits.Options, windows = SpendWindows.make()) => {
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
  answering(registry.slots(), 4)
  const attempts = stub.attempts.pipe(Cost.make(prices), SpendLimits.make({ windows, prices, events }, options))
  const service = Balancer.make({ registry, strategy: firstOpen, stats: DeploymentStats.make() })(attempts)
  return {
    stub,
    windows,
    published,
    registry,
    attempts,
    service,
    used: () => stub.calls.map((call) => call.deployment)
  }
}

const chat = (options: LlmRequest.RequestOptions = {}, maxTokens = 4, model = "m") =>
  LlmRequest.chat({ model, max_tokens: maxTokens, messages: [{ role: "user", content: "" }] }, options)

const failure = (service: RequestService, request = chat()): Effect.Effect<LlmError> =>
  Effect.orDie(Effect.flip(LlmService.complete(service, request)))

const blocks = (error: LlmError) => error.blocked?.map(({ deployment, reason }) => `${deployment}:${reason}`)

const spentOn = (windows: ReturnType<typeof SpendWindows.make>, scope: string, key: string, now = 0) =>
  windows.window(scope, key, 86_400_000, now).used(now)

describe("contract", () => {
  const deps = () => ({
    windows: SpendWindows.make(),
    prices: PriceBook.make(),
    events: { publish: () => {}, isActive: () => false, stream: Stream.empty }
  })
  const layer = Effect.sync(() => SpendLimits.make(deps(), { deployments: { contract: { limit: 1e9, window: day } } }))
  for (const { check, name } of Contract.attemptLayer(layer, { deployment: dollar })) it.effect(name, () => check)
})

describe("exhausted", () => {
  const both = [
    { id: "a", provider: "azure", tags: ["paid"] },
    { id: "b", provider: "groq" }
  ]
  const scopes: ReadonlyArray<readonly [what: string, options: SpendLimits.Options]> = [
    ["a deployment", { deployments: { a: { limit: 10, window: day } } }],
    ["a provider", { providers: { azure: { limit: 10, window: day } } }],
    ["a tag", { tags: { paid: { limit: 10, window: day } } }]
  ]
  for (const [what, options] of scopes) {
    it.effect(`${what} that has spent its limit is passed over, and a new window resets it`, () =>
      Effect.gen(function* () {
        const { service, used } = setup(both, options)
        for (let i = 0; i < 4; i++) yield* LlmService.complete(service, chat())
        assert.deepStrictEqual(used().join(""), "aabb")
        yield* TestClock.adjust(day)
        yield* LlmService.complete(service, chat())
        assert.deepStrictEqual(used().join(""), "aabba")
      })
    )
  }
  it.effect("one limit in all is drawn on by every deployment, and asks nobody more when it is used up", () =>
    Effect.gen(function* () {
      const { published, service, stub, windows } = setup(both, { total: { limit: 10, window: day } })
      yield* LlmService.complete(service, chat())
      yield* LlmService.complete(service, chat())
      const error = yield* failure(service)
      assert.deepStrictEqual([error.reason, error.httpStatus, error.retryAfter], ["NoDeployment", 429, 86_400_000])
      assert.deepStrictEqual(blocks(error), ["a:spend", "b:spend"])
      assert.strictEqual(spentOn(windows, "total", "all"), 10)
      assert.deepInclude(published[0], { _tag: "BudgetExhausted", scope: "total", key: "all" })
      yield* TestClock.adjust(day)
      yield* LlmService.complete(service, chat())
      assert.strictEqual(stub.calls.length, 3)
    })
  )
  it.effect("all of them exhausted is NoDeployment, every block is spend, and says when the window ends", () =>
    Effect.gen(function* () {
      const { service, stub } = setup(both, {
        providers: { azure: { limit: 5, window: day }, groq: { limit: 5, window: "1 hour" } }
      })
      yield* LlmService.complete(service, chat())
      yield* TestClock.adjust("10 minutes")
      yield* LlmService.complete(service, chat())
      const error = yield* failure(service)
      assert.strictEqual(error.reason, "NoDeployment")
      assert.deepStrictEqual(blocks(error), ["a:spend", "b:spend"])
      assert.strictEqual(error.retryAfter, 3_600_000)
      assert.strictEqual(error.httpStatus, 429)
      assert.strictEqual(stub.calls.length, 2)
    })
  )
  it.effect("an exhausted group leads to its fallback", () =>
    Effect.gen(function* () {
      const { registry, service, used } = setup([{ id: "a" }, { id: "z", group: "other" }], {
        deployments: { a: { limit: 5, window: day } }
      })
      const chains = { rateLimit: { m: ["other"] } }
      const events = { publish: () => {}, isActive: () => false, stream: Stream.empty }
      const tower = service.pipe(Fallback.make({ registry, events }, { chains }))
      yield* LlmService.complete(tower, chat())
      const answer = yield* LlmService.complete(tower, chat())
      assert.strictEqual(used().join(""), "az")
      assert.strictEqual(answer.journal.report().fallbackKind, "rateLimit")
    })
  )
  it.effect("a deployment with too little left is passed over while it answers a call, and takes one by one", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(both, { deployments: { a: { limit: 8, window: day } } })
      yield* LlmService.complete(service, chat())
      stub.reply({ delay: 100, usage: estimate(1, 1) })
      const fibers = yield* Effect.forEach([0, 1], () =>
        Effect.zipLeft(Effect.fork(LlmService.complete(service, chat())), Effect.yieldNow())
      )
      yield* TestClock.adjust(100)
      yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.strictEqual(used().join(""), "aab")
      stub.reply({ usage: five })
      yield* LlmService.complete(service, chat())
      yield* LlmService.complete(service, chat())
      assert.strictEqual(used().join(""), "aabab")
    })
  )
  it.effect("deployments of one provider, and bearers of one tag, spend the same money", () =>
    Effect.gen(function* () {
      const { service } = setup(
        [
          { id: "a", provider: "azure", order: 1 },
          { id: "b", provider: "azure", order: 2 }
        ],
        { providers: { azure: { limit: 5, window: day } } }
      )
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(blocks(yield* failure(service)), ["a:spend", "b:spend"])
    })
  )
  it.effect("a tag of the request has a limit of its own, whatever serves it", () =>
    Effect.gen(function* () {
      const { service, used } = setup([{ id: "a", tags: ["default"] }], {
        requestTags: { team: { limit: 10, window: day } }
      })
      const team = () => chat({ tags: ["team", "team", "other"] })
      yield* LlmService.complete(service, team())
      yield* LlmService.complete(service, team())
      assert.deepStrictEqual(blocks(yield* failure(service, team())), ["a:spend"])
      yield* LlmService.complete(service, chat())
      assert.strictEqual(used().join(""), "aaa")
    })
  )
  it.effect("a name that every object knows is no limit", () =>
    Effect.gen(function* () {
      const { service } = setup([{ id: "constructor", tags: ["toString"], provider: "valueOf" }], {
        deployments: {},
        tags: {},
        providers: {}
      })
      yield* LlmService.complete(service, chat({ tags: ["toString"] }))
    })
  )
  it.effect("a limit of 0 closes a deployment; one that is not named has none", () =>
    Effect.gen(function* () {
      const { service, used } = setup(both, { deployments: { a: { limit: 0, window: day } } })
      for (let i = 0; i < 5; i++) yield* LlmService.complete(service, chat())
      assert.strictEqual(used().join(""), "bbbbb")
    })
  )
})

describe("reservations", () => {
  it.effect(
    "calls in flight hold what they may cost: who does not fit goes elsewhere, and fits when they have ended",
    () =>
      Effect.gen(function* () {
        const { service, stub, used } = setup([{ id: "a" }, { id: "b" }], {
          deployments: { a: { limit: 12, window: day } }
        })
        stub.reply({ delay: 100, usage: estimate(1, 0) })
        const fibers = yield* Effect.forEach([0, 1, 2], () =>
          Effect.zipLeft(Effect.fork(LlmService.complete(service, chat())), Effect.yieldNow())
        )
        yield* TestClock.adjust(100)
        yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
        assert.strictEqual(used().join(""), "aab")
        const last = yield* Effect.fork(LlmService.complete(service, chat()))
        yield* TestClock.adjust(100)
        yield* Fiber.join(last)
        assert.strictEqual(used().join(""), "aaba")
      })
  )
  it.effect("blocked by calls in flight alone, nobody knows until when", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a" }], { deployments: { a: { limit: 5, window: day } } })
      stub.reply({ hang: true })
      yield* Effect.fork(LlmService.complete(service, chat()))
      yield* Effect.yieldNow()
      const error = yield* failure(service)
      assert.deepStrictEqual(blocks(error), ["a:spend"])
      assert.isUndefined(error.retryAfter)
    })
  )
  it.effect("who loses the race is rejected before anything is sent, and what it had reserved comes back", () =>
    Effect.gen(function* () {
      const windows = SpendWindows.make()
      const { attempts, registry, stub } = setup(
        [{ id: "a", tags: ["t"] }],
        { deployments: { a: { limit: 100, window: day } }, tags: { t: { limit: 5, window: day } } },
        windows
      )
      const slot = registry.slot("a") ?? assert.fail("no slot")
      stub.reply({ hang: true })
      const winner = yield* Effect.fork(attempts.call(StubLlm.attempt(chat(), slot)))
      yield* Effect.yieldNow()
      assert.strictEqual(spentOn(windows, "deployment", "a"), 5)
      const error = yield* Effect.flip(attempts.call(StubLlm.attempt(chat(), slot)))
      assert.deepStrictEqual([error.reason, error.deployment, error.code], ["Rejected", "a", "spend"])
      assert.strictEqual(stub.calls.length, 1)
      assert.strictEqual(spentOn(windows, "deployment", "a"), 5)
      yield* Fiber.interrupt(winner)
    })
  )
  it.effect("a reload with another limit forgets nothing that was spent", () =>
    Effect.gen(function* () {
      const windows = SpendWindows.make()
      const before = setup([{ id: "a" }], { deployments: { a: { limit: 20, window: day } } }, windows)
      yield* LlmService.complete(before.service, chat())
      yield* LlmService.complete(before.service, chat())
      const lower = setup([{ id: "a" }], { deployments: { a: { limit: 10, window: day } } }, windows)
      assert.deepStrictEqual(blocks(yield* failure(lower.service)), ["a:spend"])
      const same = setup([{ id: "a" }], { deployments: { a: { limit: 20, window: day } } }, windows)
      yield* LlmService.complete(same.service, chat())
      yield* LlmService.complete(same.service, chat())
      assert.deepStrictEqual(blocks(yield* failure(same.service)), ["a:spend"])
    })
  )
})

describe("what is charged", () => {
  const limits = { deployments: { a: { limit: 1_000, window: day } } }

  it.effect("an attempt that failed is charged for what it used, and not for what it did not", () =>
    Effect.gen(function* () {
      const { service, stub, windows } = setup([{ id: "a" }], limits)
      stub.reply({ fail: { reason: "Unavailable", description: "500", status: 500 } })
      yield* failure(service)
      assert.strictEqual(spentOn(windows, "deployment", "a"), 0)
      stub.reply({ chunks: ["four"], failAfter: 1, fail: { reason: "Unavailable", description: "reset" } })
      yield* Effect.ignore(Stream.runDrain(LlmService.stream(service, chat())))
      assert.strictEqual(spentOn(windows, "deployment", "a"), 2)
    })
  )
  it.effect(
    "an attempt that timed out while the provider worked is charged its prompt; one that never connected is not",
    () =>
      Effect.gen(function* () {
        const { service, stub, windows } = setup([{ id: "a" }], limits)
        stub.reply({ fail: { reason: "Timeout", phase: "connect", description: "late" } })
        yield* failure(service)
        assert.strictEqual(spentOn(windows, "deployment", "a"), 0)
        stub.reply({ fail: { reason: "Timeout", phase: "total", description: "late" } })
        yield* failure(service)
        assert.strictEqual(spentOn(windows, "deployment", "a"), 1)
      })
  )
  it.effect("a plain call that its caller left is charged its prompt", () =>
    Effect.gen(function* () {
      const { service, stub, windows } = setup([{ id: "a" }], limits)
      stub.reply({ hang: true })
      const fiber = yield* Effect.fork(LlmService.complete(service, chat()))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(spentOn(windows, "deployment", "a"), 1)
    })
  )
  it.effect("a stream that its caller left is charged what had come", () =>
    Effect.gen(function* () {
      const { service, stub, windows } = setup([{ id: "a" }], limits)
      stub.reply({ chunks: ["four", "more", "text"], gap: 10, usage: five })
      yield* Stream.runDrain(Stream.take(LlmService.stream(service, chat()), 2))
      assert.strictEqual(spentOn(windows, "deployment", "a"), 2)
    })
  )
  it.effect("an answer dearer than thought blocks until the window ends", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a" }], { deployments: { a: { limit: 10, window: day } } })
      stub.reply({ usage: estimate(1, 30) })
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(blocks(yield* failure(service)), ["a:spend"])
    })
  )
  it.effect("each of several choices, and no output of embeddings, is in the estimate", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a" }], { deployments: { a: { limit: 23, window: day } } })
      const body = { model: "m", max_tokens: 4, messages: [{ role: "user", content: "" }] }
      stub.reply({ usage: estimate(8, 0) })
      yield* LlmService.complete(service, LlmRequest.embeddings({ model: "m", input: "x".repeat(32) }))
      stub.reply({ hang: true })
      yield* Effect.fork(LlmService.complete(service, chat()))
      yield* Effect.yieldNow()
      stub.reply({ usage: five })
      assert.deepStrictEqual(blocks(yield* failure(service, LlmRequest.chat({ ...body, n: 3 }))), ["a:spend"])
      yield* LlmService.complete(service, LlmRequest.chat({ ...body, n: 2 }))
    })
  )
  it.effect("a model without a known price is not held to any limit", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const deps = {
        windows: SpendWindows.make(),
        prices: PriceBook.make({}),
        events: { publish: () => {}, isActive: () => false, stream: Stream.empty }
      }
      const attempts = stub.attempts.pipe(SpendLimits.make(deps, { deployments: { a: { limit: 1, window: day } } }))
      for (let i = 0; i < 5; i++) yield* attempts.call(StubLlm.attempt(chat(), StubLlm.slot("a")))
      assert.strictEqual(stub.calls.length, 5)
    })
  )
})

describe("status and events", () => {
  it.effect("the inner service's worse status wins", () =>
    Effect.gen(function* () {
      const { attempts, registry, service, stub } = setup([{ id: "a" }], {
        deployments: { a: { limit: 5, window: day } }
      })
      const slot = registry.slot("a") ?? assert.fail("no slot")
      stub.setStatus(busy("rpm", 10))
      assert.deepStrictEqual(attempts.status(slot, chat(), 0), busy("rpm", 10))
      stub.setStatus(() => ({ _tag: "Open" }))
      yield* LlmService.complete(service, chat())
      assert.deepStrictEqual(attempts.status(slot, chat(), 0), busy("spend", 86_400_000))
      stub.setStatus(closed("cooldown", 5))
      assert.deepStrictEqual(attempts.status(slot, chat(), 0), closed("cooldown", 5))
    })
  )
  it.effect("reading a status makes no new one while nothing changes", () =>
    Effect.gen(function* () {
      const { attempts, registry, service } = setup([{ id: "a" }], { deployments: { a: { limit: 5, window: day } } })
      const slot = registry.slot("a") ?? assert.fail("no slot")
      yield* LlmService.complete(service, chat())
      assert.strictEqual(attempts.status(slot, chat(), 1), attempts.status(slot, chat(), 2))
    })
  )
  it.effect("an exhausted limit is told once per window, by its own name", () =>
    Effect.gen(function* () {
      const { published, service } = setup([{ id: "a", provider: "azure" }], {
        deployments: { a: { limit: 1_000, window: day } },
        providers: { azure: { limit: 5, window: "1 hour" } }
      })
      for (let round = 0; round < 2; round++) {
        yield* LlmService.complete(service, chat())
        for (let i = 0; i < 3; i++) yield* failure(service)
        yield* TestClock.adjust("1 hour")
      }
      assert.deepStrictEqual(published, [
        { _tag: "BudgetExhausted", at: 0, scope: "provider", key: "azure" },
        { _tag: "BudgetExhausted", at: 3_600_000, scope: "provider", key: "azure" }
      ])
    })
  )
  it.effect("says everything that is wrong with its options", () =>
    Effect.gen(function* () {
      const wrong = { tags: { t: { limit: -1, window: 0 } }, models: {} } as unknown as SpendLimits.Options
      const Live = SpendLimits.layerWith(wrong).pipe(
        Layer.provide(Layer.succeed(DeploymentService, StubLlm.make().attempts)),
        Layer.provide(SpendWindows.layerMemory),
        Layer.provide(PriceBook.layer)
      )
      const built = yield* Effect.either(Effect.scoped(Layer.build(Live)))
      assert.deepStrictEqual(Either.isLeft(built) ? built.left.issues.map((found) => found.path).sort() : [], [
        "spendLimits.models",
        "spendLimits.tags.t.limit",
        "spendLimits.tags.t.window"
      ])
    })
  )
})

describe("any schedule", () => {
  it("the spend of a window never exceeds the limit, one call, and what calls cost above their estimates; nothing stays reserved", () => {
    forSeeds(1_500, (dice) => {
      const time = new VirtualTime(dice.pick([2048, 19, 23, 31]))
      const limit = dice.int(5, 40)
      const length = dice.int(50, 400)
      const option = { limit, window: length }
      const windows = SpendWindows.make()
      const { attempts, registry, service, stub } = setup(
        [{ id: "a", tags: ["t"] }, { id: "b", tags: ["t"] }, { id: "c" }],
        { deployments: { a: option }, tags: { t: { limit: 2 * limit, window: length } } },
        windows
      )
      stub.reply(() => {
        const delay = dice.pick([0, 1, 20, 100])
        const usage = estimate(1, dice.int(0, 8))
        return dice.pick<StubLlm.Reply>([
          { delay, usage },
          { delay, usage },
          { delay, fail: { reason: "Timeout", phase: "total", description: "late" } },
          { delay, fail: { reason: "RateLimited", description: "429" } },
          { chunks: ["one ", "two ", "three"], gap: dice.int(1, 60), usage },
          { hang: true }
        ])
      })
      const fibers: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
      const windowA = windows.window("deployment", "a", length, 0)
      const windowT = windows.window("tag", "t", length, 0)
      const check = () => {
        let overshoot = 0
        for (const { usage } of stub.outcomes) overshoot += usage === undefined ? 0 : Math.max(0, total(usage) - 5)
        const ofA = windowA.used(time.now)
        const ofTag = windowT.used(time.now)
        // The last call is let in while anything is left.
        if (ofA > limit + 5 + overshoot) throw new Error(`a: ${ofA} of ${limit}, overshoot ${overshoot}`)
        if (ofTag > 2 * limit + 5 + overshoot) throw new Error(`tag: ${ofTag} of ${2 * limit}, overshoot ${overshoot}`)
      }
      for (let i = 0; i < 15; i++) {
        const stream = dice.chance(0.4)
        const call = stream ? Stream.runDrain(LlmService.stream(service, chat())) : LlmService.complete(service, chat())
        fibers.push(time.fork(Effect.exit(call as Effect.Effect<unknown, LlmError>)))
        time.flush(dice.int(0, 60))
        if (dice.chance(0.3)) time.interrupt(dice.pick([fibers[0] ?? assert.fail(), ...fibers]))
        if (dice.chance(0.6)) time.advance(time.now + dice.int(0, 150), check)
        check()
      }
      for (const fiber of fibers) time.interrupt(fiber)
      time.advance(time.now + 1_000, check)
      if (stub.inFlight() !== 0) throw new Error(`${stub.inFlight()} calls in flight`)
      if (windowA.isHeld || windowT.isHeld) throw new Error("a reservation is left")
      time.advance(time.now + 2 * length)
      if (windowA.used(time.now) + windowT.used(time.now) !== 0) throw new Error("something is left in a new window")
      const slot = registry.slot("a") ?? assert.fail("no slot")
      if (attempts.status(slot, chat(), time.now)._tag !== "Open") throw new Error("not open in a new window")
    })
  }, 120_000)
  it("without overshoot no window ever holds more than its limit and one call", () => {
    let admitted = 0
    forSeeds(1_000, (dice) => {
      const time = new VirtualTime(dice.pick([2048, 19, 23]))
      const limit = dice.int(5, 30)
      const windows = SpendWindows.make()
      const { service, stub } = setup([{ id: "a" }], { deployments: { a: { limit, window: 200 } } }, windows)
      stub.reply(() => ({ delay: dice.pick([0, 1, 30, 250]), usage: estimate(1, dice.int(0, 4)) }))
      const window = windows.window("deployment", "a", 200, 0)
      for (let i = 0; i < 20; i++) {
        const fiber = time.fork(Effect.exit(LlmService.complete(service, chat())))
        fiber.addObserver((exit) => {
          if (Exit.isSuccess(exit) && Exit.isSuccess(exit.value)) admitted++
        })
        time.flush(dice.int(0, 40))
        if (dice.chance(0.2)) time.interrupt(fiber)
        if (dice.chance(0.5)) time.advance(time.now + dice.int(0, 80))
        if (window.used(time.now) > limit + 5 + 1e-6) throw new Error(`${window.used(time.now)} of ${limit}`)
      }
      time.advance(time.now + 1_000)
      if (window.isHeld) throw new Error("a reservation is left")
    })
    assert.isAbove(admitted, cases(3_000))
  })
})
