/**
 * What the command prints: results on stdout, everything else on stderr, colours only where a person looks.
 */
import { Data, Effect } from "effect"

export { hasColours, type Paint, painter, type Style } from "./colours.js"

/** A user's mistake, or something outside that failed: one clear line on stderr and exit code 1. */
export class CommandError extends Data.TaggedError("CommandError")<{ readonly message: string }> {}

/** Fails with one line. */
export const fail = (message: string): Effect.Effect<never, CommandError> => Effect.fail(new CommandError({ message }))

/** A line, or several, on stdout. */
export const print = (text: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(`${text}\n`))

/** Text on stdout, as it is; done when it has gone out, so that much of it does not pile up. */
export const write = (text: string): Effect.Effect<void> =>
  Effect.async((resume) => {
    process.stdout.write(text, () => resume(Effect.void))
  })

/** A line, or several, on stderr. */
export const printError = (text: string): Effect.Effect<void> =>
  Effect.sync(() => void process.stderr.write(`${text}\n`))

/** Ends with exit code 1; what went wrong has been printed. */
export const failed: Effect.Effect<void> = Effect.sync(() => {
  process.exitCode = 1
})

/** `3 deployments`, `1 group`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it removes
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Text of others without control characters, so that it cannot steer a terminal. */
export const plain = (text: string): string => text.replace(controls, "")
