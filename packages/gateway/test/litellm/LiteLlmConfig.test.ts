import { assert, describe, it } from "@effect/vitest"
import * as GatewayConfig from "@switchyard/gateway/GatewayConfig"
import * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import { cases } from "@switchyard/testing/Effort"
import { Effect, Either, FastCheck as fc, Layer } from "effect"
import { at, decodeIssues, models, oneModel, problems, type Tree } from "../support/litellm.js"

const { translate } = LiteLlmConfig

const notes = ({ findings }: LiteLlmConfig.Translation) =>
  findings.flatMap(({ message, path, severity }) => (severity === "note" ? [`${path}: ${message}`] : []))

const field = (translation: LiteLlmConfig.Translation, name: string): ReadonlyArray<unknown> => {
  const { deployments } = translation.settings
  return Array.isArray(deployments) ? deployments.map((entry: Tree) => entry[name]) : []
}

const list = (...params: ReadonlyArray<Tree>): Tree => ({
  model_list: params.map((litellm_params) => ({ model_name: "gpt", litellm_params }))
})

const withRouter = (router_settings: Tree, more: Tree = {}): Tree => ({ model_list: models, router_settings, ...more })

const suggestions = ({ findings }: LiteLlmConfig.Translation) =>
  findings.flatMap(({ path, suggestion }) => (suggestion === undefined ? [] : [`${path} → ${suggestion}`]))

describe("what is left unsaid", () => {
  it("a file without a LiteLLM key gives nothing", () => {
    const { findings, origins, settings } = translate({ deployments: [], strategy: "sticky" })
    assert.deepStrictEqual({ findings, origins: origins.size, settings }, { findings: [], origins: 0, settings: {} })
  })

  it("strategy and tags are LiteLLM's where the file is silent, and a note says so; all else is ours", () => {
    const translation = translate({ model_list: models })
    const { deployments, ...rest } = translation.settings
    assert.lengthOf(deployments as ReadonlyArray<unknown>, 2)
    assert.deepStrictEqual(rest, { strategy: "simple-shuffle", requests: { tags: "ignore" } })
    assert.include(notes(translation).join("\n"), "simple-shuffle")
  })

  it("a strategy of our own in the same file is left alone", () => {
    const translation = translate({ model_list: models, strategy: "peak-ewma" })
    assert.isUndefined(translation.settings.strategy)
    assert.notInclude(notes(translation).join(), "simple-shuffle")
  })

  it("a key without a value is no key", () => {
    const silent = translate({ ...oneModel({ rpm: null, nonsense: null }), router_settings: null })
    assert.deepStrictEqual(silent, translate(oneModel({})))
  })
})

describe("router_settings and litellm_settings", () => {
  const both = (router: unknown, settings: unknown) =>
    translate(withRouter({ fallbacks: router }, { litellm_settings: { fallbacks: settings } }))
  const toClaude = [{ gpt: ["claude"] }]
  const toGpt = [{ claude: ["gpt"] }]

  it("the router's wins, and the other one is told so", () => {
    const translation = both(toClaude, toGpt)
    assert.deepStrictEqual(at(translation.settings, "fallback.chains.general"), { gpt: ["claude"] })
    assert.include(notes(translation).join("\n"), "litellm_settings.fallbacks: router_settings.fallbacks wins")
  })

  it("an empty list is as good as none", () => {
    assert.deepStrictEqual(at(both([], toGpt).settings, "fallback.chains.general"), { claude: ["gpt"] })
    assert.isUndefined(both([], []).settings.fallback)
  })

  it("0 is 0", () => {
    const { settings } = translate(withRouter({ num_retries: 0 }, { litellm_settings: { num_retries: 4 } }))
    assert.deepStrictEqual(settings.retry, { attempts: 1 })
  })
})

