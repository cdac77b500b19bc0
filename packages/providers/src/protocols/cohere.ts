/**
 * Cohere's API, version 2.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { type Address, type Ask, badBase, baseOf, bearer, type Protocol, type TargetProblem } from "./protocol.js"

const paths: { readonly [operation in Ask["operation"]]?: string } = {
  chat: "chat",
  completion: "chat",
  embeddings: "embed",
  rerank: "rerank"
}

const dialect: ReadonlyArray<DialectName> = ["cohere"]

/** What users write of it: the host, a version, the compatible API beside it, or a whole path. */
const rootOf = (path: string): string =>
  `${path.replace(/\/(?:chat|embed|generate|rerank)$/, "").replace(/\/(?:compatibility\/)?v\d+$/, "")}/v2`

const address = (_: Deployment, baseUrl = "https://api.cohere.com"): Address | TargetProblem => {
  const base = baseOf(baseUrl)
  if (base === undefined) return badBase
  const root = rootOf(base.path)
  return {
    origin: base.origin,
    path: ({ operation }) => {
      const part = paths[operation]
      return part === undefined ? undefined : `${root}/${part}${base.search}`
    }
  }
}

/** Cohere. */
export const cohere: Protocol = { name: "cohere", dialects: () => dialect, address, key: bearer }
