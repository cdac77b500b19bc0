import { assert, describe, it } from "@effect/vitest"
import { cases } from "@switchyard/testing/Effort"
import { Effect, FastCheck as fc, Layer } from "effect"
import * as RetryBudget from "../../src/retry/RetryBudget.js"

const drained = (budget: ReturnType<typeof RetryBudget.make>, now: number): number => {
  let taken = 0
  while (budget.withdraw(now)) taken++
  return taken
}

describe("the retry budget", () => {
  it("allows 10 a second at rest, over a window of 10 s", () => {
    const budget = RetryBudget.make()
    assert.strictEqual(budget.balance(0), 100)
    assert.strictEqual(drained(budget, 0), 100)
    assert.isFalse(budget.withdraw(9_999))
    assert.strictEqual(drained(budget, 10_000), 100)
  })
  it("adds one retry for every five requests", () => {
    const budget = RetryBudget.make({ perSecond: 0 })
    for (let i = 0; i < 4; i++) budget.deposit(0)
    assert.isFalse(budget.withdraw(0))
    budget.deposit(0)
    assert.isTrue(budget.withdraw(0))
    assert.isFalse(budget.withdraw(0))
    for (let i = 0; i < 1000; i++) budget.deposit(1)
    assert.strictEqual(drained(budget, 2), 200)
  })
  it("forgets what requests deposited after the window", () => {
    const budget = RetryBudget.make({ perSecond: 0 })
    for (let i = 0; i < 100; i++) budget.deposit(500)
    assert.strictEqual(budget.balance(9_999), 20)
    assert.strictEqual(budget.balance(10_000), 0)
  })
  it("forgets withdrawals too: an idle hour makes it no richer and no poorer", () => {
    const budget = RetryBudget.make()
    drained(budget, 0)
    assert.strictEqual(budget.balance(3_600_000), 100)
  })
  it("takes other figures", () => {
    const budget = RetryBudget.make({ share: 0.5, perSecond: 2, window: "5 seconds" })
    assert.strictEqual(budget.balance(0), 10)
    budget.deposit(0)
    assert.strictEqual(budget.balance(0), 10.5)
    assert.strictEqual(RetryBudget.make({ share: 0, perSecond: 0 }).withdraw(0), false)
  })
  it("of none at all is one that never runs out", () => {
    RetryBudget.unlimited.deposit(0)
    assert.isTrue(RetryBudget.unlimited.withdraw(0))
    assert.strictEqual(RetryBudget.unlimited.balance(0), Number.POSITIVE_INFINITY)
  })
  it("never lets a window see more retries than its reserve and its requests pay for", () => {
    const step = fc.record({ after: fc.nat(1_500), deposits: fc.nat(12), tries: fc.nat(8) })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 0, max: 3 }),
        fc.constantFrom(0, 0.2, 0.5, 1),
        (steps, perSecond, share) => {
          const budget = RetryBudget.make({ perSecond, share })
          const deposits: Array<number> = []
          const taken: Array<number> = []
          let now = 0
          for (const { after, deposits: more, tries } of steps) {
            now += after
            for (let i = 0; i < more; i++) {
              budget.deposit(now)
              deposits.push(now)
            }
            for (let i = 0; i < tries; i++) {
              if (!budget.withdraw(now)) continue
              taken.push(now)
              // The window moves in ten steps: what counts now is nine to ten seconds old at most.
              const paid = deposits.filter((at) => at > now - 10_000).length * share
              assert.isAtMost(taken.filter((at) => at > now - 9_000).length, perSecond * 10 + paid + 1e-9)
            }
            assert.isAtLeast(budget.balance(now), 0)
          }
        }
      ),
      { numRuns: cases(3000), seed: 20261103 }
    )
  })
  it.effect("reports every wrong figure of a configuration", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Layer.build(RetryBudget.layerMemoryWith({ share: -1, perSecond: Number.NaN, window: 0 }))
      )
      assert.deepStrictEqual(
        error.issues.map((issue) => issue.path),
        ["retryBudget.share", "retryBudget.perSecond", "retryBudget.window"]
      )
    }).pipe(Effect.scoped)
  )
})
