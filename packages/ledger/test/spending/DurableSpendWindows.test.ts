import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Dice } from "@switchyard/testing/Dice"
import { cases } from "@switchyard/testing/Effort"
import { Cause, Effect, Fiber, type Scope } from "effect"
import type { LedgerError } from "../../src/errors/LedgerError.js"
import * as SqliteStore from "../../src/store/SqliteStore.js"
import { gateway, memoryStore, moneyOf, type TestGateway, type Time, timed } from "./support.js"

const day = 86_400_000
const usd = 1_000_000_000
const k = { scope: "caller", key: "k", length: day }

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-money-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const onSqlite = Effect.flatMap(folder, (path) =>
  Effect.map(SqliteStore.make({ path: join(path, "ledger.db") }), moneyOf)
)

/** One call of that cost, told by whether it was let in. */
const call = ({ now, reserve, window }: TestGateway, cost: number, limit: number, length = day, key = "k") =>
  Effect.map(reserve(window(key, length), cost, limit), (reservation) => {
    reservation?.settle(cost, now())
    return reservation !== undefined
  })

const calls = (at: TestGateway, cost: number, limit: number, most = 1_000) =>
  Effect.gen(function* () {
    let count = 0
    while (count < most && (yield* call(at, cost, limit))) count++
    return count
  })

const test = (name: string, body: (time: Time) => Effect.Effect<void, LedgerError, Scope.Scope>) =>
  it.scoped(name, () => timed(body))

/** The same random schedules in each run. */
const schedules = (seeds: number, body: (dice: Dice, time: Time) => Effect.Effect<void, LedgerError>) =>
  Effect.forEach(Array.from({ length: cases(seeds) }), (_, seed) =>
    timed((time) => body(new Dice(seed), time)).pipe(
      Effect.catchAllCause((cause) => Effect.die(new Error(`seed ${seed}: ${Cause.pretty(cause)}`)))
    )
  )

describe("durable windows", () => {
  test("go on after a restart where they were: what is spent is refused from the first request on", ({ pass }) =>
    Effect.gen(function* () {
      const store = yield* onSqlite
      const first = yield* gateway(store)
      assert.strictEqual(yield* calls(first, 0.1, 1, 6), 6)
      yield* pass(3_600_000)
      yield* first.close
      const second = yield* gateway(store)
      assert.strictEqual(yield* calls(second, 0.1, 1), 4)
      yield* second.close
      const third = yield* gateway(store)
      assert.isFalse(yield* call(third, 0.1, 1))
      const window = third.window("k", day)
      assert.isTrue(window.isSpent(1, third.now()))
      assert.closeTo(window.resetsAt(third.now()) ?? 0, third.now() + day - 3_600_000, 1)
      yield* pass(day - 3_600_000)
      assert.isTrue(yield* call(third, 0.1, 1))
      yield* third.close
    }))
  test("with no end stay spent", ({ pass }) =>
    Effect.gen(function* () {
      const store = yield* onSqlite
      const endless = Number.POSITIVE_INFINITY
      const first = yield* gateway(store)
      assert.isTrue(yield* call(first, 1, 1, endless))
      yield* first.close
      yield* pass(315_360_000_000)
      const second = yield* gateway(store)
      assert.isFalse(yield* call(second, 1, 1, endless))
      assert.isUndefined(second.window("k", endless).resetsAt(second.now()))
      yield* second.close
    }))
  test("of several gateways on one store hold one limit together", ({ pass }) =>
    Effect.gen(function* () {
      const store = memoryStore()
      const [a, b] = [yield* gateway(store), yield* gateway(store)]
      let spent = 0
      for (let i = 0; i < 200; i++) {
        if (yield* call(i % 2 === 0 ? a : b, 0.01, 1)) spent++
        if (i % 50 === 49) yield* pass(1_000)
      }
      assert.isAtLeast(spent, 98)
      assert.isAtMost(spent, 100)
      yield* pass(10_000)
      yield* calls(a, 0.01, 1)
      yield* pass(1_000)
      assert.deepStrictEqual(
        [a, b].map((one) => one.window("k", day).isSpent(1, one.now())),
        [true, true]
      )
      yield* Effect.all([a.close, b.close])
    }))
  test("that the store has forgotten, with a key that was deleted, begin anew within a second", ({ pass }) =>
    Effect.gen(function* () {
      const store = memoryStore()
      const one = yield* gateway(store)
      assert.isTrue(yield* call(one, 1, 1))
      yield* pass(2_000)
      store.forget(k)
      assert.isFalse(yield* call(one, 1, 1))
      yield* pass(1_000)
      assert.isTrue(yield* call(one, 1, 1))
      yield* one.close
    }))
  test("of all scopes, keys and lengths are apart", () =>
    Effect.gen(function* () {
      const store = memoryStore()
      const one = yield* gateway(store)
      const taken: Array<string> = []
      for (const scope of ["caller", "team", "user", "deployment", "provider", "tag", "requestTag"]) {
        for (const length of [day, 1_000]) {
          const reservation = yield* one.reserve(one.window("x", length, scope), 1, 1)
          reservation?.settle(1, one.now())
          if (reservation !== undefined) taken.push(scope)
        }
      }
      assert.strictEqual(taken.length, 14)
      yield* one.close
      for (const { cost, length, scope } of one.journal) {
        assert.deepStrictEqual([cost, store.spentOf({ scope, key: "x", length })], [usd, usd])
      }
    }))
  test("sums of what is smaller than a billionth of a dollar are not lost", () =>
    Effect.gen(function* () {
      const one = yield* gateway(memoryStore())
      for (let i = 0; i < 1_000; i++) yield* call(one, 1e-10, 1)
      assert.strictEqual(
        one.journal.reduce((sum, { cost }) => sum + cost, 0),
        100
      )
      yield* one.close
    }))
})

