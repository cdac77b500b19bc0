/** Money over two gateways on one store whose machines disagree about the time. */
import { assert, describe, it } from "@effect/vitest"
import { Dice } from "@switchyard/testing/Dice"
import { cases } from "@switchyard/testing/Effort"
import { Cause, Clock, Effect } from "effect"
import { gateway, memoryStore, timed } from "./support.js"

const minute = 60_000
const usd = 1_000_000_000

/** A gateway whose wall clock is ahead of the test's. */
const ahead = (ms: number, store: ReturnType<typeof memoryStore>) =>
  Effect.flatMap(Effect.clock, (clock) =>
    Effect.withClock(gateway(store), {
      ...clock,
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() + ms,
      currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + ms)
    } as Clock.Clock)
  )

describe("clocks that differ by minutes", () => {
  it.effect(
    "let two gateways overspend one window by a call of each, and by one lease that seems to have expired",
    () =>
      Effect.forEach(
        Array.from({ length: cases(60) }, (_, seed) => seed),
        (seed) =>
          timed(({ pass, wall }) =>
            Effect.gen(function* () {
              wall.ahead = 400 * 86_400_000
              const dice = new Dice(seed)
              const limit = 1
              const most = dice.pick([0.005, 0.02, 0.1])
              const length = 30 * 86_400_000
              const store = memoryStore()
              const apart = dice.pick([-10, -2, 0.5, 2, 10]) * minute
              const both = [yield* gateway(store), yield* ahead(apart, store)] as const
              const running: Array<{ readonly amount: number; readonly end: () => void }> = []
              // The largest lease that was open at once: the calls of one gateway, and what it is lent beyond them.
              let largest = 0
              for (let step = 0; step < 150; step++) {
                const one = dice.pick(both)
                if (dice.roll() < 0.7) {
                  const amount = most * (0.5 + dice.roll() / 2)
                  const window = one.window("k", length)
                  const reservation = yield* one.reserve(window, amount, limit)
                  if (reservation !== undefined)
                    running.push({ amount, end: () => reservation.settle(amount, one.now()) })
                  const held = running.reduce((sum, call) => sum + call.amount, 0)
                  largest = Math.max(largest, held + Math.max(0.01 * limit, most))
                } else if (dice.pick([true, true, false])) running.splice(dice.below(running.length), 1)[0]?.end()
                else yield* pass(dice.pick([100, 1_000, 20_000]))
              }
              for (const { end } of running) end()
              yield* pass(3_000)
              yield* Effect.all(both.map(({ close }) => close))
              const total = both.flatMap(({ journal }) => journal).reduce((sum, { cost }) => sum + cost, 0)
              assert.strictEqual(store.spentOf({ scope: "caller", key: "k", length }), total)
              assert.isAtMost(total / usd, limit + 2 * most + (Math.abs(apart) < minute ? 0 : largest))
            })
          ).pipe(Effect.catchAllCause((cause) => Effect.die(new Error(`seed ${seed}: ${Cause.pretty(cause)}`))))
      )
  )
})
