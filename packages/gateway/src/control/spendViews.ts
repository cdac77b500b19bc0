/** What was spent, out of the ledger: for the dashboard, and for spreadsheets. */
import * as Csv from "@switchyard/ledger/Csv"
import * as Money from "@switchyard/ledger/Money"
import { type Dimension, dayOf, type ReportRow } from "@switchyard/ledger/Report"
import { Effect } from "effect"
import type { SpendSum, SpendTable, SpendView } from "../api/SpendViews.js"
import type { Refusal } from "../errors/ErrorBody.js"
import { asking, type Desk } from "../keys/management/KeyDesk.js"

/** Days that are shown, today among them. */
const shownDays = 30

/** Rows of a table. */
const mostRows = 100

const dayMs = 86_400_000

/** The days that are shown, the first one first. */
const lately: Effect.Effect<readonly [first: string, ...rest: ReadonlyArray<string>]> = Effect.clockWith((clock) =>
  Effect.map(clock.currentTimeMillis, (now) => {
    const before = (days: number) => dayOf(now - days * dayMs)
    return [before(shownDays - 1), ...Array.from({ length: shownDays - 1 }, (_, at) => before(shownDays - 2 - at))]
  })
)

const tokensOf = ({ cacheRead, cacheWrite, input, output, reasoning }: ReportRow): number =>
  input + cacheRead + cacheWrite + output + reasoning

const nothing = (name: string): SpendSum => ({ name, alias: null, requests: 0, failures: 0, cost: 0, tokens: 0 })

const sumOf = (row: ReportRow, name: string, alias: string | undefined): SpendSum => ({
  name,
  alias: alias ?? null,
  requests: row.requests,
  failures: row.failures,
  cost: Money.toDollars(row.cost),
  tokens: tokensOf(row)
})

const emptyTable: SpendTable = { rows: [], total: 0 }

const dearest = (rows: ReadonlyArray<SpendSum>): SpendTable => ({
  rows: [...rows].sort((a, b) => b.cost - a.cost || b.requests - a.requests).slice(0, mostRows),
  total: rows.length
})

/** In nano-USD, so that no sum of many small ones is off. */
const totalOf = (rows: ReadonlyArray<ReportRow>): SpendSum => {
  const sum = (count: (row: ReportRow) => number) => rows.reduce((all, row) => all + count(row), 0)
  return {
    ...nothing(""),
    requests: sum((row) => row.requests),
    failures: sum((row) => row.failures),
    cost: Money.toDollars(sum((row) => row.cost)),
    tokens: sum(tokensOf)
  }
}

/** The last thirty days by day, and who and what they were spent for. */
export const view = (desk: Desk | undefined): Effect.Effect<SpendView, Refusal> =>
  Effect.gen(function* () {
    const days = yield* lately
    const [from] = days
    const to = days.at(-1) ?? from
    if (desk === undefined) {
      const empty = { keys: emptyTable, teams: emptyTable, models: emptyTable, deployments: emptyTable }
      return { hasLedger: false, from, to, total: nothing(""), days: days.map(nothing), ...empty }
    }
    const rowsBy = (by: Dimension) => asking(desk.ledger.store.report({ by: [by], from, to }))
    const table = (by: Dimension, aliasOf: (name: string) => string | undefined = () => undefined) =>
      Effect.map(rowsBy(by), (rows) =>
        dearest(rows.map((row) => sumOf(row, row.by[by] ?? "", aliasOf(row.by[by] ?? ""))))
      )
    const byDay = yield* rowsBy("day")
    const known = new Map(byDay.map((row) => [row.by.day ?? "", row]))
    return {
      hasLedger: true,
      from,
      to,
      total: totalOf(byDay),
      days: days.map((day) => {
        const row = known.get(day)
        return row === undefined ? nothing(day) : sumOf(row, day, undefined)
      }),
      keys: yield* table("key"),
      teams: yield* table("team", (id) => desk.book.group("team", id)?.alias),
      models: yield* table("model"),
      deployments: yield* table("deployment")
    }
  })

const dimensions = ["day", "key", "team", "user", "model", "deployment"] as const

const counts = ["requests", "failures", "input", "cacheRead", "cacheWrite", "output", "reasoning"] as const

const head = [...dimensions, ...counts, "cost_usd"].map((name) =>
  name.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`)
)

/** The same days for a spreadsheet, a line for each sum that is kept. */
export const csv = (desk: Desk | undefined): Effect.Effect<string, Refusal> =>
  Effect.gen(function* () {
    const days = yield* lately
    const ask = { by: dimensions, from: days[0], to: days.at(-1) }
    const rows = desk === undefined ? [] : yield* asking(desk.ledger.store.report(ask))
    const lines = rows.map((row) =>
      Csv.line([
        ...dimensions.map((name) => row.by[name] ?? ""),
        ...counts.map((name) => row[name]),
        Money.toDollars(row.cost)
      ])
    )
    return [Csv.line(head), ...lines, ""].join("\r\n")
  })
