import type { EngineError } from "@switchyard/router/EngineError"
import type { SpendAsk, SpendEngine, SpendGrant } from "@switchyard/router/SpendEngine"
import { Effect } from "effect"
import type { RedisConnection, Script } from "../connection/RedisConnection.js"
import * as spend from "../scripts/spend.js"

const lease: Script = { name: "switchyardLease", keys: 1, text: spend.lease }

/** Whole numbers that a script's doubles hold exactly. */
const whole = (value: number): string => String(value > 0 ? Math.min(Math.ceil(value), Number.MAX_SAFE_INTEGER) : 0)

/** Ms, or -1 for what is not said or never comes. */
const time = (value: number | undefined): string =>
  value === undefined || !(value < Number.POSITIVE_INFINITY) ? "-1" : whole(value)

/** Money in Redis: each window lives under one key. */
export const make = (connection: RedisConnection): SpendEngine => {
  const one = (ask: SpendAsk): Effect.Effect<SpendGrant, EngineError> => {
    const { amount, confirmed, endsIn, holder, key, known, lasts, length, limit, settled, window } = ask
    const asked = amount === undefined ? "-1" : whole(amount)
    const told = [settled, confirmed, known, window].map(whole)
    const args = [holder, time(length), whole(limit), asked, whole(lasts), ...told, time(endsIn)]
    return Effect.map(connection.run(lease, connection.keysOf(`spend:${key}`, ["money"]), args), (reply) => {
      const [spent = 0, granted = 0, leasedByOthers = 0, named = 0, left = 0] = Array.isArray(reply)
        ? reply.map(Number)
        : []
      return { spent, granted, leasedByOthers, window: named, endsIn: left < 0 ? Number.POSITIVE_INFINITY : left }
    })
  }
  return { lease: (asks) => Effect.forEach(asks, one, { concurrency: "unbounded" }) }
}
