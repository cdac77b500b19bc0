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

  it("tells tokens of pictures and sound apart, where there are any", () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 50,
      prompt_tokens_details: { audio_tokens: 30, image_tokens: 20, cached_tokens: 0 },
      completion_tokens_details: { audio_tokens: 40, reasoning_tokens: 0 }
    }
    const counts = { imageInputTokens: 20, audioInputTokens: 30, audioOutputTokens: 40 }
    const found = Usage.fromOpenAi(usage)
    assert.deepInclude(found, counts)
    assert.deepInclude(found === undefined ? undefined : Usage.add(found, found), { audioOutputTokens: 80 })
    const none = Usage.fromOpenAi({
      ...usage,
      prompt_tokens_details: { audio_tokens: 0 },
      completion_tokens_details: {}
    })
    for (const name of Object.keys(counts)) assert.notProperty(none, name)
  })
  it("takes what is there: embeddings have no output, some providers only a total", () => {
    assert.deepInclude(Usage.fromOpenAi({ prompt_tokens: 3 }), { inputTokens: 3, outputTokens: 0 })
    assert.deepInclude(Usage.fromOpenAi({ completion_tokens: 3 }), { inputTokens: 0, outputTokens: 3 })
    assert.deepInclude(Usage.fromOpenAi({ total_tokens: 8 }), { inputTokens: 8, outputTokens: 0 })
  })

  it("what cannot be a count makes the whole no report, so that it is estimated", () => {
    for (const wrong of [
      -4,
      -1,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2.7,
      1e8 + 1,
      4_294_967_295,
      2 ** 64,
      "18446744073709551615",
      "4294967295",
      1.7e308,
      "x",
      "1e3",
      "-3",
      true,
      []
    ]) {
      assert.isUndefined(Usage.fromOpenAi({ prompt_tokens: wrong, completion_tokens: 5 }), String(wrong))
      assert.isUndefined(Usage.fromOpenAi({ prompt_tokens: 5, completion_tokens: wrong }), String(wrong))
      assert.isUndefined(Usage.fromOpenAi({ total_tokens: wrong }), String(wrong))
    }
    // A share that cannot be is left out; what somebody claims to have charged is nobody's count.
    const lies = { reasoning_tokens: 4_294_967_295, cached_tokens: -1, cost: 1.7e308, total_tokens: 1.7e308 }
    assert.deepInclude(Usage.fromOpenAi({ prompt_tokens: 9, completion_tokens: 5, ...lies }), {
      inputTokens: 9,
      outputTokens: 5,
      cachedInputTokens: 0,
      reasoningTokens: 0
    })
    for (const none of [undefined, null, "x", 3, [], {}]) assert.isUndefined(Usage.fromOpenAi(none))
    assert.deepInclude(Usage.fromOpenAi({ prompt_tokens: 1e8 }), { inputTokens: 1e8 })
    assert.deepInclude(Usage.fromOpenAi({ prompt_tokens: 9, prompt_tokens_details: { cached_tokens: 1e300 } }), {
      inputTokens: 9,
      cachedInputTokens: 0
    })
  })

  const spellings: ReadonlyArray<readonly [string, object, readonly [number, number, number, number, number?]]> = [
    ["strings", { prompt_tokens: "1000", completion_tokens: "5" }, [1000, 5, 0, 0]],
    [
      "DeepSeek's cache",
      { prompt_tokens: 1000, completion_tokens: 5, prompt_cache_hit_tokens: 900, prompt_cache_miss_tokens: 100 },
      [1000, 5, 900, 0]
    ],
    ["Moonshot's cache", { prompt_tokens: 1000, completion_tokens: 5, cached_tokens: 900 }, [1000, 5, 900, 0]],
    [
      "a cache in two spellings",
      {
        prompt_tokens: 1000,
        completion_tokens: 5,
        cached_tokens: 900,
        prompt_tokens_details: { cached_tokens: 900 },
        cache_read_input_tokens: 900
      },
      [1000, 5, 900, 0]
    ],
    [
      "tokens written into a cache, as OpenRouter tells them",
      {
        prompt_tokens: 1000,
        completion_tokens: 5,
        prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 300 }
      },
      [1000, 5, 0, 0, 300]
    ],
    [
      "LiteLLM's for Anthropic",
      { prompt_tokens: 1000, completion_tokens: 5, cache_read_input_tokens: 700, cache_creation_input_tokens: 200 },
      [1000, 5, 700, 0, 200]
    ],
    [
      "a cache on top of the prompt",
      { prompt_tokens: 10, completion_tokens: 5, cache_read_input_tokens: 700, cache_creation_input_tokens: 200 },
      [910, 5, 700, 0, 200]
    ],
    [
      "Anthropic's own",
      { input_tokens: 100, output_tokens: 5, cache_read_input_tokens: 50, cache_creation_input_tokens: 20 },
      [170, 5, 50, 0, 20]
    ],
    [
      "the Responses API's",
      {
        input_tokens: 100,
        output_tokens: 50,
        input_tokens_details: { cached_tokens: 40 },
        output_tokens_details: { reasoning_tokens: 30 }
      },
      [100, 50, 40, 30]
    ],
    [
      "reasoning beside the output",
      {
        prompt_tokens: 10,
        completion_tokens: 5,
        total_tokens: 35,
        completion_tokens_details: { reasoning_tokens: 20 }
      },
      [10, 25, 0, 20]
    ],
    [
      "reasoning on top by the total",
      { prompt_tokens: 10, completion_tokens: 25, total_tokens: 55, reasoning_tokens: 20 },
      [10, 45, 0, 20]
    ],
    [
      "reasoning as a part",
      { prompt_tokens: 10, completion_tokens: 25, total_tokens: 35, reasoning_tokens: 20 },
      [10, 25, 0, 20]
    ]
  ]
  it.each(spellings)("reads %s", (_, usage, counts) => {
    const [inputTokens, outputTokens, cachedInputTokens, reasoningTokens, cacheWriteTokens] = counts
    assert.deepStrictEqual(Usage.fromOpenAi(usage), {
      inputTokens,
      outputTokens,
      cachedInputTokens,
      ...(cacheWriteTokens === undefined ? {} : { cacheWriteTokens }),
      reasoningTokens,
      estimated: false
    })
  })

  it("finds it where a provider puts it: on top, at x_groq, at the first choice", () => {
    const usage = { prompt_tokens: 1000, completion_tokens: 2 }
    for (const body of [
      { usage },
      { x_groq: { id: "r", usage } },
      { choices: [{ index: 0, usage }] },
      { usage: null, choices: [{ usage }] }
    ]) {
      assert.deepInclude(Usage.inBody(body), { inputTokens: 1000, outputTokens: 2 })
    }
    assert.isUndefined(Usage.inBody({ choices: [{}] }))
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
