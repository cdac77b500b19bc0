import { assert, describe, it } from "@effect/vitest"
import type { LlmErrorFields } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { open } from "@switchyard/core/Status"
import * as Ejections from "@switchyard/router/Ejections"
import * as OutlierEjection from "@switchyard/router/OutlierEjection"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import * as Contract from "@switchyard/testing/Contract"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, TestClock } from "effect"
import { forSeeds, VirtualTime } from "../support/schedules.js"

const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
const down: LlmErrorFields = { reason: "Unavailable", description: "oops", status: 500 }

const setup = (options: OutlierEjection.Options = {}, count = 4, error: LlmErrorFields = down) => {
  const events: Array<RouterEvent> = []
  const stub = StubLlm.make()
  const slots = Array.from({ length: count }, (_, i) => StubLlm.slot(`d${i}`))
  const ejections = Ejections.make()
  const deps = { ejections, events: { publish: (event: RouterEvent) => events.push(event) } }
  const service = OutlierEjection.make(deps, options)(stub.attempts)
  const send = (index: number) =>
    Effect.suspend(() => service.call(StubLlm.attempt(request, slots[index] ?? assert.fail("no such slot"))))
  /** Forty calls of each, and then one that ends the interval; `failures` of a deployment's ten fail. */
  const interval = (failures: ReadonlyArray<number>, calls = 40) =>
    Effect.gen(function* () {
      for (const [index, bad] of failures.entries()) {
        for (let i = 0; i < calls; i++) {
          stub.reply(i % 10 < bad ? { fail: error } : {})
          yield* Effect.exit(send(index))
        }
      }
      yield* TestClock.adjust("30 seconds")
      stub.reply({})
      yield* Effect.exit(send(count - 1))
    })
  const out = Effect.map(TestClock.currentTimeMillis, (now) =>
    slots.flatMap((slot) => (service.status(slot, request, now) === open ? [] : [slot.id]))
  )
  return { ejections, events, interval, out, send, service, slots, stub }
}

describe("a deployment that fails far more often than its siblings", () => {
  it.effect("is closed for a while, which is told as a cooldown, and comes back by itself", () =>
    Effect.gen(function* () {
      const { events, interval, out, send, service, slots, stub } = setup()
      yield* interval([3, 0, 0, 0])
      assert.deepStrictEqual(yield* out, ["d0"])
      assert.deepStrictEqual(events, [
        { _tag: "CooldownOpened", at: 30_000, deployment: "d0", reason: "ejected", until: 60_000 }
      ])
      assert.deepInclude(service.status(slots[0] ?? assert.fail(), request, 30_000), { _tag: "Closed", until: 60_000 })
      const calls = stub.calls.length
      const error = yield* Effect.flip(send(0))
      assert.deepInclude(error.data, { reason: "Rejected", code: "ejected", retryAfter: 30_000 })
      assert.strictEqual(stub.calls.length, calls)
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* out, [])
      yield* send(0)
    })
  )
  it.effect("is out longer each time in a row, up to a bound, and less again once it has stood", () =>
    Effect.gen(function* () {
      const { events, interval, out } = setup({ maxDuration: "70 seconds" })
      const lengths = () =>
        events.map((event) => (event._tag === "CooldownOpened" ? (event.until - event.at) / 1000 : undefined))
      for (let i = 0; i < 3; i++) {
        yield* interval([3, 0, 0, 0])
        yield* TestClock.adjust("70 seconds")
      }
      assert.deepStrictEqual(lengths(), [30, 60, 70])
      for (let i = 0; i < 4; i++) yield* interval([0, 0, 0, 0])
      assert.deepStrictEqual(yield* out, [])
      yield* interval([3, 0, 0, 0])
      assert.strictEqual(lengths().at(-1), 30)
    })
  )
})

describe("nobody is put out", () => {
  it.effect("where all fail alike: it is not the deployment", () =>
    Effect.gen(function* () {
      const { interval, out } = setup()
      yield* interval([3, 3, 3, 3])
      assert.deepStrictEqual(yield* out, [])
    })
  )
  it.effect("for less than five failures in a hundred", () =>
    Effect.gen(function* () {
      const { interval, out, send, stub } = setup()
      for (let i = 0; i < 60; i++) {
        stub.reply(i < 2 ? { fail: down } : {})
        yield* Effect.exit(send(0))
      }
      yield* interval([0, 0, 0, 0])
      assert.deepStrictEqual(yield* out, [])
    })
  )
  it.effect("with too few calls, or too few siblings", () =>
    Effect.gen(function* () {
      const rare = setup()
      yield* rare.interval([5, 0, 0, 0], 10)
      assert.deepStrictEqual(yield* rare.out, [])
      const pair = setup({}, 2)
      yield* pair.interval([5, 0])
      assert.deepStrictEqual(yield* pair.out, [])
    })
  )
  it.effect("for what callers did", () =>
    Effect.gen(function* () {
      const { interval, out } = setup({}, 4, { reason: "InvalidRequest", description: "no", status: 400 })
      yield* interval([5, 0, 0, 0])
      assert.deepStrictEqual(yield* out, [])
    })
  )
})

describe("of a group", () => {
  it.effect("one is out at once by default, the worst, and never more than the share", () =>
    Effect.gen(function* () {
      const one = setup({}, 5)
      yield* one.interval([4, 8, 0, 0, 0])
      assert.deepStrictEqual(yield* one.out, ["d1"])
      const two = setup({ maxShare: 0.4 }, 5)
      yield* two.interval([4, 8, 0, 0, 0])
      assert.deepStrictEqual((yield* two.out).sort(), ["d0", "d1"])
    })
  )
  it("the last one is never out, whatever the share and the failures", () => {
    forSeeds(60, (dice) => {
      const time = new VirtualTime()
      const count = dice.int(1, 6)
      const options = { maxShare: 1, minimumHosts: 1, minimumRequests: 2, interval: 1000, duration: 5000 }
      const { send, service, slots, stub } = setup(options, count)
      const rates = slots.map(() => dice.int(0, 10))
      for (let i = 0; i < 300; i++) {
        const index = dice.int(0, count - 1)
        stub.reply(dice.int(1, 10) <= (rates[index] ?? 0) ? { fail: down } : {})
        time.fork(Effect.exit(send(index)))
        time.advance(time.now + dice.int(0, 100))
        assert.isTrue(slots.some((slot) => service.status(slot, request, time.now) === open))
      }
    })
  })
})

describe("OutlierEjection", () => {
  it("is off unless it is asked for", () => {
    assert.isFalse(OutlierEjection.OutlierEjection.on)
  })
})

describe("OutlierEjection keeps the contract of an attempt-tier layer", () => {
  const make = Effect.sync(() => OutlierEjection.make({ ejections: Ejections.make() }))
  for (const { check, name } of Contract.attemptLayer(make)) it.effect(name, () => check)
})
