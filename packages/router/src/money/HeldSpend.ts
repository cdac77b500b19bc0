/**
 * Money set aside for work that no call is in flight for, a batch's above all: it counts in every window that bounds a call, and is
 * settled once somebody learns what it cost.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import { toMs } from "@switchyard/core/Time"
import type { Context, Effect } from "effect"
import * as SpendLimits from "./SpendLimits.js"
import { prepared, type Reservation, type SpendLimit, type SpendWindows } from "./SpendWindows.js"

/** One limit that such work is under. */
export interface Bound {
  readonly scope: "caller" | "team" | "user" | "total" | "deployment" | "provider" | "tag" | "requestTag"
  readonly key: string
  readonly limit: SpendLimit
}

/** Money that is set aside; settle it exactly once. */
export interface Held {
  /** Replaces it by what the work really cost, in USD. Later calls do nothing. */
  readonly settle: (cost: number, now: number) => void
}

/** A bound that has no room. `retryAfter` is ms to the end of its window; undefined where none has begun. */
export interface Exceeded {
  readonly exceeded: Bound
  readonly retryAfter: number | undefined
}

const named = (
  scope: Bound["scope"],
  limits: Readonly<Record<string, SpendLimit>> | undefined,
  keys: ReadonlyArray<string>
): ReadonlyArray<Bound> =>
  [...new Set(keys)].flatMap((key) => {
    const limit = limits === undefined || !Object.hasOwn(limits, key) ? undefined : limits[key]
    return limit === undefined ? [] : [{ scope, key, limit }]
  })

/** What the options of the SpendLimits layer bound of a deployment's work for a request with `tags`. */
export const boundsOf = (
  options: SpendLimits.Options,
  { id, provider, tags: own }: Pick<Deployment, "id" | "provider" | "tags">,
  tags: ReadonlyArray<string>
): ReadonlyArray<Bound> => [
  ...(options.total === undefined
    ? []
    : [{ scope: "total" as const, key: SpendLimits.everything, limit: options.total }]),
  ...named("deployment", options.deployments, [id]),
  ...named("provider", options.providers, [provider]),
  ...named("tag", options.tags, own),
  ...named("requestTag", options.requestTags, tags)
]

/** What must be waited for before USD are set aside, where the windows are shared with others; undefined where that is nothing. */
export const prepare = (
  windows: Context.Tag.Service<SpendWindows>,
  bounds: ReadonlyArray<Bound>,
  amount: number,
  now: number
): Effect.Effect<void> | undefined =>
  prepared(
    bounds.map(({ key, limit, scope }) => ({
      window: windows.window(scope, key, toMs(limit.window), now),
      limit: limit.limit
    })),
    amount,
    now
  )

/**
 * Sets USD aside in all of the windows, or in none. Such work is long: it never goes on with what is left for the last call of a
 * window, as a call does.
 */
export const reserve = (
  windows: Context.Tag.Service<SpendWindows>,
  bounds: ReadonlyArray<Bound>,
  amount: number,
  now: number
): Held | Exceeded => {
  const made: Array<Reservation> = []
  const settle: Held["settle"] = (cost, at) => {
    for (const one of made) one.settle(cost, at)
  }
  for (const bound of bounds) {
    const { key, limit, scope } = bound
    const window = windows.window(scope, key, toMs(limit.window), now)
    const resetsAt = window.resetsAt(now)
    const reservation = window.used(now) + amount <= limit.limit ? window.reserve(amount, limit.limit, now) : undefined
    if (reservation === undefined) {
      settle(0, now)
      return { exceeded: bound, retryAfter: resetsAt === undefined ? undefined : resetsAt - now }
    }
    made.push(reservation)
  }
  return { settle }
}
