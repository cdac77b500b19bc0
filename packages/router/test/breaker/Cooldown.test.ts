import { assert, describe, it } from "@effect/vitest"
import { Attempt } from "@switchyard/core/Attempt"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import type { LlmError, LlmErrorFields } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Route from "@switchyard/core/Route"
import type * as Service from "@switchyard/core/Service"
import type { Slot } from "@switchyard/core/Slot"
import { busy, closed, type Status } from "@switchyard/core/Status"
import * as Balancer from "@switchyard/router/Balancer"
import type { Candidates } from "@switchyard/router/Candidates"
import * as Cooldown from "@switchyard/router/Cooldown"
import * as CooldownState from "@switchyard/router/CooldownState"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import { uniform } from "@switchyard/router/RoutingStrategy"
import * as Contract from "@switchyard/testing/Contract"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Either, Fiber, Layer, Random, Scheduler, Stream, TestClock } from "effect"

const body = { model: "m", messages: [{ role: "user", content: "Hi" }] }

const fails = (reason: LlmErrorFields["reason"], more: Partial<LlmErrorFields> = {}): StubLlm.Reply => ({
  fail: { reason, description: "told to", ...more }
})

const down = fails("Unavailable")
const good: StubLlm.Reply = {}

interface SendOptions {
  readonly slot?: Slot
  readonly forced?: boolean
  readonly stream?: boolean
  readonly headers?: Record<string, string>
  readonly overrides?: LlmRequest.RequestOverrides
}

const setup = (options: Cooldown.Options = {}, random: () => number = () => 0) => {
  const events: Array<RouterEvent> = []
  const state = CooldownState.make({
    random,
    events: { publish: (event) => events.push(event), isActive: () => false, stream: Stream.empty }
  })
  const stub = StubLlm.make()
  const service = Cooldown.make({ state }, options)(stub.attempts)
  const slot = StubLlm.slot("a")
  const request = (send: SendOptions): LlmRequest.LlmRequest =>
    LlmRequest.chat(
      { ...body, stream: send.stream ?? false },
      { overrides: { ...(send.headers === undefined ? {} : { headers: send.headers }), ...send.overrides } }
    )
  const attempts: Array<Attempt> = []
  /** One attempt, without a router above. */
  const send = (options: SendOptions = {}): Service.Call =>
    Effect.suspend(() => {
      const attempt = new Attempt(1, request(options), options.slot ?? slot, 0, false, options.forced ?? false)
      attempts.push(attempt)
      return service.call(attempt)
    })
  /** The attempt with this reply; how it ended. */
  const after = (reply: StubLlm.Reply, options: SendOptions = {}): Effect.Effect<Either.Either<unknown, LlmError>> =>
    Effect.suspend(() => {
      stub.reply(reply)
      return Effect.either(send(options))
    })
  const times = (n: number, reply: StubLlm.Reply, options: SendOptions = {}) =>
    Effect.repeatN(after(reply, options), n - 1)
  const detailed = (of: Slot = slot): Effect.Effect<Status> =>
    Effect.map(TestClock.currentTimeMillis, (now) => service.status(of, request({}), now))
  /** Without what only the last resort and retries go by. */
  const status = (of: Slot = slot): Effect.Effect<Status> =>
    Effect.map(detailed(of), (told) => (told._tag === "Closed" ? closed(told.reason, told.until, told.cause) : told))
  const inspect = (of: Slot = slot) => Effect.map(TestClock.currentTimeMillis, (now) => state.inspect(of, now))
  const isOpen = (of: Slot = slot) => Effect.map(status(of), (answer) => answer._tag === "Open")
  /** Trips the breaker of the slot, and goes to the end of that cooldown. */
  const trial = Effect.gen(function* () {
    yield* times(options.failures === undefined || options.failures === false ? 5 : options.failures, down)
    const { until } = yield* inspect()
    assert.isDefined(until)
    yield* TestClock.setTime(until ?? 0)
  })
  return { after, attempts, detailed, events, inspect, isOpen, send, service, slot, state, status, stub, times, trial }
}

const tags = (events: ReadonlyArray<RouterEvent>) => events.map((event) => event._tag)

const rejection = (result: Either.Either<unknown, LlmError>): LlmError => {
  assert.isTrue(Either.isLeft(result) && result.left.reason === "Rejected", JSON.stringify(result))
  return Either.isLeft(result) ? result.left : (undefined as never)
}

const contract = Contract.attemptLayer(
  Effect.sync(() =>
    Cooldown.make({
      state: CooldownState.make({
        random: () => 0,
        events: { publish: () => {}, isActive: () => false, stream: Stream.empty }
      })
    })
  )
)
for (const { check, name } of contract) it.effect(name, () => check)

describe("options", () => {
  it("the defaults, in one table", () => {
    assert.deepStrictEqual(Cooldown.defaults, {
      failures: 5,
      failureRate: 0.5,
      windowFailures: false,
      minimumCalls: 10,
      window: 60_000,
      allowedFails: {},
      duration: 5000,
      maxDuration: 20_000,
      tripDuration: 300_000,
      jitter: 0.2,
      maxRetryAfter: 60_000,
      retryAfterJitter: 0.1,
      permits: 1,
      successThreshold: 3,
      slowStart: 0
    })
  })
  it.effect("wrong options are all named when the layer is built", () =>
    Effect.gen(function* () {
      const inner = Layer.succeed(DeploymentService, StubLlm.make().attempts)
      const wrong = { failures: 0, window: -1, jitter: 2, allowedFails: { Timeout: -1 }, colour: "red" }
      const error = yield* Cooldown.layerWith(wrong as never).pipe(
        Layer.provide(Layer.merge(inner, CooldownState.layerMemory)),
        Layer.build,
        Effect.scoped,
        Effect.flip
      )
      assert.deepStrictEqual(error.issues.map((issue) => issue.path).sort(), [
        "cooldown.allowedFails.Timeout",
        "cooldown.colour",
        "cooldown.failures",
        "cooldown.jitter",
        "cooldown.window"
      ])
    })
  )
  it.effect("the layer puts the breaker around the service of the context, with jitter from Effect's Random", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(down)
      const untilWith = (seed: string) => {
        const slot = StubLlm.slot("a")
        return Effect.gen(function* () {
          const service = yield* DeploymentService
          for (let i = 0; i < 5; i++) {
            yield* Effect.flip(service.call(StubLlm.attempt(LlmRequest.chat(body), slot)))
          }
          const { until } = (yield* CooldownState.CooldownState).inspect(slot, 0)
          return until ?? 0
        }).pipe(
          Effect.provide(
            Cooldown.layerWith({ duration: "10 seconds" }).pipe(
              Layer.provide(Layer.succeed(DeploymentService, stub.attempts)),
              Layer.provideMerge(CooldownState.layerMemory)
            )
          ),
          Effect.withRandom(Random.make(seed))
        )
      }
      const one = yield* untilWith("one")
      assert.strictEqual(yield* untilWith("one"), one)
      assert.notStrictEqual(yield* untilWith("two"), one)
      assert.isTrue(one > 8000 && one <= 10_000, `${one}`)
    })
  )
})

