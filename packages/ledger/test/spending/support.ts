import type { Reservation, SpendWindow } from "@switchyard/router/SpendWindows"
import * as ManualClock from "@switchyard/testing/ManualClock"
import { type Clock, Effect, Exit, Scope } from "effect"
import { LedgerError } from "../../src/errors/LedgerError.js"
import type { LeaseAsk, LeaseGrant, Spent, WindowName } from "../../src/money/Lease.js"
import * as DurableSpendWindows from "../../src/spending/DurableSpendWindows.js"
import type { Store } from "../../src/store/Store.js"

/** What windows and leases ask of a store. */
export interface MoneyStore extends Pick<Store, "lease" | "release" | "windows"> {
  readonly spend: (journal: string, from: number, spent: ReadonlyArray<Spent>) => Effect.Effect<void, LedgerError>
}

interface Row {
  readonly of: WindowName
  before: number
  endsAt: number
  spent: number
  readonly leases: Map<string, { readonly amount: number; readonly expiresAt: number }>
}

/** A store in memory, for thousands of schedules: the same words as the tables of SQLite and Postgres. */
export const memoryStore = () => {
  const rows = new Map<string, Row>()
  const rowOf = ({ key, length, scope }: WindowName): Row => {
    const name = `${scope} ${key} ${length}`
    const known = rows.get(name)
    if (known !== undefined) return known
    const made: Row = { of: { scope, key, length }, before: 0, endsAt: 0, spent: 0, leases: new Map() }
    rows.set(name, made)
    return made
  }
  const begin = (row: Row, length: number, time: number): void => {
    if (row.endsAt > time) return
    row.before = row.endsAt
    row.endsAt = time + length
    row.spent = 0
  }
  const one = (holder: string, ask: LeaseAsk): LeaseGrant => {
    const row = rowOf(ask)
    if (ask.amount > 0) begin(row, ask.length, ask.now)
    const isOver = row.endsAt <= ask.now
    let [leasedByOthers, sharers] = [0, 0]
    for (const [other, lease] of row.leases) {
      if (other === holder || lease.expiresAt <= ask.now) continue
      leasedByOthers += lease.amount
      sharers++
    }
    const spent = isOver ? 0 : row.spent
    const granted = ask.amount > 0 ? Math.max(0, Math.min(ask.amount, ask.limit - spent - leasedByOthers)) : 0
    const expiresAt = Math.min(ask.now + ask.lasts, ask.amount > 0 ? row.endsAt : Number.MAX_SAFE_INTEGER)
    if (granted === 0) row.leases.delete(holder)
    else row.leases.set(holder, { amount: granted, expiresAt })
    return { ...ask, endsAt: isOver ? undefined : row.endsAt, spent, leasedByOthers, sharers, granted, expiresAt }
  }
  const store: MoneyStore = {
    lease: (holder, asks) => Effect.sync(() => asks.map((ask) => one(holder, ask))),
    windows: (now) =>
      Effect.sync(() =>
        [...rows.values()].flatMap(({ endsAt, of, spent }) =>
          endsAt > now ? [{ ...of, endsAt, spent, leasedByOthers: leased(of, now) }] : []
        )
      ),
    release: (holder) =>
      Effect.sync(() => {
        for (const { leases } of rows.values()) leases.delete(holder)
      }),
    spend: (_, __, spent) =>
      Effect.sync(() => {
        for (const line of spent) {
          const row = rowOf(line)
          if (line.time < row.before) continue
          begin(row, line.length, line.time)
          row.spent += line.cost
        }
      })
  }
  const leased = (name: WindowName, now: number): number =>
    [...rowOf(name).leases.values()].reduce((sum, { amount, expiresAt }) => (expiresAt > now ? sum + amount : sum), 0)
  const forget = ({ scope, key, length }: WindowName): void => void rows.delete(`${scope} ${key} ${length}`)
  return { ...store, forget, spentOf: (name: WindowName) => rowOf(name).spent, leased }
}

/** A store of SQLite or Postgres, with what windows ask of it. */
export const moneyOf = (store: Store): MoneyStore => ({
  lease: store.lease,
  release: store.release,
  windows: store.windows,
  spend: (journal, from, spent) =>
    Effect.asVoid(store.write({ journal, from, to: from + spent.length, records: [], spent }))
})

