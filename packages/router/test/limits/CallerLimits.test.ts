import { assert, describe, it } from "@effect/vitest"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { estimate, total } from "@switchyard/core/Usage"
import * as CallerLimits from "@switchyard/router/CallerLimits"
import * as CallerWindows from "@switchyard/router/CallerWindows"
import * as Router from "@switchyard/router/Router"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, Either, type Exit, Fiber, Layer, Stream, TestClock } from "effect"
import { forSeeds, VirtualTime } from "../support/schedules.js"

/** One prompt token and four of output. */
const five = estimate(1, 4)

const setup = (
  options: CallerLimits.Options,
  windows = CallerWindows.make(),
  inside: Service.RequestLayer = (next) => next
) => {
  const stub = StubLlm.make({ usage: five })
  const service = stub.requests.pipe(inside, CallerLimits.make({ windows }, options))
  return { stub, windows, service, used: (now: number, caller = "alice") => windows.window(caller, now).used(now) }
}

const ask = (caller: string | undefined = "alice", maxTokens: number | null = 4) =>
  LlmRequest.chat(
    {
      model: "m",
      messages: [{ role: "user", content: "" }],
      ...(maxTokens === null ? {} : { max_tokens: maxTokens })
    },
    caller === undefined ? {} : { caller }
  )

const refusal = (service: Service.RequestService, request = ask()): Effect.Effect<LlmError> =>
  Effect.map(Effect.orDie(Effect.flip(LlmService.complete(service, request))), (error) => {
    assert.deepStrictEqual(
      [error.reason, error.code, error.deployment, error.httpStatus],
      ["Rejected", "caller_limit", undefined, 429]
    )
    return error
  })

const alice = (limit: CallerWindows.CallerLimit): CallerLimits.Options => ({ callers: { alice: limit } })

/** Asks again after a failure. */
const retrying: Service.RequestLayer = (next) =>
  Service.request((request) => Effect.catchAll(next.call(request), () => next.call(request)))

