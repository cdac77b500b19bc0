import { assert, describe, it } from "@effect/vitest"
import { Attempt } from "@switchyard/core/Attempt"
import * as Deployment from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { ParameterBook } from "@switchyard/core/Payload"
import { Slot } from "@switchyard/core/Slot"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Logger } from "effect"
import { encode } from "../../src/translation/payload.js"
import * as S from "../support/support.js"

type Config = Partial<Deployment.DeploymentConfig>
type Fields = Readonly<Record<string, unknown>>

const deployment = (config: Config): Deployment.Deployment =>
  Deployment.make({ id: "d", group: "g", model: "m", ...config })

const attempt = (target: Deployment.Deployment, request: LlmRequest.LlmRequest, model?: string): Attempt =>
  new Attempt(1, request, Slot.make(target), 0, false, false, model)

/** What goes out, without what is always there. */
const sent = (config: Config, fields: Fields, overrides: LlmRequest.RequestOverrides = {}, model?: string): Fields => {
  const one = attempt(deployment(config), S.chat(fields, { overrides }), model)
  const {
    messages: _messages,
    model: _model,
    stream: _stream,
    ...rest
  } = JSON.parse(String(encode(one, new ParameterBook().of(one)))) as Fields
  return rest
}

const five = { provider: "openai", model: "gpt-5-mini" } as const
const bound = { max_tokens: 50 }
const completion = { max_completion_tokens: 50 }

describe("the bound of the output", () => {
  it("goes out under the name that the model knows, whatever the settings", () => {
    assert.deepStrictEqual(sent(five, bound), completion)
    assert.deepStrictEqual(sent({ model: "o3" }, bound), completion)
    assert.deepStrictEqual(sent({ provider: "azure", model: "team-gpt-5" }, bound), completion)
    assert.deepStrictEqual(
      sent({ provider: "mine", model: "gpt-5", baseUrl: "https://a.openai.azure.com/openai/v1" }, bound),
      completion
    )
    assert.deepStrictEqual(sent({ provider: "mistral", model: "mistral-small" }, completion), bound)
    assert.deepStrictEqual(sent({ model: "gpt-4o" }, bound), bound)
    assert.deepStrictEqual(sent({ model: "gpt-4o" }, completion), completion)
    assert.deepStrictEqual(sent({ provider: "openrouter", model: "openai/gpt-5" }, bound), bound)
  })

  it("a deployment that goes by a name of its own is known by its base model", () => {
    const prod = { provider: "azure", model: "prod", baseModel: "azure/gpt-5" }
    assert.deepStrictEqual(sent(prod, bound), completion)
    assert.deepStrictEqual(sent({ ...prod, dropParams: true }, { temperature: 0.2, ...bound }), completion)
    assert.deepStrictEqual(sent({ ...prod, baseModel: "azure/gpt-4o" }, bound), bound)
  })

  it("a wildcard's models are told apart by the name that is asked for", () => {
    const every = { model: "*" }
    assert.deepStrictEqual(sent(every, bound, {}, "gpt-5"), completion)
    assert.deepStrictEqual(sent(every, bound, {}, "gpt-4o"), bound)
  })

  it("the caller's own word wins under either name, over the deployment's too", () => {
    assert.deepStrictEqual(sent(five, { max_tokens: 9, max_completion_tokens: 50 }), completion)
    assert.deepStrictEqual(sent(five, { max_tokens: 50, max_completion_tokens: null }), completion)
    assert.deepStrictEqual(sent({ ...five, defaults: { max_tokens: 50 } }, {}), completion)
    assert.deepStrictEqual(sent({ ...five, defaults: { max_completion_tokens: 9 } }, bound), completion)
    assert.deepStrictEqual(sent({ model: "gpt-4o", defaults: { max_completion_tokens: 9 } }, bound), bound)
    assert.deepStrictEqual(sent({ model: "gpt-4o", defaults: { max_tokens: 9 } }, completion), completion)
  })

  it("completions and embeddings keep their own words", () => {
    const one = attempt(deployment(five), LlmRequest.completion({ model: "m", prompt: "x", max_tokens: 50 }))
    assert.deepInclude(JSON.parse(String(encode(one, new ParameterBook().of(one)))), bound)
  })
})

describe("other names of parameters", () => {
  it("go out as the provider knows them", () => {
    assert.deepStrictEqual(sent({ provider: "mistral", model: "mistral-small" }, { seed: 7 }), { random_seed: 7 })
    const deepseek = { provider: "deepseek", model: "deepseek-chat" }
    assert.deepStrictEqual(sent(deepseek, { reasoning_effort: "low" }), { thinking: { type: "enabled" } })
    assert.deepStrictEqual(sent(deepseek, { reasoning_effort: "none" }), { thinking: { type: "disabled" } })
  })
})

