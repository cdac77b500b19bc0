import { assert, describe, it } from "@effect/vitest"
import * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"
import { at, decodeIssues, models, oneModel, problems, type Tree } from "../support/litellm.js"

/** A file with a key in it, and what of the settings shows that it was honoured. */
interface Sample {
  readonly tree: Tree
  readonly expected: Readonly<Record<string, unknown>>
  readonly env?: LiteLlmConfig.Env
}

/** A row's sentence as the clause of a finding. */
const clause = (sentence: string): string => {
  const text = sentence.slice(0, -1)
  return /^(Azure|Entra|LiteLLM|Vertex)/.test(text) ? text : text.charAt(0).toLowerCase() + text.slice(1)
}

const router = (settings: Tree): Tree => ({ model_list: models, router_settings: settings })
const litellm = (settings: Tree): Tree => ({ model_list: models, litellm_settings: settings })
const general = (settings: Tree): Tree => ({ model_list: models, general_settings: settings })
const cacheParams = (params: Tree): Tree => litellm({ cache: true, cache_params: { type: "local", ...params } })
const latency = (args: Tree): Tree => router({ routing_strategy: "latency-based-routing", routing_strategy_args: args })
const info = (settings: Tree): Tree => oneModel({}, { model_info: settings })
const sample = (tree: Tree, expected: Sample["expected"], env?: LiteLlmConfig.Env): Sample => ({
  tree,
  expected,
  ...(env === undefined ? {} : { env })
})
const azure = (params: Tree): Tree =>
  oneModel({ model: "azure/my-gpt", api_base: "https://x.openai.azure.com", ...params })

const bedrock = (params: Tree): Tree => oneModel({ model: "bedrock/amazon.nova-pro-v1:0", api_key: null, ...params })
const vertex = (params: Tree): Tree => oneModel({ model: "vertex_ai/gemini-2.5-pro", api_key: null, ...params })
const watsonx = (params: Tree): Tree =>
  oneModel({ model: "watsonx/ibm/granite-3-8b-instruct", api_base: "https://us-south.ml.cloud.ibm.com", ...params })
const oci = (params: Tree): Tree =>
  oneModel({
    model: "oci/cohere.command-r-plus",
    api_key: null,
    oci_user: "u",
    oci_fingerprint: "f",
    oci_tenancy: "t",
    oci_key: "k",
    oci_compartment_id: "c",
    ...params
  })

const chain = (kind: string, key: string) =>
  sample(router({ [key]: [{ gpt: ["claude"] }] }), { [`fallback.chains.${kind}.gpt`]: ["claude"] })
const chainOfSettings = (kind: string, key: string) =>
  sample(litellm({ [key]: [{ gpt: ["claude"] }] }), { [`fallback.chains.${kind}.gpt`]: ["claude"] })

const first = "deployments[0]"
const capabilities = `${first}.capabilities`

