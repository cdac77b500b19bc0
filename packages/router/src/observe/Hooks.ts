/**
 * A place for an app's own rules: guardrails, redaction, audit. An ordinary layer; outermost, it sees what callers send
 * and get, and a request that it rejects costs no limit and no attempt.
 */
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { LlmService } from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { Effect, type Layer } from "effect"

/** What an app wants to do around each request. Every hook may be left out. */
export interface Hooks {
  /** Before routing: gives the request to send on, changed or not, or rejects it. */
  readonly onRequest?: (request: LlmRequest) => Effect.Effect<LlmRequest, LlmError>
  /** An answer is there; of a stream, its first content. Gives the response to pass on, or rejects it. */
  readonly onResponse?: (response: LlmResponse, request: LlmRequest) => Effect.Effect<LlmResponse, LlmError>
  /** The request failed, after all retries and fallbacks. Gives the error to pass on. */
  readonly onError?: (error: LlmError, request: LlmRequest) => Effect.Effect<LlmError>
}

const closeStream = (response: LlmResponse): void => {
  if (response._tag === "Streaming") response.events.close()
}

/**
 * The layer. `onError` sees failures of the inner service and of `onResponse`, not its own rejections by `onRequest`. A
 * stream whose response is rejected, or whose caller leaves during the hook, is closed.
 */
export const make =
  (hooks: Hooks): Service.RequestLayer =>
  (next) => {
    const { onError, onRequest, onResponse } = hooks
    const answer = (request: LlmRequest): Service.Call => {
      const call = next.call(request)
      const checked =
        onResponse === undefined
          ? call
          : Effect.flatMap(call, (response) =>
              Effect.onError(onResponse(response, request), () => Effect.sync(() => closeStream(response)))
            )
      return onError === undefined
        ? checked
        : Effect.catchAll(checked, (error) => Effect.flatMap(onError(error, request), Effect.fail))
    }
    return Service.request(
      (request) => (onRequest === undefined ? answer(request) : Effect.flatMap(onRequest(request), answer)),
      next.openings
    )
  }

/** Runs the hooks around the inner service. */
export const layer = (hooks: Hooks): Layer.Layer<LlmService, never, LlmService> =>
  Service.wrap(LlmService, Effect.succeed(make(hooks)))
