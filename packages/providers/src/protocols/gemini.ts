/**
 * Google's Gemini API: the model and what is done with it stand in the path.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { type Address, type Ask, badBase, baseOf, type Protocol, type TargetProblem } from "./protocol.js"

const dialect: ReadonlyArray<DialectName> = ["gemini"]

/** What is done with a model, after its name. */
export const verb = ({ operation, stream }: Ask): string => {
  switch (operation) {
    case "embeddings":
      return ":batchEmbedContents"
    case "count":
      return ":countTokens"
    default:
      return stream ? ":streamGenerateContent?alt=sse" : ":generateContent"
  }
}

/** A model's place below a base: `models/x`, unless it says itself that it is tuned, or in a project. */
export const modelPath = (model: string): string =>
  (/^(?:models|tunedModels|projects)\//.test(model) ? model : `models/${model}`)
    .split("/")
    .map(encodeURIComponent)
    .join("/")

/** A query of the base URL's own behind that of the path. */
export const withQuery = (path: string, search: string): string =>
  search === "" ? path : `${path}${path.includes("?") ? "&" : "?"}${search.slice(1)}`

/** What users write of it: the host, its version, the compatible API beside it, or a whole path. */
const rootOf = (path: string): string => {
  const root = path.replace(/\/(?:models|tunedModels)(?:\/.*)?$/, "").replace(/\/openai$/, "")
  return /\/v\d\w*(?:\/|$)|\/publishers\/google$/.test(root) ? root : `${root}/v1beta`
}

const address = (
  _: Deployment,
  baseUrl = "https://generativelanguage.googleapis.com/v1beta"
): Address | TargetProblem => {
  const base = baseOf(baseUrl)
  if (base === undefined) return badBase
  const root = rootOf(base.path)
  return {
    origin: base.origin,
    path: (ask) => withQuery(`${root}/${modelPath(ask.model)}${verb(ask)}`, base.search)
  }
}

/** Gemini. */
export const gemini: Protocol = {
  name: "gemini",
  dialects: () => dialect,
  address,
  // OAuth tokens of Google begin so.
  key: (key): Readonly<Record<string, string>> =>
    key.startsWith("ya29.") ? { authorization: `Bearer ${key}` } : { "x-goog-api-key": key }
}