describe("what opens it", () => {
  it.effect("five failures in a row do, and then the inner service is not called", () =>
    Effect.gen(function* () {
      const { after, inspect, isOpen, status, stub, times } = setup()
      yield* times(4, down)
      assert.isTrue(yield* isOpen())
      assert.strictEqual((yield* inspect()).health, "Degraded")
      yield* after(down)
      assert.deepStrictEqual(yield* status(), closed("cooldown", 5000))
      yield* TestClock.adjust(2000)
      const error = rejection(yield* after(good))
      assert.strictEqual(error.deployment, "a")
      assert.strictEqual(error.retryAfter, 3000)
      assert.strictEqual(stub.calls.length, 5)
      const view = yield* inspect()
      assert.deepStrictEqual(
        { ...view, until: undefined },
        {
          deployment: "a",
          health: "Cooldown",
          circuit: "open",
          blockedBy: "cooldown",
          until: undefined,
          reason: "Unavailable",
          epoch: 1,
          consecutiveFailures: 5,
          consecutiveSuccesses: 0,
          trips: 1,
          permits: 0,
          rampFactor: 1,
          isolated: false
        }
      )
    })
  )
  it.effect("one failure of a fresh deployment does not, though it is a failure rate of 100 %", () =>
    Effect.gen(function* () {
      const { after, isOpen } = setup()
      yield* after(down)
      assert.isTrue(yield* isOpen())
    })
  )
  it.effect("a success starts the count of failures again", () =>
    Effect.gen(function* () {
      const { inspect, isOpen, times } = setup({ failureRate: false })
      yield* times(4, down)
      yield* times(1, good)
      yield* times(4, down)
      assert.isTrue(yield* isOpen())
      assert.strictEqual((yield* inspect()).consecutiveFailures, 4)
    })
  )
  it.effect("errors of the request itself neither count nor start the count again", () =>
    Effect.gen(function* () {
      const { isOpen, times } = setup()
      yield* times(4, down)
      for (const reason of [
        "InvalidRequest",
        "ContextWindowExceeded",
        "ContentPolicyViolation",
        "Rejected",
        "BudgetExceeded"
      ] as const) {
        yield* times(10, fails(reason))
      }
      yield* times(3, fails("Timeout", { bound: "caller" }))
      assert.isTrue(yield* isOpen())
      yield* times(1, down)
      assert.isFalse(yield* isOpen())
    })
  )
  it.effect("a refused connection, a timeout, an unreadable answer and a defect count alike", () =>
    Effect.gen(function* () {
      const { isOpen, send, stub, times } = setup()
      yield* times(1, fails("Unavailable", { code: "ECONNREFUSED" }))
      yield* times(1, fails("Timeout", { phase: "connect", bound: "deployment" }))
      yield* times(1, fails("MalformedResponse"))
      yield* times(1, fails("Authentication", { status: 403 }))
      assert.isTrue(yield* isOpen())
      stub.reply({ defect: new Error("bug") })
      yield* Effect.exit(send())
      assert.isFalse(yield* isOpen())
    })
  )
  it.effect("a stream that dies after its first content counts", () =>
    Effect.gen(function* () {
      const { isOpen, send, stub } = setup({ failures: 1 })
      stub.reply({ chunks: ["a", "b"], failAfter: 1, ...down })
      const response = yield* send({ stream: true })
      assert.strictEqual(response._tag, "Streaming")
      yield* Effect.yieldNow()
      yield* TestClock.adjust(1)
      assert.isFalse(yield* isOpen())
    })
  )
  it.effect("more than half of at least ten calls do, exactly half and nine calls do not", () =>
    Effect.gen(function* () {
      const alternating = (calls: number) =>
        Effect.gen(function* () {
          const { after, isOpen } = setup({ failures: false })
          for (let i = 0; i < calls; i++) yield* after(i % 2 === 0 ? good : down)
          return { isOpen, after }
        })
      const ten = yield* alternating(10)
      assert.isTrue(yield* ten.isOpen())
      yield* ten.after(down)
      assert.isFalse(yield* ten.isOpen())
      const nine = setup({ failures: false })
      yield* nine.times(9, down)
      assert.isTrue(yield* nine.isOpen())
      yield* nine.times(1, down)
      assert.isFalse(yield* nine.isOpen())
      const mostlyGood = setup({ failures: false })
      yield* mostlyGood.times(7, good)
      yield* mostlyGood.times(3, down)
      assert.isTrue(yield* mostlyGood.isOpen())
      const majority = setup({ failures: false, minimumCalls: 81 })
      yield* majority.times(40, good)
      yield* majority.times(41, down)
      assert.isFalse(yield* majority.isOpen())
    })
  )
  it.effect("failures slide out of the window, whose length is an option", () =>
    Effect.gen(function* () {
      for (const [window, wait, opens] of [
        ["60 seconds", 59_000, true],
        ["60 seconds", 60_000, false],
        ["10 minutes", 60_000, true]
      ] as const) {
        const { isOpen, times } = setup({ failures: false, window })
        yield* TestClock.setTime(1000)
        yield* times(9, down)
        yield* TestClock.adjust(wait)
        yield* times(1, down)
        assert.strictEqual(!(yield* isOpen()), opens, `${window}, ${wait}`)
      }
    })
  )
  it.effect("a refused key, an exhausted quota and an unknown model do at once, for five minutes", () =>
    Effect.gen(function* () {
      for (const reply of [
        fails("Authentication", { status: 401 }),
        fails("QuotaExhausted"),
        fails("ModelNotFound", { blames: "deployment" })
      ]) {
        const { after, isOpen, status } = setup()
        const now = yield* TestClock.currentTimeMillis
        yield* after(reply)
        assert.deepStrictEqual(yield* status(), closed("cooldown", now + 300_000))
        yield* TestClock.adjust(299_999)
        assert.isFalse(yield* isOpen())
        yield* TestClock.adjust(1)
        assert.isTrue(yield* isOpen())
      }
    })
  )
  it.effect("a not found that blames nobody counts, unless another request succeeded there within the minute", () =>
    Effect.gen(function* () {
      const doubtful = fails("ModelNotFound", { status: 404 })
      const wrong = setup()
      yield* wrong.times(4, doubtful)
      assert.isTrue(yield* wrong.isOpen())
      yield* wrong.times(1, doubtful)
      assert.isFalse(yield* wrong.isOpen(), "five in a row, as any other failure")
      const right = setup()
      yield* right.after(good)
      yield* right.times(20, doubtful)
      assert.deepInclude(yield* right.inspect(), { circuit: "closed", consecutiveFailures: 0 })
      yield* TestClock.adjust("59 seconds")
      yield* right.times(20, doubtful)
      assert.isTrue(yield* right.isOpen())
      yield* TestClock.adjust("1 second")
      yield* right.times(5, doubtful)
      assert.isFalse(yield* right.isOpen(), "a minute without a success")
    })
  )
  it.effect("what blames the request says nothing about the deployment, however often it comes", () =>
    Effect.gen(function* () {
      const { after, inspect, isOpen, times } = setup()
      yield* times(20, fails("Unavailable", { status: 404, blames: "request", retryAfter: 30_000 }))
      assert.deepInclude(yield* inspect(), { circuit: "closed", consecutiveFailures: 0 })
      assert.isTrue(yield* isOpen())
      assert.isTrue(Either.isRight(yield* after(good)), "plain calls are answered")
    })
  )
  it.effect("allowedFails 0: the first failure of that reason does, others go by the usual rules", () =>
    Effect.gen(function* () {
      const { after, isOpen } = setup({ allowedFails: { RateLimited: 0 } })
      yield* after(down)
      assert.isTrue(yield* isOpen())
      yield* after(fails("RateLimited"))
      assert.isFalse(yield* isOpen())
    })
  )
  it.effect("allowedFails 100: the 101st in the window does, and no other rule looks at that reason", () =>
    Effect.gen(function* () {
      const { isOpen, times } = setup({ allowedFails: { RateLimited: 100, Authentication: 1 } })
      yield* times(100, fails("RateLimited"))
      yield* times(1, fails("Authentication", { status: 401 }))
      assert.isTrue(yield* isOpen())
      yield* times(1, fails("RateLimited"))
      assert.isFalse(yield* isOpen())
    })
  )
  it.effect("a bad request never does, not even with allowedFails 0", () =>
    Effect.gen(function* () {
      const { isOpen, slot, times } = setup({ allowedFails: { InvalidRequest: 0 } })
      const strict = StubLlm.slot("b", { allowedFails: 0 })
      yield* times(20, fails("InvalidRequest", { status: 400 }))
      yield* times(20, fails("InvalidRequest", { status: 400 }), { slot: strict })
      assert.isTrue((yield* isOpen(slot)) && (yield* isOpen(strict)))
    })
  )
  it.effect("litellm-rs' rule can be said: three failures this minute, of at least ten calls", () =>
    Effect.gen(function* () {
      const { isOpen, times } = setup({ failures: false, failureRate: false, windowFailures: 3, minimumCalls: 10 })
      yield* times(3, down)
      assert.isTrue(yield* isOpen())
      yield* times(6, good)
      assert.isTrue(yield* isOpen())
      yield* times(1, down)
      assert.isFalse(yield* isOpen())
    })
  )
  it.effect("nothing does when cooldown is 0, for one deployment or for all", () =>
    Effect.gen(function* () {
      const one = setup()
      const never = StubLlm.slot("never", { cooldown: 0 })
      yield* one.times(20, down, { slot: never })
      yield* one.times(1, fails("Authentication", { status: 401 }), { slot: never })
      assert.isTrue(yield* one.isOpen(never))
      const all = setup({ duration: 0 })
      yield* all.times(20, down)
      assert.isTrue(yield* all.isOpen())
      const exempted = StubLlm.slot("b", { cooldown: "1 second" })
      yield* all.times(5, down, { slot: exempted })
      assert.isFalse(yield* all.isOpen(exempted))
    })
  )
  it.effect("a deployment's own cooldown and allowedFails come first", () =>
    Effect.gen(function* () {
      const { isOpen, status, times } = setup({ allowedFails: { Unavailable: 50 } })
      const slot = StubLlm.slot("own", { cooldown: "42 seconds", allowedFails: 2 })
      yield* times(2, down, { slot })
      assert.isTrue(yield* isOpen(slot))
      yield* times(1, down, { slot })
      assert.deepStrictEqual(yield* status(slot), closed("cooldown", 42_000))
      const tolerant = StubLlm.slot("tolerant", { allowedFails: 100 })
      yield* times(100, down, { slot: tolerant })
      assert.isTrue(yield* isOpen(tolerant))
    })
  )
  it.effect("of two deployments of one model only the bad one cools", () =>
    Effect.gen(function* () {
      const { after, isOpen, slot } = setup()
      const other = StubLlm.slot("b")
      for (let i = 0; i < 10; i++) {
        yield* after(down)
        yield* after(good, { slot: other })
      }
      assert.deepStrictEqual([yield* isOpen(slot), yield* isOpen(other)], [false, true])
    })
  )
  it.effect("callers that leave never do: an interrupted call says nothing", () =>
    Effect.gen(function* () {
      const { inspect, isOpen, send, stub } = setup({ failures: 1 })
      stub.reply({ hang: true })
      for (let i = 0; i < 10; i++) {
        const fiber = yield* Effect.fork(send())
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
      }
      stub.reply({ chunks: ["a", "b"], gap: 1000 })
      const response = yield* send({ stream: true })
      if (response._tag === "Streaming") response.events.close()
      assert.isTrue(yield* isOpen())
      assert.strictEqual((yield* inspect()).health, "Unknown")
      assert.strictEqual(stub.inFlight(), 0)
    })
  )
})

