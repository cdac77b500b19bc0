/**
 * The limits of a deployment: `rpm`, `tpm` and `maxParallel`. A full deployment is `Busy`, not failed. Room is reserved at
 * the start of an attempt and settled at its outcome, so a limit holds under any concurrency, and its last slot is used.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { ConfigError } from "@switchyard/core/ConfigError"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import { LlmError } from "@switchyard/core/LlmError"
import { estimateInputTokens, type LlmRequest } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as Outcome from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { type Busy, worst } from "@switchyard/core/Status"
import { nowMs } from "@switchyard/core/Time"
import { total } from "@switchyard/core/Usage"
import { type Clock, type Context, Effect, Layer, Schema } from "effect"
import { estimateTokens } from "./estimateTokens.js"
import { type Reservation, UsageWindows } from "./UsageWindows.js"

/** Options of the layer. */
export const Options = Schema.Struct({
  /** Output tokens that are reserved for a request that names no maximum; embeddings need none. Default 500. */
  outputTokens: Schema.optional(Field.count),
  /** Whether the provider's rate-limit headers shrink the headroom that strategies see. Default true. */
  learnFromHeaders: Schema.optional(
    Schema.Boolean.annotations({ message: () => ({ message: "true or false", override: true }) })
  )
})
/** Options of the layer. */
export type Options = typeof Options.Type

/** What the layer works with. */
export interface LimitsDeps {
  readonly windows: Context.Tag.Service<UsageWindows>
}

/** Transport codes of connections that never came about: the provider has seen, and counted, nothing. */
const unsentCodes: ReadonlySet<string> = new Set([
  "connect",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT"
])

/** Whether not a byte of the request left this process. */
const isUnsent = ({ code, phase, reason }: LlmError): boolean =>
  reason === "Rejected" ||
  (reason === "Timeout" && phase === "connect") ||
  (reason === "Unavailable" && code !== undefined && unsentCodes.has(code))

const rejected = (attempt: Attempt, { reason, until }: Busy, now: number): LlmError =>
  new LlmError({
    reason: "Rejected",
    description: `the deployment's ${reason} limit is used up`,
    deployment: attempt.deployment,
    provider: attempt.provider,
    code: reason,
    ...(until === undefined ? {} : { retryAfter: Math.max(0, until - now) })
  })

/** The layer. Calls on a deployment without limits pass straight through, unless somebody reads their usage. */
export const make = ({ windows }: LimitsDeps, options: Options = {}): Service.AttemptLayer => {
  const learns = options.learnFromHeaders ?? true

  const estimate = (request: LlmRequest): number => estimateTokens(request, options.outputTokens)

  const finish = (attempt: Attempt, reservation: Reservation, outcome: Outcome.Outcome, now: number): void => {
    const error = outcome._tag === "Failed" ? outcome.error : undefined
    if (learns && error?.reason === "RateLimited" && error.retryAfter !== undefined) {
      windows.throttle(attempt.slot, error.retryAfter, now)
    }
    if (error !== undefined && isUnsent(error)) return reservation.release(now)
    const { usage } = outcome
    reservation.settle(usage === undefined ? estimateInputTokens(attempt.request) : total(usage), now)
  }

  const answered = (attempt: Attempt, reservation: Reservation, response: LlmResponse, clock: Clock.Clock): void => {
    const now = nowMs(clock)
    if (learns) windows.learn(attempt.slot, response.headers, now, clock.unsafeCurrentTimeMillis())
    if (response._tag === "Complete") finish(attempt, reservation, response.outcome, now)
    else {
      response.events.settlement.onSettled((outcome) => finish(attempt, reservation, outcome, nowMs(clock)))
    }
  }

  return (next) => {
    const watched = (attempt: Attempt, reservation: Reservation, call: Service.Call, clock: Clock.Clock) =>
      Effect.matchCauseEffect(call, {
        onFailure: (cause) => {
          finish(attempt, reservation, Outcome.fromCause(cause), nowMs(clock))
          return Effect.failCause(cause)
        },
        onSuccess: (response) => {
          answered(attempt, reservation, response, clock)
          return Effect.succeed(response)
        }
      })

    // One uninterruptible step from the reservation to the watch over the call: what was taken is always given back.
    const limited = (attempt: Attempt): Service.Call =>
      Effect.uninterruptibleMask((restore) =>
        Effect.clockWith((clock) => {
          const now = nowMs(clock)
          return Effect.flatMap(
            windows.reserve(attempt.slot, estimate(attempt.request), now, attempt.request.route.journal),
            (admission): Service.Call =>
              admission._tag === "Busy"
                ? Effect.fail(rejected(attempt, admission, now))
                : watched(attempt, admission, restore(Effect.suspend(() => next.call(attempt))), clock)
          )
        })
      )

    return Service.attempt(
      (attempt) => (windows.counts(attempt.slot) ? limited(attempt) : next.call(attempt)),
      (slot, request, now) => {
        const { maxParallel, rpm, tpm } = slot.deployment
        if (rpm === undefined && tpm === undefined && maxParallel === undefined) return next.status(slot, request, now)
        const own = windows.status(slot, tpm === undefined ? 0 : estimate(request), now)
        return worst(own, next.status(slot, request, now))
      }
    )
  }
}

/** Holds deployments to their limits. */
export const layerWith = (
  options: Options
): Layer.Layer<DeploymentService, ConfigError, DeploymentService | UsageWindows> =>
  Service.wrap(
    DeploymentService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "limits")
      return make({ windows: yield* UsageWindows }, valid)
    })
  )

/** Holds deployments to their limits, with the defaults. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService | UsageWindows> = Layer.fresh(
  Layer.orDie(layerWith({}))
)
