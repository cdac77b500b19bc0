import { assert, describe, it } from "@effect/vitest"
import { make as makeWindows, type Reservation, type SpendWindow } from "@switchyard/router/SpendWindows"
import { cases } from "@switchyard/testing/Effort"
import { Utils } from "effect"

const windowOf = (length = 1_000): SpendWindow => makeWindows().window("caller", "alice", length, 0)

const take = (window: SpendWindow, estimate: number, limit: number, now: number): Reservation =>
  window.reserve(estimate, limit, now) ?? assert.fail(`${estimate} does not fit`)

describe("one window", () => {
  it("calls in flight together cannot reserve more than the limit, and its last cent is usable", () => {
    const window = windowOf()
    for (let i = 0; i < 10; i++) take(window, 0.1, 1, 0)
    assert.isUndefined(window.reserve(0.1, 1, 0))
    assert.closeTo(window.used(0), 1, 1e-9)
  })
  it("a settled call counts what it cost in place of its estimate", () => {
    const window = windowOf()
    take(window, 0.9, 1, 0).settle(0.2, 1)
    assert.strictEqual(window.used(1), 0.2)
    take(window, 0.8, 1, 1)
    assert.isUndefined(window.reserve(0.1, 1, 1))
  })
  it("a reservation is settled once", () => {
    const window = windowOf()
    const reservation = take(window, 0.5, 1, 0)
    reservation.settle(0.2, 1)
    reservation.settle(0.2, 1)
    assert.strictEqual(window.used(1), 0.2)
    assert.isFalse(window.isHeld)
  })
  it("the only call in flight fits while anything is left, and holds the rest", () => {
    const window = windowOf()
    take(window, 5, 1, 0).settle(0.9, 0)
    const last = take(window, 5, 1, 0)
    assert.strictEqual(window.used(0), 1)
    assert.isUndefined(window.reserve(0, 1, 0))
    last.settle(0.1, 0)
    assert.isUndefined(window.reserve(0, 1, 0))
  })
  it("a further attempt is covered where it fits, else only where no other is in flight and something is left", () => {
    const window = windowOf()
    const first = take(window, 0.4, 1, 0)
    assert.isTrue(first.cover(0.8, undefined, 1, 0))
    assert.closeTo(window.used(0), 0.8, 1e-9)
    assert.isFalse(first.cover(1.2, undefined, 1, 0))
    assert.isTrue(first.cover(1.2, 0.8, 1, 0))
    assert.closeTo(window.used(0), 1, 1e-9)
    first.settle(0.1, 0)
    const second = take(window, 0.4, 1, 0)
    take(window, 0.4, 1, 0)
    assert.isFalse(second.cover(0.8, 0, 1, 0))
    second.settle(0, 0)
    assert.isTrue(second.cover(9, undefined, 1, 0))
    assert.closeTo(window.used(0), 0.5, 1e-9)
  })
  it("a limit of 0 lets nothing through, not even what is free", () => {
    assert.isUndefined(windowOf().reserve(0, 0, 0))
  })
  it("an overshoot blocks until the window ends, also what is free", () => {
    const window = windowOf()
    take(window, 0.5, 1, 0).settle(3, 0)
    assert.isUndefined(window.reserve(0, 1, 999))
    assert.strictEqual(window.resetsAt(999), 1_000)
    take(window, 1, 1, 1_000)
  })
  it("a window begins with its first reservation and not before", () => {
    const window = windowOf()
    assert.isUndefined(window.resetsAt(500))
    take(window, 0.5, 1, 700).settle(0.5, 700)
    assert.strictEqual(window.resetsAt(800), 1_700)
    assert.strictEqual(window.used(1_699), 0.5)
    assert.strictEqual(window.used(1_700), 0)
    assert.isUndefined(window.resetsAt(1_700))
  })
  it("calls in flight hold their reservations when a new window begins, and are charged to it", () => {
    const window = windowOf()
    const slow = take(window, 0.6, 1, 0)
    assert.isUndefined(window.reserve(0.5, 1, 1_500))
    take(window, 0.4, 1, 1_500).settle(0.4, 1_500)
    slow.settle(0.6, 1_600)
    assert.closeTo(window.used(1_600), 1, 1e-9)
    assert.strictEqual(window.resetsAt(1_600), 2_500)
  })
  it("says whether the end of a call would make room, and about when, or only the end of the window", () => {
    const window = windowOf()
    const reservation = take(window, 0.8, 1, 0)
    assert.isFalse(window.fits(0.5, 1, 0))
    assert.isFalse(window.isSpent(1, 0))
    assert.strictEqual(window.freesIn, 5_000)
    reservation.settle(1, 1)
    assert.isTrue(window.isSpent(1, 1))
    assert.isFalse(window.isSpent(1, 1_001))
    for (let i = 0; i < 60; i++) take(window, 0, 10, i * 2_000).settle(0, i * 2_000 + 2_000)
    assert.closeTo(window.freesIn, 2_000, 10)
  })
  it("a changed limit forgets nothing that was spent", () => {
    const window = windowOf()
    take(window, 0.8, 1, 0).settle(0.8, 0)
    assert.isFalse(window.fits(0.1, 0.5, 0))
    take(window, 0.1, 2, 0)
    assert.isTrue(window.fits(1, 2, 0))
    assert.isFalse(window.fits(1.5, 2, 0))
  })
  it("tells of itself once per window", () => {
    const window = windowOf()
    take(window, 1, 1, 0).settle(1, 0)
    assert.deepStrictEqual([window.tellOnce(1), window.tellOnce(2)], [true, false])
    take(window, 1, 1, 1_000)
    assert.deepStrictEqual([window.tellOnce(1_001), window.tellOnce(1_002)], [true, false])
  })
})

