import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { busy, closed } from "@switchyard/core/Status"
import type { Usage } from "@switchyard/core/Usage"
import * as Limits from "@switchyard/router/Limits"
import * as UsageWindows from "@switchyard/router/UsageWindows"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Exit, Fiber, Layer, TestClock } from "effect"
import { forSeeds, VirtualTime } from "../support/schedules.js"

/** Three estimated input tokens: twelve characters. */
const chat = (body: object = {}) =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "01234567" }], ...body })

const used = (inputTokens: number, outputTokens: number): Usage => ({
  inputTokens,
  outputTokens,
  cachedInputTokens: 0,
  reasoningTokens: 0,
  estimated: false
})

const setup = (config: Partial<DeploymentConfig>, options: Limits.Options = {}) => {
  const windows = UsageWindows.make()
  const stub = StubLlm.make()
  const service = Limits.make({ windows }, options)(stub.attempts)
  const slot = StubLlm.slot("a", config)
  const send = (body: object = {}): Service.Call =>
    Effect.suspend(() => service.call(StubLlm.attempt(chat(body), slot)))
  const status = (now: number, body: object = {}) => service.status(slot, chat(body), now)
  return { windows, stub, service, slot, send, status, usage: (now: number) => windows.usage(slot, now) }
}

const unsent: ReadonlyArray<readonly [string, StubLlm.Reply]> = [
  ["a refused connection", { fail: { reason: "Unavailable", description: "refused", code: "ECONNREFUSED" } }],
  ["an unknown host", { fail: { reason: "Unavailable", description: "dns", code: "ENOTFOUND" } }],
  ["a connect timeout", { fail: { reason: "Timeout", description: "slow", phase: "connect", bound: "deployment" } }],
  ["a rejection by an inner layer", { fail: { reason: "Rejected", description: "spend", code: "spend" } }]
]

const failures: ReadonlyArray<readonly [string, StubLlm.Reply]> = [
  ["a 500", { fail: { reason: "Unavailable", description: "oops", status: 500 } }],
  ["a reset connection", { fail: { reason: "Unavailable", description: "reset", code: "ECONNRESET" } }],
  ["a 429", { fail: { reason: "RateLimited", description: "slow down", status: 429 } }],
  ["a total timeout", { fail: { reason: "Timeout", description: "slow", phase: "total", bound: "deployment" } }],
  ["a defect", { defect: new Error("bug") }]
]

