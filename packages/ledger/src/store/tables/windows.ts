/** Windows of money, and leases of them. A window begins when it is first used and follows the wall clock of who uses it. */
import * as Effect from "effect/Effect"
import type { LedgerError } from "../../errors/LedgerError.js"
import type { LeaseAsk, LeaseGrant, Spent, WindowName, WindowState } from "../../money/Lease.js"
import { type Column, type Engine, type Row, whole } from "./engine.js"
import { amount, short } from "./records.js"

const keys: ReadonlyArray<Column> = [
  ["scope", "text"],
  ["name", "text"],
  ["length", "bigint"]
]

const keyNames = "scope, name, length"

/** What an endless window's length is in the tables. */
const endless = 0

const lengthOf = (length: number): number => (Number.isFinite(length) && length > 0 ? amount(length) : endless)

type Key = readonly [scope: string, name: string, length: number]

const keyOf = ({ scope, key, length }: WindowName): Key => [short(scope), short(key), lengthOf(length)]

const nameOf = (key: Key): string => key.join("\0")

/** A window, while its row is held. */
interface Window {
  readonly key: Key
  /** When the one before ended. */
  before: number
  /** 0 while none has begun. */
  endsAt: number
  spent: number
}

const windowOf = (row: Row): Window => ({
  key: [String(row["scope"]), String(row["name"]), whole(row["length"])],
  before: whole(row["before"]),
  endsAt: whole(row["ends_at"]),
  spent: whole(row["spent"])
})

/** Begins a window at a time, if none is in force then. */
const begin = (window: Window, time: number): void => {
  if (window.endsAt > time) return
  window.before = window.endsAt
  window.endsAt = window.key[2] === endless ? Number.MAX_SAFE_INTEGER : amount(time + window.key[2])
  window.spent = 0
}

/** Rows of windows, made where there are none, and held. */
const hold = (engine: Engine, names: ReadonlyArray<WindowName>): Effect.Effect<Map<string, Window>, LedgerError> => {
  const unique = new Map(names.map((name) => [nameOf(keyOf(name)), keyOf(name)]))
  const sorted = [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, key]) => key)
  return engine
    .insert(
      "windows",
      [...keys, ["before", "bigint"], ["ends_at", "bigint"], ["spent", "bigint"]],
      sorted.map((key) => [...key, 0, 0, 0]),
      `ON CONFLICT (${keyNames}) DO NOTHING`
    )
    .pipe(
      Effect.zipRight(engine.hold("windows", keys, sorted)),
      Effect.map((rows) => new Map(rows.map(windowOf).map((window) => [nameOf(window.key), window])))
    )
}

const keep = (engine: Engine, windows: ReadonlyMap<string, Window>): Effect.Effect<void, LedgerError> =>
  engine.insert(
    "windows",
    [...keys, ["before", "bigint"], ["ends_at", "bigint"], ["spent", "bigint"]],
    [...windows.values()].map(({ key, before, endsAt, spent }) => [...key, before, endsAt, spent]),
    `ON CONFLICT (${keyNames}) DO UPDATE SET before = excluded.before, ends_at = excluded.ends_at, spent = excluded.spent`
  )

/** Adds what was spent to the windows in force at its time; what belongs to one that is over is in the records alone. */
export const spend = (engine: Engine, spent: ReadonlyArray<Spent>): Effect.Effect<void, LedgerError> =>
  spent.length === 0
    ? Effect.void
    : Effect.flatMap(hold(engine, spent), (windows) => {
        for (const one of spent) {
          const window = windows.get(nameOf(keyOf(one)))
          const time = amount(one.time)
          if (window === undefined || time < window.before) continue
          begin(window, time)
          window.spent = amount(window.spent + amount(one.cost))
        }
        return keep(engine, windows)
      })

