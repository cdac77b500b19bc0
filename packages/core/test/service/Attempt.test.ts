import { assert, describe, it } from "@effect/vitest"
import { isAttempt } from "@switchyard/core/Attempt"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as Contract from "@switchyard/testing/Contract"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Stream } from "effect"

const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], user: "ada" })

/** A layer that says to its deployment who asks by another name. */
const anonymous: Service.AttemptLayer = Service.bracketAttempt({
  begin: () => {},
  pass: (attempt) => attempt.asking({ ...attempt.request, body: { ...attempt.request.body, user: "nobody" } })
})

describe("an attempt that asks for something else", () => {
  it.effect("is the same to all below, but for its request, and leaves those above with theirs", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const attempt = StubLlm.attempt(LlmRequest.begin(request, 0), StubLlm.slot("a", { region: "eu" }))
      let seen: string | undefined
      const service = anonymous(
        Service.attempt((below) => {
          below.sent = true
          seen = `${isAttempt(below)} ${below.deployment} ${below.target.region} ${below.number}`
          return stub.attempts.call(below)
        }, stub.attempts.status)
      )
      yield* service.call(attempt)
      assert.strictEqual(seen, "true a eu 1")
      assert.strictEqual(stub.calls[0]?.request.body["user"], "nobody")
      assert.strictEqual(attempt.request.body["user"], "ada")
      assert.isTrue(attempt.sent)
    })
  )

  it.effect("may be asked for something else once more", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make()
      const tagged: Service.AttemptLayer = (next) =>
        Service.attempt((attempt) => next.call(attempt.asking({ ...attempt.request, tags: ["x"] })), next.status)
      yield* anonymous(tagged(stub.attempts)).call(StubLlm.attempt(LlmRequest.begin(request, 0), StubLlm.slot("a")))
      assert.deepInclude(stub.calls[0]?.request, { tags: ["x"] })
      assert.strictEqual(stub.calls[0]?.request.body["user"], "nobody")
    })
  )

  it.effect("has its stream closed when the one above is given up", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ chunks: ["a", "b", "c"], stallAfter: 1 })
      const service = anonymous(stub.attempts)
      const routed = Service.request((given) => {
        const attempt = StubLlm.attempt(given, StubLlm.slot("a"))
        return service.call(attempt)
      })
      yield* Stream.runDrain(Stream.take(LlmService.stream(routed, request), 1))
      assert.strictEqual(stub.openStreams(), 0)
      assert.deepStrictEqual(
        stub.outcomes.map(({ _tag }) => _tag),
        ["Abandoned"]
      )
    })
  )
})

describe("a layer that asks for something else keeps the contract", () => {
  for (const { check, name } of Contract.attemptLayer(Effect.succeed(anonymous))) it.effect(name, () => check)
})
