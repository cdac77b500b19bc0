/**
 * Goes to another model group when one cannot answer. The walk over the chains is depth first, tries each target at most
 * once per request, and is bounded by a number of hops, so that chains that point at each other end.
 */
import { ConfigError, type ConfigIssue } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { FallbackHop, JournalEntry } from "@switchyard/core/Journal"
import type { FallbackKind, LlmError, Reason } from "@switchyard/core/LlmError"
import { type FallbackTarget, inForce, type LlmRequest, longestInputTokens, wordsOf } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { LlmService } from "@switchyard/core/LlmService"
import * as Route from "@switchyard/core/Route"
import * as Service from "@switchyard/core/Service"
import { nowMs } from "@switchyard/core/Time"
import { type Context, Effect, Either, Layer } from "effect"
import { type Events, RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents } from "../events/TowerEvents.js"
import {
  DeploymentRegistry,
  make as makeRegistry,
  Registry,
  type RegistryConfig
} from "../registry/DeploymentRegistry.js"
import { isOvertaken } from "../retry/overtaken.js"
import * as Concern from "../stack/Concern.js"
import type { Given } from "../stack/State.js"
import * as FallbackChains from "./FallbackChains.js"
import { defaults, Options } from "./fallbackOptions.js"
import { FallbackPlans } from "./fallbackPlans.js"
import { isFiltered, violation } from "./filteredAnswer.js"
import { Places, windowOf } from "./places.js"

export { Options }

/** What the layer works with. */
export interface FallbackDeps {
  /** Sees through aliases, and knows how much a target can read. */
  readonly registry: Pick<Context.Tag.Service<DeploymentRegistry>, "resolve" | "version">
  /** Where hops are published. Default: nowhere. */
  readonly events?: Events
}

/** A target that waits for its turn, and why it does. */
interface Step {
  readonly target: FallbackTarget
  readonly kind: FallbackKind
  readonly from: string
  readonly reason: Reason
  /** The deployment that failed, where one did. */
  readonly deployment: string | undefined
}

/** An answer that a content filter stopped, whose attempt it was, and the hop that led there. */
interface Filtered {
  readonly response: LlmResponse
  readonly attempt: JournalEntry | undefined
  readonly hop: FallbackHop | undefined
}

/** One request's walk over the chains. */
interface Walk {
  readonly request: LlmRequest
  readonly enter: Service.Run<LlmRequest>
  readonly region: Service.Region
  /** The error of the group that the caller asked for. */
  readonly primary: LlmError
  /** The first answer that a content filter stopped: better than an error when nothing else answers. */
  filtered: Filtered | undefined
  /** Targets to come, the next one last. */
  readonly pending: Array<Step>
  readonly visited: Places
  readonly names: Array<string>
  /** Tokens that the prompt is known to need more than; 0 while no window was too small. */
  needed: number
  /** Ms after which the first of the places that said so may be asked again. */
  soonest: number
}

/** Hops of a request when nobody says otherwise. */
export const defaultMaxFallbacks = defaults.maxFallbacks

const changesPrompt = (request: LlmRequest, { overrides }: FallbackTarget): boolean =>
  overrides !== undefined && wordsOf(request).promptFields.some((field) => overrides[field] !== undefined)

/** The request as one target gets it; everything that the target does not override is the caller's. */
const requestFor = (request: LlmRequest, target: FallbackTarget, route: Route.Route): LlmRequest => ({
  ...request,
  model: target.model,
  body: target.overrides === undefined ? request.body : wordsOf(request).overlay(request.body, target.overrides),
  route
})

/** The route of a group after which `ahead` more places could be tried: one attempt is kept back for each. */
const routeWith = (route: Route.Route, ahead: number, visited: ReadonlyArray<string>): Route.Route => ({
  ...route,
  visited,
  lastResort: route.lastResort && ahead === 0,
  reserved: route.reserved + Math.max(0, Math.min(ahead, Route.attemptsLeft(route) - 1))
})

