/**
 * Bounds on one attempt, each with its own phase and error: first token, idle between chunks, total, and the request's
 * deadline. The innermost layer: above it a timeout is an ordinary failure of the deployment, and nobody interrupts an
 * attempt. The connect bound is set here too, and enforced by the transport, which alone knows when it has connected.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { ConfigError } from "@switchyard/core/ConfigError"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import { estimateInputTokens, inForce, type LlmRequest } from "@switchyard/core/LlmRequest"
import { isMedia } from "@switchyard/core/Operation"
import * as Reasoning from "@switchyard/core/Reasoning"
import * as Route from "@switchyard/core/Route"
import * as Service from "@switchyard/core/Service"
import { clockHere, nowMs, toMs } from "@switchyard/core/Time"
import { filesOf } from "@switchyard/core/Upload"
import { type Clock, Effect, Layer } from "effect"
import * as Concern from "../stack/Concern.js"
import { type AttemptBounds, Watch } from "./watch.js"

/**
 * Options of the layer. A request's own values beat the deployment's (with `lowerOnly`, only smaller ones), and those beat
 * these. What is set holds everywhere. The defaults of streams hold where there is somewhere else to go; where nothing is
 * left to ask, late is better than never, and they are 300 seconds of silence, the first token included. Infinite means none.
 */
export const Options = Field.options("Bounds on one attempt, each with its own phase and error.", {
  /** Time to connect, enforced by the transport. Default 5 seconds. */
  connect: Field.option(Field.duration, "Time to connect, enforced by the transport.", 5000),
  /** Streams: time to the first token for an empty prompt. Default 10 seconds. */
  firstToken: Field.option(Field.duration, "Streams: time to the first token for an empty prompt.", 10_000),
  /** Streams: added to `firstToken` per 1,000 prompt tokens. Default 250 ms. */
  firstTokenPerThousand: Field.option(
    Field.durationOrZero,
    "Streams: added to `firstToken` per 1,000 prompt tokens.",
    250
  ),
  /**
   * Streams: time to the first token when the request or the model reasons, or the service tier is `flex`. Default 180
   * seconds, or `firstToken` where that is longer.
   */
  firstTokenReasoning: Field.option(
    Field.duration,
    "Streams: time to the first token when the request or the model reasons, or the service tier is `flex`. Default 180 seconds, or `firstToken` where that is longer.",
    180_000
  ),
  /** Streams: silence after content, while the caller waits. Default 30 seconds. */
  idle: Field.option(Field.duration, "Streams: silence after content, while the caller waits.", 30_000),
  /** Streams: the same once reasoning or a tool call has begun. Default: `idle` where that is set, else 300 seconds. */
  idleReasoning: Field.option(
    Field.duration,
    "Streams: the same once reasoning or a tool call has begun. Default: `idle` where that is set, else 300 seconds.",
    300_000
  ),
  /**
   * Streams: the longest silence. It bounds the default of `firstToken` from above (and takes its place where nothing else
   * is left to ask), and is the default of `idle`. Default: none.
   */
  silence: Field.option(
    Field.duration,
    "Streams: the longest silence. It bounds the default of `firstToken` from above (and takes its place where nothing else is left to ask), and is the default of `idle`. Default: none."
  ),
  /** Time of a whole attempt that does not stream, where the deployment has no `timeout`. Default: none, only the deadline bounds it. */
  total: Field.option(
    Field.duration,
    "Time of a whole attempt that does not stream, where the deployment has no `timeout`. Default: none, only the deadline bounds it."
  ),
  /** Time of a whole stream, where the deployment has no `streamTimeout`. Default: none. */
  streamTotal: Field.option(
    Field.duration,
    "Time of a whole stream, where the deployment has no `streamTimeout`. Default: none."
  )
})
/** Options of the layer. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/** The router's bounds in ms, defaults filled in. */
export interface Bounds {
  readonly connect: number
  readonly firstToken: number
  readonly firstTokenPerThousand: number
  readonly firstTokenReasoning: number
  readonly idle: number
  readonly idleReasoning: number
  /** Undefined where none was set. */
  readonly silence: number | undefined
  readonly total: number
  readonly streamTotal: number
  /** Which of them somebody has set: those hold where nothing else is left to ask, too. */
  readonly isSet: Readonly<Record<"firstToken" | "firstTokenReasoning" | "idle" | "idleReasoning", boolean>>
}

const never = Number.POSITIVE_INFINITY

