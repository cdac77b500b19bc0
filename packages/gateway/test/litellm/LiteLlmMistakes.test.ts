import { assert, describe, it } from "@effect/vitest"
import * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"
import { at, decodeIssues, models, oneModel, problems, type Tree } from "../support/litellm.js"

const { translate } = LiteLlmConfig

const first = "deployments[0]"
const own = "model_list[0].litellm_params"

const settingOf = (tree: Tree, path: string): unknown => at(translate(tree).settings, path)

const saidOf = (tree: Tree): ReadonlyArray<string> => problems(translate(tree))

const groupsOf = (tree: Tree): ReadonlyArray<unknown> => {
  const { deployments } = translate(tree).settings
  return Array.isArray(deployments) ? deployments.map((one: Tree) => one.group) : []
}

describe("parameters of a model that the file gives", () => {
  it("what only looks like another name is a provider's own, and sent", () => {
    const params = {
      top_a: 0.2,
      speed: "fast",
      style: "vivid",
      thinking_level: "low",
      reasoning_split: true,
      reasoning_summary: "auto",
      repeat_penalty: 1.1,
      truncation: "auto",
      extra_query: { a: "b" }
    }
    assert.deepStrictEqual(saidOf(oneModel(params)), [])
    assert.deepStrictEqual(settingOf(oneModel(params), `${first}.defaults`), params)
  })

  it("a letter or two amiss, or letters in another order, are a mistake, and not sent", () => {
    const params = { temprature: 1, weigth: 2, api_bass: "https://x.example", presence_penality: 1, max_token: 5 }
    assert.lengthOf(saidOf(oneModel(params)), 5)
    assert.isUndefined(settingOf(oneModel(params), `${first}.defaults`))
  })

  it("names in `drop_params`, which is a switch, drop nothing, and a warning says where they belong", () => {
    const tree = oneModel({ drop_params: ["temperature"] })
    assert.isUndefined(settingOf(tree, `${first}.dropParams`))
    assert.deepStrictEqual(saidOf(tree), [
      `${own}.drop_params: neither true nor false, so nothing is dropped: names belong in \`additional_drop_params\``
    ])
  })

  it("numbers and switches are texts in headers", () => {
    const tree = oneModel({ extra_headers: { "x-tier": 5, "x-cached": false, "x-name": "a", "x-none": null } })
    assert.deepStrictEqual(settingOf(tree, `${first}.headers`), { "x-tier": "5", "x-cached": "false", "x-name": "a" })
    assert.deepStrictEqual(decodeIssues(translate(tree)), [])
  })

  it("limits may stand in `model_info` too, where the others do not say them", () => {
    const tree = (params: Tree) => oneModel(params, { model_info: { rpm: 10, tpm: "2000" } })
    assert.strictEqual(settingOf(tree({}), `${first}.rpm`), 10)
    assert.strictEqual(settingOf(tree({}), `${first}.tpm`), 2000)
    assert.strictEqual(settingOf(tree({ rpm: 5 }), `${first}.rpm`), 5)
  })

  it("half a price is the whole of a model that only reads, by its mode or its name", () => {
    const half = { model: "ollama/granite-embedding:278m", input_cost_per_token: 2e-8 }
    assert.strictEqual(settingOf(oneModel(half), `${first}.outputPrice`), 0)
    assert.isUndefined(settingOf(oneModel({ ...half, model: "openai/embedder-of-worlds" }), `${first}.outputPrice`))
    assert.isUndefined(settingOf(oneModel(half, { model_info: { mode: "chat" } }), `${first}.outputPrice`))
  })

  it("an address of a database that is empty is none", () => {
    const tree = { model_list: models, general_settings: { database_url: "" } }
    assert.isUndefined(settingOf(tree, "ledger"))
    assert.deepStrictEqual(decodeIssues(translate(tree)), [])
  })

  it("a model that is for batches chats as well, as its mode alone says nothing to LiteLLM's routing", () => {
    assert.deepStrictEqual(groupsOf(oneModel({}, { model_info: { mode: "batch" } })), ["gpt"])
  })
})

describe("fallbacks and aliases in forms that mean something else", () => {
  const forms: ReadonlyArray<Tree> = [
    { model: "gpt", fallback_model: "claude" },
    { model: "gpt", fallbacks: ["claude"] },
    { model: "gpt", fallback_models: ["claude"] },
    { model: "gpt", to: "claude" },
    { model_name: "gpt", fallback_models: ["claude"] }
  ]
  for (const entry of forms) {
    it(`an entry with ${Object.keys(entry).join(" and ")} is an error that shows the right form, and never a default for all`, () => {
      const tree = { model_list: models, router_settings: { fallbacks: [entry] } }
      assert.isUndefined(settingOf(tree, "fallback"))
      assert.deepStrictEqual(saidOf(tree), [
        'router_settings.fallbacks[0]: expected the group as the key and its targets as a list: { "gpt": [targets] }'
      ])
    })
  }

  it("a target with parameters of its own is none of these", () => {
    const entry = { model: "claude", temperature: 0 }
    const tree = { model_list: models, router_settings: { fallbacks: [entry] } }
    assert.deepStrictEqual(saidOf(tree), [])
    assert.deepStrictEqual(settingOf(tree, "fallback.chains.general"), {
      "*": [{ model: "claude", overrides: { temperature: 0 } }]
    })
  })

  it("an alias of several groups is left out with a warning, and all else is served", () => {
    const tree = {
      model_list: models,
      router_settings: { model_group_alias: { best: ["gpt", "claude"], one: ["gpt"], chat: "claude" } }
    }
    assert.deepStrictEqual(settingOf(tree, "aliases"), { chat: "claude" })
    assert.deepStrictEqual(
      saidOf(tree).map((said) => said.split(":")[0]),
      ["router_settings.model_group_alias.best", "router_settings.model_group_alias.one"]
    )
    assert.deepStrictEqual(decodeIssues(translate(tree)), [])
  })
})

