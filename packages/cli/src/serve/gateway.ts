/**
 * A gateway of a process, with all that stands around it: the ledger, what it shares with others, and its log.
 */
import type { LoadedConfig } from "@switchyard/gateway/ConfigFile"
import type { Gateway, Overrides } from "@switchyard/gateway/Gateway"
import type { Source } from "@switchyard/gateway/Generations"
import type { Problem } from "@switchyard/gateway/Problem"
import * as Problems from "@switchyard/gateway/Problem"
import type { RequestLog } from "@switchyard/gateway/RequestLog"
import type { Engine } from "@switchyard/router/Engine"
import { Effect } from "effect"
import { exitCodes, type Fault } from "../lifetime.js"
import { CommandError, plain, printError } from "../output.js"
import { keepRequestsYoung } from "./collecting.js"

/** What a gateway is made of. */
export interface Ingredients {
  readonly source: Source
  /** Undefined for the demo. */
  readonly loaded: LoadedConfig | undefined
  /** The data folder that the command line names. */
  readonly data: string | undefined
  readonly overrides: Overrides
  readonly log: RequestLog
  /** Over what it shares state where the configuration names nothing. */
  readonly engine?: Engine | undefined
  /** Whether it says what the operator has to know: one of several gateways does. */
  readonly tellsProblems: boolean
}

/** A gateway that serves. */
export interface Serving {
  readonly gateway: Gateway
  /** A configuration with what has to be known of it here. */
  readonly told: (next: LoadedConfig) => LoadedConfig
}

/** Without a log, which knows the secrets, no word is told that somebody else chose. */
export const tellFault =
  (log: Pick<RequestLog, "flush" | "isOff" | "note">) =>
  ({ action, cause, kind, message }: Fault): void => {
    if (log.isOff()) process.stderr.write(`switchyard: ${kind}, a fault of its own; ${action}\n`)
    log.note("error", "fault", { kind, message, action, cause })
    log.flush()
  }

const levels = { error: "error", warning: "warn", note: "info" } as const

/** What is worth knowing about a file that can be used all the same. */
export const tellProblems = (
  problems: ReadonlyArray<Problem>,
  log: Pick<RequestLog, "isOff" | "note">
): Effect.Effect<void> => {
  if (problems.length === 0) return Effect.void
  if (log.isOff()) return printError(plain(Problems.render(problems)))
  return Effect.sync(() => {
    for (const problem of problems) {
      log.note(levels[problem.severity], "config_problem", {
        message: Problems.renderOne(problem)
      })
    }
  })
}

/** Variables of OpenTelemetry's that make no sense; the gateway runs without what they ask for. */
export const tellWarnings = (
  warnings: ReadonlyArray<string>,
  log: Pick<RequestLog, "isOff" | "note">
): Effect.Effect<void> => {
  if (warnings.length === 0) return Effect.void
  if (log.isOff()) return printError(warnings.join("\n"))
  return Effect.sync(() => {
    for (const message of warnings) log.note("warn", "telemetry", { message })
  })
}

/** The ledger of a configuration. The demo keeps nothing. */
const openLedger = ({ data, loaded, log, source, tellsProblems }: Ingredients) =>
  Effect.gen(function* () {
    if (loaded === undefined) return { ledger: undefined, told: (next: LoadedConfig) => next, problems: [] }
    const [GatewayLedger, LedgerPlace, LedgerThread] = yield* Effect.promise(() =>
      Promise.all([
        import("@switchyard/gateway/GatewayLedger"),
        import("@switchyard/gateway/LedgerPlace"),
        import("@switchyard/ledger/LedgerThread")
      ])
    )
    const surroundings = { data, env: process.env }
    const { ledger, place, problems } = yield* GatewayLedger.make(source.config, surroundings).pipe(
      Effect.mapError(({ message }) => new CommandError({ message: `serve: ${plain(message)}` }))
    )
    yield* LedgerThread.discard
    if (ledger !== undefined && tellsProblems) {
      const { engine, place: where } = ledger.health()
      log.note("info", "ledger", { engine, place: where })
    }
    return {
      ledger,
      problems,
      told: (next: LoadedConfig): LoadedConfig => ({
        ...next,
        problems: [...next.problems, ...problems, ...LedgerPlace.changed(place, next.config, surroundings)]
      })
    }
  })

/** What gateways share, opened; what that takes is loaded where there is something to share it over. */
const openShared = ({ engine, log, source: { config } }: Ingredients) =>
  config.redis === undefined && engine === undefined
    ? Effect.succeed(undefined)
    : Effect.flatMap(
        Effect.promise(() => import("@switchyard/gateway/SharedState")),
        (SharedState) => SharedState.make(config, log, engine)
      )

/** Serves until the scope closes; calls in flight are finished then. */
export const open = (ingredients: Ingredients) =>
  Effect.gen(function* () {
    const { loaded, log, overrides, source, tellsProblems } = ingredients
    // Loaded once the ledger's thread has begun: one takes as long as the other.
    const loading = Effect.zipRight(
      Effect.sleep(0),
      Effect.promise(() => import("@switchyard/gateway/Gateway"))
    )
    const [[kept, shared], { make }] = yield* Effect.all(
      [Effect.zip(openLedger(ingredients), openShared(ingredients)), loading],
      { concurrency: "unbounded" }
    )
    if (loaded !== undefined && tellsProblems) yield* tellProblems([...loaded.problems, ...kept.problems], log)
    // Looked at once the gateway has ended.
    let cutCalls = (): number => 0
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        if (cutCalls() > 0) process.exitCode ??= exitCodes.cut
      })
    )
    const gateway = yield* make(
      { ...source, problems: [...(source.problems ?? []), ...kept.problems] },
      { ...overrides, environment: process.env, ledger: kept.ledger, shared },
      log
    ).pipe(Effect.mapError(({ message }) => new CommandError({ message: `serve: ${plain(message)}` })))
    cutCalls = gateway.cutCalls
    keepRequestsYoung()
    return { gateway, told: kept.told } satisfies Serving
  })
