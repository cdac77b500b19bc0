import { assert, describe, it } from "@effect/vitest"
import * as Usage from "@switchyard/core/Usage"

describe("Usage.fromOpenAi", () => {
  it("reads the counts with their details", () => {
    assert.deepStrictEqual(
      Usage.fromOpenAi({
        prompt_tokens: 10,
        completion_tokens: 5,
        total_tokens: 15,
        prompt_tokens_details: { cached_tokens: 4 },
        completion_tokens_details: { reasoning_tokens: 2 }
      }),
      { inputTokens: 10, outputTokens: 5, cachedInputTokens: 4, reasoningTokens: 2, estimated: false }
    )
  })

  it("takes what is there: embeddings have no output, some providers only a total", () => {
    assert.deepInclude(Usage.fromOpenAi({ prompt_tokens: 3 }), { inputTokens: 3, outputTokens: 0 })
    assert.deepInclude(Usage.fromOpenAi({ completion_tokens: 3 }), { inputTokens: 0, outputTokens: 3 })
    assert.deepInclude(Usage.fromOpenAi({ total_tokens: 8 }), { inputTokens: 8, outputTokens: 0 })
  })

  it("counts nonsense as nothing, and says that there is none when nothing is a count", () => {
    assert.deepInclude(
      Usage.fromOpenAi({ prompt_tokens: -4, completion_tokens: Number.NaN, prompt_tokens_details: 3 }),
      {
        inputTokens: 0,
        outputTokens: 0,
        cachedInputTokens: 0
      }
    )
    assert.deepInclude(Usage.fromOpenAi({ prompt_tokens: 2.7 }), { inputTokens: 2 })
    for (const none of [undefined, null, "x", 3, [], {}, { prompt_tokens: "3" }]) {
      assert.isUndefined(Usage.fromOpenAi(none))
    }
  })
})

describe("Usage", () => {
  const a: Usage.Usage = { inputTokens: 1, outputTokens: 2, cachedInputTokens: 3, reasoningTokens: 4, estimated: false }

  it("adds up; a sum with an estimate in it is an estimate", () => {
    assert.deepStrictEqual(Usage.add(a, Usage.zero), a)
    assert.deepStrictEqual(Usage.add(a, Usage.estimate(10, 20)), {
      inputTokens: 11,
      outputTokens: 22,
      cachedInputTokens: 3,
      reasoningTokens: 4,
      estimated: true
    })
    assert.isFalse(Usage.add(a, a).estimated)
  })

  it("totals input and output: details are part of them", () => {
    assert.strictEqual(Usage.total(a), 3)
  })
})
