import { type StreamEvent, StreamFacts } from "@switchyard/core/ChatChunk"
import type { JsonObject } from "@switchyard/core/Json"
import { messages } from "@switchyard/dialects/Messages"
import { describe, expect, test } from "vitest"

const { answer, request } = messages

const event = (json: JsonObject): StreamEvent => ({ data: JSON.stringify(json), json })

const asked: JsonObject = {
  model: "group",
  max_tokens: 500,
  system: "Be short.",
  stream: true,
  service_tier: "standard_only",
  temperature: 0.5,
  thinking: { type: "adaptive" },
  output_config: { format: { type: "json_schema", schema: {} } },
  container: { id: "container_1" },
  tools: [{ name: "f", input_schema: { type: "object" } }],
  messages: [
    { role: "user", content: "Hello" },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "Hm.", signature: "EqQ=" },
        { type: "redacted_thinking", data: "Emw" },
        { type: "tool_use", id: "c1__sig_gemini_bYWJj", name: "f", input: { a: 1 } }
      ]
    },
    {
      role: "user",
      content: [
        {
          type: "tool_result",
          tool_use_id: "c1",
          content: [{ type: "image", source: { type: "file", file_id: "file_1" } }]
        }
      ]
    }
  ]
}

describe("what routing reads of a request of Anthropic's", () => {
  test("its settings", () => {
    expect(request.model(asked)).toBe("group")
    expect(request.streams(asked, "chat")).toBe(true)
    expect(request.maxOutputTokens(asked)).toBe(500)
    expect(request.largestOutputBound({ max_tokens: "a" })).toBeUndefined()
    expect(request.choices("chat", asked)).toBe(1)
    expect(request.tools(asked)).toHaveLength(1)
    expect(request.responseFormat(asked)).toBe("json_schema")
    expect(request.hasImages(asked)).toBe(true)
    expect(request.hasImages({ messages: [{ role: "user", content: "image" }] })).toBe(false)
    expect(request.asksForReasoning(asked)).toBe(true)
    expect(request.asksForReasoning({ thinking: { type: "disabled" } })).toBe(false)
    expect(request.asksForReasoning({})).toBeUndefined()
    expect(request.serviceTier(asked)).toBe("default")
    expect(request.settings(asked)).toEqual({ temperature: 0.5, topP: undefined, maxTokens: 500 })
  })

  test("its size, the system and the tools counted, a picture as a picture", () => {
    const long = "x".repeat(4000)
    expect(request.size("chat", { system: long, messages: [] }).total).toBe(1000)
    expect(request.size("chat", { messages: [], tools: [{ description: long }] }).total).toBeGreaterThan(999)
    const source = { type: "base64", media_type: "image/png", data: "A".repeat(1_000_000) }
    expect(
      request.size("chat", { messages: [{ role: "user", content: [{ type: "image", source }] }] }).total
    ).toBeLessThan(1100)
  })

  test("who said what, and how it began", () => {
    const turns = [...request.turns("chat", asked)].map(({ parts, role }) => [role, [...parts]])
    expect(turns).toEqual([
      ["system", [{ type: "text", text: "Be short." }]],
      ["user", [{ type: "text", text: "Hello" }]],
      [
        "assistant",
        [
          { type: "other", name: "thinking" },
          { type: "other", name: "redacted_thinking" },
          { type: "tool_call", name: "f", arguments: '{"a":1}' }
        ]
      ],
      ["user", [{ type: "other", name: "tool_result" }]]
    ])
    expect(request.beginning("chat", asked)).toEqual({ system: "Be short.", user: "Hello" })
  })

  test("what binds it to who issued it: signatures softly, files and containers hard", () => {
    expect(request.states(asked)).toEqual([
      { kind: "thinking signature", value: "EqQ=", hard: false },
      { kind: "redacted thinking", value: "Emw", hard: false },
      { kind: "thought signature", value: "YWJj", hard: false },
      { kind: "file id", value: "file_1", hard: true },
      { kind: "container id", value: "container_1", hard: true }
    ])
  })

  test("defaults of a deployment below it, in its own words", () => {
    const merged = request.overlay({ max_completion_tokens: 9, stop: "x", output_config: { effort: "low" } }, asked)
    expect(merged).toEqual({
      ...asked,
      stop_sequences: ["x"],
      output_config: { effort: "low", format: { type: "json_schema", schema: {} } }
    })
    expect(request.overlay(asked, { max_tokens: 3 })).toEqual({ ...asked, max_tokens: 3 })
  })

  test("the rest of an answer is asked for by its beginning, unless it thinks or ends with white space", () => {
    const { thinking: _, ...plain } = asked
    expect(request.prefilled("chat", plain, "Once")?.messages).toHaveLength(4)
    expect(request.prefilled("chat", plain, "Once ")).toBeUndefined()
    expect(request.prefilled("chat", asked, "Once")).toBeUndefined()
  })

  test.each<[string, unknown, number]>([
    ["none", undefined, 1],
    ["an empty list", [], 1],
    ["a list of nothing", [null, { role: 1 }], 2],
    ["a million", Array.from({ length: 100 }, () => 1), 8],
    ["one", [{ role: "user", content: "a" }], 0]
  ])("problems of messages: %s", (_, given, count) => {
    expect(request.problems("chat", { messages: given })).toHaveLength(count)
  })
})