describe("a caller's own key", () => {
  it.effect("closes nothing for others, whatever the provider says about it", () =>
    Effect.gen(function* () {
      const { inspect, isOpen, times } = setup({ failures: 1 })
      for (const headers of [{ Authorization: "Bearer mine" }, { "X-Api-Key": "mine" }]) {
        yield* times(1, fails("Authentication", { status: 401 }), { headers })
        yield* times(5, fails("Authentication", { status: 403 }), { headers })
        yield* times(1, fails("QuotaExhausted"), { headers })
        yield* times(1, fails("ModelNotFound", { blames: "deployment" }), { headers })
        yield* times(1, fails("RateLimited", { retryAfter: 30_000 }), { headers })
      }
      assert.isTrue(yield* isOpen())
      assert.strictEqual((yield* inspect()).consecutiveFailures, 0)
      yield* times(1, down, { headers: { authorization: "Bearer mine" } })
      assert.isFalse(yield* isOpen())
    })
  )
  it.effect("other headers of a caller change nothing", () =>
    Effect.gen(function* () {
      const { isOpen, times } = setup()
      yield* times(1, fails("Authentication", { status: 401 }), { headers: { "idempotency-key": "k" } })
      assert.isFalse(yield* isOpen())
    })
  )
})

describe("a cooldown that the request sets", () => {
  it.effect("beats the deployment's and the router's, for failures of that request", () =>
    Effect.gen(function* () {
      const { isOpen, slot, state, status, times } = setup()
      const own = StubLlm.slot("own", { cooldown: "42 seconds" })
      const overrides = { cooldown: 7_000 }
      for (const on of [slot, own]) {
        yield* times(4, down, { slot: on })
        assert.isTrue(yield* isOpen(on))
        yield* times(1, down, { slot: on, overrides })
        assert.deepStrictEqual(yield* status(on), closed("cooldown", 7_000))
      }
      yield* state.reset(slot)
      yield* times(5, down)
      assert.deepStrictEqual(yield* status(slot), closed("cooldown", 5_000))
    })
  )
  it.effect("opens a deployment that would never cool by itself", () =>
    Effect.gen(function* () {
      const { isOpen, status, times } = setup({ duration: 0 })
      yield* times(5, down)
      assert.isTrue(yield* isOpen())
      yield* times(1, down, { overrides: { cooldown: 7_000 } })
      assert.deepStrictEqual(yield* status(), closed("cooldown", 7_000))
    })
  )
  it.effect("of 0 makes its failures count for nothing, whatever they are", () =>
    Effect.gen(function* () {
      const { inspect, isOpen, times } = setup()
      const overrides = { cooldown: 0 }
      for (const reply of [
        down,
        fails("Authentication", { status: 401 }),
        fails("RateLimited", { retryAfter: 30_000 }),
        { chunks: ["a"], failAfter: 1, ...down }
      ]) {
        yield* times(20, reply, { overrides, stream: "chunks" in reply })
      }
      assert.isTrue(yield* isOpen())
      assert.deepInclude(yield* inspect(), { consecutiveFailures: 0, health: "Unknown" })
      yield* times(4, down)
      assert.isTrue(yield* isOpen())
      yield* times(1, down)
      assert.isFalse(yield* isOpen())
    })
  )
  it.effect("of 0 gives a probe's permit back undecided, and closes no breaker that is on trial", () =>
    Effect.gen(function* () {
      const { inspect, times, trial } = setup()
      yield* trial
      yield* times(3, down, { overrides: { cooldown: 0 } })
      assert.deepInclude(yield* inspect(), { circuit: "halfOpen", permits: 1 })
    })
  )
  it.effect("is at most the configured one where the request may only lower it", () =>
    Effect.gen(function* () {
      const { status, times } = setup()
      yield* times(5, down, { overrides: { cooldown: 1e9, lowerOnly: true } })
      assert.deepStrictEqual(yield* status(), closed("cooldown", 5_000))
      const never = StubLlm.slot("never", { cooldown: 0 })
      yield* times(9, down, { slot: never, overrides: { cooldown: 1e9, lowerOnly: true } })
      assert.strictEqual((yield* status(never))._tag, "Open")
      const other = StubLlm.slot("other")
      yield* times(5, down, { slot: other, overrides: { cooldown: 1_000, lowerOnly: true } })
      assert.deepStrictEqual(yield* status(other), closed("cooldown", 1_000))
    })
  )
})

