import { assert, describe, it } from "@effect/vitest"
import { told } from "@switchyard/router/Stack"
import { Effect, Redacted } from "effect"
import { errorIn, post } from "../support/gateways.js"
import { anyPath, deploymentsOf, type Env, readText, serve } from "../support/liteLlmFiles.js"

const master = { authorization: "Bearer sk-gate" }
const chatOf = (model: string) => ({ model, messages: [{ role: "user", content: "Hi" }] })

/** What is said at a line; `severity path: message`. */
const at = (said: ReadonlyArray<string>, line: number): string =>
  said.flatMap((one) => (one.startsWith(`${line} `) ? [one.slice(`${line} `.length)] : [])).join("\n")

const writer = `model_list:
  - model_name: writer
    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-demo }
`

/** A file with one entry of these params beside an ordinary one. */
const beside = (params: string, more = ""): string =>
  `${writer}  - model_name: other\n    litellm_params: { ${params} }\n${more}`

const otherOf = (read: Parameters<typeof deploymentsOf>[0]): string | undefined =>
  deploymentsOf(read)
    .find((one) => one.startsWith("other="))
    ?.slice("other=".length)

/** Reads one file with an entry for each of these params beside an ordinary one, and says what became of each. */
const readAll = (all: ReadonlyArray<string>, env: Env = {}) =>
  Effect.map(
    readText(
      writer + all.map((params, index) => `  - model_name: g${index}\n    litellm_params: { ${params} }\n`).join(""),
      env
    ),
    (read) => {
      const deployments = deploymentsOf(read)
      return all.map((params, index) => {
        const name = `g${index}=`
        return {
          params,
          protocol: read.config?.router.deployments.find(({ group }) => group === `g${index}`)?.protocol ?? "openai",
          dialect: read.config?.router.deployments.find(({ group }) => group === `g${index}`)?.dialect,
          is: deployments.find((one) => one.startsWith(name))?.slice(name.length),
          operations: read.config?.router.deployments.find(({ group }) => group === `g${index}`)?.operations,
          group: at(read.warnings, 4 + 2 * index),
          warnings: at(read.warnings, 5 + 2 * index),
          errors: read.errors
        }
      })
    }
  )

