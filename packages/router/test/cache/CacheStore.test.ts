import { assert, describe, it } from "@effect/vitest"
import * as CacheStore from "@switchyard/router/CacheStore"
import { Effect, Either, Layer, TestClock, Utils } from "effect"

const answer = (raw: string): CacheStore.CacheEntry => ({ _tag: "Complete", status: 200, headers: {}, raw })

describe("CacheStore", () => {
  it.effect("gives back what was set, until its time is over", () =>
    Effect.gen(function* () {
      const store = CacheStore.make()
      yield* store.set("a", answer("1"), 100)
      assert.deepStrictEqual(yield* store.get("a"), answer("1"))
      assert.isUndefined(yield* store.get("b"))
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(yield* store.get("a"), answer("1"))
      yield* TestClock.adjust(1)
      assert.isUndefined(yield* store.get("a"))
    })
  )
  it.effect("a later entry takes the place and the time of an earlier one", () =>
    Effect.gen(function* () {
      const store = CacheStore.make()
      yield* store.set("a", answer("1"), 100)
      yield* TestClock.adjust(90)
      yield* store.set("a", answer("2"), 100)
      yield* TestClock.adjust(90)
      assert.deepStrictEqual(yield* store.get("a"), answer("2"))
    })
  )
  it.effect("an entry may be kept for ever", () =>
    Effect.gen(function* () {
      const store = CacheStore.make()
      yield* store.set("a", answer("1"), Number.POSITIVE_INFINITY)
      yield* TestClock.adjust("1000 days")
      assert.isDefined(yield* store.get("a"))
    })
  )
  it.effect("when it is full the least recently used entries go", () =>
    Effect.gen(function* () {
      const store = CacheStore.make({ maxBytes: 3_000 })
      for (const key of ["a", "b"]) yield* store.set(key, answer("x".repeat(1_000)), 1_000)
      yield* store.get("a")
      yield* store.set("c", answer("x".repeat(1_000)), 1_000)
      assert.isUndefined(yield* store.get("b"))
      assert.isDefined(yield* store.get("a"))
      assert.isDefined(yield* store.get("c"))
    })
  )
  it.effect("an entry larger than the store is not kept, and drives nothing out", () =>
    Effect.gen(function* () {
      const store = CacheStore.make({ maxBytes: 2_000 })
      yield* store.set("a", answer("x"), 1_000)
      yield* store.set("b", answer("x".repeat(3_000)), 1_000)
      assert.isDefined(yield* store.get("a"))
      assert.isUndefined(yield* store.get("b"))
    })
  )
  const events = ["x".repeat(700), "x".repeat(700)]
  const large: ReadonlyArray<readonly [what: string, key: string, entry: CacheStore.CacheEntry]> = [
    ["keys", "k".repeat(1_700), answer("1")],
    ["wide characters, two bytes each,", "k", answer("四".repeat(850))],
    ["the events of a stream", "k", { _tag: "Streaming", status: 200, headers: {}, events }],
    ["errors", "k", { _tag: "Failed", error: { reason: "InvalidRequest", description: "x".repeat(1_700) } }]
  ]
  for (const [what, key, entry] of large) {
    it.effect(`${what} count`, () =>
      Effect.gen(function* () {
        const store = CacheStore.make({ maxBytes: 3_000 })
        yield* store.set("first", answer("x".repeat(1_200)), 1_000)
        yield* store.set(key, entry, 1_000)
        assert.isUndefined(yield* store.get("first"))
        assert.deepStrictEqual(yield* store.get(key), entry)
      })
    )
  }
  it.effect("whatever is set, what is kept fits in the bound", () =>
    Effect.gen(function* () {
      const random = new Utils.PCGRandom(7)
      const store = CacheStore.make({ maxBytes: 20_000 })
      const keys = Array.from({ length: 50 }, (_, i) => `key ${i}`)
      for (let i = 0; i < 2_000; i++) {
        const key = keys[random.integer(keys.length)] ?? ""
        yield* store.set(key, answer("x".repeat(random.integer(3_000))), 1 + random.integer(100))
        if (i % 50 !== 49) continue
        let sum = 0
        for (const each of keys) {
          const entry = yield* store.get(each)
          if (entry?._tag === "Complete") sum += each.length + entry.raw.length
        }
        assert.isAtMost(sum, 20_000, "seed 7")
        assert.isAbove(sum, 5_000, "seed 7")
      }
    })
  )
  it.effect("a bound that is no whole number of bytes is a configuration error", () =>
    Effect.gen(function* () {
      const built = yield* Effect.either(Effect.scoped(Layer.build(CacheStore.layerMemoryWith({ maxBytes: 0.5 }))))
      assert.deepStrictEqual(Either.isLeft(built) ? built.left.issues.map((found) => found.path) : [], [
        "cacheStore.maxBytes"
      ])
    })
  )
})
