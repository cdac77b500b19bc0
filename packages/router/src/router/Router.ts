/**
 * The whole tower from one options object: every layer of this package in its place, each with its defaults. Read
 * `attemptTier` and `requestTier` from the bottom up, as a call goes; to change the order, compose the layers yourself.
 */
import { ConfigError, type ConfigIssue } from "@switchyard/core/ConfigError"
import * as Defect from "@switchyard/core/Defect"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import { uniform } from "@switchyard/core/Dice"
import * as Field from "@switchyard/core/Field"
import { LlmService } from "@switchyard/core/LlmService"
import type * as Service from "@switchyard/core/Service"
import { Context, Effect, Either, Layer, Schema, type Scope } from "effect"
import * as Balancer from "../balancing/Balancer.js"
import type { Strategy } from "../balancing/RoutingStrategy.js"
import * as Cooldown from "../breaker/Cooldown.js"
import * as CooldownState from "../breaker/CooldownState.js"
import * as HealthProbes from "../breaker/HealthProbes.js"
import * as Cache from "../cache/Cache.js"
import * as CacheStore from "../cache/CacheStore.js"
import * as FaultInjection from "../drills/FaultInjection.js"
import * as RequestEvents from "../events/RequestEvents.js"
import { RouterEvents } from "../events/RouterEvents.js"
import * as Fallback from "../fallback/Fallback.js"
import * as FallbackChains from "../fallback/FallbackChains.js"
import * as Hedge from "../hedge/Hedge.js"
import * as Patience from "../hedge/Patience.js"
import * as Latency from "../latency/Latency.js"
import * as LatencyTracker from "../latency/LatencyTracker.js"
import * as CallerLimits from "../limits/CallerLimits.js"
import * as CallerWindows from "../limits/CallerWindows.js"
import * as Limits from "../limits/Limits.js"
import * as UsageWindows from "../limits/UsageWindows.js"
import * as CallerBudget from "../money/CallerBudget.js"
import * as Cost from "../money/Cost.js"
import * as PriceBook from "../money/PriceBook.js"
import * as SpendLimits from "../money/SpendLimits.js"
import * as SpendWindows from "../money/SpendWindows.js"
import * as UnpricedBudgets from "../money/UnpricedBudgets.js"
import { EventCounters } from "../observe/eventCounters.js"
import * as Metrics from "../observe/Metrics.js"
import { MetricsSink } from "../observe/MetricsSink.js"
import * as Tracing from "../observe/Tracing.js"
import * as Pinning from "../pinning/Pinning.js"
import * as AdmissionQueue from "../queue/AdmissionQueue.js"
import * as StreamRecovery from "../recovery/streamRecovery.js"
import * as DeploymentRegistry from "../registry/DeploymentRegistry.js"
import * as DeploymentStats from "../registry/DeploymentStats.js"
import * as Retry from "../retry/Retry.js"
import * as RetryBudget from "../retry/RetryBudget.js"
import * as Deadline from "../time/Deadline.js"
import * as Timeouts from "../time/Timeouts.js"
import { routed, type ServiceEntry } from "./fromServices.js"
import type { Kept } from "./kept.js"
import { buildStrategies, groupLayers, type StrategyLayer, strategyLayer } from "./strategies.js"
import { keptFrom, type State, stateLayer, strategiesBefore } from "./takeOver.js"

export type { ServiceEntry, StrategyLayer }

const off = Schema.Literal(false)