describe("ids", () => {
  const ids = (...params: ReadonlyArray<Tree>) => field(translate(list(...params)), "id")
  const openai = { model: "openai/gpt-4o", api_key: "sk-1" }
  const azure = { model: "azure/g", api_base: "https://a.openai.azure.com", api_key: "k" }

  it("are made of group, model and host", () => {
    assert.deepStrictEqual(ids(openai, azure), ["gpt:openai/gpt-4o@api.openai.com", "gpt:azure/g@a.openai.azure.com"])
  })

  it("do not change with limits, weights and keys", () => {
    const changed = { ...openai, api_key: "sk-2", rpm: 7, tpm: 9, weight: 2, order: 1, timeout: 3, tags: ["x"] }
    assert.deepStrictEqual(ids(changed), ids(openai))
  })

  it("get a number where nothing tells deployments apart, in the order of the file", () => {
    const id = "gpt:openai/gpt-4o@api.openai.com"
    assert.deepStrictEqual(ids(openai, { ...openai, api_key: "sk-2" }, openai), [id, `${id}#2`, `${id}#3`])
  })

  it("name region and version where these tell deployments apart", () => {
    const id = "gpt:azure/g@a.openai.azure.com"
    assert.deepStrictEqual(ids({ ...azure, api_version: "2024-02-01" }, { ...azure, api_version: "2024-06-01" }), [
      `${id}+2024-02-01`,
      `${id}+2024-06-01`
    ])
    assert.deepStrictEqual(ids({ ...azure, region_name: "eu" }, { ...azure, region_name: "us" }), [
      `${id}+eu`,
      `${id}+us`
    ])
    assert.deepStrictEqual(ids({ ...azure, api_version: "2024-02-01", region_name: "eu" }), [id])
  })

  it("of the file's own are kept; several deployments of one entry are numbered", () => {
    const translation = translate(oneModel({ organization: ["a", "b"] }, { model_info: { id: "mine" } }))
    assert.deepStrictEqual(field(translation, "id"), ["mine", "mine#2"])
    assert.deepStrictEqual(decodeIssues(translation), [])
  })

  it("of the file's own that are given twice get a number, and a warning at the second place", () => {
    const entry = { ...models[0], model_info: { id: "one" } }
    const translation = translate({ model_list: [entry, entry] })
    assert.deepStrictEqual(field(translation, "id"), ["one", "one#2"])
    assert.deepStrictEqual(decodeIssues(translation), [])
    assert.deepStrictEqual(problems(translation), [
      "model_list[1].model_info.id: another deployment has this id, so this one is one#2"
    ])
  })
})

