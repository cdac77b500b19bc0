import { assert, describe, it } from "@effect/vitest"
import * as ModelFamily from "@switchyard/core/ModelFamily"
import * as KnownProviders from "@switchyard/providers/KnownProviders"

describe("KnownProviders", () => {
  it("names each provider once, with a base URL that needs nothing added", () => {
    const names = KnownProviders.providers.map(({ name }) => name)
    assert.strictEqual(new Set(names).size, names.length)
    for (const known of KnownProviders.providers) {
      if (known.baseUrl === undefined) continue
      assert.isTrue(URL.canParse(known.baseUrl), known.name)
      assert.strictEqual(KnownProviders.completeBaseUrl(known.baseUrl, known), known.baseUrl)
    }
  })

  it("the lists' word that a provider knows one name of the output's bound only is kept", () => {
    const bounds = KnownProviders.providers
      .filter(({ name, renames }) => renames.max_completion_tokens === "max_tokens" && name !== "xai")
      .map(({ name, baseUrl }) => `${name} ${ModelFamily.of({ provider: name, model: "x", baseUrl }).outputBound}`)
    assert.isAbove(bounds.length, 20)
    assert.deepStrictEqual(
      bounds.filter((bound) => !bound.endsWith(" max_tokens")),
      []
    )
  })

  it("finds a provider by LiteLLM's prefix, and nothing for another word", () => {
    assert.strictEqual(KnownProviders.find("groq")?.baseUrl, "https://api.groq.com/openai/v1")
    assert.deepStrictEqual(KnownProviders.find("groq")?.keyVariables, ["GROQ_API_KEY"])
    assert.isUndefined(KnownProviders.find("bedrocks"))
    assert.strictEqual(KnownProviders.find("bedrock")?.protocol, "bedrock")
    assert.isUndefined(KnownProviders.find("constructor"))
  })

  it("takes the first variable that is set; an empty one is not", () => {
    const { keyVariables = [] } = KnownProviders.find("gemini") ?? {}
    assert.strictEqual(KnownProviders.firstSet(keyVariables, { GEMINI_API_KEY: "", GOOGLE_API_KEY: "g" }), "g")
    assert.isUndefined(KnownProviders.firstSet(keyVariables, {}))
  })

  const given: ReadonlyArray<readonly [provider: string, url: string, expected: string]> = [
    ["heroku", "http://h", "http://h/v1"],
    ["heroku", "http://h/", "http://h/v1"],
    ["ollama", "http://gpu:11434/v1", "http://gpu:11434/v1"],
    ["anthropic", "https://api.anthropic.com", "https://api.anthropic.com"],
    ["openai", "https://proxy.example.com", "https://proxy.example.com"],
    ["openai", "https://proxy.example.com/v1/chat/completions", "https://proxy.example.com/v1"],
    ["anthropic", "no url", "no url"]
  ]
  it.each(given)("%s: %s means %s", (name, url, expected) => {
    assert.strictEqual(KnownProviders.completeBaseUrl(url, KnownProviders.find(name)), expected)
  })
})
