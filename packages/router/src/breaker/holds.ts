/**
 * Providers' wishes to be left alone, apart from any cooldown: a limit's and an outage's, each only ever extended.
 */
import { type Cause, type Closed, closed } from "@switchyard/core/Status"
import { type BreakerSnapshot, lastsFrom } from "./breakerSnapshot.js"

/** Until when, in the provider's own words and with what chance added. Monotonic ms. */
interface Hold {
  readonly named: number
  readonly until: number
}

const none: Hold = { named: Number.NEGATIVE_INFINITY, until: Number.NEGATIVE_INFINITY }

const later = (a: Hold, b: Hold): Hold => (b.until > a.until ? b : a)

/** What one deployment's provider asked for. */
export class Holds {
  private limit = none
  private outage = none
  /** The end of both; monotonic ms. */
  until = none.until
  private waiting: Closed = closed("retryAfter", undefined, "limit")
  private out: Closed = closed("outage")

  /** Why nothing may be sent, before `until`: allocates nothing. */
  status(now: number): Closed {
    return now < this.outage.until ? this.out : this.waiting
  }

  /** Takes a wish; the statuses are those of before until `beside` is called. */
  add(kind: "limit" | "outage", named: number, until: number): void {
    this[kind] = later(this[kind], { named, until })
    this.until = later(this.limit, this.outage).until
  }

  /** What another process may go on with, in ms from `now`. */
  snapshot(now: number): Pick<BreakerSnapshot, "limit" | "outage"> {
    const of = ({ named, until }: Hold) => ({ named: lastsFrom(named, now), until: lastsFrom(until, now) })
    return {
      ...(this.limit.until > now ? { limit: of(this.limit) } : {}),
      ...(this.outage.until > now ? { outage: of(this.outage) } : {})
    }
  }

  /** Takes the wishes that a snapshot of `now` holds. */
  restore(saved: Pick<BreakerSnapshot, "limit" | "outage">, now: number): void {
    for (const kind of ["limit", "outage"] as const) {
      const hold = saved[kind]
      if (hold !== undefined) this.add(kind, now + hold.named, now + hold.until)
    }
  }

  /** Forgets all; the statuses are no longer asked for. */
  clear(): void {
    this.limit = none
    this.outage = none
    this.until = none.until
  }

  /**
   * Makes the statuses, with the end of the cooldown beside them, if there is one: a Retry-After that stands beside a longer
   * cooldown reads as closed until both are over, but for the last resort.
   */
  beside(openUntil: number | undefined): void {
    const { named, until } = later(this.limit, this.outage)
    const longer = openUntil !== undefined && openUntil > until ? openUntil : undefined
    const held = (reason: string, cause: Cause): Closed => ({
      ...closed(reason, longer ?? until, cause),
      named,
      forcible: until
    })
    this.waiting = held("retryAfter", "limit")
    this.out = held("outage", "failure")
  }
}
