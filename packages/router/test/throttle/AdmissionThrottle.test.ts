import { assert, describe, it } from "@effect/vitest"
import type { LlmErrorFields } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as AdmissionRates from "@switchyard/router/AdmissionRates"
import * as AdmissionThrottle from "@switchyard/router/AdmissionThrottle"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as Router from "@switchyard/router/Router"
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import * as Contract from "@switchyard/testing/Contract"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Either, Fiber, TestClock } from "effect"
import { Dice, simulate } from "../support/schedules.js"

const registryOf = DeploymentRegistry.make({
  deployments: [{ id: "stub", group: "m", model: "m" }],
  aliases: { n: "m" }
})

const setup = (options: AdmissionThrottle.Options = {}, random?: () => number) =>
  Effect.map(registryOf, (registry) => {
    const dice = new Dice(1)
    const stub = StubLlm.make()
    const events: Array<RouterEvent> = []
    const rates = AdmissionRates.make()
    const deps = {
      registry,
      rates,
      random: random ?? (() => dice.int(0, 999_999) / 1_000_000),
      events: { publish: (event: RouterEvent) => events.push(event) }
    }
    const service = AdmissionThrottle.make(deps, options)(stub.requests)
    const send = (overrides: LlmRequest.RequestOverrides = {}, model = "m") =>
      Effect.suspend(() => service.call(LlmRequest.chat({ model, messages: [] }, { overrides })))
    /** How many of `count` requests were let in. */
    const letIn = (count: number, overrides: LlmRequest.RequestOverrides = {}) =>
      Effect.gen(function* () {
        const before = stub.calls.length
        for (let i = 0; i < count; i++) yield* Effect.exit(send(overrides))
        return stub.calls.length - before
      })
    return { events, letIn, send, stub }
  })

const limited: StubLlm.Reply = { fail: { reason: "RateLimited", description: "slow down", status: 429 } }

describe("while a group serves what is asked", () => {
  it.effect("nobody is turned away, nor while it serves a half", () =>
    Effect.gen(function* () {
      const { letIn, stub } = yield* setup()
      assert.strictEqual(yield* letIn(200), 200)
      stub.reply(({ index }) => (index % 2 === 0 ? {} : limited))
      assert.strictEqual(yield* letIn(500), 500)
    })
  )
  it.effect("what still runs does not count, however much it is", () =>
    Effect.gen(function* () {
      const { send, stub } = yield* setup()
      stub.reply({ hang: true })
      const fibers = yield* Effect.all(Array.from({ length: 200 }, () => Effect.fork(send())))
      yield* Effect.yieldNow()
      assert.strictEqual(stub.calls.length, 200)
      yield* Fiber.interruptAll(fibers)
    })
  )
})

/** A hundred requests a second, of which the group serves no more than so many; what each of them is told. */
const overloaded = (
  { letIn, stub }: Effect.Effect.Success<ReturnType<typeof setup>>,
  served: number,
  seconds: number,
  tell: (number: number) => LlmRequest.RequestOverrides
) =>
  Effect.gen(function* () {
    let left = 0
    stub.reply(() => (left-- > 0 ? {} : limited))
    const passed: Array<number> = []
    for (let i = 0; i < seconds * 100; i++) {
      if (i % 100 === 0) left = served
      passed.push(yield* letIn(1, tell(i)))
      yield* Effect.sleep(10)
    }
    return passed
  })

const sum = (counts: ReadonlyArray<number>): number => counts.reduce((all, one) => all + one, 0)

