/**
 * A second attempt on another deployment when the first is slow, as in "The Tail at Scale" (Dean and Barroso): the first
 * success wins, and the other is ended before the answer is returned. Off by default: a stack hedges by having this layer.
 */
import { isAttempt } from "@switchyard/core/Attempt"
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Route from "@switchyard/core/Route"
import * as Service from "@switchyard/core/Service"
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Context, Effect, Layer } from "effect"
import { type Events, RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents } from "../events/TowerEvents.js"
import { Latencies, LatencyTracker } from "../latency/LatencyTracker.js"
import { DeploymentRegistry, Registry } from "../registry/DeploymentRegistry.js"
import { RetryBudget, RetryTokens } from "../retry/RetryBudget.js"
import * as Concern from "../stack/Concern.js"
import { Race } from "./race.js"

/** Options of the layer. */
export const Options = Field.options(
  "A second attempt on another deployment when the first is slow: the first success wins.",
  {
    /** Fixed time after which a hedge starts. Default: the quantile of the group's answers. */
    delay: Field.option(
      Field.duration,
      "Fixed time after which a hedge starts. Default: the quantile of the group's answers."
    ),
    /** The quantile of the group's recent answers after which a hedge starts, 0 to 1. Default 0.95. */
    quantile: Field.option(
      Field.fraction,
      "The quantile of the group's recent answers after which a hedge starts, 0 to 1.",
      0.95
    ),
    /** Recent answers that the quantile needs; with fewer a request is not hedged. Default 10. */
    minSamples: Field.option(
      Field.positiveCount,
      "Recent answers that the quantile needs; with fewer a request is not hedged.",
      10
    ),
    /** Attempts that run against each other, the first included; 1 means no hedge. Default 2. */
    attempts: Field.option(
      Field.positiveCount,
      "Attempts that run against each other, the first included; 1 means no hedge.",
      2
    )
  }
)
/** Options of the layer. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/** What the layer works with. */
export interface HedgeDeps {
  /** Pays for hedges; a Retry layer above makes the deposits. */
  readonly budget: Context.Tag.Service<RetryBudget>
  /** Ms after which a request is hedged; undefined when that is not known, and the request is not hedged. */
  readonly delay: (request: LlmRequest, now: number) => number | undefined
  /** Where hedges are published. Default: nowhere. */
  readonly events?: Events
}

/**
 * The layer, from what it works with. A hedge starts after the delay, or at once when an attempt fails and may be tried
 * elsewhere; only while a deployment is open that was not asked yet, or nobody knows, and only within the attempts of the request and the
 * retry budget. Each success but the first is closed.
 */
export const make = (deps: HedgeDeps, options: Pick<Options, "attempts"> = {}): Service.RequestLayer => {
  const { budget, delay, events } = deps
  const { attempts = defaults.attempts } = options

  const allow = (openings: Service.RequestService["openings"], request: LlmRequest, now: number): boolean => {
    const { route } = request
    return (
      Route.attemptsLeft(route) > 0 &&
      now < route.deadline &&
      !route.journal.entries.some((entry) => isAttempt(entry) && entry.overtaken) &&
      openings(request, now).some(
        ({ deployment, opensAt }) => opensAt <= now && (deployment === undefined || !route.avoided.includes(deployment))
      ) &&
      budget.withdraw(now)
    )
  }

  return (next) =>
    Service.request(
      (request) =>
        Effect.clockWith((clock) => {
          const after = attempts > 1 ? delay(request, nowMs(clock)) : undefined
          if (after === undefined) return next.call(request)
          const group = request.model
          return Effect.uninterruptibleMask((restore) =>
            Effect.flatMap(Effect.runtime<never>(), (runtime) => {
              const race = new Race(runtime, request, {
                next,
                clock,
                delay: after,
                attempts,
                allow: (asked, now) => allow(next.openings, asked, now),
                onStarted: (at) =>
                  events?.publish(
                    { _tag: "HedgeStarted", at, group, deployment: request.route.journal.last?.deployment },
                    request
                  ),
                onWon: (deployment, at) => events?.publish({ _tag: "HedgeWon", at, group, deployment }, request)
              })
              race.start()
              return Effect.matchCauseEffect(restore(race.over), {
                onFailure: (cause) => Effect.zipRight(race.abandon, Effect.failCause(cause)),
                onSuccess: () => race.result()
              })
            })
          )
        }),
      next.openings
    )
}

/** The delay that a group's recent answers suggest; undefined while there are too few. */
export const quantileDelay =
  (
    tracker: Context.Tag.Service<LatencyTracker>,
    registry: Pick<Context.Tag.Service<DeploymentRegistry>, "resolve">,
    options: Pick<Options, "quantile" | "minSamples"> = {}
  ): HedgeDeps["delay"] =>
  (request, now) => {
    const { minSamples = defaults.minSamples, quantile = defaults.quantile } = options
    const group = registry.resolve(request.model)?.group
    const answers = group === undefined ? undefined : tracker.group(group.name)
    if (answers === undefined || answers.samples(request.stream, now) < minSamples) return undefined
    return answers.quantile(quantile, request.stream, now)
  }

/** The delay that the options say: the fixed one, or else the quantile of the group's recent answers. */
export const delayOf = (
  tracker: Context.Tag.Service<LatencyTracker>,
  registry: Pick<Context.Tag.Service<DeploymentRegistry>, "resolve">,
  options: Options
): HedgeDeps["delay"] => {
  if (options.delay === undefined) return quantileDelay(tracker, registry, options)
  const fixed = toMs(options.delay)
  return () => fixed
}

/** Hedges around the inner service. Belongs directly outside the Balancer, inside Retry. */
export const layerWith = (
  options: Options
): Layer.Layer<LlmService, ConfigError, LlmService | RetryBudget | LatencyTracker | DeploymentRegistry> =>
  Service.wrap(
    LlmService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "hedge")
      const budget = yield* RetryBudget
      const delay = delayOf(yield* LatencyTracker, yield* DeploymentRegistry, valid)
      return make({ budget, delay, events: yield* RouterEvents }, valid)
    })
  )

/** Hedges around the inner service, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService | RetryBudget | LatencyTracker | DeploymentRegistry> =
  Layer.fresh(Layer.orDie(layerWith({})))

/** The layer as a concern of a stack. */
export class Hedge extends Concern.request({
  name: "hedge",
  about: "Asks a second deployment while the first is slow to answer",
  on: false,
  options: Options,
  state: [RetryTokens, Latencies, Registry, TowerEvents],
  make: (options) =>
    Effect.gen(function* () {
      const delay = delayOf(yield* LatencyTracker, yield* DeploymentRegistry, options)
      return make({ budget: yield* RetryBudget, events: yield* RouterEvents, delay }, options)
    })
}) {}
