/**
 * Anthropic's Messages API, at Anthropic and wherever others offer it.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { DialectName } from "@switchyard/dialects/Conversation"
import { type Address, badBase, baseOf, type Protocol, type TargetProblem } from "./protocol.js"

const messages: ReadonlyArray<DialectName> = ["messages"]

/** What users write of it: the host, `/v1`, `/anthropic`, or the whole of `/v1/messages`. */
const rootOf = (path: string): string => {
  const root = path.replace(/\/messages(?:\/count_tokens)?$/, "")
  return /\/v\d+$/.test(root) ? root : `${root}/v1`
}

const address = (_: Deployment, baseUrl = "https://api.anthropic.com"): Address | TargetProblem => {
  const base = baseOf(baseUrl)
  if (base === undefined) return badBase
  const path = `${rootOf(base.path)}/messages`
  return {
    origin: base.origin,
    path: ({ operation }) => {
      if (operation === "embeddings") return undefined
      return `${path}${operation === "count" ? "/count_tokens" : ""}${base.search}`
    }
  }
}

/** An OAuth token is no key, and is shown as one. */
const key = (text: string): Readonly<Record<string, string>> =>
  text.startsWith("sk-ant-oat") ? { authorization: `Bearer ${text}` } : { "x-api-key": text }

/** Anthropic. */
export const anthropic: Protocol = {
  name: "anthropic",
  dialects: () => messages,
  address,
  key,
  headers: ({ apiVersion }) => ({ "anthropic-version": apiVersion ?? "2023-06-01" })
}