/** What each layer calls its own options; `false` leaves a layer out. */
export const concerns = Schema.Struct({
  balancer: Schema.optional(Balancer.Options),
  retry: Schema.optional(Schema.Union(off, Retry.Options)),
  retryBudget: Schema.optional(RetryBudget.Options),
  fallback: Schema.optional(Fallback.Options),
  recovery: Schema.optional(StreamRecovery.Options),
  cooldown: Schema.optional(Schema.Union(off, Cooldown.Options)),
  healthProbes: Schema.optional(HealthProbes.Options),
  limits: Schema.optional(Schema.Union(off, Limits.Options)),
  latency: Schema.optional(LatencyTracker.Options),
  timeouts: Schema.optional(Timeouts.Options),
  /** When others are asked beside a slow call that does not stream. */
  patience: Schema.optional(Patience.Options),
  deadline: Schema.optional(Deadline.Options),
  callerBudget: Schema.optional(CallerBudget.Options),
  callerLimits: Schema.optional(CallerLimits.Options),
  spendLimits: Schema.optional(SpendLimits.Options),
  cache: Schema.optional(Cache.Options),
  cacheStore: Schema.optional(CacheStore.Options),
  queue: Schema.optional(AdmissionQueue.Options),
  hedge: Schema.optional(Hedge.Options),
  pinning: Schema.optional(Schema.Union(off, Pinning.Options)),
  metrics: Schema.optional(Schema.Union(off, Metrics.Options)),
  /** Spans of requests and attempts, by the `Tracer` of the app. Left out unless options are given. */
  tracing: Schema.optional(Schema.Union(off, Tracing.Options)),
  /** Whether requests may ask for faults (`overrides.fault`), for drills. Default false. */
  faultInjection: Schema.optional(
    Schema.Boolean.annotations({ message: () => ({ message: "true or false", override: true }) })
  ),
  prices: Schema.optional(
    Schema.Record({
      key: Schema.String,
      value: Schema.Struct({ input: Field.price, cachedInput: Field.price, output: Field.price })
    })
  ),
  /** What becomes of a model whose price nobody knows, where a budget should bind. Default `warn`. */
  unknownPrice: Schema.optional(PriceBook.UnknownPrice)
})

/**
 * Options of the default tower: the deployments, and what each layer calls its own options. `false` leaves a layer out.
 */
export interface Options extends DeploymentRegistry.RegistryConfig, Schema.Schema.Type<typeof concerns> {
  /** A strategy's name (default `peak-ewma`), or a layer of one's own. */
  readonly strategy?: string | StrategyLayer
  /** Other strategies for single model groups, by the group's name. */
  readonly groupStrategies?: Readonly<Record<string, string | StrategyLayer>>
}

const chainIssues = (options: Options): ReadonlyArray<ConfigIssue> => {
  const registry = Effect.runSync(Effect.either(DeploymentRegistry.make(options)))
  if (Either.isLeft(registry) || options.fallback?.chains === undefined) return []
  const { resolve } = registry.right
  const chains = FallbackChains.FallbackChains.make(options.fallback.chains, resolve)
  return chains.validate((model) => resolve(model) !== undefined, "fallback.chains").errors
}

/** Everything that is wrong with the options, each with its path; empty when they make a router. */
export const check = (options: Options): ReadonlyArray<ConfigIssue> => {
  const { aliases, defaultGroup, deployments, groupStrategies, strategy, unserved, ...rest } = options
  const issuesOf = (result: Either.Either<unknown, ConfigError>) => (Either.isLeft(result) ? result.left.issues : [])
  const found = [
    ...issuesOf(DeploymentRegistry.decode(options)),
    ...issuesOf(strategyLayer(strategy)),
    ...groupLayers(options).flatMap(([, layer]) => issuesOf(layer)),
    ...Field.issuesOf(concerns, rest, "")
  ]
  return found.length > 0 ? found : [...chainIssues(options), ...UnpricedBudgets.refused(options)]
}

const strictness = ({ unknownPrice }: Options): CallerBudget.Strictness => ({
  refuseUnknownPrice: unknownPrice === "refuse"
})

/** Tracing is left out unless somebody asks for it: a layer that is off would still cost. */
const isTraced = ({ tracing }: Options): boolean => tracing !== undefined && tracing !== false