describe("Retry-After", () => {
  it.effect("keeps a deployment out until then, and lets it back in whole, without a trial", () =>
    Effect.gen(function* () {
      const { after, inspect, isOpen, status, stub } = setup()
      yield* after(fails("RateLimited", { retryAfter: 2000 }))
      assert.deepStrictEqual(yield* status(), closed("retryAfter", 2000, "limit"))
      assert.strictEqual(rejection(yield* after(good)).retryAfter, 2000)
      rejection(yield* after(good, { forced: true }))
      assert.strictEqual(stub.calls.length, 1)
      yield* TestClock.adjust(2000)
      assert.isTrue(yield* isOpen())
      assert.strictEqual((yield* inspect()).circuit, "closed")
      assert.strictEqual((yield* inspect()).trips, 0)
    })
  )
  it.effect("is obeyed up to 60 s, plus up to a tenth by chance", () =>
    Effect.gen(function* () {
      const { after, status } = setup({}, () => 0.5)
      yield* after(fails("RateLimited", { retryAfter: 3_600_000 }))
      assert.deepStrictEqual(yield* status(), closed("retryAfter", 63_000, "limit"))
    })
  )
  it.effect("is never shortened, and extended by a longer one that comes later", () =>
    Effect.gen(function* () {
      const { send, status, stub } = setup()
      const waits = [10_000, 3000, 30_000]
      stub.reply(({ index }) => ({
        delay: 1000 * (index + 1),
        ...fails("RateLimited", { retryAfter: waits[index] ?? 0 })
      }))
      const fibers = yield* Effect.forEach(waits, () => Effect.fork(Effect.exit(send())))
      const seen: Array<Status> = []
      for (const fiber of fibers) {
        yield* TestClock.adjust(1000)
        yield* Fiber.join(fiber)
        seen.push(yield* status())
      }
      assert.deepStrictEqual(seen, [
        closed("retryAfter", 11_000, "limit"),
        closed("retryAfter", 11_000, "limit"),
        closed("retryAfter", 33_000, "limit")
      ])
    })
  )
  it.effect("does not escalate", () =>
    Effect.gen(function* () {
      const { after, status } = setup({ failures: false, failureRate: false })
      for (let i = 0; i < 20; i++) {
        yield* after(fails("RateLimited", { retryAfter: 1000 }))
        const now = yield* TestClock.currentTimeMillis
        assert.deepStrictEqual(yield* status(), closed("retryAfter", now + 1000, "limit"))
        yield* TestClock.adjust(1000)
      }
    })
  )
  it.effect("counts as a failure all the same; beside a cooldown, the deployment is out until both are over", () =>
    Effect.gen(function* () {
      const { after, isOpen, status, times } = setup()
      yield* times(4, down)
      yield* after(fails("RateLimited", { retryAfter: 2000 }))
      assert.deepStrictEqual(yield* status(), closed("retryAfter", 5000, "limit"))
      yield* TestClock.adjust(2000)
      assert.deepStrictEqual(yield* status(), closed("cooldown", 5000))
      yield* TestClock.adjust(3000)
      yield* after(fails("Unavailable", { retryAfter: 30_000 }))
      assert.deepStrictEqual(yield* status(), closed("outage", 35_000, "failure"))
      yield* TestClock.adjust(29_999)
      assert.isFalse(yield* isOpen())
      yield* TestClock.adjust(1)
      assert.isTrue(yield* isOpen())
    })
  )
  it.effect("of a call that began before the breaker opened is heard, though its failure is not", () =>
    Effect.gen(function* () {
      const { inspect, send, status, stub, times } = setup()
      stub.reply({ delay: 1000, ...fails("RateLimited", { retryAfter: 30_000 }) })
      const late = yield* Effect.fork(Effect.exit(send()))
      yield* Effect.yieldNow()
      yield* times(5, down)
      yield* TestClock.adjust(1000)
      yield* Fiber.join(late)
      assert.deepStrictEqual(yield* status(), closed("retryAfter", 31_000, "limit"))
      assert.strictEqual((yield* inspect()).trips, 1)
    })
  )
})

