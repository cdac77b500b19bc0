import type { JsonObject } from "@switchyard/core/Json"
import type { Answer, Finish } from "@switchyard/dialects/Answer"
import type { Part } from "@switchyard/dialects/Conversation"
import { messages } from "@switchyard/dialects/Messages"
import type { Tokens } from "@switchyard/dialects/Tokens"
import { Either } from "effect"
import { describe, expect, test } from "vitest"
import { optionsFor } from "./fixtures.js"

const usage = {
  input_tokens: 10,
  cache_creation_input_tokens: 30,
  cache_read_input_tokens: 5,
  cache_creation: { ephemeral_5m_input_tokens: 20, ephemeral_1h_input_tokens: 10 },
  output_tokens: 40,
  output_tokens_details: { thinking_tokens: 15 },
  service_tier: "standard",
  server_tool_use: { web_search_requests: 1 }
}

const whole: JsonObject = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-4-5-20250929",
  content: [
    { type: "thinking", thinking: "Hm.", signature: "EqQBCg==" },
    { type: "redacted_thinking", data: "EmwK" },
    { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "x" } },
    { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [] },
    {
      type: "text",
      text: "It rains.",
      citations: [
        { type: "web_search_result_location", url: "https://e.com", title: "T", cited_text: "r", encrypted_index: "E" }
      ]
    },
    { type: "tool_use", id: "toolu_1", name: "f", input: { a: [1, { b: null }] }, caller: { type: "direct" } }
  ],
  stop_reason: "tool_use",
  stop_sequence: null,
  usage,
  container: { id: "container_1", expires_at: "2026-01-01T00:00:00Z" },
  context_management: { applied_edits: [] }
}

const read = (body: JsonObject): Answer => Either.getOrThrow(messages.readAnswer(body))

const said = (parts: ReadonlyArray<Part>, finish: Finish = "stop", more: Partial<Answer> = {}): JsonObject =>
  messages.writeAnswer({ choices: [{ parts, finish }], ...more }, optionsFor("claude"))