/** Leases of a holder, in place of those that it had on the same windows. They end with the window that they are of. */
export const lease = (
  engine: Engine,
  holder: string,
  asks: ReadonlyArray<LeaseAsk>
): Effect.Effect<ReadonlyArray<LeaseGrant>, LedgerError> =>
  Effect.gen(function* () {
    if (asks.length === 0) return []
    const windows = yield* hold(engine, asks)
    const held = yield* engine.hold(
      "leases",
      keys,
      [...windows.values()].map(({ key }) => key)
    )
    const ours: Array<ReadonlyArray<string | number>> = []
    const grants: Array<LeaseGrant> = []
    for (const ask of asks) {
      const key = keyOf(ask)
      const window = windows.get(nameOf(key))
      if (window === undefined) continue
      const isAsking = ask.amount > 0
      if (isAsking) begin(window, ask.now)
      const isOver = window.endsAt <= ask.now
      const others = held.filter(
        (row) =>
          nameOf(windowOf(row).key) === nameOf(key) && row["holder"] !== holder && whole(row["expires_at"]) > ask.now
      )
      const leasedByOthers = others.reduce((sum, row) => sum + whole(row["amount"]), 0)
      const spent = isOver ? 0 : window.spent
      const granted = isAsking ? amount(Math.min(ask.amount, ask.limit - spent - leasedByOthers)) : 0
      const expiresAt = Math.min(amount(ask.now + ask.lasts), isAsking ? window.endsAt : Number.MAX_SAFE_INTEGER)
      ours.push([holder, ...key, granted, expiresAt])
      grants.push({
        scope: ask.scope,
        key: ask.key,
        length: ask.length,
        endsAt: isOver ? undefined : key[2] === endless ? Number.POSITIVE_INFINITY : window.endsAt,
        spent,
        leasedByOthers,
        sharers: others.length,
        granted,
        expiresAt
      })
    }
    yield* keep(engine, windows)
    yield* engine.insert(
      "leases",
      [["holder", "text"], ...keys, ["amount", "bigint"], ["expires_at", "bigint"]],
      [...new Map(ours.map((row) => [row.slice(1, 4).join("\0"), row])).values()],
      `ON CONFLICT (${keyNames}, holder) DO UPDATE SET amount = excluded.amount, expires_at = excluded.expires_at`
    )
    // What others left behind long ago, an hour of clocks that differ allowed for.
    const now = Math.max(...asks.map((ask) => ask.now))
    yield* engine.rows(`DELETE FROM ${engine.table("leases")} WHERE (holder = ? AND amount = 0) OR expires_at < ?`, [
      holder,
      now - 3_600_000
    ])
    return grants
  })

/** More than anybody looks at. */
const mostTold = 100_000

/** All windows in force at a time, with what leases hold of them. */
export const inForce = (engine: Engine, now: number): Effect.Effect<ReadonlyArray<WindowState>, LedgerError> =>
  Effect.gen(function* () {
    const columns = "scope, name, length"
    const leased = new Map<string, number>()
    const leases = yield* engine.rows(
      `SELECT ${columns}, amount FROM ${engine.table("leases")} WHERE expires_at > ? AND amount > 0`,
      [now]
    )
    for (const row of leases) {
      const name = nameOf(windowOf(row).key)
      leased.set(name, (leased.get(name) ?? 0) + whole(row["amount"]))
    }
    const rows = yield* engine.rows(
      `SELECT ${columns}, ends_at, spent FROM ${engine.table("windows")} WHERE ends_at > ? LIMIT ${mostTold}`,
      [now]
    )
    return rows.map((row) => {
      const { endsAt, key, spent } = windowOf(row)
      const [scope, name, length] = key
      return {
        scope,
        key: name,
        length: length === endless ? Number.POSITIVE_INFINITY : length,
        endsAt: length === endless ? Number.POSITIVE_INFINITY : endsAt,
        spent,
        leasedByOthers: leased.get(nameOf(key)) ?? 0
      }
    })
  })

export const release = (engine: Engine, holder: string): Effect.Effect<void, LedgerError> =>
  Effect.asVoid(engine.rows(`DELETE FROM ${engine.table("leases")} WHERE holder = ?`, [holder]))

/** A caller is gone: another of its name begins with nothing spent. */
export const forget = (engine: Engine, name: string): Effect.Effect<void, LedgerError> =>
  Effect.forEach(
    ["leases", "windows"],
    (table) => engine.rows(`DELETE FROM ${engine.table(table)} WHERE scope = 'caller' AND name = ?`, [short(name)]),
    { discard: true }
  )

/** A caller gets another name, and what its windows have spent goes with it. */
export const rename = (engine: Engine, from: string, to: string): Effect.Effect<void, LedgerError> =>
  from === to
    ? Effect.void
    : Effect.zipRight(
        forget(engine, to),
        Effect.forEach(
          ["leases", "windows"],
          (table) =>
            engine.rows(`UPDATE ${engine.table(table)} SET name = ? WHERE scope = 'caller' AND name = ?`, [
              short(to),
              short(from)
            ]),
          { discard: true }
        )
      )