describe("variables that are not set", () => {
  const file = (base = "") => `model_list:
  - model_name: writer
    litellm_params:
      model: openai/gpt-4o-mini
      api_key: os.environ/WRITER_KEY
      ${base}
  - model_name: quick
    litellm_params:
      model: groq/llama-3.1-8b-instant
      api_key: os.environ/QUICK_KEY
general_settings:
  master_key: os.environ/GATE_KEY
  database_url: os.environ/GATE_DB
router_settings:
  redis_host: os.environ/GATE_REDIS
`
  const env: Env = { WRITER_KEY: "k1", GATE_KEY: "sk-gate" }

  it.scoped("stop nothing: what has its key is served, what has none is left out, and every warning stays", () =>
    Effect.gen(function* () {
      const upstream = yield* anyPath
      const read = yield* readText(file(`api_base: ${upstream.origin}/v1`), env)
      assert.deepStrictEqual(read.errors, [])
      assert.include(at(read.warnings, 10), "left out: the environment variable QUICK_KEY is not set")
      assert.include(at(read.warnings, 13), "GATE_DB is not set: this counts as unset")
      assert.include(at(read.warnings, 15), "GATE_REDIS is not set: this counts as unset")
      const gateway = yield* serve(read)
      const answer = yield* post(gateway, "/v1/chat/completions", chatOf("writer"), master)
      assert.strictEqual(answer.status, 200, answer.text)
      assert.deepStrictEqual(upstream.asked, [{ path: "/v1/chat/completions", model: "gpt-4o-mini", key: "Bearer k1" }])
      const quick = yield* post(gateway, "/v1/chat/completions", chatOf("quick"), master)
      assert.strictEqual(quick.status, 404, quick.text)
    })
  )

  it.effect(
    "a check without any variable says what a server would not do, and no more than a note of each variable",
    () =>
      Effect.gen(function* () {
        const { config, errors, warnings } = yield* readText(file(), {}, "note")
        assert.deepStrictEqual(errors, [])
        assert.lengthOf(config?.router.deployments ?? [], 2)
        assert.lengthOf(warnings, 1)
        assert.include(warnings.join("\n"), "set server.idSecret")
      })
  )

  it.effect("the master key's is an error, also where it is empty", () =>
    Effect.gen(function* () {
      for (const [given, word] of [
        [{ WRITER_KEY: "k1" }, "not set"],
        [{ WRITER_KEY: "k1", GATE_KEY: "" }, "empty"]
      ] as const) {
        const { errors } = yield* readText(file(), given)
        assert.deepStrictEqual(errors, [
          `12 error general_settings.master_key: the environment variable GATE_KEY is ${word}`
        ])
      }
    })
  )

  it.effect("a file without one takes LiteLLM's own variable", () =>
    Effect.gen(function* () {
      const of = (text: string, env: Env) => Effect.map(readText(text, env), ({ config }) => config?.masterKey)
      const key = yield* of(writer, { LITELLM_MASTER_KEY: "sk-env" })
      assert.strictEqual(key === undefined ? key : Redacted.value(key), "sk-env")
      const own = yield* of(`${writer}general_settings: { master_key: sk-file }\n`, { LITELLM_MASTER_KEY: "sk-env" })
      assert.strictEqual(own === undefined ? own : Redacted.value(own), "sk-file")
    })
  )

  it.effect("origins of pages are LiteLLM's own variable, where the file has none", () =>
    Effect.gen(function* () {
      const of = (more: string, origins: string) =>
        Effect.map(readText(writer + more, { LITELLM_CORS_ORIGINS: origins }), (read) => ({
          cors: read.config?.server.cors,
          said: read.said.filter((one) => one.includes("CORS")).length
        }))
      const two = ["https://a.example", "http://b.example:8080"]
      assert.deepStrictEqual(yield* of("", " https://a.example, http://b.example:8080 ,"), { cors: two, said: 1 })
      assert.deepStrictEqual(yield* of("server: { port: 1 }\n", "*"), { cors: ["*"], said: 1 })
      assert.deepStrictEqual(yield* of("", "a.example,https://a.example"), { cors: ["https://a.example"], said: 2 })
      assert.deepStrictEqual(yield* of("", "a.example"), { cors: undefined, said: 1 })
      assert.deepStrictEqual(yield* of("", ""), { cors: undefined, said: 0 })
      const own = "server: { cors: 'https://own.example' }\n"
      assert.deepStrictEqual(yield* of(own, "*"), { cors: "https://own.example", said: 0 })
    })
  )

  it.effect(
    "the secret of ids is LiteLLM's own variable, where the file has none; who names Redis is told that replicas need one",
    () =>
      Effect.gen(function* () {
        const of = (more: string, environment: Readonly<Record<string, string>>) =>
          Effect.map(readText(writer + more, environment), (read) => ({
            secret: read.config?.server.idSecret === undefined ? undefined : String(read.config.server.idSecret),
            said: read.said.filter((one) => one.includes("idSecret"))
          }))
        const salt = { LITELLM_SALT_KEY: "sk-salt-0123456789" }
        const taken = yield* of("", salt)
        assert.strictEqual(taken.secret, "<redacted>")
        assert.lengthOf(taken.said, 1)
        assert.deepStrictEqual(yield* of("server: { idSecret: a secret of the file }\n", salt), {
          secret: "<redacted>",
          said: []
        })
        const short = yield* of("", { LITELLM_SALT_KEY: "short" })
        assert.isUndefined(short.secret)
        assert.include(short.said[0], "fewer than 16")
        const redis = "router_settings: { redis_host: redis.internal }\n"
        assert.include((yield* of(redis, {})).said.join(), "set server.idSecret, the same for all")
      })
  )

  it.effect("the database is that of LiteLLM's own variable, where the file names none, and only one of Postgres", () =>
    Effect.gen(function* () {
      const of = (more: string, environment: Readonly<Record<string, string>>) =>
        Effect.map(readText(writer + more, environment), ({ config, errors, said }) => {
          assert.deepStrictEqual(errors, [])
          const ledger = config?.ledger
          const url = typeof ledger === "object" ? ledger.url : undefined
          return [
            ledger === false ? false : Redacted.isRedacted(url) ? Redacted.value(url) : url,
            said.filter((one) => one.includes("DATABASE_URL")).length
          ]
        })
      const variable = { DATABASE_URL: "postgresql://llm:pass-word@db:5432/litellm" }
      assert.deepStrictEqual(yield* of("", variable), [variable.DATABASE_URL, 1])
      assert.deepStrictEqual(yield* of("", { DATABASE_URL: "mysql://u:p@db/x" }), [undefined, 1])
      assert.deepStrictEqual(yield* of("ledger: false\n", variable), [false, 0])
      const own = { ...variable, SWITCHYARD_LEDGER_URL: "sqlite:own.db" }
      assert.deepStrictEqual(yield* of("", own), ["sqlite:own.db", 0])
      const named = "general_settings: { database_url: 'postgres://u:p@other/x' }\n"
      assert.deepStrictEqual(yield* of(named, variable), ["postgres://u:p@other/x", 0])
      assert.deepStrictEqual(yield* of(`${named}ledger: false\n`, {}), [false, 0])
    })
  )

  it.effect("none left is one error that names them", () =>
    Effect.gen(function* () {
      const { errors } = yield* readText(file(), { GATE_KEY: "sk-gate" })
      assert.deepStrictEqual(errors, [
        "1 error model_list: expected at least one deployment that can be reached (not set in the environment: WRITER_KEY, QUICK_KEY)"
      ])
    })
  )

  const needed: ReadonlyArray<readonly [what: string, params: string]> = [
    ["a base URL", "model: openai/x, api_key: k, api_base: os.environ/NONE"],
    ["base_url", "model: openai/x, api_key: k, base_url: os.environ/NONE"],
    ["the model", "model: os.environ/NONE, api_key: k"],
    ["an empty key", "model: openai/x, api_key: os.environ/EMPTY"],
    [
      "a token in place of the key",
      "model: azure/x, api_base: https://a.openai.azure.com, azure_ad_token: os.environ/NONE"
    ],
    ["a part of a base URL", "model: openai/x, api_key: k, api_base: 'https://$" + "{NONE}.example.com/v1'"],
    ["a credential's key", "model: openai/x, litellm_credential_name: c"]
  ]
  it.effect("whatever is needed: the deployment is left out, whatever the provider's own variables hold", () =>
    Effect.gen(function* () {
      for (const [what, params] of needed) {
        const credentials =
          "credential_list:\n  - credential_name: c\n    credential_values: { api_key: os.environ/NONE }\n"
        const more = params.includes("credential") ? credentials : ""
        const read = yield* readText(beside(params, more), { EMPTY: "", OPENAI_API_KEY: "sk-own" })
        assert.deepStrictEqual(read.errors, [], what)
        assert.isUndefined(otherOf(read), what)
        const line = more === "" ? 5 : 8
        assert.match(
          at(read.warnings, line),
          /left out: the environment variable (NONE is not set|EMPTY is empty)/,
          what
        )
      }
    })
  )

  it.effect("anything else counts as unset, and says so; servers of one's own are asked without a key", () =>
    Effect.gen(function* () {
      const settings =
        "router_settings: { num_retries: os.environ/NONE, fallbacks: [{ writer: [os.environ/NONE, other] }] }\n"
      const read = yield* readText(
        beside(
          "model: hosted_vllm/q, api_base: http://gpu/v1, api_key: os.environ/NONE, rpm: os.environ/NONE",
          settings
        )
      )
      assert.deepStrictEqual(read.errors, [])
      assert.strictEqual(otherOf(read), "hosted_vllm:q@http://gpu/v1")
      assert.include(at(read.warnings, 5), "requests go out without a key")
      assert.include(
        at(read.warnings, 5),
        "litellm_params.rpm: the environment variable NONE is not set: this counts as unset"
      )
      assert.include(at(read.warnings, 6), "router_settings.num_retries: the environment variable NONE is not set")
      assert.deepStrictEqual(told(read.config?.router.fallback)?.chains?.general, { writer: ["other"] })
      assert.isUndefined(read.config?.router.retry)
    })
  )

  it.effect("sections that are not read do not matter", () =>
    Effect.gen(function* () {
      const more = `guardrails:
  - guardrail_name: g
    litellm_params: { api_key: os.environ/NONE }
general_settings: { enable_jwt_auth: os.environ/NONE, pass_through_endpoints: [{ headers: { a: os.environ/NONE } }] }
environment_variables: { A: os.environ/NONE }
`
      const { errors, said } = yield* readText(writer + more)
      assert.deepStrictEqual(errors, [])
      assert.lengthOf(
        said.filter((one) => one.includes("NONE")),
        1
      )
    })
  )

  it.effect("one of a credential is told at its own place, for each deployment that names it", () =>
    Effect.gen(function* () {
      const named = "model: openai/gpt-4o, litellm_credential_name: acme"
      const read = yield* readText(
        beside(
          named,
          `  - model_name: third\n    litellm_params: { ${named} }\ncredential_list:\n  - credential_name: acme\n    credential_values: { api_key: os.environ/ACME_KEY }\n`
        )
      )
      const said = "credential_list[0].credential_values.api_key: "
      assert.strictEqual(
        at(read.warnings, 10),
        [1, 2]
          .map(
            (index) => `warning ${said}model_list[${index}] is left out: the environment variable ACME_KEY is not set`
          )
          .join("\n")
      )
      assert.deepStrictEqual(deploymentsOf(read).length, 1)
    })
  )

  it.effect("one of a section that nobody reads stops nothing, and is not asked for", () =>
    Effect.gen(function* () {
      const read = yield* readText(`${writer}auth_settings: { auth_mode: os.environ/AUTH_MODE }\n`)
      assert.deepStrictEqual(read.errors, [])
      assert.include(at(read.warnings, 4), "auth_settings: no such key: not read")
    })
  )
})

