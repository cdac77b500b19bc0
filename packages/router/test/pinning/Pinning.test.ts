import { assert, describe, it } from "@effect/vitest"
import { DeploymentId } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as Pinning from "@switchyard/router/Pinning"
import * as Contract from "@switchyard/testing/Contract"
import * as StubLlm from "@switchyard/testing/StubLlm"
import * as Tin from "@switchyard/testing/TinDialect"
import { Effect, Stream } from "effect"

for (const { check, name } of Contract.requestLayer(Effect.sync(() => Pinning.make()))) it.effect(name, () => check)

const chat = (more: object = {}) =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], ...more })

describe("Pinning", () => {
  it.effect("a request that names a previous answer is pinned to its deployment and does not fall back", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const service = stub.requests.pipe(Pinning.make())
      yield* LlmService.complete(service, chat())
      yield* LlmService.complete(service, chat({ previous_response_id: "chatcmpl-stub" }))
      assert.deepStrictEqual(stub.calls[1]?.request.demands, { deployment: "stub" })
      assert.isTrue(stub.calls[1]?.request.overrides.disableFallbacks)
    })
  )
  it.effect("a request that is bound by its maker goes to that deployment alone, and its error says by what", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const service = stub.requests.pipe(Pinning.make())
      stub.reply({ fail: { reason: "Unavailable", description: "down" } })
      const bond = { deployment: DeploymentId("eu"), kind: "file id" }
      const error = yield* Effect.flip(LlmService.complete(service, { ...chat(), bond }))
      assert.include(error.description, "bound to deployment eu by a file id and cannot fail over")
      assert.deepStrictEqual(stub.calls[0]?.request.demands, { deployment: DeploymentId("eu") })
      assert.isTrue(stub.calls[0]?.request.overrides.disableFallbacks)
    })
  )
  it.effect(
    "signed thoughts prefer the account that issued them, from plain answers and from streams, and pin nothing",
    () =>
      Effect.gen(function* () {
        const signed = { thinking_blocks: [{ type: "thinking", signature: "sig-1" }] }
        const stub = StubLlm.make()
        const issuing = Service.request((request) =>
          Effect.map(stub.requests.call(request), (response) =>
            response._tag === "Complete" ? { ...response, body: { choices: [{ message: signed }] } } : response
          )
        )
        const service = issuing.pipe(Pinning.make())
        yield* LlmService.complete(service, chat())
        yield* LlmService.complete(service, chat({ messages: [{ role: "assistant", content: "x", ...signed }] }))
        const { demands, origins, overrides } = stub.calls[1]?.request ?? assert.fail("no second call")
        assert.deepStrictEqual({ demands, overrides }, { demands: {}, overrides: {} })
        assert.deepStrictEqual(
          [...(origins ?? [])].map(([value, { id }]) => [value, id as string]),
          [["sig-1", "stub"]]
        )
        yield* Stream.runDrain(LlmService.stream(service, Tin.request({ live: true })))
        yield* LlmService.complete(service, Tin.request({ after: "stub-answer" }))
        assert.strictEqual(stub.calls[3]?.request.demands.deployment, "stub")
      })
  )
  it.effect("a dialect says which of a request's states bind it", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const sealing = Service.request((request) =>
        Effect.map(stub.requests.call(request), (response) =>
          response._tag === "Complete"
            ? { ...response, body: { ref: "a-1", words: "ok", ended: "done", seals: ["wax"] } }
            : response
        )
      )
      const service = sealing.pipe(Pinning.make())
      yield* LlmService.complete(service, Tin.request())
      yield* LlmService.complete(service, Tin.request({ lines: [{ by: "bot", says: "ok", seal: "wax" }] }))
      yield* LlmService.complete(service, Tin.request({ after: "a-1" }))
      assert.isUndefined(stub.calls[1]?.request.demands.deployment)
      assert.deepStrictEqual([...(stub.calls[1]?.request.origins?.keys() ?? [])], ["wax"])
      assert.strictEqual(stub.calls[2]?.request.demands.deployment, "stub")
    })
  )
  it.effect("the error of a pinned request says what it is bound to", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const service = stub.requests.pipe(Pinning.make())
      yield* LlmService.complete(service, chat())
      stub.reply({ fail: { reason: "Unavailable", description: "down" } })
      const error = yield* Effect.flip(LlmService.complete(service, chat({ previous_response_id: "chatcmpl-stub" })))
      assert.include(error.description, "bound to deployment stub by a response id and cannot fail over")
    })
  )
  it.effect("state that nobody remembers pins nothing, and memory is bounded", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      let id = 0
      const numbered = Service.request((request) =>
        Effect.map(stub.requests.call(request), (response) =>
          response._tag === "Complete" ? { ...response, body: { id: `answer-${id++}` } } : response
        )
      )
      const service = numbered.pipe(Pinning.make({ capacity: 2 }))
      for (let i = 0; i < 3; i++) yield* LlmService.complete(service, chat())
      yield* LlmService.complete(service, chat({ previous_response_id: "answer-0" }))
      yield* LlmService.complete(service, chat({ previous_response_id: "answer-2" }))
      assert.isUndefined(stub.calls[3]?.request.demands.deployment)
      assert.strictEqual(stub.calls[4]?.request.demands.deployment, "stub")
    })
  )
})
