/**
 * Failures in the AI SDK's words: an `APICallError` with a status, whether to try again and when, and the router's own error as its
 * cause.
 */
import { APICallError, type JSONValue } from "@ai-sdk/provider"
import { isLlmError, type LlmError } from "@switchyard/core/LlmError"
import { errorHeaders } from "@switchyard/dialects/RouteNote"

/** Where it happened. */
export interface Where {
  /** The model group. */
  readonly model: string
  readonly body: unknown
}

/** Whether the same request may succeed later. The router has tried by then; who asks again should wait as it is told. */
const isRetryable = (error: LlmError): boolean => {
  switch (error.reason) {
    case "RateLimited":
    case "Unavailable":
    case "MalformedResponse":
    case "StreamInterrupted":
    case "Rejected":
      return true
    case "Timeout":
      return error.bound !== "caller"
    case "NoDeployment":
      return !error.blockedByFiltersOnly
    default:
      return false
  }
}

/** What a call failed with, as the AI SDK knows it; what is no error of the router's stays as it is. */
export const apiError = (error: unknown, { body, model }: Where): unknown => {
  if (!isLlmError(error)) return error
  const { attempts, message, providerMessage, reason, retryAfter, status } = error
  return new APICallError({
    message,
    url: `switchyard:${encodeURIComponent(model)}`,
    requestBodyValues: body,
    statusCode: status !== undefined && status >= 400 ? status : error.httpStatus,
    responseHeaders: errorHeaders(error),
    ...(providerMessage === undefined ? {} : { responseBody: providerMessage }),
    isRetryable: isRetryable(error),
    cause: error,
    data: { reason, retryAfter, attempts } as unknown as JSONValue
  })
}

const sampling: ReadonlySet<string> = new Set([
  "temperature",
  "top_p",
  "top_k",
  "seed",
  "stop",
  "presence_penalty",
  "frequency_penalty",
  "parallel_tool_calls",
  "verbosity"
])

/** Whether a request was refused unsent for settings of the sampling alone, which the provider's dialect has no words for. */
export const isOfSamplingOnly = (error: unknown): boolean =>
  isLlmError(error) &&
  error.reason === "InvalidRequest" &&
  error.code === "dialect" &&
  error.description.split("; ").every((problem) => sampling.has(problem.slice(0, problem.indexOf(":"))))
