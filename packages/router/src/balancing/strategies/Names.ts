/**
 * Strategies by the names that configuration files use: ours, LiteLLM's `routing_strategy` and liter-llm's words. Case,
 * hyphens, underscores and blanks make no difference, so `LeastBusy`, `least-busy` and `least_busy` are one name.
 */
import { ConfigError, issue } from "@switchyard/core/ConfigError"
import { Either, type Layer } from "effect"
import type { LatencyTracker } from "../../latency/LatencyTracker.js"
import type { UsageWindows } from "../../limits/UsageWindows.js"
import type { PriceBook } from "../../money/PriceBook.js"
import type { DeploymentStats } from "../../registry/DeploymentStats.js"
import type { RoutingStrategy } from "../RoutingStrategy.js"
import * as CostBased from "./CostBased.js"
import * as LatencyBased from "./LatencyBased.js"
import * as LeastBusy from "./LeastBusy.js"
import * as LeastExpectedLatency from "./LeastExpectedLatency.js"
import * as Objective from "./Objective.js"
import * as Ordered from "./Ordered.js"
import * as PeakEwma from "./PeakEwma.js"
import * as PriorityBased from "./PriorityBased.js"
import * as RateLimitAware from "./RateLimitAware.js"
import * as RoundRobin from "./RoundRobin.js"
import * as SimpleShuffle from "./SimpleShuffle.js"
import * as Sticky from "./Sticky.js"
import * as UsageBased from "./UsageBased.js"

/** Any built-in strategy: what all of them together may read. */
export type AnyStrategyLayer = Layer.Layer<
  RoutingStrategy,
  ConfigError,
  LatencyTracker | DeploymentStats | UsageWindows | PriceBook
>

/** Options of those strategies that have some; the others' are ignored. */
export interface StrategyOptions {
  readonly latencyBased?: LatencyBased.Options
  readonly costBased?: CostBased.Options
  readonly objective?: Objective.Options | undefined
  readonly sticky?: Sticky.Options
}

/** The names of the built-in strategies. */
export type StrategyName =
  | "simple-shuffle"
  | "weighted-random"
  | "round-robin"
  | "ordered"
  | "fallback"
  | "priority-based"
  | "least-busy"
  | "usage-based"
  | "usage-based-routing"
  | "usage-based-routing-v2"
  | "rate-limit-aware"
  | "latency-based"
  | "latency-based-routing"
  | "cost-based"
  | "cost-based-routing"
  | "peak-ewma"
  | "least-expected-latency"
  | "objective"
  | "sticky"

const table: ReadonlyArray<readonly [name: StrategyName, make: (options: StrategyOptions) => AnyStrategyLayer]> = [
  ["simple-shuffle", () => SimpleShuffle.layer],
  ["weighted-random", () => SimpleShuffle.layer],
  ["round-robin", () => RoundRobin.layer],
  ["ordered", () => Ordered.layer],
  ["fallback", () => Ordered.layer],
  ["priority-based", () => PriorityBased.layer],
  ["least-busy", () => LeastBusy.layer],
  ["usage-based", () => UsageBased.layer],
  ["usage-based-routing", () => UsageBased.layer],
  ["usage-based-routing-v2", () => UsageBased.layer],
  ["rate-limit-aware", () => RateLimitAware.layer],
  ["latency-based", (options) => LatencyBased.layerWith(options.latencyBased ?? {})],
  ["latency-based-routing", (options) => LatencyBased.layerWith(options.latencyBased ?? {})],
  ["cost-based", (options) => CostBased.layerWith(options.costBased ?? {})],
  ["cost-based-routing", (options) => CostBased.layerWith(options.costBased ?? {})],
  ["peak-ewma", () => PeakEwma.layer],
  ["least-expected-latency", () => LeastExpectedLatency.layer],
  ["objective", (options) => Objective.layerWith(options.objective ?? {})],
  ["sticky", (options) => Sticky.layerWith(options.sticky ?? {})]
]

const normal = (name: string): string => name.toLowerCase().replace(/[-_\s]/g, "")

const byNormalName = new Map(table.map(([name, make]) => [normal(name), make]))

/** Every name that `byName` knows, as configuration files write them. */
export const names: ReadonlyArray<StrategyName> = table.map(([name]) => name)

/** The layer of the strategy of that name; `path` says where the name stands, for the error that lists the known ones. */
export const byName = (
  name: string,
  options: StrategyOptions = {},
  path = "routingStrategy"
): Either.Either<AnyStrategyLayer, ConfigError> => {
  const make = byNormalName.get(normal(name))
  return make === undefined
    ? Either.left(new ConfigError({ issues: [issue(path, name, `one of ${names.join(", ")}`)] }))
    : Either.right(make(options))
}
