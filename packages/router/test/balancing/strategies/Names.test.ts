import { assert, describe, it } from "@effect/vitest"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import * as PriceBook from "@switchyard/router/PriceBook"
import { RoutingStrategy } from "@switchyard/router/RoutingStrategy"
import * as Names from "@switchyard/router/RoutingStrategy/Names"
import * as UsageWindows from "@switchyard/router/UsageWindows"
import { Effect, Either, Layer } from "effect"
import { choose, plainSlots } from "./support.js"

const State = Layer.mergeAll(
  DeploymentStats.layerMemory,
  LatencyTracker.layerMemory,
  PriceBook.layer,
  UsageWindows.layerMemory
)

const strategyOf = (name: string, options?: Names.StrategyOptions) =>
  Effect.flatMap(Names.byName(name, options), (layer) => Effect.provide(RoutingStrategy, Layer.provide(layer, State)))

const expected: Readonly<Record<string, ReadonlyArray<string>>> = {
  SimpleShuffle: ["simple-shuffle", "weighted-random", "SimpleShuffle", "WeightedRandom"],
  RoundRobin: ["round-robin", "RoundRobin", "round_robin"],
  Ordered: ["fallback", "ordered", "Fallback", "Ordered"],
  PriorityBased: ["priority-based", "PriorityBased"],
  LeastBusy: ["least-busy", "LeastBusy", "least_busy"],
  UsageBased: ["usage-based-routing", "usage-based-routing-v2", "usage-based", "UsageBased"],
  RateLimitAware: ["rate-limit-aware", "RateLimitAware"],
  LatencyBased: ["latency-based-routing", "latency-based", "LatencyBased"],
  CostBased: ["cost-based-routing", "cost-based", "CostBased"],
  LeastExpectedLatency: ["least-expected-latency", "LeastExpectedLatency"],
  Objective: ["objective", "Objective"],
  PeakEwma: ["peak-ewma", "PeakEwma", "PeakEWMA"],
  Sticky: ["sticky", "Sticky"]
}

describe("strategies by name", () => {
  it.effect("every name of LiteLLM, liter-llm and ours, in any spelling, is a strategy that can choose", () =>
    Effect.gen(function* () {
      const slots = plainSlots(3)
      for (const [strategyName, spellings] of Object.entries(expected)) {
        for (const spelling of spellings) {
          const strategy = yield* strategyOf(spelling)
          assert.strictEqual(strategy.name, strategyName, spelling)
          assert.isDefined(choose(strategy, slots), spelling)
          assert.isUndefined(choose(strategy, slots, { isClosed: () => true }), spelling)
          assert.isUndefined(choose(strategy, []), spelling)
        }
      }
    })
  )

  it("an unknown name is an error that says where it stands and lists every name there is", () => {
    const found = Names.byName("fastest", {}, "router_settings.routing_strategy")
    assert.isTrue(Either.isLeft(found))
    if (Either.isRight(found)) return
    assert.strictEqual(found.left.issues[0]?.path, "router_settings.routing_strategy")
    for (const name of Names.names) assert.include(found.left.message, name)
    assert.include(found.left.message, "fastest")
  })

  it.effect("options reach their strategy, and wrong ones are refused", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(strategyOf("latency-based-routing", { latencyBased: { buffer: -1 } }))
      assert.deepStrictEqual(
        error.issues.map((issue) => issue.path),
        ["latencyBased.buffer"]
      )
    })
  )
})