describe("while a group serves a tenth of what is asked", () => {
  it.effect("about twice what it serves is let in, and the others are told so with a Retry-After", () =>
    simulate(
      Effect.gen(function* () {
        const made = yield* setup()
        const passed = yield* overloaded(made, 10, 60, () => ({}))
        const settled = sum(passed.slice(3000))
        assert.isAtLeast(settled, 500)
        assert.isAtMost(settled, 700)
        assert.strictEqual(made.events.length, 6000 - sum(passed))
        assert.strictEqual(made.events.at(-1)?._tag, "RequestThrottled")
        const error = yield* Effect.flip(made.send()).pipe(
          Effect.repeat({ until: ({ reason }) => reason === "Rejected" })
        )
        assert.deepInclude(error.data, { reason: "Rejected", code: "overloaded" })
        assert.strictEqual(error.httpStatus, 429)
        assert.isAtLeast(error.retryAfter ?? 0, 1000)
      })
    )
  )
  it.effect("it is over when the window has passed", () =>
    Effect.gen(function* () {
      const { letIn, stub } = yield* setup({ window: "10 seconds" })
      stub.reply(limited)
      assert.isBelow(yield* letIn(500), 250)
      yield* TestClock.adjust("11 seconds")
      stub.reply({})
      assert.strictEqual(yield* letIn(100), 100)
    })
  )
  it.effect("some are always let in, so that it is found out when it is over", () =>
    Effect.gen(function* () {
      const { letIn, stub } = yield* setup()
      stub.reply(limited)
      yield* letIn(2000)
      assert.isAbove(yield* letIn(1000), 20)
    })
  )
  it.effect("requests of a worse priority are turned away before all others", () =>
    simulate(
      Effect.gen(function* () {
        const passed = yield* overloaded(yield* setup(), 30, 60, (i) => ({ priority: i % 2 === 0 ? -1 : 5 }))
        assert.strictEqual(sum(passed.filter((_, i) => i % 2 === 0)), 3000)
        assert.isAtMost(sum(passed.filter((_, i) => i % 2 === 1 && i > 3000)), 450)
      })
    )
  )
})

const others: ReadonlyArray<readonly [string, LlmErrorFields]> = [
  ["an outage", { reason: "Unavailable", description: "down", status: 500 }],
  [
    "a closed breaker",
    {
      reason: "NoDeployment",
      description: "none",
      blocked: [{ deployment: "a", reason: "cooldown", cause: "failure" }]
    }
  ],
  ["a mistake of the caller", { reason: "InvalidRequest", description: "no", status: 400 }],
  ["a refused key", { reason: "Authentication", description: "no", status: 401 }]
]

describe("what is no load turns nobody away", () => {
  for (const [what, fail] of others) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const { letIn, stub } = yield* setup()
        stub.reply({ fail })
        assert.strictEqual(yield* letIn(300), 300)
      })
    )
  }
  it.effect("callers that leave", () =>
    Effect.gen(function* () {
      const { send, stub } = yield* setup({}, () => 0)
      stub.reply({ hang: true })
      for (let i = 0; i < 100; i++) yield* Fiber.interrupt(yield* Effect.fork(send()))
      yield* Effect.yieldNow()
      stub.reply({})
      assert.strictEqual((yield* send())._tag, "Complete")
    })
  )
})

describe("AdmissionThrottle", () => {
  it.effect("holds each group by itself, under all of its names, and lets unknown ones pass", () =>
    Effect.gen(function* () {
      const { letIn, send, stub } = yield* setup({}, () => 0)
      stub.reply(limited)
      yield* letIn(30)
      assert.strictEqual((yield* Effect.flip(send({}, "n"))).code, "overloaded")
      assert.notStrictEqual((yield* Effect.flip(send({}, "nobody"))).code, "overloaded")
    })
  )
  it.scoped("sends what a group has no room for where a fallback says", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const deployments = [
        { id: "a", group: "m", model: "m" },
        { id: "b", group: "spare", model: "m" }
      ]
      const fallback = { chains: { rateLimit: { m: ["spare"] } } }
      const options = {
        deployments,
        fallback,
        throttle: { minimumRequests: 1 },
        cooldown: false,
        retry: { attempts: 1 }
      } as const
      const { service } = yield* Router.make(options, stub.attempts)
      stub.reply(({ deployment }) => (deployment === "a" ? limited : {}))
      for (let i = 0; i < 200; i++) {
        const sent = yield* Effect.either(service.call(LlmRequest.chat({ model: "m", messages: [] })))
        assert.isTrue(Either.isRight(sent))
      }
      assert.isBelow(stub.calls.filter(({ deployment }) => deployment === "a").length, 100)
    })
  )
  it("is off unless it is asked for", () => {
    assert.isFalse(AdmissionThrottle.AdmissionThrottle.on)
  })
})

describe("AdmissionThrottle keeps the contract of a request-tier layer", () => {
  const make = Effect.map(registryOf, (registry) =>
    AdmissionThrottle.make({ registry, rates: AdmissionRates.make(), random: () => 1 })
  )
  for (const { check, name } of Contract.requestLayer(make)) it.effect(name, () => check)
})