const honoured: Readonly<Record<string, Sample>> = {
  "file model_list": sample({ model_list: models }, { "deployments[1].group": "claude" }),
  "file litellm_settings": sample(litellm({ num_retries: 1 }), { "retry.attempts": 2 }),
  "file router_settings": sample(router({ num_retries: 1 }), { "retry.attempts": 2 }),
  "file general_settings": sample(general({ master_key: "sk-m" }), { masterKey: "sk-m" }),
  "file environment_variables": sample(
    { ...oneModel({ api_key: null }), environment_variables: { OPENAI_API_KEY: "sk-own" } },
    { [`${first}.apiKey`]: "sk-own" },
    { OPENAI_API_KEY: "sk-env" }
  ),
  "file credential_list": sample(
    {
      ...oneModel({ api_key: null, litellm_credential_name: "eu" }),
      credential_list: [{ credential_name: "eu", credential_values: { api_key: "sk-eu" } }]
    },
    { [`${first}.apiKey`]: "sk-eu" }
  ),

  "litellm_params drop_params": sample(oneModel({ drop_params: true }), { [`${first}.dropParams`]: true }),
  "litellm_params additional_drop_params": sample(oneModel({ additional_drop_params: ["user", "tools[*].strict"] }), {
    [`${first}.additionalDropParams`]: ["user", "tools[*].strict"]
  }),
  "litellm_settings max_budget": sample(
    { model_list: models, litellm_settings: { max_budget: "100", budget_duration: "30d" } },
    { "spendLimits.total.limit": 100 }
  ),
  "litellm_settings budget_duration": sample(
    { model_list: models, litellm_settings: { max_budget: 100, budget_duration: "1d" } },
    { "spendLimits.total": { limit: 100, window: 86_400_000 } }
  ),
  "litellm_settings return_response_headers": sample(litellm({ return_response_headers: true }), {
    "answers.providerHeaders": true
  }),
  "litellm_settings drop_params": sample(litellm({ drop_params: true }), { "requests.dropParams": true }),
  "model_list model_name": sample(oneModel({}), { [`${first}.group`]: "gpt" }),
  "model_list litellm_params": sample(oneModel({}), { [`${first}.model`]: "gpt-4o", [`${first}.provider`]: "openai" }),
  "model_list model_info": sample(info({ id: "one" }), { [`${first}.id`]: "one" }),
  "model_list tpm": sample(oneModel({}, { tpm: 1000 }), { [`${first}.tpm`]: 1000 }),
  "model_list rpm": sample(oneModel({ rpm: 5 }, { rpm: 10 }), { [`${first}.rpm`]: 5 }),

  "litellm_params model": sample(oneModel({ model: "groq/llama-3.3-70b" }), {
    [`${first}.model`]: "llama-3.3-70b",
    [`${first}.provider`]: "groq",
    [`${first}.baseUrl`]: "https://api.groq.com/openai/v1"
  }),
  "litellm_params custom_llm_provider": sample(oneModel({ model: "meta/llama", custom_llm_provider: "openrouter" }), {
    [`${first}.model`]: "meta/llama",
    [`${first}.provider`]: "openrouter"
  }),
  "litellm_params api_key": sample(oneModel({}), { [`${first}.apiKey`]: "sk-1" }),
  "litellm_params api_base": sample(oneModel({ api_base: "http://gpu:8000/v1" }), {
    [`${first}.baseUrl`]: "http://gpu:8000/v1"
  }),
  "litellm_params base_url": sample(oneModel({ base_url: "http://gpu:8000/v1" }), {
    [`${first}.baseUrl`]: "http://gpu:8000/v1"
  }),
  "litellm_params api_version": sample(azure({ api_version: "2024-06-01" }), {
    [`${first}.baseUrl`]: "https://x.openai.azure.com/openai/deployments/my-gpt?api-version=2024-06-01",
    [`${first}.headers`]: { "api-key": "sk-1" },
    [`${first}.apiKey`]: undefined
  }),
  "litellm_params azure_ad_token": sample(azure({ api_key: null, azure_ad_token: "token" }), {
    [`${first}.apiKey`]: undefined,
    [`${first}.headers`]: { authorization: "Bearer token" }
  }),
  "litellm_params organization": sample(oneModel({ organization: ["org-1", "org-2"] }), {
    [`${first}.headers`]: { "openai-organization": "org-1" },
    "deployments[1].headers": { "openai-organization": "org-2" }
  }),
  "litellm_params region_name": sample(oneModel({ region_name: "eu", aws_region_name: "us-east-1" }), {
    [`${first}.region`]: "eu"
  }),
  "litellm_params aws_region_name": sample(oneModel({ aws_region_name: "us-east-1" }), {
    [`${first}.region`]: "us-east-1"
  }),
  "litellm_params oci_region": sample(oneModel({ model: "oci/xai.grok-4", oci_region: "eu-frankfurt-1" }), {
    [`${first}.baseUrl`]: "https://inference.generativeai.eu-frankfurt-1.oci.oraclecloud.com/openai/v1"
  }),
  "litellm_params vertex_location": sample(oneModel({ vertex_location: "europe-west1" }), {
    [`${first}.region`]: "europe-west1"
  }),
  "litellm_params aws_access_key_id": sample(bedrock({ aws_access_key_id: "v" }), {
    [`${first}.auth.accessKeyId`]: "v"
  }),
  "litellm_params aws_secret_access_key": sample(bedrock({ aws_secret_access_key: "v" }), {
    [`${first}.auth.secretAccessKey`]: "v"
  }),
  "litellm_params aws_session_token": sample(bedrock({ aws_session_token: "v" }), {
    [`${first}.auth.sessionToken`]: "v"
  }),
  "litellm_params aws_profile_name": sample(bedrock({ aws_profile_name: "v" }), { [`${first}.auth.profile`]: "v" }),
  "litellm_params aws_role_name": sample(bedrock({ aws_role_name: "v" }), { [`${first}.auth.roleArn`]: "v" }),
  "litellm_params aws_session_name": sample(bedrock({ aws_session_name: "v" }), { [`${first}.auth.sessionName`]: "v" }),
  "litellm_params aws_web_identity_token": sample(
    bedrock({ aws_web_identity_token: "oidc/env/TOKEN", aws_role_name: "r" }),
    { [`${first}.auth.webIdentityToken`]: "oidc/env/TOKEN" }
  ),
  "litellm_params aws_sts_endpoint": sample(
    bedrock({ aws_sts_endpoint: "https://sts.eu-west-1.amazonaws.com", aws_role_name: "r" }),
    { [`${first}.auth.stsEndpoint`]: "https://sts.eu-west-1.amazonaws.com" }
  ),
  "litellm_params sagemaker_base_url": sample(
    oneModel({ model: "sagemaker_chat/e", sagemaker_base_url: "https://s/endpoints/e/invocations" }),
    { [`${first}.baseUrl`]: "https://s/endpoints/e/invocations", [`${first}.protocol`]: "sagemaker" }
  ),
  "litellm_params project_id": sample(watsonx({ project_id: "p" }), { [`${first}.defaults.project_id`]: "p" }),
  "litellm_params space_id": sample(watsonx({ space_id: "s" }), { [`${first}.defaults.space_id`]: "s" }),
  "litellm_params watsonx_project": sample(watsonx({ watsonx_project: "p" }), { [`${first}.project`]: "p" }),
  "litellm_params apikey": sample(watsonx({ api_key: null, apikey: "k" }), { [`${first}.apiKey`]: "k" }),
  "litellm_params url": sample(watsonx({ api_base: null, url: "https://w" }), { [`${first}.baseUrl`]: "https://w" }),
  "litellm_params token": sample(watsonx({ token: "t" }), {
    [`${first}.apiKey`]: undefined,
    [`${first}.headers`]: { authorization: "Bearer t" }
  }),
  "litellm_params zen_api_key": sample(watsonx({ api_key: null, zen_api_key: "z" }), {
    [`${first}.headers`]: { authorization: "ZenApiKey z" }
  }),
  "litellm_params wx_credentials": sample(watsonx({ wx_credentials: { url: "https://c", apikey: "c" } }), {
    [`${first}.baseUrl`]: "https://c",
    [`${first}.apiKey`]: "c"
  }),
  "litellm_params watsonx_credentials": sample(watsonx({ watsonx_credentials: { url: "https://c" } }), {
    [`${first}.baseUrl`]: "https://c"
  }),
  "litellm_params watsonx_region_name": sample(watsonx({ api_base: null, watsonx_region_name: "eu-de" }), {
    [`${first}.location`]: "eu-de"
  }),
  "litellm_params watsonx_region": sample(watsonx({ api_base: null, watsonx_region: "eu-gb" }), {
    [`${first}.location`]: "eu-gb"
  }),
  "litellm_params account_id": sample(oneModel({ model: "snowflake/llama3.1-8b", account_id: "org-me" }), {
    [`${first}.baseUrl`]: "https://org-me.snowflakecomputing.com",
    [`${first}.protocol`]: "snowflake"
  }),
  "litellm_params oci_user": sample(oci({ oci_user: "v" }), { [`${first}.auth.user`]: "v" }),
  "litellm_params oci_fingerprint": sample(oci({ oci_fingerprint: "v" }), { [`${first}.auth.fingerprint`]: "v" }),
  "litellm_params oci_tenancy": sample(oci({ oci_tenancy: "v" }), { [`${first}.auth.tenancy`]: "v" }),
  "litellm_params oci_key": sample(oci({ oci_key: "v" }), { [`${first}.auth.privateKey`]: "v" }),
  "litellm_params oci_key_file": sample(oci({ oci_key: null, oci_key_file: "v" }), {
    [`${first}.auth.privateKey`]: "v"
  }),
  "litellm_params oci_compartment_id": sample(oci({ oci_compartment_id: "v" }), { [`${first}.project`]: "v" }),
  "litellm_params oci_serving_mode": sample(oci({ oci_serving_mode: "DEDICATED", oci_endpoint_id: "e" }), {
    [`${first}.model`]: "e"
  }),
  "litellm_params oci_endpoint_id": sample(oci({ oci_serving_mode: "DEDICATED", oci_endpoint_id: "e" }), {
    [`${first}.baseModel`]: "cohere.command-r-plus"
  }),
  "litellm_params aws_external_id": sample(bedrock({ aws_external_id: "v" }), { [`${first}.auth.externalId`]: "v" }),
  "litellm_params aws_bedrock_runtime_endpoint": sample(
    bedrock({ aws_bedrock_runtime_endpoint: "https://bedrock.example.net" }),
    { [`${first}.baseUrl`]: "https://bedrock.example.net" }
  ),
  "litellm_params vertex_project": sample(vertex({ vertex_project: "acme" }), { [`${first}.project`]: "acme" }),
  "litellm_params vertex_credentials": sample(vertex({ vertex_credentials: { type: "service_account" } }), {
    [`${first}.auth.credentials`]: '{"type":"service_account"}'
  }),
  "litellm_params vertex_ai_project": sample(vertex({ vertex_ai_project: "acme" }), { [`${first}.project`]: "acme" }),
  "litellm_params vertex_ai_location": sample(vertex({ vertex_ai_location: "us-east5" }), {
    [`${first}.location`]: "us-east5"
  }),
  "litellm_params vertex_ai_credentials": sample(vertex({ vertex_ai_credentials: "/key.json" }), {
    [`${first}.auth.credentials`]: "/key.json"
  }),
  "litellm_params tenant_id": sample(azure({ tenant_id: "v" }), { [`${first}.auth.tenantId`]: "v" }),
  "litellm_params client_id": sample(azure({ client_id: "v" }), { [`${first}.auth.clientId`]: "v" }),
  "litellm_params client_secret": sample(azure({ client_secret: "v" }), { [`${first}.auth.clientSecret`]: "v" }),
  "litellm_params azure_scope": sample(azure({ azure_scope: "v" }), { [`${first}.auth.scope`]: "v" }),
  "litellm_params litellm_credential_name": sample(
    {
      ...oneModel({ litellm_credential_name: "eu" }),
      credential_list: [
        { credential_name: "eu", credential_values: { api_key: "sk-eu", api_base: "https://eu.example.com/v1" } }
      ]
    },
    { [`${first}.apiKey`]: "sk-1", [`${first}.baseUrl`]: "https://eu.example.com/v1" }
  ),
  "litellm_params timeout": sample(oneModel({ timeout: "1.5" }), {
    [`${first}.timeout`]: 1500,
    [`${first}.streamTimeout`]: undefined,
    [`${first}.silenceTimeout`]: 1500,
    [`${first}.firstTokenTimeout`]: undefined
  }),
  "litellm_params request_timeout": sample(oneModel({ request_timeout: 20 }), { [`${first}.timeout`]: 20_000 }),
  "litellm_params stream_timeout": sample(oneModel({ stream_timeout: 4 }), {
    [`${first}.firstTokenTimeout`]: 4000,
    [`${first}.idleTimeout`]: 4000,
    [`${first}.timeout`]: undefined
  }),
  "litellm_params num_retries": sample(oneModel({ num_retries: 0 }), { [`${first}.maxRetries`]: 0 }),
  "litellm_params tpm": sample(oneModel({ tpm: "100000" }), { [`${first}.tpm`]: 100_000 }),
  "litellm_params rpm": sample(oneModel({ rpm: 0 }), { [`${first}.rpm`]: 0 }),
  "litellm_params weight": sample(oneModel({ weight: 0.5 }), { [`${first}.weight`]: 0.5 }),
  "litellm_params order": sample(oneModel({ order: 2 }), { [`${first}.order`]: 2 }),
  "litellm_params max_parallel_requests": sample(oneModel({ max_parallel_requests: 7 }), {
    [`${first}.maxParallel`]: 7
  }),
  "litellm_params tags": sample(
    { ...oneModel({ tags: ["free", "default"] }), router_settings: { enable_tag_filtering: true } },
    { [`${first}.tags`]: ["free", "default"] }
  ),
  "litellm_params on_missing_finish": sample(oneModel({ on_missing_finish: "accept" }), {
    [`${first}.onMissingFinish`]: "accept"
  }),
  "litellm_params cooldown_time": sample(oneModel({ cooldown_time: 0 }), { [`${first}.cooldown`]: 0 }),
  "litellm_params max_budget": sample(
    oneModel({ max_budget: 10, budget_duration: "1d" }, { model_info: { id: "one" } }),
    {
      "spendLimits.deployments.one": { limit: 10, window: 86_400_000 }
    }
  ),
  "litellm_params budget_duration": sample(
    oneModel({ max_budget: "0.5", budget_duration: "30s" }, { model_info: { id: "one" } }),
    { "spendLimits.deployments.one": { limit: 0.5, window: 30_000 } }
  ),
  "litellm_params input_cost_per_token": sample(oneModel({ input_cost_per_token: "1.5e-7" }), {
    [`${first}.inputPrice`]: 0.15
  }),
  "litellm_params output_cost_per_token": sample(oneModel({ output_cost_per_token: 0 }), {
    [`${first}.outputPrice`]: 0
  }),
  "litellm_params cache_read_input_token_cost": sample(oneModel({ cache_read_input_token_cost: 0.000000075 }), {
    [`${first}.cachedInputPrice`]: 0.075
  }),
  "litellm_params model_id": sample(
    bedrock({
      model: "bedrock/anthropic.claude-sonnet-4-v1:0",
      model_id: "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x"
    }),
    {
      [`${first}.model`]: "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x",
      [`${first}.baseModel`]: "anthropic.claude-sonnet-4-v1:0"
    }
  ),
  "litellm_params output_cost_per_second": sample(oneModel({ output_cost_per_second: 0.0001 }), {
    [`${first}.perSecond`]: 0.0001
  }),
  "litellm_params input_cost_per_second": sample(oneModel({ input_cost_per_second: 0.0002 }), {
    [`${first}.perSecond`]: 0.0002
  }),
  "litellm_params input_cost_per_character": sample(oneModel({ input_cost_per_character: 1.5e-5 }), {
    [`${first}.perCharacter`]: 1.5e-5
  }),
  "litellm_params output_cost_per_character": sample(oneModel({ output_cost_per_character: 3e-5 }), {
    [`${first}.perCharacter`]: 3e-5
  }),
  "litellm_params output_cost_per_image": sample(oneModel({ output_cost_per_image: 0.04 }), {
    [`${first}.perImage`]: 0.04
  }),
  "litellm_params input_cost_per_image": sample(oneModel({ input_cost_per_image: 0.02 }), {
    [`${first}.perImage`]: 0.02
  }),
  "litellm_params input_cost_per_query": sample(oneModel({ input_cost_per_query: 0.002 }), {
    [`${first}.perSearch`]: 0.002
  }),
  "litellm_params input_cost_per_token_batches": sample(
    oneModel({ input_cost_per_token: 0.000004, input_cost_per_token_batches: 0.000001 }),
    { [`${first}.batchDiscount`]: 0.75 }
  ),
  "litellm_params base_model": sample(azure({ base_model: "azure/gpt-4o-mini" }), {
    [`${first}.baseModel`]: "azure/gpt-4o-mini"
  }),
  "litellm_params extra_headers": sample(oneModel({ extra_headers: { "x-team": "a" } }), {
    [`${first}.headers`]: { "x-team": "a" }
  }),
  "litellm_params on_malformed_event": sample(oneModel({ on_malformed_event: "skip" }), {
    [`${first}.onMalformedEvent`]: "skip"
  }),
  "litellm_params ssl_verify": sample(oneModel({ ssl_verify: "/etc/ca.pem" }), {
    "deployments[0].tls": { ca: "/etc/ca.pem" }
  }),
  "litellm_params extra_body": sample(oneModel({ extra_body: { guided_json: {} }, top_p: 0.5 }), {
    [`${first}.defaults`]: { guided_json: {}, top_p: 0.5 }
  }),
  "litellm_params temperature": sample(oneModel({ temperature: 0 }), { [`${first}.defaults`]: { temperature: 0 } }),
  "litellm_params max_tokens": sample(oneModel({ max_tokens: 100, my_param: "x" }), {
    [`${first}.defaults`]: { max_tokens: 100, my_param: "x" }
  }),

  "model_info id": sample(info({ id: 7 }), { [`${first}.id`]: "7" }),
  "model_info base_model": sample(info({ base_model: "gpt-4o" }), { [`${first}.baseModel`]: "gpt-4o" }),
  "model_info mode": sample(
    {
      model_list: [
        ...models,
        { model_name: "embed", litellm_params: models[0]?.litellm_params, model_info: { id: "e", mode: "embedding" } }
      ],
      general_settings: { background_health_checks: true }
    },
    {
      "healthProbes.deployments": [
        "gpt:openai/gpt-4o@api.openai.com",
        "claude:anthropic/claude-sonnet-4@api.anthropic.com"
      ]
    }
  ),
  "model_info max_input_tokens": sample(info({ max_input_tokens: 8000 }), { [`${first}.contextWindow`]: 8000 }),
  "model_info input_cost_per_token": sample(info({ input_cost_per_token: 0.000002 }), { [`${first}.inputPrice`]: 2 }),
  "model_info output_cost_per_token": sample(info({ output_cost_per_token: 0.000003 }), {
    [`${first}.outputPrice`]: 3
  }),
  "model_info output_cost_per_second": sample(info({ output_cost_per_second: 0.0001 }), {
    [`${first}.perSecond`]: 0.0001
  }),
  "model_info input_cost_per_second": sample(info({ input_cost_per_second: 0.0002 }), {
    [`${first}.perSecond`]: 0.0002
  }),
  "model_info input_cost_per_character": sample(info({ input_cost_per_character: 1.5e-5 }), {
    [`${first}.perCharacter`]: 1.5e-5
  }),
  "model_info output_cost_per_character": sample(info({ output_cost_per_character: 3e-5 }), {
    [`${first}.perCharacter`]: 3e-5
  }),
  "model_info output_cost_per_image": sample(info({ output_cost_per_image: 0.04 }), { [`${first}.perImage`]: 0.04 }),
  "model_info input_cost_per_image": sample(info({ input_cost_per_image: 0.02 }), { [`${first}.perImage`]: 0.02 }),
  "model_info input_cost_per_query": sample(info({ input_cost_per_query: 0.002 }), { [`${first}.perSearch`]: 0.002 }),
  "model_info input_cost_per_token_batches": sample(
    info({ input_cost_per_token: 0.000004, input_cost_per_token_batches: 0.000002 }),
    { [`${first}.batchDiscount`]: 0.5 }
  ),
  "model_info supports_function_calling": sample(info({ supports_function_calling: false }), {
    [capabilities]: ["json_schema", "vision"]
  }),
  "model_info supports_response_schema": sample(info({ supports_response_schema: false }), {
    [capabilities]: ["tools", "vision"]
  }),
  "model_info supports_vision": sample(info({ supports_vision: false }), { [capabilities]: ["tools", "json_schema"] }),
  "model_info supports_reasoning": sample(info({ supports_reasoning: true }), {
    [capabilities]: ["tools", "json_schema", "vision", "reasoning"]
  }),
  "model_info supports_web_search": sample(info({ supports_web_search: true }), {
    [capabilities]: ["tools", "json_schema", "vision", "web_search"]
  }),
  "model_info supported_environments": sample(
    { model_list: [{ ...models[0], model_info: { supported_environments: ["production"] } }, models[1]] },
    { "deployments.length": 1, [`${first}.group`]: "claude" },
    { LITELLM_ENVIRONMENT: "development" }
  ),
  "model_info disable_background_health_check": sample(
    {
      model_list: [{ ...models[0], model_info: { disable_background_health_check: true } }, models[1]],
      general_settings: { background_health_checks: true }
    },
    { "healthProbes.deployments": ["claude:anthropic/claude-sonnet-4@api.anthropic.com"] }
  ),
  "model_info allowed_fails": sample(info({ allowed_fails: 0 }), { [`${first}.allowedFails`]: 0 }),
  "model_info on_missing_finish": sample(info({ on_missing_finish: "accept" }), {
    [`${first}.onMissingFinish`]: "accept"
  }),
  "model_info cooldown_time": sample(info({ cooldown_time: 30 }), { [`${first}.cooldown`]: 30_000 }),
  "model_info on_malformed_event": sample(info({ on_malformed_event: "skip" }), {
    [`${first}.onMalformedEvent`]: "skip"
  }),
  "model_info blocked": sample(
    { model_list: [{ ...models[0], model_info: { blocked: true } }, models[0], models[1]] },
    {
      "deployments.length": 2
    }
  ),
  "model_info order": sample(info({ order: 3 }), { [`${first}.order`]: 3 }),
  "model_info rpm": sample(info({ rpm: 30 }), { [`${first}.rpm`]: 30 }),
  "model_info tpm": sample(info({ tpm: 4000 }), { [`${first}.tpm`]: 4000 }),

  "router_settings routing_strategy": sample(router({ routing_strategy: "least-busy" }), { strategy: "least-busy" }),
  "router_settings routing_strategy_args": sample(latency({ ttl: 60 }), { "latency.halfLife": 12_000 }),
  "router_settings num_retries": sample(router({ num_retries: 0 }), { "retry.attempts": 1 }),
  "router_settings max_fallbacks": sample(router({ max_fallbacks: 0 }), { "fallback.maxFallbacks": 0 }),
  "router_settings timeout": sample(router({ timeout: 900 }), {
    "timeouts.total": 900_000,
    "timeouts.silence": 900_000,
    "timeouts.streamTotal": undefined,
    "deadline.deadline": 900_000
  }),
  "router_settings stream_timeout": sample(router({ stream_timeout: 12 }), {
    timeouts: { firstToken: 12_000, firstTokenPerThousand: 0, firstTokenReasoning: 12_000, idle: 12_000 }
  }),
  "router_settings allowed_fails": sample(router({ allowed_fails: 3 }), {
    cooldown: { windowFailures: 4, minimumCalls: 1, failures: false, failureRate: false }
  }),
  "router_settings cooldown_time": sample(router({ cooldown_time: 30 }), { "cooldown.duration": 30_000 }),
  "router_settings disable_cooldowns": sample(router({ disable_cooldowns: true, cooldown_time: 3 }), {
    cooldown: false
  }),
  "router_settings retry_policy": sample(
    router({ retry_policy: { RateLimitErrorRetries: 4, TimeoutErrorRetries: 0, NotFoundErrorRetries: 1 } }),
    { "retry.retryPolicy": { RateLimited: 4, QuotaExhausted: 4, Timeout: 0, ModelNotFound: 1 } }
  ),
  "router_settings model_group_retry_policy": sample(
    router({ model_group_retry_policy: { gpt: { InternalServerErrorRetries: 1 } } }),
    { "retry.groups.gpt.retryPolicy": { Unavailable: 1, MalformedResponse: 1 } }
  ),
  "router_settings allowed_fails_policy": sample(
    router({ allowed_fails_policy: { RateLimitErrorAllowedFails: 100, AuthenticationErrorAllowedFails: 0 } }),
    { "cooldown.allowedFails": { RateLimited: 100, Authentication: 0 } }
  ),
  "router_settings fallbacks": chain("general", "fallbacks"),
  "router_settings context_window_fallbacks": chain("contextWindow", "context_window_fallbacks"),
  "router_settings content_policy_fallbacks": chain("contentPolicy", "content_policy_fallbacks"),
  "router_settings default_fallbacks": sample(router({ default_fallbacks: ["claude"] }), {
    "fallback.chains.general.*": ["claude"]
  }),
  "router_settings model_group_alias": sample(
    router({ model_group_alias: { "gpt-4": "gpt", secret: { model: "claude", hidden: true } } }),
    { aliases: { "gpt-4": "gpt", secret: "claude" }, hiddenModels: ["secret"] }
  ),
  "router_settings enable_tag_filtering": sample(router({ enable_tag_filtering: true }), { "requests.tags": "route" }),
  "router_settings tag_filtering_match_any": sample(
    router({ enable_tag_filtering: true, tag_filtering_match_any: false }),
    { "requests.tagMatch": "all" }
  ),
  "router_settings optional_pre_call_checks": sample(
    router({ optional_pre_call_checks: ["router_budget_limiting", "enforce_model_rate_limits"] }),
    { limits: undefined, "deployments.length": 2 }
  ),
  "router_settings default_max_parallel_requests": sample(
    { ...oneModel({}), router_settings: { default_max_parallel_requests: 9 } },
    { [`${first}.maxParallel`]: 9 }
  ),
  "router_settings default_litellm_params": sample(
    { ...oneModel({}), router_settings: { default_litellm_params: { timeout: 9, max_retries: 0, temperature: 0.2 } } },
    { [`${first}.timeout`]: 9000, [`${first}.defaults`]: { temperature: 0.2 } }
  ),
  "router_settings default_priority": sample(router({ default_priority: 5 }), { queue: {}, "requests.priority": 5 }),
  "router_settings polling_interval": sample(router({ polling_interval: 0.03 }), { queue: {} }),
  "router_settings redis_url": sample(router({ redis_url: "redis://cache:6380" }), {
    "redis.url": "redis://cache:6380"
  }),
  "router_settings redis_host": sample(router({ redis_host: "cache" }), { "redis.host": "cache" }),
  "router_settings redis_port": sample(router({ redis_host: "cache", redis_port: "6380" }), { "redis.port": 6380 }),
  "router_settings redis_password": sample(router({ redis_host: "cache", redis_password: "pass-word" }), {
    "redis.password": "pass-word"
  }),
  "router_settings redis_db": sample(router({ redis_host: "cache", redis_db: 2 }), { "redis.database": 2 }),
  "router_settings provider_budget_config": sample(
    router({ provider_budget_config: { openai: { budget_limit: "0.3", time_period: "1d" } } }),
    { "spendLimits.providers.openai": { limit: 0.3, window: 86_400_000 } }
  ),
  "router_settings cache_responses": sample(router({ cache_responses: true }), { cache: {} }),
  "router_settings enable_health_check_routing": sample(
    {
      model_list: models,
      router_settings: { enable_health_check_routing: true },
      general_settings: { background_health_checks: true }
    },
    { healthProbes: { interval: 300_000 } }
  ),

  "routing_strategy_args ttl": sample(latency({ ttl: 3600 }), { "latency.halfLife": 720_000 }),
  "routing_strategy_args lowest_latency_buffer": sample(latency({ lowest_latency_buffer: 0.5 }), {}),
  "routing_strategy_args max_latency_list_size": sample(latency({ max_latency_list_size: 9 }), {
    "latency.alpha": 0.2
  }),

  "litellm_settings num_retries": sample(litellm({ num_retries: 5 }), { "retry.attempts": 6 }),
  "litellm_settings max_fallbacks": sample(litellm({ max_fallbacks: 1 }), { "fallback.maxFallbacks": 1 }),
  "litellm_settings fallbacks": chainOfSettings("general", "fallbacks"),
  "litellm_settings context_window_fallbacks": chainOfSettings("contextWindow", "context_window_fallbacks"),
  "litellm_settings content_policy_fallbacks": chainOfSettings("contentPolicy", "content_policy_fallbacks"),
  "litellm_settings default_fallbacks": sample(litellm({ default_fallbacks: ["claude"] }), {
    "fallback.chains.general.*": ["claude"]
  }),
  "litellm_settings allowed_fails": sample(litellm({ allowed_fails: 0 }), { "cooldown.windowFailures": 1 }),
  "litellm_settings request_timeout": sample(litellm({ request_timeout: 30 }), {
    "timeouts.total": 30_000,
    "timeouts.silence": 30_000,
    deadline: undefined
  }),
  "litellm_settings cache": sample(litellm({ cache: true }), { cache: {} }),
  "litellm_settings cache_params": sample(cacheParams({ ttl: 60 }), { "cache.ttl": 60_000 }),
  "litellm_settings callbacks": sample(litellm({ callbacks: ["prometheus"] }), { metrics: undefined }),
  "litellm_settings success_callback": sample(litellm({ success_callback: ["prometheus"] }), { metrics: undefined }),
  "litellm_settings failure_callback": sample(litellm({ failure_callback: "prometheus" }), { metrics: undefined }),
  "litellm_settings service_callbacks": sample(litellm({ service_callbacks: ["prometheus_system"] }), {
    metrics: undefined
  }),
  "litellm_settings service_callback": sample(litellm({ service_callback: ["prometheus_system"] }), {
    metrics: undefined
  }),
  "litellm_settings ssl_verify": sample(
    { ...oneModel({}), litellm_settings: { ssl_verify: "/etc/ca.pem" } },
    { "deployments[0].tls": { ca: "/etc/ca.pem" } }
  ),
  "litellm_settings model_alias_map": sample(
    { ...oneModel({ model: "smart" }), litellm_settings: { model_alias_map: { smart: "groq/llama", small: "gpt" } } },
    { [`${first}.model`]: "llama", [`${first}.provider`]: "groq", aliases: { small: "gpt" } }
  ),

  "cache_params type": sample(cacheParams({}), { cache: {} }),
  "cache_params ttl": sample(cacheParams({ ttl: "0.5" }), { "cache.ttl": 500 }),
  "cache_params default_in_memory_ttl": sample(cacheParams({ default_in_memory_ttl: 5 }), { "cache.ttl": 5000 }),
  "cache_params mode": sample(cacheParams({ mode: "default_off" }), { "requests.cacheOptIn": true }),

  "general_settings master_key": sample(general({ master_key: "sk-m" }), { masterKey: "sk-m" }),
  "general_settings database_url": sample(general({ database_url: "postgresql://u:p@db/x" }), {
    "ledger.url": "postgresql://u:p@db/x"
  }),
  "general_settings maximum_spend_logs_retention_period": sample(
    general({ maximum_spend_logs_retention_period: "30d" }),
    { "ledger.keep": 2_592_000_000 }
  ),
  "general_settings completion_model": sample(general({ completion_model: "claude" }), { "requests.model": "claude" }),
  "general_settings max_parallel_requests": sample(general({ max_parallel_requests: 3 }), {
    [`${first}.maxParallel`]: 3
  }),
  "general_settings max_request_size_mb": sample(general({ max_request_size_mb: 2, max_file_size_mb: 5 }), {
    "server.maxBodyBytes": 2_097_152,
    "server.maxUpload": 2_097_152
  }),
  "general_settings max_file_size_mb": sample(general({ max_file_size_mb: 0.5 }), { "server.maxUpload": 524_288 }),
  "general_settings global_max_parallel_requests": sample(general({ global_max_parallel_requests: "50" }), {
    "server.maxConcurrent": 50
  }),
  "general_settings disable_retry_on_max_parallel_request_limit_error": sample(
    general({ disable_retry_on_max_parallel_request_limit_error: true }),
    { "retry.retryPolicy.Rejected": 0 }
  ),
  "general_settings background_health_checks": sample(general({ background_health_checks: true }), {
    healthProbes: { interval: 300_000 }
  }),
  "general_settings health_check_interval": sample(
    general({ background_health_checks: true, health_check_interval: 30 }),
    { "healthProbes.interval": 30_000 }
  ),
  "general_settings health_check_concurrency": sample(
    general({ background_health_checks: true, health_check_concurrency: 2 }),
    { "healthProbes.concurrency": 2 }
  ),
  "general_settings enable_health_check_routing": sample(
    general({ background_health_checks: true, enable_health_check_routing: true }),
    { healthProbes: { interval: 300_000 } }
  ),
  "general_settings always_include_stream_usage": sample(general({ always_include_stream_usage: true }), {
    "requests.streamUsage": true
  }),
  "general_settings forward_client_headers_to_llm_api": sample(general({ forward_client_headers_to_llm_api: "True" }), {
    "requests.forwardHeaders": true
  })
}