describe("all windows", () => {
  it("who names the same scope, key and length gets the same window; others get their own", () => {
    const windows = makeWindows()
    const first = windows.window("caller", "a", 1_000, 0)
    assert.strictEqual(windows.window("caller", "a", 1_000, 5), first)
    const others = [
      windows.window("tag", "a", 1_000, 0),
      windows.window("caller", "b", 1_000, 0),
      windows.window("caller", "a", 2_000, 0)
    ]
    assert.strictEqual(new Set([first, ...others]).size, 4)
  })
  it("past the capacity ended windows are forgotten first, then the oldest, never one that a call holds", () => {
    const windows = makeWindows(3)
    const use = (key: string, now: number) => {
      const window = windows.window("caller", key, 1_000, now)
      return take(window, 0.5, 1, now)
    }
    use("ended", 0).settle(0.5, 0)
    const held = windows.window("caller", "held", 1_000, 0)
    use("held", 0)
    use("old", 500).settle(0.5, 500)
    windows.window("caller", "new", 1_000, 1_200)
    assert.strictEqual(windows.window("caller", "old", 1_000, 1_200).used(1_200), 0.5)
    use("newer", 1_300).settle(0.5, 1_300)
    use("newest", 1_400).settle(0.5, 1_400)
    assert.strictEqual(windows.window("caller", "held", 1_000, 1_400), held)
    assert.strictEqual(windows.window("caller", "newest", 1_000, 1_400).used(1_400), 0.5)
  })
  it("many callers drive out no window of a deployment", () => {
    const windows = makeWindows(10)
    const deployment = windows.window("deployment", "a", 1_000, 0)
    take(deployment, 1, 1, 0).settle(1, 0)
    for (let i = 0; i < 1_000; i++) take(windows.window("caller", `${i}`, 1_000, 1), 1, 1, 1).settle(1, 1)
    assert.strictEqual(windows.window("deployment", "a", 1_000, 2), deployment)
  })
})

describe("any schedule", () => {
  /** A model that knows no windows but a list of what was charged when. */
  const follow = (seed: number): string | undefined => {
    const random = new Utils.PCGRandom(seed)
    const limit = 1 + random.integer(5)
    const length = 50 + random.integer(200)
    const window = makeWindows().window("caller", "alice", length, 0)
    const open: Array<{ readonly reservation: Reservation; readonly amount: number }> = []
    let now = 0
    let spentIn = 0
    let overshootIn = 0
    let begunAt = Number.NEGATIVE_INFINITY
    const roll = () => {
      if (begunAt + length <= now) {
        spentIn = 0
        overshootIn = 0
        begunAt = Number.NEGATIVE_INFINITY
      }
    }
    for (let step = 0; step < 120; step++) {
      now += random.integer(3) === 0 ? random.integer(length) : random.integer(5)
      roll()
      const reserved = open.reduce((sum, { amount }) => sum + amount, 0)
      if (random.integer(2) === 0) {
        const estimate = (random.integer(150) * limit) / 100
        const left = limit - spentIn - reserved
        const reservation = window.reserve(estimate, limit, now)
        const fits = left > 1e-6 && (open.length === 0 || estimate < left - 1e-6)
        const tooMuch = left < -1e-6 || (open.length > 0 && estimate > left + 1e-6)
        const amount = Math.max(0, Math.min(estimate, left))
        if (reservation === undefined && fits) return `step ${step}: ${amount} fits and was refused`
        if (reservation !== undefined && tooMuch) return `step ${step}: ${amount} does not fit and was let in`
        if (reservation !== undefined) {
          open.push({ reservation, amount })
          if (begunAt === Number.NEGATIVE_INFINITY) begunAt = now
        }
      } else if (open.length > 0) {
        const [{ amount, reservation }] = open.splice(random.integer(open.length), 1) as [(typeof open)[number]]
        // Interrupted before it cost anything, cheaper than thought, as thought, or dearer.
        const cost = amount * ([0, 0.5, 1, 1.5][random.integer(4)] ?? 0)
        reservation.settle(cost, now)
        reservation.settle(cost, now)
        if (cost > 0 && begunAt === Number.NEGATIVE_INFINITY) begunAt = now
        spentIn += cost
        overshootIn += Math.max(0, cost - amount)
      }
      const used = window.used(now)
      const known = spentIn + open.reduce((sum, { amount }) => sum + amount, 0)
      if (Math.abs(used - known) > 1e-6) return `step ${step}: ${used} used, ${known} expected`
      if (used > limit + overshootIn + 1e-6) return `step ${step}: ${used} of ${limit}, overshoot ${overshootIn}`
    }
    for (const { reservation } of open) reservation.settle(0, now)
    if (window.isHeld) return "a reservation is left"
    if (window.used(now + 2 * length) !== 0) return `${window.used(now + 2 * length)} is left in a new window`
    return window.isIdle(now + 2 * length) ? undefined : "not idle at the end"
  }

  it("spend never exceeds limit and real overshoot, the exact sum is known, and reservations end at zero", () => {
    for (let seed = 0; seed < cases(5_000); seed++) {
      const problem = follow(seed)
      if (problem !== undefined) assert.fail(`seed ${seed}: ${problem}`)
    }
  })
})
