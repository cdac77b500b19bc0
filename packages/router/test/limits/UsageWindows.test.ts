import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { Slot } from "@switchyard/core/Slot"
import * as Status from "@switchyard/core/Status"
import * as UsageWindows from "@switchyard/router/UsageWindows"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"
import { SlidingWindow, windowMs } from "../../src/limits/slidingWindow.js"
import { forSeeds } from "../support/schedules.js"

const make = (config: Partial<DeploymentConfig> = {}) => {
  const windows = UsageWindows.make()
  const slot = StubLlm.slot("a", config)
  const reserve = (tokens: number, now: number, on: Slot = slot) => Effect.runSync(windows.reserve(on, tokens, now))
  const taken = (tokens: number, now: number): UsageWindows.Reservation => {
    const admission = reserve(tokens, now)
    if (admission._tag === "Busy") throw new Error(`unexpectedly busy: ${admission.reason}`)
    return admission
  }
  const busy = (tokens: number, now: number): Status.Busy => {
    const admission = reserve(tokens, now)
    if (admission._tag !== "Busy") throw new Error("unexpectedly admitted")
    assert.deepStrictEqual(windows.status(slot, tokens, now), admission)
    return admission
  }
  return { windows, slot, reserve, taken, busy, usage: (now: number) => windows.usage(slot, now) }
}

describe("SlidingWindow", () => {
  it("its sum is finite and its small amounts count, whatever was added", () => {
    const amounts = [1.7e308, 1.7e308, 1e300, Number.POSITIVE_INFINITY, Number.NaN, -1e300, Number.NEGATIVE_INFINITY]
    const window = new SlidingWindow()
    for (const amount of amounts) assert.isTrue(Number.isFinite(window.total(window.add(0, amount))))
    const entry = window.add(1, 5)
    window.change(entry, 1.7e308, 1)
    window.change(entry, 1.7e308, 1)
    assert.isTrue(Number.isFinite(window.total(1)))
    assert.strictEqual(window.total(2 + windowMs), 0)
    window.add(2 + windowMs, 7)
    assert.strictEqual(window.total(2 + windowMs), 7)
  })

  it("holds nothing once it is empty: fractions and very large amounts leave no remainder", () => {
    const window = new SlidingWindow()
    for (let i = 0; i < 30_000; i++) window.add(i % 100, i % 3 === 0 ? 0.1 : 1e12)
    assert.strictEqual(window.total(100 + windowMs), 0)
  })

  it("agrees with a plain list of what happened", () => {
    forSeeds(2000, (dice) => {
      const window = new SlidingWindow()
      const events: Array<{ readonly at: number; readonly entry: number; amount: number }> = []
      let now = 0
      for (let step = 0; step < 60; step++) {
        now += dice.pick([0, 0.25, 1, 1000, dice.int(0, 30_000), windowMs])
        const known = events.length === 0 ? undefined : events[dice.int(0, events.length - 1)]
        if (known !== undefined && dice.chance(0.3)) {
          const delta = dice.int(-known.amount, 10)
          window.change(known.entry, delta, now)
          if (known.at + windowMs > now) known.amount += delta
        } else {
          const amount = dice.int(0, 10)
          events.push({ at: now, entry: window.add(now, amount), amount })
        }
        const live = events.filter((event) => event.at + windowMs > now)
        const total = live.reduce((sum, event) => sum + event.amount, 0)
        assert.strictEqual(window.total(now), total)
        if (total > 0) {
          const wanted = dice.int(1, total)
          let left = 0
          const last = live.find((event) => {
            left += event.amount
            return left >= wanted
          })
          assert.strictEqual(window.leaves(wanted), (last?.at ?? 0) + windowMs)
        }
        assert.strictEqual(window.leaves(total + 1), undefined)
      }
    })
  }, 60_000)

  it("stays bounded under any load, and lets amounts leave at most 30 ms late and never early", () => {
    forSeeds(4, (dice) => {
      const window = new SlidingWindow()
      const times: Array<number> = []
      let now = 0
      let first = 0
      let firstLate = 0
      for (let i = 0; i < 60_000; i++) {
        now += dice.pick([0, 0.5, 1, 2, 9])
        times.push(now)
        window.add(now, 1)
        const total = window.total(now)
        while ((times[first] ?? 0) + windowMs <= now) first++
        while ((times[firstLate] ?? 0) + windowMs + 30 <= now) firstLate++
        if (total < times.length - first) assert.fail(`left early at ${now}`)
        if (total > times.length - firstLate) assert.fail(`left late at ${now}`)
        if (window.size > 4002) assert.fail(`${window.size} entries`)
      }
      assert.isAbove(window.size, 1000)
      assert.strictEqual(window.total(now + windowMs + 30), 0)
    })
  }, 60_000)

  it("does not believe a clock that steps back", () => {
    const window = new SlidingWindow()
    window.add(1000, 1)
    window.add(500, 1)
    assert.strictEqual(window.total(500), 2)
    assert.strictEqual(window.total(60_999), 2)
    assert.strictEqual(window.total(61_000), 0)
  })
})

