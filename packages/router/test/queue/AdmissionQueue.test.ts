import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import type * as Service from "@switchyard/core/Service"
import { busy, closed, open, type Status } from "@switchyard/core/Status"
import * as AdmissionQueue from "@switchyard/router/AdmissionQueue"
import * as Balancer from "@switchyard/router/Balancer"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as Limits from "@switchyard/router/Limits"
import * as Retry from "@switchyard/router/Retry"
import * as RetryBudget from "@switchyard/router/RetryBudget"
import type { Events, RouterEvent } from "@switchyard/router/RouterEvents"
import type { Strategy } from "@switchyard/router/RoutingStrategy"
import * as UsageWindows from "@switchyard/router/UsageWindows"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { type Context, Effect, Exit, Fiber, Layer, TestClock } from "effect"
import { turnOf } from "../../src/queue/waitingLine.js"
import { type Dice, forSeeds, VirtualTime } from "../support/schedules.js"

type Entry = Partial<DeploymentConfig> & { readonly id: string }

const configOf = (entries: ReadonlyArray<Entry>) => ({
  deployments: entries.map((entry) => ({ group: "m", model: "real", ...entry }))
})

const firstOpen: Strategy = {
  name: "first-open",
  select: (candidates) => {
    for (let i = 0; i < candidates.size; i++) if (candidates.isOpen(i)) return i
    return -1
  }
}

/** Windows that take their time to reserve, as ones in a shared store do. */
const slowWindows = (): Context.Tag.Service<UsageWindows.UsageWindows> => {
  const windows = UsageWindows.make()
  return {
    ...windows,
    reserve: (slot, tokens, now, journal) =>
      Effect.zipRight(Effect.sleep(1), windows.reserve(slot, tokens, now, journal))
  }
}

const setup = (entries: ReadonlyArray<Entry>, options: AdmissionQueue.Options = {}, windows = UsageWindows.make()) => {
  const stub = StubLlm.make({ delay: 1000 })
  const statuses = new Map<string, Status>()
  stub.setStatus((slot) => statuses.get(slot.id) ?? open)
  const registry = Effect.runSync(DeploymentRegistry.make(configOf(entries)))
  const stats = DeploymentStats.make()
  const limited = Limits.make({ windows })(stub.attempts)
  const balancer = Balancer.make({ registry, strategy: firstOpen, stats })(limited)
  const service = AdmissionQueue.make({ registry, windows }, options)(balancer)
  const nobodyListens = () => !windows.counts(StubLlm.slot("elsewhere"))
  return { stub, statuses, registry, windows, limited, service, nobodyListens }
}

interface Ask {
  readonly name?: string
  readonly model?: string
  readonly priority?: number
  readonly stream?: boolean
  readonly tags?: ReadonlyArray<string>
  readonly body?: object
}

const chat = ({ body = {}, model = "m", name = "someone", priority, stream = false, tags = [] }: Ask = {}) =>
  LlmRequest.chat(
    { model, messages: [{ role: "user", content: "Hello" }], stream, ...body },
    { caller: name, tags, ...(priority === undefined ? {} : { overrides: { priority } }) }
  )

const send = (service: Service.RequestService, ask: Ask = {}) =>
  Effect.fork(Effect.either(LlmService.complete(service, chat(ask)))).pipe(Effect.tap(() => Effect.yieldNow()))

const callers = (stub: StubLlm.StubLlm) => stub.calls.map((call) => call.request.caller)

