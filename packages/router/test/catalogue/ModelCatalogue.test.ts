import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { estimate } from "@switchyard/core/Usage"
import * as ModelCatalogue from "@switchyard/router/ModelCatalogue"
import * as PriceBook from "@switchyard/router/PriceBook"
import * as StubLlm from "@switchyard/testing/StubLlm"

interface Reference {
  /** Input tokens, of which cached, of which written to the cache, and output tokens. */
  readonly usages: ReadonlyArray<readonly [number, number, number, number]>
  readonly answers: ReadonlyArray<readonly [provider: string, model: string, usd: ReadonlyArray<number | null>]>
}

const reference: Reference = JSON.parse(
  readFileSync(new URL("../fixtures/catalogue-prices.json", import.meta.url), "utf8")
)

const costOf = (price: PriceBook.Price, [input, cached, written, output]: Reference["usages"][number]) =>
  PriceBook.cost({ ...estimate(input, output), cachedInputTokens: cached, cacheWriteTokens: written }, price)

describe("ModelCatalogue", () => {
  it("says what the package says that its prices come from", () => {
    const wrong: Array<string> = []
    for (const [provider, model, usd] of reference.answers) {
      const price = ModelCatalogue.priceOf(model, { provider })
      reference.usages.forEach((usage, index) => {
        const expected = usd[index] ?? undefined
        const found = price === undefined ? undefined : costOf(price, usage)
        // What it does not know, another source may.
        const isSame = expected === undefined || Math.abs((found ?? Number.NaN) - expected) < 1e-9
        if (!isSame) wrong.push(`${provider} ${model} ${usage.join("/")}: ${found}, not ${expected}`)
      })
    }
    assert.deepStrictEqual(wrong, [])
  })

  it("knows a model by dated, regional and prefixed names, by labels of the field, and by its address", () => {
    const idOf = (model: string, place: ModelCatalogue.Place) => {
      const found = ModelCatalogue.find(model, place)
      return found === undefined ? undefined : `${found.provider} ${found.id}`
    }
    const cases: ReadonlyArray<readonly [string, ModelCatalogue.Place, string | undefined]> = [
      ["gpt-4o-2024-08-06", {}, "openai gpt-4o"],
      ["GPT-4o", { provider: "openai" }, "openai gpt-4o"],
      ["openai/gpt-4o", { provider: "acme" }, "openai gpt-4o"],
      ["gpt-4o", { provider: "azure_text" }, "openai gpt-4o"],
      ["gpt-4o", { provider: "openai", baseUrl: "https://mine.openai.azure.com/openai/v1" }, "openai gpt-4o"],
      ["claude-sonnet-4-20250514", { provider: "openai" }, "anthropic claude-sonnet-4-0"],
      ["claude-sonnet-4-2025-05-14", { provider: "anthropic" }, "anthropic claude-sonnet-4-0"],
      ["gpt-4o", { provider: "groq" }, undefined],
      ["gpt-4o", { baseUrl: "https://api.groq.com/openai/v1" }, undefined],
      ["gpt-oss-20b", { provider: "hosted_vllm" }, undefined],
      ["llama-3-70b", { provider: "openai", baseUrl: "http://127.0.0.1:8000/v1" }, undefined],
      ["*", { provider: "openai" }, undefined],
      ["x".repeat(100_000), { provider: "openai" }, undefined],
      ["", {}, undefined]
    ]
    for (const [model, place, expected] of cases) {
      assert.strictEqual(idOf(model, place), expected, `${model.slice(0, 40)} at ${JSON.stringify(place)}`)
    }
    for (const [label, provider] of [
      ["bedrock", "aws"],
      ["vertex_ai", "google"],
      ["gemini", "google"],
      ["together_ai", "together"],
      ["fireworks_ai", "fireworks"],
      ["xai", "x-ai"],
      ["cohere_chat", "cohere"],
      ["moonshot", "moonshotai"]
    ] as const) {
      assert.strictEqual(ModelCatalogue.models(label)[0]?.provider, provider, label)
    }
  })

  it("lists a provider's models, with windows and output bounds where they are known", () => {
    assert.includeMembers(
      ModelCatalogue.models("openai").map(({ id }) => id),
      ["gpt-4o", "gpt-4o-mini", "o3"]
    )
    assert.deepStrictEqual(ModelCatalogue.models("nobody"), [])
    const model = ModelCatalogue.find("gpt-4o", { provider: "openai" })
    assert.deepStrictEqual([model?.contextWindow, model?.maxOutputTokens], [128_000, 16_384])
  })

  it("takes announced prices from their day on", () => {
    const before = ModelCatalogue.priceOf("gemini-3.6-flash", { provider: "google" }, Date.parse("2026-12-31"))
    const after = ModelCatalogue.priceOf("gemini-3.6-flash", { provider: "google" }, Date.parse("2027-01-01"))
    assert.deepStrictEqual([before?.input, after?.input], [0.75, 1.5])
  })
})

