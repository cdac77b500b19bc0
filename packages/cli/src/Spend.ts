/**
 * What was used and what it cost: sums as a table, sums or single records for other programs.
 */
import { closest } from "@switchyard/core/Closest"
import { line } from "@switchyard/ledger/Csv"
import * as Money from "@switchyard/ledger/Money"
import type { Dimension, Report, ReportAsk, ReportRow } from "@switchyard/ledger/Report"
import type { Store } from "@switchyard/ledger/Store"
import type { UsageRecord } from "@switchyard/ledger/UsageRecord"
import { Clock, Effect } from "effect"
import * as Exports from "./ledger/exports.js"
import { commandError, type Flags as LedgerFlags, openLedger } from "./ledger/openLedger.js"
import { type CommandError, counted, fail, plain, print, write } from "./output.js"
import { table } from "./table.js"

/** What `spend` is asked. */
export interface Flags extends LedgerFlags {
  readonly by: string | undefined
  readonly from: string | undefined
  readonly to: string | undefined
  readonly key: string | undefined
  readonly team: string | undefined
  readonly model: string | undefined
  readonly deployment: string | undefined
  readonly export: string | undefined
  readonly json: boolean
}

const dimensions: ReadonlyArray<Dimension> = ["day", "key", "team", "user", "model", "deployment"]

const formats = ["csv", "jsonl"] as const

const day = 86_400_000

const isDimension = (name: string): name is Dimension => (dimensions as ReadonlyArray<string>).includes(name)

const readBy = (text: string): Effect.Effect<ReadonlyArray<Dimension>, CommandError> => {
  const names = text.split(",").map((name) => name.trim().toLowerCase())
  const wrong = names.find((name) => !isDimension(name))
  if (wrong !== undefined) {
    const meant = closest(wrong, dimensions)
    return fail(
      `spend: --by: expected some of ${dimensions.join(", ")}, found ${JSON.stringify(wrong)}${meant === undefined ? "" : ` (did you mean ${meant}?)`}`
    )
  }
  return Effect.succeed([...new Set(names.filter(isDimension))])
}

/** A day of UTC: as it is written, or so many days ago. */
const readDay = (
  name: string,
  text: string | undefined,
  now: number
): Effect.Effect<string | undefined, CommandError> => {
  if (text === undefined) return Effect.succeed(undefined)
  const ago = /^(\d{1,5})d$/.exec(text.trim())
  const at =
    ago === null
      ? /^\d{4}-\d\d-\d\d$/.test(text.trim())
        ? Date.parse(`${text.trim()}T00:00:00Z`)
        : Number.NaN
      : now - Number(ago[1]) * day
  const found = Number.isNaN(at) ? undefined : new Date(at).toISOString().slice(0, 10)
  // The calendar has no 30th of February; a parser makes it one of March.
  return found === undefined || (ago === null && found !== text.trim())
    ? fail(`spend: --${name}: expected a day like 2026-11-29 or 30d (so many days ago), found ${JSON.stringify(text)}`)
    : Effect.succeed(found)
}

interface Asked {
  readonly from: string | undefined
  readonly to: string | undefined
  readonly flags: Flags
}

const askOf = ({ flags, from, to }: Asked, by: ReadonlyArray<Dimension>): ReportAsk => ({
  by,
  from,
  to,
  key: flags.key,
  team: flags.team,
  model: flags.model,
  deployment: flags.deployment
})

const usd = (nano: number): string => Money.toDollars(nano).toFixed(4)

const sum = (rows: Report): ReportRow =>
  rows.reduce<ReportRow>(
    (all, row) => ({
      by: {},
      requests: all.requests + row.requests,
      failures: all.failures + row.failures,
      cost: all.cost + row.cost,
      input: all.input + row.input,
      cacheRead: all.cacheRead + row.cacheRead,
      cacheWrite: all.cacheWrite + row.cacheWrite,
      output: all.output + row.output,
      reasoning: all.reasoning + row.reasoning
    }),
    { by: {}, requests: 0, failures: 0, cost: 0, input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 }
  )