describe("rpm", () => {
  it.effect("is Busy when used up, until the oldest request is a minute old", () =>
    Effect.gen(function* () {
      const { send, status } = setup({ rpm: 2 })
      yield* send()
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(status(10_000)._tag, "Open")
      yield* send()
      assert.deepStrictEqual(status(10_000), busy("rpm", 60_000))
      yield* TestClock.adjust("50 seconds")
      yield* send()
      assert.deepStrictEqual(status(60_000), busy("rpm", 70_000))
    })
  )

  it.effect("turns away who lost the race with a rejection of that deployment, and asks nobody", () =>
    Effect.gen(function* () {
      const { send, stub } = setup({ rpm: 1 })
      yield* send()
      yield* TestClock.adjust("20 seconds")
      const error = yield* Effect.flip(send())
      assert.strictEqual(error.reason, "Rejected")
      assert.strictEqual(error.deployment, "a")
      assert.strictEqual(error.code, "rpm")
      assert.strictEqual(error.retryAfter, 40_000)
      assert.strictEqual(stub.calls.length, 1)
    })
  )

  it.effect("of N calls at once admits exactly the limit", () =>
    Effect.gen(function* () {
      const { send, stub } = setup({ rpm: 7 })
      stub.reply({ delay: 100 })
      const fiber = yield* Effect.fork(
        Effect.forEach(Array(50).keys(), () => Effect.exit(send()), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust(100)
      const exits = yield* Fiber.join(fiber)
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 7)
      assert.strictEqual(stub.calls.length, 7)
    })
  )

  for (const [what, reply] of failures) {
    it.effect(`stays counted after ${what}: the provider counted it`, () =>
      Effect.gen(function* () {
        const { send, status, stub, usage } = setup({ rpm: 1, maxParallel: 9 })
        stub.reply(reply)
        yield* Effect.exit(send())
        assert.strictEqual(usage(0).requests, 1)
        assert.deepStrictEqual(status(0), busy("rpm", 60_000))
      })
    )
  }

  for (const [what, reply] of unsent) {
    it.effect(`is given back after ${what}, with tokens and permit: no byte was sent`, () =>
      Effect.gen(function* () {
        const { send, status, stub, usage } = setup({ rpm: 1, tpm: 100, maxParallel: 1 })
        stub.reply(reply)
        yield* Effect.exit(send())
        assert.deepStrictEqual({ ...usage(0) }, { requests: 0, tokens: 0, headroom: 1 })
        assert.strictEqual(status(0)._tag, "Open")
      })
    )
  }

  it.effect("stays counted when the caller leaves", () =>
    Effect.gen(function* () {
      const { send, stub, usage } = setup({ rpm: 5 })
      stub.reply({ hang: true })
      const fiber = yield* Effect.fork(send())
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(usage(0).requests, 1)
    })
  )
})

describe("maxParallel", () => {
  it.effect("holds a permit from the start of an attempt until its answer", () =>
    Effect.gen(function* () {
      const { send, status, stub } = setup({ maxParallel: 1 })
      stub.reply({ delay: 1000 })
      const fiber = yield* Effect.fork(send())
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(status(999), { ...busy("maxParallel"), early: true })
      assert.strictEqual((yield* Effect.flip(send())).code, "maxParallel")
      yield* TestClock.adjust(1)
      yield* Fiber.join(fiber)
      assert.strictEqual(status(1000)._tag, "Open")
    })
  )

  const stream: ReadonlyArray<readonly [string, StubLlm.Reply]> = [
    ["clean end", { chunks: ["a", "b", "c"], gap: 100 }],
    ["cut", { chunks: ["a", "b", "c"], gap: 100, fail: { reason: "Unavailable", description: "cut" }, failAfter: 3 }]
  ]
  for (const [how, reply] of stream) {
    it.effect(`holds it through the whole stream, to its ${how}`, () =>
      Effect.gen(function* () {
        const { send, status, stub } = setup({ maxParallel: 1 })
        stub.reply(reply)
        const response = yield* send({ stream: true })
        assert.strictEqual(response._tag, "Streaming")
        yield* TestClock.adjust(150)
        assert.deepStrictEqual(status(150), { ...busy("maxParallel"), early: true })
        yield* TestClock.adjust(50)
        assert.strictEqual(status(200)._tag, "Open")
      })
    )
  }

  it.effect("gives it back when the reader of a stream leaves", () =>
    Effect.gen(function* () {
      const { send, status, stub, usage } = setup({ maxParallel: 1, rpm: 5 })
      stub.reply({ stallAfter: 1, chunks: ["12345678", "more"] })
      const response = yield* send({ stream: true })
      yield* TestClock.adjust(1)
      assert.strictEqual(status(1)._tag, "Busy")
      if (response._tag === "Streaming") response.events.close()
      assert.strictEqual(status(1)._tag, "Open")
      assert.strictEqual(usage(1).tokens, 3 + 2)
    })
  )

  it.effect("gives it back when the caller leaves before the answer", () =>
    Effect.gen(function* () {
      const { send, status, stub } = setup({ maxParallel: 1 })
      stub.reply({ hang: true })
      const fiber = yield* Effect.fork(send())
      yield* Effect.yieldNow()
      assert.strictEqual(status(0)._tag, "Busy")
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(status(0)._tag, "Open")
    })
  )

  for (const [what, reply] of [...failures, ...unsent]) {
    it.effect(`gives it back once after ${what}`, () =>
      Effect.gen(function* () {
        const { send, status, stub } = setup({ maxParallel: 1 })
        for (let i = 0; i < 3; i++) {
          stub.reply(reply)
          yield* Effect.exit(send())
          stub.reply({ hang: true })
          const fiber = yield* Effect.fork(send())
          yield* Effect.yieldNow()
          assert.strictEqual(status(0)._tag, "Busy")
          yield* Fiber.interrupt(fiber)
        }
        assert.strictEqual(status(0)._tag, "Open")
      })
    )
  }

  it.effect("gives it back when the inner service throws instead of giving an effect", () =>
    Effect.gen(function* () {
      const windows = UsageWindows.make()
      const broken = Service.attempt(() => {
        throw new Error("bug")
      })
      const service = Limits.make({ windows })(broken)
      const slot = StubLlm.slot("a", { maxParallel: 1 })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(service.call(StubLlm.attempt(chat(), slot)))))
      assert.strictEqual(service.status(slot, chat(), 0)._tag, "Open")
    })
  )
})

