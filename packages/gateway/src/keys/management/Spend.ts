/**
 * What keys, teams and users have spent, as their budgets count it: in the window in force, or since they were made.
 */

import { isBinding } from "@switchyard/ledger/KeyTerms"
import type { Ledger } from "@switchyard/ledger/Ledger"
import type { LedgerError } from "@switchyard/ledger/LedgerError"
import type { Allowance } from "@switchyard/ledger/LedgerKey"
import { dayOf } from "@switchyard/ledger/Report"
import { type Context, Effect } from "effect"

/** Whose money is asked about. */
export interface Spender {
  readonly scope: "caller" | "team" | "user"
  /** The key's name, or the id of the team or user. */
  readonly key: string
  readonly allowance: Allowance | undefined
  /** Wall-clock ms. */
  readonly createdAt: number
}

/** Nano-USD, and when the window ends that they were spent in; wall-clock ms. */
export interface Spent {
  readonly spent: number
  readonly endsAt: number | undefined
}

const nothing: Spent = { spent: 0, endsAt: undefined }

/** A reader has no lease: it asks for none. */
const reader = "reader"

const dimensions = { caller: "key", team: "team", user: "user" } as const

/** What each of them has spent, in their order. All are of one scope. */
export const of = (
  { store }: Pick<Context.Tag.Service<Ledger>, "store">,
  spenders: ReadonlyArray<Spender>
): Effect.Effect<ReadonlyArray<Spent>, LedgerError> =>
  Effect.gen(function* () {
    const [first] = spenders
    if (first === undefined) return []
    const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    const budgeted = spenders.filter(({ allowance }) => isBinding(allowance))
    const windows = yield* store.lease(
      reader,
      budgeted.map(({ allowance, key, scope }) => {
        const length = allowance?.window ?? Number.POSITIVE_INFINITY
        return { scope, key, length, limit: 0, amount: 0, lasts: 0, now }
      })
    )
    const inWindows = new Map(windows.map(({ endsAt, key, spent }) => [key, { spent, endsAt }]))
    const free = spenders.filter(({ allowance }) => !isBinding(allowance))
    const by = dimensions[first.scope]
    const from = free.length === 0 ? undefined : dayOf(Math.min(...free.map(({ createdAt }) => createdAt)))
    const [only, ...others] = free
    const rows =
      only === undefined
        ? []
        : yield* store.report({
            by: [by],
            from,
            to: undefined,
            ...(others.length === 0 && by !== "user" ? { [by]: only.key } : {})
          })
    const sums = new Map(rows.map(({ by: names, cost }) => [names[by] ?? "", cost]))
    return spenders.map(({ allowance, key }) =>
      isBinding(allowance) ? (inWindows.get(key) ?? nothing) : { spent: sums.get(key) ?? 0, endsAt: undefined }
    )
  })
