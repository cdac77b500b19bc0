import Anthropic from "@anthropic-ai/sdk"
import type { JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "@switchyard/dialects/Answer"
import { messages } from "@switchyard/dialects/Messages"
import type { WireEvent } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import { describe, expect, test } from "vitest"
import { AnswerFold } from "../../src/words/AnswerFold.js"
import { answerSteps } from "../../src/words/answerSteps.js"
import { foldMessage, optionsFor, plain } from "./fixtures.js"

const started = (more: JsonObject = {}): JsonObject => ({
  type: "message_start",
  message: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 20, cache_read_input_tokens: 4, output_tokens: 1 },
    ...more
  }
})
const block = (index: number, content_block: JsonObject, ...deltas: ReadonlyArray<JsonObject>): Array<JsonObject> => [
  { type: "content_block_start", index, content_block },
  ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
  { type: "content_block_stop", index }
]
const text = (said: string): JsonObject => ({ type: "text_delta", text: said })
const json = (partial_json: string): JsonObject => ({ type: "input_json_delta", partial_json })
const ended = (stop_reason: string, usage: JsonObject = { output_tokens: 9 }): Array<JsonObject> => [
  { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage },
  { type: "message_stop" }
]

const streams: Readonly<Record<string, ReadonlyArray<JsonObject>>> = {
  "a text": [
    started(),
    { type: "ping" },
    ...block(0, { type: "text", text: "" }, text("Hel"), text("lo")),
    ...ended("end_turn")
  ],
  "thoughts and calls in parallel": [
    started(),
    ...block(
      0,
      { type: "thinking", thinking: "", signature: "" },
      { type: "thinking_delta", thinking: "H" },
      { type: "thinking_delta", thinking: "m." },
      { type: "signature_delta", signature: "Eq" },
      { type: "signature_delta", signature: "Q=" }
    ),
    ...block(1, { type: "redacted_thinking", data: "Emw" }),
    ...block(2, { type: "tool_use", id: "toolu_1", name: "f", input: {} }, json(""), json('{"a":'), json("1}")),
    ...block(3, { type: "tool_use", id: "toolu_2", name: "g", input: {}, caller: { type: "direct" } }),
    ...ended("tool_use")
  ],
  "a server tool, citations and a compaction": [
    started(),
    ...block(0, { type: "compaction", content: null }, { type: "compaction_delta", content: "They talked." }),
    ...block(1, { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} }, json('{"query":"x"}')),
    ...block(2, {
      type: "web_search_tool_result",
      tool_use_id: "srvtoolu_1",
      content: [{ type: "web_search_result" }]
    }),
    ...block(
      3,
      { type: "text", text: "", citations: [] },
      { type: "citations_delta", citation: { type: "page_location", cited_text: "a", document_index: 0 } },
      text("It is.")
    ),
    {
      type: "message_delta",
      delta: { stop_reason: "end_turn", stop_sequence: null, container: { id: "container_1" } },
      usage: { input_tokens: 30, output_tokens: 50, server_tool_use: { web_search_requests: 1 } },
      context_management: { applied_edits: [] }
    },
    { type: "message_stop" }
  ],
  "a refusal without a word": [
    started(),
    {
      type: "message_delta",
      delta: { stop_reason: "refusal", stop_sequence: null, stop_details: { category: "cyber" } },
      usage: { output_tokens: 0 }
    },
    { type: "message_stop" }
  ],
  "an end at a sequence": [
    started(),
    ...block(0, { type: "text", text: "" }, text("a")),
    {
      type: "message_delta",
      delta: { stop_reason: "stop_sequence", stop_sequence: "END" },
      usage: { output_tokens: 1 }
    },
    { type: "message_stop" }
  ],
  "a beginning that comes twice": [
    started(),
    started(),
    ...block(0, { type: "text", text: "" }, text("a")),
    ...ended("end_turn")
  ]
}

const heard = (events: ReadonlyArray<JsonObject>): ReadonlyArray<AnswerEvent> => {
  const reader = messages.eventReader()
  const all: Array<AnswerEvent> = []
  for (const event of events) reader.read(event, (said) => void all.push(said))
  return all
}

const written = (said: ReadonlyArray<AnswerEvent>, isEnded = true): ReadonlyArray<WireEvent> => {
  const writer = messages.eventWriter(optionsFor())
  const all: Array<WireEvent> = []
  const tell = (event: WireEvent): void => void all.push(event)
  for (const one of said) writer.write(one, tell)
  if (isEnded) {
    writer.end(tell)
    writer.end(tell)
  }
  return all
}

