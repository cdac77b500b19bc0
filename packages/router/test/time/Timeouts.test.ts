import { assert, describe, it } from "@effect/vitest"
import { Attempt } from "@switchyard/core/Attempt"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import { EventQueue } from "@switchyard/core/EventQueue"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as Service from "@switchyard/core/Service"
import { closed } from "@switchyard/core/Status"
import { nowMs } from "@switchyard/core/Time"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Cause, Duration, Effect, Exit, Fiber, FiberId, FiberRef, Layer, Option, Runtime, TestClock } from "effect"
import * as FaultInjection from "../../src/drills/FaultInjection.js"
import * as Timeouts from "../../src/time/Timeouts.js"
import { timersOf } from "../../src/time/timers.js"
import { type Dice, forSeeds, VirtualTime } from "../support/schedules.js"

interface Given {
  readonly stream?: boolean
  readonly body?: object
  readonly overrides?: LlmRequest.RequestOverrides
  readonly deployment?: Partial<DeploymentConfig>
  /** Another deployment could be asked instead; default true. */
  readonly alternative?: boolean
  readonly lastResort?: boolean
  readonly deadline?: number
  readonly attemptBudget?: number
}

const attempt = (given: Given = {}): Attempt => {
  const request = LlmRequest.chat(
    { model: "m", messages: [{ role: "user", content: "Hi" }], stream: given.stream ?? false, ...given.body },
    { overrides: given.overrides ?? {} }
  )
  const route = {
    ...request.route,
    lastResort: given.lastResort ?? true,
    deadline: given.deadline ?? Number.POSITIVE_INFINITY,
    attemptBudget: given.attemptBudget ?? request.route.attemptBudget
  }
  const on = StubLlm.slot("a", given.deployment)
  return new Attempt(1, { ...request, route }, on, 0, given.alternative ?? true, false)
}

const waiting = Effect.zipWith(Effect.clock, Effect.runtime<never>(), (clock, runtime) => timersOf(clock, runtime).size)

/** Runs a call, lets the time go by step by step, and tells what it failed with and when. */
const failsAt = (
  call: Service.Call,
  within = 700_000
): Effect.Effect<{ readonly at: number; readonly error: LlmError }> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const begin = nowMs(clock)
    const fiber = yield* Effect.fork(Effect.map(Effect.flip(call), (error) => ({ at: nowMs(clock) - begin, error })))
    yield* TestClock.adjust(within)
    const exit = fiber.unsafePoll()
    if (exit === null) return assert.fail("nothing ended the call")
    return Exit.isSuccess(exit) ? exit.value : assert.fail(Cause.pretty(exit.cause))
  })

const timedOut = (given: Given, options: Timeouts.Options = {}, reply: StubLlm.Reply = { hang: true }) =>
  Effect.map(failsAt(Timeouts.make(options)(StubLlm.make(reply).attempts).call(attempt(given))), ({ at, error }) => {
    assert.strictEqual(error.reason, "Timeout")
    return `${error.phase} ${error.bound} ${at}`
  })

/** The rest of a stream, read without a pause. */
const drain = (response: LlmResponse): Effect.Effect<number, LlmError> => {
  if (response._tag !== "Streaming") return assert.fail("no stream")
  const { events } = response
  const go = (sum: number): Effect.Effect<number, LlmError> =>
    Effect.flatMap(events.pull, (batch) => (batch.length === 0 ? Effect.succeed(sum) : go(sum + batch.length)))
  return go(0)
}

const readAll = (call: Service.Call) => Effect.flatMap(call, drain)

const openEvents = (given: Attempt): Effect.Effect<EventQueue> =>
  Effect.map(Effect.clock, (clock) => {
    const events = new EventQueue({ clock, startedAt: nowMs(clock), estimateInputTokens: () => 1, deployment: "a" })
    given.adopt(events)
    return events
  })

const streaming = (of: Attempt, events: EventQueue): LlmResponse => ({
  _tag: "Streaming",
  status: 200,
  headers: {},
  events,
  journal: of.request.route.journal
})

const delta = (given: object, finish: string | null = null) => {
  const json = { choices: [{ index: 0, delta: given, finish_reason: finish }] }
  return { data: JSON.stringify(json), json }
}

