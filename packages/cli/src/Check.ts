/**
 * Reports what is wrong with a configuration file, each problem with its line.
 */
import type { LoadedConfig } from "@switchyard/gateway/ConfigFile"
import type { Problem } from "@switchyard/gateway/Problem"
import * as Problems from "@switchyard/gateway/Problem"
import { Effect, Either } from "effect"
import { load, size } from "./configuration.js"
import { failed, hasColours, type Paint, painter, plain, print, type Style } from "./output.js"

/** What `check` is asked. */
export interface Flags {
  readonly file: string
  readonly strict: boolean
  readonly env: boolean
  readonly json: boolean
}

/** What came out. */
export interface Report {
  readonly file: string
  readonly ok: boolean
  readonly deployments: number
  readonly groups: number
  readonly problems: ReadonlyArray<Problem>
}

const isError = ({ severity }: Problem): boolean => severity === "error"
const isWarning = ({ severity }: Problem): boolean => severity === "warning"

/** Judges a file that was read, or not. `strict` counts warnings as errors. */
export const judge = (
  file: string,
  read: Either.Either<Pick<LoadedConfig, "config" | "problems">, { readonly problems: ReadonlyArray<Problem> }>,
  strict: boolean
): Report => {
  const { problems } = Either.merge(read)
  const deployments = Either.isRight(read) ? read.right.config.router.deployments : []
  const isBad = Either.isLeft(read) || problems.some(isError) || (strict && problems.some(isWarning))
  return {
    file,
    ok: !isBad,
    deployments: deployments.length,
    groups: new Set(deployments.map(({ group }) => group)).size,
    problems
  }
}

const styles: Readonly<Record<Problem["severity"], Style>> = { error: "red", warning: "yellow", note: "cyan" }

/** The report as text: the problems, then one line that sums up. */
export const render = (report: Report, sizeText: string, strict: boolean, paint: Paint): string => {
  const { file, ok, problems } = report
  const lines = problems.map((problem) =>
    plain(Problems.renderOne(problem)).replace(
      ` ${problem.severity} `,
      ` ${paint(styles[problem.severity], problem.severity)} `
    )
  )
  const counts = problems.length === 0 ? "" : ` (${Problems.summary(problems)})`
  const isStrictOnly = !ok && strict && !problems.some(isError)
  const verdict = ok
    ? `${paint("green", "ok")}, ${sizeText}${counts}`
    : `${paint("red", "not ok")}, ${Problems.summary(problems)}${isStrictOnly ? ", and --strict takes no warnings" : ""}`
  return [...lines, `${file}: ${verdict}`].join("\n")
}

/** Checks a file; exit code 1 when it is not ok. */
export const run = ({ env, file, json, strict }: Flags) =>
  Effect.gen(function* () {
    const read = yield* Effect.either(load(file, { unsetVariables: env ? "error" : "note" }))
    const report = judge(file, read, strict)
    const sizeText = Either.isRight(read) ? size(read.right.config) : ""
    yield* print(
      json ? JSON.stringify(report, null, 2) : render(report, sizeText, strict, painter(hasColours(process.stdout)))
    )
    if (!report.ok) yield* failed
  })
