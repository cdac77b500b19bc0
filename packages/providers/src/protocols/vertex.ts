/**
 * Vertex AI: Google's own models, Claude, Mistral's, and the open ones behind a compatible endpoint; all below a project's
 * location.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { modelPath, verb, withQuery } from "./gemini.js"
import {
  type Address,
  type Ask,
  badBase,
  baseOf,
  type Env,
  isClaude,
  type Protocol,
  type TargetProblem
} from "./protocol.js"

const googles: ReadonlyArray<DialectName> = ["gemini"]
const messages: ReadonlyArray<DialectName> = ["messages"]
const chat: ReadonlyArray<DialectName> = ["chat"]

const isMistral = (model: string): boolean => /^(?:mistral|ministral|codestral)-/i.test(model)
/** `meta/llama-…`, `deepseek-ai/…`: a publisher's open model. */
const isOpen = (model: string): boolean =>
  /^[\w-]+\/[^/]+$/.test(model) && !/^(?:models|tunedModels|google|anthropic)\//.test(model)

const dialects = (deployment: Deployment, model: string): ReadonlyArray<DialectName> => {
  if (isClaude(deployment, model)) return messages
  return isMistral(model) || isOpen(model) ? chat : googles
}

/** Google's own embedding models that answer in the newer words. */
const isNewEmbedding = (model: string): boolean => /^gemini-embedding-(?!001)/.test(model)

/** The `publishers/…` part of a path, with what is done. */
const publisherPath = (deployment: Deployment, ask: Ask): string => {
  const { dialect, model, operation, stream } = ask
  if (dialect === "messages") {
    const name = encodeURIComponent(model.replace(/^anthropic\//, ""))
    if (operation === "count") return "/publishers/anthropic/models/count-tokens:rawPredict"
    return `/publishers/anthropic/models/${name}:${stream ? "streamRawPredict" : "rawPredict"}`
  }
  if (dialect === "chat" || isClaude(deployment, model)) {
    if (isOpen(model)) return "/endpoints/openapi/chat/completions"
    return `/publishers/mistralai/models/${encodeURIComponent(model)}:${stream ? "streamRawPredict" : "rawPredict"}`
  }
  const own = model.replace(/^google\//, "")
  // A number is an endpoint of one's own.
  if (/^\d+$/.test(own)) return `/endpoints/${own}${verb(ask)}`
  if (operation === "embeddings") {
    return `/publishers/google/${modelPath(own)}${isNewEmbedding(own) ? ":embedContent" : ":predict"}`
  }
  return `/publishers/google/${modelPath(own)}${verb(ask)}`
}

/** Where a location's models are. */
const hostOf = (location: string): string => {
  if (location === "global") return "https://aiplatform.googleapis.com"
  if (location === "us" || location === "eu") return `https://aiplatform.${location}.rep.googleapis.com`
  return `https://${location}-aiplatform.googleapis.com`
}

const locationOf = ({ location, region }: Deployment, env: Env): string =>
  location ??
  (region !== undefined && /^(?:global|us|eu|[a-z]+-[a-z]+\d+)$/.test(region) ? region : undefined) ??
  env.GOOGLE_CLOUD_LOCATION ??
  env.VERTEXAI_LOCATION ??
  env.CLOUD_ML_REGION ??
  "us-central1"

/** The project, where it is said; else the credentials may name it. */
export const projectOf = ({ project }: Deployment, env: Env): string | undefined =>
  project ?? env.GOOGLE_CLOUD_PROJECT ?? env.VERTEXAI_PROJECT ?? env.ANTHROPIC_VERTEX_PROJECT_ID

/** Stands for the project until the credentials have told it. */
export const projectMark = "%PROJECT%"

const address = (deployment: Deployment, baseUrl: string | undefined, env: Env): Address | TargetProblem => {
  const location = locationOf(deployment, env)
  const base = baseOf(baseUrl ?? hostOf(location))
  if (base === undefined) return badBase
  const path = base.path.replace(/\/models(?:\/.*)?$/, "").replace(/\/publishers\/(?:google|anthropic|mistralai)$/, "")
  const isWhole = path !== base.path || /\/(?:projects|locations)\//.test(path)
  const version = /\/v\d\w*(?:\/|$)/.test(path) ? path : `${path}/v1`
  const project = projectOf(deployment, env)
  // With a key and no project it is asked as itself: "express mode".
  const isExpress = project === undefined && deployment.apiKey !== undefined
  const root =
    isWhole || isExpress
      ? version
      : `${version}/projects/${encodeURIComponent(project ?? "") || projectMark}/locations/${location}`
  return {
    origin: base.origin,
    path: (ask) => withQuery(`${root}${publisherPath(deployment, ask)}`, base.search)
  }
}

/** Vertex AI. */
export const vertex: Protocol = {
  name: "vertex",
  dialects,
  address,
  key: (key): Readonly<Record<string, string>> =>
    /^(?:ya29\.|eyJ)/.test(key) ? { authorization: `Bearer ${key}` } : { "x-goog-api-key": key },
  cloud: "google",
  needsAccount: true,
  betas: [
    "compact-",
    "computer-use-",
    "context-1m-",
    "context-management-",
    "effort-",
    "interleaved-thinking-",
    "output-128k-",
    "token-efficient-tools-",
    "tool-search-tool-",
    "web-search-"
  ],
  fit: (body, { dialect, operation }) => {
    if (dialect !== "messages") return
    // Which model, and whether it streams, the path says; a count names the model in its body.
    if (operation !== "count") delete body.model
    body.anthropic_version ??= "vertex-2023-10-16"
    // Of Anthropic's own service: refused here, and no answer is another without them.
    delete body.service_tier
    delete body.speed
  }
}