/** Rows that others show: `include` is done while the file is read, requests are read by the gateway. */
const shownElsewhere = new Set(["file include"])

const name = ({ key, section }: LiteLlmConfig.Key): string => `${section} ${key}`
const inFile = LiteLlmConfig.keys.filter((row) => row.section !== "request" && !shownElsewhere.has(name(row)))

const place: Readonly<Record<string, { readonly tree: (key: string, value: unknown) => Tree; readonly path: string }>> =
  {
    file: { tree: (key, value) => ({ model_list: models, [key]: value }), path: "" },
    model_list: { tree: (key, value) => oneModel({}, { [key]: value }), path: "model_list[0]." },
    litellm_params: { tree: (key, value) => oneModel({ [key]: value }), path: "model_list[0].litellm_params." },
    model_info: { tree: (key, value) => info({ [key]: value }), path: "model_list[0].model_info." },
    router_settings: { tree: (key, value) => router({ [key]: value }), path: "router_settings." },
    litellm_settings: { tree: (key, value) => litellm({ [key]: value }), path: "litellm_settings." },
    cache_params: { tree: (key, value) => cacheParams({ [key]: value }), path: "litellm_settings.cache_params." },
    general_settings: { tree: (key, value) => general({ [key]: value }), path: "general_settings." }
  }

