/**
 * The one layer that turns the request tier into the attempt tier: it resolves the group, filters the candidates by what
 * the request demands and by `status`, lets the strategy choose, and writes the attempt into the journal.
 */
import { Attempt } from "@switchyard/core/Attempt"
import type { ConfigError } from "@switchyard/core/ConfigError"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Route from "@switchyard/core/Route"
import * as Service from "@switchyard/core/Service"
import { clockHere, nowMs } from "@switchyard/core/Time"
import { substitute } from "@switchyard/core/Wildcard"
import { type Clock, type Context, Duration, Effect, Layer, Schema } from "effect"
import { attemptEnded, attemptStarted } from "../events/attemptEvents.js"
import { type Events, RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents } from "../events/TowerEvents.js"
import { learnLength } from "../money/answerLengths.js"
import { DeploymentRegistry, Registry, type Resolved } from "../registry/DeploymentRegistry.js"
import * as DeploymentStats from "../registry/DeploymentStats.js"
import * as Concern from "../stack/Concern.js"
import { RoutingStrategy, type Strategy } from "./RoutingStrategy.js"
import { type Choice, Selection, StrategyDefect } from "./selection.js"
import { Strategies, TowerStrategies } from "./TowerStrategies.js"

export { StrategyDefect }

/** Options of the balancer. */
export const Options = Field.options("How a deployment of a group is chosen.", {
  /**
   * What to do when every deployment of the group is closed: `fail` at once, `wait` up to the request's deadline for the
   * soonest, send to the `leastBad` one, or `look`: fail at once, but while failures keep more than half of the group closed,
   * one request a second is sent to one of those, to see whether it is back. Default `look`.
   */
  whenAllClosed: Field.option(
    Schema.Literal("fail", "wait", "leastBad", "look").annotations({
      message: () => ({ message: '"fail", "wait", "leastBad" or "look"', override: true })
    }),
    "What to do when every deployment of the group is closed: `fail` at once, `wait` up to the request's deadline for the soonest, send to the `leastBad` one, or `look`: fail at once, but while failures keep more than half of the group closed, one request a second is sent to one of those, to see whether it is back.",
    "look"
  )
})
/** Options of the balancer. */
export type Options = typeof Options.Type

/** What the balancer works with. */
export interface BalancerDeps {
  readonly registry: Context.Tag.Service<DeploymentRegistry>
  readonly strategy: Strategy
  readonly stats: Context.Tag.Service<DeploymentStats.DeploymentStats>
  /** Where attempts are published, while somebody listens. Default: nowhere. */
  readonly events?: Pick<Events, "publish" | "isActive">
}

/** Where a request is routed. */
interface Here {
  readonly clock: Clock.Clock
  readonly region: Service.Region
  /** What turned it away so far, of the deployments that its route leaves out for that. */
  readonly refusals: ReadonlyArray<LlmError>
}

const none: ReadonlyArray<LlmError> = []

const unknownModel = (model: string, why: string | undefined): LlmError =>
  new LlmError({
    reason: "UnknownModel",
    description: `no group, alias, wildcard or deployment is named ${JSON.stringify(model)}${why === undefined ? "" : `: ${why}`}`
  })

/** Ms between two looks at a group of which most are closed: soon enough to be back at once, too rarely to press anybody. */
const betweenLooks = 1000
/** Ms for which nobody looks after a look met a limit: that is no outage, and passes with time. */
const afterLimit = 30_000

const isLocalRejection = (outcome: Outcome, attempt: Attempt): boolean =>
  outcome._tag === "Failed" && outcome.error.reason === "Rejected" && outcome.error.deployment === attempt.deployment

const isLimit = (outcome: Outcome): boolean => outcome._tag === "Failed" && outcome.error.reason === "RateLimited"

/** It was this process that had no connection left: without another deployment that is what the caller is told. */
const orRefusal = (elsewhere: Service.Call, refusal: LlmError): Service.Call =>
  Service.recovered(elsewhere, (error) =>
    Effect.fail(error.reason === "NoDeployment" ? refusal.with({ deployment: undefined }) : error)
  )