const errorOf = (fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<LlmError> =>
  Effect.map(Fiber.join(fiber as Fiber.Fiber<{ readonly _tag: string; readonly left: LlmError }>), (either) =>
    either._tag === "Left" ? either.left : assert.fail("succeeded")
  )

describe("a request that finds its group full", () => {
  it.effect("waits for the permit of a call that ends", () =>
    Effect.gen(function* () {
      const { nobodyListens, service, stub } = setup([{ id: "a", maxParallel: 1 }])
      yield* send(service, { name: "first" })
      const second = yield* send(service, { name: "second" })
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(callers(stub), ["first"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(callers(stub), ["first", "second"])
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* Fiber.join(second))._tag, "Right")
      assert.isTrue(nobodyListens())
    })
  )

  it.effect("waits for the end of a stream, not for its beginning", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", maxParallel: 1 }])
      stub.reply({ chunks: ["a", "b", "c"], gap: 1000 })
      const first = yield* service.call(chat({ name: "first", stream: true }))
      assert.strictEqual(first._tag, "Streaming")
      yield* send(service, { name: "second" })
      yield* TestClock.adjust(1999)
      assert.deepStrictEqual(callers(stub), ["first"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(callers(stub), ["first", "second"])
    })
  )

  it.effect("waits until time makes room", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", rpm: 1 }], { maxWait: "3 minutes" })
      for (const name of ["first", "second", "third"]) yield* send(service, { name })
      yield* TestClock.adjust("59999 millis")
      assert.deepStrictEqual(callers(stub), ["first"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(callers(stub), ["first", "second"])
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(callers(stub), ["first", "second", "third"])
    })
  )

  it.effect("waits for a short time only once somebody has waited at every moment for the longest", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", maxParallel: 1 }], {
        maxWait: "10 seconds",
        overloadWait: "1 second"
      })
      stub.reply({ hang: true })
      const holder = yield* send(service, { name: "holder" })
      const first = yield* send(service, { name: "first" })
      yield* TestClock.adjust("9500 millis")
      const late = yield* send(service, { name: "late" })
      yield* TestClock.adjust("499 millis")
      assert.isNull(first.unsafePoll())
      yield* TestClock.adjust("1 millis")
      assert.include((yield* errorOf(first)).message, "no room came in 10000 ms of waiting")
      assert.isNull(late.unsafePoll())
      yield* TestClock.adjust("500 millis")
      assert.include((yield* errorOf(late)).message, "no room came in 1000 ms of waiting")
      // Somebody has just had to leave: it is an overload also for those who find nobody waiting.
      const soon = yield* send(service, { name: "soon" })
      yield* TestClock.adjust("1 second")
      assert.include((yield* errorOf(soon)).message, "no room came in 1000 ms of waiting")
      // Nobody has had to leave for as long as the longest wait: it is over.
      yield* TestClock.adjust("10 seconds")
      const patient = yield* send(service, { name: "patient" })
      yield* TestClock.adjust("9 seconds")
      assert.isNull(patient.unsafePoll())
      yield* Fiber.interrupt(holder)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(callers(stub), ["holder", "patient"])
    })
  )

  it.effect("waits for a short time only where it could fall back", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", maxParallel: 1 }], {
        maxWait: "10 seconds",
        overloadWait: "1 second"
      })
      stub.reply({ hang: true })
      yield* send(service)
      const request = chat()
      const waiting = yield* Effect.fork(
        Effect.flip(service.call({ ...request, route: { ...request.route, lastResort: false } }))
      )
      yield* TestClock.adjust("1 second")
      assert.include((yield* Fiber.join(waiting)).message, "no room came in 1000 ms of waiting")
      // That it left is no overload to those who have nowhere else to go.
      const last = yield* send(service, { name: "last" })
      yield* TestClock.adjust("9 seconds")
      assert.isNull(last.unsafePoll())
    })
  )

  it.effect("gets tokens that a call reserved and did not use", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", tpm: 200 }])
      yield* send(service, { name: "first", body: { max_tokens: 150 } })
      yield* send(service, { name: "second", body: { max_tokens: 150 } })
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(callers(stub), ["first", "second"])
    })
  )

  it.effect("takes the place of a call that was left", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", maxParallel: 1 }])
      stub.reply({ hang: true })
      const first = yield* send(service, { name: "first" })
      yield* send(service, { name: "second" })
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(callers(stub), ["first", "second"])
    })
  )

  it.effect("passes others' errors on, also the one of the call that it waited for", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", maxParallel: 1 }])
      stub.reply({ delay: 10, fail: { reason: "Unavailable", description: "oops" } })
      yield* send(service)
      const second = yield* send(service)
      yield* TestClock.adjust(20)
      const error = yield* errorOf(second)
      assert.strictEqual(error.reason, "Unavailable")
      assert.strictEqual(stub.calls.length, 2)
    })
  )
})