describe("a caller's limits", () => {
  it.effect("requests: the last one fits, the next is told when it will, and nobody is called", () =>
    Effect.gen(function* () {
      const { service, stub } = setup(alice({ rpm: 2 }))
      yield* LlmService.complete(service, ask())
      yield* TestClock.adjust("10 seconds")
      yield* LlmService.complete(service, ask())
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* refusal(service)).retryAfter, 40_000)
      assert.strictEqual(stub.calls.length, 2)
      yield* TestClock.adjust("40 seconds")
      yield* LlmService.complete(service, ask())
      assert.strictEqual((yield* refusal(service)).retryAfter, 10_000)
    })
  )
  it.effect("tokens: what may be used is reserved, what was used counts", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice({ tpm: 600 }))
      stub.reply({ delay: 100, usage: five })
      const fiber = yield* Effect.fork(LlmService.complete(service, ask("alice", null)))
      yield* Effect.yieldNow()
      assert.strictEqual(used(0).tokens, 501)
      assert.strictEqual((yield* refusal(service, ask("alice", 101))).retryAfter, undefined)
      yield* TestClock.adjust(100)
      yield* Fiber.join(fiber)
      assert.strictEqual(used(100).tokens, 5)
      yield* Effect.forkDaemon(LlmService.complete(service, ask("alice", 594)))
      yield* TestClock.adjust(100)
      assert.strictEqual(used(200).tokens, 10)
      assert.strictEqual((yield* refusal(service, ask("alice", 591))).retryAfter, 59_800)
    })
  )
  it.effect("calls at once: a stream holds its permit to its end, and who leaves it gives it back", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice({ maxParallel: 1 }))
      stub.reply({ chunks: ["a", "b"], gap: 100, usage: five })
      const reading = yield* Effect.fork(Stream.runDrain(LlmService.stream(service, ask())))
      yield* TestClock.adjust(50)
      assert.strictEqual((yield* refusal(service)).retryAfter, undefined)
      yield* TestClock.adjust(50)
      yield* Fiber.join(reading)
      assert.deepStrictEqual(used(100), { requests: 1, tokens: 5, calls: 0 })
      yield* Stream.runDrain(Stream.take(LlmService.stream(service, ask()), 2))
      assert.strictEqual(used(100).calls, 0)
      stub.reply({ hang: true })
      const hanging = yield* Effect.fork(LlmService.complete(service, ask()))
      yield* Effect.yieldNow()
      yield* refusal(service)
      yield* Fiber.interrupt(hanging)
      assert.strictEqual(used(100).calls, 0)
      stub.reply({})
      yield* LlmService.complete(service, ask())
    })
  )
  it.effect("each caller has its own; requests without a caller, and callers without limits, have none", () =>
    Effect.gen(function* () {
      const { service } = setup(alice({ rpm: 1 }))
      yield* LlmService.complete(service, ask())
      yield* refusal(service)
      for (const caller of ["bob", undefined, "constructor"]) {
        for (let i = 0; i < 3; i++) yield* LlmService.complete(service, { ...ask(), caller })
      }
    })
  )
  it.effect("those of every caller are for those who are not listed, each for itself", () =>
    Effect.gen(function* () {
      const { service } = setup({ ...alice({ rpm: 2 }), everyCaller: { rpm: 1 } })
      for (const caller of ["alice", "alice", "bob", "carol"]) yield* LlmService.complete(service, ask(caller))
      for (const caller of ["alice", "bob", "carol"]) yield* refusal(service, ask(caller))
    })
  )
  it.effect("of 0 let nothing through and promise nothing", () =>
    Effect.gen(function* () {
      for (const limit of [{ rpm: 0 }, { tpm: 0 }, { maxParallel: 0 }]) {
        const { service, stub } = setup(alice(limit))
        assert.strictEqual((yield* refusal(service)).retryAfter, undefined)
        assert.strictEqual(stub.calls.length, 0)
      }
    })
  )
  it.effect("a reload with other limits forgets nothing, neither what was used nor what is in flight", () =>
    Effect.gen(function* () {
      const windows = CallerWindows.make()
      const before = setup(alice({ rpm: 5 }), windows)
      before.stub.reply({ hang: true })
      const hanging = yield* Effect.fork(LlmService.complete(before.service, ask()))
      yield* Effect.yieldNow()
      assert.include((yield* refusal(setup(alice({ rpm: 1 }), windows).service)).description, "1 requests per minute")
      const narrow = setup(alice({ rpm: 5, maxParallel: 1 }), windows)
      yield* refusal(narrow.service)
      yield* Fiber.interrupt(hanging)
      yield* LlmService.complete(narrow.service, ask())
      assert.strictEqual(narrow.used(0).requests, 2)
    })
  )
  it.effect("the tokens of all attempts count, the request once", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice({ tpm: 1_000 }), CallerWindows.make(), retrying)
      stub.reply(({ index }) =>
        index === 0 ? { fail: { reason: "Timeout", phase: "total", description: "late" } } : { usage: five }
      )
      const prompt = { ...ask().body, model: "m", messages: [{ role: "user", content: "x".repeat(40) }] }
      yield* LlmService.complete(service, LlmRequest.chat(prompt, { caller: "alice" }))
      assert.deepStrictEqual(used(0), { requests: 1, tokens: 10 + 1 + 5, calls: 0 })
    })
  )
  it.effect("an error that the provider answered with used no tokens", () =>
    Effect.gen(function* () {
      const { service, stub, used } = setup(alice({ tpm: 1_000 }))
      stub.reply({ fail: { reason: "RateLimited", description: "429" } })
      yield* Effect.exit(LlmService.complete(service, ask()))
      assert.deepStrictEqual(used(0), { requests: 1, tokens: 0, calls: 0 })
    })
  )
})

describe("the layer", () => {
  it.effect("says everything that is wrong with its options", () =>
    Effect.gen(function* () {
      const wrong = { callers: { alice: { rpm: -1, tpm: "many" } }, everyCaller: { maxParallel: 0.5 }, everyone: {} }
      const Live = CallerLimits.layerWith(wrong as unknown as CallerLimits.Options).pipe(
        Layer.provide(Layer.succeed(LlmService.LlmService, StubLlm.make().requests)),
        Layer.provide(CallerWindows.layerMemory)
      )
      const built = yield* Effect.either(Effect.scoped(Layer.build(Live)))
      assert.deepStrictEqual(Either.isLeft(built) ? built.left.issues.map((found) => found.path).sort() : [], [
        "callerLimits.callers.alice.rpm",
        "callerLimits.callers.alice.tpm",
        "callerLimits.everyCaller.maxParallel",
        "callerLimits.everyone"
      ])
    })
  )
})