describe("the total of one attempt", () => {
  it.effect("has no bound of its own by default", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ delay: "3 hours" })
      const fiber = yield* Effect.fork(Timeouts.make()(stub.attempts).call(attempt()))
      yield* TestClock.adjust("3 hours")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Complete")
    })
  )
  it.effect("is the request's, else the deployment's, else the router's", () =>
    Effect.gen(function* () {
      const all = { overrides: { timeout: 100 }, deployment: { timeout: 200 } }
      assert.strictEqual(yield* timedOut(all, { total: 300 }), "total request 100")
      assert.strictEqual(yield* timedOut({ deployment: { timeout: 200 } }, { total: 300 }), "total deployment 200")
      assert.strictEqual(yield* timedOut({}, { total: "300 millis" }), "total deployment 300")
    })
  )
  it.effect("a longer one of the request beats a shorter one of the deployment", () =>
    Effect.gen(function* () {
      const given = { overrides: { timeout: 900 }, deployment: { timeout: 200 } }
      assert.strictEqual(yield* timedOut(given), "total deployment 900")
    })
  )
  it.effect("also ends a stream that is busy, after content as StreamInterrupted", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ chunks: Array.from({ length: 100 }, () => "x"), gap: 10 })
      const call = Timeouts.make({ streamTotal: 55 })(stub.attempts).call(attempt({ stream: true }))
      const { at, error } = yield* failsAt(Effect.zipRight(readAll(call), Effect.never))
      assert.strictEqual(at, 55)
      assert.deepInclude(error.data, { reason: "StreamInterrupted", interruptedBy: "Timeout", phase: "total" })
      assert.strictEqual(stub.inFlight(), 0)
    })
  )
  it.effect(
    "of a stream is the deployment's for streams, then the router's for streams, and never the one of plain calls",
    () =>
      Effect.gen(function* () {
        const totalOf = (target: object, options: Timeouts.Options, stream = true) =>
          Timeouts.totalTimeout(attempt({ stream, deployment: target }), Timeouts.bounds(options))
        const router = { total: 300, streamTotal: 400 }
        assert.strictEqual(totalOf({ timeout: 100, streamTimeout: 200 }, router), 200)
        assert.strictEqual(totalOf({ timeout: 100, streamTimeout: 200 }, router, false), 100)
        assert.strictEqual(totalOf({ timeout: 100 }, router), 400)
        assert.strictEqual(totalOf({}, router), 400)
        assert.strictEqual(totalOf({}, router, false), 300)
        assert.strictEqual(totalOf({ timeout: 100 }, { total: 300 }), Number.POSITIVE_INFINITY)
        assert.strictEqual(totalOf({ streamTimeout: Number.POSITIVE_INFINITY }, router), Number.POSITIVE_INFINITY)
        const stub = StubLlm.make({ chunks: Array.from({ length: 100 }, () => "x"), gap: 10 })
        const endless = { timeout: 55 }
        const call = Timeouts.make({ total: 55 })(stub.attempts).call(attempt({ stream: true, deployment: endless }))
        const reading = yield* Effect.fork(readAll(call))
        yield* TestClock.adjust("2 seconds")
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(reading)))
      })
  )
  it.effect("a call that ends by itself leaves no timer behind, whether well or badly", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(({ index }) => (index === 0 ? { delay: 5 } : { delay: 5, fail: unavailable }))
      const service = Timeouts.make({ total: 300 })(stub.attempts)
      const fiber = yield* Effect.fork(Effect.zip(service.call(attempt()), Effect.flip(service.call(attempt()))))
      yield* TestClock.adjust(7)
      assert.strictEqual(yield* waiting, 1)
      yield* TestClock.adjust(5)
      const [, error] = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason, "Unavailable")
      assert.strictEqual(yield* waiting, 0)
    })
  )
})

const unavailable = { reason: "Unavailable" as const, description: "down" }

describe("a service whose calls can be ended from outside", () => {
  /** Answers after `delay` ms; journal of what its calls met. */
  const service = (delay: number) => {
    const ends: Array<string> = []
    const base = Service.expiring(
      Service.attempt((of) =>
        Effect.clockWith((clock) =>
          Effect.async<LlmResponse, LlmError>((resume) => {
            of.expire = (error) => {
              ends.push("expired")
              answered.unsafeInterruptAsFork(FiberId.none)
              resume(error === undefined ? Effect.interrupt : Effect.fail(error))
            }
            const answered = Effect.runFork(
              Effect.zipRight(
                clock.sleep(Duration.millis(delay)),
                Effect.sync(() => {
                  ends.push("answered")
                  resume(StubLlm.make().attempts.call(of))
                })
              )
            )
            return Effect.sync(() => {
              ends.push("interrupted")
              answered.unsafeInterruptAsFork(FiberId.none)
            })
          })
        )
      )
    )
    return { base, ends }
  }

  it.effect("is ended when its time is up, with the same error as any other", () =>
    Effect.gen(function* () {
      const { base, ends } = service(10_000)
      const { at, error } = yield* failsAt(Timeouts.make({ total: 250 })(base).call(attempt()))
      assert.strictEqual(at, 250)
      assert.deepInclude(error.data, { reason: "Timeout", phase: "total", bound: "deployment" })
      assert.deepStrictEqual(ends, ["expired"])
    })
  )
  it.effect("promises nothing for a layer around it that was made by spread: that one's calls end in time too", () =>
    Effect.gen(function* () {
      const { base } = service(0)
      const slow: Service.AttemptService = {
        ...base,
        call: (of) => Effect.zipRight(Effect.sleep("10 seconds"), base.call(of))
      }
      const { at, error } = yield* failsAt(Timeouts.make({ total: 100 })(slow).call(attempt()))
      assert.deepStrictEqual([at, error.reason], [100, "Timeout"])
      assert.isTrue(Service.expiryOf(base)(attempt().request))
      assert.isFalse(Service.expiryOf(slow)(attempt().request))
    })
  )
  it.effect("answers in time, and leaves no timer behind", () =>
    Effect.gen(function* () {
      const { base, ends } = service(100)
      const running = yield* Effect.fork(Timeouts.make({ total: 250 })(base).call(attempt()))
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* Fiber.join(running))._tag, "Complete")
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(ends, ["answered"])
    })
  )
  it.effect("hears of a caller who leaves, once", () =>
    Effect.gen(function* () {
      const { base, ends } = service(10_000)
      const running = yield* Effect.fork(Timeouts.make({ total: 250 })(base).call(attempt()))
      yield* TestClock.adjust(100)
      yield* Fiber.interrupt(running)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(ends, ["interrupted"])
    })
  )
  it.effect("a request that asks for a fault is ended too, before its call could be", () =>
    Effect.gen(function* () {
      const { base, ends } = service(10)
      const layered = base.pipe(FaultInjection.make(), Timeouts.make({ total: 250 }))
      const given = attempt({ overrides: { fault: { delay: 5000 } } })
      const { at, error } = yield* failsAt(layered.call(given))
      assert.strictEqual(at, 250)
      assert.strictEqual(error.reason, "Timeout")
      assert.deepStrictEqual(ends, [])
    })
  )
})