describe("UsageWindows", () => {
  it("believes absurd words about limits for a day at most, and a wish to be left alone for a minute", () => {
    const figures = ["0", "-1", "4294967295", "18446744073709551615", "9".repeat(300), "9".repeat(400), "1e308", "NaN"]
    for (const limit of figures) {
      for (const remaining of figures) {
        const { slot, usage, windows } = make({ rpm: 10, tpm: 1000 })
        const headers: Record<string, string> = { "retry-after": remaining }
        for (const of of ["requests", "tokens"]) {
          headers[`x-ratelimit-limit-${of}`] = limit
          headers[`x-ratelimit-remaining-${of}`] = remaining
          headers[`x-ratelimit-reset-${of}`] = limit
        }
        windows.learn(slot, headers, 0, 0)
        for (const now of [0, 60_001]) {
          const { headroom } = usage(now)
          assert.isTrue(headroom >= 0 && headroom <= 1, `${limit} ${remaining}: ${headroom}`)
        }
        assert.strictEqual(usage(86_400_001).headroom, 1, `${limit} ${remaining}`)
      }
    }
  })

  it("admits exactly the limit per minute, and again when the first request is 60 seconds old", () => {
    const { busy, taken } = make({ rpm: 3 })
    for (const now of [0, 10_000, 20_000]) taken(1, now)
    assert.strictEqual(busy(1, 20_000).until, 60_000)
    assert.strictEqual(busy(1, 59_999.9).reason, "rpm")
    taken(1, 60_000)
    assert.strictEqual(busy(1, 60_000).until, 70_000)
  })

  it("never lets a burst around a minute's end double the limit", () => {
    const { busy, taken } = make({ rpm: 2 })
    taken(1, 59_990)
    taken(1, 59_995)
    assert.strictEqual(busy(1, 60_010).until, 119_990)
  })

  it("makes a status only when it changes", () => {
    const { busy, slot, taken, windows } = make({ rpm: 1, tpm: 100, maxParallel: 5 })
    const free = windows.status(slot, 10, 0)
    assert.strictEqual(windows.status(slot, 20, 1), free)
    taken(1, 2)
    assert.strictEqual(busy(1, 3), busy(1, 4))
  })

  it("reserves no more tokens than the limit, and uses them to the last one", () => {
    const { busy, taken } = make({ tpm: 100 })
    taken(60, 0)
    assert.deepStrictEqual(busy(41, 0), { ...Status.busy("tpm", undefined), early: true })
    taken(40, 0)
    busy(1, 0)
  })

  it("lets a request whose estimate is larger than the limit run alone", () => {
    const { busy, taken, usage } = make({ tpm: 100 })
    const large = taken(5000, 0)
    assert.strictEqual(usage(0).tokens, 100)
    busy(1, 0)
    large.settle(20, 1000)
    taken(80, 1000)
  })

  it("gives back at the outcome what was reserved and not used", () => {
    const { busy, taken, usage } = make({ tpm: 100 })
    taken(90, 0).settle(30, 5000)
    assert.strictEqual(usage(5000).tokens, 30)
    assert.strictEqual(busy(71, 5000).until, 60_000)
    taken(70, 5000).settle(70, 6000)
    assert.strictEqual(usage(60_000).tokens, 70)
    assert.strictEqual(usage(65_000).tokens, 0)
  })

  it("blocks after an overshoot until that slides out of the window", () => {
    const { busy, taken } = make({ tpm: 100 })
    taken(10, 0).settle(250, 7000)
    assert.strictEqual(busy(1, 7000).until, 67_000)
    assert.strictEqual(busy(1, 66_999).reason, "tpm")
    taken(1, 67_000)
  })

  it("holds a reservation for as long as its call runs, even past the window", () => {
    const { busy, taken } = make({ tpm: 100 })
    const long = taken(100, 0)
    assert.strictEqual(busy(1, 90_000).until, undefined)
    long.settle(80, 100_000)
    taken(100, 100_000)
  })

  it("holds a permit from admission to the outcome", () => {
    const { busy, taken } = make({ maxParallel: 2 })
    const first = taken(1, 0)
    taken(1, 0)
    assert.deepStrictEqual(busy(1, 500_000), { ...Status.busy("maxParallel"), early: true })
    first.settle(0, 500_000)
    taken(1, 500_000)
    busy(1, 500_000)
  })

  it("gives everything back when nothing was sent", () => {
    const { taken, usage } = make({ rpm: 1, tpm: 100, maxParallel: 1 })
    taken(100, 0).release(10)
    assert.deepStrictEqual({ ...usage(10) }, { tokens: 0, requests: 0, headroom: 1 })
    taken(100, 10)
  })

  it("gives back only once, however often it is told", () => {
    const { busy, taken, usage } = make({ maxParallel: 2, rpm: 10 })
    const first = taken(10, 0)
    taken(10, 0)
    first.settle(10, 1)
    first.release(1)
    first.settle(99, 1)
    assert.strictEqual(usage(1).requests, 2)
    taken(10, 1)
    busy(10, 1)
  })

  it("admits nothing with a limit of 0, and nobody knows until when", () => {
    for (const config of [{ rpm: 0 }, { tpm: 0 }, { maxParallel: 0 }]) {
      const { busy } = make(config)
      const { reason, until } = busy(0, 0)
      assert.deepStrictEqual([reason, until], [Object.keys(config)[0], undefined])
    }
    assert.strictEqual(make({ rpm: 0 }).usage(0).headroom, 0)
  })

  it("names of several used-up limits the one that lasts longest", () => {
    const { busy, taken } = make({ rpm: 1, tpm: 100 })
    taken(50, 0).settle(400, 30_000)
    assert.deepStrictEqual(busy(1, 30_000), { ...Status.busy("tpm", 90_000), early: true })
  })

  it("follows the configuration of the moment: a lowered limit holds at once, a raised one opens", () => {
    const { reserve, slot, taken } = make({ rpm: 4 })
    for (const now of [0, 1, 2]) taken(1, now)
    const lowered = slot.withDeployment(StubLlm.deployment("a", { rpm: 2 }))
    assert.deepStrictEqual(reserve(1, 10, lowered), Status.busy("rpm", 60_001))
    assert.strictEqual(reserve(1, 10)._tag, "Reservation")
    const raised = slot.withDeployment(StubLlm.deployment("a", { rpm: 6 }))
    assert.strictEqual(reserve(1, 10, raised)._tag, "Reservation")
  })

  it("shows the smallest share that is left, as real numbers", () => {
    const { taken, usage } = make({ rpm: 8, tpm: 1000 })
    assert.strictEqual(usage(0).headroom, 1)
    taken(3, 0)
    assert.strictEqual(usage(0).headroom, 0.875)
    taken(497, 0)
    assert.strictEqual(usage(0).headroom, 0.5)
    taken(1, 0).settle(2000, 0)
    assert.strictEqual(usage(0).headroom, 0)
  })

  it("hands out the same object for a slot, so that reading allocates nothing", () => {
    const { usage } = make({ rpm: 8 })
    assert.strictEqual(usage(0), usage(1))
  })

  it("counts calls without a limit once somebody asks for their usage or listens", () => {
    const { slot, windows } = make()
    assert.isFalse(windows.counts(slot))
    const stop = windows.onRelease(() => {})
    assert.isTrue(windows.counts(slot))
    stop()
    assert.isFalse(windows.counts(slot))
    windows.usage(slot, 0)
    assert.isTrue(windows.counts(slot))
    assert.isTrue(make({ maxParallel: 1 }).windows.counts(StubLlm.slot("b", { tpm: 1 })))
  })

  it("tells listeners of each admission and each return, not of what was turned away", () => {
    const { reserve, taken, windows } = make({ maxParallel: 1 })
    const told: Array<string> = []
    const stop = windows.onAdmit((slot, now) => told.push(`admit ${slot.id} ${now}`))
    windows.onRelease((slot, now) => told.push(`release ${slot.id} ${now}`))
    const first = taken(1, 1)
    reserve(1, 2)
    first.settle(1, 3)
    stop()
    taken(1, 4).release(5)
    assert.deepStrictEqual(told, ["admit a 1", "release a 3", "release a 5"])
  })

  it("ignores token counts that are no numbers", () => {
    const { taken, usage } = make({ tpm: 100 })
    taken(Number.NaN, 0).settle(Number.NaN, 0)
    taken(Number.POSITIVE_INFINITY, 0).settle(-5, 0)
    assert.strictEqual(usage(0).tokens, 0)
    assert.strictEqual(usage(0).headroom, 1)
  })

  it("agrees with a plain model over random schedules: exactly the limits, to the last slot", () => {
    forSeeds(3000, (dice) => {
      const limits = {
        ...(dice.chance(0.7) ? { rpm: dice.int(0, 6) } : {}),
        ...(dice.chance(0.7) ? { tpm: dice.int(0, 300) } : {}),
        ...(dice.chance(0.7) ? { maxParallel: dice.int(0, 4) } : {})
      }
      const { reserve, slot, usage, windows } = make(limits)
      const { maxParallel = Infinity, rpm = Infinity, tpm = Infinity } = limits
      interface Call {
        readonly at: number
        readonly reserved: number
        readonly reservation: UsageWindows.Reservation
        ended?: { readonly at: number; readonly used: number } | "released"
      }
      const calls: Array<Call> = []
      const isIn = (at: number, now: number) => at + windowMs > now
      const requestsAt = (now: number) => calls.filter((call) => call.ended !== "released" && isIn(call.at, now)).length
      const heldTokens = () => calls.reduce((sum, call) => sum + (call.ended === undefined ? call.reserved : 0), 0)
      const tokensAt = (now: number) =>
        heldTokens() +
        calls.reduce((sum, { at, ended, reserved }) => {
          if (ended === undefined || ended === "released") return sum
          return (
            sum +
            (isIn(at, now) ? Math.min(ended.used, reserved) : 0) +
            (isIn(ended.at, now) ? Math.max(0, ended.used - reserved) : 0)
          )
        }, 0)
      const running = () => calls.filter((call) => call.ended === undefined)
      const fits = (tokens: number, now: number) =>
        running().length < maxParallel &&
        requestsAt(now) < rpm &&
        tpm > 0 &&
        tokensAt(now) + Math.max(1, Math.min(tokens, tpm)) <= tpm

      let now = 0
      for (let step = 0; step < 60; step++) {
        now += dice.pick([0, 0, 1, 0.5, dice.int(0, 5000), dice.int(0, 70_000)])
        const open = running()
        const ending = open.length === 0 ? undefined : open[dice.int(0, open.length - 1)]
        if (ending !== undefined && dice.chance(0.4)) {
          if (dice.chance(0.25)) {
            ending.reservation.release(now)
            ending.ended = "released"
          } else {
            const used = dice.int(0, 200)
            ending.reservation.settle(used, now)
            ending.ended = { at: now, used }
          }
        } else {
          const tokens = dice.int(0, 150)
          const expected = fits(tokens, now)
          const status = windows.status(slot, tokens, now)
          assert.strictEqual(status._tag === "Open", expected, "status")
          if (status._tag !== "Open" && status.until !== undefined) {
            assert.isTrue(fits(tokens, status.until), "open when it says so")
            assert.isFalse(fits(tokens, status.until - 0.25), "and not before")
          }
          const admission = reserve(tokens, now)
          assert.strictEqual(admission._tag === "Reservation", expected, "reserve")
          if (admission._tag === "Reservation") {
            calls.push({ at: now, reserved: Math.max(1, Math.min(tokens, tpm)), reservation: admission })
          }
        }
        assert.isAtMost(heldTokens(), tpm)
        assert.strictEqual(usage(now).requests, requestsAt(now))
        assert.strictEqual(usage(now).tokens, tokensAt(now))
      }
      for (const call of running()) call.reservation.settle(0, now)
      assert.deepStrictEqual(
        { ...usage(now + windowMs) },
        {
          tokens: 0,
          requests: 0,
          headroom: rpm === 0 || tpm === 0 ? 0 : 1
        }
      )
    })
  }, 60_000)
})