describe("where a deployment is", () => {
  const places: ReadonlyArray<readonly [title: string, params: Tree, baseUrl: string, model: string]> = [
    ["a bare OpenAI name", { model: "gpt-4o" }, "https://api.openai.com/v1", "gpt-4o"],
    ["a bare Claude name", { model: "claude-sonnet-4" }, "https://api.anthropic.com", "claude-sonnet-4"],
    ["any bare name with a base", { model: "mine", api_base: "http://x/v1" }, "http://x/v1", "mine"],
    ["a name with a slash and a base", { model: "org/mine", api_base: "http://x/v1" }, "http://x/v1", "org/mine"],
    ["Ollama without /v1", { model: "ollama/llama3", api_base: "http://gpu:11434" }, "http://gpu:11434", "llama3"],
    [
      "Fireworks' short names",
      { model: "fireworks_ai/llama-v3p1-8b" },
      "https://api.fireworks.ai/inference/v1",
      "accounts/fireworks/models/llama-v3p1-8b"
    ],
    [
      "models of others behind OpenRouter",
      { model: "openrouter/anthropic/claude-sonnet-4" },
      "https://openrouter.ai/api/v1",
      "anthropic/claude-sonnet-4"
    ],
    [
      "Bedrock behind a gateway that says so",
      { model: "titan", custom_llm_provider: "openai", api_base: "http://x/v1" },
      "http://x/v1",
      "titan"
    ],
    [
      "Azure's new API",
      { model: "azure/g", api_base: "https://a.openai.azure.com/", api_version: "preview" },
      "https://a.openai.azure.com/openai/v1?api-version=preview",
      "g"
    ],
    [
      "Azure with all deployments",
      { model: "azure/*", api_base: "https://a.openai.azure.com" },
      "https://a.openai.azure.com/openai/v1",
      "*"
    ],
    [
      "Azure's whole URL",
      { model: "azure/g", api_base: "https://a.openai.azure.com/openai/deployments/g/chat/completions?api-version=1" },
      "https://a.openai.azure.com/openai/deployments/g?api-version=1",
      "g"
    ],
    [
      "Azure AI Foundry",
      { model: "azure_ai/phi", api_base: "https://a.services.ai.azure.com" },
      "https://a.services.ai.azure.com/models?api-version=2024-05-01-preview",
      "phi"
    ]
  ]
  it.each(places)("%s", (_, params, baseUrl, model) => {
    const translation = translate(list({ ...params, api_key: "k" }))
    assert.deepStrictEqual(field(translation, "baseUrl"), [baseUrl])
    assert.deepStrictEqual(field(translation, "model"), [model])
    const isStar = (problem: string) => model === "*" && problem.includes("the star is sent as it is")
    assert.deepStrictEqual(
      problems(translation).filter((problem) => !isStar(problem)),
      []
    )
    assert.deepStrictEqual(decodeIssues(translation), [])
  })

  it("keys and base URLs come from the provider's variables; a missing key is a note", () => {
    const tree = list({ model: "groq/llama" }, { model: "hosted_vllm/q" })
    const translation = translate(tree, { GROQ_API_KEY: "gsk", HOSTED_VLLM_API_BASE: "http://vllm/v1" })
    assert.deepStrictEqual(field(translation, "apiKey"), ["gsk", undefined])
    assert.deepStrictEqual(field(translation, "baseUrl"), ["https://api.groq.com/openai/v1", "http://vllm/v1"])
    assert.notInclude(notes(translation).join("\n"), "without a key")
    assert.include(notes(translate(tree)).join("\n"), "the environment has no GROQ_API_KEY")
  })

  it("a deployment that nobody can reach is left out, and whatever leads only to it", () => {
    const translation = translate({
      model_list: [...models, { model_name: "titan", litellm_params: { model: "replicate/titan" } }],
      router_settings: {
        fallbacks: [{ gpt: ["titan", "claude"] }],
        model_group_alias: { amazon: "titan", a: "claude" }
      }
    })
    assert.deepStrictEqual(
      problems(translation).map((problem) => problem.slice(0, problem.indexOf(":"))),
      [
        "model_list[2].litellm_params.model",
        "model_list[2].model_name",
        "router_settings.model_group_alias.amazon",
        "router_settings.fallbacks[0].gpt[0]"
      ]
    )
    assert.deepStrictEqual(at(translation.settings, "fallback.chains.general.gpt"), ["claude"])
    assert.strictEqual(translation.origins.get("fallback.chains.general.gpt[0]"), "router_settings.fallbacks[0].gpt[1]")
    assert.deepStrictEqual(translation.settings.aliases, { a: "claude" })
    assert.deepStrictEqual(decodeIssues(translation), [])
  })

  it("none left at all is an error", () => {
    const { findings } = translate(list({ model: "replicate/titan" }))
    assert.deepStrictEqual(
      findings.flatMap(({ path, severity }) => (severity === "error" ? [path] : [])),
      ["model_list"]
    )
  })

  it("a provider that is misspelt is said how", () => {
    const translation = translate({
      model_list: [...models, { model_name: "x", litellm_params: { model: "opnai/gpt-4o" } }]
    })
    assert.deepStrictEqual(suggestions(translation), ["model_list[2].litellm_params.model → openai/gpt-4o"])
  })
})

