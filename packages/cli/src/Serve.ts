/**
 * Runs the gateway until the process is told to stop: from a file, which it reads again when it changes or on SIGHUP, or
 * over the demo's own upstreams.
 */
import type { LoadedConfig } from "@switchyard/gateway/ConfigFile"
import type { Change } from "@switchyard/gateway/ConfigWatch"
import type { Gateway, Overrides } from "@switchyard/gateway/Gateway"
import type { Source } from "@switchyard/gateway/Generations"
import * as Problems from "@switchyard/gateway/Problem"
import type { LogOutput, RequestLog } from "@switchyard/gateway/RequestLog"
import { Effect, Either } from "effect"
import { requireFile, size } from "./configuration.js"
import { catchFaults, exitCodes, type Fault, ignoreReloads, outlivePipes } from "./lifetime.js"
import { CommandError, fail, hasColours, plain, print, printError } from "./output.js"

/** What `serve` is asked. */
export interface Flags {
  readonly config: string | undefined
  readonly port: string | undefined
  readonly host: string | undefined
  readonly data: string | undefined
}

/** The line that says that the gateway listens. */
export const listening = ({ isOpen, url }: Pick<Gateway, "isOpen" | "url">, sizeText: string): string =>
  `switchyard listens on ${url} (${sizeText}; ${isOpen ? "open: loopback only, no key configured" : "keys required"})`

/** What to try first. */
export const firstSteps = (url: string): string =>
  [
    "",
    "It serves demo upstreams: one is fast, one slow, one fails now and then. Try:",
    "",
    `  curl -N ${url}/v1/chat/completions -H "content-type: application/json" \\`,
    `    -d '{"model": "demo", "stream": true, "messages": [{"role": "user", "content": "Hello!"}]}'`,
    "",
    `Dashboard: ${url}/    Stop: Ctrl-C    Your own providers: switchyard serve --config FILE`
  ].join("\n")

const overridesOf = ({ data, host, port }: Flags): Effect.Effect<Overrides, CommandError> => {
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) <= 65_535)) {
    return fail(`serve: --port: expected a whole number from 0 to 65535, found ${JSON.stringify(port)}`)
  }
  if (host !== undefined && host.trim() === "") return fail("serve: --host: expected an address that is not empty")
  if (data !== undefined && data.trim() === "") return fail("serve: --data: expected a folder")
  return Effect.succeed({
    ...(host === undefined ? {} : { host: host.trim() }),
    ...(port === undefined ? {} : { port: Number(port) })
  })
}

const demoSource = Effect.gen(function* () {
  const [{ decode }, demo] = yield* Effect.promise(() =>
    Promise.all([import("@switchyard/gateway/GatewayConfig"), import("./DemoUpstreams.js")])
  )
  const config = Either.getOrThrow(decode(demo.settings(yield* demo.makeAll)))
  return { config } satisfies Source
})

/** The log goes to stderr: stdout is for the line that says where the gateway listens. */
const stderr = (): LogOutput => ({
  isTerminal: process.stderr.isTTY === true,
  hasColours: hasColours(process.stderr),
  write: (text, done) => void process.stderr.write(text, done)
})

/** Without a log, which knows the secrets, no word is told that somebody else chose. */
const tellFault =
  (log: Pick<RequestLog, "flush" | "isOff" | "note">) =>
  ({ action, cause, kind, message }: Fault): void => {
    if (log.isOff()) process.stderr.write(`switchyard: ${kind}, a fault of its own; ${action}\n`)
    log.note("error", "fault", { kind, message, action, cause })
    log.flush()
  }

/**
 * Puts a file that was read again in force, or says why the old configuration stays: the log has a line for it. Without a
 * log it is one line here, and what is wrong below.
 */
const onChange =
  (
    gateway: Pick<Gateway, "refuse" | "reload">,
    file: string,
    log: Pick<RequestLog, "isOff">,
    told: (source: LoadedConfig) => LoadedConfig
  ) =>
  (change: Change): Effect.Effect<void> => {
    const say = (text: string) => Effect.suspend(() => (log.isOff() ? printError(`switchyard: ${text}`) : Effect.void))
    const refused = (why: string) => say(`${file} not reloaded, all stays as it was\n${plain(why)}`)
    if (Either.isLeft(change)) {
      const { problems } = change.left
      const errors = problems.filter(({ severity }) => severity === "error").map(Problems.renderOne)
      return Effect.zipRight(gateway.refuse(errors), refused(Problems.render(problems)))
    }
    const next = told(change.right)
    const { config, problems } = next
    const found = problems.length === 0 ? "" : `; ${Problems.summary(problems)}, see switchyard check`
    return Effect.matchEffect(gateway.reload(next), {
      onFailure: ({ message }) => refused(message),
      onSuccess: () => say(`${file} reloaded (${size(config)}${found})`)
    })
  }

