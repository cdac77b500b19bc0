/**
 * What is wrong with, or worth knowing about, a configuration file: one finding with its place, so that a user mends it
 * without searching.
 */
import { Schema } from "effect"

/**
 * `error`: the file cannot be used, or not that part of it which `leavesOut` names. `warning`: a setting is not honoured.
 * `note`: honoured, but not as one might think.
 */
export const Severity = Schema.Literal("error", "warning", "note")
/**
 * `error`: the file cannot be used, or not that part of it which `leavesOut` names. `warning`: a setting is not honoured.
 * `note`: honoured, but not as one might think.
 */
export type Severity = typeof Severity.Type

/** One finding in the settings, before anybody knows in which line it stands. */
export interface Finding {
  readonly severity: Severity
  /** Where it is in the file's own words, for example `model_list[2].litellm_params.rpm`. */
  readonly path: string
  /** What was expected, or what becomes of the setting; a whole clause, never a secret. */
  readonly message: string
  /** The value found, shortened and masked (`ConfigError.showValue`); undefined where it says nothing. */
  readonly value?: string
  /** What the user probably meant, for a misspelt name. */
  readonly suggestion?: string
  /** The path of the one entry that an error costs, for example `model_list[2]`: all others are used. */
  readonly leavesOut?: string
}

/** A finding with its place in a file. Lines and columns count from 1; undefined where there is no such place. */
export interface Problem extends Finding {
  readonly file: string | undefined
  readonly line: number | undefined
  readonly column: number | undefined
}

/** A problem in the fields of an error. */
export const Fields = Schema.Struct({
  severity: Severity,
  path: Schema.String,
  message: Schema.String,
  value: Schema.optionalWith(Schema.String, { exact: true }),
  suggestion: Schema.optionalWith(Schema.String, { exact: true }),
  leavesOut: Schema.optionalWith(Schema.String, { exact: true }),
  file: Schema.UndefinedOr(Schema.String),
  line: Schema.UndefinedOr(Schema.Number),
  column: Schema.UndefinedOr(Schema.Number)
})

const where = ({ column, file, line }: Problem): string =>
  [file, ...(line === undefined ? [] : [line, ...(column === undefined ? [] : [column])])]
    .filter((part) => part !== undefined)
    .join(":")

/** Whether nothing of a file can be used for this. */
export const isFatal = ({ leavesOut, severity }: Finding): boolean => severity === "error" && leavesOut === undefined

/** The entries that errors cost, each once, by their paths. */
export const leftOut = (problems: ReadonlyArray<Finding>): ReadonlyArray<string> => [
  ...new Set(problems.flatMap(({ leavesOut }) => leavesOut ?? []))
]

const cost = ({ leavesOut, path }: Finding): string => {
  if (leavesOut === undefined) return ""
  return path.startsWith(leavesOut) ? "; this deployment is left out" : `; ${leavesOut} is left out`
}

/** One problem in one line: `config.yaml:12:7 error server.prot: no such key (did you mean port?)`. */
export const renderOne = (problem: Problem): string => {
  const { message, path, severity, suggestion, value } = problem
  const head = [where(problem), severity].filter((part) => part !== "").join(" ")
  const found = value === undefined ? "" : `, found ${value}`
  const meant = suggestion === undefined ? "" : ` (did you mean ${suggestion}?)`
  return `${head} ${path === "" ? "" : `${path}: `}${message}${found}${meant}${cost(problem)}`
}

/** Problems as text, one a line, in their order. */
export const render = (problems: ReadonlyArray<Problem>): string => problems.map(renderOne).join("\n")

/** How many there are of each severity, in words: `2 errors, 1 warning`. */
export const summary = (problems: ReadonlyArray<Finding>): string => {
  const parts = Severity.literals.flatMap((severity) => {
    const count = problems.filter((problem) => problem.severity === severity).length
    return count === 0 ? [] : [`${count} ${severity}${count === 1 ? "" : "s"}`]
  })
  return parts.length === 0 ? "no problems" : parts.join(", ")
}

const severities: ReadonlyArray<Severity> = Severity.literals

/** Sorts problems as they stand in their files: files in the order given, then line and column, errors first. */
export const sorted = (problems: ReadonlyArray<Problem>, files: ReadonlyArray<string>): ReadonlyArray<Problem> => {
  const fileIndex = ({ file }: Problem) => (file === undefined ? -1 : files.indexOf(file))
  return [...problems].sort(
    (a, b) =>
      fileIndex(a) - fileIndex(b) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0) ||
      severities.indexOf(a.severity) - severities.indexOf(b.severity)
  )
}
