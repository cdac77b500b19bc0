import { assert, describe, it } from "@effect/vitest"
import * as BaseService from "@switchyard/core/BaseService"
import * as ChatChunk from "@switchyard/core/ChatChunk"
import * as EventStream from "@switchyard/core/EventStream"
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

describe("the request that a client gets", () => {
  const seen = (deployment: object, fields: object, overrides: LlmRequest.RequestOverrides = {}, stream = false) =>
    Effect.gen(function* () {
      const got: Array<LlmRequest.LlmRequest> = []
      const base = BaseService.make({
        complete: (request) => Effect.sync(() => void got.push(request)).pipe(Effect.as(answer("x"))),
        stream: (request) => {
          got.push(request)
          return Stream.make(chunk("x", "stop"))
        }
      })
      const made = LlmRequest.chat({ model: "group", messages: [], ...fields }, { overrides })
      const attempt = StubLlm.attempt({ ...made, stream }, StubLlm.slot("a", { model: "theirs", ...deployment }))
      const response = yield* base.call(attempt)
      if (response._tag === "Streaming") yield* Stream.runDrain(EventStream.toStream(response.events))
      return got[0]
    })

  for (const [what, deployment, fields, overrides, stream, body] of [
    ["a plain call never asks for a stream", {}, { stream: true }, {}, false, { stream: false }],
    ["options of a stream stay out of one", {}, { stream: true, stream_options: {} }, {}, false, { stream: false }],
    ["a stream asks for usage", {}, {}, {}, true, { stream: true, stream_options: { include_usage: true } }],
    ["but where a provider refuses that", { streamUsage: false }, {}, {}, true, { stream: true }],
    ["the deployment's defaults are below", { defaults: { temperature: 0.3 } }, {}, {}, false, { temperature: 0.3 }],
    ["the caller's fields", { defaults: { temperature: 0.3 } }, { temperature: 1 }, {}, false, { temperature: 1 }],
    [
      "one bound replaces the other",
      { defaults: { max_tokens: 9 } },
      { max_completion_tokens: 5 },
      {},
      false,
      { max_completion_tokens: 5 }
    ],
    ["what the deployment drops is left out", { additionalDropParams: ["seed"] }, { seed: 1 }, {}, false, {}],
    ["so is what the request drops", {}, { seed: 1 }, { additionalDropParams: ["seed"] }, false, {}],
    [
      "names are the family's",
      { provider: "openai", model: "gpt-5" },
      { max_tokens: 5 },
      {},
      false,
      { model: "gpt-5", max_completion_tokens: 5 }
    ]
  ] as const) {
    it.effect(`${what}: ${JSON.stringify(body)}`, () =>
      Effect.gen(function* () {
        const request = yield* seen(deployment, fields, overrides, stream)
        assert.deepStrictEqual(request?.body, Object.assign({ model: "theirs", messages: [], stream: false }, body))
        assert.strictEqual(request?.model, request?.body.model)
      })
    )
  }

  it.effect("without a deployment it has the request's own model, and `stream` as the call is meant", () =>
    Effect.gen(function* () {
      const bodies: Array<object> = []
      const service = BaseService.forRequests({
        complete: ({ body }) => Effect.sync(() => void bodies.push(body)).pipe(Effect.as(answer("x"))),
        stream: ({ body }) => {
          bodies.push(body)
          return Stream.make(chunk("x", "stop"))
        }
      })
      const both = LlmRequest.chat({ model: "m", messages: [], stream: true, stream_options: { include_usage: true } })
      yield* LlmService.complete(service, both)
      yield* Stream.runDrain(LlmService.stream(service, LlmRequest.chat({ model: "m", messages: [] })))
      yield* LlmService.complete(service, {
        ...LlmRequest.embeddings({ model: "m", input: "x", ...{ stream: true } })
      }).pipe(Effect.ignore)
      assert.deepStrictEqual(bodies, [
        { model: "m", messages: [], stream: false },
        { model: "m", messages: [], stream: true },
        { model: "m", input: "x" }
      ])
    })
  )
})

describe("an answer that is none", () => {
  for (const body of [{}, { choices: [] }, { choices: [{}] }, { id: "x", usage: { prompt_tokens: 1 } }]) {
    it.effect(`${JSON.stringify(body)} is a MalformedResponse, from a deployment as from a service`, () =>
      Effect.gen(function* () {
        const complete = () => Effect.succeed(body)
        const whole = yield* Effect.flip(LlmService.complete(service({ complete }), request))
        const base = BaseService.make({ complete, stream: () => Stream.empty })
        const attempt = yield* Effect.flip(base.call(StubLlm.attempt(request, StubLlm.slot("a"))))
        assert.deepStrictEqual([whole.reason, attempt.reason], ["MalformedResponse", "MalformedResponse"])
      })
    )
  }
  it.effect("usage that is not told is estimated of tool calls and reasoning too", () =>
    Effect.gen(function* () {
      const message = { content: null, tool_calls: [{ function: { name: "look", arguments: "12345678" } }] }
      const complete = () => Effect.succeed({ choices: [{ message, finish_reason: "tool_calls" }] })
      const { outcome } = yield* LlmService.complete(service({ complete }), request)
      assert.deepStrictEqual([outcome.usage.outputTokens, outcome.usage.estimated], [3, true])
    })
  )
})
