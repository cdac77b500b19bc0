/**
 * How the process ends: what its exit code says, who may close its pipes, and what becomes of it when code throws where
 * nobody can catch it.
 */
import * as Runtime from "@effect/platform/Runtime"
import { Cause, Deferred, Effect, Exit } from "effect"
import { outlive } from "./pipes.js"

/** Exit codes beside 0 (did as it was told) and 1 (a mistake, or it could not start). */
export const exitCodes = {
  /** It was told to stop, and calls were cut because they outlasted the drain time. */
  cut: 3,
  /** A fault of the program's own. */
  fault: 70
} as const

/** From now on the process goes on when nobody reads its output: what is written is lost. */
export const outlivePipes: Effect.Effect<void> = Effect.sync(outlive)

let ignoresReloads = false

/**
 * Reload signals mean nothing before there is something to reload, while the gateway drains, and between its end and that of
 * the process, but must not end it: so nobody takes this back.
 */
export const ignoreReloads: Effect.Effect<void> = Effect.sync(() => {
  if (ignoresReloads) return
  ignoresReloads = true
  process.on("SIGHUP", () => {})
})

/** An end that was asked for has the exit code that somebody set meanwhile, or 0. */
export const teardown: Runtime.Teardown = (exit, onExit) =>
  Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
    ? onExit(Number(process.exitCode ?? 0))
    : Runtime.defaultTeardown(exit, onExit)

/** Something that was thrown where nobody could catch it. */
export interface Fault {
  readonly kind: NodeJS.UncaughtExceptionOrigin
  readonly message: string
  /** Where it came from, when that is known. */
  readonly cause: string | undefined
  /** What happens now. */
  readonly action: "drain" | "exit"
}

const faultOf = (thrown: unknown, kind: Fault["kind"], action: Fault["action"]): Fault =>
  thrown instanceof Error
    ? { kind, message: `${thrown.name}: ${thrown.message}`, cause: thrown.stack, action }
    : { kind, message: typeof thrown === "string" ? thrown : `a thrown ${typeof thrown}`, cause: undefined, action }

/**
 * Takes what nobody caught, until the process ends. What it broke is unknown, so the process does not live on; but calls that
 * it did not touch deserve their answers, so the first one only makes `happened` succeed, for a drain. One more, and the
 * process ends at once. `tell` must write synchronously.
 */
export const catchFaults = (tell: (fault: Fault) => void): Effect.Effect<{ readonly happened: Effect.Effect<void> }> =>
  Effect.map(Deferred.make<void>(), (first) => {
    let count = 0
    process.on("uncaughtException", (thrown: unknown, kind) => {
      count++
      process.exitCode = exitCodes.fault
      try {
        tell(faultOf(thrown, kind, count === 1 ? "drain" : "exit"))
      } finally {
        if (count === 1) Deferred.unsafeDone(first, Effect.void)
        else process.exit()
      }
    })
    return { happened: Deferred.await(first) }
  })
