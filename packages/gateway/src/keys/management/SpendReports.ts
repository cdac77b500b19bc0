/** Records and sums of spending in LiteLLM's shapes. */
import type { KeyBook } from "@switchyard/ledger/KeyBook"
import * as Money from "@switchyard/ledger/Money"
import type { Report, ReportRow } from "@switchyard/ledger/Report"
import type { UsageRecord } from "@switchyard/ledger/UsageRecord"
import type { Context } from "effect"
import type { KeySpend, SpendDay, SpendLog, TeamDay } from "../../api/KeyViews.js"

type Book = Pick<Context.Tag.Service<KeyBook>, "group" | "named">

/** A key as LiteLLM's scripts know it: by its token while it is there, else by its name. */
const tokenOf = (book: Book, name: string | undefined): string | null =>
  name === undefined || name === "" ? null : (book.named(name)?.hash ?? name)

const date = (time: number): string => new Date(time).toISOString()

const inputOf = ({ cacheRead, cacheWrite, input }: Pick<UsageRecord, "cacheRead" | "cacheWrite" | "input">): number =>
  input + cacheRead + cacheWrite

const outputOf = ({ output, reasoning }: Pick<UsageRecord, "output" | "reasoning">): number => output + reasoning

const orNull = (text: string | undefined): string | null => (text === undefined || text === "" ? null : text)

/** One request. */
export const log =
  (book: Book) =>
  (record: UsageRecord): SpendLog => ({
    request_id: record.id,
    call_type: record.operation,
    api_key: tokenOf(book, record.caller),
    key_alias: orNull(record.caller),
    user: orNull(record.user),
    team_id: orNull(record.team),
    model: orNull(record.model),
    model_group: orNull(record.group),
    model_id: orNull(record.deployment),
    custom_llm_provider: orNull(record.provider),
    spend: Money.toDollars(record.cost),
    total_tokens: inputOf(record) + outputOf(record),
    prompt_tokens: inputOf(record),
    completion_tokens: outputOf(record),
    startTime: date(record.time),
    endTime: date(record.time + record.latency),
    completionStartTime: record.firstContent === undefined ? null : date(record.time + record.firstContent),
    request_tags: record.tags,
    cache_hit: record.isHit,
    status: record.ending === "success" ? "success" : "failure"
  })

const grouped = (rows: Report, key: (row: ReportRow) => string): ReadonlyMap<string, Array<ReportRow>> => {
  const groups = new Map<string, Array<ReportRow>>()
  for (const row of rows) {
    const name = key(row)
    const known = groups.get(name)
    if (known === undefined) groups.set(name, [row])
    else known.push(row)
  }
  return groups
}

const costOf = (rows: Report): number => Money.toDollars(rows.reduce((sum, { cost }) => sum + cost, 0))

const costs = (rows: Report, key: (row: ReportRow) => string): Readonly<Record<string, number>> =>
  Object.fromEntries([...grouped(rows, key)].map(([name, of]) => [name, costOf(of)]))

const sumOf = (rows: Report, count: (row: ReportRow) => number): number =>
  rows.reduce((sum, row) => sum + count(row), 0)

/** Days, of a report by day, user and model. */
export const days = (rows: Report): ReadonlyArray<typeof SpendDay.Type> =>
  [...grouped(rows, ({ by }) => by.day ?? "")].map(([day, of]) => ({
    startTime: day,
    spend: costOf(of),
    users: costs(of, ({ by }) => by.user ?? ""),
    models: costs(of, ({ by }) => by.model ?? "")
  }))

/** Days by team, of a report by day, team, key and model. */
export const teamDays = (book: Book, rows: Report): ReadonlyArray<typeof TeamDay.Type> =>
  [...grouped(rows, ({ by }) => by.day ?? "")].map(([day, ofDay]) => ({
    group_by_day: `${day}T00:00:00+00:00`,
    teams: [...grouped(ofDay, ({ by }) => by.team ?? "")].map(([team, of]) => ({
      team_name: team === "" ? "Unassigned Team" : (book.group("team", team)?.alias ?? team),
      team_id: orNull(team),
      total_spend: costOf(of),
      metadata: of.map((row) => ({
        model: orNull(row.by.model),
        api_key: tokenOf(book, row.by.key),
        spend: Money.toDollars(row.cost),
        total_tokens: inputOf(row) + outputOf(row)
      }))
    }))
  }))

/** Keys, of a report by key and model. */
export const keySpends = (book: Book, rows: Report): ReadonlyArray<typeof KeySpend.Type> =>
  [...grouped(rows, ({ by }) => by.key ?? "")].map(([name, of]) => ({
    api_key: tokenOf(book, name),
    key_alias: orNull(name),
    total_cost: costOf(of),
    total_input_tokens: sumOf(of, inputOf),
    total_output_tokens: sumOf(of, outputOf),
    model_details: [...grouped(of, ({ by }) => by.model ?? "")].map(([model, ofModel]) => ({
      model: orNull(model),
      total_cost: costOf(ofModel),
      total_input_tokens: sumOf(ofModel, inputOf),
      total_output_tokens: sumOf(ofModel, outputOf)
    }))
  }))
