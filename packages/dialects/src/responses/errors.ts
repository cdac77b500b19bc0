import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { SaidError } from "../conversation/Answer.js"
import { asObject, asString, asText } from "../parts/values.js"
import type { WireEvent } from "../Translator.js"

/** Statuses of codes and types, where a body tells none. */
const statuses: Readonly<Record<string, number>> = {
  server_error: 500,
  api_error: 500,
  internal_error: 500,
  server_is_overloaded: 503,
  slow_down: 503,
  overloaded_error: 503,
  service_unavailable: 503,
  rate_limit_exceeded: 429,
  rate_limit_error: 429,
  tokens: 429,
  requests: 429,
  insufficient_quota: 429,
  usage_limit_reached: 429,
  invalid_api_key: 401,
  authentication_error: 401,
  permission_error: 403,
  model_not_found: 404,
  not_found_error: 404,
  vector_store_timeout: 504,
  invalid_prompt: 400,
  context_length_exceeded: 400,
  invalid_request_error: 400
}

/** The status that an error of a code or a type stands for; undefined for unknown ones. */
const statusOf = (code: string | undefined, type: string | undefined): number | undefined =>
  (code === undefined ? undefined : statuses[code]) ?? (type === undefined ? undefined : statuses[type])

const saidIn = (error: JsonObject): SaidError => {
  const type = asText(error.type) === "error" ? undefined : asText(error.type)
  const code = asText(error.code) ?? (typeof error.code === "number" ? String(error.code) : undefined)
  const param = asText(error.param)
  const status = typeof error.status === "number" ? error.status : statusOf(code, type)
  return {
    message: asString(error.message) ?? "the provider gave no reason",
    ...(status === undefined ? {} : { status }),
    ...(type === undefined ? {} : { type }),
    ...(code === undefined ? {} : { code }),
    ...(param === undefined ? {} : { param })
  }
}

/** The error in a body, in an event, or in a response that failed; undefined when it is none. */
export const readError = (body: JsonObject): SaidError | undefined => {
  if (body.type === "error") return saidIn(asObject(body.error) ?? body)
  if (body.type === "response.failed") {
    const response = asObject(body.response)
    return saidIn(asObject(response?.error) ?? {})
  }
  // An event's own `response` may hold `error: null`; other events are none.
  if (typeof body.type === "string" && body.type.startsWith("response.")) return undefined
  if (isJsonObject(body.error)) return saidIn(body.error)
  if (typeof body.error === "string" && body.error !== "") return saidIn({ message: body.error })
  return body.status === "failed" ? saidIn({}) : undefined
}

/** OpenAI's own class of an error; that of another provider goes by its status. */
const typeOf = ({ status, type }: SaidError): string => {
  if (status === 429) return type === "insufficient_quota" ? type : "rate_limit_error"
  if (status === 401) return "authentication_error"
  if (status === 403) return "permission_error"
  if (status === 404) return "not_found_error"
  if (status !== undefined && status >= 500) return "server_error"
  return status === undefined && type !== undefined ? type : "invalid_request_error"
}

/** An error as a body. */
export const writeError = (error: SaidError): JsonObject => ({
  error: { message: error.message, type: typeOf(error), param: error.param ?? null, code: error.code ?? null }
})

const codes: ReadonlyArray<readonly [status: number, code: string]> = [
  [429, "rate_limit_exceeded"],
  [503, "server_is_overloaded"],
  [529, "server_is_overloaded"],
  [400, "invalid_prompt"]
]

/** The code that clients go by in a stream: what they do not know, they ask again. */
const codeOf = ({ code, status, type }: SaidError): string => {
  const known = code ?? type
  if (known !== undefined && statuses[known] !== undefined) return known
  return codes.find(([of]) => of === status)?.[1] ?? code ?? "server_error"
}

/** The error inside of a response that failed. */
export const failedFields = (error: SaidError): JsonObject => ({ code: codeOf(error), message: error.message })

/** Comes after all others, whatever number they had. */
const lastNumber = 2_147_483_647

/** The event that ends a stream of which nothing else is known. */
export const errorEvent = (error: SaidError): WireEvent => ({
  event: "response.failed",
  json: {
    type: "response.failed",
    sequence_number: lastNumber,
    response: {
      id: "resp_failed",
      object: "response",
      created_at: 0,
      status: "failed",
      error: failedFields(error),
      incomplete_details: null,
      output: [],
      usage: null
    }
  }
})