const attemptTier = (
  base: Service.AttemptService,
  options: Options,
  kept: Kept,
  strategyOf: (group: string) => string
) =>
  Effect.gen(function* () {
    const cooldowns = yield* CooldownState.CooldownState
    const tracker = yield* LatencyTracker.LatencyTracker
    const usage = yield* UsageWindows.UsageWindows
    const windows = yield* SpendWindows.SpendWindows
    const prices = yield* PriceBook.PriceBook
    const registry = yield* DeploymentRegistry.DeploymentRegistry
    const events = yield* RouterEvents
    return Defect.caught(base).pipe(
      options.faultInjection === true ? FaultInjection.make() : keep,
      Timeouts.make(options.timeouts),
      kept.attemptMetrics ?? keep,
      Latency.make(tracker),
      Cost.make(prices),
      isTraced(options) ? Tracing.attempts : keep,
      options.spendLimits === undefined
        ? keep
        : SpendLimits.make({ windows, prices, events }, options.spendLimits, strictness(options)),
      options.limits === false ? keep : Limits.make({ windows: usage }, options.limits),
      options.cooldown === false ? keep : Cooldown.make({ state: cooldowns }, options.cooldown),
      isTraced(options) ? Tracing.selections({ registry, strategyOf }) : keep
    )
  })

const requestTier = (attempts: Service.AttemptService, strategy: Strategy, options: Options, kept: Kept) =>
  Effect.gen(function* () {
    const registry = yield* DeploymentRegistry.DeploymentRegistry
    const stats = yield* DeploymentStats.DeploymentStats
    const budget = yield* RetryBudget.RetryBudget
    const windows = yield* SpendWindows.SpendWindows
    const prices = yield* PriceBook.PriceBook
    const published = yield* RouterEvents
    const events = isTraced(options) ? Tracing.noting(published) : published
    const random = yield* uniform
    const tracker = yield* LatencyTracker.LatencyTracker
    const usage = yield* UsageWindows.UsageWindows
    const { issued, room } = kept
    const scope = yield* Effect.scope
    return attempts.pipe(
      Balancer.make({ registry, strategy, stats, events }, options.balancer),
      options.queue === undefined
        ? keep
        : AdmissionQueue.make({ registry, windows: usage, room, scope }, options.queue),
      isTraced(options) ? Tracing.refusals : keep,
      options.hedge === undefined
        ? keep
        : Hedge.make({ budget, events, delay: Hedge.delayOf(tracker, registry, options.hedge) }, options.hedge),
      StreamRecovery.inside(options.recovery),
      options.retry === false ? keep : Retry.make({ budget, events, random }, options.retry),
      Fallback.make({ registry, events }, options.fallback),
      Patience.make({ budget, events }, options.patience),
      StreamRecovery.outside({ registry, events }, options.recovery),
      options.pinning === false ? keep : Pinning.make(options.pinning, issued),
      options.callerBudget === undefined
        ? keep
        : CallerBudget.make({ windows, registry, prices, events }, options.callerBudget, strictness(options)),
      options.callerLimits === undefined
        ? keep
        : CallerLimits.make({ windows: yield* CallerWindows.CallerWindows }, options.callerLimits),
      Deadline.make(options.deadline),
      options.cache === undefined ? keep : Cache.make({ store: yield* CacheStore.CacheStore, scope }, options.cache),
      kept.requestMetrics ?? keep,
      RequestEvents.make(events),
      options.tracing === undefined || options.tracing === false ? keep : Tracing.requests(options.tracing)
    )
  })

const keep = <A>(service: A): A => service

export type { Kept, State }

/** A tower that was built: the service, the state that it keeps, and what explains its choices. */
export interface Tower {
  readonly service: Service.RequestService
  readonly state: Context.Context<State>
  /** The attempt tier. Its `status` says whether a deployment would take a request now; asking reserves nothing. */
  readonly attempts: Service.AttemptService
  /** The name of the strategy that chooses in a group. */
  readonly strategyOf: (group: string) => string
  /** What it was made of; the deployments, and with them all credentials, are left out. */
  readonly settings: Omit<Options, "deployments">
  /** What single layers remember, for the tower that takes its place: nothing else should touch it. */
  readonly kept: Kept
}

/**
 * Builds the default tower around a base service. Fails with everything that is wrong with the options at once. Health
 * probes, when they are on, run until the scope closes.
 *
 * A tower that takes the place of a `previous` one, the last one made, takes over all that it knows: breakers, windows of use
 * and of money, figures, isolated deployments, who waits for room. Only state whose own options have changed (`latency`,
 * `retryBudget`, `cacheStore`, `prices`) begins anew. Both then share one registry, which holds the new deployments: the
 * previous tower goes on until its last call has ended, and its scope may close then. Options that are wrong change nothing.
 */
