import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { SaidError } from "../conversation/Answer.js"
import { asText } from "../parts/values.js"
import type { WireEvent } from "../Translator.js"

/** Anthropic's types of errors, and the status that each comes with. */
const statuses: ReadonlyMap<string, number> = new Map([
  ["invalid_request_error", 400],
  ["authentication_error", 401],
  ["billing_error", 402],
  ["permission_error", 403],
  ["not_found_error", 404],
  ["conflict_error", 409],
  ["request_too_large", 413],
  ["rate_limit_error", 429],
  ["api_error", 500],
  ["timeout_error", 504],
  ["overloaded_error", 529]
])

const types: ReadonlyMap<number, string> = new Map([...statuses].map(([type, status]) => [status, type]))

const typeFor = ({ status, type }: SaidError): string => {
  if (type !== undefined && statuses.has(type)) return type
  if (status === undefined) return "api_error"
  if (status === 503) return "overloaded_error"
  if (status === 408) return "timeout_error"
  return types.get(status) ?? (status >= 400 && status < 500 ? "invalid_request_error" : "api_error")
}

const saidIn = (error: JsonObject): SaidError => {
  const type = asText(error.type)
  const status = type === undefined ? undefined : statuses.get(type)
  const code = asText(error.code)
  const param = asText(error.param)
  return {
    message: asText(error.message) ?? type ?? "the provider gave no reason",
    ...(status === undefined ? {} : { status }),
    ...(type === undefined ? {} : { type }),
    ...(code === undefined ? {} : { code }),
    ...(param === undefined ? {} : { param })
  }
}

/** The error in a body or an event; the clouds that sell Claude leave the envelope out. */
export const readError = (body: JsonObject): SaidError | undefined => {
  const { error, type } = body
  if (type !== undefined && type !== "error") return undefined
  if (isJsonObject(error)) return saidIn(error)
  if (typeof error === "string" && error !== "") return { message: error }
  if (type === "error") return saidIn({ message: body.message })
  return typeof body.message === "string" && body.content === undefined ? { message: body.message } : undefined
}

/** The body of an error. */
export const writeError = (error: SaidError): JsonObject => ({
  type: "error",
  error: { type: typeFor(error), message: error.message }
})

/** The event that ends a stream with an error. */
export const errorEvent = (error: SaidError): WireEvent => ({ event: "error", json: writeError(error) })
