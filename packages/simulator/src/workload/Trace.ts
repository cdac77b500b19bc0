/**
 * A workload that was: requests as they came, one a line. Read are CSV and JSON lines, in the columns of the public Azure LLM
 * inference traces, of the gateway's request log, and of the ledger's export; and any that say `time`, `model`, `inputTokens`
 * and `outputTokens`.
 */
import { ConfigError, type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import type { JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import { rowsOf } from "./rows.js"

/** One request of a trace. */
export interface TraceEntry {
  /** Ms since the first. */
  readonly at: number
  /** Undefined where the trace does not say. */
  readonly model: string | undefined
  readonly inputTokens: number
  readonly outputTokens: number
  readonly stream: boolean
  readonly session: string | undefined
}

/** How a trace is read. */
export interface TraceOptions {
  /** What it is called in problems. */
  readonly name?: string
  /** A longer time without any request is a hole, in ms. Default one hour. */
  readonly longestHole?: number
}

const names = {
  time: ["time", "TIMESTAMP", "timestamp", "at", "startedAt", "ts", "started_at", "date"],
  model: ["model", "requestedModel", "requested_model", "group", "requestedGroup"],
  input: ["inputTokens", "ContextTokens", "input_tokens", "prompt_tokens", "promptTokens"],
  output: ["outputTokens", "GeneratedTokens", "output_tokens", "completion_tokens", "completionTokens"],
  stream: ["stream", "streamed"],
  session: ["session", "sessionKey", "session_id"]
} as const

/** Problems that are told one by one; of more only their number. */
const mostIssues = 20

const found = (fields: JsonObject, keys: ReadonlyArray<string>): unknown => {
  for (const key of keys)
    if (fields[key] !== undefined && fields[key] !== null && fields[key] !== "") return fields[key]
  return undefined
}

/** Tokens of the whole prompt: a ledger tells those of the cache apart. */
const promptTokens = (fields: JsonObject): unknown => {
  const input = found(fields, names.input)
  const cached = [fields.cache_read_tokens, fields.cache_write_tokens].map((value) => countOf(value) ?? 0)
  return fields.cache_read_tokens === undefined ? input : (countOf(input) ?? 0) + (cached[0] ?? 0) + (cached[1] ?? 0)
}

/** Tokens of the whole answer: a ledger tells those of reasoning apart. */
const answerTokens = (fields: JsonObject): unknown => {
  const output = found(fields, names.output)
  return fields.cache_read_tokens === undefined
    ? output
    : (countOf(output) ?? 0) + (countOf(fields.reasoning_tokens) ?? 0)
}

/** Whether a line is one of our own: of a gateway's log, which tells when a request ended, or of a ledger's export. */
const isOurs = (fields: JsonObject): boolean => fields.latency_ms !== undefined

/** A request that was refused, or whose use nobody told, has reached nobody. */
const isUntold = (fields: JsonObject): boolean =>
  isOurs(fields) && (found(fields, names.input) === undefined || fields.outcome === "refused")

/** Lines of a log that tell of something else. */
const isOther = (fields: JsonObject): boolean => typeof fields.event === "string" && fields.event !== "request"

/** Wall time in ms: ISO, `2023-11-16 18:15:46.6805900`, seconds or milliseconds. */
const timeOf = (value: unknown): number | undefined => {
  const number =
    typeof value === "number"
      ? value
      : typeof value === "string" && /^\d+(\.\d+)?$/.test(value)
        ? Number(value)
        : undefined
  if (number !== undefined) return number >= 1e11 ? number : number * 1000
  if (typeof value !== "string") return undefined
  const iso = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(\.\d+)?(Z|[+-]\d{2}:?\d{2})?$/.exec(value.trim())
  if (iso === null) return undefined
  const [, day, clock, fraction = "", zone = "Z"] = iso
  const whole = Date.parse(`${day}T${clock}${zone}`)
  return Number.isNaN(whole) ? undefined : whole + Number(`0${fraction || ".0"}`) * 1000
}

const countOf = (value: unknown): number | undefined => {
  const number = typeof value === "number" ? value : typeof value === "string" ? Number(value) : Number.NaN
  return Number.isInteger(number) && number >= 0 && number <= 1e8 ? number : undefined
}

/** Reads a trace; fails with everything that is wrong with it, by lines. */
export const parse = (
  text: string,
  { longestHole = 3_600_000, name = "trace" }: TraceOptions = {}
): Either.Either<ReadonlyArray<TraceEntry>, ConfigError> => {
  const issues: Array<ConfigIssue> = []
  const entries: Array<TraceEntry> = []
  let start = Number.POSITIVE_INFINITY
  let last = Number.NEGATIVE_INFINITY
  for (const { fields, line, text: content } of rowsOf(text)) {
    const path = `${name}:${line}`
    if (fields !== undefined && (isOther(fields) || isUntold(fields))) continue
    if (fields === undefined) {
      issues.push(issue(path, content, "a JSON object, or as many cells as there are columns"))
      continue
    }
    const time = found(fields, names.time)
    const told = timeOf(time)
    // A log's line is written when the request is over.
    const at = told === undefined || fields.event !== "request" ? told : told - (Number(fields.latency_ms) || 0)
    const input = promptTokens(fields)
    const output = answerTokens(fields)
    const inputTokens = countOf(input)
    const outputTokens = countOf(output ?? 0)
    if (at === undefined) issues.push(issue(`${path}.time`, time, "a time: ISO, or seconds or ms as a number"))
    else {
      // Ours are in the order of their ends, or the newest first.
      if (isOurs(fields)) last = at
      if (at < last) issues.push(issue(`${path}.time`, time, "a time that is not before that of the line above"))
      else if (at - last > longestHole && last !== Number.NEGATIVE_INFINITY) {
        issues.push(
          issue(
            `${path}.time`,
            time,
            `at most ${longestHole / 1000} seconds after the line above: the trace has a hole`
          )
        )
      }
      last = Math.max(last, at)
    }
    if (inputTokens === undefined) issues.push(issue(`${path}.inputTokens`, input, "a whole number of tokens"))
    if (outputTokens === undefined) issues.push(issue(`${path}.outputTokens`, output, "a whole number of tokens"))
    if (at === undefined || inputTokens === undefined || outputTokens === undefined) continue
    start = Math.min(start, at)
    const model = found(fields, names.model)
    const session = found(fields, names.session)
    entries.push({
      at,
      model: typeof model === "string" ? model : undefined,
      inputTokens: Math.max(1, inputTokens),
      outputTokens: Math.max(1, outputTokens),
      stream: found(fields, names.stream) !== false && found(fields, names.stream) !== "false",
      session: typeof session === "string" ? session : undefined
    })
  }
  if (entries.length === 0 && issues.length === 0) issues.push(issue(name, text.slice(0, 40), "at least one request"))
  if (issues.length === 0) {
    return Either.right(entries.map((entry) => ({ ...entry, at: entry.at - start })).sort((a, b) => a.at - b.at))
  }
  const more = issues.length - mostIssues
  const told = more > 0 ? [...issues.slice(0, mostIssues), issue(name, `${more} more problems`, "none")] : issues
  return Either.left(new ConfigError({ issues: told }))
}