describe("the order", () => {
  it.effect("is first come first served within a priority", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", maxParallel: 1 }])
      const names = Array.from({ length: 12 }, (_, i) => `${i}`)
      for (const name of names) yield* send(service, { name })
      yield* TestClock.adjust("12 seconds")
      assert.deepStrictEqual(callers(stub), names)
    })
  )

  it.effect("puts lower priority numbers first, unset is 0", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", maxParallel: 1 }])
      yield* send(service, { name: "running" })
      yield* send(service, { name: "late", priority: 5 })
      yield* send(service, { name: "normal" })
      yield* send(service, { name: "urgent", priority: -1 })
      yield* send(service, { name: "normal too", priority: 0 })
      yield* send(service, { name: "late too", priority: 5 })
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(callers(stub), ["running", "urgent", "normal", "normal too", "late", "late too"])
    })
  )

  it.effect("nobody starves: who waits grows older than every newcomer of a better priority", () =>
    Effect.gen(function* () {
      for (const [better, worse] of [
        [-1, 0],
        [-1e308, 0],
        [Number.NEGATIVE_INFINITY, 1000],
        [0, Number.POSITIVE_INFINITY]
      ] as const) {
        const { service, stub } = setup([{ id: "a", maxParallel: 1 }], { maxWait: "30 seconds", maxQueue: 1000 })
        stub.reply({ delay: 1000 })
        yield* send(service, { name: "running" })
        yield* send(service, { name: "patient", priority: worse })
        for (let second = 0; second < 60 && !callers(stub).includes("patient"); second++) {
          yield* send(service, { name: "pushy", priority: better })
          yield* TestClock.adjust("1 second")
        }
        const waited = callers(stub).indexOf("patient")
        assert.isAbove(waited, 2)
        assert.isBelow(waited, 50)
      }
    })
  )

  it.effect("is kept apart per group", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([
        { id: "a", maxParallel: 1 },
        { id: "b", group: "other", maxParallel: 1 }
      ])
      yield* send(service, { name: "a1" })
      yield* send(service, { name: "a2", priority: -9 })
      yield* send(service, { name: "b1", model: "other" })
      yield* send(service, { name: "b2", model: "other" })
      yield* TestClock.adjust(1000)
      assert.sameMembers(callers(stub), ["a1", "b1", "a2", "b2"])
    })
  )

  it.effect("admits one for each place that was freed", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", maxParallel: 2 }])
      stub.reply((call) => ({ delay: call.index === 0 ? 100 : 5000 }))
      for (const name of ["1", "2", "3", "4", "5"]) yield* send(service, { name })
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(callers(stub), ["1", "2", "3"])
      assert.strictEqual(stub.inFlight(), 2)
    })
  )

  it.effect("admits as many as there is room when several places come free at once", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", rpm: 3 }], { maxWait: "2 minutes" })
      for (let i = 0; i < 8; i++) yield* send(service, { name: `${i}` })
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(callers(stub), ["0", "1", "2", "3", "4", "5"])
    })
  )

  it.effect("is not overtaken by a newcomer in the moment in which a place is freed", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", maxParallel: 1 }])
      stub.reply({ hang: true })
      const first = yield* send(service, { name: "first" })
      yield* send(service, { name: "waiting" })
      first.unsafeInterruptAsFork(first.id())
      yield* send(service, { name: "newcomer" })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(callers(stub), ["first", "waiting"])
    })
  )

  it.effect("does not hold up a request that may use what nobody waits for", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([
        { id: "free", maxParallel: 1, tags: ["free"] },
        { id: "paid", maxParallel: 2, tags: ["paid"] }
      ])
      for (const name of ["free 1", "free 2", "free 3"]) yield* send(service, { name, tags: ["free"] })
      for (const name of ["paid 1", "paid 2", "paid 3"]) yield* send(service, { name, tags: ["paid"] })
      assert.deepStrictEqual(callers(stub), ["free 1", "paid 1", "paid 2"])
      yield* TestClock.adjust(1000)
      assert.sameMembers(callers(stub), ["free 1", "paid 1", "paid 2", "free 2", "paid 3"])
    })
  )

  it.effect("lets nobody small pass the first in line for the same deployment", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", tpm: 100 }], { maxWait: "2 minutes" })
      stub.reply((call) => (call.index === 0 ? { usage: { ...usage, inputTokens: 60 } } : {}))
      yield* send(service, { name: "first", body: { max_tokens: 10 } })
      yield* TestClock.adjust(1)
      yield* send(service, { name: "large", body: { max_tokens: 90 } })
      yield* send(service, { name: "small", body: { max_tokens: 1 } })
      yield* TestClock.adjust("59 seconds")
      assert.deepStrictEqual(callers(stub), ["first"])
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(callers(stub), ["first", "large", "small"])
    })
  )
})

