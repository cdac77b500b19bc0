import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { gemini } from "@switchyard/dialects/Gemini"
import { messages } from "@switchyard/dialects/Messages"
import * as SideCalls from "@switchyard/providers/SideCalls"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"
import { answering } from "../support/answering.js"
import { chat } from "../support/support.js"

const claude = LlmRequest.of(messages, "chat", {
  model: "m",
  max_tokens: 10,
  system: "Be brief.",
  messages: [{ role: "user", content: "Hi" }]
})
const google = LlmRequest.of(gemini, "chat", { contents: [{ role: "user", parts: [{ text: "Hi" }] }] }, { model: "m" })

interface Case {
  readonly name: string
  readonly on: Partial<DeploymentConfig> & { readonly model: string }
  readonly request: LlmRequest.LlmRequest
  readonly answer: JsonObject
  readonly url: string
  readonly asked: (body: JsonObject) => unknown
  readonly expected: unknown
  /** Whether the answer is the caller's own counter's, too. */
  readonly isOwn: boolean
}

const invoked = ({ input }: JsonObject): unknown => {
  const model = isJsonObject(input) && isJsonObject(input.invokeModel) ? input.invokeModel : {}
  return JSON.parse(Buffer.from(String(model.body), "base64").toString("utf8"))
}

const bedrock = { protocol: "bedrock", apiKey: "key", baseUrl: "https://bedrock.example" }
const vertex = {
  protocol: "vertex",
  apiKey: "ya29.key",
  baseUrl: "https://vertex.example",
  project: "p",
  location: "eu"
}
const turn = { role: "user", content: "Hi" }

const cases: ReadonlyArray<Case> = [
  {
    name: "Claude on Bedrock, as the body of the call itself",
    on: { ...bedrock, model: "anthropic.claude-sonnet-4-v1:0" },
    request: claude,
    answer: { inputTokens: 42 },
    url: "https://bedrock.example/model/anthropic.claude-sonnet-4-v1%3A0/count-tokens",
    asked: invoked,
    expected: { max_tokens: 1, system: "Be brief.", messages: [turn], anthropic_version: "bedrock-2023-05-31" },
    isOwn: false
  },
  {
    name: "a model of Converse on Bedrock, from a chat",
    on: { ...bedrock, model: "amazon.nova-pro-v1:0" },
    request: chat(),
    answer: { inputTokens: 42 },
    url: "https://bedrock.example/model/amazon.nova-pro-v1%3A0/count-tokens",
    asked: (body) => body,
    expected: { input: { converse: { messages: [{ role: "user", content: [{ text: "Hi there" }] }] } } },
    isOwn: false
  },
  {
    name: "Claude on Vertex",
    on: { ...vertex, model: "claude-sonnet-4@20250514" },
    request: claude,
    answer: { input_tokens: 42 },
    url: "https://vertex.example/v1/projects/p/locations/eu/publishers/anthropic/models/count-tokens:rawPredict",
    asked: ({ messages: turns, model }) => ({ messages: turns, model }),
    expected: { messages: [turn], model: "claude-sonnet-4@20250514" },
    isOwn: true
  },
  {
    name: "Gemini on Vertex",
    on: { ...vertex, model: "gemini-2.5-pro" },
    request: google,
    answer: { totalTokens: 42 },
    url: "https://vertex.example/v1/projects/p/locations/eu/publishers/google/models/gemini-2.5-pro:countTokens",
    asked: (body) => body,
    expected: { contents: [{ role: "user", parts: [{ text: "Hi" }] }] },
    isOwn: true
  }
]

describe("the clouds' own counters", () => {
  it.effect.each(cases)("count for $name", ({ answer, asked, expected, isOwn, on, request, url }) =>
    Effect.gen(function* () {
      const { sent, transport } = answering(() => answer)
      const { deployment } = StubLlm.slot("d1", on)
      const counting = SideCalls.make(transport).count(deployment, deployment.model, request)
      if (counting === undefined) throw new Error("it has no counter")
      const counted = yield* counting
      assert.deepStrictEqual(counted, { tokens: 42, body: isOwn ? answer : undefined })
      assert.deepStrictEqual([sent[0]?.url, asked(sent[0]?.body ?? {})], [url, expected])
    })
  )
})