describe("PriceBook", () => {
  const book = PriceBook.make()
  const priceOf = (own: Parameters<typeof StubLlm.deployment>[1]) => book.price(StubLlm.deployment("a", own))

  it("takes the half that a deployment leaves open from the public price, and knows none where there is none", () => {
    assert.deepInclude(priceOf({ model: "gpt-4o", inputPrice: 3 }), { input: 3, cachedInput: 3, output: 10 })
    assert.deepInclude(priceOf({ model: "gpt-4o", outputPrice: 9 }), { input: 2.5, cachedInput: 1.25, output: 9 })
    assert.deepInclude(priceOf({ model: "gpt-4o", cachedInputPrice: 1 }), { input: 2.5, cachedInput: 1, output: 10 })
    for (const half of [{ inputPrice: 1 }, { outputPrice: 1 }, { cachedInputPrice: 1 }, {}]) {
      assert.isUndefined(priceOf({ model: "my-model", ...half }), JSON.stringify(half))
    }
    assert.deepInclude(priceOf({ model: "my-model", inputPrice: 0, outputPrice: 0 }), { input: 0, output: 0 })
  })

  it("takes the price of the base model, whoever's prefix it bears, unless the name itself has one", () => {
    const azure = { provider: "azure", model: "prod", baseUrl: "https://acme.openai.azure.com/openai/v1" }
    for (const baseModel of ["gpt-4o", "azure/gpt-4o", "azure/gpt-4o-2024-08-06", "openai/gpt-4o"]) {
      assert.deepInclude(priceOf({ ...azure, baseModel }), { input: 2.5, output: 10 }, baseModel)
    }
    assert.deepInclude(priceOf({ ...azure, baseModel: "azure/eu/gpt-4o-2024-08-06" }), { input: 2.75, output: 11 })
    assert.deepInclude(priceOf({ model: "prod", baseModel: "azure/gpt-4o", inputPrice: 1 }), { input: 1, output: 10 })
    assert.isUndefined(priceOf({ ...azure, model: "gpt-4o", baseModel: "unheard-of" }))
    const own = { input: 7, cachedInput: 7, output: 7 }
    const deployment = StubLlm.deployment("a", { ...azure, baseModel: "azure/gpt-4o" })
    assert.strictEqual(PriceBook.make({ prod: own }).price(deployment), own)
    assert.strictEqual(PriceBook.make({ "gpt-4o": own }).price(deployment), own)
  })

  it("prices each model behind a wildcard by its own name", () => {
    const wildcard = StubLlm.deployment("a", { model: "*" })
    assert.isUndefined(book.price(wildcard))
    assert.strictEqual(book.price(wildcard, "gpt-4o")?.input, 2.5)
    assert.strictEqual(book.price(wildcard, "gpt-4o-mini")?.input, 0.15)
  })

  it("takes an assumed price where nobody knows one, and only there", () => {
    const assuming = PriceBook.make({}, { assumed: { input: 7, output: 8 } })
    assert.deepStrictEqual(assuming.price(StubLlm.deployment("a", { model: "my-model" })), {
      input: 7,
      cachedInput: 7,
      output: 8
    })
    assert.strictEqual(assuming.price(StubLlm.deployment("a", { model: "gpt-4o" }))?.input, 2.5)
  })
})