describe("the request's deadline", () => {
  it.effect("is raised here, as the caller's bound, and says nothing about the deployment", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ hang: true })
      const { at, error } = yield* failsAt(Timeouts.make()(stub.attempts).call(attempt({ deadline: 250 })))
      assert.strictEqual(at, 250)
      assert.deepInclude(error.data, { reason: "Timeout", phase: "total", bound: "caller", deployment: "a" })
      assert.strictEqual(error.breaker, "neutral")
      assert.strictEqual(error.retry, "never")
    })
  )
  it.effect("that has passed fails the attempt before the provider is called", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      yield* TestClock.adjust(10)
      const error = yield* Effect.flip(Timeouts.make()(stub.attempts).call(attempt({ deadline: 10 })))
      assert.deepInclude(error.data, { reason: "Timeout", phase: "total", bound: "caller" })
      assert.strictEqual(stub.calls.length, 0)
    })
  )
  it.effect("ends a stream that is being read; the breaker stays neutral", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ chunks: ["a ", "b"], stallAfter: 1 })
      const call = Timeouts.make()(stub.attempts).call(attempt({ stream: true, deadline: 9_000 }))
      const { at, error } = yield* failsAt(Effect.zipRight(readAll(call), Effect.never))
      assert.strictEqual(at, 9_000)
      assert.deepInclude(error.data, { reason: "StreamInterrupted", interruptedBy: "Timeout", bound: "caller" })
      assert.strictEqual(error.breaker, "neutral")
    })
  )
})

describe("a bound on the attempt that the request brings", () => {
  it.effect(
    "and that is tighter than what is configured says nothing about the deployment, and others may be asked",
    () =>
      Effect.gen(function* () {
        const stub = StubLlm.make({ hang: true })
        const given = attempt({ overrides: { timeout: 1 }, deployment: { timeout: 200 } })
        const { at, error } = yield* failsAt(Timeouts.make()(stub.attempts).call(given))
        assert.deepStrictEqual([at, error.bound, error.breaker, error.retry], [1, "request", "neutral", "other"])
      })
  )
  it.effect("and that ran out no sooner than the configured ones would have is the deployment's failure", () =>
    Effect.gen(function* () {
      const stream = true
      const longer = { stream, overrides: { timeout: 900 }, deployment: { streamTimeout: 200 } }
      assert.strictEqual(yield* timedOut(longer), "total deployment 900")
      const equal = { overrides: { timeout: 200 }, deployment: { timeout: 200 } }
      assert.strictEqual(yield* timedOut(equal), "total deployment 200")
      const ofAnotherKind = { stream, overrides: { timeout: 80, firstTokenTimeout: 90 } }
      const router = { firstToken: 50, firstTokenPerThousand: 0 }
      assert.strictEqual(yield* timedOut(ofAnotherKind, router), "total deployment 80")
      assert.strictEqual(yield* timedOut({ ...ofAnotherKind, alternative: false }), "total request 80")
    })
  )
  it.effect("ends a stream in its silence, and the interruption says nothing about the deployment either", () =>
    Effect.gen(function* () {
      const silent = (overrides: LlmRequest.RequestOverrides) =>
        Effect.map(
          failsAt(
            Effect.zipRight(
              readAll(
                Timeouts.make({ idle: 60 })(StubLlm.make({ chunks: ["a ", "b"], stallAfter: 1 }).attempts).call(
                  attempt({ stream: true, overrides })
                )
              ),
              Effect.never
            )
          ),
          ({ at, error }) => `${error.reason} ${error.phase} ${error.bound} ${error.breaker} ${at}`
        )
      assert.strictEqual(yield* silent({ idleTimeout: 50 }), "StreamInterrupted idle request neutral 50")
      assert.strictEqual(yield* silent({ timeout: 50 }), "StreamInterrupted total request neutral 50")
      assert.strictEqual(yield* silent({ idleTimeout: 70 }), "StreamInterrupted idle deployment counts 70")
      assert.strictEqual(
        yield* silent({ idleTimeout: 900, timeout: 70 }),
        "StreamInterrupted total deployment counts 70"
      )
    })
  )
  it("with `lowerOnly` holds only where it is smaller than what is configured", () => {
    const router = Timeouts.bounds({ firstToken: 300, firstTokenPerThousand: 0, idle: 300, streamTotal: 300 })
    const all = (bound: number, deployment: Partial<DeploymentConfig> = {}) => {
      const overrides = { lowerOnly: true, timeout: bound, firstTokenTimeout: bound, idleTimeout: bound }
      const given = attempt({ stream: true, overrides, deployment })
      return [
        Timeouts.firstTokenTimeout(given, router),
        Timeouts.idleTimeout(given, router),
        Timeouts.totalTimeout(given, router)
      ]
    }
    assert.deepStrictEqual(all(100), [100, 100, 100])
    assert.deepStrictEqual(all(900), [300, 300, 300])
    assert.deepStrictEqual(all(Number.POSITIVE_INFINITY), [300, 300, 300])
    assert.deepStrictEqual(all(Number.NaN), [300, 300, 300])
    const deployment = { streamTimeout: 200, firstTokenTimeout: 200, idleTimeout: 200 }
    assert.deepStrictEqual(all(250, deployment), [200, 200, 200])
    const last = attempt({ stream: true, alternative: false, overrides: { lowerOnly: true, firstTokenTimeout: 900 } })
    assert.strictEqual(Timeouts.firstTokenTimeout(last, router), 300)
    assert.strictEqual(Timeouts.firstTokenTimeout(last), 900)
  })
})

