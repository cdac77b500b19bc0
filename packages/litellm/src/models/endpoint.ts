import * as KnownProviders from "@switchyard/providers/KnownProviders"
import { isText } from "../values.js"
import { compatibleBase, isAnthropicOnAzure } from "./dialects.js"

/** The environment, as far as keys and base URLs are looked up in it. */
export type Env = Readonly<Record<string, string | undefined>>

/** What is given about where a deployment is. */
export interface Place {
  readonly provider: string
  readonly model: string
  readonly apiBase: string | undefined
  readonly apiKey: string | undefined
  readonly apiVersion: string | undefined
  /** Azure: sent as bearer token in place of the key. */
  readonly bearer: string | undefined
  /** Only the Responses API serves the model. */
  readonly isResponses: boolean
  /** There is a cloud account that asks. */
  readonly hasAccount: boolean
  /** watsonx: what shows who asks, in place of a key. */
  readonly authorization?: string | undefined
  /** OCI's region, where the deployment says it. */
  readonly ociRegion?: string | undefined
  /** Snowflake's account, where the deployment says it. */
  readonly snowflakeAccount?: string | undefined
  /** OCI: an account signs requests. */
  readonly isSigned?: boolean
}

/** Where a deployment is asked, and with which credential. */
export interface Endpoint {
  readonly model: string
  /** As `deployment.protocol` names it. */
  readonly protocol: string
  readonly dialect: "responses" | "converse" | undefined
  /** Undefined where the provider's place is known by other settings. */
  readonly baseUrl: string | undefined
  readonly apiKey: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** Variables of the environment that would have held the key; empty where there is one, or none is needed. */
  readonly missingKey: ReadonlyArray<string>
  /** An AWS region that stands in the model's name. */
  readonly location?: string | undefined
}

/** Why nobody can be asked; `dialect` where it is for want of the provider's own one. */
export interface Unreachable {
  readonly sentence: string
  readonly dialect: boolean
}

const unreachable = (sentence: string): Unreachable => ({ sentence, dialect: false })

const unspoken = (known: KnownProviders.KnownProvider): Unreachable => ({
  sentence: KnownProviders.whyUnspoken(known) ?? "",
  dialect: known.unspoken?.kind === "dialect"
})

const newApi: ReadonlySet<string> = new Set(["v1", "preview", "latest"])

/** Azure's `api-version` where nobody says one: that of LiteLLM. */
const liteLlmVersion = "2025-02-01-preview"

const withVersion = (url: string, version: string | undefined): string =>
  version === undefined ? url : `${url}?api-version=${encodeURIComponent(version)}`

/** One deployment's own path, or the API without one, which is told the deployment as the model. */
const azureUrl = (base: string, { model }: Place, version: string): string => {
  if (base.endsWith("/openai/v1")) return base
  if (base.includes("/openai/")) return withVersion(base, version)
  if (newApi.has(version) || model.includes("*")) {
    return withVersion(`${base}/openai/v1`, version === "v1" || !newApi.has(version) ? undefined : version)
  }
  return withVersion(`${base}/openai/deployments/${encodeURIComponent(model)}`, version)
}

/** LiteLLM's own routes to families of models: the deployment's name comes after them. */
const azureRoutes = /^(o_series|gpt5_series)\//

const noAzureBase = unreachable("Azure's `api_base` is missing: only you know your resource's address.")

const azure = (given: Place, env: Env): Endpoint | Unreachable => {
  const base = given.apiBase ?? env.AZURE_API_BASE
  if (!isText(base)) return noAzureBase
  return azureAt({ ...given, model: given.model.replace(azureRoutes, "") }, base, env)
}

const azureAt = (place: Place, given: string, env: Env): Endpoint => {
  const [address = "", query] = given.split("?")
  const inUrl = new URLSearchParams(query).get("api-version") ?? undefined
  const version = place.apiVersion ?? inUrl ?? env.AZURE_API_VERSION ?? liteLlmVersion
  const base = KnownProviders.completeBaseUrl(address, undefined)
  const key = place.apiKey ?? env.AZURE_API_KEY
  const headers = place.bearer === undefined && isText(key) && !place.hasAccount ? { "api-key": key } : undefined
  const baseUrl = azureUrl(base, place, version)
  const isPlain = /\/openai\/(?:v1|deployments\/[^/]+)(?:\?|$)/.test(baseUrl)
  return {
    model: place.model,
    protocol: isPlain || place.isResponses ? "azure" : "openai",
    dialect: place.isResponses ? "responses" : undefined,
    baseUrl,
    apiKey: undefined,
    headers: headers ?? (place.bearer === undefined ? {} : { authorization: `Bearer ${place.bearer}` }),
    missingKey: place.bearer === undefined && headers === undefined && !place.hasAccount ? ["AZURE_API_KEY"] : []
  }
}

