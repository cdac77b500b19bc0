import type { Result } from "@switchyard/simulator/Result"
import * as Scenario from "@switchyard/simulator/Scenario"
import * as Simulation from "@switchyard/simulator/Simulation"
import { Effect, Either } from "effect"

/** A scenario of two deployments; what is given takes the place of its parts. */
export const scenarioOf = (parts: object, given: Scenario.Given = {}): Scenario.Scenario => {
  const text = JSON.stringify({
    name: "test",
    requests: 500,
    router: {
      deployments: [
        { id: "a", group: "m", model: "gpt-4o" },
        { id: "b", group: "m", model: "gpt-4o" }
      ]
    },
    upstreams: { "*": { firstToken: 300, tokensPerSecond: 50 } },
    workload: [{ model: "m", rate: 20, outputTokens: 50 }],
    ...parts
  })
  return Either.getOrThrowWith(
    Either.flatMap(Scenario.parse(text), (model) => Scenario.make(model, given)),
    ({ message }) => new Error(message)
  )
}

/** Runs all variants of a scenario. */
export const simulate = (
  parts: object,
  given: Scenario.Given = {},
  options: Simulation.RunOptions = {}
): Promise<ReadonlyArray<Result>> => {
  const scenario = scenarioOf(parts, given)
  return Effect.runPromise(Effect.forEach(scenario.variants, (variant) => Simulation.run(scenario, variant, options)))
}

/** The only variant's result. */
export const simulateOne = async (parts: object, options: Simulation.RunOptions = {}): Promise<Result> => {
  const [result] = await simulate(parts, {}, options)
  if (result === undefined) throw new Error("no variant")
  return result
}
