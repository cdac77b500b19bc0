import { assert, describe, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import { loadFiles, reportOf } from "../support/configFiles.js"

const own = `
deployments:
  - { id: a, group: g, model: some-new-model, baseUrl: "http://127.0.0.1:1/v1", apiKey: k }
  - { id: b, group: priced, model: gpt-4o, baseUrl: "http://127.0.0.1:1/v1", apiKey: k }
spendLimits: { deployments: { a: { limit: 0.000001, window: 1 hour } } }
masterKey: sk-master-0123456789
keys:
  - { name: bob, key: sk-bob, budget: { limit: 0.000001, window: 1 hour } }
  - { name: eve, key: sk-eve, groups: [priced], budget: { limit: 1, window: 1 hour } }
`

const liteLlm = `
model_list:
  - model_name: new
    litellm_params: { model: openai/some-new-model, api_key: k, max_budget: 1, budget_duration: 1d }
  - model_name: known
    litellm_params: { model: openai/gpt-5, api_key: k, max_budget: 1, budget_duration: 1d }
  - model_name: half
    litellm_params: { model: openai/my-embedder, api_key: k, input_cost_per_token: 0.00000002 }
    model_info: { mode: embedding }
router_settings:
  provider_budget_config: { openai: { budget_limit: 1, time_period: 1d } }
`

/** Line, severity and path of each problem that speaks of prices. */
const told = (text: string) =>
  Effect.map(loadFiles({ "config.yaml": text }), (result) => {
    const problems = Either.match(result, {
      onLeft: ({ error }) => error.problems,
      onRight: (config) => config.problems
    })
    const found = problems.filter(({ message }) => /price/.test(message))
    assert.notInclude(reportOf(result).join("\n"), "sk-")
    return found.map(({ line, message, path, severity }) => {
      assert.match(message, /this budget cannot bind.*: no price for .*some-new-model \(deployment/)
      return `${line} ${severity} ${path}`
    })
  })

describe("a file with a budget that cannot bind", () => {
  it.effect("is told so at each budget that has to do with the model", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* told(own), ["5 warning spendLimits.deployments.a", "8 warning keys[0].budget"])
    })
  )

  it.effect("is refused with `unknownPrice: refuse`, and in order with an assumed price", () =>
    Effect.gen(function* () {
      const refused = yield* loadFiles({ "config.yaml": `${own}unknownPrice: refuse\n` })
      assert.isTrue(Either.isLeft(refused))
      assert.match(reportOf(refused).join("\n"), /error spendLimits\.deployments\.a: .*no price for some-new-model/)
      const keysAlone = own.replace(/^spendLimits.*\n/m, "")
      assert.match(
        reportOf(yield* loadFiles({ "config.yaml": `${keysAlone}unknownPrice: refuse\n` })).join("\n"),
        /error keys\[0\]\.budget: .*no price for some-new-model/
      )
      assert.deepStrictEqual(yield* told(`${own}unknownPrice: { input: 1, output: 2 }\n`), [])
    })
  )

  it.effect("is told so in LiteLLM's words, where a file is LiteLLM's", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* told(liteLlm), [
        "4 warning model_list[0].litellm_params.max_budget",
        "11 warning router_settings.provider_budget_config.openai"
      ])
    })
  )
})
