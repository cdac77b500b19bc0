import { assert, describe, it } from "@effect/vitest"
import type { LlmErrorFields } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { busy, open } from "@switchyard/core/Status"
import { now } from "@switchyard/core/Time"
import * as AdaptiveConcurrency from "@switchyard/router/AdaptiveConcurrency"
import * as ConcurrencyLimits from "@switchyard/router/ConcurrencyLimits"
import * as Router from "@switchyard/router/Router"
import * as Contract from "@switchyard/testing/Contract"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Exit, Fiber, TestClock } from "effect"
import { forSeeds, simulate, VirtualTime } from "../support/schedules.js"

const setup = (options: AdaptiveConcurrency.Options = {}) => {
  const limits = ConcurrencyLimits.make()
  const stub = StubLlm.make()
  const slot = StubLlm.slot("a")
  const over = (given: AdaptiveConcurrency.Options) => AdaptiveConcurrency.make({ limits }, given)(stub.attempts)
  const service = over(options)
  const send = (stream = false) =>
    Effect.flatMap(now, (at) => {
      const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], stream })
      return service.call(StubLlm.attempt(request, slot, at))
    })
  const learned = limits.of(slot, options.initial ?? 20)
  const status = () => service.status(slot, LlmRequest.chat({ model: "m", messages: [] }), 0)
  /** Calls, `atOnce` of them together; each takes `each` ms for every call that runs beside it beyond `slots`. */
  const rounds = (count: number, atOnce: number, slots: number, each = 100) =>
    Effect.gen(function* () {
      for (let round = 0; round < count; round++) {
        stub.reply(() => ({ delay: each * Math.max(1, stub.inFlight() / slots) }))
        yield* Effect.all(
          Array.from({ length: atOnce }, () => Effect.exit(send())),
          { concurrency: "unbounded" }
        )
      }
    })
  return { learned, limits, over, rounds, send, slot, status, stub }
}

const ends: ReadonlyArray<readonly [string, StubLlm.Reply]> = [
  ["an answer", {}],
  ["a failure", { fail: { reason: "Unavailable", description: "oops", status: 500 } }],
  ["a 429", { fail: { reason: "RateLimited", description: "slow down", status: 429 } }],
  ["a defect", { defect: new Error("bug") }]
]

describe("a deployment at its learned limit", () => {
  it.effect("is Busy by a limit, and what comes all the same is turned away unsent", () =>
    Effect.gen(function* () {
      const { send, status, stub } = setup({ initial: 2, max: 2 })
      stub.reply({ hang: true })
      const fibers = [yield* Effect.fork(send()), yield* Effect.fork(send())]
      yield* Effect.yieldNow()
      assert.deepStrictEqual(status(), { ...busy("concurrency"), early: true })
      const error = yield* Effect.flip(send())
      assert.deepInclude(error.data, { reason: "Rejected", code: "concurrency", deployment: "a" })
      assert.strictEqual(stub.calls.length, 2)
      yield* Fiber.interruptAll(fibers)
      assert.strictEqual(status(), open)
    })
  )
  for (const [what, reply] of ends) {
    it.effect(`has its permit back after ${what}`, () =>
      Effect.gen(function* () {
        const { learned, send, stub } = setup()
        stub.reply(reply)
        yield* Effect.exit(send())
        assert.strictEqual(learned.inFlight, 0)
      })
    )
  }
  it.effect("keeps the permit of a stream until its end, also when its reader leaves", () =>
    Effect.gen(function* () {
      const { learned, send, stub } = setup()
      stub.reply({ stallAfter: 1 })
      const response = yield* send(true)
      assert.strictEqual(learned.inFlight, 1)
      if (response._tag === "Streaming") response.events.close()
      assert.strictEqual(learned.inFlight, 0)
    })
  )
  it("never runs more calls than the limit allows, and has all permits back, whatever the schedule", () => {
    forSeeds(100, (dice) => {
      const time = new VirtualTime(dice.int(1, 40))
      const { learned, send, stub } = setup({ initial: dice.int(1, 6), max: 6 })
      stub.reply(() => {
        const [, reply] = dice.pick(ends as never as readonly [(typeof ends)[number]])
        return { ...reply, delay: dice.int(0, 50), gap: dice.int(0, 10) }
      })
      const fibers = Array.from({ length: 30 }, () => {
        const fiber = time.fork(Effect.exit(send(dice.chance(0.5))))
        if (dice.chance(0.3)) time.flush(dice.int(0, 20))
        if (dice.chance(0.3)) time.advance(time.now + dice.int(0, 30))
        if (dice.chance(0.2)) time.interrupt(fiber)
        assert.isAtMost(stub.inFlight(), 6)
        return fiber
      })
      time.advance(time.now + 10_000)
      for (const fiber of fibers) {
        const exit = fiber.unsafePoll()
        if (
          exit !== null &&
          Exit.isSuccess(exit) &&
          Exit.isSuccess(exit.value) &&
          exit.value.value._tag === "Streaming"
        )
          exit.value.value.events.close()
      }
      time.flush()
      assert.strictEqual(learned.inFlight, 0)
    })
  })
})