const whole: JsonObject = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-4-5",
  content: [
    { type: "thinking", thinking: "Hm.", signature: "EqQ=" },
    { type: "text", text: "Hello there." },
    { type: "bash_code_execution_tool_result", tool_use_id: "s", content: { content: [{ file_id: "file_9" }] } }
  ],
  stop_reason: "end_turn",
  stop_sequence: null,
  container: { id: "container_9" },
  usage: { input_tokens: 10, cache_read_input_tokens: 4, cache_creation_input_tokens: 2, output_tokens: 7 }
}

describe("what the tower reads of Anthropic's answers", () => {
  test("a whole one", () => {
    expect(answer.failure("chat", whole)).toBeUndefined()
    expect(answer.usage(whole)).toMatchObject({
      inputTokens: 16,
      cachedInputTokens: 4,
      cacheWriteTokens: 2,
      outputTokens: 7
    })
    expect(answer.view(whole)).toMatchObject({ text: "Hello there.", reasoning: "Hm.", finishReason: "stop" })
    expect(answer.identity(whole)).toEqual({ id: "msg_1", model: "claude-sonnet-4-5", finishReasons: ["stop"] })
    expect(answer.issued(whole)).toEqual(["msg_1", "EqQ=", "container_9", "file_9"])
    expect(answer.isFiltered({ ...whole, stop_reason: "refusal" })).toBe(true)
  })

  test("a failure behind a good status", () => {
    const error = { type: "error", error: { type: "overloaded_error", message: "Busy" } }
    expect(answer.failure("chat", error)).toMatchObject({ _tag: "error", error: { message: "Busy" } })
    expect(answer.failure("chat", {})).toEqual({ _tag: "empty" })
    expect(answer.error(event(error))).toMatchObject({ type: "overloaded_error" })
    expect(answer.error(event({ type: "ping" }))).toBeUndefined()
  })

  test("a whole one as events tells the same facts, and folds to it again", () => {
    const facts = new StreamFacts()
    const reader = answer.reader()
    const fold = answer.fold()
    let said = ""
    for (const one of answer.events(whole)) {
      expect(one.event).toBe(one.json.type)
      reader.read(one, facts)
      fold.add(one)
      said += reader.text(one)
    }
    expect(said).toBe("Hello there.")
    expect(facts).toMatchObject({
      hasContent: true,
      hasReasoning: true,
      isWhole: true,
      finishReason: "stop",
      id: "msg_1"
    })
    expect(facts.usage).toMatchObject({ inputTokens: 16, outputTokens: 7 })
    expect([...facts.issued].sort()).toEqual(["EqQ=", "container_9", "file_9", "msg_1"])
    expect(fold.answer()).toEqual(whole)
  })

  test("a stream that broke off goes on where it ended", () => {
    const text = (said: string): JsonObject => ({
      type: "content_block_delta",
      index: 0,
      delta: { type: "text_delta", text: said }
    })
    const begin = answer.events(whole)[0] as StreamEvent
    const block = { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }
    const delivered = answer.delivered?.()
    for (const one of [begin, event(block), event(text("Hello th"))]) delivered?.read(one)
    expect(delivered).toMatchObject({ text: "Hello th", hasText: true, isFixed: false })
    const joint = delivered?.joint("Hello th")
    const second = [begin, event(block), event(text("Hello there.")), event({ type: "content_block_stop", index: 0 })]
    const end = [
      event({
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: { output_tokens: 3 }
      }),
      event({ type: "message_stop" })
    ]
    const rest = [...second, ...end].flatMap((one) => joint?.take(one) ?? [])
    expect(rest.map(({ json }) => json.type)).toEqual([
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop"
    ])
    expect(rest[0]?.json).toEqual(text("ere."))
  })

  test("a canned one is an answer", () => {
    const canned = answer.canned({ operation: "chat", model: "m", body: asked, inputTokens: 8 }, "Drill.", {
      id: "x1",
      created: 1
    })
    expect(canned).toMatchObject({ type: "message", model: "m", content: [{ type: "text", text: "Drill." }] })
    expect(answer.failure("chat", canned)).toBeUndefined()
  })
})