describe("in the tower", () => {
  it.scoped("limits stand inside the cache and outside retries and fallbacks", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ fail: { reason: "Unavailable", description: "down", status: 503 } })
      const { service, state } = yield* Router.make(
        {
          deployments: ["a", "b", "spare"].map((id) => ({ id, group: id === "spare" ? "spare" : "m", model: "m" })),
          fallback: { chains: { general: { m: ["spare"] }, rateLimit: { m: ["spare"] } } },
          cache: { ttl: "1 hour" },
          callerLimits: { everyCaller: { rpm: 2 } }
        },
        stub.attempts
      )
      const failing = yield* Effect.fork(Effect.flip(LlmService.complete(service, ask())))
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(failing)
      const attempts = stub.calls.length
      assert.isAtLeast(attempts, 3)
      stub.reply({})
      yield* LlmService.complete(service, ask())
      for (let i = 0; i < 5; i++) yield* LlmService.complete(service, ask())
      yield* refusal(service, ask("alice", 5))
      assert.strictEqual(stub.calls.length, attempts + 1)
      const windows = Context.get(state, CallerWindows.CallerWindows)
      assert.deepInclude(windows.window("alice", 0).used(30_000), { requests: 2, calls: 0 })
    })
  )
})

describe("any schedule", () => {
  it("no 60 s see more than the limits, nobody is refused who fits, and nothing is held at the end", () => {
    let refusals = 0
    forSeeds(1_000, (dice) => {
      const opsBeforeYield = dice.pick([2048, 19, 23, 31])
      const time = new VirtualTime(opsBeforeYield)
      const [rpm, tpm, maxParallel] = [dice.int(1, 8), dice.int(5, 40), dice.int(1, 5)]
      const admitted: Array<number> = []
      let inFlight = 0
      const counting: Service.RequestLayer = (next) =>
        Service.request((request) =>
          Service.bracket(
            () => {
              admitted.push(time.now)
              inFlight++
            },
            () => next.call(request),
            () => {
              inFlight--
            }
          )
        )
      const inside = dice.pick([retrying, (next) => next])
      const { service, stub, used } = setup(alice({ rpm, tpm, maxParallel }), CallerWindows.make(), (next) =>
        counting(inside(next))
      )
      const problems: Array<string> = []
      const refused = (error: LlmError) =>
        Effect.sync(() => {
          if (error.code !== "caller_limit") return
          refusals++
          const { calls, requests, tokens } = used(time.now)
          // A fiber that yields may look only after others have made room.
          if (opsBeforeYield < 2048 || calls >= maxParallel || requests >= rpm || tokens + 5 > tpm) return
          problems.push(`refused with ${calls} calls, ${requests} requests, ${tokens} tokens`)
        })
      const watched = Service.mapRequest((call) => Effect.tapError(call, refused))(service)
      stub.reply(() => {
        const delay = dice.pick([0, 1, 20_000, 70_000])
        const usage = estimate(1, dice.int(0, 8))
        return dice.pick<StubLlm.Reply>([
          { delay, usage },
          { delay, fail: { reason: "RateLimited", description: "429" } },
          { chunks: ["one ", "two ", "three"], gap: dice.int(1, 30_000), usage }
        ])
      })
      const overshoot = () =>
        stub.outcomes.reduce((sum, { usage }) => sum + (usage === undefined ? 0 : Math.max(0, total(usage) - 5)), 0)
      const check = () => {
        if (inFlight > maxParallel) problems.push(`${inFlight} of ${maxParallel} calls`)
        const { tokens } = used(time.now)
        if (tokens > tpm + overshoot()) problems.push(`${tokens} of ${tpm} tokens, overshoot ${overshoot()}`)
        if (problems.length > 0) throw new Error(`${problems[0]} at ${time.now}`)
      }
      const fibers: Array<Fiber.RuntimeFiber<Exit.Exit<unknown, LlmError>>> = []
      for (let i = 0; i < 20; i++) {
        const call: Effect.Effect<unknown, LlmError> = dice.chance(0.5)
          ? Stream.runDrain(LlmService.stream(watched, ask()))
          : LlmService.complete(watched, ask())
        fibers.push(time.fork(Effect.exit(call)))
        time.flush(dice.int(0, 60))
        if (dice.chance(0.2)) time.interrupt(dice.pick([fibers[0] ?? assert.fail(), ...fibers]))
        if (dice.chance(0.6)) time.advance(time.now + dice.int(0, 30_000), check)
        check()
      }
      time.advance(time.now + 300_000, check)
      admitted.forEach((at, index) => {
        const after = admitted[index + rpm]
        if (after !== undefined && after - at < 60_000) throw new Error(`${rpm + 1} requests from ${at} to ${after}`)
      })
      if (inFlight !== 0 || stub.inFlight() !== 0) throw new Error(`${inFlight} calls in flight`)
      const left = used(time.now)
      if (left.calls + left.requests + left.tokens !== 0) throw new Error(`left: ${JSON.stringify(left)}`)
    })
    assert.isAbove(refusals, cases(9_000))
  })
})
