/**
 * Errors, as all of Google's services say them: `{ error: { code, message, status, details } }`.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { SaidError } from "../../conversation/Answer.js"
import { asNumber, asText } from "../../parts/values.js"
import type { WireEvent } from "../../Translator.js"
import { field, given, objectsOf } from "../parts/spelling.js"

const codes: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  OUT_OF_RANGE: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ABORTED: 409,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429,
  CANCELLED: 499,
  INTERNAL: 500,
  UNKNOWN: 500,
  DATA_LOSS: 500,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504
}

const statuses: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  408: "DEADLINE_EXCEEDED",
  409: "ABORTED",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  500: "INTERNAL",
  501: "UNIMPLEMENTED",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
  529: "UNAVAILABLE"
}

const codeOf = (status: string | undefined): number | undefined =>
  status !== undefined && Object.hasOwn(codes, status) ? codes[status] : undefined

/** Google's name for an HTTP status. */
const statusOf = (code: number): string => statuses[code] ?? (code >= 500 ? "INTERNAL" : "INVALID_ARGUMENT")

/** What the details say further: the field at fault, and a reason like `API_KEY_INVALID`. */
const detailsOf = (error: JsonObject): { readonly param?: string; readonly reason?: string } => {
  let param: string | undefined
  let reason: string | undefined
  for (const detail of arrayOf(error.details)) {
    if (!isJsonObject(detail)) continue
    for (const violation of objectsOf(field(detail, "fieldViolations"))) param ??= asText(violation.field)
    reason ??= asText(detail.reason)
  }
  return { ...given("param", param), ...given("reason", reason) }
}

const isHttp = (code: number | undefined): code is number => code !== undefined && code >= 400 && code <= 599

/** The error in a body or an event; undefined when there is none. */
export const readError = (body: JsonObject): SaidError | undefined => {
  const { error } = body
  if (error === undefined || error === null) return undefined
  if (typeof error === "string") return error === "" ? undefined : { message: error }
  if (!isJsonObject(error)) return undefined
  const code = asNumber(error.code)
  const type = asText(error.status)
  const message = asText(error.message)
  if (code === undefined && type === undefined && message === undefined) return undefined
  const { param, reason } = detailsOf(error)
  return {
    message: message ?? type ?? "the provider says that it failed, and not why",
    ...given("status", isHttp(code) ? code : codeOf(type)),
    ...given("type", type),
    ...given("code", reason),
    ...given("param", param)
  }
}

/** Types that others' errors go by, where nothing says the HTTP status. */
const others: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  permission_error: 403,
  not_found_error: 404,
  rate_limit_error: 429,
  insufficient_quota: 429,
  overloaded_error: 503,
  api_error: 500,
  server_error: 500,
  timeout_error: 504
}

/** An error as Google says it. */
export const writeError = ({ code: reason, message, param, status, type }: SaidError): JsonObject => {
  const said = type !== undefined && Object.hasOwn(others, type) ? others[type] : undefined
  const code = status ?? codeOf(type) ?? said ?? 500
  const name = type !== undefined && codeOf(type) !== undefined ? type : statusOf(code)
  const details: Array<JsonObject> = []
  if (reason !== undefined) {
    details.push({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason })
  }
  if (param !== undefined) {
    const violation = { field: param, description: message }
    details.push({ "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: [violation] })
  }
  return { error: { code, message, status: name, ...(details.length > 0 ? { details } : {}) } }
}

/** An error in the middle of a stream is one more event: the official SDKs look for `error` in each of them. */
export const errorEvent = (error: SaidError): WireEvent => ({ json: writeError(error) })