/** Claude at Azure AI Foundry, in Anthropic's dialect below `/anthropic`. */
const foundryClaude = (place: Place, given: string, env: Env): Endpoint => {
  const base = given.split("?")[0]?.replace(/\/+$/, "") ?? given
  const key = place.apiKey ?? env.AZURE_AI_API_KEY ?? env.AZURE_API_KEY
  const hasKey = isText(key) && !place.hasAccount
  return {
    model: place.model,
    protocol: "anthropic",
    dialect: undefined,
    baseUrl:
      /\/anthropic(\/|$)/.test(base) || !base.includes(".azure.com")
        ? base
        : `${base.replace(/\/models$/, "")}/anthropic`,
    apiKey: hasKey ? key : undefined,
    headers: place.bearer === undefined ? {} : { authorization: `Bearer ${place.bearer}` },
    missingKey: hasKey || place.bearer !== undefined || place.hasAccount ? [] : ["AZURE_AI_API_KEY"]
  }
}

/** Azure AI Foundry: its inference API below `/models`, or a serverless endpoint of its own. */
const azureAi = (place: Place, env: Env): Endpoint | Unreachable => {
  const given = place.apiBase ?? env.AZURE_AI_API_BASE
  if (!isText(given)) return noAzureBase
  if (isAnthropicOnAzure(place.model, given)) return foundryClaude(place, given, env)
  const [address = "", query] = given.split("?")
  const inUrl = new URLSearchParams(query).get("api-version") ?? undefined
  const base = KnownProviders.completeBaseUrl(address, undefined)
  const isFoundry = base.includes(".services.ai.azure.com")
  const hasPath = URL.canParse(base) && new URL(base).pathname !== "/"
  const url = hasPath ? base : isFoundry ? `${base}/models` : `${base}/v1`
  const key = place.apiKey ?? env.AZURE_AI_API_KEY
  const hasKey = isText(key)
  return {
    model: place.model,
    protocol: place.isResponses ? "responses" : "openai",
    dialect: undefined,
    baseUrl: withVersion(url, isFoundry ? (place.apiVersion ?? inUrl ?? "2024-05-01-preview") : inUrl),
    apiKey: hasKey && !isFoundry ? key : undefined,
    headers: hasKey && isFoundry ? { "api-key": key } : {},
    missingKey: hasKey ? [] : ["AZURE_AI_API_KEY"]
  }
}

/** Hugging Face's own route to one provider, `provider/organisation/model`, as its router takes it. */
const huggingFaceModel = (model: string): string => {
  const [provider = "", organisation, ...rest] = model.split("/")
  return organisation === undefined || rest.length === 0 ? model : `${organisation}/${rest.join("/")}:${provider}`
}

/** Hugging Face: a dedicated endpoint, whose API is below `/v1`, or the router to all providers. */
const huggingFace = (place: Place, env: Env): Endpoint | Unreachable => {
  const variables = KnownProviders.find(place.provider)?.baseVariables ?? []
  const inModel = /^https?:\/\//.test(place.model) ? place.model : undefined
  const base = place.apiBase ?? inModel ?? KnownProviders.firstSet(variables, env)
  if (base === undefined) return ordinary({ ...place, model: huggingFaceModel(place.model) }, env, undefined)
  const plain = KnownProviders.completeBaseUrl(base, undefined)
  const model = inModel === undefined ? place.model : "tgi"
  return ordinary({ ...place, apiBase: base, model }, env, /\/v\d+$/.test(plain) ? plain : `${plain}/v1`)
}

const placeless = (known: KnownProviders.KnownProvider | undefined, provider: string, env: Env): Unreachable => {
  const needed = known === undefined ? [] : KnownProviders.neededBy(known, env)
  const place = needed.length === 0 ? "" : `${needed.join(" and ")} in the environment, or `
  return unreachable(`The provider ${provider} needs ${place}an \`api_base\`: only you know the address.`)
}

const ordinary = (place: Place, env: Env, given: string | undefined): Endpoint | Unreachable => {
  const { apiBase, apiKey, model, provider } = place
  const known = KnownProviders.find(provider)
  const baseUrl = given ?? KnownProviders.baseUrlOf(known, env)
  if (baseUrl === undefined) return placeless(known, provider, env)
  const key = apiKey ?? KnownProviders.firstSet(known?.keyVariables ?? [], env)
  const isBare = !model.includes("/") && !model.includes("*") && !model.includes("#")
  return {
    model: isBare && apiBase === undefined ? (known?.modelPrefix ?? "") + model : model,
    protocol: place.isResponses ? "responses" : "openai",
    dialect: undefined,
    baseUrl,
    apiKey: key,
    headers: {},
    missingKey: key === undefined && apiBase === undefined ? (known?.keyVariables ?? []) : []
  }
}

