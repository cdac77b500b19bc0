/**
 * The circuit breaker: takes a deployment that fails out of the selection for a while, and lets it back in on trial.
 * Attempt tier, directly below the Balancer, so that the outcome of every attempt is seen, those of retries, hedges and
 * fallbacks too. It answers `status`, so the Balancer passes a closed deployment over without knowing why.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { ConfigError } from "@switchyard/core/ConfigError"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import { LlmError, longestHold, Reason } from "@switchyard/core/LlmError"
import { inForce, type LlmRequest } from "@switchyard/core/LlmRequest"
import * as Service from "@switchyard/core/Service"
import type { Slot } from "@switchyard/core/Slot"
import type { Status } from "@switchyard/core/Status"
import { toMs } from "@switchyard/core/Time"
import { type Context, Effect, Layer, Schema } from "effect"
import * as Concern from "../stack/Concern.js"
import type { Ticket } from "./breaker.js"
import type { Overrides, Policy } from "./breakerPolicy.js"
import { type Breaker, Breakers, CooldownState } from "./CooldownState.js"

const ruleOrOff = (rule: Schema.Schema<number>, expected: string) =>
  Schema.Union(rule, Schema.Literal(false)).annotations({
    message: () => ({ message: `${expected}, or false`, override: true })
  })

/** Options of the breaker. Durations are ms, a `Duration`, or text like "30 seconds". */
export const Options = Field.options(
  "The circuit breaker: when a deployment that fails is taken out of the selection, and how it gets back in.",
  {
    /** So many failures in a row open it; false switches the rule off. Default 5. */
    failures: Field.option(
      ruleOrOff(Field.positiveCount, "a whole number of at least 1"),
      "So many failures in a row open it; false switches the rule off.",
      5
    ),
    /** A share of failures above this opens it; false switches the rule off. Default 0.5. */
    failureRate: Field.option(
      ruleOrOff(Field.fraction, "a number from 0 to 1"),
      "A share of failures above this opens it; false switches the rule off.",
      0.5
    ),
    /** So many failures within the window open it, whatever came between; false: no such rule. Default false. */
    windowFailures: Field.option(
      ruleOrOff(Field.positiveCount, "a whole number of at least 1"),
      "So many failures within the window open it, whatever came between; false: no such rule.",
      false
    ),
    /** With fewer calls than this in the window, `failureRate` and `windowFailures` say nothing. Default 10. */
    minimumCalls: Field.option(
      Field.positiveCount,
      "With fewer calls than this in the window, `failureRate` and `windowFailures` say nothing.",
      10
    ),
    /** The sliding window of every counting rule; counts slide out in sixtieths of it. Default 60 seconds. */
    window: Field.option(
      Field.duration,
      "The sliding window of every counting rule; counts slide out in sixtieths of it.",
      60_000
    ),
    /**
     * Failures of one reason that are borne within the window: one more opens it, so 0 means the first does. No other rule
     * looks at failures of that reason, not even the one that would open it at once. Reasons that say nothing about the
     * deployment (`InvalidRequest` and its like) never open it, whatever is set. Default none.
     */
    allowedFails: Field.option(
      Schema.partialWith(Schema.Record({ key: Reason, value: Field.count }), { exact: true }),
      "Failures of one reason that are borne within the window: one more opens it, so 0 means the first does. No other rule looks at failures of that reason, not even the one that would open it at once. Reasons that say nothing about the deployment (`InvalidRequest` and its like) never open it, whatever is set.",
      {}
    ),
    /**
     * The first cooldown; each further one without a recovery between is twice as long. 0 means never. A deployment's own
     * beats it, and a request's beats both. Default 5 seconds.
     */
    duration: Field.option(
      Field.durationOrZero,
      "The first cooldown; each further one without a recovery between is twice as long. 0 means never. A deployment's own beats it, and a request's beats both.",
      5000
    ),
    /** The longest cooldown that doubling leads to; at least `duration`. Default 20 seconds. */
    maxDuration: Field.option(
      Field.duration,
      "The longest cooldown that doubling leads to; at least `duration`.",
      20_000
    ),
    /**
     * The cooldown after an error that opens it at once: a refused key, an exhausted quota, an unknown model. Default 5
     * minutes.
     */
    tripDuration: Field.option(
      Field.duration,
      "The cooldown after an error that opens it at once: a refused key, an exhausted quota, an unknown model.",
      300_000
    ),
    /** The most that chance takes off a cooldown, as a share, so that deployments don't come back together. Default 0.2. */
    jitter: Field.option(
      Field.fraction,
      "The most that chance takes off a cooldown, as a share, so that deployments don't come back together.",
      0.2
    ),
    /** The longest Retry-After that is obeyed; a plain 500's never is. Default 60 seconds. */
    maxRetryAfter: Field.option(
      Field.duration,
      "The longest Retry-After that is obeyed; a plain 500's never is.",
      longestHold
    ),
    /** The most that chance adds to a Retry-After, as a share. Default 0.1. */
    retryAfterJitter: Field.option(Field.fraction, "The most that chance adds to a Retry-After, as a share.", 0.1),
    /** Calls at a time while on trial after a cooldown; each success allows one more. Default 1. */
    permits: Field.option(
      Field.positiveCount,
      "Calls at a time while on trial after a cooldown; each success allows one more.",
      1
    ),
    /** Successes in a row that end the trial. Default 3. */
    successThreshold: Field.option(Field.positiveCount, "Successes in a row that end the trial.", 3),
    /** How long a recovered deployment gets less than its usual traffic: a tenth at first, then ever more. Default 0. */
    slowStart: Field.option(
      Field.durationOrZero,
      "How long a recovered deployment gets less than its usual traffic: a tenth at first, then ever more.",
      0
    )
  }
)
/** Options of the breaker. */
export type Options = typeof Options.Type

