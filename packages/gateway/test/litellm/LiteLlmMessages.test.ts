import { assert, describe, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import { loadFiles } from "../support/configFiles.js"

const model = `model_list:
  - model_name: writer
    litellm_params:
      model: openai/gpt-4o-mini
      api_key: sk-demo
`

/** What the check of a file says, as `line severity path: message`, in the order of the lines. */
const said = (text: string, env: Readonly<Record<string, string>> = {}) =>
  Effect.map(loadFiles({ "config.yaml": text }, env), (loaded) => {
    const { problems } = Either.match(loaded, { onLeft: ({ error }) => error, onRight: (config) => config })
    return problems.map(({ line, message, path, severity, suggestion, value }) => {
      const found = value === undefined ? "" : `, found ${value}`
      const meant = suggestion === undefined ? "" : ` (did you mean ${suggestion}?)`
      return `${line} ${severity} ${path === "" ? "" : `${path}: `}${message}${found}${meant}`
    })
  })

const settled = (lines: ReadonlyArray<string>) => lines.filter((line) => !line.includes("simple-shuffle"))
const errors = (lines: ReadonlyArray<string>) => lines.filter((line) => / error /.test(line))
const some = (lines: ReadonlyArray<string>, ...parts: ReadonlyArray<string>) =>
  assert.isTrue(
    lines.some((line) => parts.every((part) => line.includes(part))),
    `${parts.join(" … ")} in\n${lines.join("\n")}`
  )

describe("messages about a LiteLLM file", () => {
  it.effect(
    "keys that LiteLLM has are not done here, rules are not enforced, and no such key is said of mistakes alone",
    () =>
      Effect.gen(function* () {
        const lines = yield* said(`${model}    model_info:
      note: for the blog team
      owner: blog
      max_input_token: 1000
general_settings:
  master_key: sk-gate
  proxy_batch_write_at: 60
  enforce_user_param: true
  allowed_routes: [/chat/completions]
  disable_error_logs: true
  use_x_forwarded_for: false
  default_model: writer
litellm_settings:
  max_internal_user_budget: 5
  network_mock: true
  request_timout: 5
  cache: true
  cache_params:
    s3_region_name: eu
router_settings:
  tag_routing_prefix: x
  enable_pre_call_check: true
`)
        const notDone = ["proxy_batch_write_at", "disable_error_logs", "max_internal_user_budget", "tag_routing_prefix"]
        for (const key of [...notDone, "network_mock", "s3_region_name"]) {
          some(lines, ` warning `, `${key}: not done here`)
          assert.isFalse(
            lines.some((line) => line.includes(`.${key}: `) && line.includes("did you mean")),
            key
          )
        }
        for (const key of ["enforce_user_param", "allowed_routes"]) some(lines, " warning ", key, "NOT ENFORCED")
        assert.isFalse(lines.some((line) => line.includes("use_x_forwarded_for")))
        some(lines, "default_model: no such key")
        some(lines, "request_timout: no such key", "did you mean request_timeout?")
        some(lines, "enable_pre_call_check: no such key", "did you mean enable_pre_call_checks?")
        assert.lengthOf(
          lines.filter((line) => /model_info\.(note|owner)/.test(line)),
          1
        )
        some(lines, "max_input_token: no such key", "did you mean max_input_tokens?")
      })
  )

  it.effect("Ollama's own options are told of, as is the API that is asked", () =>
    Effect.gen(function* () {
      const lines = yield* said(`model_list:
  - model_name: local
    litellm_params:
      model: ollama_chat/qwen3:8b
      api_base: http://127.0.0.1:11434/v1
      num_ctx: 16384
      keep_alive: 30m
`)
      some(
        lines,
        "6 warning model_list[0].litellm_params.num_ctx: Ollama's OpenAI-compatible API, which is asked, ignores it"
      )
      some(lines, "7 warning ", "keep_alive", "ignores it")
      some(lines, "note", "ollama_chat is asked at its OpenAI-compatible API")
    })
  )

  it.effect("units are those of the file", () =>
    Effect.gen(function* () {
      const lines = yield* said(`${model}      timeout: -5
      num_retries: -1
      input_cost_per_token: -1
router_settings:
  num_retries: two
  cooldown_time: soon
  allowed_fails: -1
  retry_policy:
    RateLimitErrorRetries: -1
litellm_settings:
  request_timeout: 0
`)
      assert.deepStrictEqual(errors(lines), [
        "6 error model_list[0].litellm_params.timeout: expected a number of seconds above 0, found -5",
        "7 error model_list[0].litellm_params.num_retries: expected a whole number of at least 0, found -1",
        "8 error model_list[0].litellm_params.input_cost_per_token: expected USD per token, at least 0, found -1",
        '10 error router_settings.num_retries: expected a whole number of at least 0, found "two"',
        '11 error router_settings.cooldown_time: expected a number of seconds of at least 0, found "soon"',
        "12 error router_settings.allowed_fails: expected a whole number of at least 0, found -1",
        "14 error router_settings.retry_policy.RateLimitErrorRetries: expected a whole number of at least 0, found -1",
        "16 error litellm_settings.request_timeout: expected a number of seconds above 0, found 0"
      ])
    })
  )

  it.effect("a bad value of a variable is told as that", () =>
    Effect.gen(function* () {
      const lines = yield* said(`${model}      api_base: os.environ/HOST_1\n`, { HOST_1: "localhost 11434" })
      some(
        errors(lines),
        "6 error ",
        'expected an http or https URL, found "os.environ/HOST_1" (what the variable holds)'
      )
    })
  )

  it.effect("one mistake is one message", () =>
    Effect.gen(function* () {
      const slips = [
        `model_list:\n  - model_name: a\n   litellm_params:\n      model: openai/gpt-4o\n      api_key: x\nrouter_settings:\n  num_retries: 2\n`,
        `${model}router_settings: {num_retries: 2\nlitellm_settings:\n  cache: true\ngeneral_settings:\n  master_key: x\n`,
        `${model.replace("api_key: sk-demo", 'api_key: "sk-demo')}\nrouter_settings:\n  num_retries: 2\n`
      ]
      for (const text of slips) assert.lengthOf(errors(yield* said(text)), 1, text)
    })
  )

  it.effect("cycles of fallbacks are told beside other mistakes", () =>
    Effect.gen(function* () {
      const lines = yield* said(`${model}  - model_name: spare
    litellm_params: { model: openai/gpt-4o, api_key: sk-demo }
router_settings:
  num_retries: two
  fallbacks: [{ writer: [spare] }, { spare: [writer] }]
`)
      some(lines, "error router_settings.num_retries")
      some(lines, "warning", "these fallbacks lead back to where they began")
    })
  )

  it.effect("what stands a step too far left, or under another name, is told as that, once", () =>
    Effect.gen(function* () {
      const left = yield* said(`model_list:
  - model_name: writer
    litellm_params:
    model: openai/gpt-4o-mini
    api_key: sk-demo
`)
      assert.lengthOf(errors(left), 1, left.join("\n"))
      some(errors(left), "3 error ", "`model` and `api_key` beside it belong below it")
      const misnamed = yield* said(model.replace("litellm_params", "litellm_param"))
      some(errors(misnamed), "3 error model_list[0].litellm_param: expected `litellm_params`")
      assert.isFalse(misnamed.some((line) => line.includes("a map with at least")))
      some(yield* said(`${model}    api_base: http://x\n`), "6 warning", "api_base: not read here: it belongs below")
    })
  )

  it.effect("a configuration inside another file is pointed at", () =>
    Effect.gen(function* () {
      const indented = model.replaceAll(/^/gm, "    ").trimEnd()
      const files: Readonly<Record<string, string>> = {
        proxy_config: `replicaCount: 1\nproxy_config:\n${indented}\n`,
        "data.config.yaml": `apiVersion: v1\nkind: ConfigMap\ndata:\n  config.yaml: |\n${indented}\n`,
        "configs.litellm.content": `services: {}\nconfigs:\n  litellm:\n    content: |\n${indented.replaceAll(/^/gm, "  ")}\n`
      }
      for (const [path, text] of Object.entries(files)) {
        const lines = yield* said(text)
        assert.lengthOf(lines, 1, lines.join("\n"))
        some(lines, "error", `is inside, under ${path}`)
      }
    })
  )

  it.effect("literal references, keys without quotes and stars that stand for nothing are told of", () =>
    Effect.gen(function* () {
      for (const key of [
        "os.environ.OPENAI_API_KEY",
        "env/OPENAI_API_KEY",
        "$OPENAI_API_KEY",
        'os.environ["OPENAI_API_KEY"]'
      ]) {
        const lines = yield* said(model.replace("sk-demo", `'${key}'`))
        some(lines, "5 warning ", "`os.environ/OPENAI_API_KEY`")
      }
      const plain = yield* said(model.replace("sk-demo", "$ecret"))
      assert.isFalse(plain.join().includes("ecret"))
      const quotes = errors(yield* said(`${model}general_settings:\n  master_key: 12345\n`))
      assert.lengthOf(quotes, 1)
      some(quotes, "general_settings.master_key: expected a text: put it in quotes")
      some(yield* said(model.replace("openai/gpt-4o-mini", "anthropic/*")), "4 warning ", "the star is sent as it is")
    })
  )

  it.effect("notes by the hundred are one", () =>
    Effect.gen(function* () {
      const many = Array.from(
        { length: 100 },
        (_, index) => `  - model_name: m${index}\n    litellm_params: { model: openai/gpt-4o-mini }\n`
      ).join("")
      const lines = settled(yield* said(`model_list:\n${many}`))
      assert.isBelow(lines.length, 6, lines.slice(0, 9).join("\n"))
      some(lines, "and 96 more")
    })
  )

  it.effect("says once for a deployment which of its own parameters are dropped", () =>
    Effect.gen(function* () {
      const prod = (rest: string) => `model_list:
  - model_name: prod
    litellm_params: { model: azure/prod, base_model: azure/gpt-5, api_base: "https://x.openai.azure.com", api_key: k, ${rest} }
`
      const given = "temperature: 0.2, extra_body: { stop: x }, max_tokens: 5, seed: 7"
      const dropped = (lines: ReadonlyArray<string>) => lines.filter((line) => line.includes("the model refuses"))
      assert.lengthOf(dropped(yield* said(prod(given))), 0)
      for (const on of [
        prod(`${given}, drop_params: true`),
        `${prod(given)}litellm_settings: { drop_params: true }\n`
      ]) {
        const lines = dropped(yield* said(on))
        assert.lengthOf(lines, 1)
        some(lines, "3 note model_list[0].litellm_params.extra_body: the model refuses stop, temperature: left out")
      }
      const own = (dropParams: boolean) =>
        said(
          `deployments: [{ id: a, group: g, model: prod, baseModel: o3, dropParams: ${dropParams}, defaults: { top_p: 1, n: 1 } }]\n`
        )
      some(yield* own(true), "1 note deployments[0].defaults.top_p: the model refuses top_p: left out")
      assert.lengthOf(dropped(yield* own(false)), 0)
    })
  )

  it.effect("notes what is sent as a parameter though it looks like a setting, and nothing that providers know", () =>
    Effect.gen(function* () {
      const misplaced = {
        context_window: "model_info.max_input_tokens",
        rpm_limit: "rpm",
        tpm_limit: "tpm",
        requests_per_minute: "rpm",
        timeout_seconds: "timeout",
        cooldown: "cooldown_time",
        region: "region_name",
        input_price: "input_cost_per_token",
        weight_factor: "weight",
        allowed_fails: "model_info.allowed_fails"
      }
      const known = "min_tokens models reasoning_format top_k num_ctx provider transforms guided_json thinking_budget"
      const names = [...Object.keys(misplaced), ...known.split(" ")]
      const text = model + names.map((name) => `      ${name}: 5\n`).join("")
      const notes = settled(yield* said(text))
      assert.deepStrictEqual(
        notes,
        Object.entries(misplaced).map(
          ([name, meant], index) =>
            `${6 + index} note model_list[0].litellm_params.${name}: sent to the provider as a parameter of the model, as LiteLLM does; it sets nothing here (did you mean ${meant}?)`
        )
      )
      const loaded = yield* loadFiles({ "config.yaml": text })
      const { config } = Either.getOrThrowWith(loaded, ({ error }) => error)
      assert.hasAllKeys(config.router.deployments[0]?.defaults, names)
    })
  )

  it.effect("numbers are PyYAML's", () =>
    Effect.gen(function* () {
      const loaded = yield* loadFiles({
        "config.yaml": `${model}      rpm: 1_000
      tpm: 010
      timeout: 1:30
      seed: 1e3
      logprobs: on
`
      })
      const { config } = Either.getOrThrowWith(loaded, ({ error }) => error)
      const [entry] = config.router.deployments
      assert.deepInclude(entry, { rpm: 1000, tpm: 8, timeout: 90_000 })
      assert.deepStrictEqual(entry?.defaults, { seed: "1e3", logprobs: true })
    })
  )
})
