/**
 * What a subcommand takes, as data: the parser, the help and the completions read the same table.
 */
import type { Effect } from "effect"
import type { CommandError } from "../output.js"

/** An option, as `--name`. */
export interface Option<out A = unknown> {
  readonly about: string
  /** What its value is called in the help; undefined where it takes none. */
  readonly shape?: string
  /** Whether it may be given several times. */
  readonly isRepeated?: boolean
  /** What comes of the values that were given; for an option that needs none `""`, `"true"` or `"false"`. */
  readonly read: (values: ReadonlyArray<string>) => A
}

/** Options by their names. */
export type Options = Readonly<Record<string, Option>>

/** The one word beside the options. */
export interface Argument<out Name extends string = string> {
  readonly name: Name
  readonly about: string
  /** What it is when it is left out; undefined where it must not be. */
  readonly byDefault?: string
}

/** A command line, and what it is for. */
export type Example = readonly [line: string, about: string]

/** What a subcommand is given: its options by name, and its arguments. */
export type Given<O extends Options, Name extends string> = {
  readonly [K in keyof O]: ReturnType<O[K]["read"]>
} & { readonly [K in Name]: string }

/** A module that runs a subcommand. */
interface Runner<G> {
  readonly run: (given: G) => Effect.Effect<void, CommandError>
}

/** A subcommand. */
export interface Command {
  readonly about: string
  readonly options: Options
  readonly argument: Argument | undefined
  /** A word behind that one. */
  readonly second: Argument | undefined
  readonly examples: ReadonlyArray<Example>
  /** Whether a signal to stop interrupts it, so that it ends in its own way; any other is ended by the system at once. */
  readonly hearsSignals: boolean
  /** Loads what it needs, for what it was given. */
  readonly start: (given: Readonly<Record<string, unknown>>) => Promise<Effect.Effect<void, CommandError>>
}

/** An option that needs no value; `true` and `false` may be said. */
export const flag = (about: string): Option<boolean> => ({
  about,
  read: (values) => values.length > 0 && values.at(-1) !== "false"
})

/** An option with a value that may be left out. */
export const optional = (shape: string, about: string): Option<string | undefined> => ({
  about,
  shape,
  read: (values) => values.at(-1)
})

/** An option that is something else where it is left out. */
export const withDefault = (shape: string, about: string, byDefault: string): Option<string> => ({
  about,
  shape,
  read: (values) => values.at(-1) ?? byDefault
})

/** An option that may be given several times. */
export const repeated = (shape: string, about: string): Option<ReadonlyArray<string>> => ({
  about,
  shape,
  isRepeated: true,
  read: (values) => values
})

/** A subcommand, from what it takes and the module that runs it. */
export const command = <
  const O extends Options,
  const Name extends string = never,
  const Second extends string = never
>(
  about: string,
  takes: {
    readonly options: O
    readonly argument?: Argument<Name>
    readonly second?: Argument<Second>
    readonly examples?: ReadonlyArray<Example>
    readonly hearsSignals?: boolean
  },
  load: () => Promise<Runner<Given<O, Name | Second>>>
): Command => ({
  about,
  options: takes.options,
  argument: takes.argument,
  second: takes.second,
  examples: takes.examples ?? [],
  hearsSignals: takes.hearsSignals ?? false,
  start: async (given) => (await load()).run(given as Given<O, Name | Second>)
})