describe("tpm", () => {
  it.effect("reserves the prompt and the request's own maximum, then settles to what was used", () =>
    Effect.gen(function* () {
      const { send, stub, usage } = setup({ tpm: 1000 })
      stub.reply({ delay: 10, usage: used(5, 7) })
      const fiber = yield* Effect.fork(send({ max_tokens: 200 }))
      yield* Effect.yieldNow()
      assert.strictEqual(usage(0).tokens, 3 + 200)
      yield* TestClock.adjust(10)
      yield* Fiber.join(fiber)
      assert.strictEqual(usage(10).tokens, 12)
    })
  )

  it.effect("reserves a default for a request that names no maximum, and nothing for the output of embeddings", () =>
    Effect.gen(function* () {
      const { service, send, slot, stub, usage } = setup({ tpm: 5000 })
      stub.reply({ hang: true })
      const first = yield* Effect.fork(send())
      yield* Effect.yieldNow()
      assert.strictEqual(usage(0).tokens, 503)
      const embeddings = LlmRequest.embeddings({ model: "m", input: "0123456789ab" })
      const second = yield* Effect.fork(service.call(StubLlm.attempt(embeddings, slot)))
      yield* Effect.yieldNow()
      assert.strictEqual(usage(0).tokens, 506)
      yield* Fiber.interruptAll([first, second])
      const other = setup({ tpm: 5000 }, { outputTokens: 40 })
      other.stub.reply({ hang: true })
      yield* Effect.fork(other.send())
      yield* Effect.yieldNow()
      assert.strictEqual(other.usage(0).tokens, 43)
    })
  )

  it.effect("is Busy for a request that does not fit, and open for a smaller one", () =>
    Effect.gen(function* () {
      const { send, status, stub } = setup({ tpm: 100 })
      stub.reply({ usage: used(30, 30) })
      yield* send({ max_tokens: 60 })
      assert.deepStrictEqual(status(0, { max_tokens: 60 }), { ...busy("tpm", 60_000), early: true })
      assert.strictEqual(status(0, { max_tokens: 30 })._tag, "Open")
    })
  )

  it.effect("lets a request run that is larger than the limit, alone", () =>
    Effect.gen(function* () {
      const { send, stub } = setup({ tpm: 100 })
      stub.reply({ delay: 10 })
      const fiber = yield* Effect.fork(send({ max_tokens: 100_000 }))
      yield* Effect.yieldNow()
      assert.strictEqual((yield* Effect.flip(send({ max_tokens: 1 }))).code, "tpm")
      yield* TestClock.adjust(10)
      yield* Fiber.join(fiber)
      yield* Effect.fork(send({ max_tokens: 1 }))
    })
  )

  it.effect("after an overshoot blocks until that slides out of the window", () =>
    Effect.gen(function* () {
      const { send, status, stub } = setup({ tpm: 100 })
      stub.reply({ usage: used(400, 100), delay: 5000 })
      const fiber = yield* Effect.fork(send({ max_tokens: 10 }))
      yield* TestClock.adjust(5000)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(status(5000), { ...busy("tpm", 65_000), early: true })
      assert.deepStrictEqual(status(64_999), { ...busy("tpm", 65_000), early: true })
      assert.strictEqual(status(65_000)._tag, "Open")
    })
  )

  it.effect("counts the tokens of a stream when it has ended", () =>
    Effect.gen(function* () {
      const { send, stub, usage } = setup({ tpm: 1000 })
      stub.reply({ chunks: ["a", "b"], gap: 10, usage: used(20, 22) })
      yield* send({ stream: true, max_tokens: 100 })
      yield* Effect.yieldNow()
      assert.strictEqual(usage(0).tokens, 103)
      yield* TestClock.adjust(10)
      assert.strictEqual(usage(10).tokens, 42)
    })
  )

  it.effect("keeps the prompt of a call that failed or was left without any usage", () =>
    Effect.gen(function* () {
      const { send, stub, usage } = setup({ tpm: 1000 })
      stub.reply({ fail: { reason: "Unavailable", description: "oops", status: 500 } })
      yield* Effect.exit(send({ max_tokens: 100 }))
      assert.strictEqual(usage(0).tokens, 3)
      stub.reply({ hang: true })
      const fiber = yield* Effect.fork(send({ max_tokens: 100 }))
      yield* Effect.yieldNow()
      assert.strictEqual(usage(0).tokens, 106)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(usage(0).tokens, 6)
    })
  )

  it.effect("counts what a stream had used when it was cut", () =>
    Effect.gen(function* () {
      const { send, stub, usage } = setup({ tpm: 1000 })
      const cut = { fail: { reason: "Unavailable", description: "cut" }, failAfter: 1 } as const
      stub.reply({ chunks: ["x".repeat(40), "y"], ...cut })
      yield* send({ stream: true })
      yield* TestClock.adjust(1)
      assert.strictEqual(usage(1).tokens, 13)
    })
  )
})

