import { assert, describe, it } from "@effect/vitest"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Hooks from "@switchyard/router/Hooks"
import * as Contract from "@switchyard/testing/Contract"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Fiber, TestClock } from "effect"

const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
const rejected = new LlmError({ reason: "InvalidRequest", description: "not allowed", code: "guardrail" })

for (const { check, name } of Contract.requestLayer(Effect.succeed(Hooks.make({})))) it.effect(name, () => check)

describe("Hooks", () => {
  it.effect("onRequest may change the request", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const service = stub.requests.pipe(
        Hooks.make({ onRequest: (input) => Effect.succeed({ ...input, body: { ...input.body, temperature: 0 } }) })
      )
      yield* LlmService.complete(service, request)
      assert.strictEqual(stub.calls[0]?.request.body.temperature, 0)
    })
  )
  it.effect("a rejected request reaches nobody, and is no error for onError", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      let seen = 0
      const service = stub.requests.pipe(
        Hooks.make({
          onRequest: () => Effect.fail(rejected),
          onError: (error) =>
            Effect.sync(() => {
              seen++
              return error
            })
        })
      )
      const error = yield* Effect.flip(LlmService.complete(service, request))
      assert.strictEqual(error.code, "guardrail")
      assert.deepStrictEqual(error.attempts, [])
      assert.strictEqual(stub.calls.length, 0)
      assert.strictEqual(seen, 0)
    })
  )
  it.effect("onResponse may replace an answer, or reject it", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ text: "secret" })
      const redacted = stub.requests.pipe(
        Hooks.make({
          onResponse: (response) =>
            Effect.succeed(response._tag === "Complete" ? { ...response, body: { redacted: true } } : response)
        })
      )
      assert.deepStrictEqual((yield* LlmService.complete(redacted, request)).body, { redacted: true })
      const refusing = stub.requests.pipe(Hooks.make({ onResponse: () => Effect.fail(rejected) }))
      assert.strictEqual((yield* Effect.flip(LlmService.complete(refusing, request))).code, "guardrail")
    })
  )
  it.effect("a stream whose response is rejected, or whose caller leaves during the hook, is closed", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ chunks: ["a", "b"], gap: 1000 })
      const streaming = { ...request, stream: true }
      yield* Effect.ignore(stub.requests.pipe(Hooks.make({ onResponse: () => Effect.fail(rejected) })).call(streaming))
      assert.strictEqual(stub.inFlight(), 0)
      const slow = stub.requests.pipe(
        Hooks.make({ onResponse: (response) => Effect.delay(Effect.succeed(response), 500) })
      )
      const fiber = yield* Effect.fork(slow.call(streaming))
      yield* TestClock.adjust(100)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(
        stub.outcomes.map(({ _tag }) => _tag),
        ["Abandoned", "Abandoned"]
      )
    })
  )
  it.effect("onError sees the final failure and may replace it", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ fail: { reason: "Unavailable", description: "down" } })
      const service = stub.requests.pipe(
        Hooks.make({ onError: (error) => Effect.succeed(error.with({ description: `seen: ${error.description}` })) })
      )
      assert.strictEqual((yield* Effect.flip(LlmService.complete(service, request))).description, "seen: down")
    })
  )
})
