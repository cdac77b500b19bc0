/**
 * OpenAI's API and those like it: chats, completions and embeddings everywhere, Responses where they are known to be.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import { isMedia } from "@switchyard/core/Operation"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { mediaPaths, rankerOrigin, rankingPath } from "./mediaPaths.js"
import {
  type Address,
  type Ask,
  badBase,
  baseOf,
  bearer,
  type Protocol,
  type TargetProblem,
  unknownBase,
  withQueries
} from "./protocol.js"

/** Hosts that answer at `/responses` too. */
const responders: ReadonlySet<string> = new Set(["api.openai.com", "eu.api.openai.com", "us.api.openai.com"])

const chats: ReadonlyArray<DialectName> = ["chat", "completions"]
const all: ReadonlyArray<DialectName> = ["chat", "completions", "responses"]
const responses: ReadonlyArray<DialectName> = ["responses"]

/** By deployment, since every attempt asks: to take its address apart costs 4 µs. */
const known = new WeakMap<Deployment, boolean>()

const hasResponses = (deployment: Deployment): boolean => {
  const found = known.get(deployment)
  if (found !== undefined) return found
  const { baseUrl, provider } = deployment
  const has = baseUrl === undefined ? provider === "openai" : responders.has(baseOf(baseUrl)?.host ?? "")
  known.set(deployment, has)
  return has
}

const dialects = (deployment: Deployment): ReadonlyArray<DialectName> => {
  if (deployment.dialect === "responses") return responses
  return deployment.dialect === undefined && hasResponses(deployment) ? all : chats
}

/** The path of an operation below a base. */
export const operationPath = ({ dialect, operation }: Ask): string | undefined => {
  if (operation !== "count" && isMedia(operation)) return mediaPaths[operation]
  if (operation === "embeddings") return "/embeddings"
  if (operation === "count") return dialect === "responses" ? "/responses/input_tokens" : undefined
  if (dialect === "responses") return "/responses"
  return dialect === "completions" ? "/completions" : "/chat/completions"
}

const address = (deployment: Deployment, baseUrl: string | undefined): Address | TargetProblem => {
  if (baseUrl === undefined) return unknownBase(deployment)
  const base = baseOf(baseUrl)
  if (base === undefined) return badBase
  const full = (path: string): string => `${base.path}${path}${base.search}`
  const chat = full("/chat/completions")
  const origin = rankerOrigin(deployment, base.host) ?? base.origin
  return {
    origin,
    at: (below, query) => withQueries(`${base.path}${below}`, base.search, query),
    path: (ask) => {
      if (ask.dialect === "chat" && ask.operation === "chat") return chat
      if (ask.operation === "rerank") {
        return `${rankingPath(deployment.provider, base.path, origin, ask.model)}${base.search}`
      }
      const path = operationPath(ask)
      return path === undefined ? undefined : full(path)
    }
  }
}

/** Any API that is compatible with OpenAI's. */
export const openai: Protocol = { name: "openai", dialects, address, key: bearer }

/** The same, asked at its Responses API alone. */
export const responsesApi: Protocol = { name: "responses", dialects: () => responses, address, key: bearer }