/** Silence of a stream that is borne where nothing else is left to ask, in ms. */
const lastResortSilence = 300_000

/** The options in ms, defaults filled in. */
export const bounds = (options: Options = {}): Bounds => {
  const firstToken = toMs(options.firstToken ?? defaults.firstToken)
  const { idle, idleReasoning, silence } = options
  return {
    connect: toMs(options.connect ?? defaults.connect),
    firstToken,
    firstTokenPerThousand: toMs(options.firstTokenPerThousand ?? defaults.firstTokenPerThousand),
    firstTokenReasoning: toMs(options.firstTokenReasoning ?? Math.max(defaults.firstTokenReasoning, firstToken)),
    idle: toMs(idle ?? defaults.idle),
    idleReasoning: toMs(idleReasoning ?? idle ?? defaults.idleReasoning),
    silence: silence === undefined ? undefined : toMs(silence),
    total: toMs(options.total ?? never),
    streamTotal: toMs(options.streamTotal ?? never),
    isSet: {
      firstToken: options.firstToken !== undefined,
      firstTokenReasoning: options.firstTokenReasoning !== undefined,
      idle: idle !== undefined,
      idleReasoning: (idleReasoning ?? idle) !== undefined
    }
  }
}

const standard = bounds()

/** Whether anybody else could still be asked in place of this attempt: another deployment, or a fallback. */
const isSomewhereElse = (attempt: Attempt): boolean => {
  const { route } = attempt.request
  return !route.lastResort || (Route.attemptsLeft(route) > 0 && attempt.hasAlternative)
}

/** Bytes of files that go out in a ms, at least. */
const sentPerMs = 1024

/** Nobody can begin to answer before the files are there. */
const sendingTime = ({ upload }: LlmRequest): number =>
  upload === undefined ? 0 : filesOf(upload).reduce((sum, { size }) => sum + size, 0) / sentPerMs

const configuredFirstToken = (attempt: Attempt, router: Bounds): number => {
  const { request, target } = attempt
  if (!request.stream) return never
  if (target.firstTokenTimeout !== undefined) return target.firstTokenTimeout
  const reasons = isMedia(request.operation) || Reasoning.isExpected(attempt) || Reasoning.isFlex(attempt)
  const rule = reasons
    ? router.firstTokenReasoning + sendingTime(request)
    : router.firstToken + (estimateInputTokens(request) / 1000) * router.firstTokenPerThousand
  if (reasons ? router.isSet.firstTokenReasoning : router.isSet.firstToken) {
    return Math.min(rule, target.silenceTimeout ?? never)
  }
  const silence = target.silenceTimeout ?? router.silence
  return isSomewhereElse(attempt) ? Math.min(rule, silence ?? never) : (silence ?? lastResortSilence)
}

/** Once reasoning or a tool call has begun (`working`) a long silence is nothing unusual. */
const configuredIdle = (attempt: Attempt, router: Bounds, working: boolean): number => {
  const { request, target } = attempt
  if (!request.stream) return never
  const own = target.idleTimeout ?? target.silenceTimeout
  if (own !== undefined) return own
  const rule = working ? router.idleReasoning : router.idle
  if (working ? router.isSet.idleReasoning : router.isSet.idle) return rule
  return router.silence ?? (isSomewhereElse(attempt) ? rule : lastResortSilence)
}

const configuredTotal = ({ request, target }: Attempt, router: Bounds): number =>
  request.stream ? (target.streamTimeout ?? router.streamTotal) : (target.timeout ?? router.total)

/**
 * How long a stream may take to its first token, in ms; infinite when that is not bounded. Without another deployment or
 * fallback to go to, late is better than never, so only what somebody has set counts then, and 300 seconds of silence.
 */
export const firstTokenTimeout = (attempt: Attempt, router: Bounds = standard): number => {
  const { overrides, stream } = attempt.request
  if (!stream) return never
  const configured = configuredFirstToken(attempt, router)
  const { firstTokenTimeout: own, silenceTimeout } = overrides
  if (own !== undefined || silenceTimeout === undefined) return inForce(overrides, own, configured)
  return isSomewhereElse(attempt)
    ? Math.min(configured, silenceTimeout)
    : inForce(overrides, silenceTimeout, configured)
}

/**
 * How long a stream may be silent while its reader waits, in ms; infinite when that is not bounded. `working`: reasoning or
 * a tool call has begun.
 */
