import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Router from "@switchyard/router/Router"
import { anyOpen, layer, lowest, RoutingStrategy, uniform } from "@switchyard/router/RoutingStrategy"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Cause, Effect, Random } from "effect"
import { candidatesOf, chiSquare, chiSquareLimit, plainSlots, seeded } from "./strategies/support.js"

describe("lowest", () => {
  const pick = (scores: ReadonlyArray<number | undefined>, closed: ReadonlyArray<number> = []): number => {
    const slots = plainSlots(scores.length)
    const candidates = candidatesOf(slots, { isClosed: (slot) => closed.includes(slots.indexOf(slot)) })
    return lowest(candidates, seeded("lowest"), (_, index) => scores[index])
  }

  it("is the open candidate with the lowest score", () => {
    assert.strictEqual(pick([3, 1, 2]), 1)
    assert.strictEqual(pick([3, 1, 2], [1]), 2)
    assert.strictEqual(pick([0, -1, Number.NEGATIVE_INFINITY]), 2)
  })

  it("counts a score that nobody knows, or that is no number, as worst", () => {
    assert.strictEqual(pick([undefined, Number.NaN, 1e308]), 2)
    assert.strictEqual(pick([Number.NaN, undefined], [1]), 0)
    assert.strictEqual(pick([undefined, Number.NaN], [0]), 1)
  })

  it("is -1 among none and among closed ones", () => {
    assert.strictEqual(pick([]), -1)
    assert.strictEqual(pick([1, 2], [0, 1]), -1)
  })

  it("breaks ties evenly, wherever the equal ones stand", () => {
    const slots = plainSlots(8)
    const scores = [2, 1, 3, 1, 1, 2, 1, 1]
    const random = seeded("ties")
    const counts = slots.map(() => 0)
    for (let i = 0; i < 20_000; i++) {
      const index = lowest(candidatesOf(slots), random, (_, at) => scores[at])
      counts[index] = (counts[index] ?? 0) + 1
    }
    const shares = scores.map((score) => (score === 1 ? 1 : 0))
    assert.isBelow(chiSquare(counts, shares), chiSquareLimit(5), String(counts))
  })

  it("asks for the status only of candidates that could win", () => {
    let asked = 0
    const candidates = candidatesOf(plainSlots(100), { onStatus: () => asked++ })
    assert.strictEqual(
      lowest(candidates, seeded("lazy"), (_, index) => index),
      0
    )
    assert.strictEqual(asked, 1)
  })
})

describe("anyOpen", () => {
  it("is each open candidate equally often", () => {
    const random = seeded("any")
    const candidates = candidatesOf(plainSlots(5), { isClosed: (slot) => slot.id === "d2" })
    const counts = [0, 0, 0, 0, 0]
    for (let i = 0; i < 10_000; i++) {
      const index = anyOpen(candidates, random)
      counts[index] = (counts[index] ?? 0) + 1
    }
    assert.isBelow(chiSquare(counts, [1, 1, 0, 1, 1]), chiSquareLimit(4), String(counts))
  })
})

describe("a strategy's random numbers", () => {
  it.effect("come from Effect's Random when the layer is built: the same seed, the same choices", () =>
    Effect.gen(function* () {
      const draw = (seed: string) =>
        Effect.map(uniform, (random) => Array.from({ length: 20 }, random)).pipe(Effect.withRandom(Random.make(seed)))
      assert.deepStrictEqual(yield* draw("one"), yield* draw("one"))
      assert.notDeepEqual(yield* draw("one"), yield* draw("two"))
      const numbers = yield* draw("three")
      assert.isTrue(numbers.every((number) => number >= 0 && number < 1))
    })
  )

  it.effect("are handed to a custom strategy by layerWith", () =>
    Effect.gen(function* () {
      const strategy = yield* RoutingStrategy
      assert.strictEqual(strategy.select(candidatesOf(plainSlots(4))), 3)
    }).pipe(Effect.provide(layer((random) => ({ name: "last", select: ({ size }) => (random() < 1 ? size - 1 : 0) }))))
  )
})

describe("a strategy that is wrong", () => {
  it.effect("is told by its own name, also where each group has its own", () =>
    Effect.gen(function* () {
      const First = layer(() => ({ name: "First", select: () => 7 }))
      const { service } = yield* Router.make(
        { deployments: [{ id: "a", group: "m", model: "m" }], groupStrategies: { m: First } },
        StubLlm.make().attempts
      )
      const request = LlmRequest.chat({ model: "m", messages: [] })
      const cause = yield* Effect.sandbox(LlmService.complete(service, request)).pipe(Effect.flip)
      assert.include(Cause.pretty(cause), "strategy First: chose 7 of 1 candidates")
    }).pipe(Effect.scoped)
  )
})
