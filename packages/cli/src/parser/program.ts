/**
 * Runs a subcommand, and turns what it fails with into one line on stderr and exit code 1.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Effect, Logger, Option } from "effect"
import { FromPackages, runFromPackages } from "../bundle/ownModules.js"
import { teardown } from "../lifetime.js"
import { type CommandError, failed, printError } from "../output.js"

const mistake = (message: string) => Effect.zipRight(printError(`switchyard: ${message}`), failed)

const isFromPackages = (defect: unknown): boolean => defect instanceof FromPackages

/** What the gateway logs goes to stderr, a line each. */
const logging = Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))

/** Runs it with Node's own answer to signals, which ends the process at once, also in the middle of work that hears nothing. */
const runDeaf = (program: Effect.Effect<void>): void => {
  // Its timer keeps the process alive.
  const alive = Effect.runFork(Effect.never)
  Effect.runFork(program).addObserver((exit) => {
    alive.unsafeInterruptAsFork(alive.id())
    teardown(exit, (code) => {
      if (code !== 0) process.exit(code)
    })
  })
}

/** Runs what `load` gives, until it ends, or a signal interrupts it where it hears them. */
export const run = (load: () => Promise<Effect.Effect<void, CommandError>>, hearsSignals: boolean): void =>
  Effect.flatten(Effect.promise(load)).pipe(
    Effect.catchTag("CommandError", ({ message }) => mistake(message)),
    Effect.catchAllCause((cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.interrupt
      if (Option.exists(Cause.dieOption(cause), isFromPackages)) return Effect.sync(runFromPackages)
      return mistake(`internal error\n${Cause.pretty(cause)}`)
    }),
    Effect.provide(logging),
    hearsSignals ? NodeRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true, teardown }) : runDeaf
  )