export const idleTimeout = (attempt: Attempt, router: Bounds = standard, working = false): number => {
  const { overrides, stream } = attempt.request
  const own = overrides.idleTimeout ?? overrides.silenceTimeout
  return stream ? inForce(overrides, own, configuredIdle(attempt, router, working)) : never
}

/** How long the whole attempt may take, in ms; infinite when that is not bounded. */
export const totalTimeout = (attempt: Attempt, router: Bounds = standard): number => {
  const { overrides } = attempt.request
  return inForce(overrides, overrides.timeout, configuredTotal(attempt, router))
}

/**
 * How long an attempt may wait for a connection while all are in use, in ms: as for connecting where there is somewhere else
 * to go, else as for the first token.
 */
export const connectionWait = (attempt: Attempt, router: Bounds = standard): number => {
  const first = attempt.request.stream ? firstTokenTimeout(attempt, router) : lastResortSilence
  return Math.min(first, totalTimeout(attempt, router), isSomewhereElse(attempt) ? router.connect : never)
}

/** What bounds the attempt; the same object twice where the request brings no bounds of its own. */
const boundsOf = (attempt: Attempt, router: Bounds, now: number): readonly [AttemptBounds, AttemptBounds] => {
  const { firstTokenTimeout: first, idleTimeout: idle, silenceTimeout: silence, timeout } = attempt.request.overrides
  const configured = {
    firstTokenAt: now + configuredFirstToken(attempt, router),
    idle: configuredIdle(attempt, router, false),
    idleReasoning: configuredIdle(attempt, router, true),
    totalAt: now + configuredTotal(attempt, router)
  }
  if (first === undefined && idle === undefined && silence === undefined && timeout === undefined) {
    return [configured, configured]
  }
  const own = {
    firstTokenAt: now + firstTokenTimeout(attempt, router),
    idle: idleTimeout(attempt, router),
    idleReasoning: idleTimeout(attempt, router, true),
    totalAt: now + totalTimeout(attempt, router)
  }
  return [own, configured]
}

/** The layer. It primes streams: a first token that is late is a failure of the call, not of a stream. */
export const make = (options: Options = {}): Service.AttemptLayer => {
  const router = bounds(options)
  const mayWait = (attempt: Attempt): number => connectionWait(attempt, router)
  const watchOf = (attempt: Attempt, now: number, clock: Clock.Clock): Watch | undefined => {
    attempt.connectTimeout = router.connect
    attempt.mayWait = mayWait
    const [inForce, configured] = boundsOf(attempt, router, now)
    const watch = new Watch(attempt, clock, inForce, configured)
    return watch.isBounded ? watch : undefined
  }
  return (next) => {
    const enter = Service.entry(next)
    const expires = Service.expiryOf(next)
    /** A timer that is set and taken back is all there is to a plain call that can be ended from outside. */
    const isTimed = ({ request }: Attempt): boolean => !request.stream && expires(request)
    const watched = Service.attemptWithin((attempt, region) => {
      if (isTimed(attempt)) return enter(attempt, region)
      const clock = clockHere()
      const now = nowMs(clock)
      const watch = watchOf(attempt, now, clock)
      if (watch === undefined) return enter(attempt, region)
      return expires(attempt.request)
        ? watch.runInline(enter, region, now)
        : watch.run(
            Effect.suspend(() => next.call(attempt)),
            region,
            now
          )
    }, next.status)
    const timed = Service.bracketAttempt<Watch | undefined>({
      when: isTimed,
      begin: (attempt, now, clock) => {
        const watch = watchOf(attempt, now, clock)
        return watch?.start(now) ?? watch
      },
      end: (watch) => watch?.stop()
    })
    return timed(watched)
  }
}

/** Bounds attempts around the inner service. Belongs innermost, next to the provider's base service. */
export const layerWith = (options: Options): Layer.Layer<DeploymentService, ConfigError, DeploymentService> =>
  Service.wrap(
    DeploymentService,
    Effect.map(Field.decode(Options, options, "timeouts"), (valid) => make(valid))
  )

/** Bounds attempts around the inner service, with the defaults. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService> = Layer.fresh(Layer.orDie(layerWith({})))

/** The layer as a concern of a stack. */
export class Timeouts extends Concern.attempt({
  name: "timeouts",
  about: "Bounds on attempts: to connect, to begin, between words, as a whole",
  options: Options,
  inside: {
    cooldown: "an attempt that timed out has failed",
    attemptMetrics: "an attempt that timed out has failed"
  },
  make: (options) => make(options)
}) {}
