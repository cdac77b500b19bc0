/**
 * Azure OpenAI: the API of each deployment by `api-version`, and the newer one without versions, which is told the deployment as
 * the model.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { operationPath } from "./openai.js"
import { type Address, type Ask, badBase, baseOf, type Protocol, type TargetProblem, withQueries } from "./protocol.js"

const all: ReadonlyArray<DialectName> = ["chat", "completions", "responses"]
const chats: ReadonlyArray<DialectName> = ["chat", "completions"]
const responses: ReadonlyArray<DialectName> = ["responses"]

const dialects = ({ dialect }: Deployment): ReadonlyArray<DialectName> =>
  dialect === "responses" ? responses : dialect === "chat" ? chats : all

/** Versions of the API whose paths have none. */
const unversioned: ReadonlySet<string> = new Set(["v1", "preview", "latest"])

/** The first version whose API has Responses. */
const firstResponses = "2025-03-01"

const query = (version: string | undefined): string =>
  version === undefined || version === "v1" ? "" : `?api-version=${encodeURIComponent(version)}`

/** What a base URL says beside its host: everything after the resource's own address. */
const resourceOf = (path: string): string => path.replace(/\/openai(?:\/.*)?$/, "").replace(/\/+$/, "")

const stripped = (path: string): string =>
  path.replace(/\/(?:chat\/completions|completions|embeddings|responses|images\/\w+|audio\/\w+)$/, "")

const address = (deployment: Deployment, baseUrl: string | undefined): Address | TargetProblem => {
  if (baseUrl === undefined) {
    return { problem: "Azure needs a base URL, for example https://my-resource.openai.azure.com" }
  }
  const base = baseOf(baseUrl)
  if (base === undefined) return badBase
  const version = deployment.apiVersion ?? new URLSearchParams(base.search).get("api-version") ?? undefined
  const path = stripped(base.path)
  const resource = resourceOf(path)
  const isNew = path.endsWith("/openai/v1") || version === undefined || unversioned.has(version)
  const newApi = `${resource}/openai/v1`
  const newQuery = version !== undefined && unversioned.has(version) ? query(version) : ""
  const named = /\/openai\/deployments\/[^/]+$/.test(path) ? path : undefined
  const responsesPath = (part: string): string =>
    isNew || version === undefined || version < firstResponses
      ? `${newApi}${part}${newQuery}`
      : `${resource}/openai${part}${query(version)}`
  return {
    origin: base.origin,
    at: (below, more) =>
      isNew || version === undefined
        ? withQueries(`${newApi}${below}`, newQuery, more)
        : withQueries(`${resource}/openai${below}`, query(version), more),
    path: (ask: Ask) => {
      const part = operationPath(ask)
      if (part === undefined) return undefined
      if (part.startsWith("/responses")) return responsesPath(part)
      if (named !== undefined) return `${named}${part}${query(version)}`
      if (isNew) return `${newApi}${part}${newQuery}`
      return `${resource}/openai/deployments/${encodeURIComponent(ask.model)}${part}${query(version)}`
    }
  }
}

/** Azure OpenAI. */
export const azure: Protocol = {
  name: "azure",
  dialects,
  address,
  key: (key) => ({ "api-key": key }),
  cloud: "entra"
}
