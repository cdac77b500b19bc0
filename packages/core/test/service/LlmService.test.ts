import { assert, describe, it } from "@effect/vitest"
import { EventStream, toStream } from "@switchyard/core/EventStream"
import { Journal } from "@switchyard/core/Journal"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { cases } from "@switchyard/testing/Effort"
import * as ManualClock from "@switchyard/testing/ManualClock"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Cause, Chunk, Effect, Exit, Fiber, FastCheck as fc, Option, Scope, Stream, TestClock } from "effect"

const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
const streamed = LlmRequest.chat({ ...request.body, model: "m", messages: [], stream: true })
const textOf = (events: Chunk.Chunk<{ readonly json: object }>) =>
  Chunk.toReadonlyArray(events)
    .map(({ json }) => (json as { choices: Array<{ delta: { content?: string } }> }).choices[0]?.delta.content ?? "")
    .join("")

describe("complete", () => {
  it.effect("gives the whole answer, with the journal of this sending", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ text: "Hello" })
      yield* TestClock.adjust("5 seconds")
      const first = yield* LlmService.complete(stub.requests, request)
      const second = yield* LlmService.complete(stub.requests, request)
      assert.include(first.raw, "Hello")
      assert.strictEqual(first.journal.report().attempts.length, 1)
      assert.strictEqual(first.journal.startedAt, 5000)
      assert.notStrictEqual(first.journal, second.journal, "a request value may be sent many times")
    })
  )

  it.effect("asks for a whole answer whatever the request says, and leaves the request as it was", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({})
      const answer = yield* LlmService.complete(stub.requests, streamed)
      assert.strictEqual(answer._tag, "Complete")
      assert.isFalse(stub.calls[0]?.request.stream)
      assert.isTrue(streamed.stream)
    })
  )

  it.effect("a final error lists the attempts; one that does already is left alone", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ fail: { reason: "Unavailable", description: "down", status: 500 } })
      const error = yield* Effect.flip(LlmService.complete(stub.requests, request))
      assert.deepStrictEqual(error.attempts, [
        {
          number: 1,
          deployment: "stub",
          provider: "openai",
          group: "m",
          outcome: "failed",
          reason: "Unavailable",
          status: 500,
          startedAfter: 0,
          duration: 0
        }
      ])
      const told = new LlmError({ reason: "BudgetExceeded", description: "none left", attempts: [] })
      assert.strictEqual(
        yield* Effect.flip(
          LlmService.complete(
            Service.request(() => Effect.fail(told)),
            request
          )
        ),
        told
      )
    })
  )

  it.effect("a stream for an answer is closed, and is a malformed response with its attempts", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ stallAfter: 1 })
      const stubborn = Service.request((input) => stub.requests.call({ ...input, stream: true }))
      const error = yield* Effect.flip(LlmService.complete(stubborn, request))
      assert.strictEqual(error.reason, "MalformedResponse")
      assert.deepStrictEqual(
        error.attempts?.map((one) => one.outcome),
        ["abandoned"]
      )
      assert.strictEqual(stub.openStreams(), 0)
    })
  )

  it.effect("a defect goes on as a defect, and nothing stays open", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ defect: "bug" })
      const exit = yield* Effect.exit(LlmService.complete(stub.requests, request))
      assert.deepStrictEqual(Exit.isFailure(exit) ? Cause.dieOption(exit.cause) : undefined, Option.some("bug"))
      assert.strictEqual(stub.inFlight(), 0)
    })
  )
})

describe("stream", () => {
  it.effect("gives the chunks and completes the call", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ text: "one two three" })
      const events = yield* Stream.runCollect(LlmService.stream(stub.requests, request))
      assert.strictEqual(textOf(events), "one two three")
      assert.isTrue(stub.calls[0]?.request.stream)
      assert.deepStrictEqual(
        stub.outcomes.map((outcome) => outcome._tag),
        ["Completed"]
      )
    })
  )

  it.effect("a whole answer becomes one chunk", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ text: "one two" })
      const whole = Service.request((input) => stub.requests.call({ ...input, stream: false }))
      const events = yield* Stream.runCollect(LlmService.stream(whole, request))
      assert.strictEqual(Chunk.size(events), 1)
      assert.strictEqual(textOf(events), "one two")
      const [only] = Chunk.toReadonlyArray(events)
      assert.deepStrictEqual(JSON.parse(only?.data ?? ""), only?.json)
      assert.strictEqual(only?.json.object, "chat.completion.chunk")
    })
  )

  it.effect("errors before and after content list the attempts", () =>
    Effect.gen(function* () {
      const fail = { reason: "Unavailable", description: "reset" } as const
      for (const [reply, reason] of [
        [{ fail }, "Unavailable"],
        [{ text: "a b", fail, failAfter: 0 }, "Unavailable"],
        [{ text: "a b", fail, failAfter: 1 }, "StreamInterrupted"]
      ] as const) {
        const stub = StubLlm.make(reply)
        const error = yield* Effect.flip(Stream.runDrain(LlmService.stream(stub.requests, request)))
        assert.strictEqual(error.reason, reason)
        assert.deepStrictEqual(
          error.attempts?.map((one) => one.outcome),
          ["failed"]
        )
      }
    })
  )

  it.effect("ending early aborts the call", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ text: "a b c", stallAfter: 2 })
      yield* Stream.runDrain(Stream.take(LlmService.stream(stub.requests, request), 1))
      assert.deepStrictEqual(
        stub.outcomes.map((outcome) => outcome._tag),
        ["Abandoned"]
      )
      assert.strictEqual(stub.openStreams(), 0)
    })
  )

  it.effect("each run of the stream is a call of its own", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({})
      const answer = LlmService.stream(stub.requests, request)
      assert.strictEqual(stub.calls.length, 0)
      yield* Stream.runDrain(answer)
      yield* Stream.runDrain(answer)
      assert.strictEqual(stub.calls.length, 2)
    })
  )
})