const usage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0, estimated: false }

describe("the bounds", () => {
  it.effect("one more than fits fails at once, as blocked by limits only", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", maxParallel: 1 }], { maxQueue: 2 })
      for (const name of ["running", "1", "2"]) yield* send(service, { name })
      const error = yield* errorOf(yield* send(service, { name: "3" }))
      assert.strictEqual(error.reason, "NoDeployment")
      assert.isTrue(error.blockedByLimitsOnly)
      assert.strictEqual(error.fallback, "rateLimit")
      assert.include(error.message, "2 requests wait already")
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(callers(stub), ["running", "1", "2"])
    })
  )

  it.effect("says queue for a deployment that is open but spoken for", () =>
    Effect.gen(function* () {
      const { service } = setup([{ id: "a", maxParallel: 1 }], { maxQueue: 1 })
      const first = yield* send(service)
      yield* send(service)
      first.unsafeInterruptAsFork(first.id())
      yield* Effect.yieldNow()
      const error = yield* Effect.flip(service.call(chat()))
      assert.deepStrictEqual(error.blocked, [{ deployment: "a", reason: "queue", cause: "limit" }])
      assert.strictEqual(error.httpStatus, 429)
    })
  )

  it.effect("a request that waited too long fails with why, and what is left of the block", () =>
    Effect.gen(function* () {
      const { nobodyListens, service, stub } = setup([{ id: "a", rpm: 1, maxParallel: 1 }], { maxWait: 5000 })
      stub.reply({ hang: true })
      yield* send(service)
      yield* TestClock.adjust("58 seconds")
      const second = yield* send(service)
      yield* TestClock.adjust(4999)
      assert.isFalse(nobodyListens())
      yield* TestClock.adjust(1)
      const error = yield* errorOf(second)
      assert.strictEqual(error.reason, "NoDeployment")
      assert.deepStrictEqual(error.blocked, [{ deployment: "a", reason: "maxParallel", cause: "limit", early: true }])
      assert.include(error.message, "5000 ms of waiting")
      assert.isTrue(nobodyListens())
      assert.strictEqual(stub.calls.length, 1)
    })
  )

  it.effect("the request's deadline bounds the wait too", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", maxParallel: 1 }])
      stub.reply({ hang: true })
      yield* send(service)
      const request = LlmRequest.begin(chat(), 0)
      const fiber = yield* Effect.fork(
        Effect.flip(service.call({ ...request, route: { ...request.route, deadline: 700 } }))
      )
      yield* TestClock.adjust(699)
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber)).reason, "NoDeployment")
    })
  )

  it.effect("nobody waits in vain: a block that outlasts the wait fails at once", () =>
    Effect.gen(function* () {
      const { service, statuses } = setup([{ id: "a", rpm: 1 }], { maxWait: "10 seconds" })
      yield* send(service)
      const early = yield* errorOf(yield* send(service))
      assert.strictEqual(early.retryAfter, 60_000)
      yield* TestClock.adjust("51 seconds")
      const late = yield* send(service)
      assert.isNull(late.unsafePoll())
      statuses.set("a", busy("spend", 9_999_999))
      assert.isNotNull((yield* send(service, { model: "a" })).unsafePoll())
    })
  )

  it.effect("a limit of 0 keeps nobody waiting for rpm", () =>
    Effect.gen(function* () {
      const { service } = setup([{ id: "a", rpm: 0 }])
      assert.strictEqual((yield* errorOf(yield* send(service))).reason, "NoDeployment")
    })
  )
})

