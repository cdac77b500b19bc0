/**
 * What the gateway tells a caller about its request's way, in headers: where the answer came from, and what it took.
 */
import type { Journal, JournalEntry } from "@switchyard/core/Journal"
import type { Headers } from "@switchyard/core/LlmResponse"
import type { Answers } from "../config/GatewayConfig.js"
import type { Caller } from "../keys/KeyRing.js"

/** A header value: headers carry Latin-1 at most, and ids come from configurations in any language. */
export const safe = (value: string): string => (/^[\x20-\x7e]*$/.test(value) ? value : encodeURIComponent(value))

/** Ms of `entries` up to `now` in which at least one attempt was under way. */
export const busyTime = (entries: ReadonlyArray<JournalEntry>, now: number): number => {
  let sum = 0
  let until = Number.NEGATIVE_INFINITY
  for (const { endedAt, startedAt } of entries) {
    const end = endedAt === undefined || endedAt > now ? now : endedAt
    if (end <= until) continue
    sum += end - Math.max(startedAt, until)
    until = end
  }
  return sum
}

/** What callers are told; see `answers` in the configuration. */
export type Shown = Answers

/** What a caller is told: what the file says, else everything with the master key or without keys, a summary with another key. */
export const shownTo = ({ name }: Pick<Caller, "name">, answers: Answers): Shown =>
  answers.routing !== undefined || name === undefined ? answers : { ...answers, routing: "summary" }

/**
 * The headers of an answer: `x-switchyard-deployment`, `-group`, `-attempts`, `-fallback` (its kind), `-cooldowns` (closed
 * deployments that were met on the way), `-cost-usd`, `-cache`, and `-overhead-ms`: the time since `receivedAt` in which no
 * attempt was under way. Times are monotonic ms. A stream's cost is not known when its headers go out. LiteLLM's names stand
 * beside ours for what both know: its SDK reads the cost from there. A summary leaves out the deployment, the kind of the
 * fallback and the cooldowns.
 */
export const make = (
  requestId: string,
  journal: Journal,
  receivedAt: number,
  now: number,
  { routing }: Shown = {}
): Record<string, string | number> => {
  if (routing === "none") return { "x-request-id": requestId }
  const { answered, cache, cost, entries, fallbacks, spent, usedHop } = journal
  const headers: Record<string, string | number> = {
    "x-request-id": requestId,
    "x-litellm-call-id": requestId,
    "x-switchyard-overhead-ms": Math.max(0, now - receivedAt - busyTime(entries, now)).toFixed(2)
  }
  if (cache !== undefined) headers["x-switchyard-cache"] = cache
  if (cost !== undefined) {
    const usd = cost.toFixed(9).replace(/\.?0+$/, "") || "0"
    headers["x-switchyard-cost-usd"] = usd
    headers["x-litellm-response-cost"] = usd
  }
  headers["x-switchyard-attempts"] = spent
  headers["x-litellm-attempted-retries"] = Math.max(0, spent - 1 - fallbacks.length)
  headers["x-litellm-attempted-fallbacks"] = fallbacks.length
  const from = answered ?? journal.last
  if (from !== undefined) headers["x-litellm-model-group"] = headers["x-switchyard-group"] = safe(from.group)
  if (routing === "summary") return headers
  headers["x-switchyard-cooldowns"] = journal.cooldownsMet
  if (from !== undefined) headers["x-litellm-model-id"] = headers["x-switchyard-deployment"] = safe(from.deployment)
  if (usedHop !== undefined) headers["x-switchyard-fallback"] = usedHop.kind
  return headers
}

/** Fields that one header names at most. */
const mostLeftOut = 10

/** Adds the names of fields of the request that were left out: they were not obeyed. */
export const addLeftOut = (headers: Record<string, string | number>, fields: ReadonlyArray<string>): void => {
  const more = fields.length > mostLeftOut ? ", ..." : ""
  headers["x-switchyard-left-out"] = `${fields.slice(0, mostLeftOut).map(safe).join(", ")}${more}`
}

/** Where providers write the id of a request, the first that is there. */
const idHeaders = ["x-request-id", "request-id", "apim-request-id", "x-ms-request-id", "x-amzn-requestid"] as const

const isRateLimit = /^(?:x|anthropic)-ratelimit-[a-z0-9-]+$/

const isPlain = (value: string): boolean => value.length <= 200 && /^[\x20-\x7e]+$/.test(value)

/**
 * Adds what the answering provider says about itself, where callers are told: its request id, under our name and LiteLLM's,
 * and its rate limit headers as they are. A stored answer's are long out of date.
 */
export const addProvider = (
  headers: Record<string, string | number>,
  provider: Headers,
  { cache }: Journal,
  { providerHeaders }: Shown
): Record<string, string | number> => {
  if (providerHeaders !== true || cache === "hit" || cache === "shared") return headers
  const id = idHeaders.map((name) => provider[name]).find((value) => value !== undefined)
  if (id !== undefined && isPlain(id)) {
    headers["x-switchyard-provider-request-id"] = id
    headers["llm_provider-x-request-id"] = id
  }
  for (const name in provider) {
    const value = provider[name]
    if (isRateLimit.test(name) && value !== undefined && isPlain(value)) headers[name] = value
  }
  return headers
}

/** Names of headers that a page of another origin may read, as `Access-Control-Expose-Headers` takes them. */
export const exposed = [
  "x-request-id",
  "request-id",
  "retry-after",
  "retry-after-ms",
  "x-should-retry",
  ...["deployment", "group", "attempts", "fallback", "cooldowns", "cost-usd", "cache", "overhead-ms"].map(
    (name) => `x-switchyard-${name}`
  ),
  "x-switchyard-provider-request-id",
  "x-switchyard-left-out",
  "x-switchyard-count",
  ...["call-id", "response-cost", "model-id", "model-group", "attempted-retries", "attempted-fallbacks"].map(
    (name) => `x-litellm-${name}`
  ),
  ...["limit", "remaining", "reset"].flatMap((what) => ["requests", "tokens"].map((of) => `x-ratelimit-${what}-${of}`))
].join(", ")