describe("open", () => {
  it.effect("a stream lives as long as the scope, and no longer", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ text: "a b", stallAfter: 1 })
      const scope = yield* Scope.make()
      const response = yield* Scope.extend(LlmService.open(stub.requests, streamed), scope)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(response._tag, "Streaming")
      assert.strictEqual(stub.openStreams(), 1)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(stub.openStreams(), 0)
      assert.deepStrictEqual(
        stub.outcomes.map((outcome) => outcome._tag),
        ["Abandoned"]
      )
    })
  )

  it.effect("a stream that a layer made itself is closed too, and a journal of another request is left alone", () =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const make = () => new EventStream({ clock, startedAt: 0, estimateInputTokens: () => 0 })
      const [replay, foreign] = [make(), make()]
      const leader = StubLlm.attempt(LlmRequest.begin(request, 0), StubLlm.slot("a"))
      leader.adopt(foreign)
      const service = Service.request(() =>
        Effect.succeed({
          _tag: "Streaming",
          status: 200,
          headers: {},
          events: replay,
          journal: leader.request.route.journal
        })
      )
      yield* Effect.scoped(LlmService.open(service, streamed))
      assert.strictEqual(replay.settlement.outcome?._tag, "Abandoned")
      assert.isUndefined(foreign.settlement.outcome)
    })
  )

  it.effect("ends what other attempts of the request left open", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ stallAfter: 1 })
      const leaky = Service.request((input) =>
        Effect.zipRight(stub.requests.call({ ...input, stream: true }), stub.requests.call({ ...input, stream: false }))
      )
      yield* Effect.scoped(LlmService.open(leaky, request))
      assert.strictEqual(stub.openStreams(), 0)
      const failing = Service.request((input) =>
        Effect.zipRight(
          stub.requests.call({ ...input, stream: true }),
          Effect.fail(new LlmError({ reason: "Unavailable", description: "down" }))
        )
      )
      yield* Effect.flip(LlmService.complete(failing, request))
      assert.strictEqual(stub.openStreams(), 0)
    })
  )
})

describe("the tag's accessors", () => {
  it.effect("send to the service in the context", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ text: "Hi" })
      const provide = Effect.provideService(LlmService.LlmService, stub.requests)
      assert.include((yield* provide(LlmService.LlmService.complete(request))).raw, "Hi")
      assert.strictEqual(textOf(yield* provide(Stream.runCollect(LlmService.LlmService.stream(request)))), "Hi")
      const opened = yield* provide(Effect.scoped(LlmService.LlmService.open(request)))
      assert.strictEqual(opened._tag, "Complete")
      assert.instanceOf(opened.journal, Journal)
    })
  )
})

describe("using", () => {
  it.effect("a stream lives as long as it is used; its journal is told of at the beginning", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ text: "a b", stallAfter: 1 })
      const journals: Array<Journal> = []
      const used = yield* LlmService.using(
        stub.requests,
        streamed,
        (response) =>
          Effect.sync(() => {
            assert.strictEqual(stub.openStreams(), 1)
            return response.journal
          }),
        (journal) => journals.push(journal)
      )
      assert.strictEqual(stub.openStreams(), 0)
      assert.deepStrictEqual(journals, [used])
    })
  )

  it.effect("an error of the use, or of the call, has the attempts of the request", () =>
    Effect.gen(function* () {
      const error = new LlmError({ reason: "Unavailable", description: "no more" })
      const stub = StubLlm.make({ text: "a b", stallAfter: 1 })
      const failed = yield* Effect.flip(LlmService.using(stub.requests, streamed, () => Effect.fail(error)))
      assert.strictEqual(failed.attempts?.length, 1)
      assert.strictEqual(stub.openStreams(), 0)
    })
  )
})

