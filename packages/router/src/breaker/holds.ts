/**
 * Providers' wishes to be left alone, apart from any cooldown: a limit's and an outage's, each only ever extended.
 */
import { type Cause, type Closed, closed } from "@switchyard/core/Status"

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
