import { Schema } from "effect"

/** Nothing that a process hands over is believed for longer than a day, ms. */
const longest = 86_400_000

const lasting = Schema.Number.pipe(Schema.between(0, longest))

/** A provider's wish to be left alone, in ms from the moment of the snapshot. */
const HoldSnapshot = Schema.Struct({ named: lasting, until: lasting })

/** What a breaker knows that another process may go on with. Lengths of time are ms from the moment of the snapshot. */
export const BreakerSnapshot = Schema.Struct({
  /** How long it stays open; 0 when it waits for a trial; left out when it is closed. */
  open: Schema.optional(lasting),
  reason: Schema.optional(Schema.String.pipe(Schema.maxLength(1000))),
  /** How often it opened since it was last healthy. */
  trips: Schema.Int.pipe(Schema.between(0, 1e6)),
  limit: Schema.optional(HoldSnapshot),
  outage: Schema.optional(HoldSnapshot)
})
/** What a breaker knows that another process may go on with. */
export type BreakerSnapshot = typeof BreakerSnapshot.Type

/** How long something lasts from `now`, as a snapshot holds it. */
export const lastsFrom = (until: number, now: number): number => Math.max(0, Math.min(longest, until - now))
