import { assert, describe, it } from "@effect/vitest"
import * as BaseService from "@switchyard/core/BaseService"
import * as ChatChunk from "@switchyard/core/ChatChunk"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Fiber, Stream, TestClock } from "effect"

const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "12345678" }] })

const chunk = (content: string, finish: string | null = null) => ({
  choices: [{ index: 0, delta: { content }, finish_reason: finish }]
})
const answer = (content: string, more: object = {}) => ({
  choices: [{ message: { content }, finish_reason: "stop" }],
  ...more
})

const service = (handlers: Partial<BaseService.Handlers>) =>
  BaseService.forRequests({
    complete: () => Effect.succeed(answer("whole answer")),
    stream: () => Stream.make(chunk("one "), chunk("two", "stop")),
    ...handlers
  })

const textOf = (handlers: Partial<BaseService.Handlers>) =>
  Stream.runFold(LlmService.stream(service(handlers), request), "", (text, { json }) => text + ChatChunk.text(json))

describe("a whole answer", () => {
  it.effect("carries the client's usage, or an estimate, and how long it took", () =>
    Effect.gen(function* () {
      const estimated = yield* LlmService.complete(service({}), request)
      assert.deepStrictEqual(estimated.outcome.usage.estimated, true)
      assert.deepStrictEqual([estimated.outcome.usage.inputTokens, estimated.outcome.usage.outputTokens], [3, 3])
      const usage = { prompt_tokens: 7, completion_tokens: 9 }
      const slow = service({ complete: () => Effect.delay(Effect.succeed(answer("x", { usage })), 250) })
      const fiber = yield* Effect.fork(LlmService.complete(slow, request))
      yield* TestClock.adjust(250)
      const { outcome } = yield* Fiber.join(fiber)
      assert.deepStrictEqual([outcome.usage.inputTokens, outcome.usage.outputTokens, outcome.duration], [7, 9, 250])
    })
  )
  it.effect("an attempt asks for the provider's model name", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const base = BaseService.make({
        complete: ({ model }) =>
          Effect.sync(() => {
            seen.push(model)
            return answer("x")
          }),
        stream: () => Stream.empty
      })
      yield* base.call(StubLlm.attempt(request, StubLlm.slot("a", { model: "provider-model" })))
      assert.deepStrictEqual(seen, ["provider-model"])
    })
  )
})

describe("a stream", () => {
  it.effect("is delivered whole", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* textOf({}), "one two")
    })
  )
  it.effect("without a finish reason is a cut, and an error of the client's stays what it is", () =>
    Effect.gen(function* () {
      const cut = yield* Effect.flip(textOf({ stream: () => Stream.make(chunk("one")) }))
      assert.strictEqual(cut.reason, "StreamInterrupted")
      const error = new LlmError({ reason: "RateLimited", description: "slow down" })
      assert.strictEqual((yield* Effect.flip(textOf({ stream: () => Stream.fail(error) }))).reason, "RateLimited")
    })
  )
  it.effect("that dies, or cannot even be made, fails instead of hanging", () =>
    Effect.gen(function* () {
      const dies = yield* Effect.flip(textOf({ stream: () => Stream.die("bug") }))
      const throws = yield* Effect.flip(
        textOf({
          stream: () => {
            throw new Error("bug")
          }
        })
      )
      assert.deepStrictEqual([dies.code, throws.code], ["defect", "defect"])
    })
  )
  it.effect("a reader that stops holds the source up, and one that leaves ends it", () =>
    Effect.gen(function* () {
      let made = 0
      let ended = false
      const source = Stream.repeatEffect(Effect.sync(() => chunk(`${made++} `))).pipe(
        Stream.rechunk(1),
        Stream.ensuring(
          Effect.sync(() => {
            ended = true
          })
        )
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const response = yield* LlmService.open(service({ stream: () => source }), { ...request, stream: true })
          if (response._tag !== "Streaming") return assert.fail("no stream")
          yield* TestClock.adjust(1000)
          const held = made
          assert.isBelow(held, 1000)
          yield* TestClock.adjust(1000)
          assert.strictEqual(made, held)
          yield* response.events.pull
          yield* TestClock.adjust(1000)
          assert.isAbove(made, held)
        })
      )
      yield* TestClock.adjust(1)
      assert.isTrue(ended)
    })
  )
})