describe("UsageWindows, learned headroom", () => {
  const learn = (headers: Record<string, string>, config: Partial<DeploymentConfig> = {}) => {
    const made = make(config)
    made.windows.learn(made.slot, headers, 1000, 0)
    return made
  }

  it("shrinks by what the provider says is left, until its window resets", () => {
    const { usage } = learn({
      "x-ratelimit-limit-requests": "100",
      "x-ratelimit-remaining-requests": "25",
      "x-ratelimit-reset-requests": "10s"
    })
    assert.strictEqual(usage(1000).headroom, 0.25)
    assert.strictEqual(usage(10_999).headroom, 0.25)
    assert.strictEqual(usage(11_000).headroom, 1)
  })

  it("takes the smaller of requests and tokens, and of what it counted itself", () => {
    const headers = {
      "anthropic-ratelimit-requests-limit": "10",
      "anthropic-ratelimit-requests-remaining": "8",
      "anthropic-ratelimit-tokens-limit": "1000",
      "anthropic-ratelimit-tokens-remaining": "300"
    }
    const { taken, usage } = learn(headers, { rpm: 4 })
    assert.strictEqual(usage(1000).headroom, 0.3)
    for (const now of [1001, 1002, 1003]) taken(1, now)
    assert.strictEqual(usage(1003).headroom, 0.25)
  })

  it("takes off what was used since the headers came", () => {
    const { taken, usage } = learn({
      "x-ratelimit-limit-requests": "10",
      "x-ratelimit-remaining-requests": "2"
    })
    taken(1, 1001)
    assert.strictEqual(usage(1001).headroom, 0.1)
    taken(1, 1002)
    taken(1, 1003)
    assert.strictEqual(usage(1003).headroom, 0)
  })

  it("uses its own limit where the provider names none, and still knows that nothing is left", () => {
    assert.strictEqual(learn({ "x-ratelimit-remaining-requests": "3" }, { rpm: 6 }).usage(1000).headroom, 0.5)
    assert.strictEqual(learn({ "x-ratelimit-remaining-requests": "3" }).usage(1000).headroom, 1)
    assert.strictEqual(learn({ "x-ratelimit-remaining-tokens": "0" }).usage(1000).headroom, 0)
  })

  it("never shows more than 1, and forgets what was said after a minute when no reset was named", () => {
    assert.strictEqual(
      learn({ "x-ratelimit-limit-tokens": "10", "x-ratelimit-remaining-tokens": "50" }).usage(1000).headroom,
      1
    )
    const { usage } = learn({ "x-ratelimit-remaining-requests": "0" })
    assert.strictEqual(usage(60_999).headroom, 0)
    assert.strictEqual(usage(61_000).headroom, 1)
  })

  it("ignores nonsense and counts it", () => {
    const { slot, usage, windows } = learn({
      "x-ratelimit-limit-requests": "many",
      "x-ratelimit-remaining-requests": "-3"
    })
    assert.strictEqual(usage(1000).headroom, 1)
    assert.strictEqual(windows.ignoredHeaders(), 2)
    windows.learn(slot, { "content-type": "application/json" }, 1000, 0)
    assert.strictEqual(windows.ignoredHeaders(), 2)
  })

  it("has no headroom until a retry-after has passed, at most a minute, never shortened", () => {
    const { slot, usage, windows } = learn({ "retry-after": "20" })
    assert.strictEqual(usage(20_999).headroom, 0)
    windows.throttle(slot, 1, 2000)
    assert.strictEqual(usage(20_999).headroom, 0)
    assert.strictEqual(usage(21_000).headroom, 1)
    windows.throttle(slot, 3_600_000, 30_000)
    assert.strictEqual(usage(89_999).headroom, 0)
    assert.strictEqual(usage(90_000).headroom, 1)
  })

  it("closes nothing: what was learned is for strategies", () => {
    const { slot, windows } = learn({ "x-ratelimit-remaining-requests": "0" }, { rpm: 10 })
    assert.strictEqual(windows.status(slot, 1, 1000)._tag, "Open")
  })
})