const away = new LedgerError({ reason: "away", description: "away" })

/** How a store answers: at once, after some ms, never, or with an error. */
type Mood = "up" | "frozen" | "failing" | number

let made = 0

/** A gateway's part in it: its journal, which outlives it, and its windows. */
export const gateway = (store: MoneyStore, journal: Array<Spent> = [], stored = { upTo: 0 }) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const scope = yield* Scope.make()
    const name = `journal-${made++}`
    const control = { mood: "up" as Mood, asks: 0, isDead: false, told: undefined as LeaseGrant | undefined }
    const answering = <A>(effect: Effect.Effect<A, LedgerError>): Effect.Effect<A, LedgerError> =>
      Effect.suspend(() => {
        if (control.isDead || control.mood === "frozen") return Effect.never
        if (control.mood === "failing") return Effect.fail(away)
        return typeof control.mood === "number" ? Effect.delay(effect, control.mood) : effect
      })
    const windows = yield* DurableSpendWindows.make({
      spend: (spent) => journal.push(spent),
      settled: Effect.suspend(() =>
        control.isDead
          ? Effect.void
          : answering(
              Effect.suspend(() => {
                const lines = journal.slice(stored.upTo)
                const from = stored.upTo
                return Effect.zipRight(
                  lines.length === 0 ? Effect.void : store.spend(name, from, lines),
                  Effect.sync(() => {
                    stored.upTo = from + lines.length
                  })
                )
              })
            )
      ),
      lease: (holder, asks) => {
        control.asks++
        return Effect.tap(answering(store.lease(holder, asks)), ([grant]) =>
          Effect.sync(() => {
            control.told = grant
          })
        )
      },
      windows: (now) => answering(store.windows(now)),
      release: (holder) => (control.isDead ? Effect.void : answering(store.release(holder)))
    }).pipe(Scope.extend(scope))
    const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
    /** Money for a call, as layers ask for it. */
    const reserve = (window: SpendWindow, estimate: number, limit: number): Effect.Effect<Reservation | undefined> =>
      Effect.suspend(() => {
        const take = () => window.reserve(estimate, limit, now())
        const wait = window.prepare?.(estimate, limit, now())
        return wait === undefined ? Effect.sync(take) : Effect.map(wait, take)
      })
    return {
      control,
      journal,
      stored,
      windows,
      now,
      reserve,
      window: (key: string, length: number, scopeOf = "caller") => windows.window(scopeOf, key, length, now()),
      /** Ends in order. */
      close: Scope.close(scope, Exit.void),
      /** Is gone at once: nothing is given back. The journal stays. */
      crash: Effect.suspend(() => {
        control.isDead = true
        return Scope.close(scope, Exit.void)
      })
    }
  })

/** Any such gateway. */
export type TestGateway = Effect.Effect.Success<ReturnType<typeof gateway>>

/** A test's time: nothing waits for real. */
export interface Time {
  /** Lets ms go by, with all that happens in them. */
  readonly pass: (ms: number) => Effect.Effect<void>
  /** How far the wall clock is ahead, ms. */
  readonly wall: { ahead: number }
}

const rest = Effect.repeatN(Effect.yieldNow(), 40)

/** Runs a test in a time of its own. */
export const timed = <A, E, R>(body: (time: Time) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const manual = ManualClock.make()
    const wall = { ahead: 0 }
    const clock: Clock.Clock = {
      ...manual.clock,
      unsafeCurrentTimeMillis: () => manual.now() + wall.ahead,
      currentTimeMillis: Effect.sync(() => manual.now() + wall.ahead)
    }
    const until = (to: number): Effect.Effect<void> =>
      Effect.suspend(() => {
        const next = manual.next()
        manual.advance(Math.min(next, to) - manual.now())
        return next > to ? rest : Effect.zipRight(rest, until(to))
      })
    const pass = (ms: number) =>
      Effect.zipRight(
        rest,
        Effect.suspend(() => until(manual.now() + ms))
      )
    return Effect.withClock(body({ pass, wall }), clock)
  })
