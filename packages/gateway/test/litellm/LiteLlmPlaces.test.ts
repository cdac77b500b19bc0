import { assert, describe, it } from "@effect/vitest"
import * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"
import { at, models, problems, type Tree } from "../support/litellm.js"

const translate = (params: Tree, info?: Tree): LiteLlmConfig.Translation =>
  LiteLlmConfig.translate({
    model_list: [
      {
        model_name: "one",
        litellm_params: { api_key: "k", ...params },
        ...(info === undefined ? {} : { model_info: info })
      },
      ...models
    ]
  })

const deploymentOf = (params: Tree, info?: Tree): Tree | undefined => {
  const found = at(translate(params, info).settings, "deployments[0]") as Tree | undefined
  return found?.group === "one" ? found : undefined
}

const saidOf = (params: Tree, info?: Tree): ReadonlyArray<string> =>
  problems(translate(params, info)).map((said) => said.replace("model_list[0].", ""))

describe("whether an answer streams", () => {
  for (const model of ["openai/gpt-4o", "anthropic/claude-x", "gemini/gemini-3-flash", "ollama_chat/x"]) {
    it(`is the request's to say, not the file's: ${model}`, () => {
      const params = { model, stream: true, stream_options: { include_usage: true }, temperature: 0.5 }
      assert.deepStrictEqual(deploymentOf(params)?.defaults, { temperature: 0.5 })
      assert.deepStrictEqual(
        saidOf(params).map((said) => said.split(":")[0]),
        ["litellm_params.stream", "litellm_params.stream_options"]
      )
    })
  }

  it("`stream: false` asks for nothing", () => {
    assert.deepStrictEqual(saidOf({ model: "openai/gpt-4o", stream: false }), [])
  })
})

describe("parameters of Google's models", () => {
  const params = {
    temperature: 0.2,
    reasoning_effort: "low",
    safety_settings: [{ category: "A", threshold: "B" }],
    thinkingConfig: { thinkingBudget: 5 },
    user: "u",
    thinking_level: "low",
    parallel_tool_calls: true,
    extra_body: { future: 1 }
  }

  for (const model of ["gemini/gemini-3-flash", "vertex_ai/gemini-3-pro-preview"]) {
    it(`what Google has no field for is left out with a warning each: ${model}`, () => {
      assert.deepStrictEqual(deploymentOf({ model, ...params })?.defaults, {
        future: 1,
        temperature: 0.2,
        reasoning_effort: "low",
        safety_settings: [{ category: "A", threshold: "B" }],
        thinkingConfig: { thinkingBudget: 5 }
      })
      assert.deepStrictEqual(
        saidOf({ model, ...params }),
        ["user", "thinking_level", "parallel_tool_calls"].map(
          (name) => `litellm_params.${name}: Google has no such field, so it is not sent, as in LiteLLM`
        )
      )
    })
  }

  for (const [model, more] of [
    ["vertex_ai/claude-sonnet-4", {}],
    ["gemini/gemini-embedding-001", {}],
    ["gemini/gemini-3-flash", { api_base: "https://generativelanguage.googleapis.com/v1beta/openai" }]
  ] as const) {
    it(`others go as they are: ${model} ${JSON.stringify(more)}`, () => {
      assert.deepStrictEqual(deploymentOf({ model, my_parameter: 1, ...more })?.defaults, { my_parameter: 1 })
    })
  }
})

