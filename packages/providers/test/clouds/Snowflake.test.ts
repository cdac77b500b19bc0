import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as SpokenProvider from "@switchyard/testing/SpokenProvider"
import { Effect } from "effect"
import * as S from "../support/support.js"
import { jsonOf, upstream } from "../support/upstream.js"

const service = S.serviceOver(S.undici)
const on = (origin: string, more: Partial<DeploymentConfig> = {}): Partial<DeploymentConfig> => ({
  provider: "snowflake",
  protocol: "snowflake",
  model: "llama3.1-70b",
  baseUrl: origin,
  ...more
})

const completion = {
  id: "c",
  object: "chat.completion",
  created: 1,
  model: "",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello there" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 }
}

describe("Snowflake Cortex", () => {
  it.scopedLive("is asked in OpenAI's words, wherever a user's base URL ends, by a token of either kind", () =>
    Effect.gen(function* () {
      const up = yield* upstream(() => ({ body: completion }))
      const base = yield* service
      const request = S.chat({ max_tokens: 5 })
      const paths = ["", "/api/v2", "/api/v2/cortex/v1", "/api/v2/cortex/inference:complete"]
      for (const path of paths) yield* S.call(base, request, on(`${up.origin}${path}`))
      yield* S.call(base, request, on(up.origin, { apiKey: "pat/access-token-9c1d" }))
      assert.deepStrictEqual([...new Set(up.received.map(({ url }) => url))], ["/api/v2/cortex/v1/chat/completions"])
      assert.deepStrictEqual(jsonOf(up.received[0] as never), {
        model: "llama3.1-70b",
        messages: S.messages,
        stream: false,
        max_completion_tokens: 5
      })
      assert.deepStrictEqual(
        [up.received[0], up.received[4]].map((one) => [
          one?.headers.authorization,
          one?.headers["x-snowflake-authorization-token-type"]
        ]),
        [
          [`Bearer ${S.key}`, undefined],
          ["Bearer access-token-9c1d", "PROGRAMMATIC_ACCESS_TOKEN"]
        ]
      )
    })
  )

  it.scopedLive("streams of Claude come in Anthropic's words, with an end, to callers of OpenAI's", () =>
    Effect.gen(function* () {
      const claude = yield* SpokenProvider.make({ name: "up", dialect: "messages" })
      const base = yield* service
      const stream = S.streaming(
        yield* S.call(base, S.streamed(), on(`${claude.origin}/api/v2`, { model: "claude-sonnet-4-6" }))
      )
      assert.notStrictEqual(S.textOf(yield* S.readAll(stream.events)), "")
      assert.strictEqual(stream.events.settlement.outcome?._tag, "Completed")
      const [first] = claude.requests()
      assert.strictEqual(first?.path, "/api/v2/cortex/v1/messages")
      assert.strictEqual(first?.headers["anthropic-version"], "2023-06-01")
      assert.strictEqual(first?.headers.authorization, `Bearer ${S.key}`)
    })
  )

  it.scopedLive("embeds texts", () =>
    Effect.gen(function* () {
      const data = [
        { object: "embedding", index: 0, embedding: [[1, 2]] },
        { object: "embedding", index: 1, embedding: [[3, 4]] }
      ]
      const up = yield* upstream(() => ({ body: { object: "list", data, model: "m", usage: { total_tokens: 5 } } }))
      const request = LlmRequest.embeddings({ model: "m", input: ["a", "b"] })
      const { body } = S.complete(yield* S.call(yield* service, request, on(up.origin)))
      assert.deepInclude(body.data, { object: "embedding", index: 1, embedding: [3, 4] })
      assert.strictEqual(up.received[0]?.url, "/api/v2/cortex/inference:embed")
      assert.deepStrictEqual(jsonOf(up.received[0] as never), { model: "llama3.1-70b", text: ["a", "b"] })
    })
  )

  it.scopedLive("a token that has expired is an error of credentials that quotes no token", () =>
    Effect.gen(function* () {
      const up = yield* upstream(() => ({
        status: 401,
        body: { code: "390144", message: "JWT token is invalid: access-token-9c1d", request_id: "r" }
      }))
      const error = yield* Effect.flip(
        S.call(yield* service, S.chat(), on(up.origin, { apiKey: "pat/access-token-9c1d" }))
      )
      assert.strictEqual(error.reason, "Authentication")
      assert.include(error.providerMessage, "JWT token is invalid")
      assert.notInclude(JSON.stringify(error), "access-token-9c1d")
    })
  )

  it.scopedLive("without an account is told what is missing", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(S.call(yield* service, S.chat(), on("", { baseUrl: undefined as never })))
      assert.match(error.description, /SNOWFLAKE_ACCOUNT_ID/)
    })
  )
})