describe("who is not queued", () => {
  it.effect("a request whose group is closed by failures: it fails fast", () =>
    Effect.gen(function* () {
      const { service, statuses } = setup([{ id: "a" }, { id: "b" }])
      statuses.set("a", closed("cooldown", 100)).set("b", closed("unhealthy", undefined, "operator"))
      const error = yield* errorOf(yield* send(service))
      assert.isFalse(error.blockedByLimitsOnly)
    })
  )

  it.effect("a request that names nothing known, or nothing that suits it", () =>
    Effect.gen(function* () {
      const { service } = setup([{ id: "a", maxParallel: 0, tags: ["x"] }])
      assert.strictEqual((yield* errorOf(yield* send(service, { model: "nope" }))).reason, "UnknownModel")
      assert.strictEqual((yield* errorOf(yield* send(service, { tags: ["y"] }))).reason, "NoDeployment")
    })
  )

  it.effect("a full deployment next to a broken one is waited for: every open candidate is busy", () =>
    Effect.gen(function* () {
      const { service, statuses, stub } = setup([{ id: "a", maxParallel: 1 }, { id: "b" }])
      statuses.set("b", closed("cooldown", 500_000))
      yield* send(service, { name: "first" })
      yield* send(service, { name: "second" })
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(callers(stub), ["first", "second"])
      assert.deepStrictEqual(
        stub.calls.map((call) => call.deployment as string),
        ["a", "a"]
      )
    })
  )

  it.effect("a newcomer is never forced onto a broken deployment because others wait for the good one", () =>
    Effect.gen(function* () {
      const { service, statuses, stub } = setup([{ id: "a", maxParallel: 1 }, { id: "b" }])
      statuses.set("b", closed("cooldown"))
      for (const name of ["1", "2", "3"]) yield* send(service, { name })
      assert.deepStrictEqual(callers(stub), ["1"])
    })
  )
})

describe("leaving and reloading", () => {
  it.effect("who leaves while waiting is gone, and the turn goes on", () =>
    Effect.gen(function* () {
      const { nobodyListens, service, stub } = setup([{ id: "a", maxParallel: 1 }])
      yield* send(service, { name: "first" })
      const second = yield* send(service, { name: "second" })
      const third = yield* send(service, { name: "third" })
      yield* Fiber.interrupt(second)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(callers(stub), ["first", "third"])
      yield* Fiber.interrupt(third)
      assert.isTrue(nobodyListens())
    })
  )

  it.effect("a deployment that a reload adds serves those who wait, before a newcomer", () =>
    Effect.gen(function* () {
      const { registry, service, stub } = setup([{ id: "a", maxParallel: 1 }])
      stub.reply({ hang: true })
      for (const name of ["1", "2", "3"]) yield* send(service, { name })
      const entries = [
        { id: "a", maxParallel: 1 },
        { id: "b", maxParallel: 2 }
      ]
      yield* registry.replace(configOf(entries))
      yield* send(service, { name: "4" })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(callers(stub), ["1", "2", "3"])
    })
  )

  it.effect("a raised limit is noticed at the next end of a call", () =>
    Effect.gen(function* () {
      const { registry, service, stub } = setup([{ id: "a", maxParallel: 1 }])
      for (const name of ["1", "2", "3", "4"]) yield* send(service, { name })
      yield* registry.replace(configOf([{ id: "a", maxParallel: 3 }]))
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(callers(stub), ["1", "2", "3", "4"])
    })
  )

  it.effect("a reload that helps only somebody further back is noticed at the next end of a call, too", () =>
    Effect.gen(function* () {
      const entries = (x: number, y: number) => [
        { id: "x", maxParallel: x, tags: ["x"] },
        { id: "y", maxParallel: y, tags: ["y"] }
      ]
      const { registry, service, stub } = setup(entries(1, 1))
      stub.reply((call) => (call.request.caller === "x 1" ? { delay: 1000 } : { hang: true }))
      for (const name of ["x 1", "y 1", "x 2", "y 2"]) yield* send(service, { name, tags: [name.slice(0, 1)] })
      yield* registry.replace(configOf(entries(0, 2)))
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(callers(stub), ["x 1", "y 1", "y 2"])
    })
  )

  it.effect("who finds room where nobody expected any lets the others look, too", () =>
    Effect.gen(function* () {
      const { service, statuses, stub } = setup([
        { id: "both", tags: ["x", "y"] },
        { id: "x", maxParallel: 1, tags: ["x"] },
        { id: "y", maxParallel: 1, tags: ["y"] }
      ])
      stub.reply((call) => (call.request.caller === "x 1" ? { delay: 1000 } : { hang: true }))
      statuses.set("both", closed("isolated", undefined, "operator"))
      for (const name of ["x 1", "y 1", "x 2", "y 2"]) yield* send(service, { name, tags: [name.slice(0, 1)] })
      statuses.set("both", open)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(callers(stub), ["x 1", "y 1", "x 2", "y 2"])
    })
  )

  it.effect("a group that a reload dropped drains: who waits learns that it is gone", () =>
    Effect.gen(function* () {
      const { nobodyListens, registry, service } = setup([
        { id: "a", maxParallel: 1 },
        { id: "z", group: "other" }
      ])
      yield* send(service)
      const waiting = [yield* send(service), yield* send(service), yield* send(service)]
      yield* registry.replace(configOf([{ id: "z", group: "other" }]))
      yield* TestClock.adjust(1000)
      for (const fiber of waiting) assert.strictEqual((yield* errorOf(fiber)).reason, "UnknownModel")
      assert.isTrue(nobodyListens())
    })
  )

  it.effect("a name that a reload pointed at another group waits there", () =>
    Effect.gen(function* () {
      const entries = [
        { id: "a", maxParallel: 1 },
        { id: "b", group: "other", maxParallel: 1 }
      ]
      const { registry, service, stub } = setup(entries)
      yield* registry.replace({ ...configOf(entries), aliases: { alias: "m" } })
      stub.reply({ hang: true })
      yield* send(service, { name: "1" })
      const other = yield* send(service, { name: "2", model: "other" })
      yield* send(service, { name: "3", model: "alias" })
      yield* registry.replace({ ...configOf(entries), aliases: { alias: "other" } })
      yield* send(service, { name: "4" })
      yield* TestClock.adjust(1)
      yield* Fiber.interrupt(other)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(callers(stub), ["1", "2", "3"])
    })
  )
})

