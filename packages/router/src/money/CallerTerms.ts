/**
 * What callers are held to beside the options: budgets and limits of keys that were given out while the router runs, of their
 * teams and of their users. Who keeps keys provides it; by default nobody is held to anything. It is asked for each request of
 * a caller, so that what it says holds at once; what was spent and used is kept elsewhere and forgets nothing.
 */
import { Context } from "effect"

/** Whose a budget or a limit is: the caller's own, or that of all who belong to a team, or to a user. */
export type Scope = "caller" | "team" | "user"

/** A sum that may be spent in a length of time. */
export interface Budget {
  readonly scope: Scope
  /** The caller's name, or the id of the team or user. */
  readonly key: string
  /** USD; infinite where only a warning is due. */
  readonly limit: number
  /** Length of a window, ms; infinite for one that never ends. */
  readonly window: number
  /** USD at which a warning is due, once per window; nothing is refused for it. */
  readonly soft?: number | undefined
}

/** What may be used of requests. 0 means nothing, unset means no limit. */
export interface UseLimit {
  /** Requests per 60 s. */
  readonly rpm?: number | undefined
  /** Tokens per 60 s, input and output. */
  readonly tpm?: number | undefined
  /** Calls in flight at once, streams included until they end. */
  readonly maxParallel?: number | undefined
}

/** What the caller, its team or its user may use. */
export interface Limit {
  readonly scope: Scope
  /** The caller's name, or the id of the team or user. */
  readonly key: string
  readonly limit: UseLimit
}

/** All that a caller is held to. At most one limit for each scope and key, one budget for each scope, key and length. */
export interface Terms {
  readonly budgets: ReadonlyArray<Budget>
  readonly limits: ReadonlyArray<Limit>
}

/** Tells what callers are held to. */
export interface Service {
  /** Undefined where there is nothing. Asked for each request: a look-up. */
  readonly of: (caller: string) => Terms | undefined
}

/** What callers are held to, beside what stands in options. */
export class CallerTerms extends Context.Reference<CallerTerms>()("@switchyard/router/CallerTerms", {
  defaultValue: (): Service => ({ of: () => undefined })
}) {}

const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b)

const none: ReadonlyArray<never> = []

/** Those of the options first; where both mean the same, what both allow. */
const joined = <A>(
  own: A | undefined,
  told: ReadonlyArray<A>,
  isSame: (a: A, b: A) => boolean,
  both: (a: A, b: A) => A
): ReadonlyArray<A> => {
  if (own === undefined) return told
  const other = told.find((one) => isSame(own, one))
  return other === undefined ? [own, ...told] : told.map((one) => (one === other ? both(own, one) : one))
}

const isOwn = ({ scope }: { readonly scope: Scope }): boolean => scope === "caller"

/**
 * Budgets of a caller: that of the options for its name beside those of its terms, and the one for every caller where neither
 * names one of its own.
 */
export const budgetsOf = (
  own: Budget | undefined,
  everyCaller: (() => Budget) | undefined,
  terms: Terms | undefined
): ReadonlyArray<Budget> => {
  const told = terms?.budgets ?? none
  return joined(
    own ?? (told.some(isOwn) ? undefined : everyCaller?.()),
    told,
    (a, b) => a.scope === b.scope && a.key === b.key && a.window === b.window,
    (a, b) => ({ ...b, limit: Math.min(a.limit, b.limit), soft: least(a.soft, b.soft) })
  )
}

/** The same for limits. */
export const limitsOf = (
  own: Limit | undefined,
  everyCaller: (() => Limit) | undefined,
  terms: Terms | undefined
): ReadonlyArray<Limit> => {
  const told = terms?.limits ?? none
  return joined(
    own ?? (told.some(isOwn) ? undefined : everyCaller?.()),
    told,
    (a, b) => a.scope === b.scope && a.key === b.key,
    (a, b) => ({
      ...b,
      limit: {
        rpm: least(a.limit.rpm, b.limit.rpm),
        tpm: least(a.limit.tpm, b.limit.tpm),
        maxParallel: least(a.limit.maxParallel, b.limit.maxParallel)
      }
    })
  )
}