describe("the limit", () => {
  it.effect("shrinks to about what is served at once, where more calls only wait", () =>
    simulate(
      Effect.gen(function* () {
        const { learned, rounds } = setup()
        yield* rounds(20, 2, 2)
        yield* rounds(40, 40, 2)
        assert.isAtMost(learned.limit, 14)
        assert.isAtLeast(learned.limit, 2)
      })
    )
  )
  it.effect("grows while it is used up and answers take no longer for it", () =>
    simulate(
      Effect.gen(function* () {
        const { learned, rounds } = setup()
        yield* rounds(30, 200, 200)
        assert.isAtLeast(learned.limit, 100)
      })
    )
  )
  it.effect("does not grow while it is not used", () =>
    simulate(
      Effect.gen(function* () {
        const { learned, rounds } = setup()
        yield* rounds(50, 4, 100)
        assert.strictEqual(learned.limit, 20)
      })
    )
  )
  it.effect("does not shrink where few calls run and answers get slower by themselves", () =>
    simulate(
      Effect.gen(function* () {
        const { learned, rounds } = setup()
        yield* rounds(20, 4, 100)
        yield* rounds(50, 4, 100, 1000)
        assert.strictEqual(learned.limit, 20)
      })
    )
  )
  it.effect("stays within its bounds, and a reload's bounds hold at once", () =>
    simulate(
      Effect.gen(function* () {
        const { learned, over, rounds, slot } = setup({ min: 3, max: 30 })
        yield* rounds(30, 200, 200)
        assert.strictEqual(learned.limit, 30)
        const request = LlmRequest.chat({ model: "m", messages: [] })
        yield* over({ max: 5 }).call(StubLlm.attempt(request, slot))
        assert.strictEqual(learned.limit, 5)
      })
    )
  )
})

const refusals: ReadonlyArray<readonly [string, LlmErrorFields, boolean]> = [
  ["a 429", { reason: "RateLimited", description: "slow down", status: 429 }, true],
  ["a 529", { reason: "Unavailable", description: "overloaded", status: 529 }, true],
  ["a 503", { reason: "Unavailable", description: "down", status: 503 }, false],
  ["a timeout", { reason: "Timeout", description: "slow", phase: "firstToken", bound: "deployment" }, true],
  ["a caller's deadline", { reason: "Timeout", description: "late", bound: "caller" }, false],
  ["a 500", { reason: "Unavailable", description: "oops", status: 500 }, false],
  ["a mistake of the caller", { reason: "InvalidRequest", description: "no", status: 400 }, false]
]

describe("a failure", () => {
  for (const [what, fail, isCut] of refusals) {
    it.effect(
      `that is ${what} ${isCut ? "cuts the limit, once for all calls that ran together" : "leaves the limit"}`,
      () =>
        simulate(
          Effect.gen(function* () {
            const { learned, send, stub } = setup({ cut: 0.5 })
            stub.reply({ delay: 100, fail })
            const all = Array.from({ length: 20 }, () => Effect.exit(send()))
            yield* Effect.all(all, { concurrency: "unbounded" })
            assert.strictEqual(learned.limit, isCut ? 10 : 20)
          })
        )
    )
  }
})

describe("AdaptiveConcurrency", () => {
  it("is off unless it is asked for, and refuses bounds that cross", () => {
    assert.isFalse(AdaptiveConcurrency.AdaptiveConcurrency.on)
    const deployments = [{ id: "a", group: "m", model: "m" }]
    const issues = Router.check({ deployments, adaptiveConcurrency: { min: 5, max: 2 } })
    assert.deepStrictEqual(
      issues.map(({ path }) => path),
      ["adaptiveConcurrency.min"]
    )
  })
})

describe("what does not fit", () => {
  const tower = (options: Partial<Router.Options> = {}) =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ delay: 1000 })
      const deployments = [{ id: "a", group: "m", model: "m" }]
      const router = { deployments, adaptiveConcurrency: { initial: 1, max: 1 }, retry: false as const, ...options }
      const { service } = yield* Router.make(router, stub.attempts)
      const send = Effect.fork(
        Effect.either(service.call(LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })))
      )
      return { send, stub }
    })
  it.scoped("waits in line until a call ends, also one that began before anybody waited", () =>
    Effect.gen(function* () {
      const { send, stub } = yield* tower()
      const fibers = [yield* send, yield* send, yield* send]
      yield* TestClock.adjust(2999)
      assert.strictEqual(stub.calls.length, 3)
      yield* TestClock.adjust(1)
      const all = yield* Fiber.joinAll(fibers)
      assert.deepStrictEqual(
        all.map(({ _tag }) => _tag),
        ["Right", "Right", "Right"]
      )
    })
  )
  it.scoped("is refused at once where there is to be no line", () =>
    Effect.gen(function* () {
      const { send } = yield* tower({ queue: false })
      yield* send
      const second = yield* send
      yield* TestClock.adjust(1)
      const answer = yield* Fiber.join(second)
      assert.strictEqual(answer._tag === "Left" && answer.left.reason, "NoDeployment")
    })
  )
  it.scoped("waits for no longer than the options of the line say", () =>
    Effect.gen(function* () {
      const { send } = yield* tower({ queue: { maxWait: 500 } })
      yield* send
      const second = yield* send
      yield* TestClock.adjust(500)
      const answer = yield* Fiber.join(second)
      assert.strictEqual(answer._tag === "Left" && answer.left.reason, "NoDeployment")
    })
  )
})

describe("AdaptiveConcurrency keeps the contract of an attempt-tier layer", () => {
  const make = Effect.sync(() => AdaptiveConcurrency.make({ limits: ConcurrencyLimits.make() }))
  for (const { check, name } of Contract.attemptLayer(make)) it.effect(name, () => check)
})
