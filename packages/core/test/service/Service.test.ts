import { assert, describe, it } from "@effect/vitest"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import { toStream } from "@switchyard/core/EventStream"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { isUnknown } from "@switchyard/core/Opening"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { busy, open } from "@switchyard/core/Status"
import { cases } from "@switchyard/testing/Effort"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Cause, Context, Effect, Exit, Fiber, FastCheck as fc, Layer, Option, Stream, TestClock } from "effect"

const request = (stream = false) =>
  LlmRequest.begin(LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], stream }), 0)
const newAttempt = (stream = false) => StubLlm.attempt(request(stream), StubLlm.slot("a"))
const tags = (outcomes: ReadonlyArray<Outcome>) => outcomes.map((outcome) => outcome._tag)

/** A call of a stub, with the outcomes that `onSettled` told. */
const watched = (reply: StubLlm.Reply, stream = false) => {
  const stub = StubLlm.make(reply)
  const told: Array<Outcome> = []
  const call = Service.onSettled(stub.attempts.call(newAttempt(stream)), (outcome) => told.push(outcome))
  return { stub, told, call }
}

const streaming = (call: Service.Call) =>
  Effect.map(call, (response) => {
    if (response._tag !== "Streaming") throw new Error("not a stream")
    return response.events
  })

describe("onSettled tells exactly once", () => {
  it.effect("a whole answer, with its usage", () =>
    Effect.gen(function* () {
      const { call, told } = watched({})
      const response = yield* call
      assert.deepStrictEqual(told, response._tag === "Complete" ? [response.outcome] : [])
    })
  )

  it.effect("a failure", () =>
    Effect.gen(function* () {
      const { call, told } = watched({ fail: { reason: "RateLimited", description: "slow down" } })
      const error = yield* Effect.flip(call)
      assert.deepStrictEqual(told, [{ _tag: "Failed", error, usage: undefined }])
    })
  )

  it.effect("a defect, which goes on as a defect", () =>
    Effect.gen(function* () {
      const { call, told } = watched({ defect: "bug" })
      const exit = yield* Effect.exit(call)
      assert.deepStrictEqual(Exit.isFailure(exit) ? Cause.dieOption(exit.cause) : undefined, Option.some("bug"))
      assert.deepStrictEqual(tags(told), ["Failed"])
    })
  )

  it.effect("an interruption", () =>
    Effect.gen(function* () {
      const { call, told } = watched({ hang: true })
      const fiber = yield* Effect.fork(call)
      yield* Effect.yieldNow()
      assert.deepStrictEqual(told, [])
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(tags(told), ["Abandoned"])
    })
  )

  it.effect("a stream at its end, not at its beginning", () =>
    Effect.gen(function* () {
      const { call, told } = watched({ text: "a b c", gap: "1 second" }, true)
      const events = yield* streaming(call)
      assert.deepStrictEqual(told, [])
      const reader = yield* Effect.fork(Stream.runDrain(toStream(events)))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(reader)
      events.close()
      assert.deepStrictEqual(tags(told), ["Completed"])
    })
  )

  it.effect("a stream that dies after content", () =>
    Effect.gen(function* () {
      const fail = { reason: "Unavailable", description: "reset" } as const
      const { call, told } = watched({ text: "a b c", fail, failAfter: 1 }, true)
      const error = yield* Effect.flip(Stream.runDrain(toStream(yield* streaming(call))))
      assert.strictEqual(error.reason, "StreamInterrupted")
      assert.deepStrictEqual(
        told.map((outcome) => (outcome._tag === "Failed" ? outcome.error : undefined)),
        [error]
      )
    })
  )

  it.effect("a stream that its reader leaves", () =>
    Effect.gen(function* () {
      const { call, told } = watched({ text: "a b c", stallAfter: 1 }, true)
      const events = yield* streaming(call)
      events.close()
      events.close()
      assert.deepStrictEqual(tags(told), ["Abandoned"])
    })
  )

  it.effect("a stream that has settled before anybody could register", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({})
      const response = yield* stub.attempts.call(newAttempt(true))
      if (response._tag === "Streaming") response.events.close()
      const told: Array<Outcome> = []
      yield* Service.onSettled(Effect.succeed(response), (outcome) => told.push(outcome))
      assert.deepStrictEqual(tags(told), ["Abandoned"])
    })
  )
})