describe("leases", () => {
  test("are a hundredth of the limit or a call, whichever is more, and no call waits that has one", () =>
    Effect.gen(function* () {
      for (const [estimate, leased] of [
        [0.001, 0.01],
        [0.05, 0.05]
      ] as const) {
        const store = memoryStore()
        const one = yield* gateway(store)
        const window = one.window("k", day)
        assert.isTrue(yield* call(one, estimate, 1))
        assert.strictEqual(store.leased(k, 0), leased * usd)
        if (estimate === 0.001) assert.isUndefined(window.prepare?.(estimate, 1, one.now()))
        yield* one.close
      }
    }))
  test("of windows in use are asked for together, once a second, and renewed", ({ pass }) =>
    Effect.gen(function* () {
      const store = memoryStore()
      const one = yield* gateway(store)
      const keys = ["a", "b", "c", "d"]
      for (let second = 0; second < 40; second++) {
        for (const key of keys) assert.isTrue(yield* call(one, 0.0001, 10, day, key))
        yield* pass(1_000)
      }
      // One for each window at its first call, and one a second.
      assert.isAtMost(one.control.asks, 4 + 41)
      assert.isAtLeast(store.leased({ ...k, key: "a" }, one.now()), 0.1 * usd)
      yield* one.close
    }))
  test("are kept while a call is in flight, however long it takes", ({ pass }) =>
    Effect.gen(function* () {
      const store = memoryStore()
      const one = yield* gateway(store)
      const reservation = yield* one.reserve(one.window("k", day), 0.5, 1)
      for (let minute = 0; minute < 5; minute++) {
        yield* pass(60_000)
        assert.isAtLeast(store.leased(k, one.now()), 0.5 * usd)
      }
      reservation?.settle(0.5, one.now())
      yield* pass(10_000)
      assert.deepStrictEqual([store.spentOf(k), store.leased(k, one.now())], [0.5 * usd, 0])
      yield* one.close
    }))
  test("are given back when a window is idle, and at the end, when all that was settled is stored", ({ pass }) =>
    Effect.gen(function* () {
      const store = memoryStore()
      const [a, b] = [yield* gateway(store), yield* gateway(store)]
      yield* call(a, 0.5, 1)
      yield* call(b, 0.1, 1)
      assert.isAbove(store.leased(k, 0), 0)
      yield* pass(7_000)
      assert.strictEqual(store.leased(k, a.now()), 0)
      yield* call(a, 0.1, 1)
      yield* a.close
      assert.deepStrictEqual([store.spentOf(k), store.leased(k, b.now())], [0.7 * usd, 0])
      yield* b.close
    }))
  test("of the dead count as spent until they expire", ({ pass }) =>
    Effect.gen(function* () {
      const store = memoryStore()
      const one = yield* gateway(store)
      const held = yield* one.reserve(one.window("k", day), 0.4, 1)
      assert.isDefined(held)
      yield* one.crash
      const next = yield* gateway(store, one.journal, one.stored)
      assert.strictEqual(yield* calls(next, 0.1, 1), 6)
      assert.isFalse(next.window("k", day).isSpent(1, next.now()))
      yield* pass(61_000)
      assert.strictEqual(yield* calls(next, 0.1, 1), 4)
      yield* next.close
    }))
  test("are asked for by calls at once in one batch, and each of them gets its part", ({ pass }) =>
    Effect.gen(function* () {
      const one = yield* gateway(memoryStore())
      one.control.mood = 10
      const all = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 50 }), () => one.reserve(one.window("k", day), 0.02, 1), {
          concurrency: "unbounded"
        })
      )
      yield* pass(10)
      const got = yield* Fiber.join(all)
      assert.strictEqual(got.filter((reservation) => reservation !== undefined).length, 50)
      assert.strictEqual(one.control.asks, 1)
      one.control.mood = "up"
      yield* one.close
    }))
})