describe("keys of LiteLLM's file", () => {
  it("are listed once each, with a sentence", () => {
    const names = LiteLlmConfig.keys.map(name)
    assert.strictEqual(new Set(names).size, names.length)
    for (const row of LiteLlmConfig.keys) assert.match(row.how, /[^.]\.$/, name(row))
  })

  it("every honoured one has a sample here, and no other has", () => {
    const expected = inFile.filter(({ support }) => support === "honoured").map(name)
    assert.deepStrictEqual(Object.keys(honoured).sort(), expected.sort())
  })

  for (const row of inFile.filter(({ support }) => support === "honoured")) {
    it(`honoured: ${name(row)}`, () => {
      const { env, expected, tree } = honoured[name(row)] ?? sample({}, {})
      const translation = LiteLlmConfig.translate(tree, env)
      assert.deepStrictEqual(problems(translation), [])
      assert.deepStrictEqual(decodeIssues(translation), [])
      for (const [path, value] of Object.entries(expected)) {
        assert.deepStrictEqual(at(translation.settings, path), value, path)
      }
    })
  }

  for (const row of inFile.filter(({ support }) => support === "warned")) {
    it(`warned: ${name(row)}`, () => {
      const where = place[row.section]
      const value = "something"
      const translation = LiteLlmConfig.translate(where?.tree(row.key, value) ?? {})
      const found = translation.findings.filter(({ severity }) => severity !== "note")
      assert.deepStrictEqual(
        found.map(({ message, path, severity }) => ({ message, path, severity })),
        [{ message: clause(row.how), path: `${where?.path}${row.key}`, severity: "warning" }]
      )
      assert.deepStrictEqual(decodeIssues(translation), [])
      assert.notInclude(JSON.stringify(translation.settings), value)
      for (const harmless of [false, null, [], ...row.harmless]) {
        assert.deepStrictEqual(problems(LiteLlmConfig.translate(where?.tree(row.key, harmless) ?? {})), [])
      }
    })
  }

  for (const row of inFile.filter(({ support }) => support === "accepted")) {
    it(`accepted: ${name(row)}`, () => {
      const where = place[row.section]
      const plain = LiteLlmConfig.translate(where?.tree(row.key, null) ?? {})
      const translation = LiteLlmConfig.translate(where?.tree(row.key, true) ?? {})
      assert.deepStrictEqual(translation, plain)
    })
  }
})