describe("half-open", () => {
  it.effect("a cooldown holds until its very end, and then the deployment is on trial", () =>
    Effect.gen(function* () {
      const { inspect, isOpen, times } = setup()
      yield* times(5, down)
      yield* TestClock.adjust(2500)
      assert.isFalse(yield* isOpen())
      yield* TestClock.adjust(2499)
      assert.isFalse(yield* isOpen())
      yield* TestClock.adjust(1)
      assert.isTrue(yield* isOpen())
      const view = yield* inspect()
      assert.deepStrictEqual([view.health, view.circuit, view.permits], ["Degraded", "halfOpen", 1])
    })
  )
  it.effect("of 1,000 callers at once exactly one is let through, the others are turned away", () =>
    Effect.gen(function* () {
      const { events, inspect, send, status, stub, trial } = setup()
      yield* trial
      const before = stub.calls.length
      stub.reply({ delay: 100 })
      const fibers = yield* Effect.forEach(Array.from({ length: 1000 }), () => Effect.fork(Effect.either(send())))
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(yield* status(), busy("probing", undefined, "failure"))
      yield* TestClock.adjust(50)
      const results = yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(stub.calls.length - before, 1)
      assert.strictEqual(results.filter(Either.isRight).length, 1)
      for (const result of results) if (Either.isLeft(result)) rejection(result)
      assert.strictEqual((yield* inspect()).permits, 2)
      assert.deepStrictEqual(tags(events), ["CooldownOpened", "CooldownHalfOpen"])
    })
  )
  it.effect("the third success in a row makes it healthy, and each one before widens the permits", () =>
    Effect.gen(function* () {
      const { after, inspect, trial } = setup()
      yield* trial
      const seen: Array<unknown> = []
      for (let i = 0; i < 3; i++) {
        yield* after(good)
        const { circuit, health, permits } = yield* inspect()
        seen.push([health, circuit, permits])
      }
      assert.deepStrictEqual(seen, [
        ["Degraded", "halfOpen", 2],
        ["Degraded", "halfOpen", 3],
        ["Healthy", "closed", 0]
      ])
    })
  )
  it.effect("a failure re-opens it for longer, and the successes have to start again", () =>
    Effect.gen(function* () {
      const { after, inspect, status, times, trial } = setup()
      yield* trial
      yield* times(2, good)
      yield* after(down)
      assert.deepStrictEqual(yield* status(), closed("cooldown", 15_000))
      yield* TestClock.setTime(15_000)
      yield* times(2, good)
      assert.strictEqual((yield* inspect()).health, "Degraded")
      yield* after(good)
      assert.strictEqual((yield* inspect()).health, "Healthy")
    })
  )
  it.effect("a healthy deployment that fails once is degraded until its third success", () =>
    Effect.gen(function* () {
      const { after, inspect } = setup()
      const seen: Array<string> = []
      for (const reply of [good, down, good, good, good]) {
        yield* after(reply)
        seen.push((yield* inspect()).health)
      }
      assert.deepStrictEqual(seen, ["Healthy", "Degraded", "Degraded", "Degraded", "Healthy"])
    })
  )
  it.effect("a probe whose caller leaves gives its permit back, before and after the response began", () =>
    Effect.gen(function* () {
      const { inspect, isOpen, send, stub, trial } = setup()
      yield* trial
      stub.reply({ hang: true })
      const fiber = yield* Effect.fork(send())
      yield* Effect.yieldNow()
      assert.strictEqual((yield* inspect()).permits, 0)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual((yield* inspect()).permits, 1)
      stub.reply({ firstToken: 1000 })
      const response = yield* send({ stream: true })
      assert.isFalse(yield* isOpen())
      if (response._tag === "Streaming") response.events.close()
      const view = yield* inspect()
      assert.deepStrictEqual([view.permits, view.consecutiveSuccesses, view.circuit], [1, 0, "halfOpen"])
    })
  )
  it.effect("a probe that ends in an error of the request, or of a limit below, gives its permit back undecided", () =>
    Effect.gen(function* () {
      const { after, inspect, trial } = setup()
      yield* trial
      for (const reason of ["InvalidRequest", "Rejected", "ContextWindowExceeded"] as const) {
        yield* after(fails(reason))
        const view = yield* inspect()
        assert.deepStrictEqual([view.permits, view.consecutiveSuccesses, view.circuit], [1, 0, "halfOpen"])
      }
    })
  )
  it.effect("a probe that dies of a defect re-opens it", () =>
    Effect.gen(function* () {
      const { inspect, send, stub, trial } = setup()
      yield* trial
      stub.reply({ defect: "bug" })
      yield* Effect.exit(send())
      assert.strictEqual((yield* inspect()).circuit, "open")
    })
  )
  it.effect("a streamed probe is decided at its first content: a long answer does not put off the recovery", () =>
    Effect.gen(function* () {
      const { inspect, send, stub, trial } = setup()
      yield* trial
      stub.reply({ chunks: ["a", "b"], firstToken: 1000, gap: 600_000 })
      yield* send({ stream: true })
      yield* TestClock.adjust(999)
      assert.strictEqual((yield* inspect()).permits, 0)
      yield* TestClock.adjust(1)
      const view = yield* inspect()
      assert.deepStrictEqual([view.permits, view.consecutiveSuccesses], [2, 1])
      yield* send({ stream: true })
      yield* send({ stream: true })
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* inspect()).health, "Healthy")
      yield* TestClock.adjust(600_000)
      assert.strictEqual(stub.inFlight(), 0)
      assert.strictEqual((yield* inspect()).health, "Healthy")
    })
  )
  it.effect("a streamed probe that fails before its first content re-opens it", () =>
    Effect.gen(function* () {
      const { inspect, send, stub, trial } = setup()
      yield* trial
      stub.reply({ firstToken: 1000, failAfter: 0, ...down })
      yield* send({ stream: true })
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* inspect()).circuit, "open")
    })
  )
  it.effect("k permits let k calls through at once", () =>
    Effect.gen(function* () {
      const { send, stub, trial } = setup({ permits: 3 })
      yield* trial
      const before = stub.calls.length
      stub.reply({ hang: true })
      const fibers = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.fork(Effect.either(send())))
      yield* Effect.yieldNow()
      assert.strictEqual(stub.calls.length - before, 3)
      yield* Fiber.interruptAll(fibers)
    })
  )
  it.effect("a call from before the trip that succeeds late does not help, nor does one that fails late harm", () =>
    Effect.gen(function* () {
      const { inspect, send, stub, times } = setup()
      stub.reply({ delay: 5500 })
      const success = yield* Effect.fork(Effect.exit(send()))
      yield* Effect.yieldNow()
      stub.reply({ delay: 5600, ...down })
      const failure = yield* Effect.fork(Effect.exit(send()))
      yield* Effect.yieldNow()
      yield* times(5, down)
      yield* TestClock.setTime(5000)
      yield* times(1, good)
      const before = yield* inspect()
      yield* TestClock.setTime(6000)
      yield* Fiber.join(success)
      yield* Fiber.join(failure)
      assert.deepStrictEqual(yield* inspect(), before)
    })
  )
})