describe("the bound that ran out is the one that came first, the caller's in a tie", () => {
  for (const [firstToken, total, deadline, expected] of [
    [10, 20, 30, "firstToken request 10"],
    [20, 10, 30, "total request 10"],
    [30, 20, 10, "total caller 10"],
    [10, 10, 10, "total caller 10"],
    [10, 10, 20, "firstToken request 10"],
    [20, 10, 10, "total caller 10"]
  ] as const) {
    it.effect(`first token ${firstToken}, total ${total}, deadline ${deadline}: ${expected}`, () =>
      Effect.gen(function* () {
        const overrides = { firstTokenTimeout: firstToken, timeout: total }
        assert.strictEqual(yield* timedOut({ stream: true, overrides, deadline }), expected)
      })
    )
  }
})

describe("the first token", () => {
  const late: StubLlm.Reply = { firstToken: "1 hour" }
  it.effect("of a stream must come within 10 s", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* timedOut({ stream: true }, { firstTokenPerThousand: 0 }, late),
        "firstToken deployment 10000"
      )
    })
  )
  it.effect("of a stream whose response does not even begin, too", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* timedOut({ stream: true }, { firstTokenPerThousand: 0 }), "firstToken deployment 10000")
    })
  )
  it.effect("is not waited for with a bound in a plain call", () =>
    Effect.gen(function* () {
      assert.strictEqual(Timeouts.firstTokenTimeout(attempt()), Number.POSITIVE_INFINITY)
      const fiber = yield* Effect.fork(
        Timeouts.make()(StubLlm.make({ delay: "1 hour" }).attempts).call(attempt({ deadline: 1e9 }))
      )
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Complete")
    })
  )
  it("gets 1 s more per 4,000 prompt tokens", () => {
    const prompt = (tokens: number) => ({ messages: [{ role: "user", content: "x".repeat(tokens * 4 - 4) }] })
    assert.strictEqual(Timeouts.firstTokenTimeout(attempt({ stream: true, body: prompt(4_000) })), 11_000)
    assert.strictEqual(Timeouts.firstTokenTimeout(attempt({ stream: true, body: prompt(100_000) })), 35_000)
  })
  const slowToSpeak: ReadonlyArray<Given> = [
    { body: { reasoning_effort: "high" } },
    { body: { thinking: { type: "enabled", budget_tokens: 1024 } } },
    { body: { service_tier: "flex" } },
    { deployment: { capabilities: ["reasoning"] } },
    { deployment: { model: "gpt-5-mini" } },
    { deployment: { model: "openrouter/deepseek/deepseek-r1" } },
    { deployment: { defaults: { reasoning_effort: "low" } } },
    { deployment: { defaults: { service_tier: "flex" } } }
  ]
  it("gets 180 s when the request or the model reasons, or the service tier is flex", () => {
    const of = (given: Given, options: Timeouts.Options = {}) =>
      Timeouts.firstTokenTimeout(attempt({ stream: true, ...given }), Timeouts.bounds(options))
    for (const given of slowToSpeak) assert.strictEqual(of(given), 180_000, JSON.stringify(given))
    assert.strictEqual(of({ body: { reasoning_effort: "none" }, deployment: { model: "gpt-5.1" } }), 10_000.5)
    assert.strictEqual(of({ body: { reasoning_effort: "low" } }, { firstToken: "5 minutes" }), 300_000)
    assert.strictEqual(of({ body: { reasoning_effort: "low" } }, { firstTokenReasoning: 7 }), 7)
  })
  it("with nothing else to ask is 300 s where nobody set one: no deployment and no fallback, or no attempt left", () => {
    const of = (given: Given) => Timeouts.firstTokenTimeout(attempt({ stream: true, ...given }))
    assert.strictEqual(of({ alternative: false }), 300_000)
    for (const given of slowToSpeak) assert.strictEqual(of({ ...given, alternative: false }), 300_000)
    assert.strictEqual(of({ attemptBudget: 0 }), 300_000)
    assert.isBelow(of({ attemptBudget: 0, lastResort: false }), 11_000)
  })
  it("that somebody set holds at the last resort too: the request's, the deployment's, the router's", () => {
    const of = (given: Given, options: Timeouts.Options = {}) =>
      Timeouts.firstTokenTimeout(attempt({ stream: true, alternative: false, ...given }), Timeouts.bounds(options))
    const router = { firstToken: 30, firstTokenPerThousand: 0, firstTokenReasoning: 40 }
    const deployment = { firstTokenTimeout: 20 }
    assert.strictEqual(of({ overrides: { firstTokenTimeout: 10 }, deployment }, router), 10)
    assert.strictEqual(of({ deployment }, router), 20)
    assert.strictEqual(of({}, router), 30)
    assert.strictEqual(of({ body: { reasoning_effort: "low" } }, router), 40)
  })
  it("is bounded from above by the longest silence, which is the bound itself where nothing else is left to ask", () => {
    const of = (silence: number, given: Given = {}) =>
      [true, false].flatMap((alternative) => [
        Timeouts.firstTokenTimeout(attempt({ stream: true, alternative, ...given }), Timeouts.bounds({ silence })),
        Timeouts.firstTokenTimeout(
          attempt({ stream: true, alternative, ...given, deployment: { silenceTimeout: silence } })
        ),
        Timeouts.firstTokenTimeout(
          attempt({ stream: true, alternative, ...given, overrides: { silenceTimeout: silence } })
        )
      ])
    assert.deepStrictEqual(of(5_000), [5_000, 5_000, 5_000, 5_000, 5_000, 5_000])
    assert.deepStrictEqual(of(600_000), [10_000.5, 10_000.5, 10_000.5, 600_000, 600_000, 600_000])
    const flex = { body: { service_tier: "flex" } }
    assert.deepStrictEqual(of(600_000, flex), [180_000, 180_000, 180_000, 600_000, 600_000, 600_000])
    const given = attempt({ stream: true, deployment: { silenceTimeout: 5_000, firstTokenTimeout: 20_000 } })
    assert.strictEqual(Timeouts.firstTokenTimeout(given, Timeouts.bounds({ silence: 1_000 })), 20_000)
    const router = Timeouts.bounds({ silence: 5_000, firstToken: 20_000, firstTokenPerThousand: 0 })
    assert.strictEqual(Timeouts.firstTokenTimeout(attempt({ stream: true, alternative: false }), router), 20_000)
  })
  it("is short only where there is another deployment or a fallback to go to", () => {
    const of = (alternative: boolean, lastResort: boolean) =>
      Timeouts.firstTokenTimeout(attempt({ stream: true, alternative, lastResort }))
    assert.strictEqual(of(false, true), 300_000)
    for (const bounded of [of(true, true), of(false, false), of(true, false)]) assert.isBelow(bounded, 11_000)
  })
  it("the request's own bound beats the deployment's and the router's, and holds in the last place too", () => {
    const overrides = { firstTokenTimeout: 100 }
    const deployment = { firstTokenTimeout: 200 }
    const router = Timeouts.bounds({ firstToken: 300, firstTokenPerThousand: 0 })
    assert.strictEqual(Timeouts.firstTokenTimeout(attempt({ stream: true, overrides, deployment }), router), 100)
    assert.strictEqual(Timeouts.firstTokenTimeout(attempt({ stream: true, deployment }), router), 200)
    assert.strictEqual(Timeouts.firstTokenTimeout(attempt({ stream: true }), router), 300)
    assert.strictEqual(Timeouts.firstTokenTimeout(attempt({ stream: true, overrides, alternative: false })), 100)
  })
  it.effect("roles and empty deltas do not stop the clock, and the stream settles as failed", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(late)
      const call = Timeouts.make({ firstToken: 50, firstTokenPerThousand: 0 })(stub.attempts).call(
        attempt({ stream: true })
      )
      const { at } = yield* failsAt(call, 100)
      assert.strictEqual(at, 50)
      assert.deepStrictEqual(
        stub.outcomes.map((outcome) => outcome._tag),
        ["Failed"]
      )
      assert.strictEqual(stub.openStreams(), 0)
      assert.strictEqual(yield* waiting, 0)
    })
  )
  for (const [name, content] of [
    ["reasoning", { reasoning_content: "hm" }],
    ["a tool call", { tool_calls: [{ index: 0, id: "t", function: { name: "f", arguments: "" } }] }],
    ["text", { content: "Hi" }]
  ] as const) {
    it.effect(`${name} stops the clock`, () =>
      Effect.gen(function* () {
        const given = attempt({ stream: true, overrides: { firstTokenTimeout: 50 } })
        const events = yield* openEvents(given)
        const service = Timeouts.make()(Service.attempt((on) => Effect.succeed(streaming(on, events))))
        const fiber = yield* Effect.fork(service.call(given))
        yield* TestClock.adjust(40)
        events.push(delta(content))
        yield* TestClock.adjust(40)
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "Streaming")
        assert.isUndefined(events.settlement.outcome)
      })
    )
  }
  it.effect("an error before it is passed on as it is", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ fail: unavailable, failAfter: 0 })
      const error = yield* Effect.flip(Timeouts.make()(stub.attempts).call(attempt({ stream: true })))
      assert.strictEqual(error.reason, "Unavailable")
      assert.strictEqual(yield* waiting, 0)
    })
  )
})