describe("wildcards", () => {
  const resolve = (tree: Tree, name: string, env: LiteLlmConfig.Env = {}) => {
    const { settings } = translate(tree, env)
    const registry = Effect.runSync(DeploymentRegistry.make(settings as never))
    const found = registry.resolve(name)
    const deployment = found?.group.tiers[0]?.[0]?.deployment
    return deployment === undefined ? undefined : `${deployment.provider} ${deployment.model} [${found?.captures}]`
  }
  const wildcard = (name: string, model: string): Tree => ({
    model_list: [{ model_name: name, litellm_params: { model } }]
  })

  it("take any model of a provider", () => {
    assert.strictEqual(resolve(wildcard("openai/*", "openai/*"), "openai/gpt-4o"), "openai * [gpt-4o]")
    assert.strictEqual(resolve(wildcard("gpt-*", "openai/gpt-*"), "gpt-4o"), "openai gpt-* [4o]")
    assert.isUndefined(resolve(wildcard("openai/*", "openai/*"), "groq/llama"))
  })

  it("* means every provider whose key is in the environment, by prefix or by what its models are called", () => {
    const tree = wildcard("*", "*")
    const env = { OPENAI_API_KEY: "sk", GROQ_API_KEY: "gsk" }
    assert.strictEqual(resolve(tree, "gpt-4o", env), "openai gpt-* [4o]")
    assert.strictEqual(resolve(tree, "groq/llama", env), "groq * [llama]")
    assert.strictEqual(resolve(tree, "openai/gpt-4o", env), "openai * [gpt-4o]")
    assert.isUndefined(resolve(tree, "claude-sonnet-4", env))
    assert.isUndefined(resolve(tree, "mistral/mistral-small", env))
    assert.deepStrictEqual(decodeIssues(translate(tree, env)), [])
  })
})

describe("litellm_params", () => {
  it("a misspelt setting is neither read nor sent", () => {
    const translation = translate(oneModel({ weigth: 3, temprature: 0.3, my_own_parameter: 1 }))
    assert.deepStrictEqual(field(translation, "defaults"), [{ my_own_parameter: 1 }])
    assert.deepStrictEqual(suggestions(translation), [
      "model_list[0].litellm_params.weigth → weight",
      "model_list[0].litellm_params.temprature → temperature"
    ])
  })

  it("what belongs to another dialect, or looks secret, is not sent", () => {
    const translation = translate(oneModel({ aws_access_key_id: "AKIA", my_secret: "s", vertex_project: "p" }))
    assert.deepStrictEqual(field(translation, "defaults"), [undefined])
    assert.lengthOf(problems(translation), 3)
  })

  it("of all deployments are beaten by a named credential's, and those by the deployment's own", () => {
    const translation = translate({
      ...list({ model: "openai/a", litellm_credential_name: "c", rpm: 1 }),
      credential_list: [{ credential_name: "c", credential_values: { api_key: "sk-c", rpm: 2, tpm: 2 } }],
      router_settings: { default_litellm_params: { rpm: 3, tpm: 3, order: 3 } }
    })
    for (const [name, value] of Object.entries({ rpm: 1, tpm: 2, order: 3, apiKey: "sk-c" })) {
      assert.deepStrictEqual(field(translation, name), [value], name)
    }
    assert.strictEqual(translation.origins.get("deployments[0].order"), "router_settings.default_litellm_params.order")
    assert.strictEqual(translation.origins.get("deployments[0].tpm"), "credential_list[0].credential_values.tpm")
  })

  it("a credential that is not in the list is named with the one that was meant", () => {
    const translation = translate({
      ...oneModel({ litellm_credential_name: "opena-eu" }),
      credential_list: [{ credential_name: "openai-eu", credential_values: { api_key: "k" } }]
    })
    assert.deepStrictEqual(suggestions(translation), [
      "model_list[0].litellm_params.litellm_credential_name → openai-eu"
    ])
  })

  it("half a budget is none, and said to be", () => {
    const halves: ReadonlyArray<readonly [tree: Tree, path: string]> = [
      [oneModel({ max_budget: 5 }), "model_list[0].litellm_params.max_budget"],
      [{ ...oneModel({}), litellm_settings: { max_budget: 5 } }, "litellm_settings.max_budget"]
    ]
    for (const [tree, path] of halves) {
      const translation = translate(tree)
      assert.isUndefined(translation.settings.spendLimits)
      assert.deepStrictEqual(problems(translation), [`${path}: means nothing without \`budget_duration\``])
    }
    const none = translate({ ...oneModel({}), litellm_settings: { max_budget: 0, budget_duration: "1d" } })
    assert.isUndefined(none.settings.spendLimits)
  })

  it("without tag filtering a deployment tagged default is one like the others", () => {
    const tree = list({ model: "gpt-4o", tags: ["default", "eu"] }, { model: "gpt-4.1" })
    const off = translate(tree)
    assert.deepStrictEqual(field(off, "tags"), [["eu"], undefined])
    assert.include(notes(off).join("\n"), "enable_tag_filtering")
    const on = translate({ ...tree, router_settings: { enable_tag_filtering: true } })
    assert.deepStrictEqual(field(on, "tags"), [["default", "eu"], undefined])
  })
})

