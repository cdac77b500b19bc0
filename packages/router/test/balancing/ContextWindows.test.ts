import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"

const long: DeploymentConfig = { id: "long", group: "long", model: "gpt-4.1" }

/** Who answers a prompt of so many tokens; or the reason why nobody did. */
const answerer = (own: Partial<DeploymentConfig>, tokens: number) =>
  Effect.gen(function* () {
    const deployments = [{ id: "a", group: "m", model: "gpt-4", ...own }, long]
    const stub = StubLlm.make()
    const chains = { contextWindow: { m: ["long"] } }
    const { service } = yield* Router.make({ deployments, fallback: { chains } }, stub.attempts)
    const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "x".repeat(4 * tokens) }] })
    yield* LlmService.complete(service, request)
    return stub.calls.map(({ deployment }) => deployment).join()
  }).pipe(Effect.scoped)

describe("a context window", () => {
  it.effect("is the listed one of the model, with some doubt, unless the deployment has its own", () =>
    Effect.gen(function* () {
      // GPT-4 has 8,192.
      assert.strictEqual(yield* answerer({}, 8_000), "a")
      assert.strictEqual(yield* answerer({}, 10_000), "a")
      assert.strictEqual(yield* answerer({}, 20_000), "long")
      assert.strictEqual(yield* answerer({ contextWindow: 100_000 }, 20_000), "a")
      assert.strictEqual(yield* answerer({ contextWindow: 1000 }, 2000), "long")
      assert.strictEqual(yield* answerer({ model: "my-model" }, 2_000_000), "a")
      assert.strictEqual(yield* answerer({ model: "my-model", baseModel: "openai/gpt-4" }, 20_000), "long")
    })
  )
})
