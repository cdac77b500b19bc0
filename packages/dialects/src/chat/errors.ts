import { errorOf } from "@switchyard/core/AnswerFailure"
import type { JsonObject } from "@switchyard/core/Json"
import type { SaidError } from "../conversation/Answer.js"
import { asText } from "../parts/values.js"
import type { WireEvent } from "../Translator.js"

const statusOf = (...values: ReadonlyArray<unknown>): number | undefined => {
  for (const value of values) {
    const status = typeof value === "string" ? Number(value) : value
    if (typeof status === "number" && status >= 400 && status <= 599) return status
  }
  return undefined
}

const codeOf = (code: unknown): string | undefined => (typeof code === "number" ? String(code) : asText(code))

/** The error in a body or a chunk; undefined when it is none. */
export const readError = (body: JsonObject): SaidError | undefined => {
  const error = errorOf(body)
  if (error === undefined) return undefined
  return {
    message: asText(error.message) ?? asText(error.msg) ?? asText(error.detail) ?? "the provider reported an error",
    status: statusOf(error.status, error.status_code, error.code, body.status, body.status_code),
    type: asText(error.type),
    code: codeOf(error.code),
    param: asText(error.param)
  }
}

/** An error as OpenAI says it. */
export const writeError = ({ code, message, param, type }: SaidError): JsonObject => ({
  error: { message, type: type ?? "api_error", param: param ?? null, code: code ?? null }
})

/** An error that ends a stream. */
export const errorEvent = (error: SaidError): WireEvent => ({ json: writeError(error) })