describe("silence between two chunks", () => {
  it.effect("of 30 s while the caller waits ends the stream", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ chunks: ["a ", "b ", "c"], gap: "4 seconds", stallAfter: 2 })
      const call = Timeouts.make()(stub.attempts).call(attempt({ stream: true }))
      const { at, error } = yield* failsAt(Effect.zipRight(readAll(call), Effect.never))
      assert.strictEqual(at, 34_000)
      assert.deepInclude(error.data, { reason: "StreamInterrupted", interruptedBy: "Timeout", phase: "idle" })
      assert.strictEqual(error.bound, "deployment")
      assert.strictEqual(error.breaker, "counts")
      assert.strictEqual(stub.inFlight(), 0)
      assert.strictEqual(yield* waiting, 0)
    })
  )
  it.effect("the clock begins anew with each chunk", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ chunks: ["a ", "b ", "c ", "d"], gap: "29 seconds" })
      const fiber = yield* Effect.fork(readAll(Timeouts.make()(stub.attempts).call(attempt({ stream: true }))))
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(fiber)
      assert.strictEqual(stub.outcomes[0]?._tag, "Completed")
    })
  )
  it.effect("a caller that reads slowly is no silent upstream", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ chunks: ["a ", "b ", "c ", "d"], gap: "1 seconds" })
      const fiber = yield* Effect.fork(
        Effect.gen(function* () {
          const response = yield* Timeouts.make()(stub.attempts).call(attempt({ stream: true }))
          if (response._tag !== "Streaming") return assert.fail("no stream")
          yield* response.events.pull
          yield* Effect.sleep("1 hour")
          return yield* drain(response)
        })
      )
      yield* TestClock.adjust("2 hours")
      assert.isAbove(yield* Fiber.join(fiber), 0)
    })
  )
  it.effect("is measured from when a slow reader came back, not from when it left", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ chunks: ["a ", "b"], stallAfter: 1 })
      const call = Effect.gen(function* () {
        const response = yield* Timeouts.make()(stub.attempts).call(attempt({ stream: true }))
        if (response._tag !== "Streaming") return assert.fail("no stream")
        yield* response.events.pull
        yield* Effect.sleep("100 seconds")
        yield* response.events.pull
        return response
      })
      const { at } = yield* failsAt(call)
      assert.strictEqual(at, 130_000)
    })
  )
  it.effect("is the request's, else the deployment's, else the router's", () =>
    Effect.gen(function* () {
      const at = (given: Given) =>
        Timeouts.idleTimeout(attempt({ stream: true, ...given }), Timeouts.bounds({ idle: 3 }))
      assert.strictEqual(at({ overrides: { idleTimeout: 1 }, deployment: { idleTimeout: 2 } }), 1)
      assert.strictEqual(at({ deployment: { idleTimeout: 2 } }), 2)
      assert.strictEqual(at({}), 3)
    })
  )
  it("is 300 s where nothing else is left to ask, unless somebody set it", () => {
    const at = (given: Given, options: Timeouts.Options = {}) =>
      Timeouts.idleTimeout(attempt({ stream: true, alternative: false, ...given }), Timeouts.bounds(options))
    assert.strictEqual(at({}), 300_000)
    assert.strictEqual(at({}, { idle: 3 }), 3)
    assert.strictEqual(at({}, { silence: 4 }), 4)
    assert.strictEqual(at({ deployment: { silenceTimeout: 5 } }, { idle: 3, silence: 4 }), 5)
    assert.strictEqual(at({ deployment: { idleTimeout: 6, silenceTimeout: 5 } }), 6)
    assert.strictEqual(at({ overrides: { silenceTimeout: 7 }, deployment: { idleTimeout: 6 } }), 7)
  })
  it("once reasoning or a tool call has begun is 300 s, or what somebody set", () => {
    const at = (given: Given, options: Timeouts.Options = {}) =>
      Timeouts.idleTimeout(attempt({ stream: true, ...given }), Timeouts.bounds(options), true)
    assert.strictEqual(at({}), 300_000)
    assert.strictEqual(at({}, { idle: 3 }), 3)
    assert.strictEqual(at({}, { idle: 3, idleReasoning: 8 }), 8)
    assert.strictEqual(at({ deployment: { idleTimeout: 6 } }, { idleReasoning: 8 }), 6)
    assert.strictEqual(at({}, { silence: 600_000 }), 600_000)
  })

  /** Streams one delta, lets `life` come every ten seconds, and tells when the stream was ended. */
  const livesFor = (first: object, life: (events: EventQueue) => void, options: Timeouts.Options = {}) =>
    Effect.gen(function* () {
      const given = attempt({ stream: true })
      const events = yield* openEvents(given)
      const service = Timeouts.make(options)(Service.attempt((on) => Effect.succeed(streaming(on, events))))
      const clock = yield* Effect.clock
      const fiber = yield* Effect.fork(Effect.exit(readAll(service.call(given))))
      events.push(delta(first))
      for (let step = 0; step < 100 && fiber.unsafePoll() === null; step++) {
        yield* TestClock.adjust("10 seconds")
        life(events)
      }
      yield* Fiber.interrupt(fiber)
      return Math.round(nowMs(clock) / 1000)
    })
  const nothing = (): void => {}
  const comment = (events: EventQueue): void => events.life()
  const empty = (events: EventQueue): void => events.push(delta({ content: "" }))
  for (const [name, first, life, seconds] of [
    ["ends after 30 s", { content: "a" }, nothing, 30],
    ["is put off by comments, for five minutes", { content: "a" }, comment, 330],
    ["is put off by empty deltas, for five minutes", { content: "a" }, empty, 330],
    ["ends after 300 s once reasoning has begun", { reasoning_content: "hm" }, nothing, 300],
    ["ends after 300 s once hidden reasoning has begun", { reasoning_details: [{ data: "xx" }] }, nothing, 300],
    ["ends after 300 s once a tool call has begun", { tool_calls: [{ index: 0, id: "t" }] }, nothing, 300],
    ["ends after 300 s once a function call has begun", { function_call: { name: "f" } }, nothing, 300],
    ["in a tool call is put off by comments, for five minutes", { tool_calls: [{ index: 0 }] }, comment, 600]
  ] as const) {
    it.effect(name, () =>
      Effect.gen(function* () {
        assert.closeTo(yield* livesFor(first, life), seconds, 10)
      })
    )
  }
  it.effect("is not put off by content that came before: each content gives signs of life another five minutes", () =>
    Effect.gen(function* () {
      let step = 0
      const mixed = (events: EventQueue): void => {
        if (++step === 29) events.push(delta({ content: "b" }))
        else events.life()
      }
      assert.closeTo(yield* livesFor({ content: "a" }, mixed), 290 + 330, 10)
    })
  )
  it.effect("after a finish_reason is a clean end, not a failure", () =>
    Effect.gen(function* () {
      const given = attempt({ stream: true })
      const events = yield* openEvents(given)
      const service = Timeouts.make()(Service.attempt((on) => Effect.succeed(streaming(on, events))))
      const fiber = yield* Effect.fork(readAll(service.call(given)))
      events.push(delta({ content: "Hi" }))
      events.push(delta({}, "stop"))
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(events.settlement.outcome?._tag, "Completed")
    })
  )
})