export const make = (
  options: Options,
  base: Service.AttemptService,
  previous?: Tower
): Effect.Effect<Tower, ConfigError, Scope.Scope> =>
  Effect.gen(function* () {
    const issues = check(options)
    if (issues.length > 0) return yield* new ConfigError({ issues })
    const { deployments, ...settings } = options
    const counters = previous?.kept.counters ?? new EventCounters(yield* RouterEvents)
    const publish = Effect.provideService(RouterEvents, counters.events)
    const state = yield* Layer.build(stateLayer(options, previous)).pipe(publish)
    const built = yield* buildStrategies(options, strategiesBefore(state, previous)).pipe(Effect.provide(state))
    const sink = yield* MetricsSink
    const kept: Kept = { ...keptFrom(options, state, previous, sink), strategies: built.named, counters }
    const attempts = yield* attemptTier(base, options, kept, built.nameFor).pipe(Effect.provide(state), publish)
    const service = yield* requestTier(attempts, built.strategy, options, kept).pipe(Effect.provide(state), publish)
    const registry = Context.get(state, DeploymentRegistry.DeploymentRegistry)
    const probing = HealthProbes.run(
      {
        state: Context.get(state, CooldownState.CooldownState),
        registry,
        probe: HealthProbes.chat(base),
        findings: kept.findings
      },
      options.healthProbes
    )
    // Up to here nothing that is in force has changed, and from here on nothing can fail.
    yield* Effect.uninterruptible(
      Effect.zipRight(previous === undefined ? Effect.void : registry.replace(options), probing)
    )
    kept.room.noticeReload()
    counters.use((id) => registry.slot(id)?.deployment, options.metrics, sink)
    return { service, state, attempts, strategyOf: built.nameFor, settings, kept }
  })

const provided = <R>(
  tower: Effect.Effect<Tower, ConfigError, R>
): Layer.Layer<LlmService | State, ConfigError, Exclude<R, Scope.Scope>> =>
  Layer.scopedContext(Effect.map(tower, ({ service, state }) => Context.add(state, LlmService, service)))

/**
 * The default tower as a layer: give it a base service, and it answers requests that name a model group.
 *
 * @example
 * ```ts
 * import * as Providers from "@switchyard/providers/Providers"
 * import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
 * import * as Router from "@switchyard/router/Router"
 * import { Layer } from "effect"
 *
 * const Live = Router.layer({
 *   deployments: [
 *     { id: "eu", group: "smart", model: "gpt-4o", baseUrl: "https://eu.example.com/v1", rpm: 500 },
 *     { id: "us", group: "smart", model: "gpt-4o", baseUrl: "https://us.example.com/v1" }
 *   ],
 *   retry: { attempts: 3 },
 *   cooldown: { failures: 5 }
 * }).pipe(Layer.provide(Providers.layer), Layer.provide(UndiciTransport.layer))
 * ```
 */
export const layer = (options: Options): Layer.Layer<LlmService | State, ConfigError, DeploymentService> =>
  provided(Effect.flatMap(DeploymentService, (base) => make(options, base)))

/** Options of a router over given services. */
export interface FromServicesOptions extends Omit<Options, "deployments"> {
  /** One weight per service, in their order; beats the deployments' own. */
  readonly weights?: ReadonlyArray<number>
}

/**
 * Routes over services that the caller built, for example clients of other libraries: each becomes a deployment, and all
 * the layers apply. Requests name a deployment's group (`default` where none is given). Each service gets the payload that
 * the HTTP base would send: with the deployment's model and defaults, and `stream` as the call is meant. `BaseService.forRequests`
 * in `@switchyard/core` makes such a service of any client.
 */
export const fromServices = (
  entries: ReadonlyArray<ServiceEntry>,
  options: FromServicesOptions = {}
): Effect.Effect<Tower, ConfigError, Scope.Scope> =>
  Effect.flatMap(routed(entries, options), ({ base, options }) => make(options, base))

/** The router over given services as a layer, which needs no base. */
export const layerFromServices = (
  entries: ReadonlyArray<ServiceEntry>,
  options: FromServicesOptions = {}
): Layer.Layer<LlmService | State, ConfigError> => provided(fromServices(entries, options))