describe("learning from headers", () => {
  const headers = { "x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "4" }

  it.effect("shrinks the headroom by what a response says is left", () =>
    Effect.gen(function* () {
      const { send, status, stub, usage } = setup({ rpm: 1000 })
      stub.reply({ headers })
      yield* send()
      assert.strictEqual(usage(0).headroom, 0.4)
      assert.strictEqual(status(0)._tag, "Open")
    })
  )

  it.effect("hears it from a stream's headers at once", () =>
    Effect.gen(function* () {
      const { send, stub, usage } = setup({ rpm: 1000 })
      stub.reply({ headers, stallAfter: 0 })
      const response = yield* send({ stream: true })
      assert.strictEqual(usage(0).headroom, 0.4)
      if (response._tag === "Streaming") response.events.close()
    })
  )

  it.effect("takes a 429's retry-after as no headroom, and no other error's", () =>
    Effect.gen(function* () {
      const { send, stub, usage } = setup({ rpm: 1000 })
      stub.reply({ fail: { reason: "Unavailable", description: "busy", status: 503, retryAfter: 9000 } })
      yield* Effect.exit(send())
      assert.isAbove(usage(0).headroom, 0.9)
      stub.reply({ fail: { reason: "RateLimited", description: "slow down", status: 429, retryAfter: 5000 } })
      yield* Effect.exit(send())
      assert.strictEqual(usage(4999).headroom, 0)
      assert.isAbove(usage(5000).headroom, 0.9)
    })
  )

  it.effect("reads dates against the wall clock", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 0, 1))
      const { send, stub, usage } = setup({ rpm: 1000 })
      stub.reply({
        headers: {
          "anthropic-ratelimit-requests-remaining": "0",
          "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:07Z"
        }
      })
      yield* send()
      const now = Date.UTC(2026, 0, 1)
      assert.strictEqual(usage(now + 6999).headroom, 0)
      assert.isAbove(usage(now + 7000).headroom, 0.9)
    })
  )

  it.effect("counts nonsense and goes on", () =>
    Effect.gen(function* () {
      const { send, stub, usage, windows } = setup({ rpm: 1000 })
      stub.reply({ headers: { "x-ratelimit-remaining-requests": "lots" } })
      yield* send()
      assert.strictEqual(windows.ignoredHeaders(), 1)
      assert.strictEqual(usage(0).headroom, 0.999)
    })
  )

  it.effect("can be switched off", () =>
    Effect.gen(function* () {
      const { send, stub, usage } = setup({ rpm: 1000 }, { learnFromHeaders: false })
      stub.reply({ headers })
      yield* send()
      stub.reply({ fail: { reason: "RateLimited", description: "slow down", retryAfter: 5000 } })
      yield* Effect.exit(send())
      assert.strictEqual(usage(0).headroom, 0.998)
    })
  )
})