describe("a call that is ended", () => {
  it.effect("has fully finished before its timeout is raised", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const base = Service.attempt(() =>
        Effect.onInterrupt(Effect.never, () =>
          Effect.zipRight(
            Effect.sleep(30),
            Effect.sync(() => seen.push("freed"))
          )
        )
      )
      const { at } = yield* failsAt(
        Effect.onError(Timeouts.make({ total: 100 })(base).call(attempt()), () =>
          Effect.sync(() => seen.push("failed"))
        )
      )
      assert.strictEqual(at, 130)
      assert.deepStrictEqual(seen, ["freed", "failed"])
    })
  )
  it.effect("by its caller ends the inner call first, and leaves no timer", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ hang: true })
      const fiber = yield* Effect.fork(Timeouts.make({ total: 100 })(stub.attempts).call(attempt()))
      yield* TestClock.adjust(50)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(exit) && Exit.isInterrupted(exit))
      assert.deepStrictEqual(
        stub.outcomes.map((outcome) => outcome._tag),
        ["Abandoned"]
      )
      assert.strictEqual(yield* waiting, 0)
    })
  )
  it.effect("by its caller before the first content closes the stream", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ firstToken: "1 hour" })
      const fiber = yield* Effect.fork(Timeouts.make()(stub.attempts).call(attempt({ stream: true })))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(stub.openStreams(), 0)
      assert.deepStrictEqual(
        stub.outcomes.map((outcome) => outcome._tag),
        ["Abandoned"]
      )
      assert.strictEqual(yield* waiting, 0)
    })
  )
  it.effect("holds to its bounds in an uninterruptible region too", () =>
    Effect.gen(function* () {
      const { at } = yield* failsAt(
        Effect.uninterruptible(Timeouts.make({ total: 100 })(StubLlm.make({ hang: true }).attempts).call(attempt()))
      )
      assert.strictEqual(at, 100)
    })
  )
  it.effect("dies as before when the inner call does", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ delay: 1, defect: "bug" })
      const fiber = yield* Effect.fork(Effect.exit(Timeouts.make({ total: 100 })(stub.attempts).call(attempt())))
      yield* TestClock.adjust(1)
      const exit = yield* Fiber.join(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      assert.strictEqual(yield* waiting, 0)
    })
  )
})

