import { assert, describe, it } from "@effect/vitest"
import type { StreamEvent } from "@switchyard/core/ChatChunk"
import { EventQueue } from "@switchyard/core/EventQueue"
import { type EventStreamOptions, toStream } from "@switchyard/core/EventStream"
import type { JsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import type { Outcome } from "@switchyard/core/Outcome"
import { cases } from "@switchyard/testing/Effort"
import { Cause, Chunk, Effect, Either, Exit, Fiber, FastCheck as fc, Logger, Option, Stream, TestClock } from "effect"

const event = (json: JsonObject): StreamEvent => ({ data: JSON.stringify(json), json })
const delta = (fields: JsonObject, finish: string | null = null, index = 0): StreamEvent =>
  event({ choices: [{ index, delta: fields, finish_reason: finish }] })
const role = delta({ role: "assistant", content: "" })
const text = (content: string, index = 0): StreamEvent => delta({ content }, null, index)
const finish = (index = 0): StreamEvent => delta({}, "stop", index)
const usage = event({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3 } })
const broken = new LlmError({ reason: "Timeout", description: "silent", phase: "idle" })

interface Rig {
  readonly events: EventQueue
  /** What the base service was told, in order. */
  readonly told: Array<string>
  readonly outcomes: Array<Outcome>
}

const rig = (options: Partial<EventStreamOptions> = {}): Effect.Effect<Rig> =>
  Effect.map(Effect.clock, (clock) => {
    const told: Array<string> = []
    const outcomes: Array<Outcome> = []
    const events = new EventQueue({
      clock,
      startedAt: 0,
      estimateInputTokens: () => 100,
      provider: "p",
      deployment: "d",
      pause: () => told.push("pause"),
      resume: () => told.push("resume"),
      abort: () => told.push("abort"),
      ...options
    })
    events.settlement.onSettled((outcome) => outcomes.push(outcome))
    return { events, told, outcomes }
  })

/** Reads to the end: the events' data, and the error that ended them. */
const drain = (events: EventQueue): Effect.Effect<{ readonly data: Array<string>; readonly error?: LlmError }> =>
  Effect.gen(function* () {
    const data: Array<string> = []
    while (true) {
      const exit = yield* Effect.either(events.pull)
      if (exit._tag === "Left") return { data, error: exit.left }
      if (exit.right.length === 0) return { data }
      for (const one of exit.right) data.push(one.data)
    }
  })

const only = <A>(all: ReadonlyArray<A>): A => {
  assert.strictEqual(all.length, 1)
  return all[0] as A
}

