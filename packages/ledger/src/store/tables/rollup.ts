/** Sums by day, key, team, user, model and deployment, kept beside the records in the same transaction: reports read nothing else. */
import * as Effect from "effect/Effect"
import type { LedgerError } from "../../errors/LedgerError.js"
import type { UsageRecord } from "../../record/UsageRecord.js"
import { type Dimension, dayOf, type Report, type ReportAsk } from "../Report.js"
import { type Column, type Engine, type Value, whole } from "./engine.js"
import { amount, short } from "./records.js"

const keys = ["day", "caller", "team", "bearer", "model", "deployment"]

const sums = ["requests", "failures", "cost", "input", "cache_read", "cache_write", "output", "reasoning"]

const columns: ReadonlyArray<Column> = [
  ...keys.map((name) => [name, "text"] as const),
  ...sums.map((name) => [name, "bigint"] as const)
]

const dayLength = 86_400_000

/**
 * A request that reached no model group has no model here: names that callers make up must not make sums grow. A failure is
 * what failed or was refused; who left did not fail.
 */
const sumsOf = (records: ReadonlyArray<UsageRecord>): ReadonlyArray<ReadonlyArray<Value>> => {
  const rows = new Map<string, { readonly key: ReadonlyArray<string>; readonly sum: Array<number> }>()
  let day = ""
  let begins = Number.NaN
  for (const record of records) {
    const time = amount(record.time)
    if (!(time >= begins && time < begins + dayLength)) {
      begins = Math.floor(time / dayLength) * dayLength
      day = dayOf(begins)
    }
    const key = [day, record.caller, record.team, record.user, record.group, record.deployment].map((part) =>
      part === undefined ? "" : short(part)
    )
    const name = key.join("\0")
    const row = rows.get(name) ?? { key, sum: [0, 0, 0, 0, 0, 0, 0, 0] }
    rows.set(name, row)
    const isFailure = record.ending === "failure" || record.ending === "refused"
    const more = [
      1,
      isFailure ? 1 : 0,
      record.cost,
      record.input,
      record.cacheRead,
      record.cacheWrite,
      record.output,
      record.reasoning
    ]
    for (let at = 0; at < more.length; at++) row.sum[at] = (row.sum[at] ?? 0) + amount(more[at] ?? 0)
  }
  // Always in the same order: two gateways that write the same sums must not wait for each other in a circle.
  return [...rows.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { key, sum }]) => [...key, ...sum.map(amount)])
}

export const add = (engine: Engine, records: ReadonlyArray<UsageRecord>): Effect.Effect<void, LedgerError> =>
  engine.insert(
    "rollup",
    columns,
    sumsOf(records),
    `ON CONFLICT (${keys.join(", ")}) DO UPDATE SET ${sums.map((sum) => `${sum} = rollup.${sum} + excluded.${sum}`).join(", ")}`
  )

const columnOf: Readonly<Record<Dimension, string>> = {
  day: "day",
  key: "caller",
  team: "team",
  user: "bearer",
  model: "model",
  deployment: "deployment"
}

/** Sums of sums. Larger ones than a number holds exactly come out rounded, and fail nothing. */
export const report = (engine: Engine, ask: ReportAsk): Effect.Effect<Report, LedgerError> => {
  const filters: ReadonlyArray<readonly [string, Value | undefined]> = [
    ["day >= ?", ask.from],
    ["day <= ?", ask.to],
    ["caller = ?", ask.key],
    ["team = ?", ask.team],
    ["bearer = ?", ask.user],
    ["model = ?", ask.model],
    ["deployment = ?", ask.deployment]
  ]
  const used = filters.filter((filter): filter is readonly [string, Value] => filter[1] !== undefined)
  const by = [...new Set(ask.by)]
  const names = by.map((dimension) => columnOf[dimension])
  const sql = [
    `SELECT ${[...names, ...sums.map((sum) => `CAST(SUM(${sum}) AS DOUBLE PRECISION) AS ${sum}`)].join(", ")}`,
    `FROM ${engine.table("rollup")}`,
    ...(used.length === 0 ? [] : [`WHERE ${used.map(([condition]) => condition).join(" AND ")}`]),
    ...(names.length === 0 ? [] : [`GROUP BY ${names.join(", ")} ORDER BY ${names.map(engine.inOrder).join(", ")}`])
  ].join(" ")
  return Effect.map(
    engine.rows(
      sql,
      used.map(([, value]) => value)
    ),
    (rows) =>
      rows.map((row) => {
        const told: Partial<Record<Dimension, string>> = {}
        for (const dimension of by) {
          const value = String(row[columnOf[dimension]])
          if (value !== "") told[dimension] = value
        }
        return {
          by: told,
          requests: whole(row["requests"]),
          failures: whole(row["failures"]),
          cost: whole(row["cost"]),
          input: whole(row["input"]),
          cacheRead: whole(row["cache_read"]),
          cacheWrite: whole(row["cache_write"]),
          output: whole(row["output"]),
          reasoning: whole(row["reasoning"])
        }
      })
  )
}
