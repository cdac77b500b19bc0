import * as KnownProviders from "@switchyard/providers/KnownProviders"
import { isText } from "./values.js"

/** The environment, as far as keys and base URLs are looked up in it. */
export type Env = Readonly<Record<string, string | undefined>>

/** Providers of LiteLLM's that speak a dialect of their own, or none at an address that is known. */
const foreign: ReadonlySet<string> = new Set([
  "ai21",
  "aiohttp_openai",
  "aleph_alpha",
  "assemblyai",
  "auto_router",
  "baseten_legacy",
  "bedrock",
  "bedrock_converse",
  "bytez",
  "clarifai",
  "cloudflare",
  "deepgram",
  "elevenlabs",
  "github_copilot",
  "infinity",
  "langgraph",
  "maritalk",
  "nlp_cloud",
  "oci",
  "oobabooga",
  "palm",
  "petals",
  "predibase",
  "replicate",
  "runwayml",
  "sagemaker",
  "sagemaker_chat",
  "sap",
  "snowflake",
  "topaz",
  "triton",
  "vertex_ai",
  "vertex_ai_beta",
  "watsonx",
  "watsonx_text"
])

const azures: ReadonlySet<string> = new Set(["azure", "azure_text", "azure_ai"])

/** Every name that may stand before the slash. */
export const prefixes: ReadonlyArray<string> = [
  ...KnownProviders.providers.map(({ name }) => name),
  ...azures,
  ...foreign
]

const isPrefix = (name: string): boolean =>
  KnownProviders.find(name) !== undefined || azures.has(name) || foreign.has(name)

const byName: ReadonlyArray<readonly [provider: string, pattern: RegExp]> = [
  ["openai", /^(gpt-|chatgpt-|o[134](-|$)|text-embedding-|babbage-|davinci-|ft:gpt-|\*$)/],
  ["anthropic", /^claude-/],
  ["vertex_ai", /^gemini-/],
  ["cohere", /^command/]
]

/** What `provider/model` says. */
export interface ModelName {
  /** Undefined when nobody can tell. */
  readonly provider: string | undefined
  /** What the provider calls it. */
  readonly model: string
}

/** Splits `provider/model`; a model without a provider tells it by its name, or by a base URL that is given. */
export const splitModel = (model: string, named: string | undefined, hasBase: boolean): ModelName => {
  const slash = model.indexOf("/")
  const prefix = slash === -1 ? "" : model.slice(0, slash)
  const rest = model.slice(slash + 1)
  if (named !== undefined) return { provider: named, model: prefix === named ? rest : model }
  if (slash !== -1 && isPrefix(prefix)) return { provider: prefix, model: rest }
  const guessed = slash === -1 ? byName.find(([, pattern]) => pattern.test(model))?.[0] : undefined
  return { provider: guessed ?? (hasBase ? "openai" : undefined), model }
}

/** What is given about where a deployment is. */
export interface Place {
  readonly provider: string
  readonly model: string
  readonly apiBase: string | undefined
  readonly apiKey: string | undefined
  readonly apiVersion: string | undefined
  /** Azure: sent as bearer token in place of the key. */
  readonly bearer: string | undefined
}

/** Where a deployment is asked, and with which credential. */
export interface Endpoint {
  readonly model: string
  readonly baseUrl: string
  readonly apiKey: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** Variables of the environment that would have held the key; empty where there is one, or none is needed. */
  readonly missingKey: ReadonlyArray<string>
  /** Reached at an OpenAI-compatible API beside its own. */
  readonly isForeign: boolean
}

const newApi: ReadonlySet<string> = new Set(["v1", "preview", "latest"])

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

const azure = (place: Place, env: Env): Endpoint | string => {
  const given = place.apiBase ?? env.AZURE_API_BASE
  if (!isText(given)) return "Azure's `api_base` is missing: only you know your resource's address."
  const [address = "", query] = given.split("?")
  const inUrl = new URLSearchParams(query).get("api-version") ?? undefined
  const version = place.apiVersion ?? inUrl ?? env.AZURE_API_VERSION ?? "2024-10-21"
  const base = KnownProviders.completeBaseUrl(address, undefined)
  const key = place.apiKey ?? env.AZURE_API_KEY
  const headers = place.bearer === undefined && isText(key) ? { "api-key": key } : undefined
  return {
    model: place.model,
    baseUrl: azureUrl(base, place, version),
    apiKey: place.bearer,
    headers: headers ?? {},
    missingKey: place.bearer === undefined && headers === undefined ? ["AZURE_API_KEY"] : [],
    isForeign: false
  }
}

/** Azure AI Foundry: its inference API below `/models`, or a serverless endpoint of its own. */
const azureAi = (place: Place, env: Env): Endpoint | string => {
  const given = place.apiBase ?? env.AZURE_AI_API_BASE
  if (!isText(given)) return "Azure's `api_base` is missing: only you know your resource's address."
  const base = KnownProviders.completeBaseUrl(given, undefined)
  const isFoundry = base.includes(".services.ai.azure.com")
  const hasPath = URL.canParse(base) && new URL(base).pathname !== "/"
  const url = hasPath ? base : isFoundry ? `${base}/models` : `${base}/v1`
  const key = place.apiKey ?? env.AZURE_AI_API_KEY
  const hasKey = isText(key)
  return {
    model: place.model,
    baseUrl: isFoundry ? withVersion(url, place.apiVersion ?? "2024-05-01-preview") : url,
    apiKey: hasKey && !isFoundry ? key : undefined,
    headers: hasKey && isFoundry ? { "api-key": key } : {},
    missingKey: hasKey ? [] : ["AZURE_AI_API_KEY"],
    isForeign: false
  }
}

/** Works out where a deployment is asked; a sentence when nobody can. */
export const endpointOf = (place: Place, env: Env): Endpoint | string => {
  const { apiBase, apiKey, model, provider } = place
  if (provider === "azure" || provider === "azure_text") return azure(place, env)
  if (provider === "azure_ai") return azureAi(place, env)
  const known = KnownProviders.find(provider)
  const given = apiBase ?? KnownProviders.firstSet(known?.baseVariables ?? [], env)
  const baseUrl = given === undefined ? known?.baseUrl : KnownProviders.completeBaseUrl(given, known)
  if (baseUrl === undefined) {
    return known === undefined
      ? `The provider ${provider} speaks no OpenAI dialect at an address that is known; set \`api_base\` to one that does.`
      : `The provider ${provider} needs an \`api_base\`: only you know the address.`
  }
  const key = apiKey ?? KnownProviders.firstSet(known?.keyVariables ?? [], env)
  const isBare = !model.includes("/") && !model.includes("*") && !model.includes("#")
  return {
    model: isBare && apiBase === undefined ? (known?.modelPrefix ?? "") + model : model,
    baseUrl,
    apiKey: key,
    headers: {},
    missingKey: key === undefined && apiBase === undefined ? (known?.keyVariables ?? []) : [],
    isForeign: known?.isForeign === true && given === undefined
  }
}
