import { columns, deploymentColumns, deploymentRows } from "@switchyard/simulator/Columns"
import type { Result } from "@switchyard/simulator/Result"
import type { Scenario } from "@switchyard/simulator/Scenario"
import { plain } from "../output.js"
import { table } from "../table.js"

const right = (titles: ReadonlyArray<string>) =>
  titles.map((title, index) => ({ title, align: index === 0 ? ("left" as const) : ("right" as const) }))

const errors = ({ errors, variant }: Result): ReadonlyArray<string> => {
  const told = Object.entries(errors).map(([reason, count]) => `${count} ${reason}`)
  return told.length === 0 ? [] : [`Failed with ${variant}: ${told.join(", ")}`]
}

/** The results as tables. */
export const render = ({ model }: Scenario, results: ReadonlyArray<Result>): string =>
  [
    plain(model.about === undefined ? model.name : `${model.name}: ${model.about}`),
    ...(results.some(({ isPartial }) => isPartial) ? ["Stopped before its end: these are the figures so far."] : []),
    "",
    table(
      right(columns.map(({ title }) => title)),
      results.map((result) => columns.map(({ text }) => plain(text(result))))
    ),
    "",
    table(
      right(deploymentColumns).map((column, index) => (index === 1 ? { ...column, align: "left" as const } : column)),
      results.flatMap(deploymentRows).map((row) => row.map(plain))
    ),
    ...results.flatMap(errors).map(plain)
  ].join("\n")