describe("fallbacks", () => {
  it("a target may bring parameters, a bare name is for all groups, a list of one may be left out", () => {
    const { settings } = translate(
      withRouter({
        fallbacks: [{ gpt: [{ model: "claude", temperature: 0 }, { model: "gpt" }] }, { claude: "gpt" }, "gpt"]
      })
    )
    assert.deepStrictEqual(at(settings, "fallback.chains.general"), {
      gpt: [{ model: "claude", overrides: { temperature: 0 } }, "gpt"],
      claude: ["gpt"],
      "*": ["gpt"]
    })
  })

  it("an empty list of a group is an answer: there is none", () => {
    const { settings } = translate(withRouter({ fallbacks: [{ gpt: [] }], default_fallbacks: ["claude"] }))
    assert.deepStrictEqual(at(settings, "fallback.chains.general"), { gpt: [], "*": ["claude"] })
  })

  it("the first of two chains of a group wins, as in LiteLLM", () => {
    const translation = translate(
      withRouter({
        fallbacks: [{ gpt: ["claude"] }, { gpt: ["gpt"] }, { "*": ["gpt"] }],
        default_fallbacks: ["claude"]
      })
    )
    assert.deepStrictEqual(at(translation.settings, "fallback.chains.general"), { gpt: ["claude"], "*": ["gpt"] })
    assert.lengthOf(problems(translation), 2)
  })

  it("a chain of a group that does not exist is warned about", () => {
    const translation = translate(withRouter({ fallbacks: [{ claud: ["gpt"] }] }))
    assert.deepStrictEqual(suggestions(translation), ["router_settings.fallbacks[0].claud → claude"])
  })

  it("a target that does not exist is left out, and warned about", () => {
    const translation = translate(withRouter({ fallbacks: [{ gpt: ["nobody", "claude"] }] }))
    assert.deepStrictEqual(at(translation.settings, "fallback.chains.general.gpt"), ["claude"])
    assert.deepStrictEqual(problems(translation), [
      "router_settings.fallbacks[0].gpt[0]: the target is left out: no group has this name"
    ])
  })
})

describe("policies by class of error", () => {
  it("what lies with the request is neither retried nor counted, unless 0 says the same", () => {
    const of = (policy: Tree, allowed: Tree) =>
      translate(withRouter({ retry_policy: policy, allowed_fails_policy: allowed }))
    const translation = of({ BadRequestErrorRetries: 1 }, { ContentPolicyViolationErrorAllowedFails: 1000 })
    assert.deepStrictEqual(
      problems(translation).map((problem) => problem.split(":")[0]),
      [
        "router_settings.retry_policy.BadRequestErrorRetries",
        "router_settings.allowed_fails_policy.ContentPolicyViolationErrorAllowedFails"
      ]
    )
    assert.isUndefined(translation.settings.retry)
    assert.deepStrictEqual(problems(of({ BadRequestErrorRetries: 0 }, {})), [])
  })

  it("the default is for every reason that no class of the policy covers", () => {
    const { settings } = translate(withRouter({ retry_policy: { DefaultErrorRetries: 1, TimeoutErrorRetries: 0 } }))
    const policy = at(settings, "retry.retryPolicy")
    assert.deepInclude(policy, { Timeout: 0, Unavailable: 1, RateLimited: 1, Authentication: 1 })
    assert.notProperty(policy, "InvalidRequest")
  })

  it("two classes that are one reason here: the larger number counts, and a note says so", () => {
    const translation = translate(
      withRouter({ retry_policy: { InternalServerErrorRetries: 1, ServiceUnavailableErrorRetries: 4 } })
    )
    assert.deepStrictEqual(at(translation.settings, "retry.retryPolicy"), { Unavailable: 4, MalformedResponse: 1 })
    assert.include(notes(translation).join("\n"), "another class is Unavailable")
  })

  it("a misspelt class is said how", () => {
    const translation = translate(withRouter({ retry_policy: { RateLimitRetries: 1, TimeoutErorRetries: 1 } }))
    assert.include(suggestions(translation), "router_settings.retry_policy.TimeoutErorRetries → TimeoutErrorRetries")
    assert.lengthOf(problems(translation), 2)
  })
})

