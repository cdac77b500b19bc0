/**
 * The command `switchyard`: reads the command line, runs a subcommand, and turns every mistake into one line on stderr and
 * exit code 1.
 */
import { readFileSync } from "node:fs"
import { stripVTControlCharacters } from "node:util"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Console, Effect, Either, Layer, Logger } from "effect"
import { command, known } from "./Cli.js"
import { tidied } from "./help.js"
import { teardown, watchPipes } from "./lifetime.js"
import { fail, failed, hasColours, printError } from "./output.js"
import { arrange } from "./words.js"

const version = (
  JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { readonly version: string }
).version

const mistake = (message: string) => Effect.zipRight(printError(`switchyard: ${message}`), failed)

/** The parser prints through the console: its help is made shorter, and its complaints become our own line. */
const quiet = (console: Console.Console): Console.Console => ({
  ...console,
  log: (...values) =>
    Effect.sync(() => {
      const text = tidied(values.map(String).join(" "))
      process.stdout.write(`${hasColours(process.stdout) ? text : stripVTControlCharacters(text)}\n`)
    }),
  error: () => Effect.void
})

const parse = Command.run(command, { name: "switchyard", version, executable: "switchyard" })

const oneLine = (error: ValidationError.ValidationError): string =>
  stripVTControlCharacters(HelpDoc.toAnsiText(error.error)).trim().replace(/\s+/g, " ")

const parsed = (words: ReadonlyArray<string>) =>
  Console.consoleWith((console) => parse(["node", "switchyard", ...words]).pipe(Effect.withConsole(quiet(console))))

const program = Effect.suspend(() => {
  const words = arrange(process.argv.slice(2), known)
  return Either.isLeft(words) ? fail(`${words.left} (switchyard --help)`) : parsed(words.right)
}).pipe(
  Effect.catchIf(ValidationError.isValidationError, (error) => fail(`${oneLine(error)} (switchyard --help)`)),
  Effect.catchTag("CommandError", ({ message }) => mistake(message)),
  Effect.catchAllCause((cause) =>
    Cause.isInterruptedOnly(cause) ? Effect.interrupt : mistake(`internal error\n${Cause.pretty(cause)}`)
  )
)

/** What the gateway logs goes to stderr, a line each. */
const logging = Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))

watchPipes()

program.pipe(
  Effect.provide(Layer.mergeAll(NodeContext.layer, CliConfig.layer({ showBuiltIns: false }), logging)),
  NodeRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true, teardown })
)
