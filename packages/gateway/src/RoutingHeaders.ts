/**
 * What the gateway tells a caller about its request's way, in headers: where the answer came from, and what it took.
 */
import type { Journal, JournalEntry } from "@switchyard/core/Journal"

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

/**
 * The headers of an answer: `x-switchyard-deployment`, `-group`, `-attempts`, `-fallback` (its kind), `-cooldowns` (closed
 * deployments that were met on the way), `-cost-usd`, `-cache`, and `-overhead-ms`: the time since `receivedAt` in which no
 * attempt was under way. Times are monotonic ms. A stream's cost is not known when its headers go out.
 */
export const make = (
  requestId: string,
  journal: Journal,
  receivedAt: number,
  now: number
): Record<string, string | number> => {
  const { answered, cache, cost, entries, usedHop } = journal
  const headers: Record<string, string | number> = {
    "x-request-id": requestId,
    "x-switchyard-attempts": journal.spent,
    "x-switchyard-cooldowns": journal.cooldownsMet,
    "x-switchyard-overhead-ms": Math.max(0, now - receivedAt - busyTime(entries, now)).toFixed(2)
  }
  const from = answered ?? journal.last
  if (from !== undefined) {
    headers["x-switchyard-deployment"] = safe(from.deployment)
    headers["x-switchyard-group"] = safe(from.group)
  }
  if (usedHop !== undefined) headers["x-switchyard-fallback"] = usedHop.kind
  if (cache !== undefined) headers["x-switchyard-cache"] = cache
  if (cost !== undefined) headers["x-switchyard-cost-usd"] = cost.toFixed(9).replace(/\.?0+$/, "") || "0"
  return headers
}

/** Names of headers that a page of another origin may read, as `Access-Control-Expose-Headers` takes them. */
export const exposed = [
  "x-request-id",
  "retry-after",
  "retry-after-ms",
  "x-should-retry",
  ...["deployment", "group", "attempts", "fallback", "cooldowns", "cost-usd", "cache", "overhead-ms"].map(
    (name) => `x-switchyard-${name}`
  )
].join(", ")
