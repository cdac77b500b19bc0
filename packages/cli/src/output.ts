/**
 * What the command prints: results on stdout, everything else on stderr, colours only where a person looks.
 */
import { Data, Effect } from "effect"

/** A user's mistake, or something outside that failed: one clear line on stderr and exit code 1. */
export class CommandError extends Data.TaggedError("CommandError")<{ readonly message: string }> {}

/** Fails with one line. */
export const fail = (message: string): Effect.Effect<never, CommandError> => Effect.fail(new CommandError({ message }))

/** A line, or several, on stdout. */
export const print = (text: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(`${text}\n`))

/** A line, or several, on stderr. */
export const printError = (text: string): Effect.Effect<void> =>
  Effect.sync(() => void process.stderr.write(`${text}\n`))

/** Ends with exit code 1; what went wrong has been printed. */
export const failed: Effect.Effect<void> = Effect.sync(() => {
  process.exitCode = 1
})

/** What a terminal can do. */
export interface Terminal {
  readonly isTTY?: boolean
}

/** Whether to colour: a terminal, and nobody who set `NO_COLOR`. */
export const hasColours = (
  terminal: Terminal,
  env: Readonly<Record<string, string | undefined>> = process.env
): boolean => terminal.isTTY === true && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb"

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

/** A colour or weight. */
export type Style = keyof typeof codes

/** Puts text in a style; the identity where colours are off. */
export type Paint = (style: Style, text: string) => string

/** Paints, or leaves text as it is. */
export const painter = (colours: boolean): Paint =>
  colours ? (style, text) => `\u001b[${codes[style]}m${text}\u001b[0m` : (_style, text) => text

/** `3 deployments`, `1 group`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it removes
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Text of others without control characters, so that it cannot steer a terminal. */
export const plain = (text: string): string => text.replace(controls, "")
