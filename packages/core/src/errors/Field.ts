/**
 * Schemas for the fields of options and configurations. Each says in words what it expects, so that a `ConfigError` reads
 * the same wherever the field stands.
 */
import { Duration, Either, Option, Schema } from "effect"
import { ConfigError, type ConfigIssue, fromParseError } from "./ConfigError.js"

const expecting = (expected: string) => ({
  description: expected,
  message: () => ({ message: expected, override: true })
})

/** A string that is not empty. */
export const text = Schema.String.pipe(Schema.minLength(1)).annotations(expecting("a string that is not empty"))

/** A finite number of at least 0. */
export const nonNegative = Schema.Number.pipe(Schema.finite(), Schema.nonNegative()).annotations(
  expecting("a finite number of at least 0")
)

/** A finite number above 0. */
export const positive = Schema.Number.pipe(Schema.finite(), Schema.positive()).annotations(
  expecting("a finite number above 0")
)

/** A whole number of at least 0. */
export const count = Schema.Number.pipe(Schema.int(), Schema.nonNegative()).annotations(
  expecting("a whole number of at least 0")
)

/** A whole number of at least 1. */
export const positiveCount = Schema.Number.pipe(Schema.int(), Schema.positive()).annotations(
  expecting("a whole number of at least 1")
)

/** Any finite number. */
export const finite = Schema.Number.pipe(Schema.finite()).annotations(expecting("a finite number"))

/** A number from 0 to 1. */
export const fraction = Schema.Number.pipe(Schema.between(0, 1)).annotations(expecting("a number from 0 to 1"))

/** USD per million tokens. */
export const price = Schema.Number.pipe(Schema.finite(), Schema.nonNegative()).annotations(
  expecting("USD per million tokens, at least 0")
)

/** A whole number from 0 to 100. */
export const retries = Schema.Number.pipe(Schema.int(), Schema.between(0, 100)).annotations(
  expecting("a whole number from 0 to 100")
)

/** An http or https URL. */
export const httpUrl = Schema.String.pipe(
  Schema.filter((url) => URL.canParse(url) && /^https?:/.test(url))
).annotations({ ...expecting("an http or https URL"), jsonSchema: { pattern: "^https?:" } })

/** `Duration` turns NaN and what is negative into zero; in a configuration both are mistakes. */
const isNegative = (value: unknown): boolean =>
  typeof value === "number"
    ? !(value >= 0)
    : typeof value === "bigint"
      ? value < 0n
      : typeof value === "string" && value.startsWith("-")

const millis = (value: unknown): number =>
  isNegative(value)
    ? Number.NaN
    : Option.match(Duration.decodeUnknown(value), { onNone: () => Number.NaN, onSome: Duration.toMillis })

/** Durations as a file may write them; a `Duration` can stand in code only. */
const durationJson = (number: object) => ({
  anyOf: [
    { type: "number", ...number },
    {
      type: "string",
      pattern: "^\\d+(\\.\\d+)?\\s+(nanos?|micros?|millis?|seconds?|minutes?|hours?|days?|weeks?)$"
    }
  ]
})

/** A duration above 0: milliseconds, a `Duration`, or text like "30 seconds". */
export const duration = Schema.declare(
  (value: unknown): value is Duration.DurationInput => millis(value) > 0
).annotations({
  ...expecting('a duration above 0, in ms or like "30 seconds"'),
  jsonSchema: durationJson({ exclusiveMinimum: 0 })
})

/** A duration of 0 or more: milliseconds, a `Duration`, or text like "30 seconds". */
export const durationOrZero = Schema.declare(
  (value: unknown): value is Duration.DurationInput => millis(value) >= 0
).annotations({
  ...expecting('a duration of 0 or more, in ms or like "30 seconds"'),
  jsonSchema: durationJson({ minimum: 0 })
})

/** True or false. */
export const flag = Schema.Boolean.annotations(expecting("true or false"))

/** An option with a default: what applies it and what documents it read the same value. */
export interface Defaulted<S extends Schema.Schema.All, D> extends Schema.optional<S> {
  readonly byDefault: D
}

/**
 * A setting that may be left out, with what it is for and, where that does not depend on others, what it is then. The
 * description may name the default in its own words; else readers append it.
 */