describe("bracket", () => {
  const refused = new LlmError({ reason: "Rejected", description: "full" })

  it.effect("takes when the call runs, not when it is built, and each time it runs", () =>
    Effect.gen(function* () {
      let taken = 0
      const ended: Array<number> = []
      const stub = StubLlm.make({})
      const call = Service.bracket(
        () => ++taken,
        () => stub.attempts.call(newAttempt()),
        (mine) => ended.push(mine)
      )
      assert.strictEqual(taken, 0)
      yield* call
      yield* call
      assert.deepStrictEqual(ended, [1, 2])
    })
  )

  it.effect("a refusal calls nothing and gives nothing back", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({})
      let ended = 0
      const call = Service.bracket(
        () => refused,
        () => stub.attempts.call(newAttempt()),
        () => ended++
      )
      assert.strictEqual(yield* Effect.flip(call), refused)
      assert.strictEqual(stub.calls.length, 0)
      assert.strictEqual(ended, 0)
    })
  )

  it.effect("leaves the call itself interruptible", () =>
    Effect.gen(function* () {
      const ended: Array<string> = []
      const stub = StubLlm.make({ hang: true })
      const call = Service.bracket(
        () => 1,
        () => stub.attempts.call(newAttempt()),
        (_, outcome) => ended.push(outcome._tag)
      )
      const fiber = yield* Effect.fork(call)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(ended, ["Abandoned"])
      assert.strictEqual(stub.inFlight(), 0)
    })
  )
})

describe("an interruption anywhere", () => {
  const caseOf = fc.record({
    stream: fc.boolean(),
    reply: fc.constantFrom<StubLlm.Reply>(
      {},
      { hang: true },
      { stallAfter: 0 },
      { stallAfter: 1 },
      { defect: "bug" },
      { fail: { reason: "Unavailable", description: "down" } },
      { text: "a b c", fail: { reason: "Unavailable", description: "reset" }, failAfter: 1 }
    ),
    /** A small number makes the fiber yield every few operations, so that an interruption can fall between any two. */
    maxOps: fc.constantFrom(16, 17, 18, 19, 20, 21, 23, 29, 2048),
    /** Moves those yields by so many operations. */
    shift: fc.nat(22),
    yields: fc.nat(60)
  })

  it.effect(
    "settles every watcher once and gives back what was taken",
    () =>
      Effect.gen(function* () {
        const seed = 77
        const sampled = fc.sample(caseOf, { seed, numRuns: cases(2000) })
        yield* Effect.forEach(
          sampled,
          (one) =>
            Effect.gen(function* () {
              const hint = `seed ${seed}, ${JSON.stringify(one)}`
              const stub = StubLlm.make(one.reply)
              const attempt = newAttempt(one.stream)
              let permits = 0
              let begun = 0
              const inner: Array<Outcome> = []
              const outer: Array<Outcome> = []
              const taken = Service.bracket(
                () => {
                  permits++
                  begun++
                },
                () => Service.onSettled(stub.attempts.call(attempt), (outcome) => inner.push(outcome)),
                (_, outcome) => {
                  permits--
                  outer.push(outcome)
                }
              )
              const call = Effect.flatMap(Service.primed(taken), (response) =>
                response._tag === "Streaming" ? Stream.runDrain(toStream(response.events)) : Effect.void
              )
              // As the accessors do: whatever the call left open ends with it.
              let owned = Effect.ensuring(
                call,
                Effect.sync(() => attempt.release())
              )
              for (let i = 0; i < one.shift; i++) {
                const later = owned
                owned = Effect.suspend(() => later)
              }
              const fiber = yield* Effect.fork(Effect.withMaxOpsBeforeYield(owned, one.maxOps))
              for (let i = 0; i < one.yields; i++) yield* Effect.yieldNow()
              yield* Fiber.interrupt(fiber)
              assert.strictEqual(permits, 0, hint)
              assert.strictEqual(outer.length, begun, hint)
              assert.isAtMost(inner.length, begun, hint)
              assert.strictEqual(stub.outcomes.length, stub.calls.length, hint)
              assert.strictEqual(stub.inFlight(), 0, hint)
              assert.strictEqual(stub.openStreams(), 0, hint)
            }),
          { concurrency: 50, discard: true }
        )
      }),
    120_000
  )
})