describe("where a deployment is asked", () => {
  const host = "https://acme.services.ai.azure.com"
  for (const [base, version, expected] of [
    [`${host}/models/chat/completions?api-version=2025-01-01`, undefined, `${host}/models?api-version=2025-01-01`],
    [`${host}/models?api-version=2025-01-01`, "2026-01-01", `${host}/models?api-version=2026-01-01`],
    [`${host}/models`, undefined, `${host}/models?api-version=2024-05-01-preview`],
    ["https://x.models.ai.azure.com", undefined, "https://x.models.ai.azure.com/v1"]
  ] as const) {
    it(`Azure AI: ${base}${version === undefined ? "" : ` with api_version ${version}`}`, () => {
      const params = { model: "azure_ai/deepseek-r1", api_base: base, api_version: version }
      assert.strictEqual(deploymentOf(params)?.baseUrl, expected)
    })
  }

  it("Vertex AI's project, location and credentials have two names each in LiteLLM", () => {
    const params = {
      model: "vertex_ai/gemini-2.5-pro",
      vertex_ai_project: "acme",
      vertex_ai_location: "us-central1",
      vertex_ai_credentials: "/key.json"
    }
    assert.deepInclude(deploymentOf(params), {
      project: "acme",
      location: "us-central1",
      region: "us-central1",
      auth: { cloud: "google", credentials: "/key.json" }
    })
    const both = { ...params, vertex_project: "a", vertex_location: "b", vertex_credentials: "/c.json" }
    assert.deepInclude(deploymentOf(both), {
      project: "a",
      location: "b",
      auth: { cloud: "google", credentials: "/c.json" }
    })
    assert.deepStrictEqual(saidOf(both), [])
  })

  for (const [model, expected] of [
    ["us.anthropic.claude-x", "us.anthropic.claude-x"],
    ["converse/us.anthropic.claude-x", "us.anthropic.claude-x"],
    ["us-west-2/anthropic.claude-v2", "anthropic.claude-v2"],
    [
      "arn:aws:bedrock:us-east-1:1:application-inference-profile/a",
      "arn:aws:bedrock:us-east-1:1:application-inference-profile/a"
    ],
    ["*", "*"]
  ] as const) {
    it(`Bedrock: ${model}`, () => {
      assert.strictEqual(deploymentOf({ model: `bedrock/${model}` })?.model, expected)
    })
  }

  for (const route of ["deepseek_r1", "llama", "agent", "async_invoke"]) {
    it(`LiteLLM's route ${route}/ to Bedrock is not taken, and that is said`, () => {
      const params = { model: `bedrock/${route}/arn:aws:bedrock:us-east-1:1:imported-model/x` }
      assert.isUndefined(deploymentOf(params))
      assert.include(
        saidOf(params),
        `litellm_params.model: the deployment is left out: LiteLLM's route ${route}/ to Bedrock is not taken here`
      )
    })
  }

  for (const [model, what] of [
    ["amazon.nova-reel-v1:0", "video generation"],
    ["amazon.nova-sonic-v1:0", "realtime sessions"]
  ] as const) {
    it(`${model} is for ${what}, and there is no endpoint for it`, () => {
      assert.deepStrictEqual(saidOf({ model: `bedrock/${model}` }), [
        `model_name: nobody can ask for this group: there is no endpoint for ${what}`
      ])
    })
  }

  for (const model of ["amazon.nova-canvas-v1:0", "amazon.titan-image-generator-v2:0", "stability.sd3-large-v1:0"]) {
    it(`${model} draws, which nobody does in Bedrock's protocol`, () => {
      assert.deepStrictEqual(saidOf({ model: `bedrock/${model}` }), [
        "model_name: nobody can ask for this group: there is no endpoint for image generation in the protocol bedrock"
      ])
    })
  }
})

describe("names and places that are easily mistaken", () => {
  it("`model_info` below `litellm_params` is said to stand beside it", () => {
    assert.deepStrictEqual(saidOf({ model: "openai/gpt-4o", model_info: { access_groups: ["a"] } }), [
      "litellm_params.model_info: not read here: it belongs beside `litellm_params`"
    ])
  })

  it("a name whose beginning is no provider is sent whole to its base, and a note says so", () => {
    const params = { model: "acme-cloud/large", api_base: "https://llm.example.net/v1" }
    assert.strictEqual(deploymentOf(params)?.model, "acme-cloud/large")
    const notes = translate(params).findings.filter(({ severity }) => severity === "note")
    assert.isTrue(notes.some(({ message }) => message.startsWith("the whole name is sent as the model")))
    assert.isFalse(
      translate({ ...params, model: "openai/acme/large" }).findings.some(({ message }) =>
        message.includes("whole name")
      )
    )
  })
})

describe("SageMaker", () => {
  const aws = { aws_access_key_id: "AKIA", aws_secret_access_key: "s", aws_region_name: "eu-west-1" }

  it("is asked at its endpoint, in the file's region and by its account, as LiteLLM's documentation spells it", () => {
    const params = { api_key: null, model: "sagemaker_chat/my-endpoint", ...aws, model_id: "component-1" }
    assert.deepInclude(deploymentOf(params), {
      provider: "sagemaker_chat",
      protocol: "sagemaker",
      model: "my-endpoint",
      location: "eu-west-1",
      auth: { cloud: "aws", accessKeyId: "AKIA", secretAccessKey: "s" },
      headers: { "x-amzn-sagemaker-inference-component": "component-1" }
    })
    assert.deepStrictEqual(saidOf(params), [])
  })

  it("whose containers take no chats completes texts, and embeds where the file says so", () => {
    const params = { api_key: null, model: "sagemaker/my-endpoint", ...aws }
    assert.deepInclude(deploymentOf(params), { protocol: "sagemaker", operations: ["completion"] })
    assert.include(saidOf(params).join("\n"), "chats are not turned into one text")
    assert.notProperty(deploymentOf(params, { mode: "embedding" }), "operations")
  })

  it("a token without a role to take on is an error, at its path", () => {
    const params = { api_key: null, model: "sagemaker_chat/e", aws_web_identity_token: "oidc/env/T" }
    assert.isUndefined(deploymentOf(params))
    assert.include(saidOf(params).join("\n"), "litellm_params.aws_web_identity_token: expected an `aws_role_name`")
  })
})

