/** The strategies of a tower: one for all groups, and others for single ones. */
import { ConfigError, type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import { Context, Effect, Either, Layer } from "effect"
import { Latencies, type LatencyTracker } from "../latency/LatencyTracker.js"
import { DeploymentUsage, type UsageWindows } from "../limits/UsageWindows.js"
import { type PriceBook, Prices } from "../money/PriceBook.js"
import { type DeploymentRegistry, Registry } from "../registry/DeploymentRegistry.js"
import { type DeploymentStats, Statistics } from "../registry/DeploymentStats.js"
import * as State from "../stack/State.js"
import { sameOptions } from "../stack/sameOptions.js"
import { RoutingStrategy, type Strategy } from "./RoutingStrategy.js"
import * as Names from "./strategies/Names.js"
import * as Objective from "./strategies/Objective.js"

/** The state of a tower that a strategy may read. */
export type StrategyState = LatencyTracker | DeploymentStats | UsageWindows | PriceBook | DeploymentRegistry

/** A strategy of one's own in place of a name. It may read state of the tower, and services `R` of the app. */
export type StrategyLayer<R = never> = Layer.Layer<RoutingStrategy, ConfigError, StrategyState | R>

/** The strategies that options name. */
export interface StrategyChoice<R = never> {
  /** A strategy's name (default `peak-ewma`), or a layer of one's own. */
  readonly strategy?: Names.StrategyName | (string & {}) | StrategyLayer<R> | undefined
  /** Other strategies for single model groups, by the group's name. */
  readonly groupStrategies?: Readonly<Record<string, Names.StrategyName | (string & {}) | StrategyLayer<R>>> | undefined
  /** What the strategy `objective` makes least, and within which bounds. */
  readonly objective?: Objective.Options | undefined
}

type Chosen = string | StrategyLayer

const standardName = "peak-ewma"

const layerOf = (
  chosen: Chosen,
  path: string,
  { objective }: StrategyChoice
): Either.Either<StrategyLayer, ConfigError> =>
  typeof chosen === "string"
    ? Names.byName(chosen, { objective }, path)
    : Layer.isLayer(chosen)
      ? Either.right(chosen)
      : Either.left(new ConfigError({ issues: [issue(path, chosen, "the name of a strategy, or a layer of one")] }))

/** Every strategy that is named, with its group (undefined: all others) and its path in the options. */
const namedBy = ({ groupStrategies = {}, strategy = standardName }: StrategyChoice) => [
  { group: undefined, chosen: strategy, path: "strategy" },
  ...Object.entries(groupStrategies).map(([group, chosen]) => ({ group, chosen, path: `groupStrategies.${group}` }))
]

const issues = (choice: StrategyChoice): ReadonlyArray<ConfigIssue> => [
  ...namedBy(choice).flatMap(({ chosen, path }) => {
    const found = layerOf(chosen, path, choice)
    return Either.isLeft(found) ? found.left.issues : []
  }),
  ...(choice.objective === undefined ? [] : Field.issuesOf(Objective.Options, choice.objective, "objective"))
]

interface Named {
  readonly chosen: Chosen
  readonly strategy: Strategy
}

/** The strategies of a tower. */
export class TowerStrategies extends Context.Tag("@switchyard/router/TowerStrategies")<
  TowerStrategies,
  {
    /** Chooses in every group: with its own strategy where it has one. */
    readonly strategy: Strategy
    /** The name of the strategy that chooses in a group. */
    readonly nameFor: (group: string) => string
    /** The strategy that chooses in a group. */
    readonly strategyFor: (group: string) => Strategy
    /** What the strategies were told. */
    readonly objective: Objective.Options | undefined
    /** By group, and under `undefined` the one for all others. */
    readonly named: ReadonlyMap<string | undefined, Named>
  }
>() {}

/** Builds every strategy, but for the built-in ones that were there `before` under the same name: they go on with what they know. */
const make = (choice: StrategyChoice, before: Context.Tag.Service<TowerStrategies> | undefined) =>
  Effect.gen(function* () {
    const named = new Map<string | undefined, Named>()
    const isTold = before !== undefined && sameOptions(before.objective, choice.objective)
    for (const { chosen, group, path } of namedBy(choice)) {
      const known = typeof chosen === "string" && isTold ? before.named.get(group) : undefined
      const strategy =
        known !== undefined && known.chosen === chosen
          ? known.strategy
          : Context.get(yield* Layer.build(yield* layerOf(chosen, path, choice)), RoutingStrategy)
      named.set(group, { chosen, strategy })
    }
    const standard = named.get(undefined)?.strategy
    if (standard === undefined) return yield* Effect.dieMessage("a tower without a strategy")
    const strategyFor = (group: string): Strategy => named.get(group)?.strategy ?? standard
    const strategy: Strategy =
      named.size === 1
        ? standard
        : {
            name: "per group",
            inGroup: strategyFor,
            select: (candidates) => strategyFor(candidates.group).select(candidates)
          }
    const nameFor = (group: string): string => strategyFor(group).name
    return { strategy, named, nameFor, strategyFor, objective: choice.objective }
  })

/** How deployments are chosen. */
export class Strategies extends State.make({
  name: "strategies",
  tag: TowerStrategies,
  keys: ["strategy", "groupStrategies", "objective"],
  options: State.shape<StrategyChoice>(),
  needs: [Latencies, Statistics, DeploymentUsage, Prices, Registry],
  layer: (choice, before) => Layer.scoped(TowerStrategies, make(choice, before)),
  issues
}) {}