describe("whole answers", () => {
  test("are written as they were read", () => {
    expect(messages.writeAnswer(read(whole), optionsFor())).toEqual(whole)
  })

  test("are read part by part", () => {
    const { choices, id, model } = read(whole)
    expect([id, model]).toEqual(["msg_1", "claude-sonnet-4-5-20250929"])
    expect(choices[0]?.parts.map(({ type }) => type)).toEqual([
      "reasoning",
      "reasoning",
      "opaque",
      "opaque",
      "text",
      "toolCall"
    ])
    expect(choices[0]?.finish).toBe("toolCalls")
  })

  test("of other dialects are messages with an id, a bound and a usage of Anthropic's form", () => {
    const body = said(
      [
        { type: "reasoning", text: "Hm." },
        { type: "text", text: "Hi.", citations: [{ dialect: "responses", url: "https://e.com", value: { a: 1 } }] },
        { type: "toolCall", id: undefined, name: "f", kind: "function", arguments: "{broken" },
        { type: "opaque", dialect: "responses", value: { type: "web_search_call" } }
      ],
      "stop",
      { id: "chatcmpl-1", model: "gpt-5" }
    )
    expect(body).toEqual({
      id: "msg_aB3dE6gH9jK2mN5pQ8sT1vW4",
      type: "message",
      role: "assistant",
      model: "gpt-5",
      content: [
        { type: "thinking", thinking: "Hm.", signature: "" },
        {
          type: "text",
          text: "Hi.",
          citations: [
            {
              type: "web_search_result_location",
              url: "https://e.com",
              title: null,
              cited_text: "",
              encrypted_index: ""
            }
          ]
        },
        {
          type: "tool_use",
          id: "toolu_aB3dE6gH9jK2mN5pQ8sT1vW4_2",
          name: "f",
          input: { INVALID_JSON: "{broken" }
        }
      ],
      stop_reason: "tool_use",
      stop_sequence: null,
      usage: { input_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 0 }
    })
  })

  test.each<[Finish, string]>([
    ["stop", "end_turn"],
    ["length", "max_tokens"],
    ["toolCalls", "tool_use"],
    ["filter", "refusal"],
    ["refusal", "refusal"],
    ["pause", "pause_turn"],
    ["context", "model_context_window_exceeded"],
    ["malformedCall", "end_turn"],
    ["error", "end_turn"]
  ])("the end %s is the stop reason %s", (finish, reason) => {
    expect(messages.writeFinish(finish)).toBe(reason)
    expect(said([], finish).stop_reason).toBe(reason)
  })

  test.each(["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "a_new_reason"])(
    "the stop reason %s stays",
    (stop_reason) => {
      const body = { ...whole, content: [], stop_reason, stop_sequence: stop_reason === "stop_sequence" ? "END" : null }
      expect(messages.writeAnswer(read(body), optionsFor())).toEqual(body)
    }
  )

  test.each<[string, unknown]>([
    ["content that is none", { type: "message", content: "a" }],
    ["nothing", {}]
  ])("%s is no answer", (_, body) => {
    expect(Either.isLeft(messages.readAnswer(body as JsonObject))).toBe(true)
  })

  test("blocks that nobody knows stay as they are", () => {
    const body = { ...whole, content: [{ type: "hologram", of: { depth: 3 } }, { type: "text" }] }
    expect(messages.writeAnswer(read(body), optionsFor())).toEqual(body)
  })
})

describe("usage", () => {
  test("is read without overlap", () => {
    expect(messages.readTokens(usage)).toEqual({
      uncached: 10,
      cacheRead: 5,
      cacheWrite: 20,
      cacheWriteHour: 10,
      text: 25,
      reasoning: 15
    })
  })

  test.each<[string, Tokens]>([
    ["nothing", { uncached: 0, cacheRead: 0, cacheWrite: 0, text: 0, reasoning: 0 }],
    ["a cache for minutes", { uncached: 1, cacheRead: 2, cacheWrite: 3, text: 4, reasoning: 5 }],
    ["a cache for an hour", { uncached: 1, cacheRead: 2, cacheWrite: 3, cacheWriteHour: 4, text: 5, reasoning: 0 }]
  ])("of %s is written so that it is read the same", (_, tokens) => {
    expect(messages.readTokens(messages.writeTokens(tokens))).toEqual(tokens)
  })

  test.each([null, "a", {}, { input_tokens: "3" }])("%j is none", (given) => {
    expect(messages.readTokens(given)).toBeUndefined()
  })

  test("counts in fractions are rounded: some tell the tokens of a cache by their price", () => {
    expect(messages.readTokens({ input_tokens: 35648.42, output_tokens: 7.5 })).toEqual({
      uncached: 35648,
      cacheRead: 0,
      cacheWrite: 0,
      text: 8,
      reasoning: 0
    })
  })

  test("counts that cannot be are none, and thoughts are no more than the output", () => {
    expect(
      messages.readTokens({ input_tokens: -1, output_tokens: 3, output_tokens_details: { thinking_tokens: 9 } })
    ).toEqual({ uncached: 0, cacheRead: 0, cacheWrite: 0, text: 0, reasoning: 3 })
  })
})

describe("errors", () => {
  test.each([
    ["invalid_request_error", 400],
    ["authentication_error", 401],
    ["permission_error", 403],
    ["not_found_error", 404],
    ["request_too_large", 413],
    ["rate_limit_error", 429],
    ["api_error", 500],
    ["overloaded_error", 529]
  ])("%s is %i, both ways", (type, status) => {
    const body = { type: "error", error: { type, message: "No." }, request_id: "req_1" }
    expect(messages.readError(body)).toEqual({ type, status, message: "No." })
    expect(messages.writeError({ message: "No.", status })).toEqual({ type: "error", error: { type, message: "No." } })
  })

  test.each<[number | undefined, string]>([
    [undefined, "api_error"],
    [408, "timeout_error"],
    [422, "invalid_request_error"],
    [502, "api_error"],
    [503, "overloaded_error"]
  ])("a status of %s is %s", (status, type) => {
    expect(messages.writeError({ message: "No.", status, type: "server_error" })).toMatchObject({ error: { type } })
  })

  test("an error that ends a stream is an event of its own", () => {
    expect(messages.errorEvent({ message: "No.", type: "overloaded_error" })).toEqual({
      event: "error",
      json: { type: "error", error: { type: "overloaded_error", message: "No." } }
    })
  })

  test.each<[JsonObject, string | undefined]>([
    [{ message: "Too many requests" }, "Too many requests"],
    [{ error: { message: "No." } }, "No."],
    [{ error: "No." }, "No."],
    [{ type: "error" }, "the provider gave no reason"],
    [whole, undefined],
    [{}, undefined]
  ])("a body is an error or none", (body, message) => {
    expect(messages.readError(body)?.message).toBe(message)
  })
})