describe("an AWS account of LiteLLM's variables", () => {
  const read = (env: Readonly<Record<string, string>>, params: Tree = {}) =>
    at(
      LiteLlmConfig.translate(
        { model_list: [{ model_name: "one", litellm_params: { model: "bedrock/amazon.nova-pro-v1:0", ...params } }] },
        env
      ).settings,
      "deployments[0].auth"
    )

  it("stands in for what the file does not say, and a token without a role for nothing", () => {
    const env = { AWS_ROLE_NAME: "r", AWS_SESSION_NAME: "s", AWS_WEB_IDENTITY_TOKEN: "oidc/env/T" }
    assert.deepStrictEqual(read(env), {
      cloud: "aws",
      roleArn: "r",
      sessionName: "s",
      webIdentityToken: "oidc/env/T"
    } as never)
    assert.deepInclude(read(env, { aws_role_name: "own" }), { roleArn: "own" })
    assert.notProperty(read({ AWS_SESSION_NAME: "s", AWS_WEB_IDENTITY_TOKEN: "oidc/env/T" }), "webIdentityToken")
    assert.isUndefined(read({}))
  })
})

describe("watsonx", () => {
  const model = "watsonx/ibm/granite-3-8b-instruct"

  it("is asked as LiteLLM's documentation spells it, by a key and for a project or a space", () => {
    const params = { model, api_base: "https://us-south.ml.cloud.ibm.com", api_key: "k", space_id: "s" }
    assert.deepInclude(deploymentOf(params), {
      provider: "watsonx",
      protocol: "watsonx",
      model: "ibm/granite-3-8b-instruct",
      baseUrl: "https://us-south.ml.cloud.ibm.com",
      apiKey: "k",
      defaults: { space_id: "s" }
    })
    assert.deepStrictEqual(saidOf(params), [])
  })

  it("takes where it is and who asks from LiteLLM's variables, a token before a Zen key", () => {
    const translated = (env: Readonly<Record<string, string>>) =>
      at(
        LiteLlmConfig.translate({ model_list: [{ model_name: "one", litellm_params: { model } }] }, env).settings,
        "deployments[0]"
      )
    const base = { WATSONX_URL: "https://eu-de.ml.cloud.ibm.com" }
    assert.deepInclude(translated({ ...base, WATSONX_APIKEY: "k" }), {
      baseUrl: "https://eu-de.ml.cloud.ibm.com",
      apiKey: "k"
    })
    const shown = { ...base, WATSONX_APIKEY: "k", WATSONX_ZENAPIKEY: "z" }
    assert.deepInclude(translated(shown), { headers: { authorization: "ZenApiKey z" } })
    assert.deepInclude(translated({ ...shown, WATSONX_TOKEN: "t" }), { headers: { authorization: "Bearer t" } })
  })

  it("its own settings mean nothing for another provider, and are said to", () => {
    const said = saidOf({ model: "openai/gpt-4o", zen_api_key: "z", project_id: "p" })
    assert.deepStrictEqual(said, ["litellm_params.zen_api_key: means nothing for openai, and is not sent"])
  })
})

describe("OCI", () => {
  const params = { model: "oci/xai.grok-4", oci_region: "eu-frankfurt-1" }
  const signed = { api_key: null, oci_user: "u", oci_fingerprint: "f", oci_tenancy: "t", oci_key: "k" }

  it("is asked in the region that the file says, by a key of its service for models", () => {
    assert.strictEqual(
      deploymentOf(params)?.baseUrl,
      "https://inference.generativeai.eu-frankfurt-1.oci.oraclecloud.com/openai/v1"
    )
    assert.deepStrictEqual(saidOf(params), [])
  })

  it("is asked by signed requests where the file names an account and no key", () => {
    const whole = { ...params, ...signed, oci_compartment_id: "c" }
    assert.deepInclude(deploymentOf(whole), {
      protocol: "oci",
      model: "xai.grok-4",
      location: "eu-frankfurt-1",
      project: "c",
      auth: { cloud: "oci", tenancy: "t", user: "u", fingerprint: "f", privateKey: "k" }
    })
    assert.deepStrictEqual(saidOf(whole), [])
  })

  it("an account that lacks something is told each part, where it would stand", () => {
    const said = saidOf({ ...params, api_key: null, oci_user: "u" }).join("\n")
    for (const part of ["fingerprint", "tenancy", "key", "compartment_id"]) {
      assert.include(said, `litellm_params.oci_${part}: expected`)
    }
  })
})
