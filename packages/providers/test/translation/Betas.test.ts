import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { messages } from "@switchyard/dialects/Messages"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import { Effect } from "effect"
import { answering } from "../support/answering.js"
import * as S from "../support/support.js"

const answer = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "m",
  content: [{ type: "text", text: "Hi" }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: 1 }
}

describe("beta features, for Claude on Vertex AI", () => {
  it.effect(
    "go out by the beginnings of their names that it knows; others are left out, and what is Anthropic's own",
    () =>
      Effect.gen(function* () {
        const { sent, transport } = answering(() => answer)
        const request = LlmRequest.of(
          messages,
          "chat",
          { model: "m", max_tokens: 10, service_tier: "auto", messages: [{ role: "user", content: "Hi" }] },
          {
            overrides: {
              headers: { "anthropic-beta": "context-1m-2025-08-07, files-api-2025-04-14,web-search-2025-03-05" }
            }
          }
        )
        const on = {
          protocol: "vertex",
          model: "claude-sonnet-4@20250514",
          apiKey: "ya29.key",
          baseUrl: "https://vertex.example",
          project: "p",
          location: "eu"
        }
        const attempt = yield* S.attemptOn(request, on)
        S.complete(yield* OpenAiCompatible.make(transport).call(attempt))
        const [asked] = sent
        assert.strictEqual(asked?.headers["anthropic-beta"], "context-1m-2025-08-07,web-search-2025-03-05")
        assert.deepStrictEqual(asked?.body, {
          max_tokens: 10,
          messages: [{ role: "user", content: "Hi" }],
          anthropic_version: "vertex-2023-10-16"
        })
        assert.include(asked?.url, "/publishers/anthropic/models/claude-sonnet-4%4020250514:rawPredict")
        assert.include(JSON.stringify(attempt.leftOut), "files-api-2025-04-14")
      })
  )
})
