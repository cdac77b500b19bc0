import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Service from "@switchyard/core/Service"
import * as Router from "@switchyard/router/Router"
import { RoutingStrategy } from "@switchyard/router/RoutingStrategy"
import { Effect, Layer, Logger, LogLevel, Random, type Runtime, Scope } from "effect"
import { Draws } from "../chance/Draws.js"
import * as PeerRules from "../rules/PeerRules.js"
import type { Variant } from "../scenario/Scenario.js"
import type { VirtualTime } from "../time/VirtualTime.js"
import * as SimulatedProvider from "../upstream/SimulatedProvider.js"
import type { SimulatedUpstream } from "../upstream/SimulatedUpstream.js"

/** Towers in virtual time. */
export interface Towers {
  readonly services: ReadonlyArray<Service.RequestService>
  readonly strategy: string
  /** Forks into their time. */
  readonly runtime: Runtime.Runtime<never>
}

const never = { total: Number.POSITIVE_INFINITY, firstToken: Number.POSITIVE_INFINITY, failing: 1 }

/** The base that tells a rule of the calls, and the options that choose by it. */
const ruled = (
  variant: Variant,
  base: Service.AttemptService,
  upstreams: ReadonlyMap<string, SimulatedUpstream>,
  draws: Draws
): { readonly base: Service.AttemptService; readonly options: Router.Options } => {
  const rule =
    variant.rule === undefined
      ? undefined
      : PeerRules.make(variant.rule, { draws, foresee: (id, asked) => upstreams.get(id)?.foresee(asked) ?? never })
  if (rule === undefined) return { base, options: variant.options }
  const strategy = Layer.succeed(RoutingStrategy, { name: variant.rule ?? "", select: rule.select })
  const { groupStrategies: _, ...options } = variant.options
  const told = Service.bracketAttempt<void>({
    begin: (attempt) => rule.begun?.(attempt),
    onResponse: (_, response, at, attempt) => {
      if (response._tag === "Complete") rule.answered?.(attempt, at)
    },
    onFirstContent: (_, at, attempt) => rule.answered?.(attempt, at),
    end: (_, outcome, at, attempt) => rule.ended?.(attempt, outcome, at)
  })(base)
  return { base: told, options: { ...options, strategy } }
}

/** Builds a variant's towers, one for each replica; they share upstreams, and nothing else. */
export const build = (
  variant: Variant,
  replicas: number,
  time: VirtualTime,
  upstreams: ReadonlyMap<string, SimulatedUpstream>,
  seed: number
): Effect.Effect<Towers, ConfigError, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) => {
    const base = SimulatedProvider.make(time, upstreams)
    const towers = Effect.gen(function* () {
      const built: Array<Router.Built> = []
      for (let replica = 0; replica < replicas; replica++) {
        const made = ruled(variant, base, upstreams, new Draws(seed, `rule ${replica}`))
        built.push(yield* Router.make(made.options, made.base))
      }
      const runtime = yield* Effect.runtime<never>()
      return {
        services: built.map(({ service }) => service),
        strategy: built[0]?.strategyOf(variant.options.deployments[0]?.group ?? "") ?? "",
        runtime
      }
    }).pipe(
      Effect.provideService(Scope.Scope, scope),
      Effect.withClock(time.clock),
      Effect.withRandom(Random.make(`switchyard ${seed}`)),
      // A defect of a call is in the figures; a line for each would be a million.
      Logger.withMinimumLogLevel(LogLevel.None)
    )
    return Effect.async<Towers, ConfigError>((resume) => {
      const fiber = Effect.runFork(towers, { scheduler: time })
      time.run(10_000, () => fiber.unsafePoll() !== null)
      const exit = fiber.unsafePoll()
      resume(exit ?? Effect.dieMessage("the tower waits for what is not simulated"))
    })
  })
