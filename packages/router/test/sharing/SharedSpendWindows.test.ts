import { assert, describe, it } from "@effect/vitest"
import { nowMs } from "@switchyard/core/Time"
import type { Engine } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as SharedSpendWindows from "@switchyard/router/SharedSpendWindows"
import type { Spent, WindowState } from "@switchyard/router/SpendLease"
import type { Reservation } from "@switchyard/router/SpendWindows"
import { Dice } from "@switchyard/testing/Dice"
import { cases } from "@switchyard/testing/Effort"
import { Effect, Exit, Scope } from "effect"
import type { YieldWrap } from "effect/Utils"
import { reachable } from "../fleet/reachable.js"
import { simulate } from "../support/schedules.js"

/** In a time of its own, in which a sleep lasts no real time. */
const simulated = <E, A>(
  body: () => Generator<YieldWrap<Effect.Effect<unknown, E, Scope.Scope>>, A, never>
): Effect.Effect<A, E> => simulate(Effect.scoped(Effect.gen(body)))

const day = 86_400_000

/** An engine that may begin again with nothing: what a server without persistence does. */
const restarting = Effect.gen(function* () {
  const state = { engine: yield* MemoryEngine.make() }
  const engine: Engine = {
    ...state.engine,
    spend: { lease: (asks) => Effect.suspend(() => state.engine.spend.lease(asks)) },
    announce: (id, lasts) => Effect.suspend(() => state.engine.announce(id, lasts))
  }
  const lose = Effect.map(MemoryEngine.make(), (next) => {
    state.engine = next
  })
  return { engine, lose }
})

/** What the engine knows to have been spent of alice's budget, in USD; asking leases nothing. */
const spentAt = (engine: Engine, length = day) =>
  Effect.map(
    engine.spend.lease([
      {
        key: `caller:${length}:alice`,
        holder: "test",
        length,
        limit: 0,
        amount: undefined,
        lasts: 0,
        settled: 0,
        confirmed: 0,
        known: 0,
        window: 0,
        endsIn: undefined
      }
    ]),
    ([grant]) => (grant?.spent ?? 0) / 1e9
  )

/** One process, which spends of alice's budget. */
const process = (
  shared: Engine,
  id: string,
  { length = day, memory }: { readonly length?: number; readonly memory?: SharedSpendWindows.Memory } = {}
) =>
  Effect.gen(function* () {
    const { engine, state } = reachable(shared)
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    const guard = yield* Scope.extend(EngineGuard.make(engine, { id }), scope)
    const windows = yield* Scope.extend(SharedSpendWindows.make(guard, { memory }), scope)
    const clock = yield* Effect.clock
    const now = () => nowMs(clock)
    const window = () => windows.window("caller", "alice", length, now())
    const reserve = (estimate: number, limit: number): Effect.Effect<Reservation | undefined> =>
      Effect.suspend(() => {
        const take = () => window().reserve(estimate, limit, now())
        const wait = window().prepare?.(estimate, limit, now())
        return wait === undefined ? Effect.sync(take) : Effect.map(wait, take)
      })
    return {
      id,
      state,
      now,
      window,
      reserve,
      /** So many calls one after another, each of what it was estimated; how many there was money for. */
      calls: (count: number, cost: number, limit: number) =>
        Effect.map(
          Effect.replicateEffect(
            Effect.map(reserve(cost, limit), (money) => {
              money?.settle(cost, now())
              return money !== undefined
            }),
            count
          ),
          (all) => all.filter(Boolean).length
        ),
      die: Effect.zipRight(
        Effect.sync(() => {
          state.isAway = true
        }),
        Scope.close(scope, Exit.void)
      ),
      end: Scope.close(scope, Exit.void)
    }
  })

type Process = Effect.Effect.Success<ReturnType<typeof process>>

const two = (length = day) =>
  Effect.gen(function* () {
    const { engine, lose } = yield* restarting
    const a = yield* process(engine, "a", { length })
    const b = yield* process(engine, "b", { length })
    // Each has heard of the other.
    yield* Effect.sleep("1 second")
    return { a, b, engine, lose }
  })

