/**
 * A non-blocking answer to "could you take this call now?". Finagle's `Status` and tower's `poll_ready` are the models.
 */

/** `Open`: send it. `Busy`: a limit is used up, it will pass by itself. `Closed`: something is wrong, until a time. */
export type Status = Open | Busy | Closed

/** Ready to take a call. */
export interface Open {
  readonly _tag: "Open"
}

/**
 * Why a call is not taken, as far as others act on it. `limit`: a quota is used up, so callers are told to come back (429)
 * and go where they go from rate limits. `failure`: calls failed; where nothing else is left, one is asked all the same.
 * `operator`: an order from outside the traffic, an operator's hand, a health probe or a rule, which nobody overrides.
 */
export type Cause = "limit" | "failure" | "operator"

/** A limit is used up: `reason` is `rpm`, `tpm`, `maxParallel`, `spend` or a layer's own word; a label, which decides nothing. */
export interface Busy {
  readonly _tag: "Busy"
  readonly reason: string
  readonly cause: Cause
  /** Monotonic ms when room is expected; `undefined` when nobody knows (a call in flight has to end). */
  readonly until: number | undefined
  /** Whether a call that ends may make room before `until`, so that waiting in line is worth it. */
  readonly early?: boolean
}

/** Not usable: `reason` is `cooldown`, `retryAfter`, `outage`, `unhealthy`, `isolated` or a layer's own word; a label. */
export interface Closed {
  readonly _tag: "Closed"
  readonly reason: string
  readonly cause: Cause
  /** Monotonic ms when it opens again by itself; `undefined` when it does not. */
  readonly until: number | undefined
  /** Monotonic ms from which nothing but failures keeps it closed: the last resort is asked from then, others at `until`. */
  readonly forcible?: number
  /** Monotonic ms that a provider's Retry-After named, where `forcible`, or else `until`, is later by chance alone. */
  readonly named?: number
}

/** Ready to take a call. */
export const open: Open = { _tag: "Open" }

/** A limit is used up; by `failure` where the trial calls of a breaker are. Make these when the state changes, not when it is read. */
export const busy = (reason: string, until?: number, cause: Cause = "limit"): Busy => ({
  _tag: "Busy",
  reason,
  cause,
  until
})

/** Not usable until a time. Make these when the state changes, not when it is read. */
export const closed = (reason: string, until?: number, cause: Cause = "failure"): Closed => ({
  _tag: "Closed",
  reason,
  cause,
  until
})

/** Whether nothing but failed calls keeps it from being asked at `now`, monotonic ms: so that the last resort may be. */
export const isOverridable = (status: Status, now: number): boolean =>
  status._tag !== "Open" &&
  status.cause === "failure" &&
  (status._tag === "Busy" || status.forcible === undefined || now >= status.forcible)

const rank = (status: Status): number => (status._tag === "Open" ? 0 : status._tag === "Busy" ? 1 : 2)

const later = (a: number | undefined, b: number | undefined): boolean => a === undefined || (b !== undefined && a >= b)

/** The worse of two answers; of two equal ones, the one that lasts longer. `Open` is the neutral element. */
export const worst = (a: Status, b: Status): Status => {
  if (a === open) return b
  if (b === open) return a
  const difference = rank(a) - rank(b)
  if (difference !== 0) return difference > 0 ? a : b
  return a._tag === "Open" || b._tag === "Open" || later(a.until, b.until) ? a : b
}
