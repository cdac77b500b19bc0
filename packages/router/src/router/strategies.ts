import type { ConfigError } from "@switchyard/core/ConfigError"
import { Context, Effect, Either, Layer } from "effect"
import { RoutingStrategy, type Strategy } from "../balancing/RoutingStrategy.js"
import * as Strategies from "../balancing/strategies/Names.js"
import type { LatencyTracker } from "../latency/LatencyTracker.js"
import type { UsageWindows } from "../limits/UsageWindows.js"
import type { PriceBook } from "../money/PriceBook.js"
import type { DeploymentRegistry } from "../registry/DeploymentRegistry.js"
import type { DeploymentStats } from "../registry/DeploymentStats.js"
import type { Kept, NamedStrategy } from "./kept.js"

/** A strategy of one's own in place of a name; it may read any state of the tower. */
export type StrategyLayer = Layer.Layer<
  RoutingStrategy,
  ConfigError,
  LatencyTracker | DeploymentStats | UsageWindows | PriceBook | DeploymentRegistry
>

/** The strategies that options name. */
export interface StrategyChoice {
  readonly strategy?: string | StrategyLayer
  readonly groupStrategies?: Readonly<Record<string, string | StrategyLayer>>
}

const standardName = "peak-ewma"

/** The layer of a strategy; `path` says where it stands in the options. */
export const strategyLayer = (
  strategy: string | StrategyLayer = standardName,
  path = "strategy"
): Either.Either<StrategyLayer, ConfigError> =>
  typeof strategy === "string" ? Strategies.byName(strategy, {}, path) : Either.right(strategy)

/** The layers of groups with a strategy of their own. */
export const groupLayers = ({ groupStrategies = {} }: StrategyChoice) =>
  Object.entries(groupStrategies).map(
    ([group, strategy]) => [group, strategyLayer(strategy, `groupStrategies.${group}`)] as const
  )

/** The strategies of a tower. */
interface BuiltStrategies {
  /** Chooses in every group: with its own strategy where it has one. */
  readonly strategy: Strategy
  readonly nameFor: (group: string) => string
  readonly named: Kept["strategies"]
}

/** Builds every strategy, but for the built-in ones that were there `before` under the same name. */
export const buildStrategies = (options: StrategyChoice, before: Kept["strategies"]) =>
  Effect.gen(function* () {
    const { groupStrategies = {} } = options
    const named = new Map<string | undefined, NamedStrategy>()
    const build = (
      group: string | undefined,
      chosen: string | StrategyLayer,
      layer: ReturnType<typeof strategyLayer>
    ) =>
      Effect.gen(function* () {
        const known = before.get(group)
        const strategy =
          known?.name === chosen ? known.strategy : Context.get(yield* Layer.build(yield* layer), RoutingStrategy)
        if (typeof chosen === "string") named.set(group, { name: chosen, strategy })
        return strategy
      })
    const standard = yield* build(undefined, options.strategy ?? standardName, strategyLayer(options.strategy))
    const own = new Map<string, Strategy>()
    for (const [group, layer] of groupLayers(options)) {
      own.set(group, yield* build(group, groupStrategies[group] ?? standardName, layer))
    }
    const strategyFor = (group: string): Strategy => own.get(group) ?? standard
    const strategy: Strategy =
      own.size === 0
        ? standard
        : { name: "per group", select: (candidates) => strategyFor(candidates.group).select(candidates) }
    return { strategy, named, nameFor: (group) => strategyFor(group).name } satisfies BuiltStrategies
  })