describe("dialects of providers' own", () => {
  const native: ReadonlyArray<readonly [params: string, expected: string]> = [
    ["model: anthropic/x, api_key: k", "anthropic anthropic:x@https://api.anthropic.com"],
    [
      "model: anthropic/glm-4.6, api_base: https://llm.example.net/api/anthropic, api_key: k",
      "anthropic anthropic:glm-4.6@https://llm.example.net/api/anthropic"
    ],
    [
      "model: anthropic/x, api_base: https://llm.example.net/anthropic/v1/messages, api_key: k",
      "anthropic anthropic:x@https://llm.example.net/anthropic/v1/messages"
    ],
    [
      "model: claude-sonnet-4, api_base: https://proxy.example.net, api_key: k",
      "anthropic anthropic:claude-sonnet-4@https://proxy.example.net"
    ],
    [
      "model: x, custom_llm_provider: anthropic, api_base: https://proxy.example.net, api_key: k",
      "anthropic anthropic:x@https://proxy.example.net"
    ],
    [
      "model: azure_ai/claude-sonnet-4-5, api_base: https://acme.services.ai.azure.com/anthropic, api_key: k",
      "anthropic azure_ai:claude-sonnet-4-5@https://acme.services.ai.azure.com/anthropic"
    ],
    [
      "model: azure_ai/claude-sonnet-4-5, api_base: https://acme.services.ai.azure.com, api_key: k",
      "anthropic azure_ai:claude-sonnet-4-5@https://acme.services.ai.azure.com/anthropic"
    ],
    [
      "model: gemini/g, api_base: https://generativelanguage.googleapis.com/v1beta, api_key: k",
      "gemini gemini:g@https://generativelanguage.googleapis.com/v1beta"
    ],
    [
      "model: gemini-2.5-flash, api_base: https://v.example.net/v1, api_key: k",
      "vertex vertex_ai:gemini-2.5-flash@https://v.example.net/v1"
    ],
    ["model: vertex_ai/gemini-2.5-flash, vertex_project: p", "vertex vertex_ai:gemini-2.5-flash@undefined"],
    [
      "model: bedrock/titan, api_base: https://llm.example.net/v1, api_key: k",
      "bedrock bedrock:titan@https://llm.example.net/v1"
    ],
    [
      "model: us.anthropic.claude-sonnet-4-20250514-v1:0, aws_region_name: us-west-2",
      "bedrock bedrock:us.anthropic.claude-sonnet-4-20250514-v1:0@undefined"
    ],
    [
      "model: bedrock/converse/us-west-2/anthropic.claude-v2, api_key: k",
      "bedrock bedrock:anthropic.claude-v2@undefined"
    ],
    [
      "model: cohere/command-r, api_base: https://api.cohere.ai/v2/chat, api_key: k",
      "cohere cohere:command-r@https://api.cohere.ai/v2/chat"
    ],
    ["model: ollama/x, api_base: http://gpu:11434/api/generate", "ollama ollama:x@http://gpu:11434/api/generate"],
    ["model: ollama_chat/x, api_base: https://host/ollama", "ollama ollama_chat:x@https://host/ollama"],
    [
      "model: snowflake/x, api_base: https://a.snowflakecomputing.com/api/v2/cortex/inference:complete, api_key: k",
      "snowflake snowflake:x@https://a.snowflakecomputing.com/api/v2/cortex/inference:complete"
    ]
  ]
  it.effect("are spoken, wherever the base URL is", () =>
    Effect.gen(function* () {
      const read = yield* readAll(native.map(([params]) => params))
      read.forEach(({ errors, is, params, protocol, warnings }, index) => {
        assert.strictEqual(`${protocol} ${is}`, native[index]?.[1], params)
        assert.deepStrictEqual([warnings, errors], ["", []], params)
      })
    })
  )

  const leftOut: ReadonlyArray<string> = [
    "model: watsonx_text/x, api_base: https://llm.example.net, api_key: k",
    "model: replicate/x, api_base: https://llm.example.net, api_key: k",
    "model: text-completion-codestral/codestral-latest, api_key: k"
  ]
  it.effect("are not spoken, so the deployment is left out with a warning, also with a base URL", () =>
    Effect.gen(function* () {
      for (const { errors, is, params, warnings } of yield* readAll(leftOut)) {
        assert.deepStrictEqual(errors, [], params)
        assert.isUndefined(is, params)
        assert.match(
          warnings,
          /litellm_params.model: the deployment is left out: .* own dialect cannot be spoken yet/,
          params
        )
      }
    })
  )

  const kept: ReadonlyArray<readonly [params: string, expected: string]> = [
    [
      "model: anthropic/x, api_base: https://llm.example.net/openai/v1, api_key: k",
      "anthropic:x@https://llm.example.net/openai/v1"
    ],
    [
      "model: anthropic/x, api_base: https://llm.example.net/v1/chat/completions, api_key: k",
      "anthropic:x@https://llm.example.net/v1"
    ],
    [
      "model: glm-4.6, custom_llm_provider: openai, api_base: https://llm.example.net/v1, api_key: k",
      "openai:glm-4.6@https://llm.example.net/v1"
    ],
    [
      "model: gemini/x, api_base: https://generativelanguage.googleapis.com/v1beta/openai/, api_key: k",
      "gemini:x@https://generativelanguage.googleapis.com/v1beta/openai"
    ],
    [
      "model: vertex_ai/x, api_base: https://v/v1/projects/p/locations/l/endpoints/openapi, api_key: k",
      "vertex_ai:x@https://v/v1/projects/p/locations/l/endpoints/openapi"
    ],
    [
      "model: bedrock/openai.gpt-oss-20b, api_base: https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1, api_key: k",
      "bedrock:openai.gpt-oss-20b@https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1"
    ],
    [
      "model: cohere_chat/c, api_base: https://api.cohere.com/compatibility/v1, api_key: k",
      "cohere_chat:c@https://api.cohere.com/compatibility/v1"
    ],
    [
      "model: cloudflare/@cf/m, api_base: https://api.cloudflare.com/client/v4/accounts/a/ai/v1, api_key: k",
      "cloudflare:@cf/m@https://api.cloudflare.com/client/v4/accounts/a/ai/v1"
    ],
    ["model: ollama/x, api_base: http://gpu:11434/v1", "ollama:x@http://gpu:11434/v1"],
    [
      "model: azure_ai/phi, api_base: https://a.services.ai.azure.com, api_key: k",
      "azure_ai:phi@https://a.services.ai.azure.com/models?api-version=2024-05-01-preview"
    ]
  ]
  it.effect("a base URL that is known to speak OpenAI's too is asked in it", () =>
    Effect.gen(function* () {
      const read = yield* readAll(kept.map(([params]) => params))
      read.forEach(({ errors, is, params, warnings }, index) => {
        assert.strictEqual(is, kept[index]?.[1], params)
        assert.deepStrictEqual([warnings, errors], ["", []], params)
      })
    })
  )

  it.effect("a base URL of the environment is judged like the file's", () =>
    Effect.gen(function* () {
      const read = yield* readText(beside("model: anthropic/x, api_key: k"), {
        ANTHROPIC_BASE_URL: "https://proxy.example.net"
      })
      assert.strictEqual(otherOf(read), "anthropic:x@https://proxy.example.net")
    })
  )

  it.effect("none left is one error that names the providers", () =>
    Effect.gen(function* () {
      const { errors } = yield* readText(`model_list:
  - model_name: sonnet
    litellm_params: { model: replicate/granite }
  - model_name: flash
    litellm_params: { model: predibase/x }
`)
      assert.deepStrictEqual(errors, [
        "1 error model_list: expected at least one deployment that can be reached (the dialects of replicate and predibase cannot be spoken yet)"
      ])
    })
  )
})