describe("EventStream", () => {
  it.effect("hands over every event in order, then the clean end, and settles as completed", () =>
    Effect.gen(function* () {
      const { events, outcomes, told } = yield* rig()
      yield* TestClock.adjust("2 seconds")
      events.push(role)
      events.push(text("Hi"))
      yield* TestClock.adjust("3 seconds")
      events.push(finish())
      events.push(usage)
      events.end()
      const read = yield* drain(events)
      assert.deepStrictEqual(
        read.data,
        [role, text("Hi"), finish(), usage].map((one) => one.data)
      )
      assert.isUndefined(read.error)
      assert.deepStrictEqual(only(outcomes), {
        _tag: "Completed",
        usage: { inputTokens: 7, outputTokens: 3, cachedInputTokens: 0, reasoningTokens: 0, estimated: false },
        timeToFirstToken: 2000,
        duration: 5000
      })
      assert.deepStrictEqual(told, [])
      assert.deepStrictEqual(yield* events.pull, [], "the end can be read again")
    })
  )

  it.effect("wakes a reader that waits, and says since when it has been waiting", () =>
    Effect.gen(function* () {
      const { events } = yield* rig()
      yield* TestClock.adjust("1 second")
      assert.isUndefined(events.waitingSince)
      const reader = yield* Effect.fork(events.pull)
      yield* Effect.yieldNow()
      assert.strictEqual(events.waitingSince, 1000)
      events.push(text("Hi"))
      assert.isUndefined(events.waitingSince)
      assert.deepStrictEqual(
        (yield* Fiber.join(reader)).map((one) => one.data),
        [text("Hi").data]
      )
    })
  )

  it.effect("loses no event when the reader is interrupted in the moment of delivery", () =>
    Effect.gen(function* () {
      const { events } = yield* rig()
      const reader = yield* Effect.fork(events.pull)
      yield* Effect.yieldNow()
      events.push(text("Hi"))
      yield* Fiber.interrupt(reader)
      assert.deepStrictEqual(
        (yield* events.pull).map((one) => one.data),
        [text("Hi").data]
      )
    })
  )

  it.effect("an interrupted reader waits no more, and another may take over", () =>
    Effect.gen(function* () {
      const { events } = yield* rig()
      const reader = yield* Effect.fork(events.pull)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(reader)
      assert.isUndefined(events.waitingSince)
      const next = yield* Effect.fork(events.pull)
      yield* Effect.yieldNow()
      events.push(text("Hi"))
      assert.strictEqual((yield* Fiber.join(next)).length, 1)
    })
  )

  describe("forward", () => {
    it.effect("hands over in the producer's own turn what came together, then the clean end", () =>
      Effect.gen(function* () {
        const { events, outcomes } = yield* rig()
        const batches: Array<number> = []
        events.push(role)
        const fiber = yield* Effect.fork(
          events.forward((batch) => {
            batches.push(batch.length)
            return undefined
          })
        )
        yield* Effect.yieldNow()
        events.push(text("a"))
        events.push(text("b"))
        yield* Effect.promise(() => Promise.resolve())
        assert.deepStrictEqual(batches, [1, 2])
        events.push(finish())
        events.end()
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(batches, [1, 2, 1])
        assert.strictEqual(only(outcomes)._tag, "Completed")
      })
    )

    it.effect("waits as long as the taker asks for, and pauses the upstream meanwhile", () =>
      Effect.gen(function* () {
        const { events, told } = yield* rig()
        const got: Array<string> = []
        const fiber = yield* Effect.fork(
          events.forward((batch) => {
            got.push(...batch.map(({ data }) => data))
            return got.length === 1 ? Effect.sleep("1 second") : undefined
          })
        )
        events.push(text("first"))
        yield* TestClock.adjust("100 millis")
        for (let i = 0; i < 70; i++) events.push(text(`${i}`))
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(got.length, 1)
        assert.deepStrictEqual(told, ["pause"])
        yield* TestClock.adjust("1 second")
        assert.strictEqual(got.length, 71)
        assert.deepStrictEqual(told, ["pause", "resume"])
        events.push(finish())
        events.end()
        yield* Fiber.join(fiber)
      })
    )

    it.effect("fails with what ends the stream, after everything that came before", () =>
      Effect.gen(function* () {
        const { events } = yield* rig()
        const got: Array<string> = []
        const fiber = yield* Effect.fork(
          Effect.flip(
            events.forward((batch) => {
              got.push(...batch.map(({ data }) => data))
              return undefined
            })
          )
        )
        yield* Effect.yieldNow()
        events.push(text("a"))
        events.fail(broken)
        assert.strictEqual((yield* Fiber.join(fiber)).reason, "StreamInterrupted")
        assert.strictEqual(got.length, 1)
      })
    )

    it.effect("says since when it has been waiting for the upstream, and no more once it is interrupted", () =>
      Effect.gen(function* () {
        const { events } = yield* rig()
        const fiber = yield* Effect.fork(events.forward(() => undefined))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(events.waitingSince, 0)
        events.push(text("a"))
        yield* Effect.promise(() => Promise.resolve())
        assert.strictEqual(events.waitingSince, 1000)
        yield* Fiber.interrupt(fiber)
        assert.isUndefined(events.waitingSince)
      })
    )
  })

  describe("backpressure", () => {
    it.effect("pauses the upstream at 64 unread events, resumes it when they are taken, in balance", () =>
      Effect.gen(function* () {
        const { events, told } = yield* rig()
        for (let round = 0; round < 3; round++) {
          for (let i = 0; i < 63; i++) events.push(text("x"))
          assert.strictEqual(told.length, round * 2)
          for (let i = 0; i < 10; i++) events.push(text("x"))
          assert.strictEqual(told.length, round * 2 + 1, "one pause, not one per event")
          assert.strictEqual((yield* events.pull).length, 73)
        }
        assert.deepStrictEqual(told, ["pause", "resume", "pause", "resume", "pause", "resume"])
      })
    )

    it.effect("does not pause before the first content: who waits for it takes no events", () =>
      Effect.gen(function* () {
        const { events, told } = yield* rig()
        for (let i = 0; i < 200; i++) events.push(role)
        assert.deepStrictEqual(told, [])
        events.push(text("x"))
        assert.deepStrictEqual(told, ["pause"])
      })
    )

    it.effect("a clean end lets a paused upstream go on, so that its connection can be used again", () =>
      Effect.gen(function* () {
        const { events, told } = yield* rig()
        for (let i = 0; i < 64; i++) events.push(text("x"))
        events.push(finish())
        events.end()
        assert.deepStrictEqual(told, ["pause", "resume"])
        assert.strictEqual((yield* drain(events)).data.length, 65)
        assert.deepStrictEqual(told, ["pause", "resume"])
      })
    )

    it.effect("an aborted upstream is never resumed", () =>
      Effect.gen(function* () {
        const failing = yield* rig()
        for (let i = 0; i < 64; i++) failing.events.push(text("x"))
        failing.events.fail(broken)
        assert.strictEqual((yield* drain(failing.events)).data.length, 64)
        assert.deepStrictEqual(failing.told, ["pause", "abort"])
        const left = yield* rig()
        for (let i = 0; i < 64; i++) left.events.push(text("x"))
        left.events.close()
        yield* Effect.either(left.events.pull)
        assert.deepStrictEqual(left.told, ["pause", "abort"])
      })
    )
  })

  describe("the end", () => {
    it.effect("an end without a finish reason is a cut, and nothing is left to abort", () =>
      Effect.gen(function* () {
        const { events, outcomes, told } = yield* rig()
        events.push(role)
        events.end()
        const { error } = yield* drain(events)
        assert.strictEqual(error?.reason, "Unavailable")
        assert.strictEqual(error?.code, "cut")
        assert.strictEqual(error?.deployment, "d")
        assert.strictEqual(error?.provider, "p")
        assert.strictEqual(only(outcomes)._tag, "Failed")
        assert.deepStrictEqual(told, [])
      })
    )

    it.effect(
      "after content an error becomes StreamInterrupted, comes after what was sent, and charges an estimate",
      () =>
        Effect.gen(function* () {
          const { events, outcomes, told } = yield* rig()
          events.push(text("12345678"))
          events.fail(broken)
          const read = yield* drain(events)
          assert.strictEqual(read.data.length, 1)
          assert.strictEqual(read.error?.reason, "StreamInterrupted")
          assert.strictEqual(read.error?.interruptedBy, "Timeout")
          assert.strictEqual(read.error?.phase, "idle")
          const outcome = only(outcomes)
          assert.strictEqual(outcome._tag, "Failed")
          assert.deepInclude(outcome.usage, { inputTokens: 100, outputTokens: 2, estimated: true })
          assert.deepStrictEqual(told, ["abort"])
        })
    )

    it.effect("before content an error stays what it is and charges nothing that was not reported", () =>
      Effect.gen(function* () {
        const { events, outcomes } = yield* rig()
        events.push(role)
        events.fail(broken)
        assert.strictEqual((yield* drain(events)).error, broken)
        assert.isUndefined(only(outcomes).usage)
      })
    )

    it.effect("a break after a finish reason that content followed is a cut, for each choice of its own", () =>
      Effect.gen(function* () {
        const sequences = [
          [delta({ content: "a" }, "stop"), delta({ content: "b" }, "stop")],
          [text("a"), finish(), text("b")],
          [text("a"), finish(), text("b"), finish()],
          [delta({ tool_calls: [{ index: 0 }] }, "stop"), delta({ tool_calls: [{ index: 0 }] }, "stop")],
          [delta({ reasoning_content: "a" }, "stop"), text("b")],
          [text("a", 0), text("a", 1), finish(1), finish(0), text("b", 1)]
        ]
        for (const events of sequences) {
          const { events: stream, outcomes } = yield* rig()
          for (const one of events) stream.push(one)
          stream.fail(broken)
          assert.strictEqual((yield* drain(stream)).error?.reason, "StreamInterrupted")
          assert.strictEqual(only(outcomes)._tag, "Failed")
        }
      })
    )

    it.effect(
      "such an answer is whole once the provider says that it is done, or ends after a last finish reason",
      () =>
        Effect.gen(function* () {
          const ends = [
            [[text("a"), finish(), text("b")], true, undefined],
            [[delta({ content: "a" }, "stop"), delta({ content: "b" }, "stop")], true, undefined],
            [[delta({ content: "a" }, "stop"), delta({ content: "b" }, "stop")], false, undefined],
            [[text("a"), finish(), text("b")], false, "StreamInterrupted"]
          ] as const
          for (const [events, saidDone, reason] of ends) {
            const { events: stream } = yield* rig()
            for (const one of events) stream.push(one)
            stream.end(saidDone)
            assert.strictEqual((yield* drain(stream)).error?.reason, reason)
          }
        })
    )

    it.effect("roles, empty deltas and usage after the finish reason change nothing", () =>
      Effect.gen(function* () {
        const { events } = yield* rig()
        for (const one of [text("a"), finish(), role, delta({ content: null }), usage, finish()]) events.push(one)
        events.fail(broken)
        assert.isUndefined((yield* drain(events)).error)
      })
    )

    it.effect(
      "a finish reason that means an error is one: before content, after it, and beside a choice that is whole",
      () =>
        Effect.gen(function* () {
          for (const [events, reason] of [
            [[role, delta({}, "error")], "Unavailable"],
            [[text("a"), delta({}, "error")], "StreamInterrupted"],
            [[text("a"), delta({ content: "b" }, "error")], "StreamInterrupted"],
            [[text("a", 0), finish(0), text("a", 1), delta({}, "error", 1)], "StreamInterrupted"]
          ] as const) {
            const { events: stream } = yield* rig()
            for (const one of events) stream.push(one)
            stream.end(true)
            assert.strictEqual((yield* drain(stream)).error?.reason, reason)
          }
        })
    )

    it.effect("a blocked prompt without any content is the caller's, however the stream ends", () =>
      Effect.gen(function* () {
        const blocked = event({ choices: [], promptFeedback: { blockReason: "SAFETY" } })
        for (const end of [
          (events: EventQueue) => events.end(true),
          (events: EventQueue) => events.end(),
          (events: EventQueue) => events.fail(broken)
        ]) {
          const { events, outcomes } = yield* rig()
          events.push(blocked)
          end(events)
          assert.deepInclude((yield* drain(events)).error, { reason: "ContentPolicyViolation", breaker: "neutral" })
          assert.strictEqual(only(outcomes)._tag, "Failed")
        }
        const { events } = yield* rig()
        for (const one of [blocked, text("a"), finish()]) events.push(one)
        events.end(true)
        assert.isUndefined((yield* drain(events)).error)
      })
    )

    it.effect(
      "no finish reason before the provider says that it is done: a cut, or where that is accepted, an end",
      () =>
        Effect.gen(function* () {
          const sent = [text("a", 0), text("a", 1), finish(1)]
          const { events: strict } = yield* rig()
          for (const one of sent) strict.push(one)
          strict.end(true)
          assert.strictEqual((yield* drain(strict)).error?.reason, "StreamInterrupted")

          const { events: lenient, outcomes } = yield* rig({ onMissingFinish: "accept" })
          for (const one of sent) lenient.push(one)
          lenient.end(true)
          const { data, error } = yield* drain(lenient)
          assert.isUndefined(error)
          assert.deepStrictEqual(JSON.parse(data.at(-1) ?? ""), {
            choices: [{ index: 0, delta: {}, finish_reason: "stop" }]
          })
          assert.strictEqual(only(outcomes)._tag, "Completed")

          const { events: cut } = yield* rig({ onMissingFinish: "accept" })
          cut.push(text("a"))
          cut.end()
          assert.strictEqual((yield* drain(cut)).error?.reason, "StreamInterrupted", "nobody said that it is done")

          const { events: hollow } = yield* rig({ onMissingFinish: "accept" })
          hollow.push(role)
          hollow.end(true)
          assert.strictEqual((yield* drain(hollow)).error?.reason, "Unavailable", "nothing was said at all")
        })
    )

    it.effect("a break after the finish reason only loses the goodbye: the answer is whole", () =>
      Effect.gen(function* () {
        for (const breakIt of [
          (events: EventQueue) => events.fail(broken),
          (events: EventQueue) => events.fail(broken, true),
          (events: EventQueue) => events.end(),
          (events: EventQueue) => events.malformed("{"),
          (events: EventQueue) => events.push(event({ error: { message: "late" } }))
        ]) {
          const { events, outcomes } = yield* rig()
          events.push(text("Hi"))
          events.push(finish())
          breakIt(events)
          assert.isUndefined((yield* drain(events)).error)
          assert.strictEqual(only(outcomes)._tag, "Completed")
        }
      })
    )

    it.effect("a stall after the finish reason closes the socket and completes", () =>
      Effect.gen(function* () {
        const { events, told } = yield* rig()
        events.push(text("Hi"))
        events.push(finish())
        events.fail(broken)
        assert.deepStrictEqual(told, ["abort"])
      })
    )

    it.effect("with several choices the answer is whole only when each has finished", () =>
      Effect.gen(function* () {
        const cut = yield* rig()
        cut.events.push(text("a", 0))
        cut.events.push(text("b", 1))
        cut.events.push(finish(0))
        cut.events.end()
        assert.strictEqual((yield* drain(cut.events)).error?.reason, "StreamInterrupted")
        const whole = yield* rig()
        whole.events.push(text("a", 0))
        whole.events.push(text("b", 1))
        whole.events.push(finish(1))
        whole.events.push(finish(0))
        whole.events.push(text("", 1))
        whole.events.end()
        assert.isUndefined((yield* drain(whole.events)).error)
      })
    )

    it.effect("an error event fails the stream with the provider's words, whatever its shape", () =>
      Effect.gen(function* () {
        const before = yield* rig()
        before.events.push(event({ error: { message: "overloaded", type: "overloaded_error" } }))
        const { error } = yield* drain(before.events)
        assert.strictEqual(error?.reason, "Unavailable")
        assert.strictEqual(error?.providerMessage, "overloaded")
        assert.strictEqual(error?.code, "overloaded_error")
        assert.deepStrictEqual(before.told, ["abort"])
        const after = yield* rig()
        after.events.push(text("Hi"))
        after.events.push(event({ error: "gone" }))
        const late = yield* drain(after.events)
        assert.strictEqual(late.error?.reason, "StreamInterrupted")
        assert.strictEqual(late.error?.providerMessage, "gone")
        assert.strictEqual(late.data.length, 1, "the error event itself is not handed over")
      })
    )

    it.effect("a malformed event is a cut by default; skipped ones are counted", () =>
      Effect.gen(function* () {
        const cut = yield* rig()
        cut.events.malformed('{"secret prompt')
        const { error } = yield* drain(cut.events)
        assert.strictEqual(error?.reason, "MalformedResponse")
        assert.notInclude(error?.message ?? "", "secret prompt")
        const skip = yield* rig({ onMalformed: "skip" })
        skip.events.malformed("{")
        skip.events.push(text("Hi"))
        skip.events.malformed("[]")
        skip.events.push(finish())
        skip.events.end()
        assert.strictEqual((yield* drain(skip.events)).data.length, 2)
        assert.strictEqual(skip.events.skipped, 2)
      })
    )

    it.effect("takes nothing after the end and settles no second time", () =>
      Effect.gen(function* () {
        const { events, outcomes, told } = yield* rig()
        events.push(text("Hi"))
        events.push(finish())
        events.end()
        events.push(text("late"))
        events.malformed("{")
        events.fail(broken)
        events.end()
        assert.strictEqual((yield* drain(events)).data.length, 2)
        events.close()
        assert.strictEqual(only(outcomes)._tag, "Completed")
        assert.deepStrictEqual(told, [])
      })
    )
  })

  describe("the first content", () => {
    it.effect("roles, empty deltas and usage are not content; text, tools, refusals, audio and reasoning are", () =>
      Effect.gen(function* () {
        for (const empty of [role, delta({}), delta({ content: "", tool_calls: [] }), usage, event({ id: "x" })]) {
          const { events } = yield* rig()
          events.push(empty)
          assert.isFalse(events.settlement.hasContent, empty.data)
        }
        for (const full of [
          text("a"),
          delta({ tool_calls: [{ index: 0, function: { name: "f", arguments: "" } }] }),
          delta({ function_call: { arguments: "{" } }),
          delta({ refusal: "no" }),
          delta({ audio: { data: "" } }),
          delta({ content: [{ type: "text", text: "a" }] }),
          delta({ reasoning_content: "hm" }),
          delta({ reasoning_content: "", reasoning: "hm" }),
          event({ choices: [{ index: 0, text: "legacy" }] })
        ]) {
          const { events } = yield* rig()
          events.push(full)
          assert.isTrue(events.settlement.hasContent, full.data)
        }
      })
    )

    it.effect("awaitContent leaves the events in the queue for whoever pulls", () =>
      Effect.gen(function* () {
        const { events } = yield* rig()
        const waiting = yield* Effect.fork(events.awaitContent)
        yield* Effect.yieldNow()
        events.push(role)
        yield* Effect.yieldNow()
        assert.isTrue(Option.isNone(yield* Fiber.poll(waiting)))
        events.push(text("Hi"))
        yield* Fiber.join(waiting)
        assert.strictEqual((yield* events.pull).length, 2)
        yield* events.awaitContent
      })
    )

    it.effect("somebody may wait for content while the reader pulls", () =>
      Effect.gen(function* () {
        const { events } = yield* rig()
        const waiting = yield* Effect.fork(events.awaitContent)
        const reader = yield* Effect.fork(drain(events))
        yield* Effect.yieldNow()
        events.push(role)
        yield* Effect.yieldNow()
        events.push(text("Hi"))
        events.push(finish())
        events.end()
        yield* Fiber.join(waiting)
        assert.strictEqual((yield* Fiber.join(reader)).data.length, 3)
      })
    )

    it.effect(
      "awaitContent fails with what ends the stream before content, and passes at a clean end without any",
      () =>
        Effect.gen(function* () {
          const failing = yield* rig()
          const waiting = yield* Effect.fork(Effect.flip(failing.events.awaitContent))
          yield* Effect.yieldNow()
          failing.events.fail(broken)
          assert.strictEqual(yield* Fiber.join(waiting), broken)
          assert.strictEqual(yield* Effect.flip(failing.events.awaitContent), broken, "and says it again")
          const empty = yield* rig()
          const other = yield* Effect.fork(empty.events.awaitContent)
          yield* Effect.yieldNow()
          empty.events.push(finish())
          empty.events.end()
          yield* Fiber.join(other)
          yield* empty.events.awaitContent
          assert.deepStrictEqual((yield* drain(empty.events)).data, [finish().data])
        })
    )

    it.effect("an end without any content counts its time to first token up to the end", () =>
      Effect.gen(function* () {
        const { events, outcomes } = yield* rig()
        yield* TestClock.adjust("4 seconds")
        events.push(finish())
        events.end()
        assert.deepInclude(only(outcomes), { _tag: "Completed", timeToFirstToken: 4000, duration: 4000 })
      })
    )
  })

  describe("close", () => {
    it.effect("aborts once, settles as abandoned with an estimate, and frees a reader that waits", () =>
      Effect.gen(function* () {
        const { events, outcomes, told } = yield* rig()
        events.push(text("1234"))
        yield* events.pull
        const reader = yield* Effect.fork(Effect.flip(events.pull))
        yield* Effect.yieldNow()
        events.close()
        events.close()
        const error = yield* Fiber.join(reader)
        assert.strictEqual(error.code, "closed")
        assert.deepStrictEqual(told, ["abort"])
        const outcome = only(outcomes)
        assert.strictEqual(outcome._tag, "Abandoned")
        assert.deepInclude(outcome.usage, { inputTokens: 100, outputTokens: 1, estimated: true })
      })
    )

    it.effect("frees who waits for content", () =>
      Effect.gen(function* () {
        const { events } = yield* rig()
        const waiting = yield* Effect.fork(Effect.flip(events.awaitContent))
        yield* Effect.yieldNow()
        events.close()
        assert.strictEqual((yield* Fiber.join(waiting)).code, "closed")
      })
    )

    it.effect("takes the provider's own count when it has come", () =>
      Effect.gen(function* () {
        const { events, outcomes } = yield* rig()
        events.push(usage)
        events.push(text("1234"))
        events.close()
        assert.deepInclude(only(outcomes).usage, { inputTokens: 7, outputTokens: 3, estimated: false })
      })
    )

    it.effect("what was thrown away is never taken for a clean end", () =>
      Effect.gen(function* () {
        const { events, outcomes } = yield* rig()
        events.push(text("Hi"))
        events.push(finish())
        events.end()
        events.close()
        assert.strictEqual((yield* Effect.flip(events.pull)).code, "closed")
        assert.strictEqual(only(outcomes)._tag, "Completed", "the provider had finished all the same")
      })
    )
  })

  it.effect("estimates by characters when the provider counts nothing, whatever the script", () =>
    Effect.gen(function* () {
      const { events, outcomes } = yield* rig()
      for (const part of ["日本", "語", "👍🏽", "é"]) events.push(text(part))
      events.push(finish())
      events.end()
      const joined = (yield* drain(events)).data.map((data) => JSON.parse(data).choices[0].delta.content ?? "").join("")
      assert.strictEqual(joined, "日本語👍🏽é")
      const { usage: used } = only(outcomes)
      assert.deepInclude(used, { inputTokens: 100, outputTokens: Math.ceil("日本語👍🏽é".length / 4), estimated: true })
    })
  )

  it.effect("asks for the estimate only when the provider reports nothing", () =>
    Effect.gen(function* () {
      let asked = 0
      const { events } = yield* rig({ estimateInputTokens: () => ++asked })
      events.push(text("Hi"))
      events.push(finish())
      events.push(usage)
      events.end()
      assert.strictEqual(asked, 0)
    })
  )

  describe("toStream", () => {
    it.effect("gives the events and the clean end", () =>
      Effect.gen(function* () {
        const { events, outcomes } = yield* rig()
        events.push(text("a"))
        events.push(finish())
        events.end()
        assert.strictEqual(Chunk.size(yield* Stream.runCollect(toStream(events))), 2)
        assert.strictEqual(only(outcomes)._tag, "Completed")
      })
    )

    it.effect("closes the call when the consumer takes only the beginning", () =>
      Effect.gen(function* () {
        const { events, outcomes, told } = yield* rig()
        events.push(text("a"))
        assert.strictEqual(Chunk.size(yield* Stream.runCollect(Stream.take(toStream(events), 1))), 1)
        assert.strictEqual(only(outcomes)._tag, "Abandoned")
        assert.deepStrictEqual(told, ["abort"])
      })
    )

    it.effect("closes the call when the consumer is interrupted while it waits", () =>
      Effect.gen(function* () {
        const { events, outcomes } = yield* rig()
        const consumer = yield* Effect.fork(Stream.runDrain(toStream(events)))
        yield* Effect.yieldNow()
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(consumer)
        assert.strictEqual(only(outcomes)._tag, "Abandoned")
      })
    )

    it.effect("ends with the stream's error", () =>
      Effect.gen(function* () {
        const { events } = yield* rig()
        events.push(text("a"))
        events.fail(broken)
        const exit = yield* Effect.exit(Stream.runDrain(toStream(events)))
        assert.isTrue(Exit.isFailure(exit))
      })
    )
  })

  it("keeps its promises under any schedule of producer, reader and leaver", async () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.constant("text" as const) },
      { weight: 2, arbitrary: fc.constantFrom("role", "burst", "usage", "read", "interrupt", "wait") },
      { weight: 1, arbitrary: fc.constantFrom("finish", "end", "fail", "malformed", "error", "close") }
    )
    const run = (steps: ReadonlyArray<string>, way: "pull" | "forward") =>
      Effect.gen(function* () {
        const { events, outcomes, told } = yield* rig()
        const sent: Array<string> = []
        const got: Array<string> = []
        let number = 0
        let over: "no" | "clean" | "error" = "no"
        const push = (one: StreamEvent) => {
          if (events.settlement.outcome === undefined) sent.push(one.data)
          events.push(one)
        }
        let reader: Fiber.RuntimeFiber<void> | undefined
        const forwarding = events.forward((batch) => {
          for (const one of batch) got.push(one.data)
          return got.length % 3 === 0 ? Effect.yieldNow() : undefined
        })
        const reading = way === "pull" ? events.pull : Effect.as(forwarding, [])
        const read = Effect.matchEffect(reading, {
          onFailure: () =>
            Effect.sync(() => {
              over = "error"
            }),
          onSuccess: (batch) =>
            Effect.sync(() => {
              if (batch.length === 0) over = "clean"
              for (const one of batch) got.push(one.data)
            })
        })
        for (const name of steps) {
          switch (name) {
            case "text":
              push(text(`${number++}`))
              break
            case "burst":
              for (let i = 0; i < 70; i++) push(text(`${number++}`))
              break
            case "role":
              push(role)
              break
            case "usage":
              push(usage)
              break
            case "finish":
              push(finish())
              break
            case "end":
              events.end()
              break
            case "fail":
              events.fail(broken)
              break
            case "malformed":
              events.malformed("{")
              break
            case "error":
              events.push(event({ error: { message: "e" } }))
              break
            case "close":
              events.close()
              break
            case "interrupt":
              if (reader !== undefined) yield* Fiber.interrupt(reader)
              break
            case "wait":
              yield* Effect.yieldNow()
              break
            case "read":
              if (reader === undefined || Option.isSome(yield* Fiber.poll(reader))) reader = yield* Effect.fork(read)
              break
          }
          // Between a pause and its resume the queue holds what caused it; told never repeats itself.
          for (let i = 1; i < told.length; i++) {
            assert.notStrictEqual(told[i], told[i - 1])
            if (told[i] === "resume") assert.strictEqual(told[i - 1], "pause")
          }
        }
        if (reader !== undefined) yield* Fiber.interrupt(reader)
        const ended = events.settlement.outcome !== undefined
        const closed = !ended || outcomes[0]?._tag === "Abandoned" || steps.includes("close")
        if (!ended) events.close()
        while (over === "no") yield* read
        assert.strictEqual(outcomes.length, 1)
        assert.isAtMost(told.filter((one) => one === "abort").length, 1)
        if (told.includes("abort")) assert.strictEqual(told[told.length - 1], "abort")
        if (!closed) {
          assert.deepStrictEqual(got, sent, "every event arrives once, in order")
          assert.strictEqual(over, outcomes[0]?._tag === "Completed" ? "clean" : "error")
        } else {
          assert.deepStrictEqual(got, sent.slice(0, got.length), "what arrives is the beginning, in order")
          if (got.length < sent.length) assert.strictEqual(over, "error", "a part is never a clean end")
        }
      })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        await Effect.runPromise(run(steps, "pull"))
        await Effect.runPromise(run(steps, "forward"))
      }),
      { seed: 20_261, numRuns: cases(3000) }
    )
  })
})

