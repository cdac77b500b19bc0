import { assert, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Either } from "effect"
import { loadFiles } from "../support/configFiles.js"
import { messages, post } from "../support/gateways.js"

type Fields = Readonly<Record<string, unknown>>

/** A gateway that runs on a file's text, and what the check of the file says. */
const served = (text: string) =>
  Effect.gen(function* () {
    const loaded = yield* loadFiles({ "config.yaml": text })
    const { config, problems } = Either.getOrThrowWith(loaded, ({ error }) => error)
    const gateway = yield* Gateway.make({
      config: { ...config, server: { ...config.server, port: 0, drainTimeout: "1 second" } }
    })
    return { gateway, said: problems.map(({ line, message, severity }) => `${line} ${severity}: ${message}`) }
  })

const key = { authorization: "Bearer sk-gate" }

/** What a request's parameters come to at the upstream. */
const sent = (gateway: Gateway.Gateway, up: FakeProvider.FakeProvider, model: string, fields: Fields) =>
  Effect.gen(function* () {
    const answer = yield* post(gateway, "/v1/chat/completions", { model, messages, ...fields }, key)
    assert.strictEqual(answer.status, 200, answer.text)
    const { messages: _, model: __, stream: ___, ...rest } = (up.journal().at(-1)?.body ?? {}) as Fields
    return rest
  })

const request = { max_tokens: 50, temperature: 0.2, presence_penalty: 0.1, n: 1, logit_bias: { "1": 1 } }

const twoModels = (url: string, more: string): string => `model_list:
  - model_name: five
    litellm_params:
      model: openai/gpt-5-mini
      api_key: sk-demo
      api_base: ${url}
  - model_name: terse
    litellm_params:
      model: cerebras/llama3.1-8b
      api_key: sk-demo
      api_base: ${url}
general_settings:
  master_key: sk-gate
${more}`

describe("a LiteLLM file's parameters at the upstream", () => {
  it.scopedLive("drop_params leaves out what a model refuses, and the output's bound has the model's name", () =>
    Effect.gen(function* () {
      const up = yield* FakeProvider.make({ name: "up" })
      const { gateway } = yield* served(twoModels(up.url, "litellm_settings:\n  drop_params: true\n"))
      assert.deepStrictEqual(yield* sent(gateway, up, "five", request), { max_completion_tokens: 50, n: 1 })
      assert.deepStrictEqual(yield* sent(gateway, up, "terse", request), { max_tokens: 50, temperature: 0.2 })
      assert.deepStrictEqual(yield* sent(gateway, up, "five", { temperature: 0.2, drop_params: false }), {
        temperature: 0.2
      })
    })
  )

  it.scopedLive("without drop_params only the bound's name changes, unless the request asks for more", () =>
    Effect.gen(function* () {
      const up = yield* FakeProvider.make({ name: "up" })
      const { gateway } = yield* served(twoModels(up.url, ""))
      const { max_tokens: _, ...rest } = request
      assert.deepStrictEqual(yield* sent(gateway, up, "five", request), { ...rest, max_completion_tokens: 50 })
      assert.deepStrictEqual(yield* sent(gateway, up, "terse", request), request)
      assert.deepStrictEqual(yield* sent(gateway, up, "five", { ...request, drop_params: true }), {
        max_completion_tokens: 50,
        n: 1
      })
      assert.deepStrictEqual(
        yield* sent(gateway, up, "five", { ...rest, additional_drop_params: ["n", "logit_bias"] }),
        {
          temperature: 0.2,
          presence_penalty: 0.1
        }
      )
      const wrong = yield* post(gateway, "/v1/chat/completions", { model: "five", messages, drop_params: 3 }, key)
      assert.strictEqual(wrong.status, 400)
      assert.include(wrong.text, "drop_params: expected true or false")
    })
  )

  it.scopedLive(
    "LiteLLM's own parameters are held back with a warning each, and what the file adds obeys drop_params",
    () =>
      Effect.gen(function* () {
        const up = yield* FakeProvider.make({ name: "up" })
        const { gateway, said } = yield* served(`model_list:
  - model_name: writer
    litellm_params:
      model: openai/gpt-4o-mini
      api_key: sk-demo
      allowed_openai_params: [thinking]
      prompt_id: greeting
      input_cost_per_token_above_200k_tokens: 0.000002
      api_base: ${up.url}
  - model_name: thinker
    litellm_params:
      model: azure_ai/gpt-5
      api_key: sk-demo
      api_base: ${up.url}
      drop_params: true
      additional_drop_params: [user]
      thinking: { type: enabled, budget_tokens: 1000 }
      max_tokens: 70
  - model_name: local
    litellm_params:
      model: ollama_chat/qwen3:8b
      api_base: ${up.url}
      num_ctx: 16384
      keep_alive: 30m
    model_info:
      note: for the blog team
      owner: blog
general_settings:
  master_key: sk-gate
  proxy_batch_write_at: 60
  enforce_user_param: true
`)
        assert.deepStrictEqual(yield* sent(gateway, up, "writer", {}), {})
        for (const line of [6, 7, 8]) {
          assert.lengthOf(
            said.filter((text) => text.startsWith(`${line} warning: `)),
            1,
            said.join("\n")
          )
        }
        const told = said.join("\n")
        assert.match(told, /\n23 warning: Ollama's OpenAI-compatible API, which is asked, ignores it: prompts are cut/)
        assert.match(told, /\n24 warning: Ollama's OpenAI-compatible API, which is asked, ignores it/)
        assert.match(told, /\n21 note: ollama_chat is asked at its OpenAI-compatible API/)
        assert.match(told, /\n26 note: fields of `model_info`/)
        assert.notMatch(told, /\n27 /)
        assert.match(told, /\n30 warning: not done here/)
        assert.match(told, /\n31 warning: this rule is NOT ENFORCED here/)
        yield* sent(gateway, up, "local", {})
        assert.deepStrictEqual(Object.keys(up.journal().at(-1)?.body as Fields).sort(), [
          "keep_alive",
          "messages",
          "model",
          "num_ctx",
          "stream"
        ])
        assert.deepStrictEqual(yield* sent(gateway, up, "thinker", { user: "u" }), { max_completion_tokens: 70 })
      })
  )
})