describe("other operations", () => {
  const responses: ReadonlyArray<string> = [
    "model: openai/responses/gpt-5-codex, api_key: k",
    "model: azure/responses/o3, api_base: https://acme.openai.azure.com, api_version: preview, api_key: k",
    "model: openai/gpt-5.1-codex-max, api_key: k",
    "model: gpt-5-codex, api_key: k",
    "model: openai/gpt-5.2-pro-2025-12-11, api_key: k",
    "model: openai/o3-pro, api_key: k",
    "model: openai/o4-mini-deep-research, api_key: k",
    "model: azure/gpt-5.2-codex, api_base: https://acme.openai.azure.com, api_key: k",
    "model: azure/mine, base_model: azure/gpt-5-pro, api_base: https://acme.openai.azure.com, api_key: k",
    "model: perplexity/openai/gpt-5.2, api_key: k"
  ]
  it.effect("only the Responses API serves it, and is asked, under the model's own name", () =>
    Effect.gen(function* () {
      for (const { dialect, errors, is = "", params, protocol, warnings } of yield* readAll(responses)) {
        assert.deepStrictEqual(errors, [], params)
        assert.strictEqual(warnings, "", params)
        assert.strictEqual(protocol === "azure" ? dialect : protocol, "responses", params)
        assert.notInclude(is, "responses/", params)
      }
    })
  )

  it.effect("the mode says so too; a mode of ours says the contrary", () =>
    Effect.gen(function* () {
      const of = (model: string, mode: string) =>
        Effect.map(readText(beside(`model: ${model}, api_key: k`, `    model_info: { mode: ${mode} }\n`)), otherOf)
      assert.isDefined(yield* of("openai/gpt-5", "responses"))
      assert.isUndefined(yield* of("openai/gpt-5", "realtime"))
      assert.isDefined(yield* of("openai/gpt-9-codex", "chat"))
      assert.isDefined(yield* of("openai/whisper-chat", "chat"))
      assert.isDefined(yield* of("voyage/embed-rerank", "embedding"))
    })
  )

  it.effect("groups that no endpoint serves are told of once each, and nobody is shown them", () =>
    Effect.gen(function* () {
      const group = (name: string, model: string, mode?: string) =>
        `  - model_name: ${name}\n    litellm_params: { model: ${model}, api_key: k }\n${mode === undefined ? "" : `    model_info: { mode: ${mode} }\n`}`
      const text =
        writer +
        group("film", "openai/sora-2", "video_generation") +
        group("talk", "openai/gpt-realtime", "realtime") +
        group("read", "mistral/mistral-ocr-latest", "ocr") +
        group("draw", "gemini/imagen-4.0-generate-001", "image_generation")
      const read = yield* readText(text)
      assert.deepStrictEqual(read.errors, [])
      assert.deepStrictEqual(
        read.warnings.map((one) => one.replace(/^\d+ warning /, "")),
        [
          "model_list[1].model_name: nobody can ask for this group: there is no endpoint for video generation",
          "model_list[2].model_name: nobody can ask for this group: there is no endpoint for realtime sessions",
          "model_list[3].model_name: nobody can ask for this group: there is no endpoint for document reading",
          "model_list[4].model_name: nobody can ask for this group: there is no endpoint for image generation in the protocol gemini"
        ]
      )
      assert.lengthOf(deploymentsOf(read), 1)
      const twice = yield* readText(writer + group("film", "openai/sora-2") + group("film", "openai/sora-2-pro"))
      assert.lengthOf(twice.warnings, 1)
    })
  )

  const names: ReadonlyArray<readonly [model: string, operation: string]> = [
    ["gemini/imagen-4.0-generate-001", "image generation in the protocol gemini"],
    ["openai/sora-2", "video generation"],
    ["openai/gpt-4o-realtime-preview", "realtime sessions"],
    ["mistral/mistral-ocr-latest", "document reading"]
  ]
  it.effect("they are known by their models' names too", () =>
    Effect.gen(function* () {
      const read = yield* readAll(names.map(([model]) => `model: ${model}, api_key: k`))
      read.forEach(({ group, params, warnings }, index) => {
        const expected = `nobody can ask for this group: there is no endpoint for ${names[index]?.[1]}`
        assert.strictEqual(group, `warning model_list[${index + 1}].model_name: ${expected}`)
        assert.strictEqual(warnings, "", params)
      })
    })
  )

  const served: ReadonlyArray<readonly [model: string, mode: string | undefined, operations: ReadonlyArray<string>]> = [
    ["groq/whisper-large-v3-turbo", undefined, ["transcription", "translation"]],
    ["openai/my-ear", "audio_transcription", ["transcription", "translation"]],
    ["openai/gpt-4o-mini-tts", undefined, ["speech"]],
    ["dall-e-3", undefined, ["image", "imageEdit", "imageVariation"]],
    ["together_ai/black-forest-labs/FLUX.1-schnell", undefined, ["image", "imageEdit", "imageVariation"]],
    ["openai/gpt-image-1", "image_edit", ["imageEdit", "imageVariation"]],
    ["omni-moderation-latest", undefined, ["moderation"]],
    ["voyage/rerank-2", undefined, ["rerank"]],
    ["cohere/rerank-v3.5", "rerank", ["rerank"]],
    ["jina_ai/jina-reranker-v2-base-multilingual", "rerank", ["rerank"]]
  ]
  it.effect.each(served)("%s, of mode %s, is asked for what it is for", ([model, mode, operations]) =>
    Effect.gen(function* () {
      const text = `${writer}  - model_name: it
    litellm_params: { model: ${model}, api_key: k }
${mode === undefined ? "" : `    model_info: { mode: ${mode} }\n`}`
      const read = yield* readText(text)
      assert.deepStrictEqual([read.errors, read.warnings], [[], []])
      const made = read.config?.router.deployments.find(({ group }) => group === "it")
      assert.deepStrictEqual(made?.operations, operations)
    })
  )

  it.effect("models that chat are not taken for them", () =>
    Effect.gen(function* () {
      const chats =
        "openai/gpt-4o-audio-preview gemini/gemini-2.5-flash-image groq/llama-guard openrouter/openai/gpt-5-codex hosted_vllm/qwen2.5-vl openai/o3 xai/grok-4"
      const all = chats.split(" ").map((model) => `model: ${model}, api_base: http://x/openai/v1, api_key: k`)
      for (const { is, params } of yield* readAll(all)) assert.isDefined(is, params)
    })
  )
})