describe("the layer", () => {
  it.effect("is built from the context, and refuses wrong options with their paths", () =>
    Effect.gen(function* () {
      const { service, stub } = setup([{ id: "a", maxParallel: 1 }])
      const below = Layer.mergeAll(
        Layer.succeed(LlmService.LlmService, service),
        UsageWindows.layerMemory,
        DeploymentRegistry.layer(configOf([{ id: "a" }]))
      )
      const built = AdmissionQueue.layerWith({ maxQueue: 1, maxWait: "1 second" }).pipe(Layer.provide(below))
      yield* Effect.fork(Effect.provide(LlmService.LlmService.complete(chat()), built))
      yield* TestClock.adjust(1)
      assert.strictEqual(stub.calls.length, 1)
      const wrong = AdmissionQueue.layerWith({ maxQueue: 0.5, maxWait: 0 }).pipe(Layer.provide(below))
      const error = yield* Effect.flip(Effect.provide(LlmService.LlmService, wrong))
      assert.deepStrictEqual(error._tag === "ConfigError" ? error.issues.map((issue) => issue.path) : [], [
        "admissionQueue.maxQueue",
        "admissionQueue.maxWait"
      ])
    })
  )
})

describe("under random schedules of arrivals, priorities, durations, failures and departures", () => {
  interface Sent {
    readonly number: number
    readonly priority: number
    readonly tag: string | undefined
    readonly request: LlmRequest.LlmRequest
    readonly fiber: Fiber.RuntimeFiber<unknown, LlmError>
    readonly at: number
    startedAt?: number
  }

  const tagSets: ReadonlyArray<ReadonlyArray<string>> = [[], ["x"], ["y"], ["x", "y"]]

  const groupOf = (dice: Dice): ReadonlyArray<Entry> => {
    const limits = (): Partial<DeploymentConfig> => ({
      ...(dice.chance(0.8) ? { maxParallel: dice.int(1, 3) } : { rpm: dice.int(1, 3) }),
      ...(dice.chance(0.3) ? { rpm: dice.int(1, 4) } : {})
    })
    const isTagged = dice.chance(0.5)
    return Array.from({ length: dice.int(1, 3) }, (_, i) => ({
      id: `d${i}`,
      ...limits(),
      ...(isTagged ? { tags: tagSets[dice.int(0, 3)] ?? [] } : {})
    }))
  }

  it("who got the turn leaves no alarm behind, however long the wait could have been", () => {
    const { service } = setup([{ id: "a", maxParallel: 1 }], { maxWait: "10 minutes" })
    const time = new VirtualTime()
    const begin = (name: string) => time.fork(LlmService.complete(service, chat({ name })))
    const first = begin("first")
    const left = begin("left")
    const third = begin("third")
    time.flush()
    assert.isAbove(time.sleepers, 1)
    time.interrupt(left)
    time.advance(2000)
    for (const call of [first, third]) assert.strictEqual(call.unsafePoll()?._tag, "Success")
    assert.strictEqual(time.sleepers, 0)
  })

  it("nobody is overtaken, no free place is overlooked, bounds hold, and nothing is left behind", () => {
    let waitedAndServed = 0
    forSeeds(800, (dice) => {
      const time = new VirtualTime(dice.pick([2, 3, 5, 2048]))
      let entries = groupOf(dice)
      let reloadedAt = Number.NEGATIVE_INFINITY
      const maxQueue = dice.pick([1, 3, 100])
      const maxWait = dice.pick([500, 20_000, 200_000])
      const isSlow = dice.chance(0.3)
      // Calls that come and go within one another's operations: then there is no order to hold them to.
      const isInterleaved = dice.chance(0.4)
      const { limited, nobodyListens, registry, service, stub } = setup(
        entries,
        { maxQueue, maxWait },
        isSlow ? slowWindows() : UsageWindows.make()
      )
      const sent = new Map<unknown, Sent>()
      const canUse = (
        tag: string | undefined,
        slot: { readonly deployment: { readonly tags: ReadonlyArray<string> } }
      ) => tag === undefined || slot.deployment.tags.includes(tag)
      const isWaiting = (one: Sent) => one.startedAt === undefined && one.fiber.unsafePoll() === null
      const hasTag = (tag: string) => entries.some((entry) => entry.tags?.includes(tag))
      const offered = ["x", "y"].filter(hasTag)

      // A simple model of the order: whoever starts on a deployment is before all others that wait for it.
      stub.reply((call) => {
        const one = sent.get(call.request.route.journal)
        if (one === undefined) throw new Error("unknown request")
        one.startedAt = time.now
        if (one.at < time.now) waitedAndServed++
        const slot = registry.slot(call.deployment)
        for (const other of isInterleaved ? [] : sent.values()) {
          if (slot === undefined || !isWaiting(other) || !canUse(other.tag, slot)) continue
          // Who came while the store was being asked came too late.
          if (isSlow && Math.max(other.at, reloadedAt) >= time.now - 10) continue
          const turn = (sent: Sent) => turnOf(sent.priority, sent.at, maxWait)
          const isBefore = turn(other) < turn(one) || (turn(other) === turn(one) && other.number < one.number)
          if (isBefore) throw new Error(`${one.number} overtook ${other.number} on ${call.deployment}`)
        }
        const delay = dice.pick([1, 100, 1000, dice.int(1, 30_000)])
        return dice.pick<StubLlm.Reply>([
          { delay },
          { delay, chunks: ["a", "b"], gap: 500 },
          { delay, fail: { reason: "Unavailable", description: "oops", code: dice.pick(["ECONNREFUSED", "cut"]) } }
        ])
      })

      const waiting = () => [...sent.values()].filter(isWaiting)
      const check = () => {
        if (isSlow) return
        for (const one of waiting()) {
          for (const slot of registry.slots()) {
            if (!canUse(one.tag, slot)) continue
            const status = limited.status(slot, one.request, time.now)
            if (status._tag === "Open") throw new Error(`${one.number} waits at ${time.now} while ${slot.id} is free`)
          }
          if (time.now >= one.at + maxWait) throw new Error(`${one.number} waits too long`)
        }
        if (waiting().length > maxQueue) throw new Error(`${waiting().length} wait`)
        if (nobodyListens() !== (waiting().length === 0)) throw new Error("listens for nobody")
      }

      const arrive = (number: number) => {
        const tag = offered.length > 0 && dice.chance(0.6) ? offered[dice.int(0, offered.length - 1)] : undefined
        const priority = dice.pick([0, 0, 0, 1, -1])
        const stream = dice.chance(0.3)
        const request = LlmRequest.begin(
          chat({ name: `${number}`, priority, stream, tags: tag === undefined ? [] : [tag] }),
          time.now
        )
        const read = Effect.flatMap(service.call(request), (response) =>
          response._tag === "Complete" ? Effect.void : response.events.awaitContent
        )
        const one = { number, priority, tag, request, at: time.now } as unknown as Sent
        sent.set(request.route.journal, one)
        Object.assign(one, { fiber: time.fork(Effect.suspend(() => Effect.zipRight(Effect.void, read))) })
        time.flush(isInterleaved ? dice.int(0, 20) : undefined)
      }

      let number = 0
      for (let step = 0; step < 30; step++) {
        for (let i = dice.pick([0, 1, 1, 2, 6]); i > 0; i--) arrive(number++)
        if (dice.chance(0.1)) {
          entries = groupOf(dice)
          reloadedAt = time.now
          Effect.runSync(registry.replace(configOf(entries)))
          // A reload is noticed by the next call that comes or ends.
          arrive(number++)
          time.flush()
        }
        if (!isInterleaved) check()
        const all = [...sent.values()]
        const leaver = all[dice.int(0, Math.max(0, all.length - 1))]
        if (leaver !== undefined && dice.chance(0.3)) {
          time.interrupt(leaver.fiber)
          if (dice.chance(0.5)) leaver.request.route.journal.releaseAll()
          if (dice.chance(0.5)) time.flush(dice.int(0, 5))
          else {
            time.flush()
            check()
          }
        }
        time.advance(time.now + dice.pick([0, 1, 500, dice.int(0, 2000), dice.int(0, 40_000)]), check)
      }
      time.advance(time.now + 500_000, check)
      for (const one of sent.values()) {
        const exit = one.fiber.unsafePoll()
        if (exit === null) throw new Error(`${one.number} never ended`)
        if (Exit.isFailure(exit) && exit.cause._tag === "Die") throw exit.cause.defect
        one.request.route.journal.releaseAll()
      }
      time.flush()
      if (stub.inFlight() !== 0) throw new Error(`${stub.inFlight()} in flight`)
      if (!nobodyListens()) throw new Error("somebody still listens")
    })
    assert.isAbove(waitedAndServed, cases(3_000))
  }, 60_000)
})

