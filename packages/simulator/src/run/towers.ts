import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Service from "@switchyard/core/Service"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import { MetricsSink, type Sink, type Update } from "@switchyard/router/MetricsSink"
import * as Router from "@switchyard/router/Router"
import { RoutingStrategy } from "@switchyard/router/RoutingStrategy"
import * as SharedStates from "@switchyard/router/SharedStates"
import { Context, Effect, Exit, Layer, Logger, LogLevel, Random, Runtime, RuntimeFlags, Scope } from "effect"
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

const uncounted: Update = () => {}

/** Nobody reads what the layers count here, and to keep it would be a part of each request. */
const nowhere: Sink = {
  counter: () => uncounted,
  upDown: () => uncounted,
  histogram: () => uncounted,
  expose: () => Effect.succeed({ contentType: "text/plain", text: "" })
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

/** Runs an effect to its end in virtual time, which goes on meanwhile only as far as it has to. */
const inTime = <A, E>(time: VirtualTime, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.async<A, E>((resume) => {
    const fiber = Effect.runFork(effect, { scheduler: time })
    time.run(10_000, () => fiber.unsafePoll() !== null)
    resume(fiber.unsafePoll() ?? Effect.dieMessage("the tower waits for what is not simulated"))
  })

/** How many towers there are, and whether they tell each other what they know. */
export interface Replicas {
  readonly count: number
  readonly shares: boolean
}

/** What the replicas share over an engine of their own, one after the other. */
const sharing = Effect.map(
  MemoryEngine.make(),
  (engine) => (replica: number) =>
    Effect.flatMap(EngineGuard.make(engine, { id: `replica ${replica}` }), (guard) => SharedStates.make(guard))
)

/** Builds a variant's towers, one for each replica; they share upstreams, and what they tell each other. */
export const build = (
  variant: Variant,
  replicas: Replicas,
  time: VirtualTime,
  upstreams: ReadonlyMap<string, SimulatedUpstream>,
  seed: number
): Effect.Effect<Towers, ConfigError, Scope.Scope> =>
  Effect.gen(function* () {
    const base = SimulatedProvider.make(time, upstreams)
    const scope = yield* Effect.acquireRelease(Scope.make(), (made) => inTime(time, Scope.close(made, Exit.void)))
    const towers = Effect.gen(function* () {
      const built: Array<Router.Built> = []
      const shared = replicas.shares ? yield* sharing : () => Effect.succeed(Context.empty())
      for (let replica = 0; replica < replicas.count; replica++) {
        const made = ruled(variant, base, upstreams, new Draws(seed, `rule ${replica}`))
        built.push(yield* Effect.provide(Router.make(made.options, made.base), yield* shared(replica)))
      }
      // What Effect counts of fibers is read by nobody here, and is 2 µs for each.
      const runtime = Runtime.disableRuntimeFlag(yield* Effect.runtime<never>(), RuntimeFlags.RuntimeMetrics)
      return {
        services: built.map(({ service }) => service),
        strategy: built[0]?.strategyOf(variant.options.deployments[0]?.group ?? "") ?? "",
        runtime
      }
    }).pipe(
      Effect.provideService(Scope.Scope, scope),
      Effect.provideService(MetricsSink, nowhere),
      Effect.withClock(time.clock),
      Effect.withRandom(Random.make(`switchyard ${seed}`)),
      // A defect of a call is in the figures; a line for each would be a million.
      Logger.withMinimumLogLevel(LogLevel.None)
    )
    return yield* inTime(time, towers)
  })