export const option: {
  <S extends Schema.Schema.All>(schema: S, description: string): Schema.optional<S>
  <S extends Schema.Schema.All, const D extends Schema.Schema.Type<S>>(
    schema: S,
    description: string,
    byDefault: D
  ): Defaulted<S, D>
} = (schema: Schema.Schema.All, description: string, ...rest: ReadonlyArray<unknown>): never => {
  const field = Schema.optional(schema)
  const described =
    rest.length === 0
      ? field.annotations({ description })
      : Object.assign(field.annotations({ description, default: rest[0] as never }), { byDefault: rest[0] })
  return described as never
}

/** A setting that must be there, with what it is for. */
export const required = <S extends Schema.Schema.All>(schema: S, description: string) =>
  Schema.propertySignature(schema).annotations({ description })

/** Whoever writes `true` wants the defaults. */
const anObject = ({ actual }: { readonly actual: unknown }): string =>
  actual === true ? "an object, {} for its defaults" : "an object"

/** The options of one concern, with what they are about. */
export const options = <const F extends Schema.Struct.Fields>(description: string, fields: F): Schema.Struct<F> =>
  // Without a message of its own a schema that is described would answer a wrong value with its description.
  Schema.Struct(fields).annotations({ description, message: anObject })

/** The defaults among fields, by name. */
export type Defaults<F> = {
  readonly [K in keyof F as F[K] extends { readonly byDefault: unknown } ? K : never]: F[K] extends {
    readonly byDefault: infer D
  }
    ? D
    : never
}

/** What options are when they are left out: those that have a default, as their schema documents it. */
export const defaults = <F extends Schema.Struct.Fields>(schema: { readonly fields: F }): Defaults<F> =>
  Object.fromEntries(
    Object.entries(schema.fields).flatMap(([name, field]) => ("byDefault" in field ? [[name, field.byDefault]] : []))
  ) as Defaults<F>

const units = [
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000]
] as const

const many = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? "" : "s"}`

const inDuration = (ms: number): string => {
  const [unit, length] = units.find(([, one]) => ms >= 2 * one && ms % one === 0) ?? ["second", 1000]
  return ms === 0 ? "0" : ms < 1000 ? `${ms} ms` : many(ms / length, unit)
}

const inBytes = (bytes: number): string =>
  bytes % 1048576 === 0 ? `${bytes / 1048576} MiB` : bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`

const inWords = (value: unknown, name: string, isDuration: boolean): string => {
  if (Array.isArray(value)) return value.length === 0 ? "none" : `from ${shown(value[0])} to ${shown(value.at(-1))}`
  if (typeof value === "object" && value !== null) return "none"
  if (typeof value !== "number") return shown(value)
  return isDuration ? inDuration(value) : value > 0 && /bytes$/i.test(name) ? inBytes(value) : shown(value)
}

const shown = (value: unknown): string =>
  typeof value === "number"
    ? value.toLocaleString("en-US", { maximumFractionDigits: 20 })
    : typeof value === "string"
      ? `\`${value}\``
      : String(value)

/** What a setting is for and what it is when it is left out, as one text; durations in ms are said in their largest unit. */
export const told = (
  description: string,
  { byDefault, isDuration, name }: { readonly byDefault: unknown; readonly isDuration: boolean; readonly name: string }
): string =>
  byDefault === undefined || /\bdefault\b/i.test(description)
    ? description
    : `${description} Default ${inWords(byDefault, name, isDuration)}.`

/** Every problem of a value below `path`: wrong fields, missing ones and keys that nobody knows. */
export const issuesOf = <A, I>(schema: Schema.Schema<A, I>, input: unknown, path: string): ReadonlyArray<ConfigIssue> =>
  Either.match(decode(schema, input, path), { onLeft: (error) => error.issues, onRight: () => [] })

/** Decodes a value, or says everything that is wrong with it, with paths below `path`. */
export const decode = <A, I>(
  schema: Schema.Schema<A, I>,
  input: unknown,
  path: string
): Either.Either<A, ConfigError> =>
  Either.mapLeft(
    Schema.decodeUnknownEither(schema, { errors: "all", onExcessProperty: "error" })(input),
    (error) => new ConfigError({ issues: fromParseError(error, input, path) })
  )
