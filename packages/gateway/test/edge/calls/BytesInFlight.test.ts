import { assert, describe, it } from "@effect/vitest"
import { type Clock, Effect, TestClock } from "effect"
import { BytesInFlight } from "../../../src/edge/calls/bytesInFlight.js"

const max = 100_000

const scene = Effect.map(Effect.clock, (clock: Clock.Clock) => {
  const bytes = new BytesInFlight(max, clock)
  return { bytes, enter: (name: string | undefined) => bytes.enter({ name }) }
})

describe("bytes in flight", () => {
  it.effect("a lone key may have all of them, and not a byte more", () =>
    Effect.gen(function* () {
      const { bytes, enter } = yield* scene
      const one = enter("a")
      const two = enter("a")
      assert.isUndefined(one.grow(60_000))
      assert.isUndefined(two.grow(40_000))
      assert.deepInclude(two.grow(1), { status: 503, code: "overloaded", retryAfter: 1000 })
      assert.strictEqual(bytes.bytes, max)
    })
  )

  it.effect("what a request held is free once it is over, told once or twice", () =>
    Effect.gen(function* () {
      const { bytes, enter } = yield* scene
      const one = enter("a")
      one.grow(60_000)
      one.grow(40_000)
      const two = enter(undefined)
      assert.isDefined(two.grow(10))
      one.release()
      assert.isUndefined(two.grow(10))
      two.release()
      two.release()
      assert.strictEqual(bytes.bytes, 0)
    })
  )

  it.effect("a key gets no more than a quarter while another one has some", () =>
    Effect.gen(function* () {
      const { enter } = yield* scene
      const a = enter("a")
      const b = enter("b")
      assert.isUndefined(a.grow(20_000))
      assert.isUndefined(b.grow(10_000))
      assert.isUndefined(a.grow(5_000))
      assert.isDefined(a.grow(1))
      assert.isUndefined(b.grow(15_000))
      assert.isDefined(b.grow(1))
      b.release()
    })
  )

  it.effect("a key that was turned away counts as waiting for some seconds", () =>
    Effect.gen(function* () {
      const { enter } = yield* scene
      const first = enter("a")
      const second = enter("a")
      first.grow(50_000)
      second.grow(50_000)
      const b = enter("b")
      assert.isDefined(b.grow(20_000))
      b.release()
      first.release()
      const third = enter("a")
      assert.isUndefined(third.grow(1))
      assert.isDefined(third.grow(20_000))
      assert.isUndefined(enter("b").grow(20_000))
      third.release()
    })
  )

  it.effect("and then no more", () =>
    Effect.gen(function* () {
      const { enter } = yield* scene
      const a = enter("a")
      a.grow(max)
      const b = enter("b")
      b.grow(20_000)
      b.release()
      a.release()
      yield* TestClock.adjust("6 seconds")
      const again = enter("a")
      again.grow(10)
      assert.isUndefined(again.grow(90_000))
    })
  )

  it.effect("the first bytes of a request are taken however much its key has", () =>
    Effect.gen(function* () {
      const { enter } = yield* scene
      enter("b").grow(1_000)
      enter("a").grow(25_000)
      const small = enter("a")
      assert.isUndefined(small.grow(20))
      assert.isDefined(small.grow(20))
    })
  )
})
