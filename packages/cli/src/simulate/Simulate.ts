/**
 * Tries a router in virtual time: a scenario, or what a log says that was, with one way to route or several to compare.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { nearest } from "@switchyard/core/Closest"
import type { ConfigError } from "@switchyard/core/ConfigError"
import type { Options } from "@switchyard/router/Router"
import type { Result } from "@switchyard/simulator/Result"
import type { Scenario } from "@switchyard/simulator/Scenario"
import type { ScenarioModel } from "@switchyard/simulator/ScenarioModel"
import { Effect, Either } from "effect"
import { requireFile } from "../configuration.js"
import { CommandError, fail, plain, print, printError } from "../output.js"
import { again, endWithParent, isWorthwhile } from "./ownProcess.js"
import * as progress from "./progress.js"
import { render } from "./results.js"

/** What `simulate` is asked. */
export interface Flags {
  /** A file, or the name of a scenario that comes with the package; empty where a log says all. */
  readonly scenario: string
  readonly compare: string | undefined
  readonly config: string | undefined
  readonly seed: string | undefined
  readonly html: string | undefined
  readonly replay: string | undefined
  readonly json: boolean
}

const modules = Effect.promise(async () => {
  const [Scenario, Scenarios, Simulation, Trace, LearnedUpstreams, HtmlReport] = await Promise.all([
    import("@switchyard/simulator/Scenario"),
    import("@switchyard/simulator/Scenarios"),
    import("@switchyard/simulator/Simulation"),
    import("@switchyard/simulator/Trace"),
    import("@switchyard/simulator/LearnedUpstreams"),
    import("@switchyard/simulator/HtmlReport")
  ])
  return { Scenario, Scenarios, Simulation, Trace, LearnedUpstreams, HtmlReport }
})
type Modules = Effect.Effect.Success<typeof modules>

const readText = (what: string, path: string): Effect.Effect<string, CommandError> =>
  Effect.try({
    try: () => readFileSync(path, "utf8"),
    catch: (cause) => {
      const code = (cause as { readonly code?: string }).code
      const why = code === "ENOENT" ? "no such file" : code === "EISDIR" ? "a folder" : (code ?? "cannot be read")
      return new CommandError({ message: `simulate: ${what} ${plain(path)}: ${why}` })
    }
  })

const orProblems = <A>(name: string, made: Either.Either<A, ConfigError>): Effect.Effect<A, CommandError> =>
  Either.isRight(made)
    ? Effect.succeed(made.right)
    : fail(`simulate: ${plain(name)} cannot be used\n${plain(made.left.message)}`)

/** The options of a gateway's router; without its keys, nobody is asked. */
const routerOf = (path: string): Effect.Effect<Options, CommandError> =>
  Effect.gen(function* () {
    const { config } = yield* requireFile("simulate", path, { unsetVariables: "note" })
    const { routerOptions } = yield* Effect.promise(() => import("@switchyard/gateway/Generations"))
    return routerOptions(config)
  })

/** A file's text, or what else may have been meant by a word that is the name of no file. */
const scenarioText = (name: string, known: ReadonlyArray<string>): Effect.Effect<string, CommandError> =>
  Effect.mapError(readText("the scenario", name), (error) => {
    if (/[./]/.test(name)) return error
    const near = nearest(name, known)
    const meant = near.length > 0 ? `did you mean ${near.join(" or ")}?` : `these come along: ${known.join(", ")}`
    return new CommandError({ message: `${error.message}; ${meant}` })
  })

const modelOf = (flags: Flags, log: string | undefined, { LearnedUpstreams, Scenario, Scenarios }: Modules) =>
  Effect.gen(function* () {
    const { replay, scenario } = flags
    if (scenario !== "") {
      const text = Scenarios.isName(scenario)
        ? Scenarios.text(scenario)
        : yield* scenarioText(scenario, Scenarios.names)
      return yield* orProblems(scenario, Scenario.parse(text, scenario))
    }
    if (replay === undefined || log === undefined) {
      return yield* fail(
        `simulate: which scenario? A file, or one of ${Scenarios.names.join(", ")}; or --replay LOG with --config FILE`
      )
    }
    return { name: replay, upstreams: { ...LearnedUpstreams.learn(log), "*": {} } } satisfies ScenarioModel
  })

/**
 * A log's deployments that the router no longer has say nothing of it; and where it has one model group alone, that is meant by
 * requests that name none, or another.
 */
const fitted = (model: ScenarioModel, router: Options | undefined, isLearned: boolean): ScenarioModel => {
  if (!isLearned || router === undefined) return model
  const ids = new Set(router.deployments.map(({ id }) => id))
  const groups = new Set(router.deployments.map(({ group }) => group))
  const upstreams = Object.fromEntries(
    Object.entries(model.upstreams ?? {}).filter(([id]) => id === "*" || ids.has(id))
  )
  const [only] = groups.size === 1 ? groups : []
  return { ...model, upstreams, ...(only === undefined ? {} : { traceModel: only }) }
}