/** The layer, from what it works with. Chains are not checked here: `layer` and `FallbackChains.validate` do that. */
export const make = (deps: FallbackDeps, options: Options = {}): Service.RequestLayer => {
  const { events, registry } = deps
  const plans = new FallbackPlans(
    FallbackChains.FallbackChains.make(options.chains ?? {}, registry.resolve),
    registry,
    {
      contentPolicyUsesGeneral: options.contentPolicyUsesGeneral ?? defaults.contentPolicyUsesGeneral,
      invalidRequestUsesGeneral: options.invalidRequestUsesGeneral ?? defaults.invalidRequestUsesGeneral
    }
  )

  const tooSmall = (walk: Walk, target: FallbackTarget): boolean => {
    if (walk.needed === 0) return false
    const window = windowOf(registry, target.model)
    if (window === undefined) return false
    return (
      window <=
      (changesPrompt(walk.request, target)
        ? longestInputTokens(requestFor(walk.request, target, walk.request.route))
        : walk.needed)
    )
  }

  /** Takes in a failure: its chain comes next, before the rest of the chain that led here. */
  const learn = (walk: Walk, target: FallbackTarget, error: LlmError): void => {
    walk.soonest = Math.min(walk.soonest, error.retryAfter ?? Number.POSITIVE_INFINITY)
    if (error.reason === "ContextWindowExceeded" && !changesPrompt(walk.request, target)) {
      const asked = error.deployment === undefined ? undefined : windowOf(registry, error.deployment)
      const refusing = asked ?? windowOf(registry, target.model) ?? 0
      walk.needed = Math.max(walk.needed, refusing, longestInputTokens(walk.request))
    }
    const chain = plans.chain(walk.request, target.model, error)
    if (chain === undefined) return
    for (let i = chain.targets.length - 1; i >= 0; i--) {
      const next = chain.targets[i]
      if (next !== undefined) {
        const { deployment, reason } = error
        walk.pending.push({ target: next, kind: chain.kind, from: target.model, reason, deployment })
      }
    }
  }

  const takeNext = (walk: Walk): Step | undefined => {
    for (let step = walk.pending.pop(); step !== undefined; step = walk.pending.pop()) {
      if (!walk.visited.has(step.target.model) && !tooSmall(walk, step.target)) return step
    }
    return undefined
  }

  const hopsLeft = ({ overrides, route }: LlmRequest): number =>
    inForce(overrides, overrides.maxFallbacks, options.maxFallbacks ?? defaults.maxFallbacks) -
    route.journal.fallbacks.length

  /** The route of a target: pending targets and its own chain lie ahead, as far as hops allow. */
  const routeOf = (walk: Walk, model: string): Route.Route => {
    const ahead = [...walk.pending.map((step) => step.target), ...plans.plan(walk.request, model).outage]
    const reachable = Math.max(0, Math.min(walk.visited.countNew(ahead), hopsLeft(walk.request)))
    return { ...routeWith(walk.request.route, reachable, [...walk.names]), overtaking: undefined }
  }

  const deliver = (
    { request }: Walk,
    response: LlmResponse,
    hop: FallbackHop | undefined,
    kept?: JournalEntry
  ): Service.Call => {
    request.route.journal.delivered(hop, kept)
    return Effect.succeed(response)
  }

  const surface = (walk: Walk): Service.Call =>
    walk.filtered !== undefined
      ? deliver(walk, walk.filtered.response, walk.filtered.hop, walk.filtered.attempt)
      : Effect.fail(finalError(walk))

  /** The primary's error, with every attempt, and with the moment at which the first place that waits may be asked again. */
  const finalError = ({ names, primary, request, soonest }: Walk): LlmError => {
    if (names.length <= request.route.visited.length + 1) return primary
    const attempts = request.route.journal.attemptReports()
    return primary.retryAfter === undefined || primary.retryAfter <= soonest
      ? primary.with({ attempts })
      : primary.with({ attempts, retryAfter: soonest })
  }

  const proceed = (walk: Walk): Service.Call =>
    Effect.clockWith((clock) => {
      const { request } = walk
      const { deadline, journal } = request.route
      const now = nowMs(clock)
      if (!(hopsLeft(request) > 0) || Route.attemptsLeft(request.route) <= 0 || now >= deadline) return surface(walk)
      const step = takeNext(walk)
      if (step === undefined) return surface(walk)
      const { deployment, from, kind, reason, target } = step
      const hop = { kind, from, to: target.model }
      journal.hop(hop)
      events?.publish({ _tag: "FallbackTaken", at: now, kind, from, to: target.model, deployment, reason }, request)
      walk.visited.add(target.model)
      walk.names.push(target.model)
      return Effect.matchEffect(walk.enter(requestFor(request, target, routeOf(walk, target.model)), walk.region), {
        onFailure: (error) => {
          if (isOvertaken(journal, error)) return Effect.fail(error)
          if (error.reason === "BudgetExceeded") return surface(walk)
          learn(walk, target, error)
          return proceed(walk)
        },
        onSuccess: (response) => {
          const matters =
            kind === "contentPolicy" || walk.filtered !== undefined || plans.plan(request, target.model).contentPolicy
          if (matters && isFiltered(request, response)) {
            walk.filtered ??= { response, attempt: journal.answered, hop }
            learn(walk, target, violation(target.model))
            return proceed(walk)
          }
          return deliver(walk, response, hop)
        }
      })
    })

  const walkFrom = (
    enter: Service.Run<LlmRequest>,
    region: Service.Region,
    request: LlmRequest,
    primary: LlmError,
    filtered?: Filtered
  ): Service.Call =>
    Effect.suspend(() => {
      if (isOvertaken(request.route.journal, primary)) return Effect.fail(primary)
      const names = [...request.route.visited, request.model]
      const walk: Walk = {
        request,
        enter,
        region,
        primary,
        filtered,
        pending: [],
        visited: new Places(registry),
        names,
        needed: 0,
        soonest: Number.POSITIVE_INFINITY
      }
      for (const name of names) walk.visited.add(name)
      learn(walk, { model: request.model }, primary)
      return proceed(walk)
    })

  return (next) => {
    const enter = Service.entry(next)
    return Service.requestWithin((request, region) => {
      if (request.overrides.disableFallbacks === true) return enter(request, region)
      const hops = hopsLeft(request)
      if (!(hops > 0)) return enter(request, region)
      const plan = plans.plan(request, request.model)
      if (plan.isEmpty) return enter(request, region)
      const { overtaking, visited } = request.route
      if (overtaking?.error !== undefined) return walkFrom(enter, region, request, overtaking.error)
      const route = routeWith(request.route, Math.min(plan.ahead, hops), visited)
      const call = enter({ ...request, route }, region)
      if (!plan.contentPolicy) return Service.recovered(call, (error) => walkFrom(enter, region, request, error))
      return Effect.matchEffect(call, {
        onFailure: (error) => walkFrom(enter, region, request, error),
        onSuccess: (response) =>
          isFiltered(request, response)
            ? walkFrom(enter, region, request, violation(request.model), {
                response,
                attempt: request.route.journal.answered,
                hop: undefined
              })
            : Effect.succeed(response)
      })
    }, next.openings)
  }
}

