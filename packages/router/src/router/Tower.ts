/**
 * What a router is told, and what it is once it is built.
 */
import { Context } from "effect"
import type * as Strategies from "../balancing/TowerStrategies.js"
import type { RegistryConfig } from "../registry/DeploymentRegistry.js"
import type * as Build from "../stack/Build.js"
import type { AnyConcern } from "../stack/Concern.js"
import type * as Stack from "../stack/Stack.js"
import type { Standard } from "./StandardStack.js"

/** A strategy of one's own in place of a name. It may read state of the tower, and services `R` of the app. */
export type StrategyLayer<R = never> = Strategies.StrategyLayer<R>

/** What a stack is told beside its deployments: each concern's options under its key, `false` leaves it out. */
export type OptionsOf<C extends AnyConcern, R = never> = RegistryConfig &
  Strategies.StrategyChoice<R> &
  Stack.Options<C> & {
    /** The concerns and their order. Default: the standard stack. */
    readonly stack?: Stack.Stack<C> | undefined
  }

/** Options of the standard stack: the deployments, and what each concern is told under its key. `false` leaves one out. */
export interface Options extends RegistryConfig, Strategies.StrategyChoice, Stack.Options<Standard> {
  readonly stack?: Stack.Stack<Standard> | undefined
}

/** The state of the standard stack, for dashboards and admin endpoints. */
export type State = Stack.StateIdOf<Standard>

/** A tower that was built: the service, its state, and what explains its choices. */
export interface TowerOf<C extends AnyConcern> extends Build.Built<C> {
  /** The name of the strategy that chooses in a group. */
  readonly strategyOf: (group: string) => string
  /** What it was made of; the deployments, and with them all credentials, are left out. */
  readonly settings: Omit<OptionsOf<C>, "deployments" | "stack">
}

/** A tower of the standard stack. */
export interface Built extends TowerOf<Standard> {}

/**
 * The tower of an app, beside its `LlmService`. Its state stands in it and under no tags of its own, so that a second router
 * in the same app has its own.
 */
export class Tower extends Context.Tag("@switchyard/router/Tower")<Tower, Built>() {}
