/** Records as rows, and back. */
import * as Effect from "effect/Effect"
import type { LedgerError } from "../../errors/LedgerError.js"
import type { Ending, UsageRecord } from "../../record/UsageRecord.js"
import type { RecordAsk } from "../Report.js"
import { type Column, type Engine, type Row, textOrNothing, type Value, whole, wholeOrNothing } from "./engine.js"

const columns: ReadonlyArray<Column> = [
  ["id", "text"],
  ["time", "bigint"],
  ["caller", "text"],
  ["team", "text"],
  ["bearer", "text"],
  ["tags", "text"],
  ["operation", "text"],
  ["model", "text"],
  ["model_group", "text"],
  ["deployment", "text"],
  ["provider", "text"],
  ["attempts", "bigint"],
  ["stream", "bigint"],
  ["hit", "bigint"],
  ["input", "bigint"],
  ["cache_read", "bigint"],
  ["cache_write", "bigint"],
  ["output", "bigint"],
  ["reasoning", "bigint"],
  ["cost", "bigint"],
  ["ending", "text"],
  ["status", "bigint"],
  ["reason", "text"],
  ["latency", "bigint"],
  ["first_content", "bigint"],
  ["session", "text"]
]

/** Postgres keeps no NUL in a text, and SQLite ends one there. */
const clean = (text: string): string => (text.includes("\0") ? text.replaceAll("\0", "") : text)

/** Bytes of UTF-8 that are kept of a text. */
const most = 256

/** A text of at most 256 bytes, cut between characters. */
export const short = (text: string): string => {
  const cleaned = clean(text)
  if (cleaned.length * 3 <= most || Buffer.byteLength(cleaned) <= most) return cleaned
  const bytes = Buffer.from(cleaned).subarray(0, most)
  let end = bytes.length
  // The next byte goes on with the character that the cut would split.
  if (((Buffer.from(cleaned)[most] ?? 0) & 0xc0) === 0x80) {
    do end--
    while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80)
  }
  return bytes.subarray(0, end).toString()
}

const shortOrNull = (text: string | undefined): string | null => (text === undefined ? null : short(text))

/** A number as engines keep it: whole, from 0 to `2^53 - 1`. */
export const amount = (value: number): number => (value > 0 ? Math.min(Math.round(value), Number.MAX_SAFE_INTEGER) : 0)

const amountOrNull = (value: number | undefined): number | null => (value === undefined ? null : amount(value))

const valuesOf = (record: UsageRecord): ReadonlyArray<Value> => [
  short(record.id),
  amount(record.time),
  shortOrNull(record.caller),
  shortOrNull(record.team),
  shortOrNull(record.user),
  record.tags.length === 0 ? "[]" : JSON.stringify(record.tags.map(short)),
  short(record.operation),
  shortOrNull(record.model),
  shortOrNull(record.group),
  shortOrNull(record.deployment),
  shortOrNull(record.provider),
  amount(record.attempts),
  record.stream ? 1 : 0,
  record.isHit ? 1 : 0,
  amount(record.input),
  amount(record.cacheRead),
  amount(record.cacheWrite),
  amount(record.output),
  amount(record.reasoning),
  amount(record.cost),
  record.ending,
  amountOrNull(record.status),
  shortOrNull(record.reason),
  amount(record.latency),
  amountOrNull(record.firstContent),
  shortOrNull(record.session)
]

const recordOf = (row: Row): UsageRecord => ({
  id: String(row["id"]),
  time: whole(row["time"]),
  caller: textOrNothing(row["caller"]),
  team: textOrNothing(row["team"]),
  user: textOrNothing(row["bearer"]),
  tags: JSON.parse(String(row["tags"])),
  operation: String(row["operation"]),
  model: textOrNothing(row["model"]),
  group: textOrNothing(row["model_group"]),
  deployment: textOrNothing(row["deployment"]),
  provider: textOrNothing(row["provider"]),
  attempts: whole(row["attempts"]),
  stream: whole(row["stream"]) === 1,
  isHit: whole(row["hit"]) === 1,
  input: whole(row["input"]),
  cacheRead: whole(row["cache_read"]),
  cacheWrite: whole(row["cache_write"]),
  output: whole(row["output"]),
  reasoning: whole(row["reasoning"]),
  cost: whole(row["cost"]),
  ending: String(row["ending"]) as Ending,
  status: wholeOrNothing(row["status"]),
  reason: textOrNothing(row["reason"]),
  latency: whole(row["latency"]),
  firstContent: wholeOrNothing(row["first_content"]),
  session: textOrNothing(row["session"])
})

export const insert = (engine: Engine, records: ReadonlyArray<UsageRecord>): Effect.Effect<void, LedgerError> =>
  engine.insert("records", columns, records.map(valuesOf), "")

/** Single records, newest first. */
export const select = (engine: Engine, ask: RecordAsk): Effect.Effect<ReadonlyArray<UsageRecord>, LedgerError> => {
  const conditions: Array<string> = []
  const values: Array<Value> = []
  const add = (condition: string, ...of: ReadonlyArray<Value | undefined>): void => {
    if (of.includes(undefined)) return
    conditions.push(condition)
    values.push(...(of as ReadonlyArray<Value>))
  }
  add("time >= ?", ask.from)
  add("time < ?", ask.to)
  add("caller = ?", ask.caller)
  add("team = ?", ask.team)
  add("bearer = ?", ask.user)
  add("model = ?", ask.model)
  add("ending = ?", ask.ending)
  add("id = ?", ask.id)
  add("(time < ? OR (time = ? AND id < ?))", ask.after?.time, ask.after?.time, ask.after?.id)
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`
  const limit = Math.min(10_000, Math.max(1, Math.floor(ask.limit)))
  return Effect.map(
    engine.rows(`SELECT * FROM ${engine.table("records")} ${where} ORDER BY time DESC, id DESC LIMIT ?`, [
      ...values,
      limit
    ]),
    (rows) => rows.map(recordOf)
  )
}

/** How many records are deleted at once. */
const pruned = 10_000

/** Deletes the oldest records before a time; gives how many. */
export const prune = (engine: Engine, before: number): Effect.Effect<number, LedgerError> =>
  Effect.map(
    engine.rows(
      `DELETE FROM ${engine.table("records")} WHERE ${engine.oneOf(
        `FROM ${engine.table("records")} WHERE time < ? ORDER BY time LIMIT ${pruned}`
      )} RETURNING 1 AS one`,
      [before]
    ),
    ({ length }) => length
  )