const folded = (said: ReadonlyArray<AnswerEvent>): JsonObject => {
  const fold = new AnswerFold()
  for (const one of said) fold.add(one)
  return messages.writeAnswer(fold.answer(), optionsFor())
}

const jsons = (events: ReadonlyArray<WireEvent>): ReadonlyArray<JsonObject> => events.map((event) => event.json)

const asHttp = (events: ReadonlyArray<WireEvent>): string =>
  events.map((one) => `event: ${one.event}\ndata: ${JSON.stringify(one.json)}\n\n`).join("")

describe("streams", () => {
  test.each(Object.entries(streams))("%s folds to the whole answer, read, and written again", (_, events) => {
    const whole = Either.getOrThrow(messages.readAnswer(foldMessage(events)))
    const said = heard(events)
    const expected = plain(messages.writeAnswer(whole, optionsFor()))
    expect(plain(folded(said))).toEqual(expected)
    const again = Either.getOrThrow(messages.readAnswer(foldMessage(jsons(written(said)))))
    expect(plain(messages.writeAnswer(again, optionsFor()))).toEqual(expected)
  })

  test.each(Object.entries(streams))("%s, whole, is the same as a stream", (_, events) => {
    const whole = Either.getOrThrow(messages.readAnswer(foldMessage(events)))
    const steps: Array<AnswerEvent> = []
    answerSteps(whole, (said) => void steps.push(said))
    const again = Either.getOrThrow(messages.readAnswer(foldMessage(jsons(written(steps)))))
    expect(plain(messages.writeAnswer(again, optionsFor()))).toEqual(plain(messages.writeAnswer(whole, optionsFor())))
  })

  test("the figures of the last event replace those of the first, and null says nothing", () => {
    const said = heard([
      started(),
      ...ended("end_turn", { input_tokens: 61, cache_read_input_tokens: null, output_tokens: 2 })
    ])
    expect(said.filter(({ type }) => type === "usage").at(-1)).toEqual({
      type: "usage",
      usage: { uncached: 61, cacheRead: 4, cacheWrite: 0, text: 2, reasoning: 0 }
    })
  })

  test("a call without arguments has an empty object", () => {
    const said = heard([started(), ...block(0, { type: "tool_use", id: "t", name: "f", input: {} })])
    expect(said.at(-1)).toEqual({ type: "arguments", text: "{}", choice: 0, part: 0 })
  })

  test("an answer that begins anew in the middle of a call is an error, and the call none", () => {
    const cut = block(0, { type: "tool_use", id: "t", name: "f", input: {} }, json('{"a')).slice(0, 2)
    const said = heard([started(), ...cut, started({ id: "msg_2" })])
    expect(said.at(-1)?.type).toBe("error")
    expect(jsons(written(said)).map(({ type }) => type)).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "error"
    ])
  })

  test("an error in the middle ends the stream as an error, and nothing after it", () => {
    const overloaded = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }
    const events = jsons(written(heard([started(), overloaded, ...ended("end_turn")])))
    expect(events).toEqual([overloaded])
  })

  test("deltas without a beginning are text all the same", () => {
    expect(heard([{ type: "content_block_delta", index: 0, delta: text("a") }]).at(-1)).toMatchObject({ text: "a" })
  })

  test.each<[string, JsonObject]>([
    ["no type", {}],
    ["no delta", { type: "content_block_delta", index: 0 }],
    ["no block", { type: "content_block_start", index: 0, content_block: null }],
    ["an unknown event", { type: "hologram_delta", delta: {} }],
    ["a stop of nothing", { type: "content_block_stop", index: 7 }],
    ["no message", { type: "message_start" }]
  ])("%s is passed over", (_, event) => {
    expect(heard([event])).toEqual([])
  })
})

const call = (part: number, id: string): AnswerEvent => ({
  type: "toolCall",
  id,
  name: `f${part}`,
  kind: "function",
  choice: 0,
  part
})
const given = (part: number, said: string): AnswerEvent => ({ type: "arguments", text: said, choice: 0, part })

