import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { messages } from "@switchyard/dialects/Messages"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import * as AttemptMetrics from "@switchyard/router/AttemptMetrics"
import type { Sink } from "@switchyard/router/MetricsSink"
import { Effect } from "effect"
import { answering } from "../support/answering.js"
import * as S from "../support/support.js"

const request = LlmRequest.of(messages, "chat", {
  model: "m",
  max_tokens: 10,
  whatever_a_caller_says: 1,
  messages: [
    { role: "user", content: [{ type: "text", text: "Hi", cache_control: { type: "ephemeral" } }] },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "hm", signature: "sig" },
        { type: "text", text: "Yes?" }
      ]
    },
    { role: "user", content: [{ type: "text", text: "Go on", cache_control: { type: "ephemeral" } }] }
  ]
})

describe("fields that are left out", () => {
  it.effect("are counted by both dialects, by names out of a bounded set, and by reason", () =>
    Effect.gen(function* () {
      const counted = new Map<string, number>()
      const sink: Sink = {
        counter: ({ labels, name }) => {
          const key = `${name} ${labels.map(([, value]) => value).join(" ")}`
          return (by) => void counted.set(key, (counted.get(key) ?? 0) + by)
        },
        upDown: () => () => {},
        histogram: () => () => {},
        expose: () => Effect.dieMessage("nobody asks")
      }
      const { transport } = answering(() => ({
        id: "c",
        object: "chat.completion",
        created: 1,
        model: "m",
        choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }]
      }))
      const service = AttemptMetrics.make({ prefix: "x" }, sink)(OpenAiCompatible.make(transport))
      yield* S.call(service, request, { baseUrl: "https://groq.example/v1", provider: "groq" })
      yield* S.call(service, request, { baseUrl: "https://groq.example/v1", provider: "groq" })
      const found = [...counted].filter(([name]) => name.startsWith("x_fields_left_out_total"))
      assert.deepStrictEqual(Object.fromEntries(found.map(([name, count]) => [name.slice(24), count])), {
        "messages chat other advisory": 2,
        "messages chat cache_control advisory": 4,
        "messages chat messages state": 2
      })
    })
  )
})
