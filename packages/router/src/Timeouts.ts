/**
 * Bounds on one attempt, each with its own phase and error: first token, idle between chunks, total, and the request's
 * deadline. The innermost layer: above it a timeout is an ordinary failure of the deployment, and nobody interrupts an
 * attempt. The connect bound is set here too, and enforced by the transport, which alone knows when it has connected.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { ConfigError } from "@switchyard/core/ConfigError"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import { asksForReasoning, estimateInputTokens, inForce } from "@switchyard/core/LlmRequest"
import * as Service from "@switchyard/core/Service"
import { nowMs, toMs } from "@switchyard/core/Time"
import { Effect, type Layer, Schema } from "effect"
import { type AttemptBounds, Watch } from "./internal/watch.js"

/**
 * Options of the layer. A request's own values beat the deployment's (with `lowerOnly`, only smaller ones), and those beat
 * these. Infinite means none.
 */
export const Options = Schema.Struct({
  /** Time to connect, enforced by the transport. Default 5 seconds. */
  connect: Schema.optional(Field.duration),
  /** Streams: time to the first token for an empty prompt. Default 10 seconds. */
  firstToken: Schema.optional(Field.duration),
  /** Streams: added to `firstToken` per 1,000 prompt tokens. Default 250 ms. */
  firstTokenPerThousand: Schema.optional(Field.durationOrZero),
  /** Streams: time to the first token when the request or the model reasons. Default 120 seconds. */
  firstTokenReasoning: Schema.optional(Field.duration),
  /** Streams: time between two chunks while the caller waits for one. Default 15 seconds. */
  idle: Schema.optional(Field.duration),
  /** Time of a whole attempt where the deployment has no `timeout`. Default: none, only the deadline bounds it. */
  total: Schema.optional(Field.duration),
  /** The same for streams, where the deployment has neither `streamTimeout` nor `timeout`. Default: as `total`. */
  streamTotal: Schema.optional(Field.duration)
})
/** Options of the layer. */
export type Options = typeof Options.Type

/** The router's bounds in ms, defaults filled in. */
export interface Bounds {
  readonly connect: number
  readonly firstToken: number
  readonly firstTokenPerThousand: number
  readonly firstTokenReasoning: number
  readonly idle: number
  readonly total: number
  readonly streamTotal: number
}

const never = Number.POSITIVE_INFINITY

/** The options in ms, defaults filled in. */
export const bounds = (options: Options = {}): Bounds => ({
  connect: toMs(options.connect ?? 5_000),
  firstToken: toMs(options.firstToken ?? 10_000),
  firstTokenPerThousand: toMs(options.firstTokenPerThousand ?? 250),
  firstTokenReasoning: toMs(options.firstTokenReasoning ?? 120_000),
  idle: toMs(options.idle ?? 15_000),
  total: toMs(options.total ?? never),
  streamTotal: toMs(options.streamTotal ?? options.total ?? never)
})

const defaults = bounds()

const configuredFirstToken = ({ hasAlternative, request, target }: Attempt, router: Bounds): number => {
  if (!request.stream || (!hasAlternative && request.route.lastResort)) return never
  if (target.firstTokenTimeout !== undefined) return target.firstTokenTimeout
  return asksForReasoning(request) || target.capabilities?.has("reasoning") === true
    ? router.firstTokenReasoning
    : router.firstToken + (estimateInputTokens(request) / 1000) * router.firstTokenPerThousand
}

const configuredIdle = ({ request, target }: Attempt, router: Bounds): number =>
  request.stream ? (target.idleTimeout ?? router.idle) : never

const configuredTotal = ({ request, target }: Attempt, router: Bounds): number =>
  request.stream ? (target.streamTimeout ?? target.timeout ?? router.streamTotal) : (target.timeout ?? router.total)

/**
 * How long a stream may take to its first token, in ms; infinite when that is not bounded. Without another deployment or
 * fallback to go to, late is better than never, so only the request's own wish counts then.
 */
export const firstTokenTimeout = (attempt: Attempt, router: Bounds = defaults): number => {
  const { overrides, stream } = attempt.request
  return stream ? inForce(overrides, overrides.firstTokenTimeout, configuredFirstToken(attempt, router)) : never
}

/** How long a stream may be silent while its reader waits, in ms; infinite when that is not bounded. */
export const idleTimeout = (attempt: Attempt, router: Bounds = defaults): number => {
  const { overrides, stream } = attempt.request
  return stream ? inForce(overrides, overrides.idleTimeout, configuredIdle(attempt, router)) : never
}

/** How long the whole attempt may take, in ms; infinite when that is not bounded. */
export const totalTimeout = (attempt: Attempt, router: Bounds = defaults): number => {
  const { overrides } = attempt.request
  return inForce(overrides, overrides.timeout, configuredTotal(attempt, router))
}

/** What bounds the attempt; the same object twice where the request brings no bounds of its own. */
const boundsOf = (attempt: Attempt, router: Bounds, now: number): readonly [AttemptBounds, AttemptBounds] => {
  const { firstTokenTimeout: first, idleTimeout: idle, timeout } = attempt.request.overrides
  const configured = {
    firstTokenAt: now + configuredFirstToken(attempt, router),
    idle: configuredIdle(attempt, router),
    totalAt: now + configuredTotal(attempt, router)
  }
  if (first === undefined && idle === undefined && timeout === undefined) return [configured, configured]
  const own = {
    firstTokenAt: now + firstTokenTimeout(attempt, router),
    idle: idleTimeout(attempt, router),
    totalAt: now + totalTimeout(attempt, router)
  }
  return [own, configured]
}

/** The layer. It primes streams: a first token that is late is a failure of the call, not of a stream. */
export const make = (options: Options = {}): Service.AttemptLayer => {
  const router = bounds(options)
  return (next) =>
    Service.attempt(
      (attempt) =>
        Effect.clockWith((clock) => {
          attempt.connectTimeout = router.connect
          const now = nowMs(clock)
          const [inForce, configured] = boundsOf(attempt, router, now)
          const watch = new Watch(attempt, clock, inForce, configured)
          const call = next.call(attempt)
          if (!watch.isBounded) return call
          return next.expires?.(attempt.request) === true ? watch.runInline(call, now) : watch.run(call, now)
        }),
      next.status
    )
}

/** Bounds attempts around the inner service. Belongs innermost, next to the provider's base service. */
export const layer = (options: Options = {}): Layer.Layer<DeploymentService, ConfigError, DeploymentService> =>
  Service.wrap(
    DeploymentService,
    Effect.map(Field.decode(Options, options, "timeouts"), (valid) => make(valid))
  )