/** What an option is when it is left out. */
export const defaults = Field.defaults(Options)

const orNever = (rule: number | false): number => (rule === false ? Number.POSITIVE_INFINITY : rule)

const policyOf = (options: Options): Policy => ({
  failures: orNever(options.failures ?? defaults.failures),
  failureRate: orNever(options.failureRate ?? defaults.failureRate),
  windowFailures: orNever(options.windowFailures ?? defaults.windowFailures),
  minimumCalls: options.minimumCalls ?? defaults.minimumCalls,
  window: toMs(options.window ?? defaults.window),
  allowedFails: options.allowedFails ?? defaults.allowedFails,
  duration: toMs(options.duration ?? defaults.duration),
  maxDuration: toMs(options.maxDuration ?? defaults.maxDuration),
  tripDuration: toMs(options.tripDuration ?? defaults.tripDuration),
  jitter: options.jitter ?? defaults.jitter,
  maxRetryAfter: toMs(options.maxRetryAfter ?? defaults.maxRetryAfter),
  retryAfterJitter: options.retryAfterJitter ?? defaults.retryAfterJitter,
  permits: options.permits ?? defaults.permits,
  successThreshold: options.successThreshold ?? defaults.successThreshold,
  slowStart: toMs(options.slowStart ?? defaults.slowStart)
})

const credentialHeaders: ReadonlySet<string> = new Set(["authorization", "x-api-key", "api-key", "x-goog-api-key"])

/** What a provider says about a key, not about itself. */
const keyReasons: ReadonlySet<Reason> = new Set<Reason>([
  "Authentication",
  "QuotaExhausted",
  "RateLimited",
  "ModelNotFound"
])

const bringsOwnKey = ({ overrides }: LlmRequest): boolean =>
  overrides.headers !== undefined &&
  Object.keys(overrides.headers).some((name) => credentialHeaders.has(name.toLowerCase()))

/** Ms in which a success of another request speaks for the deployment against a failure that may be the request's own. */
const doubtWindow = 60_000

/** The caller's name became part of the provider's: that one does not exist says nothing about the others. */
const isWildcard = ({ model, target }: Attempt): boolean => model !== target.model

/** A failure that a forwarded caller key brought about, or that its request wants to be none, closes nothing for others. */
const isNeutral = (error: LlmError, request: LlmRequest): boolean =>
  error.breaker === "neutral" ||
  (request.overrides.cooldown !== undefined && !(request.overrides.cooldown > 0)) ||
  (keyReasons.has(error.reason) && bringsOwnKey(request))

/** What deployment and request set for themselves; what counts as too much is not the request's to say. */
const overridesOf = ({ request, target }: Attempt, { duration }: Policy): Overrides => {
  const { overrides } = request
  return overrides.cooldown === undefined
    ? target
    : {
        cooldown: inForce(overrides, overrides.cooldown, target.cooldown ?? duration),
        allowedFails: target.allowedFails
      }
}