/** OCI: by a key of its service for models in OpenAI's words, or signed by an account in its own. */
const oci = (place: Place, env: Env): Endpoint | Unreachable => {
  const known = KnownProviders.find(place.provider)
  const base = place.apiBase ?? KnownProviders.firstSet(known?.baseVariables ?? [], env)
  const key = place.apiKey ?? KnownProviders.firstSet(known?.keyVariables ?? [], env)
  if (place.isSigned === true && key === undefined) {
    const { model } = place
    return { model, protocol: "oci", dialect: undefined, baseUrl: base, apiKey: undefined, headers: {}, missingKey: [] }
  }
  const there = place.ociRegion === undefined ? env : { ...env, OCI_REGION: place.ociRegion }
  return ordinary(place, there, base === undefined ? undefined : KnownProviders.completeBaseUrl(base, known))
}

/** LiteLLM's own routes to one of Bedrock's APIs, and a region, before the model's id. */
const bedrockRoutes = /^(?:(converse|converse_like|invoke)\/)?(?:([a-z]{2}(?:-[a-z]+)+-\d)\/)?/

/** Ids of models have no slash, and ARNs begin with their word: what stands before one is a route of LiteLLM's that nobody takes here. */
const otherBedrockRoute = /^(?!arn:)([^/*]+)\//

/** Those whose account the machine's own tools may know. */
const byAccount: ReadonlySet<string> = new Set(["bedrock", "sagemaker", "vertex"])

/** A provider at an API of its own, wherever its base URL is. */
const native = (place: Place, env: Env, protocol: string, given: string | undefined): Endpoint | Unreachable => {
  const known = KnownProviders.find(place.provider)
  const keys = known?.keyVariables ?? []
  // Whoever names an account means it, though a key may lie in the environment.
  const isShown = place.hasAccount || place.authorization !== undefined
  const key = place.apiKey ?? (isShown ? undefined : KnownProviders.firstSet(keys, env))
  const [route = "", api, location] = protocol === "bedrock" ? (bedrockRoutes.exec(place.model) ?? []) : []
  const [, other] = protocol === "bedrock" ? (otherBedrockRoute.exec(place.model.slice(route.length)) ?? []) : []
  if (other !== undefined) return unreachable(`LiteLLM's route ${other}/ to Bedrock is not taken here.`)
  const isByAccount = byAccount.has(protocol)
  const there = place.snowflakeAccount === undefined ? env : { ...env, SNOWFLAKE_ACCOUNT_ID: place.snowflakeAccount }
  const baseUrl = given ?? KnownProviders.baseUrlOf(known, there)
  if (known?.template !== undefined && baseUrl === undefined) return placeless(known, place.provider, env)
  return {
    model: place.model.slice(route.length),
    protocol,
    dialect: api?.startsWith("converse") === true || place.provider === "bedrock_converse" ? "converse" : undefined,
    baseUrl,
    apiKey: place.authorization === undefined ? key : undefined,
    headers: place.authorization === undefined ? {} : { authorization: place.authorization },
    missingKey: key === undefined && place.apiBase === undefined && !isByAccount && !isShown ? keys : [],
    location
  }
}

/** Works out where a deployment is asked, or why nobody can tell. */
export const endpointOf = (given: Place, env: Env): Endpoint | Unreachable => {
  const place = { ...given, model: given.model.replace(/^responses\//, "") }
  const { apiBase, provider } = place
  if (provider === "azure" || provider === "azure_text") return azure(place, env)
  if (provider === "azure_ai") return azureAi(place, env)
  if (provider === "huggingface") return huggingFace(place, env)
  if (provider === "oci") return oci(place, env)
  const known = KnownProviders.find(provider)
  const base = apiBase ?? KnownProviders.firstSet(known?.baseVariables ?? [], env)
  if (known !== undefined && known.protocol !== "openai") {
    // Snowflake's own API knows its compatible paths itself.
    const compatible =
      base === undefined || provider.startsWith("snowflake") ? undefined : compatibleBase(provider, base)
    return compatible === undefined ? native(place, env, known.protocol, base) : ordinary(place, env, compatible)
  }
  if (known?.unspoken !== undefined) {
    if (base === undefined && KnownProviders.isSpoken(known)) return ordinary(place, env, undefined)
    const compatible = base === undefined ? undefined : compatibleBase(provider, base)
    return compatible === undefined ? unspoken(known) : ordinary(place, env, compatible)
  }
  return ordinary(place, env, base === undefined ? undefined : KnownProviders.completeBaseUrl(base, known))
}
