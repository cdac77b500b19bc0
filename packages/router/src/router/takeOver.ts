/**
 * What a tower takes over from the one before it, so that a reload forgets nothing, and what begins anew because its own
 * options have changed.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import { Context, Layer } from "effect"
import * as CooldownState from "../breaker/CooldownState.js"
import * as HealthProbes from "../breaker/HealthProbes.js"
import * as CacheStore from "../cache/CacheStore.js"
import * as LatencyTracker from "../latency/LatencyTracker.js"
import * as CallerWindows from "../limits/CallerWindows.js"
import * as UsageWindows from "../limits/UsageWindows.js"
import * as PriceBook from "../money/PriceBook.js"
import * as SpendWindows from "../money/SpendWindows.js"
import * as AttemptMetrics from "../observe/AttemptMetrics.js"
import type * as Metrics from "../observe/Metrics.js"
import type { Sink } from "../observe/MetricsSink.js"
import * as RequestMetrics from "../observe/RequestMetrics.js"
import * as Pinning from "../pinning/Pinning.js"
import * as AdmissionQueue from "../queue/AdmissionQueue.js"
import * as DeploymentRegistry from "../registry/DeploymentRegistry.js"
import * as DeploymentStats from "../registry/DeploymentStats.js"
import * as RetryBudget from "../retry/RetryBudget.js"
import type { Kept } from "./kept.js"
import { sameOptions } from "./sameOptions.js"

/** The state that a tower keeps, for dashboards and admin endpoints. */
export type State =
  | DeploymentRegistry.DeploymentRegistry
  | DeploymentStats.DeploymentStats
  | CooldownState.CooldownState
  | LatencyTracker.LatencyTracker
  | UsageWindows.UsageWindows
  | SpendWindows.SpendWindows
  | CallerWindows.CallerWindows
  | RetryBudget.RetryBudget
  | PriceBook.PriceBook
  | CacheStore.CacheStore

/** The options that state is made of. */
export interface StateOptions extends DeploymentRegistry.RegistryConfig {
  readonly latency?: LatencyTracker.Options | undefined
  readonly retryBudget?: RetryBudget.Options | undefined
  readonly cacheStore?: CacheStore.Options | undefined
  readonly prices?: Readonly<Record<string, PriceBook.Price>> | undefined
  readonly unknownPrice?: PriceBook.UnknownPrice | undefined
  readonly metrics?: false | Metrics.Options | undefined
}

/** As much of the tower before as this one takes over. */
export interface Previous {
  readonly state: Context.Context<State>
  readonly settings: Omit<StateOptions, "deployments">
  readonly kept: Kept
}

/** The state of a tower: what the one before it kept under the same options, and the rest anew. */
export const stateLayer = (options: StateOptions, previous: Previous | undefined): Layer.Layer<State, ConfigError> => {
  const kept = <I extends State, S>(
    tag: Context.Tag<I, S>,
    fresh: Layer.Layer<I, ConfigError>,
    ...concerns: ReadonlyArray<"latency" | "retryBudget" | "cacheStore" | "prices" | "unknownPrice">
  ): Layer.Layer<I, ConfigError> => {
    if (previous === undefined) return fresh
    const isSame = concerns.every((concern) => sameOptions(previous.settings[concern], options[concern]))
    return isSame ? Layer.succeed(tag, Context.get(previous.state, tag)) : fresh
  }
  return Layer.mergeAll(
    kept(DeploymentRegistry.DeploymentRegistry, DeploymentRegistry.layer(options)),
    kept(DeploymentStats.DeploymentStats, DeploymentStats.layerMemory),
    kept(CooldownState.CooldownState, CooldownState.layerMemory),
    kept(LatencyTracker.LatencyTracker, LatencyTracker.layerMemoryWith(options.latency ?? {}), "latency"),
    kept(UsageWindows.UsageWindows, UsageWindows.layerMemory),
    kept(SpendWindows.SpendWindows, SpendWindows.layerMemory),
    kept(CallerWindows.CallerWindows, CallerWindows.layerMemory),
    kept(RetryBudget.RetryBudget, RetryBudget.layerMemoryWith(options.retryBudget ?? {}), "retryBudget"),
    kept(CacheStore.CacheStore, CacheStore.layerMemoryWith(options.cacheStore ?? {}), "cacheStore"),
    kept(
      PriceBook.PriceBook,
      PriceBook.layerWith(options.prices ?? {}, { assumed: PriceBook.assumedOf(options.unknownPrice) }),
      "prices",
      "unknownPrice"
    )
  )
}

/** What single layers remember: that of the tower before, where the same options hold. */
export const keptFrom = (
  options: StateOptions,
  state: Context.Context<State>,
  previous: Previous | undefined,
  sink: Sink
): Omit<Kept, "strategies" | "counters"> => {
  const registry = Context.get(state, DeploymentRegistry.DeploymentRegistry)
  const windows = Context.get(state, UsageWindows.UsageWindows)
  const { metrics } = options
  const before = previous?.kept
  const counted = sameOptions(previous?.settings.metrics, metrics) ? before : undefined
  return {
    issued: before?.issued ?? Pinning.memory(),
    room: before?.room ?? AdmissionQueue.room({ registry, windows }),
    findings: before?.findings ?? HealthProbes.findings(),
    attemptMetrics: metrics === false ? undefined : (counted?.attemptMetrics ?? AttemptMetrics.make(metrics, sink)),
    requestMetrics:
      metrics === false
        ? undefined
        : (counted?.requestMetrics ??
          RequestMetrics.make((model) => registry.resolve(model)?.group.name, metrics, sink))
  }
}

/** Strategies by name go on with their own state, unless what they read was made anew. */
export const strategiesBefore = (state: Context.Context<State>, previous: Previous | undefined): Kept["strategies"] => {
  const isSame = <I extends State, S>(tag: Context.Tag<I, S>) =>
    previous !== undefined && Context.get(previous.state, tag) === Context.get(state, tag)
  return previous !== undefined && isSame(LatencyTracker.LatencyTracker) && isSame(PriceBook.PriceBook)
    ? previous.kept.strategies
    : new Map()
}