describe("the rest of the router's settings", () => {
  it("a share within which latencies are equal makes a strategy of its own", () => {
    const of = (lowest_latency_buffer: unknown) =>
      translate(
        withRouter({ routing_strategy: "latency-based-routing", routing_strategy_args: { lowest_latency_buffer } })
      )
    assert.isTrue(Layer.isLayer(of("0.5").settings.strategy))
    assert.deepStrictEqual(problems(of(-1)), [
      "router_settings.routing_strategy_args.lowest_latency_buffer: expected a finite number of at least 0"
    ])
  })

  it("arguments of another strategy are noted", () => {
    const translation = translate(withRouter({ routing_strategy: "least-busy", routing_strategy_args: { ttl: 9 } }))
    assert.isUndefined(translation.settings.latency)
    assert.include(notes(translation).join("\n"), "router_settings.routing_strategy_args.ttl: only latency-based")
  })

  it("provider budgets are the ordinary strategy with limits", () => {
    const translation = translate(
      withRouter({
        routing_strategy: "provider-budget-routing",
        provider_budget_config: { opnai: { budget_limit: 1, time_period: "1d" } }
      })
    )
    assert.strictEqual(translation.settings.strategy, "simple-shuffle")
    assert.deepStrictEqual(suggestions(translation), ["router_settings.provider_budget_config.opnai → openai"])
  })

  it("checks that are not made are warned about one by one", () => {
    const translation = translate(
      withRouter({ optional_pre_call_checks: ["router_budget_limiting", "prompt_caching"] })
    )
    assert.deepStrictEqual(problems(translation), [
      "router_settings.optional_pre_call_checks[1]: not done; the strategy `sticky` sends equal prompts to one deployment"
    ])
  })

  it("misspelt keys are said how, in every section", () => {
    const translation = translate({
      model_list: [{ ...models[0], model_inf: {}, model_info: { modee: "chat" } }],
      router_settings: { enable_pre_call_check: true, strategy: "x", num_retry: 1, "cooldown-time": 3 },
      litellm_settings: { fallback: [], cache_parms: {} },
      general_settings: { masterkey: "sk-m" }
    })
    assert.deepStrictEqual(suggestions(translation), [
      "router_settings.enable_pre_call_check → enable_pre_call_checks",
      "router_settings.num_retry → num_retries",
      "router_settings.cooldown-time → cooldown_time",
      "litellm_settings.fallback → fallbacks",
      "litellm_settings.cache_parms → cache_params",
      "general_settings.masterkey → master_key",
      "model_list[0].model_inf → model_info",
      "model_list[0].model_info.modee → mode"
    ])
  })
})