describe("a stream that says much and nothing", () => {
  const empty = delta({})
  const long = event({ choices: [], x: "x".repeat(400_000) })
  const preludes: ReadonlyArray<readonly [name: string, one: StreamEvent, passes: number]> = [
    ["events", empty, 2048],
    ["characters", long, 2]
  ]

  for (const [name, one, passes] of preludes) {
    it.effect(`is malformed and broken off when too many ${name} come before its content`, () =>
      Effect.gen(function* () {
        const { events, outcomes, told } = yield* rig()
        for (let i = 0; i < passes; i++) events.push(one)
        assert.deepStrictEqual(outcomes, [])
        events.push(one)
        events.push(text("Hi"))
        const { error } = yield* drain(events)
        assert.deepInclude(error, { reason: "MalformedResponse", deployment: "d" })
        assert.deepInclude(only(outcomes), { _tag: "Failed" })
        assert.deepStrictEqual(told, ["abort"])
      })
    )

    it.effect(`is not, when its content or its reasoning comes after fewer ${name}`, () =>
      Effect.gen(function* () {
        for (const content of [text("Hi"), delta({ reasoning_content: "Hm" })]) {
          const { events, outcomes } = yield* rig()
          for (let i = 0; i < passes; i++) events.push(one)
          events.push(content)
          events.push(one)
          yield* events.pull
          for (let i = 0; i < 10; i++) events.push(one)
          events.push(finish())
          events.end(true)
          assert.deepInclude(only(outcomes), { _tag: "Completed" })
        }
      })
    )
  }
})