describe("the layer", () => {
  it.effect("hands the caller's fiber-local values down", () =>
    Effect.gen(function* () {
      const ref = FiberRef.unsafeMake("none")
      let seen = ""
      const base = Service.attempt((on) =>
        Effect.zipRight(
          Effect.tap(FiberRef.get(ref), (value) => Effect.sync(() => (seen = value))),
          StubLlm.make().attempts.call(on)
        )
      )
      yield* Effect.locally(Timeouts.make({ total: 100 })(base).call(attempt()), ref, "mine")
      assert.strictEqual(seen, "mine")
    })
  )
  it("forwards the status", () => {
    const stub = StubLlm.make()
    const status = closed("isolated", undefined, "operator")
    stub.setStatus(status)
    const given = attempt()
    assert.strictEqual(Timeouts.make()(stub.attempts).status(given.slot, given.request, 0), status)
  })
  it.effect("tells the transport how long it may connect", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const base = Service.attempt((on) => {
        seen.push(on.connectTimeout ?? Number.NaN)
        return StubLlm.make().attempts.call(on)
      })
      yield* Timeouts.make()(base).call(attempt())
      yield* Timeouts.make({ connect: "2 seconds" })(base).call(attempt())
      assert.deepStrictEqual(seen, [5_000, 2_000])
    })
  )
  it.effect("calls straight through when nothing bounds the call", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      yield* Timeouts.make()(stub.attempts).call(attempt())
      yield* Timeouts.make({ silence: Number.POSITIVE_INFINITY })(stub.attempts).call(
        attempt({ stream: true, alternative: false })
      )
      assert.strictEqual(yield* waiting, 0)
    })
  )
  it.effect("refuses bounds that are none", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Layer.build(
          Timeouts.layerWith({ idle: 0, total: "soon" as "1 second" }).pipe(
            Layer.provide(Layer.succeed(DeploymentService, StubLlm.make().attempts))
          )
        )
      )
      assert.deepStrictEqual(
        error.issues.map((issue) => issue.path),
        ["timeouts.idle", "timeouts.total"]
      )
    }).pipe(Effect.scoped)
  )
})