describe("primed", () => {
  it.effect("a whole answer passes, and so does a stream with content in hand", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({})
      assert.strictEqual((yield* Service.primed(stub.attempts.call(newAttempt())))._tag, "Complete")
      const events = yield* streaming(Service.primed(stub.attempts.call(newAttempt(true))))
      assert.isTrue(events.settlement.hasContent)
      yield* Service.primed(
        Effect.succeed({ _tag: "Streaming", status: 200, headers: {}, events, journal: request().route.journal })
      )
      assert.strictEqual((yield* Stream.runCollect(toStream(events))).length, 4, "no event was taken out")
    })
  )

  it.effect("waits for the content, and turns an error before it into a failure of the call", () =>
    Effect.gen(function* () {
      const late = StubLlm.make({ firstToken: "3 seconds" })
      const waiting = yield* Effect.fork(Service.primed(late.attempts.call(newAttempt(true))))
      yield* TestClock.adjust("2999 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(waiting)))
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(waiting)
      const failing = StubLlm.make({ fail: { reason: "Unavailable", description: "reset" }, failAfter: 0 })
      const error = yield* Effect.flip(Service.primed(failing.attempts.call(newAttempt(true))))
      assert.strictEqual(error.reason, "Unavailable")
      assert.deepStrictEqual(tags(failing.outcomes), ["Failed"])
    })
  )

  it.effect("a clean end without content is an answer", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ chunks: [] })
      const events = yield* streaming(Service.primed(stub.attempts.call(newAttempt(true))))
      assert.isFalse(events.settlement.hasContent)
      assert.strictEqual(events.settlement.outcome?._tag, "Completed")
    })
  )

  it.effect("a caller that leaves while waiting closes the stream", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ stallAfter: 0 })
      const waiting = yield* Effect.fork(Service.primed(stub.attempts.call(newAttempt(true))))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(stub.openStreams(), 1)
      yield* Fiber.interrupt(waiting)
      assert.deepStrictEqual(tags(stub.outcomes), ["Abandoned"])
    })
  )
})

describe("services and layers as values", () => {
  it.effect("a base service is open, pipes, and mapped layers forward status", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({})
      const base = Service.attempt(stub.attempts.call)
      const slot = StubLlm.slot("a")
      assert.strictEqual(base.status(slot, request(), 0), open)
      const full = busy("rpm", 5)
      stub.setStatus(full)
      let told = 0
      const mapped = stub.attempts.pipe(Service.mapAttempt((call) => Service.onSettled(call, () => told++)))
      assert.strictEqual(mapped.status(slot, request(), 0), full)
      yield* mapped.call(newAttempt())
      const requests = stub.requests.pipe(Service.mapRequest((call) => Service.onSettled(call, () => told++)))
      yield* requests.call(request())
      assert.strictEqual(told, 2)
    })
  )

  it.effect("wrap takes the inner service from the context, and what its making needs", () =>
    Effect.gen(function* () {
      class Name extends Context.Tag("Name")<Name, string>() {}
      const seen: Array<string> = []
      const layer = (suffix: string) =>
        Service.wrap(
          DeploymentService,
          Effect.map(Name, (name) =>
            Service.mapAttempt((call) =>
              Effect.zipRight(
                Effect.sync(() => seen.push(name + suffix)),
                call
              )
            )
          )
        )
      const stub = StubLlm.make({})
      const live = layer("-outer").pipe(
        Layer.provide(layer("-inner")),
        Layer.provide(Layer.succeed(DeploymentService, stub.attempts)),
        Layer.provide(Layer.succeed(Name, "n"))
      )
      yield* Effect.flatMap(DeploymentService, (service) => service.call(newAttempt())).pipe(Effect.provide(live))
      assert.deepStrictEqual(seen, ["n-outer", "n-inner"])
      assert.strictEqual(stub.calls.length, 1)
    })
  )
})

describe("readiness on the request tier", () => {
  const openings = (service: Service.RequestService, sent = request()) => service.openings(sent, 5)
  const names = (service: Service.RequestService, sent = request()) =>
    openings(service, sent).map(({ deployment }) => deployment as string)
  const stub = StubLlm.make()
  stub.setOpenings(({ model }, now) => [{ deployment: StubLlm.deployment(model).id, opensAt: now, namedAt: now }])

  it("a service that says nothing of it is open for all that is known, and names nobody", () => {
    const silent = Service.request(stub.requests.call)
    assert.deepStrictEqual(openings(silent), [{ deployment: undefined, opensAt: 5, namedAt: 5 }])
    assert.isTrue(isUnknown(openings(silent)))
    assert.isFalse(isUnknown(openings(stub.requests)))
    assert.isFalse(isUnknown([]))
  })

  it("goes through a layer that maps calls, and through one that is made by spread, which can be piped all the same", () => {
    const spread: Service.RequestLayer = (next) => ({
      ...next,
      call: (sent) => Effect.zipRight(Effect.void, next.call(sent))
    })
    const service = stub.requests.pipe(spread).pipe(Service.mapRequest((call) => call))
    assert.deepStrictEqual(names(service), ["m"])
    const attempts: Service.AttemptService = { ...stub.attempts }
    assert.strictEqual(
      attempts.pipe((inner) => inner.call),
      stub.attempts.call
    )
  })

  it.effect("is asked about the request that a layer would send, where it changes requests", () =>
    Effect.gen(function* () {
      const other = stub.requests.pipe(Service.mapInput((sent) => ({ ...sent, model: "other" })))
      assert.deepStrictEqual(names(other), ["other"])
      yield* other.call(request())
      assert.strictEqual(stub.calls[stub.calls.length - 1]?.request.model, "other")
    })
  )
})
