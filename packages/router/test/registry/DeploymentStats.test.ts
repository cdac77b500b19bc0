import { assert, describe, it } from "@effect/vitest"
import { LlmError, type Reason } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Outcome from "@switchyard/core/Outcome"
import * as CooldownState from "@switchyard/router/CooldownState"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import * as Router from "@switchyard/router/Router"
import * as UsageWindows from "@switchyard/router/UsageWindows"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, TestClock } from "effect"

const usage = { inputTokens: 70, outputTokens: 30, cachedInputTokens: 0, reasoningTokens: 0, estimated: false }
const completed: Outcome.Outcome = { _tag: "Completed", usage, timeToFirstToken: 1, duration: 1 }
const failed = (reason: Reason): Outcome.Outcome => Outcome.failed(new LlmError({ reason, description: "" }))

describe("the figures of a deployment", () => {
  it("stay sums of what can be, whatever a service reports", () => {
    const stats = DeploymentStats.make().of(StubLlm.slot("a"))
    const reports = [Number.POSITIVE_INFINITY, Number.NaN, 1.7e308, ...Array.from({ length: 60 }, () => 1e8)]
    for (const outputTokens of reports) {
      DeploymentStats.started(stats, 0)
      DeploymentStats.settled(stats, { ...completed, usage: { ...usage, inputTokens: 0, outputTokens } }, 0)
    }
    assert.isTrue(Number.isFinite(stats.tokens))
    // More tokens in one second than 32 bits hold.
    assert.strictEqual(stats.lastMinute.tokens(0), 60e8)
    assert.strictEqual(stats.lastMinute.tokens(61_000), 0)
    DeploymentStats.started(stats, 61_000)
    DeploymentStats.settled(stats, completed, 61_000)
    assert.strictEqual(stats.lastMinute.tokens(61_000), 100)
  })
  it("blame it for its own failures alone: a caller's mistake neither counts nor ends a row of successes", () => {
    const rows: ReadonlyArray<readonly [Reason, boolean]> = [
      ["InvalidRequest", false],
      ["ContextWindowExceeded", false],
      ["ContentPolicyViolation", false],
      ["Unavailable", true],
      ["RateLimited", true],
      ["Authentication", true],
      ["MalformedResponse", true]
    ]
    for (const [reason, isFault] of rows) {
      const stats = DeploymentStats.make().of(StubLlm.slot("a"))
      for (const outcome of [completed, completed, failed(reason)]) {
        DeploymentStats.started(stats, 0)
        DeploymentStats.settled(stats, outcome, 0)
      }
      const { blameless, consecutiveSuccesses, failures, lastError, lastMinute, requests, successes } = stats
      assert.deepStrictEqual(
        [requests, successes, failures, blameless, consecutiveSuccesses, lastError, lastMinute.failures(0)],
        isFault ? [3, 2, 1, 0, 0, reason, 1] : [3, 2, 0, 1, 2, undefined, 0],
        reason
      )
    }
  })

  it("say what the last minute saw, and no more than that", () => {
    const stats = DeploymentStats.make().of(StubLlm.slot("a"))
    const at = (now: number, outcome: Outcome.Outcome) => {
      DeploymentStats.started(stats, now)
      DeploymentStats.settled(stats, outcome, now)
    }
    const seen = (now: number) => {
      const { lastMinute } = stats
      return [lastMinute.requests(now), lastMinute.tokens(now), lastMinute.failures(now)]
    }
    at(1000, completed)
    at(30_000, failed("Unavailable"))
    DeploymentStats.started(stats, 31_000)
    DeploymentStats.rejected(stats, 31_000)
    assert.deepStrictEqual(seen(31_000), [2, 100, 1])
    assert.deepStrictEqual(seen(61_000), [1, 0, 1])
    assert.deepStrictEqual(seen(91_000), [0, 0, 0])
  })

  it.effect("can all be read of a deployment without limits, though nobody has asked before", () =>
    Effect.gen(function* () {
      const replies: Array<StubLlm.Reply> = [
        { usage },
        { usage },
        { fail: { reason: "InvalidRequest", description: "" } },
        { fail: { reason: "Unavailable", description: "" } },
        { usage }
      ]
      const stub = StubLlm.make(() => replies.shift() ?? { usage })
      const tower = yield* Router.make(
        { deployments: [{ id: "a", group: "m", model: "x" }], retry: false },
        stub.attempts
      )
      yield* TestClock.adjust(5000)
      for (let i = 0; i < 5; i++) {
        const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
        yield* Effect.either(Effect.scoped(LlmService.complete(tower.service, request)))
      }
      const slot = Context.get(tower.state, DeploymentRegistry.DeploymentRegistry).slot("a")
      if (slot === undefined) return assert.fail("no such slot")
      const now = 5000
      const stats = Context.get(tower.state, DeploymentStats.DeploymentStats).of(slot)
      const { health, until } = Context.get(tower.state, CooldownState.CooldownState).inspect(slot, now)
      const { requests, tokens } = Context.get(tower.state, UsageWindows.UsageWindows).usage(slot, now)
      assert.deepStrictEqual(
        {
          health,
          tpm: tokens,
          rpm: requests,
          inFlight: stats.inFlight,
          total: stats.requests,
          success: stats.successes,
          fail: stats.failures,
          failsThisMinute: stats.lastMinute.failures(now),
          cooldownUntil: until,
          lastRequestAt: stats.lastRequestAt,
          averageLatency: Context.get(tower.state, LatencyTracker.LatencyTracker).of(slot).duration(now),
          consecutiveSuccesses: stats.consecutiveSuccesses,
          lastMinute: [stats.lastMinute.requests(now), stats.lastMinute.tokens(now)]
        },
        {
          health: "Degraded",
          tpm: 300,
          rpm: 5,
          inFlight: 0,
          total: 5,
          success: 3,
          fail: 1,
          failsThisMinute: 1,
          cooldownUntil: undefined,
          lastRequestAt: 5000,
          averageLatency: 0,
          consecutiveSuccesses: 1,
          lastMinute: [5, 300]
        }
      )
    }).pipe(Effect.scoped)
  )
})