describe("an interruption anywhere", () => {
  const delay = fc.constantFrom<number | undefined>(undefined, 0, 1, 3)
  const caseOf = fc.record({
    how: fc.constantFrom("complete", "stream", "take", "open", "using"),
    primed: fc.boolean(),
    failAfter: fc.option(fc.nat(3), { nil: undefined }),
    stallAfter: fc.option(fc.nat(3), { nil: undefined, freq: 3 }),
    delay,
    firstToken: delay,
    gap: delay,
    /** A small number makes the fiber yield every few operations, so that an interruption can fall between any two. */
    maxOps: fc.constantFrom(16, 17, 18, 19, 20, 21, 23, 29, 2048),
    wait: fc.nat(12),
    yields: fc.nat(70)
  })
  type Case = Parameters<Parameters<typeof caseOf.map>[0]>[0]

  const replyOf = (one: Case): StubLlm.Reply => ({
    text: "a b c",
    ...(one.failAfter === undefined
      ? {}
      : { failAfter: one.failAfter, fail: { reason: "Unavailable", description: "reset" } }),
    ...(one.stallAfter === undefined ? {} : { stallAfter: one.stallAfter }),
    ...(one.delay === undefined ? {} : { delay: one.delay }),
    ...(one.firstToken === undefined ? {} : { firstToken: one.firstToken }),
    ...(one.gap === undefined ? {} : { gap: one.gap })
  })

  const callOf = (one: Case, service: Service.RequestService): Effect.Effect<unknown, LlmError> => {
    switch (one.how) {
      case "complete":
        return LlmService.complete(service, request)
      case "stream":
        return Stream.runDrain(LlmService.stream(service, request))
      case "take":
        return Stream.runDrain(Stream.take(LlmService.stream(service, request), 2))
      case "using":
        return LlmService.using(service, streamed, (response) =>
          response._tag === "Streaming" ? response.events.forward(() => undefined) : Effect.void
        )
      default:
        return Effect.scoped(
          Effect.flatMap(LlmService.open(service, streamed), (response) =>
            response._tag === "Streaming" ? Stream.runDrain(toStream(response.events)) : Effect.void
          )
        )
    }
  }

  it.effect(
    "between any two operations of the way from the answer to its owner loses no open stream",
    () =>
      Effect.gen(function* () {
        // The fiber yields every 19 operations, the shift moves the yields: together they reach every operation.
        const opsPerTurn = 19
        const calls: ReadonlyArray<(service: Service.RequestService) => Effect.Effect<unknown, LlmError>> = [
          (service) => Effect.scoped(Effect.zipRight(LlmService.open(service, streamed), Effect.never)),
          (service) => LlmService.using(service, streamed, () => Effect.never),
          (service) => LlmService.complete(service, request),
          (service) => Stream.runDrain(LlmService.stream(service, request))
        ]
        let whileOpen = 0
        for (const make of calls) {
          for (let shift = 0; shift < opsPerTurn; shift++) {
            for (let turns = 0; turns < 25; turns++) {
              const stub = StubLlm.make({ text: "a b", stallAfter: 1 })
              let call = make(Service.request((input) => stub.requests.call({ ...input, stream: true })))
              for (let i = 0; i < shift; i++) {
                const later = call
                call = Effect.suspend(() => later)
              }
              const fiber = yield* Effect.fork(Effect.withMaxOpsBeforeYield(call, opsPerTurn))
              for (let i = 0; i < turns; i++) yield* Effect.yieldNow()
              if (stub.openStreams() > 0) whileOpen++
              yield* Fiber.interrupt(fiber)
              assert.strictEqual(stub.openStreams() + stub.inFlight(), 0, `shift ${shift}, turns ${turns}`)
            }
          }
        }
        assert.isAbove(whileOpen, 100, "many interruptions found an open stream")
      }),
    120_000
  )

  it.effect(
    "loses no open stream and leaves nothing in flight",
    () =>
      Effect.gen(function* () {
        const seed = 4242
        let inTheMiddle = 0
        const run = (one: Case) =>
          Effect.gen(function* () {
            const hint = `seed ${seed}, ${JSON.stringify(one)}`
            const stub = StubLlm.make(replyOf(one))
            const told: Array<string> = []
            const service = Service.mapRequest((call) =>
              Service.onSettled(one.primed ? Service.primed(call) : call, (outcome) => told.push(outcome._tag))
            )(stub.requests)
            const { advance, clock } = ManualClock.make()
            const fiber = yield* callOf(one, service).pipe(
              Effect.withClock(clock),
              Effect.withMaxOpsBeforeYield(one.maxOps),
              Effect.fork
            )
            for (let i = 0; i < one.wait; i++) {
              for (let j = 0; j < 4; j++) yield* Effect.yieldNow()
              advance(1)
            }
            for (let i = 0; i < one.yields; i++) yield* Effect.yieldNow()
            if (stub.inFlight() > 0) inTheMiddle++
            yield* Fiber.interrupt(fiber)
            assert.strictEqual(stub.openStreams(), 0, hint)
            assert.strictEqual(stub.inFlight(), 0, hint)
            assert.strictEqual(stub.outcomes.length, stub.calls.length, hint)
            assert.isAtMost(told.length, 1, hint)
            assert.isAtMost(stub.calls.length, 1, hint)
            for (const call of stub.calls) {
              const [attempt] = call.request.route.journal.entries
              assert.isDefined(attempt?.outcome, hint)
            }
          })
        yield* Effect.forEach(fc.sample(caseOf, { seed, numRuns: cases(1000) }), run, {
          concurrency: 50,
          discard: true
        })
        assert.isAbove(inTheMiddle, cases(300), "most interruptions fall into running calls")
      }),
    120_000
  )
})
