import { assert, describe, it } from "@effect/vitest"
import { toStream } from "@switchyard/core/EventStream"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import { busy, open } from "@switchyard/core/Status"
import * as ManualClock from "@switchyard/testing/ManualClock"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Chunk, Effect, Exit, Fiber, Option, Stream, TestClock } from "effect"

const request = (stream = false) => LlmRequest.chat({ model: "m", messages: [], stream })
const call = (stub: StubLlm.StubLlm, stream = false) =>
  stub.attempts.call(StubLlm.attempt(request(stream), StubLlm.slot("a")))
const collect = (stub: StubLlm.StubLlm) => Stream.runCollect(LlmService.stream(stub.requests, request()))

describe("StubLlm", () => {
  it.effect("answers at once unless it is told otherwise, and keeps a list of its calls", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const response = yield* call(stub)
      assert.strictEqual(response._tag, "Complete")
      assert.deepStrictEqual(
        stub.calls.map((one) => [one.index, one.deployment as string]),
        [[0, "a"]]
      )
      stub.reply({ fail: { reason: "RateLimited", description: "slow down", retryAfter: 5 } })
      const error = yield* Effect.flip(call(stub))
      assert.deepInclude(error, { reason: "RateLimited", deployment: "a", provider: "openai", retryAfter: 5 })
      assert.deepStrictEqual(
        stub.outcomes.map((outcome) => outcome._tag),
        ["Completed", "Failed"]
      )
    })
  )

  it.effect("may be scripted per call", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(({ index }) => ({ text: `answer ${index}` }))
      yield* call(stub)
      assert.include((yield* LlmService.complete(stub.requests, request())).raw, "answer 1")
    })
  )

  it.effect("a script that throws is a defect of that call, and the call is over", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make(() => {
        throw new Error("bad script")
      })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(call(stub))))
      assert.strictEqual(stub.inFlight(), 0)
      assert.strictEqual(stub.outcomes.length, 1)
    })
  )

  it.effect("waits as long as it is told", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ delay: "2 seconds" })
      const fiber = yield* Effect.fork(call(stub))
      yield* TestClock.adjust("1999 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      assert.strictEqual(stub.inFlight(), 1)
      yield* TestClock.adjust("1 millis")
      const response = yield* Fiber.join(fiber)
      assert.deepInclude(response._tag === "Complete" ? response.outcome : {}, {
        timeToFirstToken: 2000,
        duration: 2000
      })
    })
  )

  it.effect("streams word by word, in the time that it is told", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ text: "a b c", firstToken: "1 second", gap: "2 seconds" })
      const fiber = yield* Effect.fork(collect(stub))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(Chunk.size(yield* Fiber.join(fiber)), 6, "role, three words, finish reason, usage")
      assert.deepInclude(stub.outcomes[0], { _tag: "Completed", timeToFirstToken: 1000, duration: 5000 })
    })
  )

  it.effect("streams that fail, stall or lack a finish reason end as such", () =>
    Effect.gen(function* () {
      const fail = { reason: "Unavailable", description: "reset" } as const
      const cut = StubLlm.make({ text: "a b", finishReason: null })
      assert.strictEqual((yield* Effect.flip(collect(cut))).reason, "StreamInterrupted")
      const failing = StubLlm.make({ text: "a b", fail, failAfter: 0 })
      assert.strictEqual((yield* Effect.flip(collect(failing))).reason, "Unavailable")
      const stalling = StubLlm.make({ text: "a b", stallAfter: 1 })
      const fiber = yield* Effect.fork(collect(stalling))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(stalling.openStreams(), 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(stalling.openStreams(), 0)
      assert.deepStrictEqual(
        stalling.outcomes.map((outcome) => outcome._tag),
        ["Abandoned"]
      )
    })
  )

  it.effect("counts a stream as in flight until its end, and as open also when nobody holds it", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ stallAfter: 1 })
      const attempt = StubLlm.attempt(request(true), StubLlm.slot("a"))
      const response = yield* stub.attempts.call(attempt)
      assert.deepStrictEqual([stub.inFlight(), stub.openStreams()], [1, 1])
      attempt.release()
      assert.deepStrictEqual([stub.inFlight(), stub.openStreams()], [0, 0])
      const exit = yield* Effect.exit(
        response._tag === "Streaming" ? Stream.runDrain(toStream(response.events)) : Effect.void
      )
      assert.isTrue(Exit.isFailure(exit))
    })
  )

  it.effect("its feed stops when the stream is closed, also in an uninterruptible caller", () =>
    Effect.gen(function* () {
      const { advance, clock, sleeping } = ManualClock.make()
      const stub = StubLlm.make({ text: "a b", firstToken: "1 hour" })
      const response = yield* Effect.withClock(Effect.uninterruptible(call(stub, true)), clock)
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      advance(1)
      assert.strictEqual(sleeping(), 1)
      if (response._tag === "Streaming") response.events.close()
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      assert.strictEqual(sleeping(), 0)
    })
  )

  it("answers the status that it is told", () => {
    const stub = StubLlm.make()
    const [a, b] = [StubLlm.slot("a"), StubLlm.slot("b")]
    assert.strictEqual(stub.attempts.status(a, request(), 0), open)
    const full = busy("rpm")
    stub.setStatus((slot) => (slot === a ? full : open))
    assert.strictEqual(stub.attempts.status(a, request(), 0), full)
    assert.strictEqual(stub.attempts.status(b, request(), 0), open)
  })

  it.effect("writes attempts into the journal, as a router would", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ fail: { reason: "Unavailable", description: "down" } })
      const begun = LlmRequest.begin(request(), 0)
      yield* Effect.flip(stub.requests.call(begun))
      yield* Effect.flip(stub.requests.call(begun))
      assert.deepStrictEqual(
        begun.route.journal.attemptReports().map((one) => [one.number, one.outcome]),
        [
          [1, "failed"],
          [2, "failed"]
        ]
      )
    })
  )
})

describe("ManualClock", () => {
  it.effect("wakes who has slept long enough, the earliest first, and forgets who was interrupted", () =>
    Effect.gen(function* () {
      const time = ManualClock.make()
      const woken: Array<number> = []
      const sleeper = (ms: number) =>
        Effect.fork(
          Effect.withClock(
            Effect.andThen(
              Effect.sleep(ms),
              Effect.sync(() => woken.push(ms))
            ),
            time.clock
          )
        )
      yield* sleeper(30)
      yield* sleeper(10)
      const left = yield* sleeper(20)
      yield* sleeper(99)
      yield* Effect.repeatN(Effect.yieldNow(), 5)
      yield* Fiber.interrupt(left)
      assert.strictEqual(time.sleeping(), 3)
      time.advance(50)
      yield* Effect.repeatN(Effect.yieldNow(), 5)
      assert.deepStrictEqual(woken, [10, 30])
      assert.strictEqual(time.now(), 50)
      assert.strictEqual(
        yield* Effect.withClock(
          Effect.clockWith((clock) => clock.currentTimeMillis),
          time.clock
        ),
        50
      )
    })
  )
})