describe("models that complete texts", () => {
  it.effect("are known by their names, and by their providers", () =>
    Effect.gen(function* () {
      const models = "gpt-3.5-turbo-instruct openai/davinci-002 text-completion-openai/x azure/gpt-35-turbo-instruct"
      const all = models.split(" ").map((model) => `model: ${model}, api_base: http://x/v1, api_key: k`)
      for (const { operations, params } of yield* readAll(all))
        assert.deepStrictEqual(operations, ["completion"], params)
    })
  )
  it.scoped("are asked for completions, and a chat goes to those of the group that can chat, or to none", () =>
    Effect.gen(function* () {
      const upstream = yield* anyPath
      const entry = (name: string, model: string) =>
        `  - model_name: ${name}\n    litellm_params: { model: ${model}, api_key: k, api_base: "${upstream.origin}/v1" }\n`
      const old = "text-completion-openai/gpt-3.5-turbo-instruct"
      const read = yield* readText(
        `model_list:\n${entry("old", old)}${entry("both", old)}${entry("both", "openai/gpt-4o")}`
      )
      assert.include(at(read.warnings, 3), "serves `/v1/completions` alone")
      const gateway = yield* serve(read)
      const completion = yield* post(gateway, "/v1/completions", { model: "old", prompt: "Once" }, {})
      assert.strictEqual(completion.status, 200, completion.text)
      assert.isAtLeast((yield* post(gateway, "/v1/chat/completions", chatOf("old"), {})).status, 400)
      for (let count = 0; count < 8; count++) yield* post(gateway, "/v1/chat/completions", chatOf("both"), {})
      assert.deepStrictEqual(
        [...new Set(upstream.asked.map(({ model, path }) => `${path} ${model}`))],
        ["/v1/completions gpt-3.5-turbo-instruct", "/v1/chat/completions gpt-4o"]
      )
    })
  )
})

