import { assert, describe, it } from "@effect/vitest"
import * as ModelFamily from "@switchyard/core/ModelFamily"

const split = (name: string): ModelFamily.Named => {
  const slash = name.indexOf("/")
  return { provider: name.slice(0, slash), model: name.slice(slash + 1) }
}

const family = (name: string): ModelFamily.ModelFamily => ModelFamily.of(split(name))

const bound = (names: string, expected: ModelFamily.ModelFamily["outputBound"]): void => {
  for (const name of names.trim().split(/\s+/)) assert.strictEqual(family(name).outputBound, expected, name)
}

describe("ModelFamily", () => {
  it("OpenAI's thinking models call their bound max_completion_tokens, dated and at Azure too", () => {
    bound(
      `openai/gpt-5 openai/gpt-5-mini openai/gpt-5-2025-08-07 openai/gpt-5.1 openai/gpt-5.2-pro openai/gpt-6
       openai/gpt-5.1-chat-latest openai/gpt-5-search-api openai/o1 openai/o1-mini openai/o1-2024-12-17 openai/o3
       openai/o3-mini openai/o4-mini-2025-04-16 azure/gpt-5 azure/gpt-5-chat azure/team-gpt-5-eu azure/gpt5 azure/o3-mini
       azure/o_series/x azure/gpt5_series/x azure_ai/gpt-5 github/openai/gpt-5 openai/GPT-5`,
      "max_completion_tokens"
    )
  })

  it("either name will do for others of OpenAI, for aggregators, and where nothing is known", () => {
    bound(
      `openai/gpt-4o openai/gpt-4o-mini openai/gpt-5-chat-latest openai/gpt-3.5-turbo openai/some-model azure/prod
       openrouter/openai/gpt-5 openrouter/openai/o3 vercel_ai_gateway/openai/gpt-5 mine/gpt-5 hosted_vllm/gpt-oss-20b
       azure/foo3 openai/gpt-oss-120b`,
      undefined
    )
  })

  it("providers of one name only are asked by it", () => {
    bound("cerebras/llama3.1-8b mistral/mistral-small-latest xai/grok-4 groq/llama-3.1-8b-instant", "max_tokens")
  })

  it("a label of one's own is told by the host", () => {
    const at = (baseUrl: string, model = "gpt-5") => ModelFamily.of({ provider: "eu", model, baseUrl })
    assert.strictEqual(at("https://acme.openai.azure.com/openai/v1").outputBound, "max_completion_tokens")
    assert.strictEqual(at("https://api.openai.com/v1").outputBound, "max_completion_tokens")
    assert.strictEqual(at("https://api.mistral.ai/v1", "mistral-small").outputBound, "max_tokens")
    assert.strictEqual(at("https://example.com/v1").name, "unknown")
    assert.strictEqual(at("nonsense").name, "unknown")
  })

  it("a name of one's own is told by the public name beside it", () => {
    const at = (baseModel: string, provider = "azure") => ModelFamily.of({ provider, model: "gpt-4o-prod", baseModel })
    for (const name of ["gpt-5", "azure/gpt-5-mini", "azure/eu/gpt-5-2025-08-07", "o3"]) {
      assert.deepInclude(at(name), { outputBound: "max_completion_tokens", reasons: true }, name)
    }
    assert.deepInclude(at("mistral-small", "mistral"), { name: "mistral", reasons: false })
    assert.strictEqual(at("azure/gpt-4o").outputBound, undefined)
  })

  it("knows which parameters a family refuses", () => {
    const body = {
      temperature: 0.2,
      top_p: 0.5,
      n: 1,
      presence_penalty: 0.1,
      logit_bias: {},
      stop: ["x"],
      logprobs: true,
      seed: 7,
      user: "u",
      parallel_tool_calls: true,
      reasoning_effort: "low",
      thinking: {},
      max_tokens: 5
    }
    const refused = (name: string, more = {}): string => {
      const all = { ...body, ...more }
      return Object.keys(all)
        .filter((key) => ModelFamily.refuses(family(name), all, key))
        .join(" ")
    }
    const gpt5 = "presence_penalty logit_bias stop"
    assert.strictEqual(refused("openai/gpt-5-mini"), `temperature top_p ${gpt5} logprobs thinking`)
    assert.strictEqual(refused("azure/gpt-5", { temperature: 1 }), `top_p ${gpt5} logprobs thinking`)
    assert.strictEqual(refused("openai/gpt-5.2"), `temperature top_p ${gpt5} logprobs thinking`)
    assert.strictEqual(refused("openai/gpt-5.2", { reasoning_effort: "none" }), `${gpt5} thinking`)
    assert.strictEqual(refused("openai/gpt-5.2", { reasoning_effort: undefined }), `${gpt5} thinking`)
    assert.strictEqual(
      refused("openai/gpt-5.6", { reasoning_effort: undefined }),
      `temperature top_p ${gpt5} logprobs thinking`
    )
    assert.strictEqual(refused("openai/gpt-5-chat-latest"), "reasoning_effort thinking")
    assert.strictEqual(refused("openai/gpt-4o"), "reasoning_effort thinking")
    assert.strictEqual(
      refused("openai/o3"),
      "temperature top_p presence_penalty logit_bias stop logprobs parallel_tool_calls thinking"
    )
    assert.strictEqual(
      refused("cerebras/llama3.1-8b"),
      "n presence_penalty logit_bias logprobs parallel_tool_calls reasoning_effort thinking"
    )
    assert.strictEqual(refused("mistral/mistral-large"), "n presence_penalty logit_bias logprobs user thinking")
    assert.strictEqual(refused("xai/grok-4"), "presence_penalty stop reasoning_effort thinking")
    assert.strictEqual(refused("openai/unheard-of"), "")
    assert.strictEqual(refused("openrouter/openai/gpt-5"), "")
  })

  it("knows other names of parameters", () => {
    const renames = (name: string) => family(name).renames.map(({ from, to }) => `${from} ${to}`)
    assert.include(renames("mistral/mistral-small"), "seed random_seed")
    const thinking = family("deepseek/deepseek-chat").renames.find(({ from }) => from === "reasoning_effort")
    assert.deepStrictEqual(thinking?.value?.("low"), { type: "enabled" })
    assert.deepStrictEqual(thinking?.value?.("none"), { type: "disabled" })
  })

  it("knows who thinks before the first word, at whatever provider", () => {
    const thinkers = `openai/gpt-5 azure/team-gpt-5-mini openai/o1 openai/o3-mini openai/o1-2024-12-17 openrouter/openai/o4-mini
      deepseek/deepseek-reasoner together_ai/deepseek-ai/DeepSeek-R1 openrouter/deepseek/deepseek-r1-distill-llama-70b
      xai/grok-4 xai/grok-3-mini xai/grok-4-fast-reasoning gemini/gemini-2.5-pro openrouter/google/gemini-3-pro-preview
      mistral/magistral-small-latest groq/openai/gpt-oss-20b hosted_vllm/Qwen/Qwen3-32B openrouter/qwen/qwq-32b
      perplexity/sonar-reasoning-pro moonshot/kimi-k2-thinking zai/glm-4.6 minimax/MiniMax-M2
      openrouter/qwen/qwen3-next-80b-a3b-thinking azure_ai/Phi-4-reasoning fireworks_ai/accounts/fireworks/models/glm-4p6`
    for (const name of thinkers.split(/\s+/)) assert.isTrue(family(name).reasons, name)
    const others = `openai/gpt-4o openai/gpt-5-chat-latest openai/gpt-4.1 deepseek/deepseek-chat xai/grok-3
      xai/grok-4-fast-non-reasoning gemini/gemini-2.5-flash-lite gemini/gemini-2.0-flash mistral/mistral-large-latest
      groq/llama-3.1-8b-instant openrouter/qwen/qwen3-coder openrouter/anthropic/claude-sonnet-4 perplexity/sonar
      moonshot/kimi-k2-instruct openai/text-embedding-3-small openai/gpt-5-search-api azure/prod`
    for (const name of others.split(/\s+/)) assert.isFalse(family(name).reasons, name)
  })
})