describe("a forced attempt", () => {
  it.effect("passes a cooldown, and its success counts as one of the recovery", () =>
    Effect.gen(function* () {
      const { after, inspect, isOpen, stub, times } = setup()
      yield* times(5, down)
      yield* after(down, { forced: true })
      assert.strictEqual(stub.calls.length, 6)
      assert.isFalse(yield* isOpen())
      yield* after(good, { forced: true })
      const view = yield* inspect()
      assert.deepStrictEqual([view.health, view.consecutiveSuccesses, view.permits], ["Degraded", 1, 2])
      yield* times(2, good)
      assert.strictEqual((yield* inspect()).health, "Healthy")
    })
  )
  it.effect("passes a trial whose permits are all out, and takes none", () =>
    Effect.gen(function* () {
      const { after, inspect, send, stub, trial } = setup()
      yield* trial
      stub.reply({ hang: true })
      const probe = yield* Effect.fork(send())
      yield* Effect.yieldNow()
      rejection(yield* after(good))
      assert.isTrue(Either.isRight(yield* after(good, { forced: true })))
      assert.strictEqual((yield* inspect()).permits, 1)
      yield* Fiber.interrupt(probe)
      assert.strictEqual((yield* inspect()).permits, 2)
    })
  )
  it.effect("does not pass an isolation or failing health probes", () =>
    Effect.gen(function* () {
      const { after, slot, state, stub } = setup()
      yield* state.isolate(slot)
      rejection(yield* after(good, { forced: true }))
      yield* state.release(slot)
      state.of(slot).probeFailed("Timeout", 0)
      rejection(yield* after(good, { forced: true }))
      assert.strictEqual(stub.calls.length, 0)
    })
  )
})

describe("by hand", () => {
  it.effect("an isolated deployment takes no calls until it is released, by slot or by id", () =>
    Effect.gen(function* () {
      const { after, events, inspect, send, slot, state, status, stub } = setup()
      stub.reply({ delay: 1000 })
      const running = yield* Effect.fork(send())
      yield* Effect.yieldNow()
      yield* state.isolate(slot)
      yield* state.isolate("a")
      assert.deepStrictEqual(yield* status(), closed("isolated", undefined, "operator"))
      assert.deepStrictEqual(state.isolated(), ["a"])
      const view = yield* inspect()
      assert.deepStrictEqual([view.isolated, view.blockedBy, view.until], [true, "isolated", undefined])
      rejection(yield* after(good))
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* Fiber.join(running))._tag, "Complete")
      yield* state.release("a")
      yield* state.release("a")
      assert.isTrue(Either.isRight(yield* after(good)))
      assert.deepStrictEqual(tags(events), ["DeploymentIsolated", "DeploymentReleased"])
    })
  )
  it.effect("an id is isolated before its deployment exists; a release ends no cooldown", () =>
    Effect.gen(function* () {
      const { slot, state, status, times } = setup()
      yield* state.isolate("later")
      assert.deepStrictEqual(yield* status(StubLlm.slot("later")), closed("isolated", undefined, "operator"))
      yield* times(5, down)
      yield* state.isolate(slot)
      yield* state.release(slot)
      assert.deepStrictEqual(yield* status(), closed("cooldown", 5000))
    })
  )
  it.effect(
    "an operator may put a deployment into cooldown and end one; it comes back on trial, as after failures",
    () =>
      Effect.gen(function* () {
        const { inspect, isOpen, slot, state, status, times } = setup()
        yield* state.cool(slot, "1 minute")
        assert.deepStrictEqual(yield* status(), closed("cooldown", 60_000))
        assert.strictEqual((yield* inspect()).reason, "manual")
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* inspect()).circuit, "halfOpen")
        yield* times(3, good)
        yield* times(1, fails("Authentication", { status: 401 }))
        assert.isFalse(yield* isOpen())
        yield* state.reset(slot)
        assert.isTrue(yield* isOpen())
      })
  )
})

