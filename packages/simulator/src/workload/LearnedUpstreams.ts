/**
 * Upstreams as a gateway's log or a ledger's export shows them: how fast each deployment was, and how often it failed. What a
 * file does not tell, as slots or limits, is left open.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { UpstreamModel } from "../upstream/UpstreamModel.js"
import { rowsOf } from "./rows.js"

/** Requests of a deployment below which nothing is said of it. */
const fewest = 20

interface Seen {
  readonly first: Array<number>
  readonly speed: Array<number>
  readonly statuses: Map<string, number>
  count: number
}

const levels = [0, 10, 25, 50, 75, 90, 95, 99, 100]

const quantiles = (values: Array<number>): { readonly quantiles: Record<string, number> } => {
  values.sort((a, b) => a - b)
  const at = (level: number): number =>
    values[Math.min(values.length - 1, Math.floor((level / 100) * values.length))] ?? 1
  return { quantiles: Object.fromEntries(levels.map((level) => [`p${level}`, Math.max(0.001, at(level))])) }
}

const numberOf = (value: unknown): number => (value === undefined || value === "" ? Number.NaN : Number(value))

const note = (seen: Seen, fields: JsonObject): void => {
  seen.count++
  const { cache, cache_hit, latency_ms, outcome, output_tokens, reasoning_tokens, status, ttft_ms, upstream_status } =
    fields
  if (cache === "hit" || cache_hit === true || cache_hit === "true") return
  if (outcome === "failure") {
    const told = String(upstream_status ?? status ?? "")
    if (/^[45]\d\d$/.test(told)) seen.statuses.set(told, (seen.statuses.get(told) ?? 0) + 1)
    return
  }
  // Of requests with several attempts the times are of all of them.
  if (outcome !== "success" || numberOf(fields.attempts ?? 1) > 1) return
  const first = numberOf(ttft_ms)
  const writing = numberOf(latency_ms) - first
  const tokens = numberOf(output_tokens) + (numberOf(reasoning_tokens) || 0)
  if (!(first > 0)) return
  seen.first.push(first)
  if (writing > 0 && tokens > 1) seen.speed.push((tokens * 1000) / writing)
}

/** The upstreams that a log tells enough of, by the ids of their deployments. */
export const learn = (text: string): Readonly<Record<string, UpstreamModel>> => {
  const all = new Map<string, Seen>()
  for (const { fields } of rowsOf(text)) {
    if (!isJsonObject(fields) || fields.latency_ms === undefined) continue
    const { deployment } = fields
    if (typeof deployment !== "string" || deployment === "") continue
    const seen = all.get(deployment) ?? { first: [], speed: [], statuses: new Map(), count: 0 }
    all.set(deployment, seen)
    note(seen, fields)
  }
  return Object.fromEntries(
    [...all].flatMap(([id, { count, first, speed, statuses }]): ReadonlyArray<readonly [string, UpstreamModel]> => {
      if (first.length < fewest) return []
      const errors = Object.fromEntries([...statuses].map(([status, times]) => [status, times / count]))
      return [
        [
          id,
          {
            firstToken: quantiles(first),
            ...(speed.length < fewest ? {} : { tokensPerSecond: quantiles(speed) }),
            errors
          }
        ]
      ]
    })
  )
}
