import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import * as Supervisor from "../../src/serve/supervisor.js"

type Event = string

/** Workers that do as they are told. */
const scene = (count: number) => {
  const events: Array<Event> = []
  const begun: Array<{
    readonly index: number
    readonly serve: Effect.Effect<void>
    readonly refuse: (why: string) => Effect.Effect<void>
    readonly end: (code: number) => Effect.Effect<void>
  }> = []
  const begin = (index: number): Effect.Effect<Supervisor.Worker<number>> =>
    Effect.gen(function* () {
      const ready = yield* Deferred.make<number, string>()
      const ended = yield* Deferred.make<Supervisor.Ended>()
      const pid = begun.length
      events.push(`begin ${index} as ${pid}`)
      const end = (code: number) => Effect.asVoid(Deferred.succeed(ended, { code, signal: null }))
      begun.push({
        index,
        serve: Effect.asVoid(Deferred.succeed(ready, pid)),
        refuse: (why) => Effect.asVoid(Deferred.fail(ready, why)),
        end
      })
      const word = (name: string) => Effect.sync(() => void events.push(`${name} ${pid}`))
      return {
        pid,
        ready: Deferred.await(ready),
        ended: Deferred.await(ended),
        retire: Effect.zipRight(word("retire"), end(0)),
        stop: Effect.zipRight(word("stop"), end(0)),
        kill: Effect.zipRight(word("kill"), end(137))
      }
    })
  const told: Supervisor.Told = {
    ready: () => {},
    ended: (index, { pid }, { code }, pause) =>
      void events.push(`${index} ended as ${pid} with ${code}, next in ${pause}`)
  }
  const options = { count, begin, told, stopWithin: 1_000, retireWithin: 1_000 }
  const at = (index: number) => begun[index] ?? assert.fail(`nothing was begun as ${index}`)
  return { events, at, options, count: () => begun.length }
}

const settle = Effect.zipRight(Effect.yieldNow(), TestClock.adjust(1))

describe("workers that are kept", () => {
  it.scoped("the others begin when the first one serves; one that ends is begun anew", () =>
    Effect.gen(function* () {
      const { at, events, options } = scene(2)
      const supervisor = yield* Supervisor.make(options)
      yield* settle
      assert.deepStrictEqual(events, ["begin 0 as 0"])
      yield* at(0).serve
      yield* settle
      assert.strictEqual(yield* supervisor.ready, 0)
      yield* at(1).serve
      yield* settle
      assert.lengthOf(supervisor.serving(), 2)
      yield* at(1).end(1)
      yield* settle
      assert.lengthOf(supervisor.serving(), 1)
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(events, [
        "begin 0 as 0",
        "begin 1 as 1",
        "1 ended as 1 with 1, next in 100",
        "begin 1 as 2"
      ])
    })
  )
  it.scoped("what the first one says it can't do is told, and nobody is begun anew for it", () =>
    Effect.gen(function* () {
      const { at, options } = scene(3)
      const supervisor = yield* Supervisor.make(options)
      yield* settle
      yield* at(0).refuse("no such folder")
      assert.strictEqual((yield* Effect.flip(supervisor.ready)).message, "no such folder")
    })
  )
  it.scoped("those that end soon wait ever longer, and six in a row end it, but not while another serves", () =>
    Effect.gen(function* () {
      const { at, count, events, options } = scene(2)
      const supervisor = yield* Supervisor.make(options)
      yield* settle
      yield* at(0).serve
      yield* settle
      for (let end = 1; end <= 7; end++) {
        yield* at(count() - 1).end(9)
        yield* settle
        yield* TestClock.adjust(Number(/next in (\d+)/.exec(events.at(-1) ?? "")?.[1] ?? 0))
      }
      const pauses = events.flatMap((event) => /next in (\d+)/.exec(event)?.[1] ?? [])
      assert.deepStrictEqual(pauses, ["100", "200", "400", "800", "1600", "3200", "5000"])
      const lasting = yield* Effect.fork(Effect.flip(supervisor.lasting))
      yield* at(0).end(9)
      const { message } = yield* Fiber.join(lasting)
      assert.strictEqual(message, "workers end as soon as they begin (8 times in a row, the last with exit code 9)")
    })
  )
  it.scoped("one that has served for long is no crash loop", () =>
    Effect.gen(function* () {
      const { at, events, options } = scene(1)
      yield* Supervisor.make(options)
      for (let life = 0; life < 8; life++) {
        yield* settle
        yield* at(life).serve
        yield* TestClock.adjust("31 seconds")
        yield* at(life).end(1)
        yield* settle
        yield* TestClock.adjust("100 millis")
      }
      assert.deepStrictEqual(
        new Set(events.flatMap((event) => /next in \d+/.exec(event) ?? []).map(String)),
        new Set(["next in 100"])
      )
    })
  )
  it.scoped("all are replaced one by one, each when the new one serves; a new one that can't leaves the old ones", () =>
    Effect.gen(function* () {
      const { at, events, options } = scene(2)
      const supervisor = yield* Supervisor.make(options)
      for (const index of [0, 1]) {
        yield* settle
        yield* at(index).serve
      }
      yield* settle
      const replacing = yield* Effect.fork(supervisor.replaced)
      for (const index of [2, 3]) {
        yield* settle
        yield* at(index).serve
      }
      assert.isTrue(yield* Fiber.join(replacing))
      const expected = ["begin 0 as 0", "begin 1 as 1", "begin 0 as 2", "retire 0", "begin 1 as 3", "retire 1"]
      assert.deepStrictEqual(events, expected)
      const failing = yield* Effect.fork(supervisor.replaced)
      yield* settle
      yield* at(4).refuse("no memory")
      assert.isFalse(yield* Fiber.join(failing))
      assert.deepStrictEqual(events.slice(6), ["begin 0 as 4", "kill 4"])
      assert.deepStrictEqual(
        supervisor.serving().map(({ pid }) => pid),
        [2, 3]
      )
    })
  )
  it.effect("the end of the scope stops all, and kills those that do not stop in time", () =>
    Effect.gen(function* () {
      const { at, events, options } = scene(2)
      const stubborn = {
        ...options,
        begin: (index: number) =>
          Effect.map(options.begin(index), (worker) => (index === 0 ? { ...worker, stop: Effect.void } : worker))
      }
      const ending = yield* Effect.fork(
        Effect.scoped(
          Effect.gen(function* () {
            yield* Supervisor.make(stubborn)
            for (const index of [0, 1]) {
              yield* settle
              yield* at(index).serve
            }
            yield* settle
          })
        )
      )
      const passing = Effect.forever(Effect.zipRight(Effect.yieldNow(), TestClock.adjust("200 millis")))
      yield* Effect.raceFirst(Fiber.join(ending), passing)
      assert.deepStrictEqual(events.slice(2), ["stop 1", "kill 0"])
    })
  )
})
