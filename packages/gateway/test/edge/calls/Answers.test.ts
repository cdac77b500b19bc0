/**
 * What callers are told beside the answer, by the configuration in force: one gateway, whose configuration changes.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { chat, decode, deploymentOf, errorIn, masterKey, start } from "../../support/gateways.js"

const provider = {
  "x-request-id": "req_of_the_provider",
  "x-ratelimit-remaining-requests": "41",
  "x-ratelimit-reset-tokens": "6ms",
  "anthropic-ratelimit-tokens-remaining": "7",
  "openai-organization": "acme",
  "set-cookie": "a=b"
}

describe("an answer's headers", () => {
  it.scopedLive("tell a request's way under our names and LiteLLM's, as much of it as the configuration says", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "east-1" })
      const settings = {
        deployments: [deploymentOf(upstream, { inputPrice: 1_000_000, outputPrice: 0 })],
        masterKey,
        retry: { attempts: 1 },
        cooldown: false
      }
      const gateway = yield* start([], settings)
      const use = (answers: object) => Effect.orDie(gateway.reload({ config: decode({ ...settings, answers }) }))
      const both = Effect.gen(function* () {
        yield* upstream.behave({ headers: provider })
        const whole = yield* chat(gateway, {}, { "x-request-id": "mine" })
        const stream = yield* chat(gateway, { stream: true }, { "x-request-id": "mine" })
        assert.deepStrictEqual([whole.status, stream.status], [200, 200])
        return [whole.headers, stream.headers] as const
      })
      const failure = Effect.gen(function* () {
        yield* upstream.behave({ status: 500, error: { message: "east-1 is down" } })
        return yield* chat(gateway)
      })

      for (const headers of yield* both) {
        assert.include(headers, {
          "x-request-id": "mine",
          "x-switchyard-deployment": "east-1",
          "x-litellm-call-id": "mine",
          "x-litellm-model-id": "east-1",
          "x-litellm-model-group": "smart",
          "x-litellm-attempted-retries": "0",
          "x-litellm-attempted-fallbacks": "0"
        })
        assert.isEmpty(Object.keys(headers).filter((name) => /ratelimit|llm_provider|organization/.test(name)))
      }
      const [{ "x-litellm-response-cost": cost, "x-switchyard-cost-usd": ours }] = yield* both
      assert.strictEqual(cost, ours)
      assert.isAbove(Number(cost), 0)
      assert.isArray(errorIn((yield* failure).text).attempts)

      yield* use({ routing: "summary" })
      for (const headers of yield* both) {
        assert.include(headers, { "x-request-id": "mine", "x-litellm-call-id": "mine" })
        assert.notInclude(JSON.stringify(headers), "east-1")
        assert.include(headers, {
          "x-switchyard-group": "smart",
          "x-switchyard-attempts": "1",
          "x-litellm-model-group": "smart"
        })
        assert.isEmpty(
          Object.keys(headers).filter((name) => /deployment|switchyard-fallback|cooldowns|model-id/.test(name))
        )
      }
      assert.strictEqual((yield* both)[0]["x-litellm-response-cost"], cost)
      const hidden = yield* failure
      assert.strictEqual(hidden.status >= 500, true)
      assert.isUndefined(errorIn(hidden.text).attempts)
      assert.include(errorIn(hidden.text), { group: "smart", attempt_count: 1 })
      assert.notInclude(hidden.text + JSON.stringify(hidden.headers), "east-1")

      yield* use({ routing: "none" })
      for (const headers of yield* both) {
        assert.isEmpty(Object.keys(headers).filter((name) => /^x-(switchyard|litellm)-/.test(name)))
        assert.strictEqual(headers["x-request-id"], "mine")
      }
    })
  )

  it.scopedLive("pass the provider's request id and rate limits on by an option, and never for a stored answer", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([upstream], { answers: { providerHeaders: true }, cache: {} })
      yield* upstream.behave({ headers: provider })
      for (const body of [{}, { stream: true }]) {
        const { headers } = yield* chat(gateway, body, { "x-request-id": "mine" })
        assert.include(headers, {
          "x-request-id": "mine",
          "x-switchyard-provider-request-id": "req_of_the_provider",
          "llm_provider-x-request-id": "req_of_the_provider",
          "x-ratelimit-remaining-requests": "41",
          "x-ratelimit-reset-tokens": "6ms",
          "anthropic-ratelimit-tokens-remaining": "7"
        })
        assert.notProperty(headers, "openai-organization")
        assert.notProperty(headers, "set-cookie")
      }
      const { headers } = yield* chat(gateway)
      assert.strictEqual(headers["x-switchyard-cache"], "hit")
      assert.notProperty(headers, "x-ratelimit-remaining-requests")
      assert.notProperty(headers, "x-switchyard-provider-request-id")
    })
  )
})