describe("status", () => {
  it.effect("is the worse of its own and the inner service's", () =>
    Effect.gen(function* () {
      const { slot, state, status, stub, times } = setup()
      stub.setStatus(busy("rpm", 9000))
      assert.deepStrictEqual(yield* status(), busy("rpm", 9000))
      yield* times(5, down)
      assert.deepStrictEqual(yield* status(), closed("cooldown", 5000))
      stub.setStatus(closed("elsewhere"))
      assert.deepStrictEqual(yield* status(), closed("elsewhere"))
      stub.setStatus({ _tag: "Open" })
      yield* state.isolate(slot)
      assert.deepStrictEqual(yield* status(), closed("isolated", undefined, "operator"))
    })
  )
  it.effect("changes nothing, however often it is read", () =>
    Effect.gen(function* () {
      const { events, inspect, status, trial } = setup()
      yield* trial
      const before = yield* inspect()
      for (let i = 0; i < 100; i++) yield* status()
      assert.deepStrictEqual(yield* inspect(), before)
      assert.deepStrictEqual(tags(events), ["CooldownOpened"])
    })
  )
  it.effect("a deployment whose configuration changes keeps its cooldown", () =>
    Effect.gen(function* () {
      const { isOpen, slot, times } = setup()
      yield* times(5, down)
      assert.isFalse(yield* isOpen(slot.withDeployment(StubLlm.deployment("a", { weight: 9 }))))
    })
  )
})

describe("events", () => {
  it.effect("tell the whole story of one outage, each step once", () =>
    Effect.gen(function* () {
      const { after, events, times, trial } = setup()
      yield* trial
      yield* after(down)
      yield* TestClock.setTime(15_000)
      yield* times(4, good)
      assert.deepStrictEqual(events, [
        { _tag: "CooldownOpened", at: 0, deployment: "a", reason: "Unavailable", until: 5000 },
        { _tag: "CooldownHalfOpen", at: 5000, deployment: "a" },
        { _tag: "CooldownOpened", at: 5000, deployment: "a", reason: "Unavailable", until: 15_000 },
        { _tag: "CooldownHalfOpen", at: 15_000, deployment: "a" },
        { _tag: "CooldownClosed", at: 15_000, deployment: "a" }
      ])
    })
  )
})

describe("below the balancer", () => {
  const build = (
    deployments: ReadonlyArray<{ readonly id: string; readonly group?: string; readonly model?: string }>
  ) =>
    Effect.gen(function* () {
      const { service, state, stub } = setup()
      const registry = yield* DeploymentRegistry.make({
        deployments: deployments.map((config) => ({ group: "m", model: "m", ...config }))
      })
      // Always the first that is open.
      const strategy = {
        name: "first",
        select: (candidates: Candidates) => {
          for (let i = 0; i < candidates.size; i++) if (candidates.isOpen(i)) return i
          return -1
        }
      }
      const balancer = Balancer.make({ registry, strategy, stats: DeploymentStats.make() })(service)
      const calls = (id: string) => stub.calls.filter((call) => call.deployment === id).length
      return { balancer, calls, registry, state, stub }
    })
  const chat = LlmRequest.chat(body)

  it.effect("in an outage the primary of a group with a fallback is asked until it opens, and then only on trial", () =>
    Effect.gen(function* () {
      const { balancer, calls, stub } = yield* build([{ id: "primary" }])
      stub.reply(down)
      const request = { ...chat, route: { ...chat.route, lastResort: false } }
      for (let second = 0; second < 60; second++) {
        for (let i = 0; i < 10; i++) yield* Effect.exit(balancer.call(request))
        yield* TestClock.adjust(1000)
      }
      // Five to open it, then one each at 5, 15, 35 and 55 seconds.
      assert.strictEqual(calls("primary"), 9)
    })
  )
  it.effect("the only deployment in the last place to go stays in use through any number of failures", () =>
    Effect.gen(function* () {
      const { balancer, calls, stub } = yield* build([{ id: "only" }])
      stub.reply(down)
      for (let i = 0; i < 20; i++) yield* Effect.exit(LlmService.complete(balancer, chat))
      assert.strictEqual(calls("only"), 20)
      stub.reply(good)
      yield* LlmService.complete(balancer, chat)
    })
  )
  it.effect("a wildcard is closed to the name that its provider does not have, and to no other", () =>
    Effect.gen(function* () {
      const { balancer, calls, registry, state, stub } = yield* build([
        { id: "a", group: "v/*", model: "real/*" },
        { id: "b", group: "v/*", model: "other/*" }
      ])
      const gone = fails("ModelNotFound", { blames: "deployment", status: 404 })
      stub.reply(({ deployment, request }) => (deployment === "a" && request.model === "v/none" ? gone : good))
      const ask = (model: string) => Effect.exit(LlmService.complete(balancer, LlmRequest.chat({ ...body, model })))
      yield* ask("v/none")
      yield* ask("v/none")
      assert.deepStrictEqual([calls("a"), calls("b")], [1, 1], "the next one passes it over")
      yield* ask("v/some")
      assert.deepStrictEqual([calls("a"), calls("b")], [2, 1])
      const slot = registry.slot("a") as Slot
      assert.strictEqual(state.inspect(slot, 0).circuit, "closed")
      yield* TestClock.adjust("5 minutes")
      yield* ask("v/none")
      assert.deepStrictEqual([calls("a"), calls("b")], [3, 1], "after five minutes it is asked again")
      stub.reply(good)
      yield* TestClock.adjust("5 minutes")
      yield* ask("v/none")
      yield* ask("v/none")
      assert.deepStrictEqual([calls("a"), calls("b")], [5, 1], "and it has it now")
    })
  )
  it.effect("any number of names that no provider has is forgotten again, oldest first", () =>
    Effect.gen(function* () {
      const { balancer, calls, stub } = yield* build([
        { id: "a", group: "v/*", model: "real/*" },
        { id: "b", group: "v/*", model: "other/*" }
      ])
      stub.reply(({ deployment }) =>
        deployment === "a" ? fails("ModelNotFound", { blames: "deployment", status: 404 }) : good
      )
      const ask = (n: number) => Effect.exit(balancer.call(LlmRequest.chat({ ...body, model: `v/${n}` })))
      for (let n = 0; n <= 1_000; n++) yield* ask(n)
      const before = calls("a")
      yield* ask(1_000)
      assert.strictEqual(calls("a"), before)
      yield* ask(0)
      assert.strictEqual(calls("a"), before + 1)
    })
  )
  it.effect("who loses the race for the permit is served by another deployment", () =>
    Effect.gen(function* () {
      const { balancer, calls, registry, state, stub } = yield* build([{ id: "a" }, { id: "b" }])
      const slot = registry.slot("a")
      if (slot !== undefined) yield* state.cool(slot, 1000)
      yield* TestClock.adjust(1000)
      stub.reply({ delay: 10 })
      const fibers = yield* Effect.forEach(Array.from({ length: 50 }), () =>
        Effect.fork(LlmService.complete(balancer, chat))
      )
      yield* TestClock.adjust(10)
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual([calls("a"), calls("b")], [1, 49])
    })
  )
  it.effect("two deployments that fail in one request are both counted", () =>
    Effect.gen(function* () {
      const { balancer, registry, state, stub } = yield* build([{ id: "a" }, { id: "b" }])
      stub.reply(down)
      const request = LlmRequest.begin(chat, 0)
      yield* Effect.exit(balancer.call(request))
      yield* Effect.exit(
        balancer.call({ ...request, route: Route.avoid(request.route, (registry.slots()[0] as Slot).id) })
      )
      assert.deepStrictEqual(
        registry.slots().map((slot) => state.inspect(slot, 0).consecutiveFailures),
        [1, 1]
      )
    })
  )
  it.effect("when all are closed the error says why and for how long", () =>
    Effect.gen(function* () {
      const { balancer, stub } = yield* build([{ id: "a" }, { id: "b" }])
      stub.reply(fails("RateLimited", { retryAfter: 3000 }))
      yield* Effect.exit(balancer.call(chat))
      stub.reply(fails("Authentication", { status: 401 }))
      yield* Effect.exit(balancer.call(chat))
      const error = yield* Effect.flip(balancer.call(chat))
      assert.strictEqual(error.reason, "NoDeployment")
      assert.strictEqual(error.retryAfter, 3000)
      assert.deepStrictEqual(error.blocked, [
        { deployment: "a", reason: "retryAfter", cause: "limit", retryAfter: 3000 },
        { deployment: "b", reason: "cooldown", cause: "failure", retryAfter: 300_000 }
      ])
    })
  )
})

