/**
 * What many processes share, kept in Redis or Valkey: each operation is one script over the keys of one name, so that it is
 * atomic there and fits into one place of a cluster.
 */
import type { Admitted, Engine, EngineError, Held, Refused, SharedUse } from "@switchyard/router/Engine"
import { Effect, type Scope } from "effect"
import * as RedisConnection from "./connection/RedisConnection.js"
import * as boards from "./engine/boards.js"
import * as breakers from "./engine/breakers.js"
import * as spend from "./engine/spend.js"
import * as values from "./engine/values.js"
import * as replicas from "./scripts/replicas.js"
import * as usage from "./scripts/usage.js"

const script = (name: string, keys: number, text: string): RedisConnection.Script => ({ name, keys, text })

const admitScript = script("switchyardAdmit", 3, usage.admit)
const settleScript = script("switchyardSettle", 3, usage.settle)
const renewScript = script("switchyardRenew", 3, usage.renew)
const recordScript = script("switchyardRecord", 3, usage.record)
const lookScript = script("switchyardLook", 3, usage.look)
const announceScript = script("switchyardAnnounce", 1, replicas.announce)

/** The parts of the use of one key. */
const parts = ["use", "moments", "calls"]

/** How long a window is kept beyond its end where nobody says how long: `settle` knows neither window nor lease. */
const usual = { window: 60_000, lease: 10_000 }

const reasons = [undefined, "rpm", "tpm", "maxParallel"] as const

const orNone = (value: number): number | undefined => (value < 0 ? undefined : value)

const useOf = ([
  requests = 0,
  tokens = 0,
  calls = 0,
  requestsFreeIn = -1,
  tokensFreeIn = -1
]: ReadonlyArray<number>): SharedUse => ({
  requests,
  tokens,
  calls,
  requestsFreeIn: orNone(requestsFreeIn),
  tokensFreeIn: orNone(tokensFreeIn)
})

const numbers = (reply: RedisConnection.Reply): ReadonlyArray<number> => (Array.isArray(reply) ? reply.map(Number) : [])

const admission = (reply: RedisConnection.Reply): Admitted | Refused => {
  const [code = 0, told = 0, ...use] = numbers(reply)
  const reason = reasons[code]
  return reason === undefined
    ? { _tag: "Admitted", number: told, use: useOf(use) }
    : { _tag: "Refused", reason, freesIn: orNone(told), use: useOf(use) }
}

const limit = (value: number | undefined): number => (value === undefined ? -1 : Math.max(0, Math.floor(value)))

/** Redis counts in whole numbers; an estimate that is none errs high. */
const amount = (tokens: number): number =>
  tokens > 0 && Number.isFinite(tokens) ? Math.min(Math.ceil(tokens), 1e12) : 0

const byKey = (held: ReadonlyArray<Held>): ReadonlyMap<string, ReadonlyArray<string>> => {
  const found = new Map<string, Array<string>>()
  for (const { attempt, key } of held) found.set(key, [...(found.get(key) ?? []), attempt])
  return found
}

/** How the server is reached. */
export type Options = RedisConnection.Options

/** An engine over a connection. */
export const fromConnection = (connection: RedisConnection.RedisConnection): Engine => {
  const windows = new Map<string, number>()
  const keysOf = (key: string) => connection.keysOf(`use:${key}`, parts)
  const windowOf = (key: string): number => windows.get(key) ?? usual.window
  const run = (
    asked: RedisConnection.Script,
    key: string,
    window: number,
    lease: number,
    ...args: ReadonlyArray<string | number>
  ): Effect.Effect<RedisConnection.Reply, EngineError> => connection.run(asked, keysOf(key), [window, lease, ...args])
  return {
    name: `redis ${connection.place}`,
    usage: {
      admit: ({ attempt, key, lease, limits, tokens, window }) => {
        windows.set(key, window)
        const { maxParallel, rpm, tpm } = limits
        const bounds = [limit(rpm), limit(tpm), limit(maxParallel)]
        return Effect.map(run(admitScript, key, window, lease, attempt, ...bounds, amount(tokens)), admission)
      },
      settle: ({ attempt, key }, tokens) =>
        Effect.asVoid(run(settleScript, key, windowOf(key), usual.lease, attempt, amount(tokens))),
      release: ({ attempt, key }) => Effect.asVoid(run(settleScript, key, windowOf(key), usual.lease, attempt, -1)),
      renew: (held, lease) =>
        Effect.map(
          Effect.forEach(
            byKey(held),
            ([key, attempts]) =>
              Effect.map(run(renewScript, key, windowOf(key), lease, ...attempts), (lost) =>
                (Array.isArray(lost) ? lost : []).map((attempt): Held => ({ key, attempt: String(attempt) }))
              ),
            { concurrency: "unbounded" }
          ),
          (lost) => lost.flat()
        ),
      record: (recorded) =>
        Effect.forEach(
          recorded.filter(({ ago, window }) => ago < window),
          ({ key, requests, tokens, window }) =>
            run(recordScript, key, window, usual.lease, amount(requests), amount(tokens)),
          { concurrency: "unbounded", discard: true }
        ),
      look: (keys, window) =>
        Effect.forEach(
          keys,
          (key) => Effect.map(run(lookScript, key, window, usual.lease), (reply) => useOf(numbers(reply))),
          { concurrency: "unbounded" }
        )
    },
    spend: spend.make(connection),
    boards: boards.make(connection),
    news: { publish: connection.publish, listen: connection.listen },
    breakers: breakers.make(connection),
    values: values.make(connection),
    announce: (id, lasts) =>
      Effect.map(connection.run(announceScript, connection.keysOf("replicas", ["alive"]), [id, lasts]), (reply) => {
        const [count = 1, place = 0] = numbers(reply)
        return { count, place }
      })
  }
}

/** An engine over a connection of its own, for as long as the scope lives. */
export const make = (options: Options = {}): Effect.Effect<Engine, never, Scope.Scope> =>
  Effect.map(RedisConnection.make(options), fromConnection)
