import { assert, it } from "@effect/vitest"
import { uniform } from "@switchyard/core/Dice"
import { Effect, Random } from "effect"

const rolls = (seed: string) =>
  Effect.map(Effect.withRandom(uniform, Random.make(seed)), (roll) => Array.from({ length: 50 }, roll))

it.effect("the same seed gives the same numbers in [0, 1), another seed others", () =>
  Effect.gen(function* () {
    const first = yield* rolls("a")
    assert.deepStrictEqual(yield* rolls("a"), first)
    assert.notDeepEqual(yield* rolls("b"), first)
    assert.isTrue(first.every((roll) => roll >= 0 && roll < 1))
    assert.isAbove(new Set(first).size, 40)
  })
)
