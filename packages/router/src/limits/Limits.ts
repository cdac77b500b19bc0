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
import type { Outcome } from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { type Busy, open } from "@switchyard/core/Status"
import { total } from "@switchyard/core/Usage"
import { type Clock, type Context, Effect, Layer } from "effect"
import * as Concern from "../stack/Concern.js"
import { assumedOutputTokens, estimateTokens } from "./estimateTokens.js"
import { DeploymentUsage, type Reservation, takeAtOnce, UsageWindows } from "./UsageWindows.js"

/** Options of the layer. */
export const Options = Field.options(
  "The limits of deployments: how room is reserved, and whether providers' rate-limit headers shrink it.",
  {
    /** Output tokens that are reserved for a request that names no maximum; embeddings need none. Default 500. */
    outputTokens: Field.option(
      Field.count,
      "Output tokens that are reserved for a request that names no maximum; embeddings need none.",
      assumedOutputTokens
    ),
    /** Whether the provider's rate-limit headers shrink the headroom that strategies see. Default true. */
    learnFromHeaders: Field.option(
      Field.flag,
      "Whether the provider's rate-limit headers shrink the headroom that strategies see.",
      true
    )
  }
)
/** Options of the layer. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

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

const lost = (attempt: Attempt): LlmError =>
  new LlmError({
    reason: "Unavailable",
    description: "the process did not run for so long that the call's room went to others",
    deployment: attempt.deployment,
    provider: attempt.provider,
    code: "lease_lost"
  })

/** What an attempt on a deployment with limits holds. */
interface Held {
  readonly reservation: Reservation
  readonly clock: Clock.Clock
}

/** The layer. Calls on a deployment without limits pass straight through, unless somebody reads their usage. */
export const make = ({ windows }: LimitsDeps, options: Options = {}): Service.AttemptLayer => {
  const learns = options.learnFromHeaders ?? defaults.learnFromHeaders

  const take = takeAtOnce(windows)

  const estimate = (request: LlmRequest): number => estimateTokens(request, options.outputTokens)

  const finish = (attempt: Attempt, reservation: Reservation, outcome: Outcome, now: number): void => {
    const error = outcome._tag === "Failed" ? outcome.error : undefined
    if (learns && error?.reason === "RateLimited" && error.retryAfter !== undefined) {
      windows.throttle(attempt.slot, error.retryAfter, now)
    }
    if (error !== undefined && isUnsent(error)) return reservation.release(now)
    const { usage } = outcome
    reservation.settle(usage === undefined ? estimateInputTokens(attempt.request) : total(usage), now)
  }

  const held = (attempt: Attempt, admission: Reservation | Busy, at: number, clock: Clock.Clock): Held | LlmError => {
    if (admission._tag === "Busy") return rejected(attempt, admission, at)
    admission.whenLost?.(() => attempt.expire?.(lost(attempt)))
    return { reservation: admission, clock }
  }

  const admit = (attempt: Attempt, at: number, clock: Clock.Clock): Held | Effect.Effect<Held, LlmError> => {
    const { request, slot } = attempt
    const { journal } = request.route
    const tokens = estimate(request)
    const taken = take?.(slot, tokens, at, journal)
    if (taken !== undefined) return held(attempt, taken, at, clock)
    return Effect.flatMap(windows.reserve(slot, tokens, at, journal), (admission) => {
      const admitted = held(attempt, admission, at, clock)
      return admitted instanceof LlmError ? admitted : Effect.succeed(admitted)
    })
  }

  return Service.bracketAttempt<Held>({
    when: ({ slot }) => windows.counts(slot),
    begin: admit,
    onResponse: ({ clock }, { headers }, at, { slot }) => {
      if (learns) windows.learn(slot, headers, at, clock.unsafeCurrentTimeMillis())
    },
    end: ({ reservation }, outcome, at, attempt) => finish(attempt, reservation, outcome, at),
    status: (slot, request, now) => {
      const { maxParallel, rpm, tpm } = slot.deployment
      if (rpm === undefined && tpm === undefined && maxParallel === undefined) return open
      return windows.status(slot, tpm === undefined ? 0 : estimate(request), now)
    }
  })
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

/** The layer as a concern of a stack. */
export class Limits extends Concern.attempt({
  name: "limits",
  about: "Requests, tokens and calls at once that a deployment may be asked for",
  options: Options,
  outside: {
    latency: "what waits for a permit is not slow",
    attemptMetrics: "what was turned away is no attempt",
    timeouts: "a permit is given back when the attempt has timed out"
  },
  state: [DeploymentUsage],
  make: (options) => Effect.map(UsageWindows, (windows) => make({ windows }, options))
}) {}
