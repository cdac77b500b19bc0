import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { isJsonObject } from "@switchyard/core/Json"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { messages } from "@switchyard/dialects/Messages"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import { Effect } from "effect"
import { answering } from "../support/answering.js"
import * as S from "../support/support.js"

const thoughtful = LlmRequest.of(messages, "chat", {
  model: "m",
  max_tokens: 10,
  tools: [{ name: "look", input_schema: { type: "object", properties: {} } }],
  messages: [
    { role: "user", content: "Look" },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "I have to look.", signature: "sig" },
        { type: "tool_use", id: "call_1", name: "look", input: {} }
      ]
    },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "call_1", content: "Nothing" }] }
  ]
})

const chatAnswer = {
  id: "c",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
}

const thoughtsIn = (body: unknown): boolean => JSON.stringify(body).includes("I have to look.")

describe("thoughts of earlier turns", () => {
  const cases: ReadonlyArray<readonly [on: Partial<DeploymentConfig>, kept: boolean]> = [
    [{ provider: "deepseek", baseUrl: "https://deepseek.example/v1" }, true],
    [{ provider: "moonshot", baseUrl: "https://moonshot.example/v1" }, true],
    [{ provider: "zai", baseUrl: "https://zai.example/v1" }, true],
    [{ provider: "groq", baseUrl: "https://groq.example/v1" }, false],
    [{ provider: "openai", baseUrl: "https://openai.example/v1" }, false]
  ]

  it.effect.each(cases)("go back to those who want them beside calls of tools, and to no other: %j", ([on, kept]) =>
    Effect.gen(function* () {
      const { sent, transport } = answering(() => chatAnswer)
      yield* S.call(OpenAiCompatible.make(transport), thoughtful, on)
      assert.strictEqual(thoughtsIn(sent[0]?.body), kept)
      const turns = sent[0]?.body.messages
      const assistant = Array.isArray(turns)
        ? turns.find((turn) => isJsonObject(turn) && turn.role === "assistant")
        : {}
      assert.strictEqual(assistant.reasoning_content, kept ? "I have to look." : undefined)
    })
  )

  it.effect.each([
    ["command-a-reasoning-08-2025", true],
    ["command-a-03-2025", false]
  ] as const)("go back to Cohere's models that think: %s", ([model, kept]) =>
    Effect.gen(function* () {
      const { sent, transport } = answering(() => ({
        id: "c",
        message: { role: "assistant", content: [{ type: "text", text: "Hi" }] },
        finish_reason: "COMPLETE",
        usage: { tokens: { input_tokens: 1, output_tokens: 1 } }
      }))
      const on = { protocol: "cohere", provider: "cohere", model, baseUrl: "https://cohere.example" }
      yield* S.call(OpenAiCompatible.make(transport), thoughtful, on)
      assert.strictEqual(thoughtsIn(sent[0]?.body), kept)
    })
  )
})

describe("marks of the cache", () => {
  const marked = LlmRequest.of(messages, "chat", {
    model: "m",
    max_tokens: 10,
    system: [{ type: "text", text: "long", cache_control: { type: "ephemeral" } }],
    messages: [{ role: "user", content: "Look" }]
  })

  it.effect.each([
    ["openrouter", true],
    ["openai", false]
  ] as const)("go to those whose chats have them, and to no other: %j", ([provider, kept]) =>
    Effect.gen(function* () {
      const { sent, transport } = answering(() => chatAnswer)
      yield* S.call(OpenAiCompatible.make(transport), marked, { provider, baseUrl: "https://a.example/v1" })
      assert.strictEqual(JSON.stringify(sent[0]?.body).includes("cache_control"), kept)
    })
  )
})
