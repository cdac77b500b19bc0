/**
 * The router: a stack of concerns, built around a base service. The standard stack is every concern of this package in its
 * place; an app gives a changed one and loses nothing, neither checks nor reloads nor explanations.
 */
import { ConfigError, type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import { LlmService } from "@switchyard/core/LlmService"
import type { AttemptService } from "@switchyard/core/Service"
import { type Config, Context, Effect, type ConfigError as EffectConfigError, Layer, type Scope } from "effect"
import * as Strategies from "../balancing/TowerStrategies.js"
import * as Build from "../stack/Build.js"
import type { AnyConcern } from "../stack/Concern.js"
import * as Stack from "../stack/Stack.js"
import type { Given } from "../stack/State.js"
import * as StackOptions from "../stack/stackOptions.js"
import { routed, type ServiceEntry } from "./fromServices.js"
import { type Standard, standard } from "./StandardStack.js"
import {
  type Built,
  type Options,
  type OptionsOf,
  type State,
  type StrategyLayer,
  Tower,
  type TowerOf
} from "./Tower.js"

export type { Built, Options, OptionsOf, ServiceEntry, Standard, State, StrategyLayer, TowerOf }
export { standard, Tower }

/** The fields of the options of a stack, the standard one by default, for the schema of a file that holds them. */
export const fields = (stack: Stack.AnyStack = standard as Stack.AnyStack): Stack.Fields => StackOptions.fields(stack)

const split = <C extends AnyConcern, R>({ stack, ...given }: OptionsOf<C, R>) => ({
  stack: stack ?? (standard as Stack.AnyStack as Stack.Stack<C>),
  given: given as Given
})

/** What types say, and who is bound by none may miss. */
const stackIssues = (stack: unknown): ReadonlyArray<ConfigIssue> =>
  Stack.isStack(stack)
    ? []
    : [issue("stack", stack, "a stack: Router.standard, a changed one, or what Stack.make gives")]

/** Everything that is wrong with the options, each with its path; empty when they make a router. */
export const check = <C extends AnyConcern = Standard, R = never>(
  options: OptionsOf<C, R>
): ReadonlyArray<ConfigIssue> => {
  const { given, stack } = split(options)
  const issues = stackIssues(stack)
  return issues.length > 0 ? issues : StackOptions.check(stack, given)
}

/**
 * Builds a tower around a base service. Fails with everything that is wrong with the options at once. Health probes, when
 * they are on, run until the scope closes.
 *
 * A tower that takes the place of a `previous` one, the last one made, takes over all that it knows: breakers, windows of use
 * and of money, figures, isolated deployments, who waits for room. Only state whose own options have changed (`latency`,
 * `retryBudget`, `cacheStore`, `prices`) begins anew. Both then share one registry, which holds the new deployments: the
 * previous tower goes on until its last call has ended, and its scope may close then. Options that are wrong change nothing.
 */
export const make = <C extends AnyConcern = Standard, R = never>(
  options: OptionsOf<C, R>,
  base: AttemptService,
  previous?: Pick<TowerOf<AnyConcern>, "handover">
): Effect.Effect<TowerOf<C>, ConfigError, C["R"] | Exclude<R, Strategies.StrategyState> | Scope.Scope> => {
  const { given, stack } = split(options)
  const issues = stackIssues(stack)
  if (issues.length > 0) return Effect.fail(new ConfigError({ issues }))
  const { deployments: _, ...settings } = given
  return Effect.map(Build.build(stack, given, base, previous), (built) => {
    const strategies = Context.getOption(
      built.state as Context.Context<Strategies.TowerStrategies>,
      Strategies.TowerStrategies
    )
    const strategyOf = (group: string) => (strategies._tag === "Some" ? strategies.value.nameFor(group) : "")
    return { ...built, strategyOf, settings } as TowerOf<C>
  }) as Effect.Effect<TowerOf<C>, ConfigError, C["R"] | Exclude<R, Strategies.StrategyState> | Scope.Scope>
}

/**
 * A router as a layer: give it a base service, and it answers requests that name a model group.
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
export const layer = <C extends AnyConcern = Standard, R = never>(
  options: OptionsOf<C, R>
): Layer.Layer<LlmService | Tower, ConfigError, DeploymentService | C["R"] | Exclude<R, Strategies.StrategyState>> =>
  provided(Effect.flatMap(DeploymentService, (base) => make(options, base)))

/**
 * The same with options that come from Effect's `Config`: keys from `Config.redacted` stay redacted all the way.
 *
 * @example
 * ```ts
 * import * as Router from "@switchyard/router/Router"
 * import { Config } from "effect"
 *
 * const key = Config.redacted("API_KEY")
 * const Live = Router.layerConfig(Config.map(key, (apiKey) => ({ deployments: [{ id: "eu", group: "m", model: "m", apiKey }] })))
 * ```
 */
export const layerConfig = <C extends AnyConcern = Standard, R = never>(
  options: Config.Config<OptionsOf<C, R>>
): Layer.Layer<
  LlmService | Tower,
  ConfigError | EffectConfigError.ConfigError,
  DeploymentService | C["R"] | Exclude<R, Strategies.StrategyState>
> => Layer.unwrapEffect(Effect.map(options, (given) => layer(given)))

const provided = <C extends AnyConcern, R>(
  tower: Effect.Effect<TowerOf<C>, ConfigError, R>
): Layer.Layer<LlmService | Tower, ConfigError, Exclude<R, Scope.Scope>> =>
  Layer.scopedContext(
    Effect.map(tower, (built) =>
      Context.make(LlmService, built.service).pipe(Context.add(Tower, built as unknown as Built))
    )
  )

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
): Effect.Effect<Built, ConfigError, Scope.Scope> =>
  Effect.flatMap(routed(entries, options), ({ base, options }) => make(options, base))

/** The router over given services as a layer, which needs no base. */
export const layerFromServices = (
  entries: ReadonlyArray<ServiceEntry>,
  options: FromServicesOptions = {}
): Layer.Layer<LlmService | Tower, ConfigError> => provided(fromServices(entries, options))
