import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Metrics from "@switchyard/router/Metrics"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"
import { simulate } from "../support/schedules.js"

const infinite = Number.POSITIVE_INFINITY

const member = { group: "m", model: "gpt-4o" }
const limit = { limit: 100, window: infinite }

/** Every duration that a router's options hold, and that infinity is a sense of. */
const options: Readonly<Record<string, Partial<Router.Options>>> = {
  "timeouts.connect": { timeouts: { connect: infinite } },
  "timeouts.firstToken": { timeouts: { firstToken: infinite } },
  "timeouts.firstTokenPerThousand": { timeouts: { firstTokenPerThousand: infinite } },
  "timeouts.firstTokenReasoning": { timeouts: { firstTokenReasoning: infinite } },
  "timeouts.idle": { timeouts: { idle: infinite } },
  "timeouts.total": { timeouts: { total: infinite } },
  "timeouts.streamTotal": { timeouts: { streamTotal: infinite } },
  "healthProbes.interval": { healthProbes: { interval: infinite } },
  "healthProbes.timeout": { healthProbes: { timeout: infinite } },
  "spendLimits.window": { spendLimits: { deployments: { a: limit } } },
  "callerBudget.window": { callerBudget: { everyCaller: limit } },
  "queue.maxWait": { queue: { maxWait: infinite } },
  "retryBudget.window": { retryBudget: { window: infinite } },
  "retry.baseDelay": { retry: { baseDelay: infinite, maxDelay: infinite } },
  "retry.maxRetryAfterWait": { retry: { maxRetryAfterWait: infinite } },
  "cache.ttl": { cache: { ttl: infinite, negativeTtl: infinite } },
  "latency.halfLife": { latency: { halfLife: infinite } },
  "latency.tau": { latency: { tau: infinite } },
  "deadline.deadline": { deadline: { deadline: infinite } },
  "hedge.delay": { hedge: { delay: infinite } },
  "cooldown.window": { cooldown: { window: infinite } },
  "cooldown.duration": { cooldown: { duration: infinite, maxDuration: infinite } },
  "cooldown.tripDuration": { cooldown: { tripDuration: infinite } },
  "cooldown.maxRetryAfter": { cooldown: { maxRetryAfter: infinite } },
  "cooldown.slowStart": { cooldown: { slowStart: infinite } },
  "deployments.timeout": {
    deployments: [
      { id: "a", ...member, timeout: infinite, firstTokenTimeout: infinite, idleTimeout: infinite, cooldown: infinite },
      { id: "b", ...member }
    ]
  }
}

describe("an infinite duration", () => {
  for (const [name, own] of Object.entries(options)) {
    it.effect(`as ${name} is a sense of its own: calls are answered, and every figure is a number`, () =>
      Effect.gen(function* () {
        for (const strategy of name.startsWith("latency") ? ["latency-based", "peak-ewma"] : ["latency-based"]) {
          let calls = 0
          const stub = StubLlm.make(({ deployment }) =>
            deployment === "a" && calls++ % 3 === 1
              ? { fail: { reason: "Unavailable", description: "down" } }
              : {
                  usage: { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, reasoningTokens: 0, estimated: false }
                }
          )
          const deployments = [
            { id: "a", ...member },
            { id: "b", ...member }
          ]
          const settings = { deployments, strategy, ...own }
          assert.deepStrictEqual(Router.check(settings), [])
          const { service, state } = yield* Router.make(settings, stub.attempts)
          for (let i = 0; i < 12; i++) {
            const request = LlmRequest.chat(
              { model: "m", messages: [{ role: "user", content: `Hi ${i}` }] },
              { caller: "bob" }
            )
            yield* LlmService.complete(service, request).pipe(Effect.scoped)
            yield* Effect.sleep("1 second")
          }
          assert.isAbove(stub.calls.filter(({ deployment }) => deployment === "a").length, 0, strategy)
          assert.notMatch(yield* Metrics.scrape(state, { prefix: "infinite_durations" }), /NaN|Inf$/m)
        }
      }).pipe(Effect.scoped, simulate)
    )
  }
})