/** What is worth knowing about a file that can be used all the same. */
const tellProblems = (
  problems: ReadonlyArray<Problems.Problem>,
  log: Pick<RequestLog, "isOff" | "note">
): Effect.Effect<void> => {
  if (problems.length === 0) return Effect.void
  if (log.isOff()) return printError(plain(Problems.render(problems)))
  return Effect.sync(() => {
    for (const problem of problems) {
      log.note(problem.severity === "note" ? "info" : "warn", "config_problem", {
        message: Problems.renderOne(problem)
      })
    }
  })
}

/** Variables of OpenTelemetry's that make no sense; the gateway runs without what they ask for. */
const tellWarnings = (
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
const openLedger = (source: Source, { config: file, data }: Flags, log: Pick<RequestLog, "note">) =>
  Effect.gen(function* () {
    if (file === undefined) return { ledger: undefined, told: (next: LoadedConfig) => next, problems: [] }
    const [GatewayLedger, LedgerPlace] = yield* Effect.promise(() =>
      Promise.all([import("@switchyard/gateway/GatewayLedger"), import("@switchyard/gateway/LedgerPlace")])
    )
    const surroundings = { data, env: process.env }
    const { ledger, place, problems } = yield* GatewayLedger.make(source.config, surroundings).pipe(
      Effect.mapError(({ message }) => new CommandError({ message: `serve: ${plain(message)}` }))
    )
    if (ledger !== undefined) {
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

/** What gateways share, opened; what that takes is loaded where a configuration names it. */
const openShared = ({ config }: Source, log: Pick<RequestLog, "note">) =>
  config.redis === undefined
    ? Effect.succeed(undefined)
    : Effect.flatMap(
        Effect.promise(() => import("@switchyard/gateway/SharedState")),
        (SharedState) => SharedState.make(config, log)
      )

/** Serves until it is interrupted; calls in flight are finished then. */
export const run = (flags: Flags) =>
  Effect.gen(function* () {
    const overrides = yield* overridesOf(flags)
    const { config: file } = flags
    yield* outlivePipes
    if (file !== undefined) yield* ignoreReloads
    const loaded = file === undefined ? undefined : yield* requireFile("serve", file)
    const source: Source = loaded ?? (yield* demoSource)
    const [{ make }, Log, Telemetry] = yield* Effect.promise(() =>
      Promise.all([
        import("@switchyard/gateway/Gateway"),
        import("@switchyard/gateway/RequestLog"),
        import("@switchyard/gateway/Telemetry")
      ])
    )
    const log = yield* Log.make(source.config, stderr())
    const { happened } = yield* catchFaults(tellFault(log))
    const { settings: telemetry, warnings } = Telemetry.fromEnvironment(process.env)
    yield* tellWarnings(warnings, log)
    const serving = Log.withLogger(log)(
      Effect.gen(function* () {
        const kept = yield* openLedger(source, flags, log)
        const shared = yield* openShared(source, log)
        if (loaded !== undefined) yield* tellProblems([...loaded.problems, ...kept.problems], log)
        // Looked at once the gateway has ended.
        let cutCalls = (): number => 0
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            if (cutCalls() > 0) process.exitCode ??= exitCodes.cut
          })
        )
        const gateway = yield* make(
          { ...source, problems: [...(source.problems ?? []), ...kept.problems] },
          { ...overrides, telemetry, environment: process.env, ledger: kept.ledger, shared },
          log
        ).pipe(Effect.mapError(({ message }) => new CommandError({ message: `serve: ${plain(message)}` })))
        cutCalls = gateway.cutCalls
        if (file !== undefined && loaded !== undefined) {
          const { watch } = yield* Effect.promise(() => import("@switchyard/gateway/ConfigWatch"))
          yield* watch(file, loaded, onChange(gateway, file, log, kept.told))
        }
        yield* print(listening(gateway, size(source.config)))
        if (loaded === undefined) yield* print(firstSteps(gateway.url))
        return yield* Effect.never
      })
    )
    return yield* Effect.raceFirst(serving, Effect.zipRight(happened, Effect.interrupt))
  }).pipe(Effect.scoped)