describe("readiness in front of the queue", () => {
  /** Two that are open by now, and one caller that waits for the first of them and has not asked again. */
  const withWaiter = Effect.gen(function* () {
    const made = setup([{ id: "a" }, { id: "b" }])
    made.statuses.set("a", busy("rpm", 1000, "limit"))
    made.statuses.set("b", closed("isolated", undefined, "operator"))
    const waiter = yield* send(made.service, { name: "waits" })
    made.statuses.clear()
    return { ...made, waiter }
  })

  it.effect("a deployment that those who wait will have is open for nobody who comes later", () =>
    Effect.gen(function* () {
      const { service, waiter } = yield* withWaiter
      const openings = (now: number, ask: Ask = {}) =>
        service.openings(chat(ask), now).map(({ deployment, opensAt }) => `${deployment} ${opensAt}`)
      assert.deepStrictEqual(openings(0), ["b 0", "a Infinity"])
      assert.deepStrictEqual(openings(0, { priority: -1 }), ["a 0", "b 0"])
      yield* TestClock.adjust(2000)
      assert.strictEqual((yield* Fiber.join(waiter))._tag, "Right")
      assert.deepStrictEqual(openings(2000), ["a 2000", "b 2000"])
    })
  )

  it.effect(
    "Retry does not take for open what the queue keeps for others: it asks the one that failed, after a backoff",
    () =>
      Effect.gen(function* () {
        const { service, stub, waiter } = yield* withWaiter
        const delays: Array<number> = []
        const publish = (event: RouterEvent) => event._tag === "Retried" && delays.push(event.delay)
        const events = { publish } as unknown as Events
        const retrying = Retry.make({ budget: RetryBudget.unlimited, random: () => 0.5, events })(service)
        stub.reply(({ request }) =>
          request.caller === "late" && delays.length === 0
            ? { fail: { reason: "Unavailable", description: "down" } }
            : {}
        )
        const late = yield* send(retrying, { name: "late" })
        yield* TestClock.adjust("1 minute")
        for (const fiber of [waiter, late]) assert.strictEqual((yield* Fiber.join(fiber))._tag, "Right")
        assert.deepStrictEqual(delays, [375])
        assert.deepStrictEqual(
          stub.calls.map(({ deployment, request }) => `${request.caller} ${deployment}`),
          ["late b", "late b", "waits a"]
        )
      })
  )
})
