/**
 * Cohere's API, version 2.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { type Address, badBase, baseOf, bearer, type Protocol, type TargetProblem } from "./protocol.js"

const dialect: ReadonlyArray<DialectName> = ["cohere"]

/** What users write of it: the host, a version, the compatible API beside it, or a whole path. */
const rootOf = (path: string): string =>
  `${path.replace(/\/(?:chat|embed|generate)$/, "").replace(/\/(?:compatibility\/)?v\d+$/, "")}/v2`

const address = (_: Deployment, baseUrl = "https://api.cohere.com"): Address | TargetProblem => {
  const base = baseOf(baseUrl)
  if (base === undefined) return badBase
  const root = rootOf(base.path)
  return {
    origin: base.origin,
    path: ({ operation }) =>
      operation === "count" ? undefined : `${root}/${operation === "embeddings" ? "embed" : "chat"}${base.search}`
  }
}

/** Cohere. */
export const cohere: Protocol = { name: "cohere", dialects: () => dialect, address, key: bearer }