const turnedAway = (deployment: string, status: Status, now: number): LlmError => {
  const until = status._tag === "Open" ? undefined : status.until
  return new LlmError({
    reason: "Rejected",
    description: `the breaker of the deployment takes no calls (${status._tag === "Open" ? "lost race" : status.reason})`,
    deployment,
    code: "cooldown",
    ...(until === undefined ? {} : { retryAfter: Math.max(0, until - now) })
  })
}

const flat = <A>(result: A | LlmError): Effect.Effect<A, LlmError> =>
  result instanceof LlmError ? Effect.fail(result) : Effect.succeed(result)

/** What the layer works with. */
export interface CooldownDeps {
  readonly state: Context.Tag.Service<CooldownState>
}

/** What the breaker of a deployment lets through. */
interface Admitted {
  readonly breaker: Breaker
  readonly ticket: Ticket
}

/** The layer, over the breakers of `state`. */
export const make = (deps: CooldownDeps, options: Options = {}): Service.AttemptLayer => {
  const { state } = deps
  const policy = policyOf(options)

  const letIn = (breaker: Breaker, ticket: Ticket | undefined, slot: Slot, at: number): Admitted | LlmError =>
    ticket === undefined ? turnedAway(slot.id, state.status(slot, at), at) : { breaker, ticket }

  return Service.bracketAttempt<Admitted>({
    begin: ({ forced, named, slot }, at) => {
      const breaker = state.of(slot)
      const isIsolated = state.isIsolated(slot)
      const asked = isIsolated ? undefined : breaker.admitTogether?.(policy, at, forced, named)
      if (asked !== undefined) return Effect.flatMap(asked, (ticket) => flat(letIn(breaker, ticket, slot, at)))
      return letIn(breaker, isIsolated ? undefined : breaker.admit(policy, at, forced, named), slot, at)
    },
    // A stream's first content is proof enough: a long answer must not put off the recovery.
    onFirstContent: ({ breaker, ticket }, at) => {
      if (ticket.onTrial) breaker.succeeded(ticket, policy, at)
    },
    end: ({ breaker, ticket }, outcome, at, attempt) => {
      const { request } = attempt
      if (outcome._tag === "Completed") {
        if (isWildcard(attempt)) breaker.has(request.model)
        return breaker.succeeded(ticket, policy, at)
      }
      if (outcome._tag === "Abandoned" || isNeutral(outcome.error, request)) return breaker.undecided(ticket)
      const { error } = outcome
      const rule = error.breaker
      if (rule === "doubtful" && breaker.succeededWithin(doubtWindow, at)) return breaker.undecided(ticket)
      if (rule === "trips" && error.reason === "ModelNotFound" && isWildcard(attempt)) {
        breaker.lacks(request.model, overridesOf(attempt, policy), policy, at)
        return breaker.undecided(ticket)
      }
      const { hold } = error
      if (hold !== undefined) breaker.retryAfter(hold.duration, policy, at, hold.kind)
      breaker.failed(ticket, error.reason, rule === "trips", overridesOf(attempt, policy), policy, at)
    },
    status: (slot, request, now) => state.status(slot, now, request.model)
  })
}

/**
 * Puts a breaker around the inner service.
 *
 * @example
 * ```ts
 * import * as Cooldown from "@switchyard/router/Cooldown"
 *
 * const Breaker = Cooldown.layerWith({ failures: 5, duration: "30 seconds", allowedFails: { Authentication: 2 } })
 * ```
 */
export const layerWith = (
  options: Options
): Layer.Layer<DeploymentService, ConfigError, DeploymentService | CooldownState> =>
  Service.wrap(
    DeploymentService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "cooldown")
      return make({ state: yield* CooldownState }, valid)
    })
  )

/** Puts a breaker around the inner service, with the defaults. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService | CooldownState> = Layer.fresh(
  Layer.orDie(layerWith({}))
)

/** The layer as a concern of a stack. */
export class Cooldown extends Concern.attempt({
  name: "cooldown",
  about: "The circuit breaker of each deployment",
  options: Options,
  outside: { limits: "a closed breaker takes no permit", spendLimits: "a closed breaker sets no money aside" },
  state: [Breakers],
  make: (options) => Effect.map(CooldownState, (state) => make({ state }, options))
}) {}