describe("parameters that a model refuses", () => {
  const all = { temperature: 0.2, presence_penalty: 0.1, n: 1, logit_bias: { 1: 1 }, ...bound }

  it("go out as they come unless somebody says otherwise", () => {
    const { max_tokens: _, ...rest } = all
    assert.deepStrictEqual(sent(five, all), { ...rest, ...completion })
  })

  it("are left out where the deployment says so, the deployment's own too", () => {
    assert.deepStrictEqual(sent({ ...five, dropParams: true }, all), { n: 1, ...completion })
    assert.deepStrictEqual(sent({ ...five, dropParams: true }, { temperature: 1 }), { temperature: 1 })
    assert.deepStrictEqual(sent({ provider: "cerebras", model: "llama3.1-8b", dropParams: true }, all), {
      temperature: 0.2,
      ...bound
    })
    assert.deepStrictEqual(
      sent({ provider: "azure", model: "gpt-5", dropParams: true, defaults: { thinking: { type: "enabled" } } }, {}),
      {}
    )
  })

  it("the request's own word beats the deployment's", () => {
    assert.deepStrictEqual(sent(five, { temperature: 0.2 }, { dropParams: true }), {})
    assert.deepStrictEqual(sent({ ...five, dropParams: true }, { temperature: 0.2 }, { dropParams: false }), {
      temperature: 0.2
    })
  })

  it("a model that nobody knows loses nothing", () => {
    assert.deepStrictEqual(sent({ model: "unheard-of", dropParams: true }, all), all)
    assert.deepStrictEqual(sent({ provider: "mine", model: "gpt-5", dropParams: true }, all), all)
  })
})

describe("parameters that are always left out", () => {
  const drop = (paths: ReadonlyArray<string>, fields: Fields) => sent({ additionalDropParams: paths }, fields)

  it("by name, in parts, and in every item of a list", () => {
    const tools = [{ type: "function", strict: true, function: { name: "f", strict: true } }, { type: "x" }]
    assert.deepStrictEqual(drop(["user", "absent"], { user: "u", n: 1 }), { n: 1 })
    assert.deepStrictEqual(drop(["tools[*].function.strict", "tools[0].strict"], { tools }), {
      tools: [{ type: "function", function: { name: "f" } }, { type: "x" }]
    })
    assert.deepStrictEqual(drop(["tools[1]"], { tools: [1, 2, 3] }), { tools: [1, 3] })
    assert.deepStrictEqual(drop(["a.b", "c\\.d"], { a: { b: 1, e: 2 }, "c.d": 3 }), { a: { e: 2 } })
    assert.deepStrictEqual(drop(["user.id", "n[0]", "["], { user: "u", n: 1 }), { user: "u", n: 1 })
    assert.isTrue(tools[0]?.strict)
  })

  it("a request may name more, by either name of a parameter", () => {
    assert.deepStrictEqual(
      sent({ additionalDropParams: ["n"] }, { n: 1, user: "u", seed: 3 }, { additionalDropParams: ["user"] }),
      { seed: 3 }
    )
    assert.deepStrictEqual(sent({ ...five, additionalDropParams: ["max_tokens"] }, bound), {})
    assert.deepStrictEqual(sent({ ...five, additionalDropParams: ["max_completion_tokens"] }, bound), {})
  })

  it("stream_options too, which ask for usage otherwise", () => {
    const of = (config: Config, overrides = {}) => {
      const one = attempt(deployment(config), S.streamed({}, { overrides }))
      return (JSON.parse(String(encode(one, new ParameterBook().of(one)))) as Fields).stream_options
    }
    assert.deepStrictEqual(of({}), { include_usage: true })
    assert.isUndefined(of({ additionalDropParams: ["stream_options"] }))
    assert.isUndefined(of({}, { additionalDropParams: ["stream_options"] }))
  })

  it("what is asked stays", () => {
    const one = attempt(deployment({ additionalDropParams: ["messages", "model", "stream"] }), S.chat())
    assert.deepStrictEqual(JSON.parse(String(encode(one, new ParameterBook().of(one)))), {
      messages: S.messages,
      model: "m",
      stream: false
    })
  })
})

describe("what was left out", () => {
  it.scopedLive("is told once for each parameter, without its value", () =>
    Effect.gen(function* () {
      const up = yield* FakeProvider.make({ name: "up" })
      const service = yield* S.serviceOver(S.undici)
      const target = deployment({ ...five, baseUrl: up.url, dropParams: true })
      const lines: Array<unknown> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void lines.push(message))
      )
      const send = (fields: Fields) =>
        Effect.provide(service.call(attempt(target, LlmRequest.begin(S.chat(fields), 0))), logger)
      yield* send({ temperature: 0.2, user: "u" })
      yield* send({ temperature: 0.3 })
      yield* send({ temperature: 0.4, stop: ["secret"] })
      assert.deepStrictEqual(lines, [
        ["d: left out of requests for gpt-5-mini from now on: temperature"],
        ["d: left out of requests for gpt-5-mini from now on: stop"]
      ])
      assert.deepStrictEqual(
        up.journal().map(({ body }) => Object.keys(body as Fields).filter((key) => /temperature|stop|user/.test(key))),
        [["user"], [], []]
      )
    })
  )
})