describe("no permit is lost", () => {
  const replies: ReadonlyArray<StubLlm.Reply> = [
    good,
    down,
    fails("InvalidRequest"),
    fails("QuotaExhausted"),
    { hang: true },
    { defect: "bug" },
    { chunks: ["a", "b"], failAfter: 1, ...down },
    { failAfter: 0, ...down },
    { stallAfter: 0 },
    { stallAfter: 1 }
  ]
  const undecided = [fails("InvalidRequest"), { hang: true }, { stallAfter: 0 }]
  const yields = (n: number) => Effect.repeatN(Effect.yieldNow(), n)
  /** A scheduler that lets a fiber be interrupted where `yieldsAt` says so, counting its operations. */
  const yielding = (yieldsAt: (operation: number) => boolean): Scheduler.Scheduler => {
    let operation = 0
    return {
      shouldYield: () => (yieldsAt(operation++) ? 0 : false),
      scheduleTask: (task, priority) => Scheduler.defaultScheduler.scheduleTask(task, priority)
    }
  }

  it.effect("when a probe is interrupted, between whichever two of its operations", () =>
    Effect.gen(function* () {
      for (const reply of replies) {
        for (const stream of [false, true]) {
          for (let operation = 0; operation < 60; operation++) {
            const { attempts, inspect, send, slot, state, stub } = setup()
            yield* state.cool(slot, 0)
            stub.reply(reply)
            const scheduler = yielding((at) => at === operation)
            const fiber = yield* Effect.fork(Effect.withScheduler(Effect.exit(send({ stream })), scheduler))
            yield* Effect.yieldNow()
            yield* Fiber.interrupt(fiber)
            for (const attempt of attempts) attempt.release()
            yield* yields(5)
            const { circuit, consecutiveSuccesses, permits } = yield* inspect()
            const where = `${JSON.stringify(reply)}, stream ${stream}, operation ${operation}`
            assert.strictEqual(stub.inFlight(), 0, where)
            if (circuit === "halfOpen") assert.strictEqual(permits, 1 + consecutiveSuccesses, where)
            else assert.strictEqual(circuit, "open", where)
          }
        }
      }
    })
  )
  it.effect("over random schedules of calls, interruptions and operators", () =>
    Effect.gen(function* () {
      let trials = 0
      for (let seed = 0; seed < cases(100); seed++) {
        yield* Effect.gen(function* () {
          const { attempts, inspect, send, slot, state, stub, times } = setup({ permits: 2 })
          const random = yield* uniform
          const pick = <A>(from: ReadonlyArray<A>): A => from[Math.floor(random() * from.length)] as A
          const scheduler = yielding(() => random() < 0.02)
          const fibers: Array<Fiber.Fiber<unknown>> = []
          for (let i = 0; i < 30; i++) {
            if (i % 10 === 0) {
              yield* state.reset(slot)
              yield* state.cool(slot, 0)
            }
            stub.reply(random() < 0.1 ? pick(replies) : pick(undecided))
            const call = send({ stream: random() < 0.5, forced: random() < 0.1 })
            fibers.push(yield* Effect.fork(Effect.withScheduler(Effect.exit(call), scheduler)))
            yield* yields(Math.floor(random() * 10))
            if (random() < 0.5) yield* Fiber.interruptFork(pick(fibers))
          }
          yield* Fiber.interruptAll(fibers)
          for (const attempt of attempts) attempt.release()
          yield* yields(10)
          const { circuit, consecutiveSuccesses, permits } = yield* inspect()
          if (circuit !== "halfOpen") return
          trials++
          assert.strictEqual(permits, 2 + consecutiveSuccesses, `seed ${seed}`)
          yield* times(3, good)
          assert.strictEqual((yield* inspect()).health, "Healthy", `seed ${seed}`)
        }).pipe(Effect.withRandom(Random.make(seed)))
      }
      assert.isAbove(trials, cases(20))
    })
  )
})
