/**
 * Learns how many calls at once each deployment bears, and sends it no more: what would only wait there goes to another one,
 * or is refused while there is still time to ask elsewhere. A full deployment is `Busy`, as one at its `maxParallel` is.
 *
 * A permit is held until the call's end, through the whole stream. What is timed is the first token of a stream, and of a
 * plain answer its time by its tokens, as long answers take long everywhere.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import { type ConfigError, type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import { LlmError } from "@switchyard/core/LlmError"
import { isMedia } from "@switchyard/core/Operation"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { type Busy, busy, open } from "@switchyard/core/Status"
import { type Context, Effect, Layer, Schema } from "effect"
import * as Concern from "../stack/Concern.js"
import type { Given } from "../stack/State.js"
import { ConcurrencyLimits, Learned } from "./ConcurrencyLimits.js"
import type { LearnedConcurrency, Rule } from "./learnedConcurrency.js"

/** Options of the layer. */
export const Options = Field.options("Learns how many calls at once each deployment bears, and sends it no more.", {
  /** The fewest calls at once that a limit shrinks to. Default 1. */
  min: Field.option(Field.positiveCount, "The fewest calls at once that a limit shrinks to.", 1),
  /** The most calls at once that a limit grows to. Default 1,000. */
  max: Field.option(Field.positiveCount, "The most calls at once that a limit grows to.", 1000),
  /** The limit of a deployment of which nothing is known. Default 20. */
  initial: Field.option(Field.positiveCount, "The limit of a deployment of which nothing is known.", 20),
  /** Answers may take so many times as long as without load before the limit shrinks; at least 1. Default 2. */
  tolerance: Field.option(
    Schema.Number.pipe(Schema.finite(), Schema.greaterThanOrEqualTo(1)).annotations({
      message: () => ({ message: "a number of at least 1", override: true })
    }),
    "Answers may take so many times as long as without load before the limit shrinks; at least 1.",
    2
  ),
  /** What is left of a limit after a 429, a 529 or a timeout, as a share. Default 0.8. */
  cut: Field.option(Field.fraction, "What is left of a limit after a 429, a 529 or a timeout, as a share.", 0.8)
})
/** Options of the layer. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/** What the layer works with. */
export interface AdaptiveConcurrencyDeps {
  readonly limits: Context.Tag.Service<ConcurrencyLimits>
}

const ruleOf = (options: Options): Rule => {
  const max = options.max ?? defaults.max
  const min = Math.min(max, options.min ?? defaults.min)
  const initial = Math.min(max, Math.max(min, options.initial ?? defaults.initial))
  return { min, max, initial, tolerance: options.tolerance ?? defaults.tolerance, cut: options.cut ?? defaults.cut }
}

/** Nobody knows when a call ends, but one that does makes room. */
const full: Busy = { ...busy("concurrency"), early: true }

const rejected = ({ deployment, provider }: Attempt): LlmError =>
  new LlmError({
    reason: "Rejected",
    description: "the deployment has as many calls at once as it bears",
    deployment,
    provider,
    code: "concurrency"
  })

/**
 * Whether a failure says that the deployment has too much to do. A 503 is as often an outage, which the breaker sees to, and
 * after which all calls at once are welcome again; a bound that the request brought says nothing either.
 */
const isOverload = ({ bound, reason, status }: LlmError): boolean =>
  reason === "RateLimited" || status === 529 || (reason === "Timeout" && bound !== "caller" && bound !== "request")

/** Answers of fewer output tokens than this take as long as the first token does, and count as this many. */
const fewTokens = 16

/** The layer, over the limits that it learns. */
export const make = ({ limits }: AdaptiveConcurrencyDeps, options: Options = {}): Service.AttemptLayer => {
  const rule = ruleOf(options)

  const learn = (learned: LearnedConcurrency, outcome: Outcome, at: number, { request, startedAt }: Attempt): void => {
    if (outcome._tag === "Failed" && isOverload(outcome.error)) learned.refused(startedAt, at, rule)
    if (outcome._tag !== "Completed" || request.stream || isMedia(request.operation)) return
    learned.answered((at - startedAt) / Math.max(fewTokens, outcome.usage?.outputTokens ?? 0), rule)
  }

  return Service.bracketAttempt<LearnedConcurrency>({
    begin: (attempt) => {
      const learned = limits.of(attempt.slot, rule.initial)
      learned.within(rule)
      if (!learned.hasRoom) return rejected(attempt)
      learned.taken()
      return learned
    },
    onFirstContent: (learned, at, { startedAt }) => learned.began(at - startedAt, rule),
    end: (learned, outcome, at, attempt) => {
      learned.given()
      learn(learned, outcome, at, attempt)
      limits.released(attempt.slot, at)
    },
    status: (slot) => (limits.of(slot, rule.initial).hasRoom ? open : full)
  })
}

/** Sends deployments no more calls at once than they bear. */
export const layerWith = (
  options: Options
): Layer.Layer<DeploymentService, ConfigError, DeploymentService | ConcurrencyLimits> =>
  Service.wrap(
    DeploymentService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "adaptiveConcurrency")
      return make({ limits: yield* ConcurrencyLimits }, valid)
    })
  )

/** Sends deployments no more calls at once than they bear, with the defaults. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService | ConcurrencyLimits> = Layer.fresh(
  Layer.orDie(layerWith({}))
)

const check = ({ adaptiveConcurrency }: Given): ReadonlyArray<ConfigIssue> => {
  const { max = defaults.max, min = defaults.min } = (adaptiveConcurrency ?? {}) as Options
  return min > max ? [issue("adaptiveConcurrency.min", min, `at most \`max\`, which is ${max}`)] : []
}

/** The layer as a concern of a stack. */
export class AdaptiveConcurrency extends Concern.attempt({
  name: "adaptiveConcurrency",
  about: "As many calls at once as a deployment bears, learned from its answers",
  on: false,
  options: Options,
  outside: {
    latency: "what is turned away is not slow",
    attemptMetrics: "what was turned away is no attempt",
    timeouts: "an attempt that timed out says that there are too many"
  },
  inside: { cooldown: "a closed breaker takes no permit" },
  state: [Learned],
  check,
  make: (options) => Effect.map(ConcurrencyLimits, (limits) => make({ limits }, options))
}) {}
