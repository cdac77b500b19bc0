import type { Result } from "@switchyard/simulator/Result"
import * as Scenario from "@switchyard/simulator/Scenario"
import * as Scenarios from "@switchyard/simulator/Scenarios"
import * as Simulation from "@switchyard/simulator/Simulation"
import { Effect, Either } from "effect"
import { describe, expect, it } from "vitest"
import { simulate } from "../support/simulate.js"

/** Two deployments of four slots, 1.3 seconds a call: a little more than six calls a second, of three times as many that come. */
const capacity = (2 * 4) / 1.3
const overload = {
  duration: 120_000,
  requests: undefined,
  warmUp: 20_000,
  objective: { latency: 5000 },
  upstreams: { "*": { firstToken: 300, tokensPerSecond: 50, slots: 4, queue: 40, whenFull: 429 } },
  workload: [{ model: "m", rate: 3 * capacity, outputTokens: 50 }]
}

const shipped = (name: Scenarios.Name, compare: ReadonlyArray<string>): Promise<ReadonlyArray<Result>> => {
  const scenario = Either.getOrThrow(Either.flatMap(Scenarios.get(name), (model) => Scenario.make(model, { compare })))
  return Effect.runPromise(Effect.forEach(scenario.variants, (variant) => Simulation.run(scenario, variant, {})))
}

describe("learned limits", () => {
  it("lose no burst that comes while deployments wake up", async () => {
    const [asItIs, adaptive] = await shipped("cold-start", ["as it is", "adaptive"])
    expect(adaptive?.completed).toBe(adaptive?.requests)
    expect(adaptive?.goodput).toBeGreaterThan(0.98 * (asItIs?.goodput ?? 0))
    expect(adaptive?.latency.p99).toBeLessThan(1.05 * (asItIs?.latency.p99 ?? 0))
  })
})

describe("three times as many requests as can be served", () => {
  it("leave nine tenths of what can be served in time, with learned limits, alone and with throttling", async () => {
    const names = ["as it is", "adaptive", "adaptive-throttled"]
    const [asItIs, ...results] = await simulate(overload, { compare: names })
    expect(asItIs?.goodput).toBeLessThan(0.5 * capacity)
    for (const { goodput, limited, variant } of results) {
      expect(goodput, variant).toBeGreaterThan(0.9 * capacity)
      expect(limited, variant).toBeLessThan((asItIs?.limited ?? 0) / 2 + 1)
    }
  })
})
