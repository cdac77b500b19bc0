import { assert, describe, it } from "@effect/vitest"
import * as ModelCatalogue from "@switchyard/router/ModelCatalogue"

const all = ModelCatalogue.providers().map((provider) => ({ provider, models: ModelCatalogue.models(provider) }))

/** USD per million tokens that no model asks for; the dearest of all asks 600. */
const tooDear = 5000

const pieces = ["perImage", "perSecond", "perCharacter", "perSearch", "perPage"] as const

describe("the catalogue's data", () => {
  it("has every provider once, in order, and every model of a provider once", () => {
    const names = all.map(({ provider }) => provider)
    assert.deepStrictEqual(names, [...new Set(names)].sort())
    assert.isAbove(names.length, 300)
    assert.isAbove(
      all.reduce((sum, { models }) => sum + models.length, 0),
      13_000
    )
    const twice = all.flatMap(({ models, provider }) => {
      const ids = models.map(({ id }) => id.toLowerCase())
      return ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `${provider}/${id}`)
    })
    assert.deepStrictEqual(twice, [])
  })

  it("has prices that are no less than nothing and no more than anybody asks, tiers in order, and bounds above 0", () => {
    const wrong = all.flatMap(({ models, provider }) =>
      models.flatMap((model) => {
        const { contextWindow, maxOutputTokens, price } = model
        const tiers = price?.tiers ?? []
        const rates = [price, ...tiers].flatMap((one) =>
          one === undefined ? [] : [one.input, one.cachedInput, one.cacheWrite ?? 0, one.output]
        )
        const apiece = [...pieces.map((key) => price?.[key] ?? 0), ...Object.values(price?.images ?? {})]
        const isFine =
          rates.every((rate) => rate >= 0 && rate < tooDear) &&
          apiece.every((one) => one >= 0 && one < 1000) &&
          tiers.every(({ above }, index) => above > (tiers[index - 1]?.above ?? 0)) &&
          [contextWindow, maxOutputTokens].every((bound) => bound === undefined || bound > 0)
        return isFine ? [] : [`${provider}/${model.id}`]
      })
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("says what models are for, and prices what is billed by the piece, but never a thing twice", () => {
    const known = (provider: string, id: string) => {
      const { mode, operations, price } = ModelCatalogue.find(id, { provider }) ?? {}
      return { mode, operations, price }
    }
    const cases: ReadonlyArray<readonly [string, string, string, string, Readonly<Record<string, number>>]> = [
      ["openai", "whisper-1", "audio_transcription", "transcription", { perSecond: 0.0001 }],
      ["openai", "tts-1", "audio_speech", "speech", { perCharacter: 0.000015 }],
      ["cohere", "rerank-v3.5", "rerank", "rerank", { perSearch: 0.002 }],
      ["recraft", "recraftv3", "image_generation", "image", { perImage: 0.04 }],
      ["openai", "omni-moderation-latest", "moderation", "moderation", { input: 0 }],
      ["openai", "text-embedding-3-small", "embedding", "embeddings", { input: 0.02, output: 0 }],
      ["openai", "gpt-4o", "chat", "chat", { input: 2.5, output: 10, cachedInput: 1.25 }]
    ]
    for (const [provider, id, mode, operation, price] of cases) {
      const found = known(provider, id)
      assert.strictEqual(found.mode, mode, id)
      assert.include(found.operations ?? [], operation, id)
      assert.deepInclude(found.price, price, id)
    }
    const twice = all.flatMap(({ models, provider }) =>
      models.flatMap(({ id, mode, price }) => {
        const isByTokens = (price?.input ?? 0) + (price?.output ?? 0) > 0
        const isMade = mode === "image_generation" || mode === "image_edit"
        return isMade && isByTokens && price?.perImage !== undefined ? [`${provider}/${id}`] : []
      })
    )
    assert.deepStrictEqual(twice, [])
    assert.isUndefined(ModelCatalogue.find("gpt-4o-mini", { provider: "groq" }))
  })

  it("knows what a model can do and what not, and says nothing of what the sources do not agree on", () => {
    const can = (provider: string, id: string) => ModelCatalogue.find(id, { provider })?.capabilities ?? {}
    assert.deepInclude(can("openai", "gpt-4o"), { tools: true, vision: true, json_schema: true, reasoning: false })
    assert.deepInclude(can("anthropic", "claude-sonnet-4-5"), { tools: true, reasoning: true, audio_output: false })
    assert.deepInclude(can("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"), { tools: true })
    assert.notProperty(can("openai", "gpt-image-1.5"), "json_schema")
  })
})
