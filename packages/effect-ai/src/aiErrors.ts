/**
 * Failures in @effect/ai's words. It has five errors and none with a reason of a router's, so the router's own goes along: as the
 * cause where there is a place for one, in the headers and in `SwitchyardError.of` everywhere.
 */
import * as AiError from "@effect/ai/AiError"
import type { LlmError } from "@switchyard/core/LlmError"
import { errorHeaders } from "@switchyard/dialects/RouteNote"
import { Option } from "effect"

/** Where it happened, as @effect/ai names it. */
export interface Where {
  readonly module: string
  readonly method: string
  /** The model group. */
  readonly model: string
}

/** Where the router's error hangs on an `AiError`: spans put proxies around errors, so that no table of them finds it. */
const origin: unique symbol = Symbol.for("@switchyard/effect-ai/origin")

/** The router's error that an `AiError` was made of. */
export const originOf = (error: AiError.AiError): LlmError | undefined =>
  (error as { readonly [origin]?: LlmError })[origin]

/** Failures of the way to a provider, where nobody answered with a status. */
const ofTransport: ReadonlySet<string> = new Set(["Timeout", "Unavailable", "StreamInterrupted"])

const requestTo = (model: string): typeof AiError.HttpRequestDetails.Type => ({
  method: "POST",
  url: `switchyard:${encodeURIComponent(model)}`,
  urlParams: [],
  hash: Option.none(),
  headers: {}
})

const errorOf = (error: LlmError, { model, ...where }: Where): AiError.AiError => {
  const { message: description, providerMessage, reason, status } = error
  const isAnswered = status !== undefined && status >= 400
  if (reason === "InvalidRequest" && !isAnswered) {
    return new AiError.MalformedInput({ ...where, description, cause: error })
  }
  if (reason === "MalformedResponse") return new AiError.MalformedOutput({ ...where, description, cause: error })
  if (ofTransport.has(reason) && !isAnswered) {
    return new AiError.HttpRequestError({
      ...where,
      reason: "Transport",
      request: requestTo(model),
      description,
      cause: error
    })
  }
  return new AiError.HttpResponseError({
    ...where,
    reason: "StatusCode",
    request: requestTo(model),
    response: { status: isAnswered ? status : error.httpStatus, headers: errorHeaders(error) },
    description,
    ...(providerMessage === undefined ? {} : { body: providerMessage })
  })
}

/** The router's error in @effect/ai's words. */
export const aiError = (error: LlmError, where: Where): AiError.AiError =>
  Object.defineProperty(errorOf(error, where), origin, { value: error })

/** What was asked, or answered, is not of a form that can be used. */
export const malformed = (
  description: string,
  { method, module }: Where,
  what: "input" | "output"
): AiError.MalformedInput | AiError.MalformedOutput =>
  what === "input"
    ? new AiError.MalformedInput({ module, method, description })
    : new AiError.MalformedOutput({ module, method, description })