describe("money over an engine", () => {
  it.effect("two processes spend together what one budget allows, and what one spends the other does not", () =>
    simulated(function* () {
      const { a, b, engine } = yield* two()
      assert.strictEqual(yield* a.calls(6, 0.1, 1), 6)
      yield* Effect.sleep("10 seconds")
      assert.strictEqual(yield* b.calls(9, 0.1, 1), 4)
      assert.isTrue(b.window().isSpent(1, b.now()))
      yield* Effect.sleep("2 seconds")
      assert.closeTo(yield* spentAt(engine), 1, 1e-9)
      assert.strictEqual(yield* a.calls(1, 0.1, 1), 0)
    })
  )

  it.effect("a window ends for all, and the next begins with nothing spent", () =>
    simulated(function* () {
      const { a, b } = yield* two(60_000)
      assert.strictEqual(yield* a.calls(20, 0.1, 1), 10)
      assert.strictEqual(yield* b.calls(1, 0.1, 1), 0)
      const endsIn = (b.window().resetsAt(b.now()) ?? 0) - b.now()
      assert.isTrue(endsIn > 0 && endsIn <= 60_000)
      yield* Effect.sleep(endsIn + 10)
      assert.strictEqual((yield* b.calls(20, 0.1, 1)) + (yield* a.calls(20, 0.1, 1)), 10)
    })
  )

  it.effect("a call waits for the engine once, and then many do not while the lease lasts", () =>
    simulated(function* () {
      const { a } = yield* two()
      assert.isDefined(a.window().prepare?.(0.001, 100, a.now()))
      yield* a.calls(1, 0.001, 100)
      for (let call = 0; call < 100; call++) {
        assert.isUndefined(a.window().prepare?.(0.001, 100, a.now()))
        a.window().reserve(0.001, 100, a.now())?.settle(0.001, a.now())
      }
    })
  )

  it.effect("without the engine each spends its share of what was left, and tells of it on its return", () =>
    simulated(function* () {
      const { a, b, engine } = yield* two()
      yield* a.calls(2, 0.1, 1)
      yield* b.calls(2, 0.1, 1)
      // Leases come back, and both hear of it.
      yield* Effect.sleep("30 seconds")
      yield* Effect.all([a.calls(1, 0.05, 1), b.calls(1, 0.05, 1), Effect.sleep("3 seconds")])
      for (const { state } of [a, b]) state.isAway = true
      yield* Effect.sleep("2 seconds")
      const spent = [yield* a.calls(50, 0.02, 1), yield* b.calls(50, 0.02, 1)]
      const sum = 0.5 + (spent[0] ?? 0) * 0.02 + (spent[1] ?? 0) * 0.02
      // The last call of each goes on with what is left.
      assert.isAtMost(sum, 1 + 2 * 0.02 + 1e-9)
      assert.isAtLeast(Math.min(...spent), 8)
      for (const { state } of [a, b]) state.isAway = false
      yield* Effect.sleep("5 seconds")
      assert.closeTo(yield* spentAt(engine), sum, 1e-9)
    })
  )

  it.effect("an engine that has lost all learns it again from those who know, with those who never asked", () =>
    simulated(function* () {
      const { a, b, engine, lose } = yield* two()
      yield* a.calls(3, 0.1, 1)
      yield* b.calls(4, 0.1, 1)
      yield* Effect.sleep("10 seconds")
      yield* lose
      // Nobody asks, and nobody has seen it away.
      yield* Effect.sleep("3 seconds")
      assert.closeTo(yield* spentAt(engine), 0.7, 1e-9)
      const c = yield* process(engine, "c")
      assert.strictEqual(yield* c.calls(9, 0.1, 1), 3)
      for (const { state } of [a, b, c]) state.isAway = true
      yield* lose
      yield* Effect.sleep("2 seconds")
      for (const { state } of [a, b, c]) state.isAway = false
      yield* Effect.sleep("4 seconds")
      assert.closeTo(yield* spentAt(engine), 1, 1e-9)
    })
  )

  it.effect("what a process has kept is where a window begins, and it keeps all that it spends", () =>
    simulated(function* () {
      const { engine } = yield* restarting
      const kept: Array<Spent> = []
      const before: WindowState = {
        scope: "caller",
        key: "alice",
        length: day,
        endsAt: 3_600_000,
        spent: 600_000_000,
        leasedByOthers: 0
      }
      const memory = { windows: () => Effect.succeed([before]), spend: (spent: Spent) => void kept.push(spent) }
      const a = yield* process(engine, "a", { memory })
      assert.closeTo(a.window().used(a.now()), 0.6, 1e-9)
      assert.strictEqual(yield* a.calls(2, 0.1, 1), 2)
      const b = yield* process(engine, "b")
      assert.strictEqual(yield* b.calls(9, 0.1, 1), 2)
      assert.closeTo((b.window().resetsAt(b.now()) ?? 0) - b.now(), 3_600_000, 5_000)
      assert.deepStrictEqual(
        kept.map(({ cost, key, length, scope }) => [scope, key, length, cost]),
        Array.from({ length: 2 }, () => ["caller", "alice", day, 100_000_000])
      )
    })
  )

  it.effect("a process that ends gives its leases back with what it has spent; those of a dead one expire", () =>
    simulated(function* () {
      const { a, b, engine } = yield* two()
      yield* a.calls(1, 0.6, 1)
      yield* a.end
      assert.closeTo(yield* spentAt(engine), 0.6, 1e-9)
      assert.isDefined(yield* b.reserve(0.4, 1))
      const { a: dead, b: other } = yield* two()
      yield* dead.reserve(1, 1)
      yield* dead.die
      yield* Effect.sleep("58 seconds")
      assert.isUndefined(yield* other.reserve(0.7, 1))
      yield* Effect.sleep("3 seconds")
      assert.isDefined(yield* other.reserve(0.7, 1))
    })
  )

  it.effect(
    "whatever fails and whoever dies, the budget is passed by a call of each at most, without the engine by a share; nothing is lost or counted twice",
    () =>
      simulated(function* () {
        for (let seed = 1; seed <= cases(200); seed++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const dice = new Dice(seed)
              const limit = 1
              const engine = yield* MemoryEngine.make()
              let made = 0
              const start = Effect.suspend(() => process(engine, `p${++made}`))
              const processes: Array<Process> = yield* Effect.all([start, start, start])
              const isCalm = seed % 2 === 0
              const mayDie = seed % 4 < 2
              let running: Array<{ readonly money: Reservation; readonly by: Process; readonly most: number }> = []
              let spent = 0
              for (let step = 0; step < 60; step++) {
                const place = dice.below(processes.length)
                const by = processes[place] as Process
                const roll = dice.roll()
                if (roll < 0.5) {
                  const most = (1 + dice.below(100)) / 1_000
                  const money = yield* by.reserve(most, limit)
                  if (money !== undefined) running.push({ money, by, most })
                } else if (roll < 0.8) {
                  const [ending] = running.splice(dice.below(running.length), 1)
                  if (ending !== undefined) {
                    const cost = Math.round(ending.most * dice.roll() * 1e6) / 1e6
                    spent += cost
                    ending.money.settle(cost, ending.by.now())
                  }
                } else if (roll < 0.92) yield* Effect.sleep(dice.below(3_000))
                else if (roll < 0.95 && mayDie) {
                  // What was in flight in it costs nobody knows what.
                  yield* by.die
                  running = running.filter((one) => one.by !== by)
                  processes[place] = yield* start
                } else if (!isCalm) by.state.isAway = !by.state.isAway
                const most = isCalm ? limit : limit * 2
                assert.isAtMost(spent, most + made * 0.1, `seed ${seed}`)
              }
              for (const { state } of processes) state.isAway = false
              for (const { by, money } of running) money.settle(0, by.now())
              yield* Effect.sleep("5 seconds")
              const told = yield* spentAt(engine)
              if (mayDie) assert.isAtMost(told, spent + 1e-9, `seed ${seed}`)
              else assert.closeTo(told, spent, 1e-9, `seed ${seed}`)
            })
          )
        }
      })
  )
})
