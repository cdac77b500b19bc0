/**
 * Records and sums as rows of names and values: what is exported.
 */
import * as Money from "@switchyard/ledger/Money"
import type { ReportRow } from "@switchyard/ledger/Report"
import type { UsageRecord } from "@switchyard/ledger/UsageRecord"

/** A row, in the order of its columns. */
export type Row = Readonly<Record<string, string | number | boolean | undefined | ReadonlyArray<string>>>

/** USD, exact to the nano: nine digits are less than a double holds. */
const dollars = (nano: number): number => Number(Money.toDollars(nano).toFixed(9))

/** A record, named as the log names the same things. */
export const ofRecord = (record: UsageRecord): Row => ({
  time: new Date(record.time).toISOString(),
  id: record.id,
  caller: record.caller,
  team: record.team,
  user: record.user,
  tags: record.tags,
  operation: record.operation,
  model: record.model,
  group: record.group,
  deployment: record.deployment,
  provider: record.provider,
  attempts: record.attempts,
  stream: record.stream,
  cache_hit: record.isHit,
  input_tokens: record.input,
  cache_read_tokens: record.cacheRead,
  cache_write_tokens: record.cacheWrite,
  output_tokens: record.output,
  reasoning_tokens: record.reasoning,
  cost_usd: dollars(record.cost),
  outcome: record.ending,
  status: record.status,
  reason: record.reason,
  latency_ms: record.latency,
  ttft_ms: record.firstContent,
  session: record.session
})

const nothing: UsageRecord = {
  ...{ id: "", time: 0, caller: undefined, team: undefined, user: undefined, tags: [], operation: "" },
  ...{ model: undefined, group: undefined, deployment: undefined, provider: undefined },
  ...{ attempts: 0, stream: false, isHit: false, ending: "success", status: undefined, reason: undefined },
  ...{ input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0, cost: 0 },
  ...{ latency: 0, firstContent: undefined, session: undefined }
}

/** What a record's columns are called, also where there is no record. */
export const recordColumns: ReadonlyArray<string> = Object.keys(ofRecord(nothing))

/** A sum, with what it is told by before it. */
export const ofSum = (row: ReportRow): Row => ({
  ...row.by,
  requests: row.requests,
  failures: row.failures,
  input_tokens: row.input,
  cache_read_tokens: row.cacheRead,
  cache_write_tokens: row.cacheWrite,
  output_tokens: row.output,
  reasoning_tokens: row.reasoning,
  cost_usd: dollars(row.cost)
})

/** What the columns of sums are called that are told by these, also where there is no sum. */
export const sumColumns = (by: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...by,
  ...Object.keys(
    ofSum({ by: {}, requests: 0, failures: 0, cost: 0, input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 })
  )
]
