/**
 * Errors as clients know them, in the language of each: a JSON body, an HTTP status, and headers that say whether, and when, it is worth
 * trying again, so that a client neither multiplies attempts that were made already nor gives up where waiting helps.
 */
import type { Journal } from "@switchyard/core/Journal"
import type { AttemptReport, LlmError, Reason } from "@switchyard/core/LlmError"
import { withoutAccounts, withoutKeys } from "@switchyard/core/Secret"
import type { Answers } from "../config/GatewayConfig.js"
import * as RetryAdvice from "./retryAdvice.js"
import { shownError } from "./shownError.js"
import { type Speech, spoken, type Told, withIdFor } from "./spokenError.js"

export type { Speech, Told }

/** An answer that is no success. */
export interface ErrorAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | number>>
  /** JSON. */
  readonly body: string
}

/** What the gateway itself says no to, before a request is routed. */
export interface Refusal {
  readonly status: number
  readonly code: string
  /** For the caller's eyes; never a secret. */
  readonly message: string
  /** The field that is wrong. */
  readonly param?: string
  /** Ms after which it is worth trying again. */
  readonly retryAfter?: number
}

/** A request that was turned away before anybody knew what it asks of a model. */
export interface TurnedAway {
  readonly id: string
  readonly method: string
  /** Without the query, which may hold a key. */
  readonly path: string
  readonly refusal: Refusal
}

const types: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "invalid_request_error",
  405: "invalid_request_error",
  408: "timeout_error",
  409: "invalid_request_error",
  413: "invalid_request_error",
  415: "invalid_request_error",
  417: "invalid_request_error",
  429: "rate_limit_error",
  431: "invalid_request_error",
  503: "service_unavailable_error",
  504: "timeout_error"
}

const typeOf = (status: number): string => types[status] ?? "server_error"

/** Characters of a message: it may quote what the caller sent. */
const maxMessage = 2_000

/** The request is at fault, so what the provider says of it is the caller's to read. */
const isCallersFault = ({ reason }: LlmError): boolean =>
  reason === "InvalidRequest" || reason === "ContextWindowExceeded" || reason === "ContentPolicyViolation"

/** A stream that its own request broke tells what is wrong with that. */
const toldOf = (error: LlmError): LlmError => {
  const cause = error.beforeDelivery
  return isCallersFault(cause) ? cause : error
}

/** What is between the operator and the provider, whose words quote the operator's key or account. */
const operatorsMatters: Readonly<Partial<Record<Reason, string>>> = {
  Authentication: "the provider refuses the gateway's own credentials, not yours",
  QuotaExhausted: "the gateway's own quota there is used up"
}

/** What the caller reads: the provider's own words where the request is at fault, ours before them elsewhere. */
const messageOf = (error: LlmError): string => {
  const { description, providerMessage } = error
  const matter = operatorsMatters[error.beforeDelivery.reason]
  if (matter !== undefined) return `${description}: ${matter}`
  if (providerMessage === undefined) return description.slice(0, maxMessage)
  const said = isCallersFault(error) ? providerMessage : `${description}: ${providerMessage}`
  return withoutAccounts(withoutKeys(said)).slice(0, maxMessage)
}

/** The provider's code, where it is more than its type once more. */
const ownCodeOf = ({ code, type }: LlmError): string | undefined => (code === type ? undefined : code)

/** Clients look for our words for what is too long or refused; of other bad requests the provider's code says more. */
const codeOf = (error: LlmError): string =>
  error.reason === "InvalidRequest" ? (ownCodeOf(error) ?? error.httpCode) : error.httpCode

/** What the provider says of a request that is at fault, in the fields of its own errors. */
const providerFields = (error: LlmError): Readonly<Record<string, string>> => {
  if (!isCallersFault(error)) return {}
  const { param, type } = error
  const code = ownCodeOf(error)
  return {
    ...(type === undefined ? {} : { type }),
    ...(param === undefined ? {} : { param }),
    ...(code === undefined || code === codeOf(error) ? {} : { provider_code: code })
  }
}

/** How an attempt went, in the words of the report. */
const attemptOf = ({ deployment, duration, group, outcome, reason, status }: AttemptReport) => ({
  deployment,
  group,
  outcome,
  ...(reason === undefined ? {} : { reason }),
  ...(status === undefined ? {} : { status }),
  ...(duration === undefined ? {} : { duration_ms: Math.round(duration) })
})

/** The error object of a failed request, in OpenAI's shape. */
export const ofError = (error: LlmError): Told => {
  const told = toldOf(error)
  return {
    error: {
      message: messageOf(told),
      type: typeOf(told.httpStatus),
      param: null,
      code: codeOf(told),
      ...providerFields(told),
      reason: error.reason,
      ...(error.attempts === undefined || error.attempts.length === 0
        ? {}
        : { attempts: error.attempts.map(attemptOf) })
    }
  }
}

const noSpread = (): number => 0

/** To whom an error is told. */
export interface ToldOptions {
  readonly speech?: Speech | undefined
  /** What of the request's way may be told. Default: all of it. */
  readonly shown?: Answers | undefined
}

const written = (
  status: number,
  headers: Readonly<Record<string, string | number>>,
  advice: RetryAdvice.Advice,
  told: Told,
  speech: Speech
): ErrorAnswer => {
  const id = headers["x-request-id"]
  const wait = advice["retry-after-ms"]
  const around = {
    status,
    id: id === undefined ? undefined : String(id),
    retryAfter: wait === undefined ? undefined : Number(wait)
  }
  return {
    status,
    headers: { ...withIdFor(speech, headers), "content-type": "application/json", ...advice },
    body: JSON.stringify(spoken(speech, told, around))
  }
}

/** The whole answer to a failed request. `random`, uniform in [0, 1), keeps callers from coming back all at once. */
export const answerError = (
  error: LlmError,
  headers: Readonly<Record<string, string | number>> = {},
  journal?: Journal,
  random: () => number = noSpread,
  { shown = {}, speech = "chat" }: ToldOptions = {}
): ErrorAnswer =>
  written(
    error.httpStatus,
    headers,
    RetryAdvice.ofError(error, journal, random),
    shownError(ofError(error), error, shown),
    speech
  )

/** The error object of a request that the gateway turns away, in OpenAI's shape. */
export const ofRefusal = ({ code, message, param, status }: Refusal) => ({
  error: { message, type: typeOf(status), param: param ?? null, code }
})

/** The whole answer to a request that the gateway turns away. */
export const answerRefusal = (
  refusal: Refusal,
  headers: Readonly<Record<string, string | number>> = {},
  random: () => number = noSpread,
  speech: Speech = "chat"
): ErrorAnswer => {
  const { retryAfter, status } = refusal
  return written(
    status,
    status === 401 ? { ...headers, "www-authenticate": "Bearer" } : headers,
    RetryAdvice.ofRefusal(status, retryAfter, random),
    ofRefusal(refusal),
    speech
  )
}
