/**
 * Runs the gateway until the process is told to stop: from a file, which it reads again when it changes or on SIGHUP, or
 * over the demo's own upstreams.
 */

import cluster from "node:cluster"
import * as Background from "@switchyard/core/Background"
import type { LoadedConfig } from "@switchyard/gateway/ConfigFile"
import type { Gateway, Overrides } from "@switchyard/gateway/Gateway"
import type { Source } from "@switchyard/gateway/Generations"
import type { LogOutput } from "@switchyard/gateway/RequestLog"
import { Effect, Either, Queue, type Scope } from "effect"
import { isBundled, readOptions } from "./bundle/ownModules.js"
import { requireFile, size } from "./configuration.js"
import { catchFaults, ignoreReloads, outlivePipes } from "./lifetime.js"
import { type CommandError, fail, hasColours, print } from "./output.js"
import { countOf, resolved } from "./serve/count.js"
import * as Serving from "./serve/gateway.js"
import { onChange } from "./serve/reloading.js"

/** What `serve` is asked. */
export interface Flags {
  readonly config: string | undefined
  readonly port: string | undefined
  readonly host: string | undefined
  readonly data: string | undefined
  readonly workers: string | undefined
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

type Listening = Pick<Overrides, "host" | "port">

const overridesOf = ({ data, host, port }: Flags): Effect.Effect<Listening, CommandError> => {
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

/** A log for this process, and what it says of faults and of the environment. */
const openLog = (config: LoadedConfig["config"], output: LogOutput, isFirst: boolean) =>
  Effect.gen(function* () {
    const [Log, Telemetry] = yield* Effect.promise(() =>
      Promise.all([import("@switchyard/gateway/RequestLog"), import("@switchyard/gateway/Telemetry")])
    )
    const log = yield* Log.make(config, output)
    const { happened } = yield* catchFaults(Serving.tellFault(log))
    const { settings: telemetry, warnings } = Telemetry.fromEnvironment(process.env)
    if (isFirst) yield* Serving.tellWarnings(warnings, log)
    /** Runs until a fault that nobody caught: then it ends in good order. */
    const withLog = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.raceFirst(Log.withLogger(log)(effect), Effect.zipRight(happened, Effect.interrupt))
    return { log, telemetry, withLog }
  })

/** Serves in this process. */
const alone = (
  flags: Flags,
  source: Source,
  loaded: LoadedConfig | undefined,
  listens: Listening
): Effect.Effect<void, CommandError, Scope.Scope> =>
  Effect.gen(function* () {
    const { config: file, data } = flags
    const { log, telemetry, withLog } = yield* openLog(source.config, stderr(), true)
    const serving = Effect.gen(function* () {
      const overrides = { ...listens, telemetry }
      const { gateway, told } = yield* Serving.open({ source, loaded, data, overrides, log, tellsProblems: true })
      if (file !== undefined && loaded !== undefined) {
        const { watch } = yield* Effect.promise(() => import("@switchyard/gateway/ConfigWatch"))
        const reload = (next: LoadedConfig) => Effect.as(gateway.reload(told(next)), told(next))
        yield* watch(file, loaded, onChange({ reload, refuse: gateway.refuse }, file, log, loaded), readOptions())
      }
      yield* print(listening(gateway, size(source.config)))
      if (loaded === undefined) yield* print(firstSteps(gateway.url))
      return yield* Effect.never
    })
    return yield* withLog(serving)
  })

/** Has workers serve. */
const byWorkers = (
  flags: Flags,
  source: Source,
  loaded: LoadedConfig | undefined,
  { host, port }: Listening,
  count: number
): Effect.Effect<void, CommandError, Scope.Scope> =>
  Effect.gen(function* () {
    const { config: file } = flags
    const { log, withLog } = yield* openLog(source.config, stderr(), true)
    const serving = Effect.gen(function* () {
      const { make } = yield* Effect.promise(() => import("./serve/primary.js"))
      const primary = yield* make({ source, loaded, host, port, count, log })
      if (loaded !== undefined) yield* Serving.tellProblems(loaded.problems, log)
      if (file !== undefined && loaded !== undefined) {
        const { watch } = yield* Effect.promise(() => import("@switchyard/gateway/ConfigWatch"))
        yield* watch(file, loaded, onChange(primary, file, log, loaded), readOptions())
      }
      yield* onRestart(primary.restart)
      yield* print(listening(primary, `${size(source.config)}; ${count} workers`))
      if (loaded === undefined) yield* print(firstSteps(primary.url))
      return yield* primary.lasting
    })
    return yield* withLog(serving)
  })

/** Serves as one of several, for the process that has started this one. */
const asWorker = (flags: Flags, { host }: Listening): Effect.Effect<void, CommandError, Scope.Scope> =>
  Effect.gen(function* () {
    const { config: file, data } = flags
    const Worker = yield* Effect.promise(() => import("./serve/worker.js"))
    // A primary that is gone has nobody to tell.
    const tied = yield* Effect.orElse(Worker.join, () => Effect.interrupt)
    const { contents, hasColours: isColoured, idSecret, index, isTerminal, port, sharesState, siblings } = tied
    const serving = Effect.gen(function* () {
      const loaded =
        file === undefined ? undefined : yield* requireFile("serve", file, contents === undefined ? {} : { contents })
      const given: Source = loaded ?? (yield* demoSource)
      const { server } = given.config
      const source = {
        ...given,
        config: { ...given.config, server: { ...server, idSecret: server.idSecret ?? idSecret } }
      }
      const output: LogOutput = {
        isTerminal,
        hasColours: isColoured,
        write: (text, done) => void process.stderr.write(text, done)
      }
      const opened = yield* openLog(source.config, output, false)
      const log = index === 0 ? opened.log : Worker.quiet(opened.log)
      const gateway = Effect.gen(function* () {
        const overrides = { ...(host === undefined ? {} : { host }), port, telemetry: opened.telemetry, siblings }
        const engine = sharesState ? tied.engine : undefined
        const here = yield* Serving.open({ source, loaded, data, overrides, log, engine, tellsProblems: index === 0 })
        const { load } = yield* Effect.promise(() => import("@switchyard/gateway/ConfigFile"))
        yield* tied.served(here, (said) => load(file ?? "", { ...readOptions(), contents: said }))
        return yield* Effect.interrupt
      })
      return yield* opened.withLog(gateway)
    })
    return yield* Effect.catchAll(serving, (error) => Worker.failed(tied, error))
  })

/** A signal that asks for workers of another day: of a program that was replaced, of an environment that is new. */
const onRestart = (restart: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const asked = yield* Queue.sliding<void>(1)
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const listen = () => void asked.unsafeOffer(undefined)
        process.on("SIGUSR2", listen)
        return listen
      }),
      (listen) => Effect.sync(() => process.off("SIGUSR2", listen))
    )
    yield* Background.run(Effect.forever(Effect.zipRight(Queue.take(asked), restart)))
  })

/** The ledger's thread, of which a gateway with a file nearly always has need: from sources it would have to be made first. */
const ledgerThread = Effect.promise(() => import("@switchyard/ledger/LedgerThread"))

/** Serves until it is interrupted; calls in flight are finished then. */
export const run = (flags: Flags) =>
  Effect.gen(function* () {
    const listens = yield* overridesOf(flags)
    const asked = yield* countOf(flags.workers)
    const { config: file } = flags
    yield* outlivePipes
    if (file !== undefined) yield* ignoreReloads
    if (file !== undefined && isBundled) yield* Effect.flatMap(ledgerThread, ({ prepare }) => prepare)
    if (cluster.isWorker) return yield* asWorker(flags, listens)
    const loaded = file === undefined ? undefined : yield* requireFile("serve", file)
    const source: Source = loaded ?? (yield* demoSource)
    const count = resolved(asked ?? source.config.server.workers)
    if (count === 1) return yield* alone(flags, source, loaded, listens)
    yield* Effect.flatMap(ledgerThread, ({ discard }) => discard)
    return yield* byWorkers(flags, source, loaded, listens, count)
  }).pipe(Effect.scoped)