describe("a store that does not answer", () => {
  test("costs a call 100 ms at most, and after the first nobody waits; what is known binds, and is merged on its return", ({
    pass
  }) =>
    Effect.gen(function* () {
      for (const mood of ["frozen", "failing"] as const) {
        const store = memoryStore()
        const [a, b] = [yield* gateway(store), yield* gateway(store)]
        assert.strictEqual((yield* calls(a, 0.01, 1, 20)) + (yield* calls(b, 0.01, 1, 30)), 50)
        yield* pass(2_000)
        for (const one of [a, b]) one.control.mood = mood
        for (const one of [a, b]) {
          const key = { others: 0, waited: 0 }
          for (let i = 0; i < 60; i++) {
            const began = one.now()
            const fiber = yield* Effect.fork(call(one, 0.01, 1))
            yield* pass(0)
            if (fiber.unsafePoll() === null) {
              key.waited++
              yield* pass(100)
            }
            yield* Fiber.join(fiber)
            assert.isAtMost(one.now() - began, 100)
          }
          assert.isAtMost(key.waited, 1)
        }
        const total = [...a.journal, ...b.journal].reduce((sum, { cost }) => sum + cost, 0) / usd
        // Each by its half of what was left.
        assert.closeTo(total, 1, 0.02)
        for (const one of [a, b]) one.control.mood = "up"
        yield* pass(12_000)
        assert.closeTo(store.spentOf(k) / usd, total, 1e-9)
        assert.isFalse(yield* call(a, 0.01, 1))
        assert.isFalse(yield* call(b, 0.01, 1))
        yield* Effect.all([a.close, b.close])
      }
    }))
  test("is not needed for what was spent before the start: that is known, also when nobody has asked yet", () =>
    Effect.gen(function* () {
      const store = memoryStore()
      const before = yield* gateway(store)
      assert.isTrue(yield* call(before, 1, 1))
      yield* before.close
      const one = yield* gateway(store)
      one.control.mood = "frozen"
      assert.isFalse(yield* call(one, 0.1, 1))
      one.control.mood = "up"
      yield* one.close
    }))
  test("at the first question of a window that others have begun lets calls in by what this gateway knows", ({
    pass
  }) =>
    Effect.gen(function* () {
      const store = memoryStore()
      const one = yield* gateway(store)
      const other = yield* gateway(store)
      assert.isTrue(yield* call(other, 1, 1))
      yield* other.close
      one.control.mood = "frozen"
      const first = yield* Effect.fork(call(one, 0.1, 1))
      yield* pass(99)
      assert.isNull(first.unsafePoll())
      yield* pass(1)
      assert.isTrue(yield* Fiber.join(first))
      one.control.mood = "up"
      yield* pass(12_000)
      assert.isFalse(yield* call(one, 0.1, 1))
      yield* one.close
    }))
})