describe("where LiteLLM's deployments are", () => {
  const places: ReadonlyArray<readonly [params: string, expected: string]> = [
    [
      "model: azure/g, api_base: https://a.openai.azure.com, api_key: k",
      "azure:g@https://a.openai.azure.com/openai/deployments/g?api-version=2025-02-01-preview"
    ],
    [
      "model: azure/o_series/g, api_base: https://a.openai.azure.com, api_key: k",
      "azure:g@https://a.openai.azure.com/openai/deployments/g?api-version=2025-02-01-preview"
    ],
    ["model: dashscope/qwen-max, api_key: k", "dashscope:qwen-max@https://dashscope.aliyuncs.com/compatible-mode/v1"],
    ["model: ovhcloud/M, api_base: https://ovh.example/v1, api_key: k", "ovhcloud:M@https://ovh.example/v1"],
    ["model: chutes/org/M, api_key: k", "chutes:org/M@https://llm.chutes.ai/v1"],
    ["model: org/M, api_base: http://gpu/v1, api_key: k", "openai:org/M@http://gpu/v1"],
    [
      "model: huggingface/tgi, api_base: https://a.endpoints.huggingface.cloud, api_key: k",
      "huggingface:tgi@https://a.endpoints.huggingface.cloud/v1"
    ],
    [
      "model: huggingface/tgi, api_base: https://a.example/models/x/, api_key: k",
      "huggingface:tgi@https://a.example/models/x/v1"
    ],
    ["model: huggingface/tgi, api_base: https://a.example/v1, api_key: k", "huggingface:tgi@https://a.example/v1"],
    [
      "model: huggingface/together/deepseek-ai/DeepSeek-R1, api_key: k",
      "huggingface:deepseek-ai/DeepSeek-R1:together@https://router.huggingface.co/v1"
    ]
  ]
  it.effect("is where LiteLLM has them, under the names that it sends", () =>
    Effect.gen(function* () {
      const read = yield* readAll(places.map(([params]) => params))
      read.forEach(({ errors, is, params, warnings }, index) => {
        assert.strictEqual(is, places[index]?.[1], params)
        assert.deepStrictEqual([warnings, errors], ["", []], params)
      })
    })
  )
})

