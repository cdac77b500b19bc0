/**
 * A non-blocking answer to "could you take this call now?". Finagle's `Status` and tower's `poll_ready` are the models.
 */

/** `Open`: send it. `Busy`: a limit is used up, it will pass by itself. `Closed`: something is wrong, until a time. */
export type Status = Open | Busy | Closed

/** Ready to take a call. */
export interface Open {
  readonly _tag: "Open"
}

/** A limit is used up: `reason` is `rpm`, `tpm`, `maxParallel`, `spend` or a layer's own word. */
export interface Busy {
  readonly _tag: "Busy"
  readonly reason: string
  /** Monotonic ms when room is expected; `undefined` when nobody knows (a call in flight has to end). */
  readonly until: number | undefined
}

/** Not usable: `reason` is `cooldown`, `retryAfter`, `outage`, `unhealthy`, `isolated` or a layer's own word. */
export interface Closed {
  readonly _tag: "Closed"
  readonly reason: string
  /** Monotonic ms when it opens again by itself; `undefined` when it does not. */
  readonly until: number | undefined
  /** Monotonic ms from which nothing but failures keeps it closed: the last resort is asked from then, others at `until`. */
  readonly forcible?: number
  /** Monotonic ms that a provider's Retry-After named, where `forcible`, or else `until`, is later by chance alone. */
  readonly named?: number
}

/** Ready to take a call. */
export const open: Open = { _tag: "Open" }

/** A limit is used up. Make these when the state changes, not when it is read. */
export const busy = (reason: string, until?: number): Busy => ({ _tag: "Busy", reason, until })

/** Not usable until a time. Make these when the state changes, not when it is read. */
export const closed = (reason: string, until?: number): Closed => ({ _tag: "Closed", reason, until })

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
