import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Effect } from "effect"
import * as KeysApi from "../../api/KeysApi.js"
import * as KeyDesk from "../../keys/management/KeyDesk.js"
import * as SpendReports from "../../keys/management/SpendReports.js"
import type { Answering, ManagementDeps } from "./answering.js"

/** Records that one answer has at most. */
const most = 10_000

/** Spending. */
export const layer = ({ desk }: ManagementDeps, { queried }: Answering) => {
  const { book, ledger } = desk
  /** The name of the key that a query asks about: of one that is gone, too, whose records are under its name. */
  const nameIn = (text: string | undefined) =>
    text === undefined
      ? Effect.succeed(undefined)
      : Effect.map(
          Effect.orElse(KeyDesk.find(desk, text), () => Effect.succeed({ name: text })),
          ({ name }) => name
        )
  const spendLogs = queried((query) =>
    Effect.gen(function* () {
      const from = query.day("start_date")
      const to = query.day("end_date")
      const limit = query.count("limit", 1_000, most)
      const isSummed = query.flag("summarize") !== false && from !== undefined && to !== undefined
      yield* query.checked
      const key = yield* nameIn(query.text("api_key"))
      const user = query.text("user_id")
      const id = query.text("request_id")
      if (isSummed && id === undefined) {
        const rows = yield* KeyDesk.asking(ledger.store.report({ by: ["day", "user", "model"], from, to, key, user }))
        return SpendReports.days(rows)
      }
      const records = yield* KeyDesk.asking(
        ledger.store.records({
          from: from === undefined ? undefined : Date.parse(from),
          to: to === undefined ? undefined : Date.parse(to) + 86_400_000,
          caller: key,
          user,
          id,
          limit
        })
      )
      return records.map(SpendReports.log(book))
    })
  )
  const spendReport = queried((query) =>
    Effect.gen(function* () {
      query.needed("start_date", "a day like 2026-11-29")
      query.needed("end_date", "a day like 2026-11-29")
      const from = query.day("start_date")
      const to = query.day("end_date")
      const by = query.text("group_by")
      if (by !== undefined && by !== "team") query.refuse("group_by", by, '"team"')
      yield* query.checked
      const [sent, user, team] = ["api_key", "internal_user_id", "team_id"].map((name) => query.text(name))
      if (sent === undefined && user === undefined && team === undefined) {
        const rows = yield* KeyDesk.asking(ledger.store.report({ by: ["day", "team", "key", "model"], from, to }))
        return SpendReports.teamDays(book, rows)
      }
      const key = yield* nameIn(sent)
      const rows = yield* KeyDesk.asking(ledger.store.report({ by: ["key", "model"], from, to, key, user, team }))
      return SpendReports.keySpends(book, rows)
    })
  )
  return HttpApiBuilder.group(KeysApi.Api, "spend", (handling) =>
    handling.handleRaw("spendLogs", spendLogs).handleRaw("spendReport", spendReport)
  )
}