describe("what throws at a stream", () => {
  const logging = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      const logged: Array<string> = []
      const logger = Logger.make(({ cause }) => logged.push(Cause.pretty(cause)))
      return Effect.map(Effect.either(effect), (end) => ({ end, logged })).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
    })
  const bug = (): never => {
    throw new Error("bug 4711")
  }
  const errorIn = (end: Either.Either<unknown, LlmError>): LlmError =>
    Either.isLeft(end) ? end.left : assert.fail("it ended well")

  it.effect("is its reader's: the stream fails in the reader's fiber, blames nobody, and is broken off", () =>
    Effect.gen(function* () {
      for (const push of ["before", "after"] as const) {
        const { events, outcomes, told } = yield* rig()
        if (push === "before") events.push(text("Hi"))
        const fiber = yield* Effect.fork(logging(events.forward(bug)))
        yield* Effect.yieldNow()
        if (push === "after") events.push(text("Hi"))
        const { end, logged } = yield* Fiber.join(fiber)
        const error = errorIn(end)
        const { breaker, code, interruptedBy, reason } = error
        assert.deepStrictEqual(
          { breaker, code, interruptedBy, reason },
          { breaker: "neutral", code: "defect", interruptedBy: "InvalidRequest", reason: "StreamInterrupted" }
        )
        assert.include(logged.join(), "bug 4711")
        assert.deepStrictEqual(told, ["abort"])
        assert.deepInclude(only(outcomes), { _tag: "Failed", error })
        events.push(text("more"))
        events.end()
        assert.strictEqual(outcomes.length, 1)
      }
    })
  )

  it.effect("is its reader's after the end: the reader fails, the answer stays a success", () =>
    Effect.gen(function* () {
      const { events, outcomes } = yield* rig()
      events.push(text("Hi"))
      events.push(finish())
      events.end(true)
      const { end } = yield* logging(events.forward(bug))
      assert.strictEqual(errorIn(end).code, "defect")
      assert.strictEqual(only(outcomes)._tag, "Completed")
    })
  )

  it.effect("in a push is the stream's failure, with the cause in its reader's log, once", () =>
    Effect.gen(function* () {
      for (const read of ["pull", "forward", "awaitContent"] as const) {
        const { events, outcomes, told } = yield* rig()
        events.settlement.onFirstContent(bug)
        const reading = (): Effect.Effect<unknown, LlmError> =>
          read === "pull"
            ? Effect.forever(events.pull)
            : read === "forward"
              ? events.forward(() => undefined)
              : events.awaitContent
        const fiber = yield* Effect.fork(logging(reading()))
        yield* Effect.yieldNow()
        events.push(role)
        events.push(text("Hi"))
        const { end, logged } = yield* Fiber.join(fiber)
        assert.strictEqual(errorIn(end).code, "defect", read)
        assert.strictEqual(errorIn(end).breaker, "counts", read)
        assert.include(only(logged), "bug 4711", read)
        assert.deepStrictEqual(told, ["abort"])
        assert.strictEqual(only(outcomes)._tag, "Failed")
        assert.deepStrictEqual((yield* logging(reading())).logged, [])
      }
    })
  )

  it.effect("in the hand that turns its upstream on again is the stream's failure", () =>
    Effect.gen(function* () {
      const { events, outcomes } = yield* rig({ resume: bug })
      const fiber = yield* Effect.fork(logging(events.forward(() => undefined)))
      yield* Effect.yieldNow()
      for (let i = 0; i < 10; i++) events.push(text("Hi"))
      ;(events as unknown as { paused: boolean }).paused = true
      const { end } = yield* Fiber.join(fiber)
      assert.strictEqual(errorIn(end).code, "defect")
      assert.strictEqual(only(outcomes)._tag, "Failed")
    })
  )

  it.effect("in who is told of its end keeps the end from nobody", () =>
    Effect.gen(function* () {
      const { events, outcomes } = yield* rig()
      const later: Array<string> = []
      events.settlement.onSettled(bug)
      events.settlement.onSettled(({ _tag }) => later.push(_tag))
      const fiber = yield* Effect.fork(logging(events.forward(() => undefined)))
      yield* Effect.yieldNow()
      events.push(text("Hi"))
      events.push(finish())
      events.end(true)
      const { end, logged } = yield* Fiber.join(fiber)
      assert.isTrue(Either.isRight(end))
      assert.include(only(logged), "bug 4711")
      assert.deepStrictEqual([only(outcomes)._tag, ...later], ["Completed", "Completed"])
    })
  )

  it.effect("in its producer ends it with what that means", () =>
    Effect.gen(function* () {
      const error = new LlmError({ reason: "Unavailable", description: "ours", code: "defect" })
      const { events } = yield* rig({
        onDefect: () => ({ error, log: Effect.logError("ours", Cause.die("bug 4711")) })
      })
      events.died(Cause.die("bug 4711"))
      const { end, logged } = yield* logging(events.pull)
      assert.strictEqual(errorIn(end), error)
      assert.include(only(logged), "bug 4711")
    })
  )
})
