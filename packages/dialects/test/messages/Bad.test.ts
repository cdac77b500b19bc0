/**
 * Whatever comes in place of what was meant: no reader and no writer throws, and what was read can be written.
 */

import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "@switchyard/dialects/Answer"
import { messages } from "@switchyard/dialects/Messages"
import { Dice } from "@switchyard/testing/Dice"
import { Either } from "effect"
import { describe, expect, test } from "vitest"
import { optionsFor } from "./fixtures.js"

const request: JsonObject = {
  model: "claude-sonnet-4-5",
  max_tokens: 100,
  system: [{ type: "text", text: "S", cache_control: { type: "ephemeral" } }],
  messages: [
    { role: "user", content: [{ type: "image", source: { type: "base64", media_type: "image/png", data: "AA==" } }] },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "Hm.", signature: "Eq" },
        { type: "text", text: "a", citations: [{ type: "char_location", cited_text: "a" }] },
        { type: "tool_use", id: "t1", name: "f", input: { a: 1 } }
      ]
    },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: [{ type: "text", text: "1" }] }] }
  ],
  tools: [
    { name: "f", input_schema: { type: "object" } },
    { type: "web_search_20250305", name: "web_search" }
  ],
  tool_choice: { type: "auto", disable_parallel_tool_use: false },
  thinking: { type: "enabled", budget_tokens: 50 },
  output_config: { effort: "low", format: { type: "json_schema", schema: { type: "object", properties: { a: {} } } } },
  context_management: { edits: [{ type: "clear_thinking_20251015" }] },
  metadata: { user_id: "u" },
  stop_sequences: ["x"]
}

const answer: JsonObject = {
  id: "msg_1",
  type: "message",
  model: "claude",
  content: [
    { type: "thinking", thinking: "Hm.", signature: "Eq" },
    { type: "text", text: "a", citations: [{ type: "char_location", cited_text: "a" }] },
    { type: "tool_use", id: "t1", name: "f", input: { a: 1 } },
    { type: "server_tool_use", id: "s1", name: "web_search", input: { query: "x" } }
  ],
  stop_reason: "tool_use",
  usage: { input_tokens: 1, output_tokens: 2, cache_creation: { ephemeral_5m_input_tokens: 1 } }
}

const events: ReadonlyArray<JsonObject> = [
  { type: "message_start", message: { ...answer, content: [] } },
  { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "", signature: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "H" } },
  { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "Eq" } },
  { type: "content_block_stop", index: 0 },
  { type: "content_block_start", index: 1, content_block: { type: "tool_use", id: "t1", name: "f", input: {} } },
  { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '{"a":1}' } },
  { type: "content_block_stop", index: 1 },
  { type: "content_block_start", index: 2, content_block: { type: "server_tool_use", id: "s", name: "w", input: {} } },
  { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: "{}" } },
  { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 3 } },
  { type: "message_stop" }
]

const odd: readonly [unknown, ...ReadonlyArray<unknown>] = [
  null,
  true,
  0,
  -1.5,
  1e300,
  "",
  "text",
  [],
  [null],
  ["a", 1],
  {},
  { type: "text" },
  { type: 7 },
  { type: "tool_use" },
  { type: "unknown", a: { b: [] } }
]

/** The same value with something odd in one place of it. */
const spoilt = (value: unknown, dice: Dice): unknown => {
  if (dice.below(6) === 0 || typeof value !== "object" || value === null) return dice.pick(odd)
  if (Array.isArray(value)) {
    if (value.length === 0) return [dice.pick(odd)]
    const at = dice.below(value.length)
    return value.map((one: unknown, index) => (index === at ? spoilt(one, dice) : one))
  }
  const names = Object.keys(value)
  const name = names[dice.below(names.length)]
  if (name === undefined) return { type: dice.pick(odd) }
  const copy: Record<string, unknown> = { ...value }
  if (dice.below(8) === 0) delete copy[name]
  else copy[name] = spoilt((value as JsonObject)[name], dice)
  return copy
}

const asBody = (value: unknown): JsonObject => (isJsonObject(value) ? value : {})

const seeds = Array.from({ length: 400 }, (_, seed) => seed)

describe("input that is spoilt", () => {
  test("is read as a conversation or refused with a path, and what is read can be written for any origin", () => {
    for (const seed of seeds) {
      const body = asBody(spoilt(spoilt(request, new Dice(seed)), new Dice(seed + 1)))
      const read = messages.readRequest(body)
      if (Either.isLeft(read)) {
        expect(read.left.length, `seed ${seed}`).toBeGreaterThan(0)
        continue
      }
      for (const origin of ["messages", "chat"] as const) {
        for (const knowsSignatures of [true, false]) {
          messages.writeRequest({ ...read.right, origin }, { model: "claude-opus-4-7", knowsSignatures })
        }
      }
    }
  })

  test("is no defect in the words of a tower", () => {
    const { answer: said, request: asked } = messages
    for (const seed of seeds) {
      const dice = new Dice(seed)
      const body = asBody(spoilt(request, dice))
      asked.problems("chat", body)
      asked.size("chat", body)
      asked.maxOutputTokens(body)
      asked.hasImages(body)
      asked.responseFormat(body)
      asked.asksForReasoning(body)
      asked.states(body)
      asked.beginning("chat", body)
      asked.prefilled("chat", body, "a")
      asked.overlay({ stop: "x", output_config: 3 }, body)
      for (const { parts } of asked.turns("chat", body)) for (const _ of parts);
      messages.edit(body, { model: "claude-opus-4-7", stream: false, defaults: asBody(spoilt(request, dice)) })
      messages.defaults(body)
      const whole = asBody(spoilt(answer, dice))
      said.failure("chat", whole)
      said.usage(whole)
      said.characters(whole)
      said.view(whole)
      said.identity(whole)
      said.turn(whole)
      said.issued(whole)
      said.events(whole)
    }
  })

  test("is read as an answer or told in words, and what is read can be written", () => {
    for (const seed of seeds) {
      const body = asBody(spoilt(answer, new Dice(seed)))
      messages.readError(body)
      const read = messages.readAnswer(body)
      if (Either.isRight(read)) JSON.stringify(messages.writeAnswer(read.right, optionsFor()))
    }
  })

  test("is read event by event, in any order, and a stream that is written ends once", () => {
    for (const seed of seeds) {
      const dice = new Dice(seed)
      const given = (dice.below(3) === 0 ? dice.shuffled(events) : events).map((event) =>
        dice.below(4) === 0 ? asBody(spoilt(event, dice)) : event
      )
      const reader = messages.eventReader()
      const writer = messages.eventWriter(optionsFor())
      const ends: Array<unknown> = []
      const tell = ({ json }: { readonly json: JsonObject }): void => {
        if (json.type === "message_stop" || json.type === "error") ends.push(json.type)
      }
      for (const event of given) reader.read(event, (said: AnswerEvent) => writer.write(said, tell))
      writer.end(tell)
      expect(ends, `seed ${seed}`).toHaveLength(1)
    }
  })
})
