/**
 * Runs the gateway until the process is told to stop: from a file, which it reads again when it changes or on SIGHUP, or
 * over the demo's own upstreams.
 */
import type { Change } from "@switchyard/gateway/ConfigWatch"
import type { Gateway, Overrides } from "@switchyard/gateway/Gateway"
import type { Source } from "@switchyard/gateway/Generations"
import * as Problems from "@switchyard/gateway/Problem"
import { Effect, Either } from "effect"
import { requireFile, size } from "./internal/configuration.js"
import { CommandError, fail, plain, print, printError } from "./internal/output.js"

/** What `serve` is asked. */
export interface Flags {
  readonly config: string | undefined
  readonly port: string | undefined
  readonly host: string | undefined
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

const overridesOf = ({ host, port }: Flags): Effect.Effect<Overrides, CommandError> => {
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) <= 65_535)) {
    return fail(`serve: --port: expected a whole number from 0 to 65535, found ${JSON.stringify(port)}`)
  }
  if (host !== undefined && host.trim() === "") return fail("serve: --host: expected an address that is not empty")
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

/** Puts a file that was read again in force, or says why the old configuration stays; one line, and what is wrong below. */
const onChange =
  (gateway: Pick<Gateway, "refuse" | "reload">, file: string) =>
  (change: Change): Effect.Effect<void> => {
    const refused = (why: string) => printError(`switchyard: ${file} not reloaded, all stays as it was\n${plain(why)}`)
    if (Either.isLeft(change)) {
      const { problems } = change.left
      const errors = problems.filter(({ severity }) => severity === "error").map(Problems.renderOne)
      return Effect.zipRight(gateway.refuse(errors), refused(Problems.render(problems)))
    }
    const { config, problems } = change.right
    const found = problems.length === 0 ? "" : `; ${Problems.summary(problems)}, see switchyard check`
    return Effect.matchEffect(gateway.reload(change.right), {
      onFailure: ({ message }) => refused(message),
      onSuccess: () => printError(`switchyard: ${file} reloaded (${size(config)}${found})`)
    })
  }

/** Serves until it is interrupted; calls in flight are finished then. */
export const run = (flags: Flags) =>
  Effect.gen(function* () {
    const overrides = yield* overridesOf(flags)
    const { config: file } = flags
    const loaded = file === undefined ? undefined : yield* requireFile("serve", file)
    if (loaded !== undefined && loaded.problems.length > 0) yield* printError(plain(Problems.render(loaded.problems)))
    const source = loaded ?? (yield* demoSource)
    const { make } = yield* Effect.promise(() => import("@switchyard/gateway/Gateway"))
    const gateway = yield* make(source, overrides).pipe(
      Effect.mapError(({ message }) => new CommandError({ message: `serve: ${plain(message)}` }))
    )
    if (file !== undefined && loaded !== undefined) {
      const { watch } = yield* Effect.promise(() => import("@switchyard/gateway/ConfigWatch"))
      yield* watch(file, loaded, onChange(gateway, file))
    }
    yield* print(listening(gateway, size(source.config)))
    if (loaded === undefined) yield* print(firstSteps(gateway.url))
    return yield* Effect.never
  }).pipe(Effect.scoped)