describe("* for every model", () => {
  const everything = 'model_list:\n  - model_name: "*"\n    litellm_params: { model: "*" }\n'

  it.scoped("sends a prompt to the provider that the name means, and to nobody else", () =>
    Effect.gen(function* () {
      const openai = yield* anyPath
      const anthropic = yield* anyPath
      const read = yield* readText(everything, {
        OPENAI_API_KEY: "sk-o",
        OPENAI_BASE_URL: `${openai.origin}/v1`,
        ANTHROPIC_API_KEY: "sk-a",
        ANTHROPIC_API_BASE: `${anthropic.origin}/openai/v1`
      })
      assert.deepStrictEqual([...read.errors, ...read.warnings], [])
      const gateway = yield* serve(read)
      const ask = (model: string) => post(gateway, "/v1/chat/completions", chatOf(model), {})
      for (const model of ["gpt-4o-mini", "o3", "openai/gpt-4o", "claude-3-5-haiku-latest", "anthropic/claude-x"]) {
        const { status, text } = yield* ask(model)
        assert.strictEqual(status, 200, text)
      }
      for (const model of ["mistral/mistral-small-latest", "bedrock/x", "gemini-2.5-flash", "azure/x", "llama3"]) {
        const { status, text } = yield* ask(model)
        assert.strictEqual(status, 404, text)
        assert.strictEqual(errorIn(text).code, "model_not_found")
      }
      const { text } = yield* ask("mistral/mistral-small-latest")
      assert.include(String(errorIn(text).message), "there is no key of mistral (MISTRAL_API_KEY)")
      assert.deepStrictEqual(
        openai.asked.map(({ key, model }) => `${model} ${key}`),
        ["gpt-4o-mini Bearer sk-o", "o3 Bearer sk-o", "gpt-4o Bearer sk-o"]
      )
      assert.deepStrictEqual(
        anthropic.asked.map(({ key, model }) => `${model} ${key}`),
        ["claude-3-5-haiku-latest Bearer sk-a", "claude-x Bearer sk-a"]
      )
    })
  )

  it.effect("a key of the file goes to its own provider alone: by the variable that holds the same, else OpenAI", () =>
    Effect.gen(function* () {
      const of = (env: Env) =>
        Effect.map(
          readText('model_list:\n  - model_name: "*"\n    litellm_params: { model: "*", api_key: sk-1 }\n', env),
          (read) => new Set(read.config?.router.deployments.map(({ provider }) => provider))
        )
      assert.deepStrictEqual(yield* of({ GROQ_API_KEY: "sk-2" }), new Set(["openai"]))
      assert.deepStrictEqual(yield* of({ ANTHROPIC_API_KEY: "sk-1" }), new Set(["anthropic"]))
    })
  )

  it.effect("the clouds are among them where the environment has an account of theirs", () =>
    Effect.gen(function* () {
      const env = {
        AWS_ACCESS_KEY_ID: "AKIA",
        AWS_SECRET_ACCESS_KEY: "s",
        AWS_REGION: "us-east-1",
        VERTEXAI_PROJECT: "p"
      }
      const read = yield* readText(everything, env)
      assert.deepStrictEqual([...read.errors, ...read.warnings], [])
      assert.deepStrictEqual(
        read.config?.router.deployments.map(({ group, model, protocol }) => [group, model, protocol]),
        [
          ["bedrock/*", "*", "bedrock"],
          ["vertex_ai/*", "*", "vertex"]
        ]
      )
    })
  )

  it.effect("text before the star stays before the name; without any key there is one error", () =>
    Effect.gen(function* () {
      const read = yield* readText(everything.replace('"*"', '"all/*"'), { OPENAI_API_KEY: "k" })
      assert.include(deploymentsOf(read).join(), "all/gpt-*=openai:gpt-*@")
      const { errors } = yield* readText(everything)
      assert.lengthOf(errors, 1)
    })
  )
})

