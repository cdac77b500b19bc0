import { digestOf, type Member, repeatsName } from "@switchyard/core/ExactJson"
import type { JsonObject } from "@switchyard/core/Json"
import type { LlmRequest, RequestOverrides } from "@switchyard/core/LlmRequest"
import { isMedia } from "@switchyard/core/Operation"

/** Deeper payloads are nobody's prompt; they are not cached, so that they cannot overflow the stack. */
const maxDepth = 200

/** Writes a value as JSON does, but with the fields of every object in order, so that equal payloads are equal texts. */
class CanonicalWriter {
  /** False once something was met that JSON cannot say. */
  isJson = true

  write(value: unknown, depth: number): string {
    switch (typeof value) {
      case "string":
        return JSON.stringify(value)
      case "number":
        return Number.isFinite(value) ? String(value) : "null"
      case "boolean":
        return String(value)
      case "object":
        return value === null ? "null" : this.object(value, depth)
      case "bigint":
        this.isJson = false
        return "null"
      default:
        return "null"
    }
  }

  fields(value: object, depth: number, isLeftOut?: (name: string) => boolean): string {
    let text = "{"
    for (const name of Object.keys(value).sort()) {
      const field = (value as JsonObject)[name]
      if (field === undefined || typeof field === "function" || typeof field === "symbol") continue
      if (isLeftOut?.(name)) continue
      text += `${text.length > 1 ? "," : ""}${JSON.stringify(name)}:${this.write(field, depth + 1)}`
    }
    return `${text}}`
  }

  private object(value: object, depth: number): string {
    if (depth > maxDepth) {
      this.isJson = false
      return "null"
    }
    if (Array.isArray(value)) return `[${Array.from(value, (item) => this.write(item, depth + 1)).join(",")}]`
    if ("toJSON" in value && typeof value.toJSON === "function") return this.write(value.toJSON(), depth + 1)
    return this.fields(value, depth)
  }
}

/** `model` is the request's own, `stream` a part of the key, and every stream reports its usage. */
const leftOut: ReadonlySet<string> = new Set(["model", "stream", "stream_options"])

/** Headers that differ from call to call and change no answer. */
const callHeaders: ReadonlySet<string> = new Set([
  "idempotency-key",
  "x-request-id",
  "x-client-request-id",
  "traceparent",
  "tracestate"
])

const headersOf = ({ headers }: RequestOverrides): JsonObject | undefined => {
  if (headers === undefined) return undefined
  const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  return Object.fromEntries(named.filter(([name]) => !callHeaders.has(name)))
}

/** What a request says about who may answer it, with which credentials, and asked what; a drill's answer is nobody else's. */
const sourcesOf = (overrides: RequestOverrides): JsonObject => ({
  fallbacks: overrides.fallbacks,
  contextWindowFallbacks: overrides.contextWindowFallbacks,
  contentPolicyFallbacks: overrides.contentPolicyFallbacks,
  disableFallbacks: overrides.disableFallbacks,
  maxFallbacks: overrides.maxFallbacks,
  headers: headersOf(overrides),
  dropParams: overrides.dropParams,
  additionalDropParams: overrides.additionalDropParams && [...overrides.additionalDropParams].sort(),
  fault: overrides.fault
})

const exactText = (name: string, member: Member): ReadonlyArray<string> => {
  if (leftOut.has(name)) return []
  if (!("bytes" in member)) {
    const isAmbiguous = /\d{16}/.test(member.text) || repeatsName(member.text, member.value)
    return isAmbiguous ? [JSON.stringify([name, member.text])] : []
  }
  return member.isAmbiguous ? [JSON.stringify([name, digestOf(member.bytes)])] : []
}

/**
 * What parsing does not keep, and goes out all the same: numbers that it has rounded, so that two seeds that differ in their last
 * digit are two, and names that stand twice, of which a provider may read the other one.
 */
const exactTexts = ({ exact }: LlmRequest): ReadonlyArray<string> =>
  exact === undefined ? [] : [...exact].flatMap(([name, member]) => exactText(name, member)).sort()

/** What a request says about how hard, and how long, to try. */
const boundsOf = ({ overrides, route }: LlmRequest): JsonObject => ({
  deadline: overrides.deadline,
  timeout: overrides.timeout,
  firstTokenTimeout: overrides.firstTokenTimeout,
  idleTimeout: overrides.idleTimeout,
  silenceTimeout: overrides.silenceTimeout,
  maxRetries: overrides.maxRetries,
  lowerOnly: overrides.lowerOnly,
  cooldown: overrides.cooldown,
  priority: overrides.priority,
  until: Number.isFinite(route.deadline) ? Math.round(route.deadline - route.startedAt) : undefined
})

/** An answer is in the dialect of its request, so that no other dialect's request may be given it. */
const askedOf = ({ dialect, model, operation, stream }: LlmRequest): ReadonlyArray<unknown> =>
  dialect === undefined ? [operation, model, stream] : [operation, model, stream, dialect.name]

/** What is asked beside conversations is kept where the same question has the same answer, and it comes whole. */
const isRepeatable = ({ operation, upload }: LlmRequest): boolean =>
  upload === undefined && (!isMedia(operation) || operation === "rerank" || operation === "moderation")

/** Under what a request is stored, and under what it shares a call in flight. */
export interface CacheKeys {
  /** Requests with the same key may be given the same answer. */
  readonly answer: string
  /** Requests with the same key may also wait for the same call: it is bounded alike. */
  readonly flight: string
}

/**
 * The keys of a request: canonical JSON of all that decides the answer, whole and so free of collisions. Undefined when the
 * payload is no JSON, or is nested too deeply.
 */
export const cacheKeys = (request: LlmRequest, shared: boolean): CacheKeys | undefined => {
  if (!isRepeatable(request)) return undefined
  const writer = new CanonicalWriter()
  const parts = [
    writer.write(askedOf(request), 0),
    writer.write(shared ? null : request.caller, 0),
    writer.write([...request.tags].sort(), 0),
    writer.write(request.demands, 0),
    writer.write(sourcesOf(request.overrides), 0),
    writer.fields(request.body, 0, (name) => leftOut.has(name)),
    ...exactTexts(request)
  ]
  const answer = `[${parts.join(",")}]`
  const bounds = writer.write(boundsOf(request), 0)
  return writer.isJson ? { answer, flight: bounds === "{}" ? answer : `${answer}${bounds}` } : undefined
}
