import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Layer, TestClock } from "effect"
import * as Deadline from "../../src/time/Deadline.js"
import * as Timeouts from "../../src/time/Timeouts.js"

const chat = (overrides: LlmRequest.RequestOverrides = {}) =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] }, { overrides })

const stampedBy = (options: Deadline.Options, request: LlmRequest.LlmRequest) =>
  Effect.gen(function* () {
    const stub = StubLlm.make()
    yield* TestClock.adjust(1_000)
    yield* LlmService.complete(Deadline.make(options)(stub.requests), request)
    return stub.calls[0]?.request.route.deadline
  })

describe("the deadline", () => {
  it.effect("is 600 s from the request's begin unless somebody says otherwise", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* stampedBy({}, chat()), 601_000)
    })
  )
  it.effect("is the request's, else the router's", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* stampedBy({ deadline: "30 seconds" }, chat()), 31_000)
      assert.strictEqual(yield* stampedBy({ deadline: "30 seconds" }, chat({ deadline: 90_000 })), 92_000)
    })
  )
  it.effect("is the smaller one where the request may only lower it", () =>
    Effect.gen(function* () {
      const options = { deadline: "30 seconds" } as const
      const lowerOnly = true
      assert.strictEqual(yield* stampedBy(options, chat({ lowerOnly, deadline: 90_000 })), 31_000)
      assert.strictEqual(yield* stampedBy(options, chat({ lowerOnly, deadline: 10_000 })), 12_000)
      assert.strictEqual(yield* stampedBy({}, chat({ lowerOnly, deadline: Number.POSITIVE_INFINITY })), 603_000)
    })
  )
  it.effect("may be none", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* stampedBy({ deadline: Number.POSITIVE_INFINITY }, chat()), Number.POSITIVE_INFINITY)
    })
  )
  it.effect("that is on the route already is never extended", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const outer = Deadline.make({ deadline: 50 })
      const inner = Deadline.make({ deadline: 100 })
      yield* LlmService.complete(outer(inner(stub.requests)), chat())
      assert.strictEqual(stub.calls[0]?.request.route.deadline, 50)
    })
  )
  it.effect("that has passed fails the request before the inner service is called", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const error = yield* Effect.flip(LlmService.complete(Deadline.make()(stub.requests), chat({ deadline: 0 })))
      assert.deepInclude(error.data, { reason: "Timeout", phase: "total", bound: "caller" })
      assert.strictEqual(error.httpStatus, 504)
      const request = chat()
      const late = { ...request, route: { ...request.route, deadline: -1 } }
      assert.strictEqual((yield* Effect.flip(Deadline.make()(stub.requests).call(late))).bound, "caller")
      assert.strictEqual(stub.calls.length, 0)
    })
  )
  it.effect("leaves the caller's own request as it was", () =>
    Effect.gen(function* () {
      const request = chat()
      yield* stampedBy({}, request)
      assert.strictEqual(request.route.deadline, Number.POSITIVE_INFINITY)
    })
  )
  it.effect("with Timeouts below ends a hanging call as a failure of the attempt, not as an abandoned one", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ hang: true })
      const outcomes: Array<string> = []
      const attempts = Timeouts.make()(stub.attempts)
      const requests = Service.request((request) =>
        Service.onSettled(attempts.call(StubLlm.attempt(request, StubLlm.slot("a"))), (outcome) => {
          outcomes.push(outcome._tag === "Failed" ? `${outcome.error.reason} ${outcome.error.bound}` : outcome._tag)
        })
      )
      const fiber = yield* Effect.fork(
        Effect.flip(LlmService.complete(Deadline.make({ deadline: "2 seconds" })(requests), chat()))
      )
      yield* TestClock.adjust("2 seconds")
      assert.isNotNull(fiber.unsafePoll())
      assert.deepStrictEqual(outcomes, ["Timeout caller"])
    })
  )
  it.effect("of zero is a mistake in a configuration", () =>
    Effect.gen(function* () {
      const inner = Layer.succeed(LlmService.LlmService, StubLlm.make().requests)
      const error = yield* Effect.flip(Layer.build(Deadline.layerWith({ deadline: 0 }).pipe(Layer.provide(inner))))
      assert.deepStrictEqual(
        error.issues.map((issue) => issue.path),
        ["deadline.deadline"]
      )
    }).pipe(Effect.scoped)
  )
})
