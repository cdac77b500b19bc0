/** Money over two gateways whose store answers, but later than a call waits for it. */
import { assert, describe, it } from "@effect/vitest"
import type { Reservation } from "@switchyard/router/SpendWindows"
import { Dice } from "@switchyard/testing/Dice"
import { cases } from "@switchyard/testing/Effort"
import { Cause, Effect, Fiber } from "effect"
import { gateway, memoryStore, type TestGateway, type Time, timed } from "./support.js"

const day = 86_400_000
const usd = 1_000_000_000

const reserve = ({ pass }: Time, one: TestGateway, estimate: number, limit: number) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(one.reserve(one.window("k", day), estimate, limit))
    yield* pass(0)
    while (fiber.unsafePoll() === null) yield* pass(5)
    return yield* Fiber.join(fiber)
  })

const settled = (both: ReadonlyArray<TestGateway>): number =>
  both.flatMap(({ journal }) => journal).reduce((sum, { cost }) => sum + cost, 0) / usd

/** The same random schedules in each run; one that fails tells its seed. */
const schedules = (count: number, body: (dice: Dice, time: Time) => Effect.Effect<void, unknown>) =>
  Effect.forEach(Array.from({ length: cases(count) }), (_, seed) =>
    timed((time) => body(new Dice(seed), time)).pipe(
      Effect.catchAllCause((cause) => Effect.die(new Error(`seed ${seed}: ${Cause.pretty(cause)}`)))
    )
  )

/** By how much the knowledge of a gateway may overspend: its part of what was left, by the last answer that reached it. */
const mayGoOn = ({ control: { told } }: TestGateway, limit: number): number =>
  told === undefined
    ? Number.NaN
    : Math.max(0, limit - (told.spent + told.leasedByOthers + told.granted) / usd) / (1 + (told.sharers ?? 0))

describe("a store whose answers come later than a call waits for them", () => {
  it.effect("lets calls of two gateways, one after the other, pass a budget by no more than a call of each", () =>
    schedules(60, (dice, time) =>
      Effect.gen(function* () {
        const store = memoryStore()
        const both = [yield* gateway(store), yield* gateway(store)] as const
        let refused = 0
        for (let i = 0; refused < 4; i++) {
          const one = both[i % 2 === 0 ? 0 : 1]
          // Two of them make an answer: of what was settled, and of the lease.
          for (const { control } of both) control.mood = 1 + dice.below(150)
          const reservation = yield* reserve(time, one, 5, 50)
          yield* time.pass(10 + dice.below(60))
          reservation?.settle(7, one.now())
          refused = reservation === undefined ? refused + 1 : 0
          if (reservation === undefined) yield* time.pass(500)
        }
        assert.isAtLeast(settled(both), 50)
        assert.isAtMost(settled(both), 50 + 2 * 7)
      })
    )
  )

  it.effect("lets each go on by its part of what was left at the last answer, and a call", () =>
    schedules(80, (dice, time) =>
      Effect.gen(function* () {
        const limit = 1
        const most = dice.pick([0.005, 0.02, 0.1])
        // One that is asked for anew may still be spent as it was.
        const lease = Math.max(0.01 * limit, most)
        const slowest = dice.pick([90, 200, 600, 2_000])
        const store = memoryStore()
        const both = [yield* gateway(store), yield* gateway(store)] as const
        // What nobody has asked for nobody knows: each has its first answer.
        for (const one of both) (yield* reserve(time, one, most, limit))?.settle(0, one.now())
        let running: Array<{ readonly amount: number; readonly reservation: Reservation; readonly one: TestGateway }> =
          []
        for (let step = 0; step < 120; step++) {
          const one = dice.pick(both)
          if (dice.roll() < 0.7) {
            for (const { control } of both) control.mood = 1 + dice.below(slowest)
            const amount = most * (0.5 + dice.roll() / 2)
            const reservation = yield* reserve(time, one, amount, limit)
            yield* time.pass(dice.pick([0, 5, 50]))
            if (reservation !== undefined) running.push({ amount, reservation, one })
            const all = settled(both) + running.reduce((sum, call) => sum + call.amount, 0)
            const stale = Math.max(...both.map((each) => mayGoOn(each, limit)))
            assert.isAtMost(all, limit + stale + 2 * most + lease, `${all} of ${limit}, ${stale} by old answers`)
          } else if (dice.pick([true, true, false])) {
            const [over] = running.splice(dice.below(running.length), 1)
            over?.reservation.settle(over.amount, over.one.now())
          } else yield* time.pass(dice.pick([100, 1_000, 7_000]))
        }
        for (const { amount, one, reservation } of running) reservation.settle(amount, one.now())
        running = []
        for (const { control } of both) control.mood = "up"
        yield* Effect.all(both.map(({ close }) => close))
        assert.strictEqual(store.spentOf({ scope: "caller", key: "k", length: day }) / usd, settled(both))
      })
    )
  )
})