describe("a wall clock that is set", () => {
  test("loses nothing that was settled, and shifts the end of a window by no more than itself", ({ pass, wall }) =>
    Effect.gen(function* () {
      for (const jump of [-3_600_000, 3_600_000, -10 * day]) {
        wall.ahead = 20 * day
        const store = memoryStore()
        const one = yield* gateway(store)
        assert.strictEqual(yield* calls(one, 0.1, 1, 5), 5)
        yield* pass(3_000)
        wall.ahead += jump
        assert.strictEqual(yield* calls(one, 0.1, 1), 5)
        yield* pass(3_000)
        assert.isTrue(one.window("k", day).isSpent(1, one.now()))
        assert.strictEqual(store.spentOf(k), usd)
        const ends = (one.window("k", day).resetsAt(one.now()) ?? Number.NaN) - one.now()
        assert.isAbove(ends, 0)
        assert.isAtMost(ends, day)
        if (Math.abs(jump) < day) assert.closeTo(ends, Math.min(day, day - 6_000 - jump), 6_000)
        yield* one.close
      }
    }))
})

describe("random schedules", () => {
  it.effect("of two gateways never spend more than the limit and a call of each; what was settled is stored", () =>
    schedules(60, (dice, { pass }) =>
      Effect.gen(function* () {
        const limit = 1
        const most = dice.pick([0.002, 0.02, 0.2])
        const store = memoryStore()
        const both = [yield* gateway(store), yield* gateway(store)] as const
        const running: Array<{ readonly end: () => void }> = []
        for (let step = 0; step < 150; step++) {
          const one = dice.pick(both)
          if (dice.roll() < 0.7) {
            const estimate = most * (0.5 + dice.roll() / 2)
            const fiber = yield* Effect.fork(one.reserve(one.window("k", day), estimate, limit))
            yield* pass(dice.pick([0, 0, 5]))
            const reservation = yield* Fiber.join(fiber)
            if (reservation !== undefined) {
              const cost = estimate * dice.roll()
              running.push({ end: () => reservation.settle(cost, one.now()) })
            }
          } else if (dice.pick([true, true, false])) running.splice(dice.below(running.length), 1)[0]?.end()
          else yield* pass(dice.pick([100, 1_000, 20_000]))
        }
        for (const { end } of running) end()
        yield* Effect.all(both.map(({ close }) => close))
        const total = both.flatMap(({ journal }) => journal).reduce((sum, { cost }) => sum + cost, 0)
        assert.isAtMost(total, (limit + 2 * most) * usd)
        assert.deepStrictEqual([store.spentOf(k), store.leased(k, 0)], [total, 0])
      })
    )
  )
  it.effect("with crashes lose nothing settled, and overspend by what was in flight in them", () =>
    schedules(60, (dice, { pass }) =>
      Effect.gen(function* () {
        const limit = 1
        const most = dice.pick([0.005, 0.05])
        const store = memoryStore()
        const journal: TestGateway["journal"] = []
        const stored = { upTo: 0 }
        let one = yield* gateway(store, journal, stored)
        let lost = 0
        let running: Array<{ readonly cost: number; readonly end: () => void }> = []
        for (let step = 0; step < 150; step++) {
          if (dice.roll() < 0.03) {
            // What was in flight is paid for, and nobody will ever say so.
            lost += running.reduce((sum, { cost }) => sum + cost, 0)
            running = []
            yield* one.crash
            one = yield* gateway(store, journal, stored)
          } else if (dice.roll() < 0.7) {
            const { now, reserve, window } = one
            const estimate = most * (0.5 + dice.roll() / 2)
            const reservation = yield* reserve(window("k", day), estimate, limit)
            const cost = estimate * dice.roll()
            if (reservation !== undefined) running.push({ cost, end: () => reservation.settle(cost, now()) })
          } else if (dice.pick([true, true, false])) running.splice(dice.below(running.length), 1)[0]?.end()
          else yield* pass(dice.pick([100, 1_000, 30_000]))
        }
        for (const { end } of running) end()
        yield* one.close
        const total = journal.reduce((sum, { cost }) => sum + cost, 0)
        assert.strictEqual(store.spentOf(k), total)
        assert.isAtMost(total + lost * usd, (limit + most + lost) * usd)
        yield* pass(61_000)
        assert.strictEqual(store.leased(k, one.now()), 0)
      })
    )
  )
})
