/**
 * Reports what is wrong with a configuration file, each problem with its line.
 */
import type { LoadedConfig } from "@switchyard/gateway/ConfigFile"
import type { GatewayConfig } from "@switchyard/gateway/GatewayConfig"
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
  readonly data: string | undefined
  readonly json: boolean
}

/** What came out. */
export interface Report {
  readonly file: string
  readonly ok: boolean
  readonly deployments: number
  readonly groups: number
  /** Where keys, budgets and usage would be kept; null where there are none, or the file cannot be used. */
  readonly ledger: string | null
  readonly problems: ReadonlyArray<Problem>
}

/** Where the ledger would be, and what is wrong with that. */
export interface Kept {
  readonly ledger: string | null
  readonly problems: ReadonlyArray<Problem>
}

const isError = ({ severity }: Problem): boolean => severity === "error"
const isUsable = (report: Report): boolean => report.deployments > 0 && !report.problems.some(Problems.isFatal)
const isWarning = ({ severity }: Problem): boolean => severity === "warning"

/** Judges a file that was read, or not. `strict` counts warnings as errors. */
export const judge = (
  file: string,
  read: Either.Either<Pick<LoadedConfig, "config" | "problems">, { readonly problems: ReadonlyArray<Problem> }>,
  strict: boolean,
  kept: Kept = { ledger: null, problems: [] }
): Report => {
  const problems = [...Either.merge(read).problems, ...kept.problems]
  const deployments = Either.isRight(read) ? read.right.config.router.deployments : []
  const isBad = Either.isLeft(read) || problems.some(isError) || (strict && problems.some(isWarning))
  return {
    file,
    ok: !isBad,
    deployments: deployments.length,
    groups: new Set(deployments.map(({ group }) => group)).size,
    ledger: kept.ledger,
    problems
  }
}

const styles: Readonly<Record<Problem["severity"], Style>> = { error: "red", warning: "yellow", note: "cyan" }

/** The report as text: the problems, then one line that sums up. */
export const render = (report: Report, sizeText: string, strict: boolean, paint: Paint): string => {
  const { file, ledger, ok, problems } = report
  const lines = problems.map((problem) =>
    plain(Problems.renderOne(problem)).replace(
      ` ${problem.severity} `,
      ` ${paint(styles[problem.severity], problem.severity)} `
    )
  )
  const counts = problems.length === 0 ? "" : ` (${Problems.summary(problems)})`
  const isStrictOnly = !ok && strict && !problems.some(isError)
  const entries = Problems.leftOut(problems)
  const others =
    entries.length > 0 && isUsable(report)
      ? `; serve starts without ${entries.length === 1 ? entries[0] : `${entries.length} entries`}: ${sizeText}`
      : ""
  const why = isStrictOnly ? ", and --strict takes no warnings" : others
  const verdict = ok
    ? `${paint("green", "ok")}, ${sizeText}${counts}`
    : `${paint("red", "not ok")}, ${Problems.summary(problems)}${why}`
  const kept = ledger === null ? [] : [`keys, budgets and usage are kept in ${plain(ledger)}`]
  return [...lines, ...kept, `${file}: ${verdict}`].join("\n")
}

/** Where the ledger of a configuration would be: looked up, and neither made nor asked. */
const keptOf = (config: GatewayConfig, data: string | undefined): Effect.Effect<Kept> =>
  Effect.map(
    Effect.promise(() => import("@switchyard/gateway/LedgerPlace")),
    (LedgerPlace) => {
      const place = LedgerPlace.placeOf(config, { data, env: process.env })
      const isKept = place._tag === "Postgres" || (place._tag === "Sqlite" && place.unwritable === undefined)
      return {
        ledger: isKept ? LedgerPlace.shownPlace(place) : null,
        problems: LedgerPlace.problemsOf(place, config)
      }
    }
  )

/** Checks a file; exit code 1 when it is not ok, which it is not either where `serve` would leave out a part with an error. */
export const run = ({ data, env, file, json, strict }: Flags) =>
  Effect.gen(function* () {
    const read = yield* Effect.either(load(file, { unsetVariables: env ? "error" : "note" }))
    const kept = Either.isRight(read) ? yield* keptOf(read.right.config, data) : undefined
    const report = judge(file, read, strict, kept)
    const sizeText = Either.isRight(read) ? size(read.right.config) : ""
    yield* print(
      json ? JSON.stringify(report, null, 2) : render(report, sizeText, strict, painter(hasColours(process.stdout)))
    )
    if (!report.ok) yield* failed
  })
