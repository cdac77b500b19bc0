import { assert, describe, it } from "@effect/vitest"
import type { Busy } from "@switchyard/core/Status"
import * as CallerWindows from "@switchyard/router/CallerWindows"

const windowOf = () => CallerWindows.make().window("alice", 0)

const take = (
  window: CallerWindows.CallerWindow,
  limit: CallerWindows.CallerLimit,
  now: number,
  tokens = 1
): CallerWindows.Reservation => {
  const room = window.reserve(limit, tokens, now)
  return room._tag === "Busy" ? assert.fail(`busy: ${room.reason}`) : room
}

const busy = (window: CallerWindows.CallerWindow, limit: CallerWindows.CallerLimit, now: number, tokens = 1): Busy => {
  const room = window.reserve(limit, tokens, now)
  return room._tag === "Busy" ? room : assert.fail("admitted")
}

describe("the window of a caller", () => {
  it("admits exactly as many requests as the limit says in any 60 s, and says when the next one fits", () => {
    const window = windowOf()
    const limit = { rpm: 3 }
    for (const now of [0, 10_000, 20_000]) take(window, limit, now).settle(0, now)
    assert.deepInclude(busy(window, limit, 59_999), { reason: "rpm", until: 60_000 })
    take(window, limit, 60_000)
    assert.strictEqual(busy(window, limit, 60_000).until, 70_000)
  })
  it("reserves estimated tokens, and settles them to what was used", () => {
    const window = windowOf()
    const limit = { tpm: 100 }
    const call = take(window, limit, 0, 90)
    assert.deepInclude(busy(window, limit, 0, 11), { reason: "tpm", until: undefined })
    call.settle(30, 1_000)
    take(window, limit, 1_000, 70).settle(70, 1_000)
    assert.strictEqual(busy(window, limit, 1_000, 30).until, 60_000)
    assert.strictEqual(busy(window, limit, 1_000, 31).until, 61_000)
  })
  it("a call larger than the whole limit runs when nothing else does", () => {
    const window = windowOf()
    const call = take(window, { tpm: 100 }, 0, 5_000)
    busy(window, { tpm: 100 }, 0)
    call.settle(0, 0)
    take(window, { tpm: 100 }, 0, 5_000)
  })
  it("a permit comes back when its call is settled, once", () => {
    const window = windowOf()
    const limit = { maxParallel: 1 }
    const first = take(window, limit, 0)
    assert.deepInclude(busy(window, limit, 0), { reason: "maxParallel", until: undefined })
    first.settle(7, 0)
    first.settle(7, 0)
    assert.deepStrictEqual(window.used(0), { requests: 1, tokens: 7, calls: 0 })
    take(window, limit, 0)
    busy(window, limit, 0)
  })
  it("a refusal takes nothing", () => {
    const window = windowOf()
    for (const limit of [{ rpm: 0 }, { tpm: 0 }, { maxParallel: 0 }]) busy(window, limit, 0)
    assert.deepStrictEqual(window.used(0), { requests: 0, tokens: 0, calls: 0 })
  })
  it("other limits find what was used under the old ones", () => {
    const window = windowOf()
    for (let i = 0; i < 5; i++) take(window, { rpm: 5 }, 0, 10).settle(10, 0)
    busy(window, { rpm: 4 }, 0)
    busy(window, { rpm: 6, tpm: 55 }, 0, 10)
    take(window, { rpm: 6, tpm: 60 }, 0, 10)
  })
})

describe("the windows", () => {
  it("are one for each caller, whoever asks", () => {
    const windows = CallerWindows.make()
    assert.strictEqual(windows.window("alice", 0), windows.window("alice", 1))
    assert.notStrictEqual(windows.window("alice", 0), windows.window("bob", 0))
  })
  it("idle callers are forgotten first when there are more than fit", () => {
    const windows = CallerWindows.make(3)
    const [alice, bob, carol] = ["alice", "bob", "carol"].map((caller) => windows.window(caller, 0))
    take(bob ?? assert.fail(), { rpm: 9 }, 0).settle(0, 0)
    windows.window("dave", 1)
    assert.strictEqual(windows.window("bob", 1), bob)
    assert.notStrictEqual(windows.window("alice", 1), alice)
    assert.notStrictEqual(windows.window("carol", 1), carol)
  })
  it("when none is idle the oldest is forgotten, never one with a call in flight", () => {
    const windows = CallerWindows.make(3)
    const held = windows.window("alice", 0)
    const call = take(held, { rpm: 9 }, 0)
    const active = ["bob", "carol"].map((caller) => {
      const window = windows.window(caller, 0)
      take(window, { rpm: 9 }, 0).settle(0, 0)
      return window
    })
    windows.window("dave", 1)
    assert.strictEqual(windows.window("alice", 1), held)
    assert.strictEqual(windows.window("carol", 1), active[1])
    assert.notStrictEqual(windows.window("bob", 1), active[0])
    call.settle(0, 1)
    assert.isFalse(held.isIdle(1))
    assert.isTrue(held.isIdle(60_000))
  })
  it("made-up names do not pile up", () => {
    const windows = CallerWindows.make(100)
    const first = windows.window("0", 0)
    for (let i = 0; i < 1_000; i++) take(windows.window(`${i}`, i), { rpm: 9 }, i).settle(1, i)
    assert.notStrictEqual(windows.window("0", 1_000), first)
  })
})
