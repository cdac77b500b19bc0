import { assert, describe, it } from "@effect/vitest"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import { failed } from "@switchyard/core/Outcome"
import * as Route from "@switchyard/core/Route"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, TestClock } from "effect"
import * as Cooldown from "../../src/breaker/Cooldown.js"
import * as HealthProbes from "../../src/breaker/HealthProbes.js"
import * as LatencyTracker from "../../src/latency/LatencyTracker.js"
import * as Retry from "../../src/retry/Retry.js"
import * as RetryBudget from "../../src/retry/RetryBudget.js"
import * as Router from "../../src/router/Router.js"
import * as Deadline from "../../src/time/Deadline.js"
import * as Timeouts from "../../src/time/Timeouts.js"
import { completed } from "../balancing/strategies/support.js"
import { chat, fails, tower } from "../support/tower.js"

/** What a lone deployment that always fails is waited for, with the longest backoff, and how often it is asked. */
const waits = (error: StubLlm.Reply, request = chat()) =>
  Effect.gen(function* () {
    const made = tower(["a"], () => error)
    const { balancer, events } = made
    const deps = { budget: RetryBudget.unlimited, events, random: () => 1 }
    const service = Retry.make(deps, { groups: { m: { attempts: 8 } } })(balancer)
    yield* Effect.fork(Effect.exit(LlmService.complete(service, request)))
    yield* TestClock.adjust("5 minutes")
    return made.published.flatMap((event) => (event._tag === "Retried" ? [event.delay] : []))
  })

const latencies = () => {
  const tracker = LatencyTracker.make()
  const slot = StubLlm.slot("a")
  const call = (at: number, ms: number) => tracker.begin(slot, false, at).settled(completed(ms), at + ms)
  call(0, 1000)
  call(1000, 0)
  const alpha = 1 - (tracker.of(slot).duration(1000) ?? 0) / 1000
  const peak = (at: number) => tracker.of(slot).peak(at) ?? 0
  return { alpha, tau: 1000 / Math.log(peak(1000) / peak(2000)) }
}

describe("what nobody configured", () => {
  it("cooldown: the defaults of the breaker", () => {
    const { duration, failureRate, failures, maxDuration, maxRetryAfter, minimumCalls, tripDuration, window } =
      Cooldown.defaults
    assert.deepStrictEqual(
      { duration, failureRate, failures, maxDuration, maxRetryAfter, minimumCalls, tripDuration, window },
      {
        failures: 5,
        failureRate: 0.5,
        window: 60_000,
        minimumCalls: 10,
        duration: 5_000,
        maxDuration: 20_000,
        tripDuration: 300_000,
        maxRetryAfter: 60_000
      }
    )
  })
  it("times: connect 5 s, first token 10 s and 1 s per 4,000 tokens, reasoning 180 s, silence 30 s and 300 s, deadline 600 s", () => {
    const { firstTokenPerThousand, isSet: _, ...bounds } = Timeouts.bounds()
    assert.deepStrictEqual(
      { ...bounds, per4000: firstTokenPerThousand * 4, deadline: Deadline.defaultDeadline },
      {
        connect: 5_000,
        firstToken: 10_000,
        per4000: 1_000,
        firstTokenReasoning: 180_000,
        idle: 30_000,
        idleReasoning: 300_000,
        silence: undefined,
        total: Number.POSITIVE_INFINITY,
        streamTotal: Number.POSITIVE_INFINITY,
        deadline: 600_000
      }
    )
  })
  it.effect("retries: 3 attempts in a group, 8 in a request, 500 ms doubling to 8 s, Retry-After up to 3 s", () =>
    Effect.gen(function* () {
      const limited = (retryAfter: number) => fails("RateLimited", { status: 429, retryAfter })
      assert.strictEqual(Retry.defaultAttempts, 3)
      assert.strictEqual(Route.defaultAttemptBudget, 8)
      assert.strictEqual(chat().route.attemptBudget, 8)
      const backoff = [500, 1000, 2000, 4000, 8000, 8000, 8000]
      assert.deepStrictEqual(yield* waits(fails("Unavailable")), backoff)
      assert.deepStrictEqual((yield* waits(limited(3_000)))[0], 3_600)
      assert.deepStrictEqual(yield* waits(limited(3_001)), [])
    })
  )
  it("retry budget: 20 % of the requests, and 10 a second", () => {
    const budget = RetryBudget.make()
    assert.strictEqual(budget.balance(0), 10 * 10)
    for (let i = 0; i < 100; i++) budget.deposit(0)
    assert.strictEqual(budget.balance(0), 10 * 10 + 20)
  })
  it.scoped("fallback: at most 5 hops", () =>
    Effect.gen(function* () {
      const names = ["a", "b", "c", "d", "e", "f", "g", "h"]
      const stub = StubLlm.make(fails("Unavailable"))
      const { service } = yield* Router.make(
        {
          deployments: names.map((id) => ({ id, group: id, model: id })),
          fallback: { chains: { general: { a: names.slice(1) } } },
          retry: false
        },
        stub.attempts
      )
      const request = LlmRequest.chat({ model: "a", messages: [{ role: "user", content: "Hi" }] })
      const error = yield* Effect.flip(LlmService.complete(service, request))
      assert.strictEqual(error.deployment, "a")
      assert.deepStrictEqual(
        stub.calls.map(({ deployment }) => deployment as string),
        names.slice(0, 6)
      )
    })
  )
  it("latency: a new sample weighs 0.2, and a peak fades with 10 s", () => {
    const { alpha, tau } = latencies()
    assert.closeTo(alpha, 0.2, 1e-9)
    assert.closeTo(tau, 10_000, 1e-3)
  })
  it("health probes: none, and one failed probe is not enough", () => {
    assert.notProperty(HealthProbes.defaults, "interval")
    assert.isAbove(HealthProbes.defaults.unhealthyThreshold, 1)
  })
  it("a fast failure is no sample of latency", () => {
    const tracker = LatencyTracker.make()
    const slot = StubLlm.slot("a")
    const refused = new LlmError({ reason: "Unavailable", description: "refused" })
    tracker.begin(slot, false, 0).settled(failed(refused), 1)
    assert.isUndefined(tracker.of(slot).duration(1))
  })
  it.scoped("strategy: a deployment that is slow gets less than one that is fast", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(({ deployment }) => ({ delay: deployment === "slow" ? 2_000 : 100 }))
      const deployments = ["slow", "fast"].map((id) => ({ id, group: "m", model: "m" }))
      const { service } = yield* Router.make({ deployments }, stub.attempts)
      for (let i = 0; i < 40; i++) {
        yield* Effect.fork(LlmService.complete(service, chat()))
        yield* TestClock.adjust("2 seconds")
      }
      assert.isBelow(stub.calls.filter(({ deployment }) => deployment === "slow").length, 14)
    })
  )
})