/** The layer, from the services that it works with. */
export const make =
  (deps: BalancerDeps, options: Options = {}) =>
  (next: Service.AttemptService): Service.RequestService => {
    const { events, registry, stats, strategy } = deps
    const { whenAllClosed = "look" } = options
    const lookedAt = new Map<string, number>()

    const settle = (attempt: Attempt, outcome: Outcome, at: number): void => {
      const figures = stats.of(attempt.slot)
      attempt.settle(outcome, at)
      if (isLocalRejection(outcome, attempt)) {
        attempt.rejected = true
        attempt.request.route.journal.noteRejected()
        DeploymentStats.rejected(figures, at)
      } else {
        if (attempt.forced && isLimit(outcome)) lookedAt.set(attempt.slot.deployment.group, at + afterLimit)
        DeploymentStats.settled(figures, outcome, at)
        learnLength(attempt.slot, attempt.request, outcome, at)
      }
    }

    const guarded = Service.bracketAttempt<void>({
      begin: (attempt) => attempt.request.route.journal.refusal(attempt)
    })
    const written = Service.bracketAttempt<void>({
      begin: (attempt) => {
        attempt.request.route.journal.append(attempt)
        DeploymentStats.started(stats.of(attempt.slot), attempt.startedAt)
        if (events?.isActive() === true) events.publish(attemptStarted(attempt))
      },
      end: (_, outcome, at, attempt) => {
        if (outcome._tag !== "Completed") attempt.release()
        settle(attempt, outcome, at)
        if (events?.isActive() === true) events.publish(attemptEnded(attempt, outcome, at))
      }
    })
    const enter = Service.entry(written(guarded(next)))

    const run = (attempt: Attempt, region: Service.Region): Service.Call => {
      const call = enter(attempt, region)
      return attempt.request.stream ? Service.primedWithin(call, region) : call
    }

    const dispatch = (
      choice: Choice,
      selection: Selection,
      resolved: Resolved,
      request: LlmRequest,
      now: number,
      { clock, refusals, region }: Here
    ): Service.Call => {
      const { slot } = choice
      const attempt = new Attempt(
        request.route.journal.entries.length + 1,
        request,
        slot,
        now,
        selection,
        choice.forced,
        substitute(slot.deployment.model, resolved.captures)
      )
      attempt.named = resolved.group.isById || request.demands.deployment === slot.id
      // A lost race for a limit is no failure: pick again without that deployment.
      return Service.recovered(run(attempt, region), (error) => {
        if (!attempt.rejected) return Effect.fail(error)
        const elsewhere = Effect.suspend(() =>
          route(
            resolved,
            { ...request, route: Route.exclude(request.route, slot.id) },
            { clock, region, refusals: [...refusals, error] }
          )
        )
        return error.code === "no_connection" ? orRefusal(elsewhere, error) : elsewhere
      })
    }

    const waitAndRoute = (
      error: LlmError,
      resolved: Resolved,
      request: LlmRequest,
      now: number,
      { clock, refusals, region }: Here
    ): Service.Call => {
      const wait = error.retryAfter
      if (wait === undefined || now + wait >= request.route.deadline) return Effect.fail(error)
      return Effect.zipRight(
        Service.waiting(region, clock.sleep(Duration.millis(Math.max(1, wait)))),
        Effect.suspend(() => route(registry.resolve(request.model) ?? resolved, request, { clock, region, refusals }))
      )
    }

    /** The one that is asked to see whether it is back: once a second, where failures closed most of the group. */
    const looked = (selection: Selection, { group }: Resolved, now: number): Choice | undefined => {
      const since = lookedAt.get(group.name)
      if (since !== undefined && now - since < betweenLooks) return undefined
      lookedAt.set(group.name, now)
      return since === undefined ? undefined : selection.look((slot) => stats.of(slot).inFlight === 0)
    }

    const chosen = (selection: Selection, resolved: Resolved, now: number): Choice | undefined => {
      const look = whenAllClosed === "look" && resolved.group.size > 1 ? looked(selection, resolved, now) : undefined
      return look ?? selection.pick(strategy) ?? (whenAllClosed === "leastBad" ? selection.leastBad() : undefined)
    }

    const route = (resolved: Resolved, request: LlmRequest, here: Here): Service.Call => {
      const now = nowMs(here.clock)
      const selection = new Selection(resolved.group, request, now, next.status, resolved.captures, here.refusals)
      const choice = chosen(selection, resolved, now)
      if (choice !== undefined) return dispatch(choice, selection, resolved, request, now, here)
      const error = selection.nothing()
      return whenAllClosed === "wait" ? waitAndRoute(error, resolved, request, now, here) : Effect.fail(error)
    }

    return Service.requestWithin(
      (request, region) => {
        const resolved = registry.resolve(request.model)
        return resolved === undefined
          ? Effect.fail(unknownModel(request.model, registry.whyUnserved(request.model)))
          : route(resolved, request, { clock: clockHere(), region, refusals: none })
      },
      (request, now) => {
        const resolved = registry.resolve(request.model)
        return resolved === undefined
          ? []
          : new Selection(resolved.group, request, now, next.status, resolved.captures).openings()
      }
    )
  }

/** Routes `LlmRequest`s to deployments with the strategy in the context. */
export const layerWith = (
  options: Options
): Layer.Layer<
  LlmService,
  ConfigError,
  DeploymentService | DeploymentRegistry | RoutingStrategy | DeploymentStats.DeploymentStats
> =>
  Layer.fresh(
    Layer.effect(
      LlmService,
      Effect.gen(function* () {
        const valid = yield* Field.decode(Options, options, "balancer")
        const registry = yield* DeploymentRegistry
        const strategy = yield* RoutingStrategy
        const stats = yield* DeploymentStats.DeploymentStats
        const next = yield* DeploymentService
        return make({ registry, strategy, stats, events: yield* RouterEvents }, valid)(next)
      })
    )
  )

/** Routes `LlmRequest`s to deployments with the strategy in the context, with the defaults. */
export const layer: Layer.Layer<
  LlmService,
  never,
  DeploymentService | DeploymentRegistry | RoutingStrategy | DeploymentStats.DeploymentStats
> = Layer.fresh(Layer.orDie(layerWith({})))

/** The turn of a stack. */
export class Balancer extends Concern.turn({
  name: "balancer",
  about: "Chooses a deployment, by the strategy of its group",
  options: Options,
  state: [Registry, DeploymentStats.Statistics, Strategies, TowerEvents],
  make: (options) =>
    Effect.gen(function* () {
      const { strategy } = yield* TowerStrategies
      const stats = yield* DeploymentStats.DeploymentStats
      const deps = { registry: yield* DeploymentRegistry, stats, strategy }
      return make({ ...deps, events: yield* RouterEvents }, options)
    })
}) {}
