/**
 * What is wrong with a configuration: all problems at once, each with its path, the value found and what was expected.
 */
import { Duration, ParseResult, Schema } from "effect"
import * as Secret from "../shared/Secret.js"

/** One problem in a configuration. */
export interface ConfigIssue {
  /** Where it is, for example `deployments[2].weight`. */
  readonly path: string
  /** The value found there, shortened, and masked where the path names a secret. */
  readonly value: string
  /** What would have been right, in words. */
  readonly expected: string
}

/** What is expected where a key stands that nobody knows. */
const noSuchKey = "no such key"

const inOneLine = ({ expected, path, value }: ConfigIssue): string =>
  `${path}: ${expected === noSuchKey ? noSuchKey : `expected ${expected}`}, found ${value}`

/** A configuration that cannot be used. `issues` lists every problem that was found, not just the first. */
export class ConfigError extends Schema.TaggedError<ConfigError>("@switchyard/core/ConfigError")("ConfigError", {
  issues: Schema.Array(Schema.Struct({ path: Schema.String, value: Schema.String, expected: Schema.String }))
}) {
  override get message(): string {
    return this.issues.map(inOneLine).join("\n")
  }
}

const holdsSecret = (value: unknown): boolean =>
  typeof value === "object" ? value !== null && Object.keys(value).length > 0 : value !== ""

const shownInner = (key: string, inner: unknown): unknown =>
  typeof inner === "string"
    ? Secret.shownText(key, inner)
    : Secret.isSecretName(key) && holdsSecret(inner)
      ? Secret.masked
      : inner

/** Shows a value found at a path: JSON, at most 80 characters, and never a secret. */
export const showValue = (path: string, value: unknown): string => {
  if (value === undefined) return "nothing"
  const field = path.replace(/(\[\d+\])+$/, "")
  const name = field.slice(field.lastIndexOf(".") + 1)
  if (Secret.isSecretName(name) && holdsSecret(value)) return Secret.masked
  if (typeof value === "number" || typeof value === "bigint") return String(value)
  if (Duration.isDuration(value)) return Duration.format(value)
  const found = typeof value === "string" ? Secret.shownText(name, value) : value
  if (found === Secret.masked) return found
  let text: string | undefined
  try {
    text = JSON.stringify(found, (key, inner: unknown) => (key === "" ? inner : shownInner(key, inner)))
  } catch {
    text = undefined
  }
  const shown = text ?? String(found)
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown
}

/** Makes one issue from the raw value that was found. */
export const issue = (path: string, value: unknown, expected: string): ConfigIssue => ({
  path,
  value: showValue(path, value),
  expected
})

const joinPath = (root: string, path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>(
    (joined, key) =>
      typeof key === "number" ? `${joined}[${key}]` : joined === "" ? String(key) : `${joined}.${String(key)}`,
    root
  )

const valueAt = (input: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    input
  )

/** An option may also be left out, or `false`: what those branches of its union say only repeats the other one's. */
const isOptionalBranch = (message: string): boolean => /^Expected (undefined|false), actual /.test(message)

/** A path and every one above it. */
const upwards = (path: ReadonlyArray<PropertyKey>): ReadonlyArray<string> =>
  [...path, ""].map((_, length) => joinPath("", path.slice(0, length)))

/** Schema's own messages repeat the value, which may be a secret, and print whole types; only what was expected is kept. */
const inWords = (message: string): string => {
  if (!message.startsWith("Expected ")) return message
  const end = message.indexOf(", actual ")
  const expected = message.slice("Expected ".length, end === -1 ? undefined : end)
  if (expected.startsWith("{")) return "an object"
  if (expected.startsWith("ReadonlyArray<")) return "a list"
  return expected === "string" || expected === "number" || expected === "boolean" ? `a ${expected}` : expected
}

/**
 * Turns the errors of a `Schema` decoding (run it with `errors: "all"`) into issues below the path `root`: one for each
 * path, also where a union complains once per member.
 */
export const fromParseError = (
  error: ParseResult.ParseError,
  input: unknown,
  root: string
): ReadonlyArray<ConfigIssue> => {
  const issues = new Map<string, ConfigIssue>()
  const all = ParseResult.ArrayFormatter.formatErrorSync(error)
  const told = new Set(all.flatMap(({ message, path }) => (isOptionalBranch(message) ? [] : upwards(path))))
  for (const found of all) {
    if (isOptionalBranch(found.message) && told.has(joinPath("", found.path))) continue
    const expected =
      found._tag === "Unexpected" ? noSuchKey : found._tag === "Missing" ? "a value" : inWords(found.message)
    const path = joinPath(root, found.path)
    const known = issues.get(path)
    if (known === undefined) issues.set(path, issue(path, valueAt(input, found.path), expected))
    else if (!known.expected.split(" or ").includes(expected)) {
      issues.set(path, { ...known, expected: `${known.expected} or ${expected}` })
    }
  }
  return [...issues.values()]
}