interface Plan {
  readonly stream: boolean
  readonly delay: number
  readonly firstToken: number
  readonly gap: number
  readonly chunks: number
  readonly ends: "well" | "fails" | "stalls" | "hangs"
  readonly total: number
  readonly firstTokenTimeout: number
  readonly idleTimeout: number
  readonly deadline: number
  readonly leaves: number
}

const planOf = (dice: Dice): Plan => ({
  stream: dice.chance(0.5),
  delay: dice.int(1, 40),
  firstToken: dice.int(1, 40),
  gap: dice.int(1, 40),
  chunks: dice.int(1, 4),
  ends: dice.pick(["well", "fails", "stalls", "hangs"]),
  total: dice.int(1, 200),
  firstTokenTimeout: dice.int(1, 90),
  idleTimeout: dice.int(1, 60),
  deadline: dice.int(1, 200),
  leaves: dice.int(1, 400)
})

/** When and how the call must end, by arithmetic; undefined where two things fall on one instant. */
const oracle = (
  plan: Plan,
  bound: "deployment" | "request"
): { readonly at: number; readonly end: string } | undefined => {
  const ends: Array<readonly [at: number, end: string]> = [
    [plan.total, `total ${bound}`],
    [plan.deadline, "total caller"],
    [plan.leaves, "left"]
  ]
  const first = plan.delay + (plan.stream ? plan.firstToken : 0)
  const last = first + (plan.stream ? (plan.chunks - 1) * plan.gap : 0)
  const answers = plan.ends === "well" || (plan.ends === "stalls" && !plan.stream)
  const silentAt = plan.chunks > 1 && plan.gap > plan.idleTimeout ? first : plan.ends === "stalls" ? last : undefined
  if (plan.stream && (plan.ends === "hangs" || first > plan.firstTokenTimeout)) {
    ends.push([plan.firstTokenTimeout, `firstToken ${bound}`])
  } else if (plan.stream && silentAt !== undefined) {
    ends.push([silentAt + plan.idleTimeout, `idle ${bound}`])
  } else if (plan.ends !== "hangs") {
    ends.push([last, answers ? "answer" : "error"])
  }
  const [winner, second] = ends.sort(([a], [b]) => a - b)
  if (winner === undefined || second?.[0] === winner[0]) return undefined
  if (plan.stream && (first === plan.firstTokenTimeout || plan.gap === plan.idleTimeout)) return undefined
  return { at: winner[0], end: winner[1] }
}

describe("under any schedule", () => {
  it("the bound that comes first ends the call at its time, and nothing is left behind", () => {
    let decided = 0
    forSeeds(3000, (dice, seed) => {
      const plan = planOf(dice)
      // Fibers that yield after a few operations let interruptions fall between any two of them.
      const time = new VirtualTime(seed % 2 === 0 ? dice.int(2, 12) : 2048)
      const stub = StubLlm.make({
        delay: plan.delay,
        firstToken: plan.firstToken,
        gap: plan.gap,
        chunks: Array.from({ length: plan.chunks }, () => "x"),
        hang: plan.ends === "hangs",
        ...(plan.ends === "fails" ? { fail: unavailable, failAfter: plan.chunks } : {}),
        ...(plan.ends === "stalls" ? { stallAfter: plan.chunks } : {})
      })
      const { deadline, firstTokenTimeout, idleTimeout, total } = plan
      const bound = seed % 4 < 2 ? "deployment" : "request"
      const overrides = { firstTokenTimeout, idleTimeout, timeout: total }
      const given = attempt({ stream: plan.stream, deadline, overrides: bound === "request" ? overrides : {} })
      const options =
        bound === "request"
          ? {}
          : { firstToken: firstTokenTimeout, firstTokenPerThousand: 0, idle: idleTimeout, total, streamTotal: total }
      let ended = Number.NaN
      // What the Balancer and the accessors do: an attempt whose answer got lost is released, a stream is closed.
      const call = Effect.ensuring(
        Effect.flatMap(Timeouts.make(options)(stub.attempts).call(given), (response) =>
          response._tag === "Complete" ? Effect.void : drain(response)
        ),
        Effect.sync(() => {
          given.release()
          ended = time.now
        })
      )
      const fiber = time.fork(call)
      time.advance(plan.leaves)
      if (fiber.unsafePoll() === null) time.interrupt(fiber)
      time.advance(plan.leaves + 1_000)
      const exit = fiber.unsafePoll()
      if (exit === null) return assert.fail("the call never ended")
      assert.strictEqual(stub.inFlight(), 0, "in flight")
      assert.strictEqual(stub.openStreams(), 0, "open streams")
      assert.strictEqual(timersOf(time.clock, Runtime.defaultRuntime).size, 0, "timers")
      assert.strictEqual(stub.outcomes.length, 1, "settled once")
      const expected = oracle(plan, bound)
      if (expected === undefined) return
      decided++
      const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
      const end = Exit.isSuccess(exit)
        ? "answer"
        : error === undefined
          ? "left"
          : error.phase === undefined
            ? "error"
            : `${error.phase} ${error.bound}`
      assert.deepStrictEqual({ at: ended, end }, expected)
    })
    assert.isAbove(decided, cases(1_500))
  })
})
