import { arrayOf, type JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "@switchyard/dialects/Answer"
import { responses } from "@switchyard/dialects/Responses"
import { describe, expect, test } from "vitest"
import { eventsOf, folded, optionsFor, right, said, stepsOf } from "./fixtures.js"

const place = (part: number) => ({ choice: 0, part })

const task: ReadonlyArray<AnswerEvent> = [
  { type: "start", id: "msg_01", model: "claude-sonnet-4-5" },
  { type: "reasoning", text: "Look ", ...place(0) },
  { type: "reasoning", text: "first.", ...place(0) },
  { type: "signature", signature: { dialect: "messages", value: "EuYB+/=" }, ...place(0) },
  { type: "text", text: "I will ", ...place(1) },
  { type: "text", text: "look.", ...place(1) },
  { type: "toolCall", id: "toolu_1", name: "mcp__files__read", kind: "function", ...place(2) },
  { type: "arguments", text: '{"path":', ...place(2) },
  { type: "arguments", text: '"a"}', ...place(2) },
  { type: "toolCall", id: "toolu_2", name: "apply_patch", kind: "function", ...place(3) },
  { type: "arguments", text: '{"input":"*** Begin', ...place(3) },
  { type: "arguments", text: ' Patch"}', ...place(3) },
  { type: "finish", choice: 0, finish: "toolCalls", reason: "tool_use" },
  { type: "usage", usage: { uncached: 10, cacheRead: 90, cacheWrite: 5, text: 20, reasoning: 7 } },
  { type: "end" }
]

const codex = optionsFor({
  model: "coder",
  tools: [
    { type: "function", name: "mcp__files__read", namespace: "mcp__files" },
    { type: "custom", name: "apply_patch" }
  ]
})

describe("events of Responses", () => {
  test("are numbered, named by their type, and in OpenAI's order", () => {
    const events = eventsOf(task, codex)
    events.forEach(({ event, json }, at) => {
      expect(event).toBe(json.type)
      expect(json.sequence_number).toBe(at)
    })
    expect(events.map(({ event }) => event)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.reasoning_summary_part.added",
      "response.reasoning_summary_text.delta",
      "response.reasoning_summary_text.delta",
      "response.reasoning_summary_text.done",
      "response.reasoning_summary_part.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.function_call_arguments.delta",
      "response.function_call_arguments.delta",
      "response.function_call_arguments.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.custom_tool_call_input.delta",
      "response.custom_tool_call_input.done",
      "response.output_item.done",
      "response.completed"
    ])
  })

  test("folded are the whole answer, item by item", () => {
    const last = eventsOf(task, codex).at(-1)?.json.response as JsonObject
    const whole = responses.writeAnswer(folded(task), codex)
    expect(last).toEqual({ ...whole, created_at: last.created_at })
    expect(arrayOf(last.output)).toMatchObject([
      { type: "reasoning", encrypted_content: "switchyard.messages.s.EuYB+/=" },
      { type: "message", status: "completed", content: [{ type: "output_text", text: "I will look." }] },
      { type: "function_call", namespace: "mcp__files", name: "read", call_id: "toolu_1", arguments: '{"path":"a"}' },
      { type: "custom_tool_call", name: "apply_patch", call_id: "toolu_2", input: "*** Begin Patch" }
    ])
  })

  test("keep the ids of their items from the first to the last", () => {
    const events = eventsOf(task, codex).map(({ json }) => json)
    const added = events.filter(({ type }) => type === "response.output_item.added")
    const done = events.filter(({ type }) => type === "response.output_item.done")
    const idOf = ({ item }: JsonObject): unknown => (item as JsonObject).id
    expect(done.map(idOf)).toEqual(added.map(idOf))
    expect(new Set(added.map(idOf)).size).toBe(4)
    for (const { item_id, output_index } of events) {
      if (item_id !== undefined) expect(idOf(added[output_index as number] as JsonObject)).toBe(item_id)
    }
  })

  test("read again say the same", () => {
    const again = stepsOf(eventsOf(task, codex).map(({ json }) => json))
    expect(said(folded(again))).toEqual(said(right(responses.readAnswer(responses.writeAnswer(folded(again), codex)))))
    expect(again.at(-1)).toEqual({ type: "end" })
  })

  test("calls that come in turns stand each in its own item", () => {
    const events = eventsOf([
      { type: "toolCall", id: "a", name: "f", kind: "function", ...place(0) },
      { type: "toolCall", id: "b", name: "g", kind: "function", ...place(1) },
      { type: "arguments", text: '{"x"', ...place(0) },
      { type: "arguments", text: "{}", ...place(1) },
      { type: "arguments", text: ":1}", ...place(0) },
      { type: "finish", choice: 0, finish: "toolCalls" }
    ])
    const output = [
      { call_id: "a", arguments: '{"x":1}' },
      { call_id: "b", arguments: "{}" }
    ]
    expect(events.at(-1)?.json).toMatchObject({ response: { output } })
  })

  test("an answer that was cut is incomplete, and so is its last item", () => {
    const events = eventsOf([
      { type: "text", text: "so", ...place(0) },
      { type: "toolCall", id: "a", name: "f", kind: "function", ...place(1) },
      { type: "arguments", text: '{"x"', ...place(1) },
      { type: "finish", choice: 0, finish: "length" }
    ])
    expect(events.at(-1)?.json).toMatchObject({
      type: "response.incomplete",
      response: {
        status: "incomplete",
        incomplete_details: { reason: "max_output_tokens" },
        output: [{ status: "completed" }, { status: "incomplete", arguments: '{"x"' }]
      }
    })
  })

  test("an error ends them as a response that failed, and invents no end of what was open", () => {
    const events = eventsOf([
      { type: "toolCall", id: "a", name: "f", kind: "function", ...place(0) },
      { type: "arguments", text: '{"x"', ...place(0) },
      { type: "error", error: { message: "overloaded", status: 529, type: "overloaded_error" } },
      { type: "text", text: "late", ...place(1) }
    ]).map(({ json }) => json)
    expect(events.map(({ type }) => type).slice(-2)).toEqual(["error", "response.failed"])
    expect(events.filter(({ type }) => type === "response.output_item.done")).toEqual([])
    expect(events.at(-1)).toMatchObject({
      response: { status: "failed", error: { code: "overloaded_error", message: "overloaded" }, output: [] }
    })
  })

  test("what came in no delta comes with the ends, once", () => {
    const response = { id: "resp_1", object: "response", created_at: 1, model: "m", status: "completed", usage: null }
    const message = {
      type: "message",
      id: "m1",
      role: "assistant",
      content: [{ type: "output_text", text: "Hello", annotations: [] }]
    }
    const call = { type: "function_call", id: "f1", call_id: "c1", name: "f", arguments: "{}" }
    const steps = stepsOf([
      { type: "response.created", response: { ...response, status: "in_progress" } },
      { type: "response.output_text.delta", item_id: "m1", output_index: 0, content_index: 0, delta: "Hel" },
      { type: "response.output_text.done", item_id: "m1", output_index: 0, content_index: 0, text: "Hello" },
      { type: "response.output_item.done", output_index: 0, item: message },
      { type: "response.completed", response: { ...response, output: [message, call] } }
    ])
    expect(folded(steps).choices[0]).toMatchObject({
      finish: "toolCalls",
      parts: [
        { type: "text", text: "Hello" },
        { type: "toolCall", id: "c1", arguments: "{}" }
      ]
    })
  })

  test("of an error and the failure behind it one is told", () => {
    const steps = stepsOf([
      { type: "error", error: { code: "rate_limit_exceeded", message: "slow", type: "tokens" } },
      {
        type: "response.failed",
        response: { id: "r", status: "failed", error: { code: "server_error", message: "x" } }
      }
    ])
    expect(steps.filter(({ type }) => type === "error")).toEqual([
      { type: "error", error: { message: "slow", status: 429, type: "tokens", code: "rate_limit_exceeded" } }
    ])
  })
})