describe("the layer", () => {
  it.effect("hands calls without limits straight to the inner service, until somebody asks for their usage", () =>
    Effect.gen(function* () {
      const windows = UsageWindows.make()
      const inner = Effect.fail(new LlmError({ reason: "Unavailable", description: "oops" }))
      const service = Limits.make({ windows })(Service.attempt(() => inner))
      const slot = StubLlm.slot("a")
      assert.strictEqual(service.call(StubLlm.attempt(chat(), slot)), inner)
      assert.strictEqual(windows.usage(slot, 0).requests, 0)
      yield* Effect.exit(service.call(StubLlm.attempt(chat(), slot)))
      assert.deepStrictEqual({ ...windows.usage(slot, 0) }, { requests: 1, tokens: 3, headroom: 1 })
    })
  )

  it.effect("answers with the worse of its own status and the inner one", () =>
    Effect.gen(function* () {
      const { send, status, stub } = setup({ rpm: 1 })
      stub.setStatus(closed("cooldown", 5))
      assert.deepStrictEqual(status(0), closed("cooldown", 5))
      yield* send()
      assert.deepStrictEqual(status(0), closed("cooldown", 5))
      stub.setStatus(busy("spend", 99_000))
      assert.deepStrictEqual(status(0), busy("spend", 99_000))
      stub.setStatus(busy("spend", 9000))
      assert.deepStrictEqual(status(0), busy("rpm", 60_000))
    })
  )

  it.effect("keeps deployments apart, and shares the windows of one between all callers", () =>
    Effect.gen(function* () {
      const { send, service, windows } = setup({ rpm: 1 })
      yield* send()
      const other = StubLlm.slot("b", { rpm: 1 })
      yield* service.call(StubLlm.attempt(chat(), other))
      assert.strictEqual(windows.usage(other, 0).requests, 1)
      assert.strictEqual((yield* Effect.flip(send())).reason, "Rejected")
    })
  )

  it.effect("holds limits also for an attempt that is sent although its breaker is closed", () =>
    Effect.gen(function* () {
      const { send, service, slot, stub } = setup({ rpm: 1 })
      yield* send()
      const attempt = Object.assign(StubLlm.attempt(chat(), slot), { forced: true })
      assert.strictEqual((yield* Effect.flip(service.call(attempt))).reason, "Rejected")
      assert.strictEqual(stub.calls.length, 1)
    })
  )

  it.effect("is built from the context, and refuses wrong options with their path", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const below = Layer.merge(Layer.succeed(DeploymentService, stub.attempts), UsageWindows.layerMemory)
      const built = Limits.layerWith({ outputTokens: 10 }).pipe(Layer.provide(below))
      const service = yield* Effect.provide(DeploymentService, built)
      const slot = StubLlm.slot("a", { rpm: 1 })
      yield* service.call(StubLlm.attempt(chat(), slot))
      assert.strictEqual((yield* Effect.flip(service.call(StubLlm.attempt(chat(), slot)))).reason, "Rejected")
      const wrong = Limits.layerWith({ outputTokens: -1 }).pipe(Layer.provide(below))
      const error = yield* Effect.flip(Effect.provide(DeploymentService, wrong))
      assert.deepStrictEqual(
        error.issues.map((issue) => issue.path),
        ["limits.outputTokens"]
      )
    })
  )
})