/**
 * Falls back over the chains around the inner service. Fails to build when a target is unknown to the registry; cycles
 * are logged as warnings.
 *
 * @example
 * ```ts
 * import * as Fallback from "@switchyard/router/Fallback"
 *
 * const Chains = Fallback.layerWith({
 *   chains: {
 *     general: { smart: ["smart-eu", { model: "cheap", overrides: { max_tokens: 1000 } }] },
 *     contextWindow: { smart: ["long"] },
 *     default: ["cheap"]
 *   },
 *   maxFallbacks: 3
 * })
 * ```
 */
export const layerWith = (options: Options): Layer.Layer<LlmService, ConfigError, LlmService | DeploymentRegistry> =>
  Service.wrap(
    LlmService,
    Effect.gen(function* () {
      yield* Field.decode(Options, options, "fallback")
      const registry = yield* DeploymentRegistry
      const events = yield* RouterEvents
      const chains = FallbackChains.FallbackChains.make(options.chains ?? {}, registry.resolve)
      const { errors, warnings } = chains.validate((model) => registry.resolve(model) !== undefined, "fallback.chains")
      if (errors.length > 0) return yield* new ConfigError({ issues: errors })
      for (const { kind, path } of warnings) {
        yield* Effect.logWarning(`fallback chains, ${kind}: a cycle, ${path.join(" -> ")}`)
      }
      return make({ registry, events }, options)
    })
  )

/** Falls back over the chains around the inner service, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService | DeploymentRegistry> = Layer.fresh(
  Layer.orDie(layerWith({}))
)

/** Targets that no group, alias or deployment of the options serves. */
const unknownTargets = (given: Given): ReadonlyArray<ConfigIssue> => {
  const { fallback = {} } = given as { readonly fallback?: Options | false }
  const registry = Effect.runSync(Effect.either(makeRegistry(given as unknown as RegistryConfig)))
  if (Either.isLeft(registry) || fallback === false || fallback.chains === undefined) return []
  const { resolve } = registry.right
  const chains = FallbackChains.FallbackChains.make(fallback.chains, resolve)
  return chains.validate((model) => resolve(model) !== undefined, "fallback.chains").errors
}

/** The layer as a concern of a stack. */
export class Fallback extends Concern.request({
  name: "fallback",
  about: "Other groups, when a group has failed",
  options: Options,
  outside: { retry: "a group is given up when its retries are", hedge: "a group is given up as a whole" },
  state: [Registry, TowerEvents],
  make: (options) =>
    Effect.gen(function* () {
      return make({ registry: yield* DeploymentRegistry, events: yield* RouterEvents }, options)
    }),
  check: unknownTargets
}) {}
