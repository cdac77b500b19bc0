/**
 * What bearers of a ledger's keys are held to: the limits and budgets of the key, of its team and of its user, as they are now.
 */
import type { Budget, Terms as CallersTerms, Limit, Scope, Service } from "@switchyard/router/CallerTerms"
import type { Context } from "effect"
import * as Money from "../record/Money.js"
import type { KeyBook } from "./KeyBook.js"
import type { Allowance, LedgerGroup, LedgerKey, Terms } from "./LedgerKey.js"

/** The most that an allowance says: nothing is refused. */
export const noMax = Number.MAX_SAFE_INTEGER

/** Whether an allowance refuses, or warns of, anything: only then its windows are kept. */
export const isBinding = (allowance: Allowance | undefined): allowance is Allowance =>
  allowance !== undefined && (allowance.max < noMax || allowance.soft !== undefined)

const budgetOf = (scope: Scope, key: string, { allowance }: Terms): ReadonlyArray<Budget> =>
  !isBinding(allowance)
    ? []
    : [
        {
          scope,
          key,
          limit: allowance.max >= noMax ? Number.POSITIVE_INFINITY : Money.toDollars(allowance.max),
          window: allowance.window ?? Number.POSITIVE_INFINITY,
          ...(allowance.soft === undefined ? {} : { soft: Money.toDollars(allowance.soft) })
        }
      ]

const limitOf = (scope: Scope, key: string, { maxParallel, rpm, tpm }: Terms): ReadonlyArray<Limit> =>
  maxParallel === undefined && rpm === undefined && tpm === undefined
    ? []
    : [{ scope, key, limit: { maxParallel, rpm, tpm } }]

/** What was made of a key, its team and its user, while they are the same. */
interface Made {
  readonly team: LedgerGroup | undefined
  readonly user: LedgerGroup | undefined
  readonly terms: CallersTerms | undefined
}

const make = (key: LedgerKey, team: LedgerGroup | undefined, user: LedgerGroup | undefined): Made => {
  const all: ReadonlyArray<readonly [Scope, string, Terms | undefined]> = [
    ["caller", key.name, key],
    ["team", team?.id ?? "", team],
    ["user", user?.id ?? "", user]
  ]
  const budgets = all.flatMap(([scope, id, terms]) => (terms === undefined ? [] : budgetOf(scope, id, terms)))
  const limits = all.flatMap(([scope, id, terms]) => (terms === undefined ? [] : limitOf(scope, id, terms)))
  return { team, user, terms: budgets.length + limits.length === 0 ? undefined : { budgets, limits } }
}

/** What callers of a book are held to. */
export const of = (book: Pick<Context.Tag.Service<KeyBook>, "group" | "named">): Service => {
  const known = new WeakMap<LedgerKey, Made>()
  return {
    of: (caller) => {
      const key = book.named(caller)
      if (key === undefined) return undefined
      const team = key.team === undefined ? undefined : book.group("team", key.team)
      const user = key.user === undefined ? undefined : book.group("user", key.user)
      const before = known.get(key)
      if (before !== undefined && before.team === team && before.user === user) return before.terms
      const made = make(key, team, user)
      known.set(key, made)
      return made.terms
    }
  }
}
