import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as HeldSpend from "../../src/money/HeldSpend.js"
import { LocalSpendWindow, type SpendWindow } from "../../src/money/SpendWindows.js"

const day = { limit: 10, window: "1 day" } as const
const bounds = (["caller", "team"] as const).map((scope) => ({ scope, key: "a", limit: day }))

/** Windows that have nothing to spend until whoever keeps them was asked for it. */
const leased = () => {
  const asked: Array<readonly [number, number]> = []
  class Leased extends LocalSpendWindow implements SpendWindow {
    private lease = 0
    readonly prepare = (estimate: number, limit: number) => {
      asked.push([estimate, limit])
      return Effect.sync(() => {
        this.lease = estimate
      })
    }
    protected override mayTake(estimate: number): boolean {
      return this.lease >= estimate
    }
  }
  const made = new Map<string, SpendWindow>()
  const window = (scope: string, key: string, length: number) => {
    const name = `${scope} ${key}`
    const known = made.get(name) ?? new Leased(length)
    made.set(name, known)
    return known
  }
  return { asked, windows: { window } }
}

describe("money that is set aside for a batch", () => {
  it.effect("waits for what others share of each of its windows, and is then set aside in all", () =>
    Effect.gen(function* () {
      const { asked, windows } = leased()
      assert.isTrue("exceeded" in HeldSpend.reserve(windows, bounds, 4, 0))
      const wait = HeldSpend.prepare(windows, bounds, 4, 0)
      assert.isDefined(wait)
      yield* wait ?? Effect.void
      assert.deepStrictEqual(asked, [
        [4, 10],
        [4, 10]
      ])
      const held = HeldSpend.reserve(windows, bounds, 4, 0)
      assert.isFalse("exceeded" in held)
      assert.strictEqual(windows.window("team", "a", 1).used(0), 4)
    })
  )

  it("waits for nothing where windows are this process's own", () => {
    const windows = { window: (_: string, __: string, length: number) => new LocalSpendWindow(length) }
    assert.isUndefined(HeldSpend.prepare(windows, bounds, 4, 0))
  })
})