/** Tells whom the log of a gateway, or of its ledger, says too little of: what is made up must not look as if it had been measured. */
const tellUnlearned = (log: string, { upstreams = {} }: ScenarioModel, router: Options | undefined) => {
  const unknown = log.includes("latency_ms")
    ? (router?.deployments ?? []).map(({ id }) => id).filter((id) => !Object.hasOwn(upstreams, id))
    : []
  if (unknown.length === 0) return Effect.void
  const why = "of each, the log has fewer than 20 streams that one attempt answered"
  const list = plain(unknown.join(", "))
  return printError(`Not measured, but answering as upstreams do by default: ${list} (${why})`)
}

const seedOf = (text: string | undefined): Effect.Effect<number | undefined, CommandError> => {
  if (text === undefined) return Effect.succeed(undefined)
  const seed = Number(text)
  return Number.isInteger(seed)
    ? Effect.succeed(seed)
    : fail(`simulate: --seed: expected a whole number, found ${JSON.stringify(text)}`)
}

/** Listens to who wants it to end, while it runs: what was simulated until then is told. */
const stoppable = <A, E>(use: (shouldStop: () => boolean) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    let isStopped = false
    const stop = (): void => {
      isStopped = true
    }
    const signals = ["SIGINT", "SIGTERM"] as const
    for (const signal of signals) process.on(signal, stop)
    return Effect.ensuring(
      Effect.uninterruptible(use(() => isStopped)),
      Effect.sync(() => {
        for (const signal of signals) process.off(signal, stop)
      })
    )
  })

const simulated = (scenario: Scenario, seed: number | undefined, shouldStop: () => boolean, { Simulation }: Modules) =>
  Effect.gen(function* () {
    const results: Array<Result> = []
    const { variants } = scenario
    const clock = yield* Effect.clock
    const line = progress.make(process.stderr, variants.length, clock.unsafeCurrentTimeMillis())
    for (const [index, variant] of variants.entries()) {
      if (shouldStop()) break
      const onProgress = (told: Parameters<typeof line.show>[1]) =>
        line.show(index, told, clock.unsafeCurrentTimeMillis())
      const result = yield* Simulation.run(scenario, variant, { seed, onProgress, shouldStop }).pipe(
        Effect.mapError(({ message }) => new CommandError({ message: `simulate: ${plain(message)}` }))
      )
      results.push(result)
    }
    line.clear()
    return results
  })

const told = (scenario: Scenario, results: ReadonlyArray<Result>, { html, json }: Flags, { HtmlReport }: Modules) =>
  Effect.gen(function* () {
    yield* print(json ? JSON.stringify(results, null, 2) : render(scenario, results))
    if (html === undefined) return
    const { about, name } = scenario.model
    yield* Effect.try({
      try: () => writeFileSync(html, HtmlReport.render({ name, about }, results)),
      catch: (cause) => new CommandError({ message: `simulate: --html ${plain(html)}: ${(cause as Error).message}` })
    })
    if (!json) yield* printError(`Charts are in ${plain(html)}`)
  })

/** Simulates, and prints what came of it. */
export const run = (flags: Flags) =>
  Effect.gen(function* () {
    yield* endWithParent
    const seed = yield* seedOf(flags.seed)
    const all = yield* modules
    const router = flags.config === undefined ? undefined : yield* routerOf(flags.config)
    const log = flags.replay === undefined ? undefined : yield* readText("the log", flags.replay)
    const model = fitted(yield* modelOf(flags, log, all), router, flags.scenario === "")
    if (log !== undefined && flags.scenario === "") yield* tellUnlearned(log, model, router)
    const tracePath = flags.replay ?? model.trace
    const traced =
      log ?? (tracePath === undefined ? undefined : yield* readText("the trace", besides(flags.scenario, tracePath)))
    const trace =
      traced === undefined
        ? undefined
        : yield* orProblems(tracePath ?? "", all.Trace.parse(traced, { name: tracePath ?? "" }))
    const compare = flags.compare
      ?.split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "")
    const scenario = yield* orProblems(model.name, all.Scenario.make(model, { router, trace, compare }))
    // What is read of a gateway's file is told once.
    if (flags.config === undefined && isWorthwhile(scenario)) return yield* again
    yield* stoppable((shouldStop) =>
      Effect.flatMap(simulated(scenario, seed, shouldStop, all), (results) => told(scenario, results, flags, all))
    )
  })

/** A trace stands where its scenario says, seen from the scenario's own folder. */
const besides = (scenario: string, trace: string): string => {
  const folder = scenario.slice(0, scenario.lastIndexOf("/") + 1)
  return trace.startsWith("/") ? trace : `${folder}${trace}`
}
