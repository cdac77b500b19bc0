import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Redacted } from "effect"
import { loadFiles, reportOf } from "../support/configFiles.js"

const load = (entries: string, env: Readonly<Record<string, string>> = {}) =>
  loadFiles({ "config.yaml": `deployments:\n${entries}` }, env)

const places = (entries: string, env: Readonly<Record<string, string>> = {}) =>
  Effect.map(load(entries, env), (read) => {
    const { config } = Either.getOrThrowWith(read, ({ error }) => error)
    return config.router.deployments.map(({ apiKey, baseUrl, group, model, protocol, provider }) => {
      const key = apiKey === undefined ? "" : ` ${Redacted.isRedacted(apiKey) ? Redacted.value(apiKey) : apiKey}`
      return `${group}: ${provider}/${model} ${protocol ?? "openai"} ${baseUrl}${key}`
    })
  })

describe("provider/model in a file of our own", () => {
  it.effect("is asked where the provider is known to be, by its API, with the key of the environment", () =>
    Effect.gen(function* () {
      const entries = `
  - { id: a, group: fast, model: groq/llama-3.3-70b }
  - { id: b, group: smart, model: anthropic/claude-sonnet-5, apiKey: own }
  - { id: c, group: other, provider: siliconflow, model: org/x }
  - { id: d, group: mine, model: groq/x, baseUrl: "http://127.0.0.1:9/v1" }
  - { id: e, group: plain, model: org/x }
`
      assert.deepStrictEqual(yield* places(entries, { GROQ_API_KEY: "gk", SILICONFLOW_API_KEY: "sk" }), [
        "fast: groq/llama-3.3-70b openai https://api.groq.com/openai/v1 gk",
        "smart: anthropic/claude-sonnet-5 anthropic https://api.anthropic.com own",
        "other: siliconflow/org/x openai https://api.siliconflow.com/v1 sk",
        "mine: undefined/groq/x openai http://127.0.0.1:9/v1",
        "plain: undefined/org/x openai undefined"
      ])
    })
  )

  it.effect("that cannot be asked is an error that says what is missing, and a missing key is told", () =>
    Effect.gen(function* () {
      const refused = reportOf(yield* load("  - { id: a, group: g, model: replicate/x }\n"))
      assert.include(JSON.stringify(refused), "replicate's own dialect cannot be spoken yet")
      const { problems } = Either.getOrThrow(yield* load("  - { id: a, group: g, model: groq/x }\n"))
      assert.include(JSON.stringify(problems), "the environment has no GROQ_API_KEY")
    })
  )

  it.effect(
    "a star for the model of a group that is one stands for every provider whose key there is, by prefix and by names",
    () =>
      Effect.gen(function* () {
        const found = yield* places(`  - { id: any, group: "*", model: "*" }\n`, {
          ANTHROPIC_API_KEY: "ak",
          OPENAI_API_KEY: "ok"
        })
        assert.includeMembers(found, [
          "openai/*: openai/* openai https://api.openai.com/v1 ok",
          "gpt-*: openai/gpt-* openai https://api.openai.com/v1 ok",
          "anthropic/*: anthropic/* anthropic https://api.anthropic.com ak",
          "claude-*: anthropic/claude-* anthropic https://api.anthropic.com ak"
        ])
        assert.notInclude(found.join("\n"), "groq")
      })
  )
})