/** The sums as a table, and below it all of them together. */
export const render = (rows: Report, by: ReadonlyArray<Dimension>): string => {
  const cells = (row: ReportRow): ReadonlyArray<string> => [
    String(row.requests),
    String(row.failures),
    String(row.input),
    String(row.cacheRead + row.cacheWrite),
    String(row.output + row.reasoning),
    usd(row.cost)
  ]
  const figures = ["requests", "failed", "input", "cached", "output", "USD"]
  const all = sum(rows)
  return [
    table(
      [...by.map((title) => ({ title })), ...figures.map((title) => ({ title, align: "right" as const }))],
      rows.map((row) => [...by.map((one) => plain(row.by[one] ?? "") || "-"), ...cells(row)])
    ),
    "",
    `${counted(all.requests, "request")}, ${usd(all.cost)} USD`
  ].join("\n")
}

/** Records that are asked for at once. */
const page = 1000

/** Gives every record, newest first, a page at a time. */
const eachPage = (
  store: Pick<Store, "records">,
  asked: Asked,
  use: (records: ReadonlyArray<UsageRecord>) => Effect.Effect<void>
) => {
  const { flags, from, to } = asked
  const span = {
    from: from === undefined ? undefined : Date.parse(`${from}T00:00:00Z`),
    to: to === undefined ? undefined : Date.parse(`${to}T00:00:00Z`) + day
  }
  const next = (after: { readonly time: number; readonly id: string } | undefined): ReturnType<typeof once> =>
    Effect.flatMap(once(after), (records) => {
      const last = records.at(-1)
      return records.length < page || last === undefined
        ? Effect.succeed(records)
        : next({ time: last.time, id: last.id })
    })
  const once = (after: { readonly time: number; readonly id: string } | undefined) =>
    Effect.tap(
      store.records({
        ...span,
        caller: flags.key,
        team: flags.team,
        model: flags.model,
        limit: page,
        after
      }),
      (records) =>
        use(
          flags.deployment === undefined ? records : records.filter(({ deployment }) => deployment === flags.deployment)
        )
    )
  return next(undefined)
}

const csvOf = (row: Exports.Row): string =>
  line(Object.values(row).map((value) => (typeof value === "object" ? value.join(" ") : value)))

/** Rows as lines, in a format; the names of the columns first, where it has them, also where no row follows. */
const writer = (format: (typeof formats)[number], columns: ReadonlyArray<string>) => {
  const lines = (all: ReadonlyArray<string>) => (all.length === 0 ? Effect.void : write(`${all.join("\n")}\n`))
  return {
    head: lines(format === "csv" ? [line(columns)] : []),
    rows: (rows: ReadonlyArray<Exports.Row>) =>
      lines(rows.map((row) => (format === "csv" ? csvOf(row) : JSON.stringify(row))))
  }
}

/** Prints what was used, or writes it for other programs. */
export const run = (flags: Flags) =>
  Effect.gen(function* () {
    const format = formats.find((one) => one === flags.export)
    if (flags.export !== undefined && format === undefined) {
      return yield* fail(`spend: --export: expected ${formats.join(" or ")}, found ${JSON.stringify(flags.export)}`)
    }
    const now = yield* Clock.currentTimeMillis
    const from = yield* readDay("from", flags.from, now)
    const to = yield* readDay("to", flags.to, now)
    if (from !== undefined && to !== undefined && from > to) {
      return yield* fail(`spend: --from ${from} is after --to ${to}`)
    }
    const asked: Asked = { flags, from, to }
    const by = flags.by === undefined && format !== undefined ? undefined : yield* readBy(flags.by ?? "day")
    const { store } = yield* openLedger("spend", flags, true)
    const told = Effect.mapError(commandError("spend"))
    if (by === undefined) {
      const put = writer(format ?? "jsonl", Exports.recordColumns)
      yield* put.head
      return yield* Effect.asVoid(told(eachPage(store, asked, (records) => put.rows(records.map(Exports.ofRecord)))))
    }
    const rows = yield* told(store.report(askOf(asked, by)))
    if (format !== undefined) {
      const put = writer(format, Exports.sumColumns(by))
      yield* put.head
      return yield* put.rows(rows.map(Exports.ofSum))
    }
    yield* print(flags.json ? JSON.stringify(rows.map(Exports.ofSum), null, 2) : render(rows, by))
  }).pipe(Effect.scoped)
