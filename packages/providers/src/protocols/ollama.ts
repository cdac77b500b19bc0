/**
 * Ollama's own API, which takes what its compatible one does not read: `num_ctx`, `keep_alive`, `think`.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { type Address, badBase, baseOf, bearer, type Protocol, type TargetProblem } from "./protocol.js"

const dialect: ReadonlyArray<DialectName> = ["ollama"]

/** What users write of it: the host, `/v1` of the compatible API, `/api`, or a whole path. */
const rootOf = (path: string): string => path.replace(/\/(?:v1|api)(?:\/.*)?$/, "")

const address = (_: Deployment, baseUrl = "http://localhost:11434"): Address | TargetProblem => {
  const base = baseOf(baseUrl)
  if (base === undefined) return badBase
  const root = `${rootOf(base.path)}/api`
  return {
    origin: base.origin,
    path: ({ operation }) =>
      operation === "count" ? undefined : `${root}/${operation === "embeddings" ? "embed" : "chat"}${base.search}`
  }
}

/** Ollama. */
export const ollama: Protocol = {
  name: "ollama",
  dialects: () => dialect,
  address,
  key: bearer,
  framing: ({ operation }) => (operation === "embeddings" ? "sse" : "ndjson")
}
