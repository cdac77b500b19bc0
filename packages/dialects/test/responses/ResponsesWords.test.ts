import { StreamFacts } from "@switchyard/core/ChatChunk"
import type { StreamEvent } from "@switchyard/core/Dialect"
import type { JsonObject } from "@switchyard/core/Json"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { AnswerEvent } from "@switchyard/dialects/Answer"
import { responses } from "@switchyard/dialects/Responses"
import { describe, expect, test } from "vitest"
import { eventsOf } from "./fixtures.js"

const { answer, request } = responses
const place = (part: number) => ({ choice: 0, part })

const events = (steps: ReadonlyArray<AnswerEvent>): ReadonlyArray<StreamEvent> =>
  eventsOf(steps).map(({ event, json }) => ({ event: event ?? "", data: JSON.stringify(json), json }))

const hello = (pieces: ReadonlyArray<string>): ReadonlyArray<StreamEvent> =>
  events([
    { type: "start", id: `resp_${pieces.length}`, model: "gpt-5" },
    { type: "reasoning", text: "hm", isSummary: true, ...place(0) },
    ...pieces.map((text) => ({ type: "text" as const, text, ...place(1) })),
    { type: "finish", choice: 0, finish: "stop" },
    { type: "usage", usage: { uncached: 5, cacheRead: 3, cacheWrite: 0, text: 2, reasoning: 1 } }
  ])

describe("words of Responses", () => {
  test("routing reads a request", () => {
    const body: JsonObject = {
      model: "m",
      stream: true,
      instructions: "Be brief.",
      max_output_tokens: 50,
      reasoning: { effort: "none" },
      text: { format: { type: "json_schema" } },
      service_tier: "flex",
      tools: [{ type: "function", name: "f" }],
      previous_response_id: "resp_0",
      input: [
        {
          role: "user",
          content: [
            { type: "input_image", image_url: "u" },
            { type: "input_text", text: "hi" }
          ]
        },
        { type: "reasoning", id: "rs", summary: [], encrypted_content: "gAAA" },
        { type: "function_call", call_id: "c", name: "f", arguments: "{}" },
        { type: "function_call_output", call_id: "c", output: "done" }
      ]
    }
    expect(request.problems("chat", body)).toEqual([])
    expect(request.streams(body, "chat")).toBe(true)
    expect(request.maxOutputTokens(body)).toBe(50)
    expect(request.hasImages(body)).toBe(true)
    expect(request.asksForReasoning(body)).toBe(false)
    expect(request.responseFormat(body)).toBe("json_schema")
    expect(request.states(body)).toEqual([
      { kind: "encrypted reasoning", value: "gAAA", hard: false },
      { kind: "response id", value: "resp_0", hard: true }
    ])
    expect([...request.turns("chat", body)].map(({ parts, role }) => [role, [...parts]])).toEqual([
      ["system", [{ type: "text", text: "Be brief." }]],
      [
        "user",
        [
          { type: "other", name: "input_image" },
          { type: "text", text: "hi" }
        ]
      ],
      ["assistant", [{ type: "other", name: "reasoning" }]],
      ["assistant", [{ type: "tool_call", name: "f", arguments: "{}" }]],
      ["tool", [{ type: "text", text: "done" }]]
    ])
    expect(LlmRequest.estimateInputTokens(LlmRequest.of(responses, "chat", body))).toBeGreaterThan(5)
  })

  test.each([
    [{}, "input: expected a string or a list of items"],
    [{ input: 7 }, "input: expected a string or a list of items"],
    [{ input: [{}] }, "input.0: expected a type or a role"],
    [{ input: "hi", stream: 1 }, "stream: expected true or false"]
  ])("a request that cannot be routed is told so: %j", (body, problem) => {
    expect(request.problems("chat", body)).toEqual([problem])
  })

  test("a stream tells its facts", () => {
    const facts = new StreamFacts()
    const reader = answer.reader()
    let text = ""
    for (const event of hello(["Hel", "lo"])) {
      reader.read(event, facts)
      text += reader.text(event)
    }
    expect(text).toBe("Hello")
    expect(facts).toMatchObject({ hasContent: true, hasReasoning: true, finishReason: "stop", id: "resp_2" })
    expect(facts.usage).toMatchObject({ inputTokens: 8, cachedInputTokens: 3, outputTokens: 3, reasoningTokens: 1 })
  })

  test("a stream folded is its last event's response, and a whole answer as a stream says the same", () => {
    const given = hello(["Hel", "lo"])
    const fold = answer.fold()
    for (const event of given) fold.add(event)
    const whole = fold.answer()
    expect(whole).toEqual(given.at(-1)?.json.response)
    const again = answer.fold()
    for (const event of answer.events(whole)) again.add(event)
    expect(answer.view(again.answer())).toMatchObject({ text: "Hello", reasoning: "hm", finishReason: "stop" })
    expect(answer.failure("chat", whole)).toBeUndefined()
    expect(
      answer.failure("chat", { ...whole, status: "failed", error: { code: "server_error", message: "x" } })
    ).toEqual({
      _tag: "error",
      error: { message: "x", code: "server_error", status: 500 }
    })
  })

  test("a second stream goes on where the first one broke: same ids, ascending numbers, one whole answer", () => {
    const begun = hello(["Hello, ", "wor"])
    const first = begun.slice(
      0,
      begun.findIndex(({ event }) => event === "response.output_text.done")
    )
    const delivered = answer.delivered?.()
    if (delivered === undefined) throw new Error("cannot be taken up again")
    for (const event of first) delivered.read(event)
    expect(delivered.text).toBe("Hello, wor")
    const joint = delivered.joint("Hello, wor")
    const rest = hello(["Hel", "lo, world", "!"]).flatMap((event) => joint?.take(event) ?? [])
    const all = [...first, ...rest].map(({ json }) => json)
    expect(all.map(({ sequence_number }) => sequence_number)).toEqual(all.map((_, at) => at))
    expect(
      new Set(all.flatMap(({ content_index, item_id }) => (content_index === undefined ? [] : [item_id]))).size
    ).toBe(1)
    expect(
      all
        .filter(({ type }) => type === "response.output_text.delta")
        .map(({ delta }) => delta)
        .join("")
    ).toBe("Hello, world!")
    expect(answer.view(all.at(-1)?.response as JsonObject)).toMatchObject({ text: "Hello, world!", reasoning: "hm" })
  })

  test("a drill's answer is one", () => {
    const asked = { operation: "chat" as const, model: "m", body: {}, inputTokens: 3 }
    const body = answer.canned(asked, "Hi", { id: "abc", created: 7 })
    expect(body).toMatchObject({ id: "resp_abc", object: "response", created_at: 7, status: "completed" })
    expect(answer.view(body).text).toBe("Hi")
  })
})