describe("what LiteLLM starts with", () => {
  it.effect("a section that stands twice: the last one counts, and the lines that do not are named", () =>
    Effect.gen(function* () {
      const { config, errors, warnings } = yield* readText(`${writer}litellm_settings:
  num_retries: 1

general_settings:
  master_key: sk-gate-0001
litellm_settings:
  num_retries: 3
  request_timeout: 45
`)
      assert.deepStrictEqual(errors, [])
      assert.deepStrictEqual(config?.router.retry, { attempts: 4 })
      assert.deepStrictEqual(warnings, [
        "9 warning litellm_settings: this key stands here twice, and the last one counts, as in LiteLLM: lines 4 to 5 are not in force"
      ])
    })
  )

  it.effect("the same further down; a file of our own is refused", () =>
    Effect.gen(function* () {
      const read = yield* readText(beside("model: openai/a, model: openai/b, api_key: k"))
      assert.include(otherOf(read), "openai:b@")
      assert.deepStrictEqual(
        read.warnings.map((one) => one.slice(0, 30)),
        ["5 warning : this key stands he"]
      )
      const own = yield* readText("deployments: [{ id: a, group: a, model: a, model: b, baseUrl: http://x/v1 }]\n")
      assert.include(own.errors.join("\n"), "this key stands here twice")
    })
  )

  it.effect("fallbacks and aliases that lead nowhere are left out, and whose model it is is said", () =>
    Effect.gen(function* () {
      const { config, errors, warnings } = yield* readText(`${writer}  - model_name: spare
    litellm_params: { model: mistral/mistral-small-latest, api_key: sk-demo }
router_settings:
  fallbacks:
    - openai/gpt-4o-mini: [mistral/mistral-small-latest]
    - writer: [spare, writer-eu]
  default_fallbacks: [nobody]
  model_group_alias: { a: b, b: a, c: nobody, d: spare }
`)
      assert.deepStrictEqual(errors, [])
      assert.deepStrictEqual(told(config?.router.fallback)?.chains?.general?.writer, ["spare"])
      assert.deepStrictEqual(config?.router.aliases, { d: "spare" })
      assert.include(at(warnings, 8), "never used → the group writer, whose model this is")
      assert.include(at(warnings, 8), "left out: no group has this name → the group spare, whose model this is")
      assert.include(at(warnings, 9), "fallbacks[1].writer[1]: the target is left out: no group has this name")
      assert.include(at(warnings, 10), "default_fallbacks[0]: the target is left out")
      assert.lengthOf(at(warnings, 11).split("\n"), 3)
    })
  )

  it.effect("targets that a wildcard, an id, an alias or our own words know are kept", () =>
    Effect.gen(function* () {
      const { config, warnings } = yield* readText(`${writer}  - model_name: groq/*
    litellm_params: { model: groq/*, api_key: k }
  - model_name: x
    litellm_params: { model: openai/x, api_key: k }
    model_info: { id: mine }
router_settings:
  model_group_alias: { also: x }
  fallbacks: [{ writer: [groq/llama, mine, also, ours] }]
deployments: [{ id: o, group: ours, model: o, baseUrl: http://x/v1 }]
`)
      assert.deepStrictEqual(warnings, [])
      assert.deepStrictEqual(told(config?.router.fallback)?.chains?.general?.writer, [
        "groq/llama",
        "mine",
        "also",
        "ours"
      ])
    })
  )

  it.effect("sections at the top that only sound like ours are not read, and where they belong is said", () =>
    Effect.gen(function* () {
      const { config, errors, warnings } = yield* readText(`${writer}cache:
  type: redis
  host: os.environ/NONE
retry: 3
keys: [sk-1]
log: { level: verbose }
metrics: { enabled: true }
fallbacks: [{ writer: [writer] }]
server: { processes: 4 }
`)
      assert.deepStrictEqual(errors, [])
      assert.isUndefined(config?.router.cache)
      const told = (line: number) => at(warnings, line)
      assert.include(
        told(4),
        "LiteLLM has no such key here, and it does not fit our setting of this name (cache.type: no such key"
      )
      assert.include(told(4), "→ litellm_settings.cache_params")
      assert.include(told(7), "→ router_settings.num_retries")
      for (const line of [8, 9, 10, 12]) assert.include(told(line), "LiteLLM has no such key here")
      assert.include(told(11), "no such key: not read → router_settings.fallbacks")
    })
  )

  it.effect("what can only be ours must still be right", () =>
    Effect.gen(function* () {
      const { errors } = yield* readText(`${writer}keys: [{ name: a, key: sk-a, rmp: 3 }]\nmasterKey: 5\n`)
      assert.lengthOf(errors, 2)
    })
  )

  it.effect("an empty list with the models in a database is one error that says so", () =>
    Effect.gen(function* () {
      const { errors } = yield* readText("model_list: []\ngeneral_settings:\n  store_model_in_db: true\n")
      assert.deepStrictEqual(errors, [
        "1 error model_list: expected models in the file: those of this proxy are in its database, which is not read; export them (GET /model/info) into model_list"
      ])
      assert.lengthOf((yield* readText("general_settings: { store_model_in_db: true }\n")).errors, 1)
      assert.lengthOf((yield* readText("model_list: []\n")).errors, 1)
    })
  )

  it.effect("an entry without a model, and one with another's id, harm no other", () =>
    Effect.gen(function* () {
      const read = yield* readText(beside("model: azure/, api_base: https://a.openai.azure.com, api_key: k"))
      assert.deepStrictEqual(read.errors, [])
      assert.isUndefined(otherOf(read))
      assert.include(at(read.warnings, 5), "left out: this names no model")
      const twice = yield* readText(`model_list:
  - { model_name: a, litellm_params: { model: openai/a, api_key: k }, model_info: { id: one } }
  - { model_name: a, litellm_params: { model: openai/b, api_key: k }, model_info: { id: one } }
`)
      assert.deepStrictEqual(
        twice.config?.router.deployments.map(({ id }) => id),
        ["one", "one#2"]
      )
      assert.lengthOf(twice.warnings, 1)
    })
  )

  it.effect("limits that LiteLLM only weighs by are said, once", () =>
    Effect.gen(function* () {
      const of = (settings: string) =>
        Effect.map(readText(beside("model: openai/a, api_key: k, rpm: 2, tpm: 9", settings)), ({ said }) =>
          said.filter((one) => one.includes("only weighs by it")).join()
        )
      assert.include(yield* of(""), "5 note model_list[1].litellm_params.rpm: a limit")
      assert.include(yield* of("router_settings: { routing_strategy: least-busy }\n"), "a limit")
      assert.strictEqual(yield* of("router_settings: { routing_strategy: usage-based-routing-v2 }\n"), "")
      assert.strictEqual(yield* of("router_settings: { enable_pre_call_checks: true }\n"), "")
    })
  )
})
