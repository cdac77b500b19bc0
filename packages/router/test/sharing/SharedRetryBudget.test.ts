import { assert, describe, it } from "@effect/vitest"
import { nowMs } from "@switchyard/core/Time"
import type { Engine } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import type * as RetryBudget from "@switchyard/router/RetryBudget"
import * as SharedRetryBudget from "@switchyard/router/SharedRetryBudget"
import { Dice } from "@switchyard/testing/Dice"
import { cases } from "@switchyard/testing/Effort"
import { Effect } from "effect"
import { reachable } from "../fleet/reachable.js"
import { simulate } from "../support/schedules.js"

const process = (shared: Engine, id: string, options: RetryBudget.Options) =>
  Effect.gen(function* () {
    const { engine, state } = reachable(shared)
    const guard = yield* EngineGuard.make(engine, { id })
    const budget = yield* SharedRetryBudget.make(guard, options)
    const clock = yield* Effect.clock
    const times = (count: number, f: (now: number) => boolean): number => {
      let yes = 0
      for (let n = 0; n < count; n++) if (f(nowMs(clock))) yes++
      return yes
    }
    return {
      state,
      requests: (count: number): void =>
        void times(count, (now) => {
          budget.deposit(now)
          return true
        }),
      /** How many of so many retries are allowed. */
      retries: (count: number): number => times(count, (now) => budget.withdraw(now)),
      balance: () => budget.balance(nowMs(clock))
    }
  })

type Process = Effect.Effect.Success<ReturnType<typeof process>>

const fleet = (ids: ReadonlyArray<string>, options: RetryBudget.Options) =>
  Effect.gen(function* () {
    const engine = yield* MemoryEngine.make()
    const all = yield* Effect.forEach(ids, (id) => process(engine, id, options))
    // Each has heard of the others.
    yield* Effect.sleep("1 second")
    return all as [Process, Process, Process, ...Array<Process>]
  })

describe("a retry budget over an engine", () => {
  it.effect("what one process is allowed however few requests come is all processes' together", () =>
    simulate(
      Effect.scoped(
        Effect.gen(function* () {
          const all = yield* fleet(["a", "b", "c"], { share: 0.5, perSecond: 1 })
          assert.deepStrictEqual(
            all.map(({ balance }) => balance()),
            [3.334, 3.333, 3.333]
          )
          all[0].requests(10)
          assert.strictEqual(all[0].retries(20), 8)
          assert.strictEqual(all[1].retries(20), 3)
        })
      )
    )
  )

  it.effect("who has run out is lent by those that have more than they need, within half a second", () =>
    simulate(
      Effect.scoped(
        Effect.gen(function* () {
          const [a, b, c] = yield* fleet(["a", "b", "c"], { share: 0.2, perSecond: 3 })
          assert.strictEqual(a.retries(30), 10)
          yield* Effect.sleep(600)
          const lent = a.retries(30)
          assert.isAbove(lent, 5)
          assert.closeTo(b.balance() + c.balance() + a.balance(), 30 - 10 - lent, 1e-9)
          yield* Effect.sleep("11 seconds")
          assert.closeTo(a.balance() + b.balance() + c.balance(), 30, 1e-9)
        })
      )
    )
  )

  it.effect("without the engine each has its own requests' share, and its part of the rest", () =>
    simulate(
      Effect.scoped(
        Effect.gen(function* () {
          const [a, b] = yield* fleet(["a", "b"], { share: 0.2, perSecond: 2 })
          for (const { state } of [a, b]) state.isAway = true
          yield* Effect.sleep("1 second")
          assert.strictEqual(a.retries(30), 10)
          yield* Effect.sleep("1 second")
          assert.strictEqual(a.retries(30), 0)
          a.requests(10)
          assert.strictEqual(a.retries(30), 2)
          assert.strictEqual(b.retries(30), 10)
        })
      )
    )
  )

  it.effect("whatever fails and whenever, all together never make more than one process with all requests would", () =>
    simulate(
      Effect.gen(function* () {
        for (let seed = 1; seed <= cases(60); seed++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const dice = new Dice(seed)
              const all = yield* fleet(["a", "b", "c"], { share: 0.5, perSecond: 1, window: "1 hour" })
              let [requests, retries] = [0, 0]
              for (let step = 0; step < 60; step++) {
                const by = dice.pick(all)
                const count = dice.below(12)
                if (dice.roll() < 0.3) {
                  by.requests(count)
                  requests += count
                } else retries += by.retries(count * 100)
                const isAway = dice.roll() < 0.1
                for (const { state } of all) state.isAway = isAway
                yield* Effect.sleep(dice.pick([0, 100, 250, 500]))
                assert.isAtMost(retries, requests * 0.5 + 3_600, `seed ${seed}, step ${step}`)
              }
              assert.isAbove(retries, 1_200, "also what others lent was used")
            })
          )
        }
      })
    )
  )
})
