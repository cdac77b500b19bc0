/**
 * Schemas for the fields of options and configurations. Each says in words what it expects, so that a `ConfigError` reads
 * the same wherever the field stands.
 */
import { Duration, Either, Option, Schema } from "effect"
import { ConfigError, type ConfigIssue, fromParseError } from "./ConfigError.js"

const expecting = (expected: string) => ({ message: () => ({ message: expected, override: true }) })

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
