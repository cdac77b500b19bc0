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

describe("a catalogue of the file's own", () => {
  const file = `
catalogue:
  providers:
    acme: { baseUrl: "https://api.acme.example/v1", headers: { x-team: a } }
    beta: { baseUrl: "https://beta.example", protocol: anthropic, keyVariables: [THE_BETA_KEY] }
    groq: { keyVariables: [OTHER_GROQ], batchDiscount: 0.25 }
    replicate: { baseUrl: "https://proxy.example/v1" }
  models:
    acme/big: { contextWindow: 1000, inputPrice: 1, outputPrice: 2, operations: [chat] }
    acme/*: { contextWindow: 10 }
    groq/llama-3.3-70b: { inputPrice: 7, outputPrice: 8 }
`
  const read = (entries: string, env: Readonly<Record<string, string>> = {}) =>
    Effect.map(loadFiles({ "config.yaml": `${file}deployments:\n${entries}` }, env), (found) => {
      const { config } = Either.getOrThrowWith(found, ({ error }) => error)
      return config.router.deployments
    })

  it.effect("adds providers, and says otherwise of known ones", () =>
    Effect.gen(function* () {
      const entries = `
  - { id: a, group: a, model: acme/big }
  - { id: b, group: b, model: beta/x }
  - { id: c, group: c, model: groq/llama-3.3-70b }
  - { id: d, group: d, provider: acme, model: org/small, contextWindow: 5 }
  - { id: e, group: e, model: replicate/x }
  - { id: f, group: f, model: groq/llama-3.3-70b, baseUrl: "http://127.0.0.1:9/v1", apiKey: own }
`
      const env = { ACME_API_KEY: "ak", THE_BETA_KEY: "bk", OTHER_GROQ: "gk" }
      const [a, b, c, d, e, f] = yield* read(entries, env)
      const key = (one: typeof a) => (Redacted.isRedacted(one?.apiKey) ? Redacted.value(one.apiKey) : one?.apiKey)
      assert.deepInclude(a, {
        provider: "acme",
        model: "big",
        baseUrl: "https://api.acme.example/v1",
        headers: { "x-team": "a" },
        contextWindow: 1000,
        inputPrice: 1,
        operations: ["chat"]
      })
      assert.deepInclude(b, { provider: "beta", model: "x", protocol: "anthropic", baseUrl: "https://beta.example" })
      assert.deepInclude(c, {
        provider: "groq",
        baseUrl: "https://api.groq.com/openai/v1",
        batchDiscount: 0.25,
        inputPrice: 7
      })
      assert.deepInclude(d, { provider: "acme", model: "org/small", contextWindow: 5 })
      assert.deepInclude(e, { provider: "replicate", baseUrl: "https://proxy.example/v1" })
      assert.deepInclude(f, { baseUrl: "http://127.0.0.1:9/v1", inputPrice: 7 })
      assert.deepStrictEqual([a, b, c, f].map(key), ["ak", "bk", "gk", "own"])
    })
  )

  it.effect("whose fields are wrong is told where", () =>
    Effect.gen(function* () {
      const bad = `catalogue: { providers: { acme: { baseUrl: nowhere } }, models: { acme/x: { window: 5, inputPrice: -1 } } }`
      const report = reportOf(
        yield* loadFiles({ "config.yaml": `${bad}\ndeployments: [{ id: a, group: g, model: acme/x }]\n` }, {})
      )
      const told = JSON.stringify(report)
      for (const word of ["catalogue.providers.acme.baseUrl", "window", "inputPrice"]) assert.include(told, word)
    })
  )
})

describe("names under a star that nobody serves", () => {
  it.effect("have a reason, which a file's own beats", () =>
    Effect.gen(function* () {
      const config = `
unserved: { "groq/*": "ask the team" }
deployments: [{ id: any, group: "*", model: "*" }]
`
      const found = yield* loadFiles({ "config.yaml": config }, { OPENAI_API_KEY: "ok" })
      const { config: read } = Either.getOrThrowWith(found, ({ error }) => error)
      assert.strictEqual(read.router.unserved?.["groq/*"], "ask the team")
      assert.match(read.router.unserved?.["anthropic/*"] ?? "", /there is no key of anthropic \(ANTHROPIC_API_KEY/)
      assert.isUndefined(read.router.unserved?.["openai/*"])
    })
  )
})