describe("cache and callbacks", () => {
  it("a cache elsewhere is warned about key by key, and memory is used", () => {
    const translation = translate({
      model_list: models,
      litellm_settings: { cache: true, cache_params: { type: "redis", host: "redis", ttl: 60 } }
    })
    assert.deepStrictEqual(translation.settings.cache, { ttl: 60_000 })
    assert.deepStrictEqual(
      problems(translation).map((problem) => problem.split(":")[0]),
      ["litellm_settings.cache_params.host", "litellm_settings.cache_params.type"]
    )
  })

  it("parameters of a cache that is off turn nothing on", () => {
    const translation = translate({ model_list: models, litellm_settings: { cache: false, cache_params: { ttl: 60 } } })
    assert.isUndefined(translation.settings.cache)
    assert.include(notes(translation).join("\n"), "the cache is off")
  })

  it("callbacks but Prometheus are named", () => {
    const translation = translate({ model_list: models, litellm_settings: { callbacks: ["prometheus", "langfuse"] } })
    assert.deepStrictEqual(problems(translation), [
      'litellm_settings.callbacks[1]: nothing is sent to "langfuse"; there are /metrics, traces and the answers\' headers'
    ])
  })
})

describe("bad files", () => {
  it("wrong values are refused at their place in the file", () => {
    const translation = translate({
      ...oneModel({ rpm: "abc", timeout: 0, extra_headers: "x" }),
      router_settings: { num_retries: -1, cooldown_time: "soon", allowed_fails: "1.5" }
    })
    const decoded = GatewayConfig.decode(translation.settings)
    const paths = Either.match(decoded, { onLeft: ({ issues }) => issues.map(({ path }) => path), onRight: () => [] })
    assert.deepStrictEqual(paths.map((path) => translation.origins.get(path)).sort(), [
      "model_list[0].litellm_params.extra_headers",
      "model_list[0].litellm_params.rpm",
      "model_list[0].litellm_params.timeout",
      "router_settings.allowed_fails",
      "router_settings.cooldown_time",
      "router_settings.num_retries"
    ])
  })

  it("an entry without name, parameters or model is an error each", () => {
    const { findings } = translate({ model_list: [{}, { model_name: "x", litellm_params: {} }, 7, ...models] })
    assert.deepStrictEqual(
      findings.flatMap(({ path, severity }) => (severity === "error" ? [path] : [])),
      [
        "model_list[0].model_name",
        "model_list[0].litellm_params",
        "model_list[1].litellm_params.model",
        "model_list[2]"
      ]
    )
  })

  it("no finding shows a secret", () => {
    const secret = "sk-very-secret-1234"
    const translation = translate({
      model_list: [{ model_name: "x", litellm_params: { model: "bedrock/x", api_key: secret, client_secret: secret } }],
      general_settings: { master_key: { nested: secret }, database_url: secret, masterkey: secret },
      router_settings: { redis_password: secret, retry_policy: secret, model_group_alias: secret },
      credential_list: [{ credential_name: "c", credential_values: secret }]
    })
    assert.isAbove(translation.findings.length, 5)
    assert.notInclude(JSON.stringify(translation.findings), secret)
  })

  it("whatever a file holds, it is translated or refused, never a defect", () => {
    const known = [...new Set(LiteLlmConfig.keys.map(({ key }) => key)), "__proto__", "constructor", "*", "a"]
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom<unknown>(null, true, 0, -1, 2.5, "", "x", "openai/*", "gpt", "1e-6", "1d", Number.NaN),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...known), tie("value"), { maxKeys: 4 })
      )
    })).value
    const entry = fc.record({
      model_name: fc.constantFrom("gpt", "*", "openai/*"),
      litellm_params: fc.dictionary(fc.constantFrom(...known), json, { maxKeys: 6 }),
      model_info: json
    })
    const tree = fc.record({
      model_list: fc.oneof(fc.array(entry, { maxLength: 3 }), json),
      router_settings: fc.dictionary(fc.constantFrom(...known), json, { maxKeys: 6 }),
      litellm_settings: fc.dictionary(fc.constantFrom(...known), json, { maxKeys: 6 }),
      general_settings: fc.dictionary(fc.constantFrom(...known), json, { maxKeys: 6 }),
      credential_list: json
    })
    fc.assert(
      fc.property(tree, (given) => {
        const { findings, settings } = translate(given as Tree)
        GatewayConfig.decode(settings)
        for (const { message, path } of findings) assert.isTrue(message !== "" && path !== "")
        assert.isUndefined(({} as Tree).attempts)
      }),
      { numRuns: cases(1200) }
    )
  })
})