describe("under random schedules of arrivals, durations, failures and interruptions", () => {
  it("every admission is exactly what a plain model allows, at any number of fiber yields", () => {
    forSeeds(500, (dice) => {
      const limits = {
        ...(dice.chance(0.7) ? { rpm: dice.int(1, 6) } : {}),
        ...(dice.chance(0.6) ? { tpm: dice.int(20, 200) } : {}),
        ...(dice.chance(0.7) ? { maxParallel: dice.int(1, 4) } : {})
      }
      const { maxParallel = Infinity, rpm = Infinity, tpm = Infinity } = limits
      const time = new VirtualTime(dice.pick([2, 3, 4, 5, 8, 2048]))
      const windows = UsageWindows.make()
      const slot = StubLlm.slot("a", { rpm: 1_000_000, ...limits })
      const maximum = dice.int(1, 60)
      const estimate = 3 + maximum
      const replies = (): StubLlm.Reply => {
        const delay = dice.pick([1, 100, 5000, dice.int(1, 90_000)])
        const usage = used(dice.int(0, 20), dice.int(0, 80))
        const code = dice.pick(["ECONNREFUSED", "ECONNRESET"])
        return dice.pick<StubLlm.Reply>([
          { delay, usage },
          { delay, gap: dice.int(1, 20_000), chunks: ["a", "b", "c"], usage },
          { delay, fail: { reason: "Unavailable", description: "oops", code }, failAfter: 1, gap: 5 },
          { delay, defect: new Error("bug") },
          { hang: true }
        ])
      }
      const stub = StubLlm.make(replies)

      interface Call {
        readonly at: number
        readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
        close: () => void
        end?: { readonly at: number; readonly outcome: Outcome }
      }
      const calls: Array<Call> = []
      const service = Limits.make({ windows })(stub.attempts)

      const wasSent = (outcome: Outcome) =>
        !(outcome._tag === "Failed" && outcome.error.reason === "Unavailable" && outcome.error.code === "ECONNREFUSED")
      const admitted = () => calls.filter(({ end }) => !isRejection(end?.outcome))
      const requestsAt = (now: number) =>
        admitted().filter(({ at, end }) => at + 60_000 > now && (end === undefined || wasSent(end.outcome))).length
      const held = Math.max(1, Math.min(estimate, tpm))
      const tokensAt = (now: number) =>
        admitted().reduce((sum, { at, end }) => {
          if (end === undefined) return sum + held
          if (!wasSent(end.outcome)) return sum
          const { usage } = end.outcome
          const tokens = usage === undefined ? 3 : usage.inputTokens + usage.outputTokens
          return (
            sum +
            (at + 60_000 > now ? Math.min(tokens, held) : 0) +
            (end.at + 60_000 > now ? Math.max(0, tokens - held) : 0)
          )
        }, 0)
      const runningNow = () => admitted().filter(({ end }) => end === undefined)
      const room = (now: number) =>
        Math.max(
          0,
          Math.min(
            maxParallel - runningNow().length,
            rpm - requestsAt(now),
            tpm === Infinity ? Infinity : Math.floor((tpm - tokensAt(now)) / held)
          )
        )
      const isRejection = (outcome: Outcome | undefined) =>
        outcome?._tag === "Failed" && outcome.error.reason === "Rejected"

      const arrive = () => {
        const stream = dice.chance(0.4)
        const request = chat({ max_tokens: maximum, stream })
        const attempt = StubLlm.attempt(request, slot)
        const record: { -readonly [K in keyof Call]?: Call[K] } & { at: number } = {
          at: time.now,
          close: () => {}
        }
        const call = Service.onSettled(
          Effect.suspend(() => service.call(attempt)),
          (outcome) => {
            record.end = { at: time.now, outcome }
          }
        )
        record.fiber = time.fork(
          Effect.tap(call, (response) =>
            Effect.sync(() => {
              if (response._tag === "Streaming") record.close = () => response.events.close()
            })
          )
        )
        calls.push(record as Call)
      }

      for (let step = 0; step < 25; step++) {
        const batch = dice.pick([1, 1, 2, 5])
        const expected = Math.min(batch, room(time.now))
        const before = calls.length
        for (let i = 0; i < batch; i++) arrive()
        time.flush()
        const decided = calls.slice(before)
        assert.strictEqual(decided.filter(({ end }) => !isRejection(end?.outcome)).length, expected, "admitted")
        assert.isAtMost(runningNow().length, maxParallel)
        assert.isAtMost(runningNow().length * held, tpm)
        if (tpm !== Infinity) assert.strictEqual(windows.usage(slot, time.now).tokens, tokensAt(time.now), "tokens")
        assert.strictEqual(windows.usage(slot, time.now).requests, requestsAt(time.now), "requests")
        assert.strictEqual(
          service.status(slot, chat({ max_tokens: maximum }), time.now)._tag === "Open",
          room(time.now) > 0
        )
        const leaver = runningNow()[dice.int(0, 3)]
        if (leaver !== undefined && dice.chance(0.3)) {
          time.interrupt(leaver.fiber)
          leaver.close()
        }
        time.advance(time.now + dice.pick([0, 1, 50, dice.int(0, 5000), dice.int(0, 70_000)]))
      }
      for (const call of runningNow()) {
        time.interrupt(call.fiber)
        call.close()
      }
      time.advance(time.now + 200_000)
      assert.strictEqual(stub.inFlight(), 0)
      const { requests, tokens } = windows.usage(slot, time.now)
      assert.deepStrictEqual({ requests, tokens }, { requests: 0, tokens: 0 })
      for (let i = 0; i < Math.min(room(time.now), 10); i++) {
        assert.strictEqual(Effect.runSync(windows.reserve(slot, estimate, time.now))._tag, "Reservation")
      }
    })
  }, 60_000)

  it("a call that is interrupted between any two of its operations gives everything back", () => {
    let left = 0
    forSeeds(3000, (dice) => {
      const time = new VirtualTime(dice.int(2, 6))
      const windows = UsageWindows.make()
      const stub = StubLlm.make({ delay: dice.int(0, 2), chunks: ["a", "b"], gap: 1 })
      const slot = StubLlm.slot("a", { maxParallel: 1, tpm: 2000 })
      const service = Limits.make({ windows })(stub.attempts)
      const request = chat({ stream: dice.chance(0.5) })
      const attempt = StubLlm.attempt(request, slot)
      const fiber = time.fork(Effect.suspend(() => service.call(attempt)))
      time.flush(dice.int(0, 12))
      if (dice.chance(0.5)) time.advance(time.now + 1)
      time.flush(dice.int(0, 6))
      time.interrupt(fiber)
      time.flush()
      attempt.release()
      time.flush()
      if (stub.calls.length === 0) left++
      assert.strictEqual(stub.inFlight(), 0)
      assert.strictEqual(service.status(slot, request, time.now)._tag, "Open")
    })
    assert.isAbove(left, cases(300))
  }, 60_000)
})