describe("keys that stand in the wrong section", () => {
  const told = (section: string, key: string, value: unknown = true): string | undefined =>
    saidOf({ model_list: models, [section]: { [key]: value } })[0]

  for (const [section, key, place] of [
    ["general_settings", "drop_params", "litellm_settings"],
    ["general_settings", "json_logs", "litellm_settings"],
    ["general_settings", "cache_params", "litellm_settings"],
    ["general_settings", "enable_pre_call_checks", "router_settings"],
    ["general_settings", "num_retries", "router_settings"],
    ["general_settings", "max_internal_user_budget", "litellm_settings"],
    ["litellm_settings", "stream_timeout", "router_settings"],
    ["litellm_settings", "routing_strategy", "router_settings"],
    ["litellm_settings", "model_group_alias", "router_settings"],
    ["litellm_settings", "store_model_in_db", "general_settings"],
    ["litellm_settings", "allowed_openai_params", "litellm_params"],
    ["router_settings", "drop_params", "litellm_settings"]
  ] as const) {
    it(`${key} in ${section} is said to belong below ${place}`, () => {
      assert.strictEqual(
        told(section, key),
        `${section}.${key}: not read here, as in LiteLLM: it belongs below \`${place}\``
      )
    })
  }

  it("a master key in another section locks nothing, and that is said", () => {
    assert.strictEqual(
      told("litellm_settings", "master_key", "sk-1"),
      "litellm_settings.master_key: not read here, as in LiteLLM: it belongs below `general_settings`, and locks nothing here"
    )
    assert.isUndefined(settingOf({ model_list: models, litellm_settings: { master_key: "sk-1" } }, "masterKey"))
  })

  it("a key that belongs nowhere is no such key still", () => {
    assert.strictEqual(
      told("general_settings", "enable_admin_ui"),
      "general_settings.enable_admin_ui: no such key: not read"
    )
  })

  it("a key of the user's own in every entry of the list is told of once", () => {
    const tree = {
      model_list: models.map((entry) => ({ ...entry, ui_params: { vendor: "Acme" }, owner: "blog" }))
    }
    assert.deepStrictEqual(
      saidOf(tree).map((said) => said.split(":")[0]),
      ["model_list[0].ui_params", "model_list[0].owner"]
    )
  })
})

describe("handlers in Python", () => {
  it("deployments of a provider that the file maps to one are left out, and told why", () => {
    const tree = {
      model_list: [
        ...models,
        { model_name: "film", litellm_params: { model: "my-film/one", api_key: "k" } },
        { model_name: "agent", litellm_params: { model: "agno/a", custom_llm_provider: "agno", api_base: "http://a" } }
      ],
      litellm_settings: {
        custom_provider_map: [
          { provider: "my-film", custom_handler: "film.handler" },
          { provider: "agno", custom_handler: "agents.handler" }
        ]
      }
    }
    assert.deepStrictEqual(groupsOf(tree), ["gpt", "claude"])
    const said = saidOf(tree)
    for (const [index, name] of [
      [2, "my-film"],
      [3, "agno"]
    ] as const) {
      assert.include(
        said,
        `model_list[${index}].litellm_params.model: the deployment is left out: ${name} is a handler in Python (\`litellm_settings.custom_provider_map\`), and none is loaded here`
      )
    }
  })
})

describe("texts that look like a reference to the environment", () => {
  for (const text of [
    'env("ACME_KEY")',
    "getenv('ACME_KEY')",
    "process.env.ACME_KEY",
    "{{ ACME_KEY }}",
    `$${"{"}{ secrets.ACME_KEY }}`,
    "$env:ACME_KEY"
  ]) {
    it(`${text} is taken as it stands, with a warning that shows the right form`, () => {
      const tree = oneModel({ api_key: text })
      assert.strictEqual(settingOf(tree, `${first}.apiKey`), text)
      assert.deepStrictEqual(saidOf(tree), [
        `${own}.api_key: this is taken as it stands; the environment's variable would be \`os.environ/ACME_KEY\``
      ])
    })
  }

  for (const [key, text] of [
    ["api_base", "https://os.environ/ACME_HOST/v1"],
    ["api_key", "Bearer os.environ/ACME_KEY"],
    ["model", "openai/os.environ/ACME_MODEL"]
  ] as const) {
    it(`a reference inside of a text is none: ${key}`, () => {
      assert.deepStrictEqual(saidOf(oneModel({ [key]: text })), [
        `${own}.${key}: this is taken as it stands, as in LiteLLM: \`os.environ/\` is a variable only where the value begins with it`
      ])
    })
  }

  for (const base of ["https://{resource}.openai.azure.com", "https://your-resource.openai.azure.com/"]) {
    it(`an example's address is told of: ${base}`, () => {
      assert.deepStrictEqual(saidOf(oneModel({ model: "azure/gpt-4o", api_base: base })), [
        `${own}.api_base: this looks like an example's address, and is taken as it stands: put your own in its place`
      ])
    })
  }

  it("an ordinary key, base and model are not suspected", () => {
    assert.deepStrictEqual(
      saidOf(oneModel({ model: "openai/environment-1", api_key: "sk-env", api_base: "https://env.example/v1" })),
      []
    )
  })
})