describe("streams of other dialects", () => {
  test("calls side by side become blocks one behind the other", () => {
    const events = jsons(
      written([
        { type: "start", id: "chatcmpl-1", model: "gpt" },
        call(0, "a"),
        given(0, '{"x"'),
        call(1, "b"),
        given(1, '{"y":'),
        given(0, ":1}"),
        given(1, "2}"),
        { type: "finish", choice: 0, finish: "stop" }
      ])
    )
    expect(foldMessage(events)).toMatchObject({
      content: [
        { type: "tool_use", id: "a", input: { x: 1 } },
        { type: "tool_use", id: "b", input: { y: 2 } }
      ],
      stop_reason: "tool_use"
    })
    let open: unknown
    for (const { index, type } of events) {
      if (type === "content_block_start") {
        expect(open).toBeUndefined()
        open = index
      } else if (type === "content_block_stop") open = undefined
      else if (type === "content_block_delta") expect(index).toBe(open)
    }
  })

  test("a call that carries a signature has it in its id, and the other answers of several are left out", () => {
    const signed = { ...call(0, "c"), signature: { dialect: "gemini", value: "abc" } } as AnswerEvent
    const other: AnswerEvent = { type: "text", text: "second", choice: 1, part: 0 }
    const events = jsons(written([signed, other, given(0, "{}")]))
    const content = foldMessage(events).content as ReadonlyArray<JsonObject>
    expect(content).toHaveLength(1)
    const again = messages.readRequest({ model: "m", messages: [{ role: "assistant", content }] })
    expect(Either.getOrThrow(again).turns[0]?.parts[0]).toMatchObject({
      id: "c",
      signature: { dialect: "gemini", value: "abc" }
    })
  })

  test("a stream of nothing is a whole message all the same", () => {
    expect(jsons(written([])).map(({ type }) => type)).toEqual(["message_start", "message_delta", "message_stop"])
  })

  test("Anthropic's SDK reads what is written, whole and streamed", async () => {
    const said: ReadonlyArray<AnswerEvent> = [
      { type: "start", id: "resp_1", model: "gpt-5" },
      { type: "reasoning", text: "Hm.", choice: 0, part: 0 },
      { type: "signature", signature: { dialect: "responses", value: "gAAA" }, choice: 0, part: 0 },
      { type: "text", text: "One ", choice: 0, part: 1 },
      { type: "text", text: "moment.", choice: 0, part: 1 },
      call(2, "call_1"),
      given(2, '{"a":'),
      given(2, "1}"),
      call(3, "call_2"),
      given(3, "{}"),
      { type: "finish", choice: 0, finish: "toolCalls" },
      { type: "usage", usage: { uncached: 7, cacheRead: 3, cacheWrite: 0, text: 5, reasoning: 2 } },
      { type: "end" }
    ]
    const body = asHttp(written(said))
    const client = new Anthropic({
      apiKey: "k",
      maxRetries: 0,
      fetch: async (_, init) => {
        const isStream = (JSON.parse(String(init?.body)) as JsonObject).stream === true
        return isStream
          ? new Response(body, { headers: { "content-type": "text/event-stream" } })
          : Response.json(folded(said))
      }
    })
    const asked = { model: "m", max_tokens: 100, messages: [{ role: "user" as const, content: "a" }] }
    const whole = await client.messages.create(asked)
    const streamed = await client.messages.stream(asked).finalMessage()
    for (const message of [whole, streamed]) {
      expect(message.content).toMatchObject([
        { type: "thinking", thinking: "Hm." },
        { type: "text", text: "One moment." },
        { type: "tool_use", id: "call_1", name: "f2", input: { a: 1 } },
        { type: "tool_use", id: "call_2", name: "f3", input: {} }
      ])
      expect(message.stop_reason).toBe("tool_use")
      expect(message.usage).toMatchObject({ output_tokens: 7 })
    }
    expect(streamed.usage.input_tokens).toBe(7)
    expect(streamed.usage.cache_read_input_tokens).toBe(3)
  })

  test("Anthropic's SDK throws what a stream is told of an error", async () => {
    const body = asHttp(written([{ type: "error", error: { message: "Busy", type: "overloaded_error" } }]))
    const client = new Anthropic({ apiKey: "k", maxRetries: 0, fetch: async () => new Response(body) })
    const asked = { model: "m", max_tokens: 100, messages: [{ role: "user" as const, content: "a" }] }
    await expect(client.messages.stream(asked).finalMessage()).rejects.toThrow(/Busy/)
  })
})
