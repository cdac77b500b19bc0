/**
 * How answers end, what they used and where their words come from, between dialects that do not say these alike.
 */
import { describe, expect, it } from "@effect/vitest"
import { arrayOf, type JsonObject } from "@switchyard/core/Json"
import { gemini } from "@switchyard/dialects/Gemini"
import * as Pair from "@switchyard/dialects/Pair"
import { responses } from "@switchyard/dialects/Responses"
import type { AnswerOptions, Target, Translator, WireEvent } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import { callers, providers } from "../conformance/cells.js"

const { chat, messages } = callers
const outward = [chat, messages, responses, gemini] as const

const optionsOf = (origin: Translator, estimateInput?: () => number): AnswerOptions => ({
  conversation: { origin: origin.name, model: "m", stream: true, turns: [], tools: [], settings: {}, extra: {} },
  id: "abcdefghijklmnopqrstuvwx",
  created: 1_700_000_000,
  wantsUsage: true,
  estimateInput
})

const streamed = (
  origin: Translator,
  target: Target,
  said: ReadonlyArray<JsonObject>,
  estimateInput?: () => number
): ReadonlyArray<JsonObject> => {
  const events: Array<JsonObject> = []
  const tell = ({ json }: WireEvent): void => void events.push(json)
  const bridge = Pair.events(origin, target, optionsOf(origin, estimateInput))
  for (const json of said) bridge.read(json, tell)
  bridge.end(tell)
  return events
}

const ofGemini = (finishReason: string, parts: ReadonlyArray<JsonObject>, index = 0): JsonObject => ({
  candidates: [{ content: { parts, role: "model" }, finishReason, index }]
})

const stopOf: Readonly<Record<string, (body: JsonObject) => unknown>> = {
  chat: (body) => (arrayOf(body.choices)[0] as JsonObject | undefined)?.finish_reason,
  messages: ({ stop_reason }) => stop_reason,
  responses: ({ incomplete_details, status }) => (incomplete_details as JsonObject | null)?.reason ?? status
}

describe("an answer that its provider broke off", () => {
  const broken = [
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "OTHER",
    "TOO_MANY_TOOL_CALLS",
    "MALFORMED_RESPONSE"
  ]

  for (const reason of broken) {
    for (const origin of [chat, messages, responses]) {
      it(`${reason} is no answer to a caller of ${origin.name}, whole or streamed`, () => {
        const body = ofGemini(reason, [])
        const whole = Pair.answer(body, origin, gemini, optionsOf(origin))
        expect(Either.isLeft(whole) && whole.left).toContain(reason)
        const errors = streamed(origin, gemini, [body]).flatMap((event) => origin.readError(event) ?? [])
        expect(errors[0]?.message).toContain(reason)
      })
    }
  }

  it("one of Bedrock's or of chat's is none to a caller of Gemini either", () => {
    const body = { output: { message: { role: "assistant", content: [] } }, stopReason: "malformed_tool_use" }
    expect(Either.isLeft(Pair.answer(body, gemini, providers.converse, optionsOf(gemini)))).toBe(true)
  })

  it("to its own dialect it goes as it came", () => {
    const body = ofGemini("MALFORMED_FUNCTION_CALL", [])
    const answer = Either.getOrThrow(Pair.answer(body, gemini, gemini, optionsOf(gemini)))
    expect(answer).toMatchObject({ candidates: [{ finishReason: "MALFORMED_FUNCTION_CALL" }] })
  })

  it("a whole call of a tool that was not offered is the caller's to answer", () => {
    const body = ofGemini("UNEXPECTED_TOOL_CALL", [{ functionCall: { name: "list", args: {} } }])
    const words = { chat: "tool_calls", messages: "tool_use", responses: "completed" } as const
    for (const origin of [chat, messages, responses]) {
      const whole = Either.getOrThrow(Pair.answer(body, origin, gemini, optionsOf(origin)))
      expect(stopOf[origin.name]?.(whole)).toBe(words[origin.name as keyof typeof words])
      expect(JSON.stringify(whole)).toContain('"list"')
    }
  })

  it("one that a policy stopped is an answer, and says so", () => {
    const policies = ["SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"]
    for (const reason of policies) {
      const ends = [chat, messages, responses].map((origin) =>
        stopOf[origin.name]?.(
          Either.getOrThrow(Pair.answer(ofGemini(reason, [{ text: "a" }]), origin, gemini, optionsOf(origin)))
        )
      )
      expect(ends).toEqual(["content_filter", "refusal", "content_filter"])
    }
  })
})

describe("an answer whose provider tells no usage", () => {
  const chunk = (delta: JsonObject, finish_reason: string | null = null): JsonObject => ({
    id: "a",
    choices: [{ index: 0, delta, finish_reason }]
  })
  const said = [chunk({ content: "12345678" }), chunk({}, "stop")]
  const whole = { id: "a", choices: [{ index: 0, message: { content: "12345678" }, finish_reason: "stop" }] }

  it("is estimated for callers of Messages, from its beginning", () => {
    const events = streamed(messages, chat, said, () => 7)
    expect(events[0]).toMatchObject({ message: { usage: { input_tokens: 7, output_tokens: 0 } } })
    expect(events.at(-2)).toMatchObject({ usage: { input_tokens: 7, output_tokens: 2 } })
    const answer = Either.getOrThrow(
      Pair.answer(
        whole,
        messages,
        chat,
        optionsOf(messages, () => 7)
      )
    )
    expect(answer.usage).toMatchObject({ input_tokens: 7, output_tokens: 2 })
  })

  it("is estimated for callers of Responses", () => {
    const last = streamed(responses, chat, said, () => 7).at(-1)
    expect(last).toMatchObject({ response: { usage: { input_tokens: 7, output_tokens: 2, total_tokens: 9 } } })
    const answer = Either.getOrThrow(
      Pair.answer(
        whole,
        responses,
        chat,
        optionsOf(responses, () => 7)
      )
    )
    expect(answer.usage).toMatchObject({ input_tokens: 7, output_tokens: 2, total_tokens: 9 })
  })

  it("tells none where clients do without", () => {
    const answer = Either.getOrThrow(
      Pair.answer(
        whole,
        gemini,
        chat,
        optionsOf(gemini, () => 7)
      )
    )
    expect(answer).not.toHaveProperty("usageMetadata")
    expect(JSON.stringify(streamed(gemini, chat, said, () => 7))).not.toContain("usageMetadata")
  })

  it("what the provider tells at the end stands", () => {
    const usage = { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 }
    const events = streamed(messages, chat, [...said, { id: "a", choices: [], usage }], () => 7)
    expect(events.at(-2)).toMatchObject({ usage: { input_tokens: 3, output_tokens: 1 } })
  })
})

describe("sources that are told before their text", () => {
  const url_citation = { url: "https://a.example", title: "A", start_index: 0, end_index: 0 }
  const fromChat = [
    { id: "a", choices: [{ index: 0, delta: { annotations: [{ type: "url_citation", url_citation }] } }] },
    { id: "a", choices: [{ index: 0, delta: { content: "Hello" } }] },
    { id: "a", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }
  ]
  const citation = { type: "web_search_result_location", url: "https://a.example", title: "A", cited_text: "x" }
  const fromMessages = [
    { type: "message_start", message: { id: "msg_a", content: [], usage: { input_tokens: 1, output_tokens: 1 } } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "abc" } },
    { type: "content_block_stop", index: 0 },
    { type: "content_block_start", index: 1, content_block: { type: "text", text: "", citations: [] } },
    { type: "content_block_delta", index: 1, delta: { type: "citations_delta", citation } },
    { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "Hello" } },
    { type: "content_block_stop", index: 1 },
    { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 2 } },
    { type: "message_stop" }
  ]

  it("reach callers of Responses", () => {
    const events = streamed(responses, chat, fromChat)
    expect(events.some(({ type }) => type === "response.output_text.annotation.added")).toBe(true)
    expect(events.at(-1)).toMatchObject({
      response: { output: [{ content: [{ text: "Hello", annotations: [{ url: "https://a.example" }] }] }] }
    })
  })

  it("are of all the text that is theirs, streamed as whole", () => {
    const inResponses = streamed(responses, messages, fromMessages).at(-1)
    expect(inResponses).toMatchObject({
      response: { output: [{ content: [{}, { annotations: [{ start_index: 0, end_index: 5 }] }] }] }
    })
    const inChat = streamed(chat, messages, fromMessages).filter((event) => JSON.stringify(event).includes("a.example"))
    expect(inChat).toMatchObject([
      { choices: [{ delta: { annotations: [{ url_citation: { start_index: 3, end_index: 8 } }] } }] }
    ])
    const content = [
      { type: "text", text: "abc" },
      { type: "text", text: "Hello", citations: [citation] }
    ]
    const whole = Pair.answer({ type: "message", content, stop_reason: "end_turn" }, chat, messages, optionsOf(chat))
    expect(Either.getOrThrow(whole)).toMatchObject({
      choices: [{ message: { annotations: [{ url_citation: { start_index: 3, end_index: 8 } }] } }]
    })
  })
})

describe("probabilities of the words", () => {
  const content = [{ token: "a", logprob: -1, bytes: [97], top_logprobs: [] }]
  const body = {
    id: "a",
    choices: [{ index: 0, message: { content: "a" }, logprobs: { content }, finish_reason: "stop" }]
  }

  it("reach callers of Responses with a whole answer", () => {
    const answer = Either.getOrThrow(Pair.answer(body, responses, chat, optionsOf(responses)))
    expect(answer).toMatchObject({ output: [{ content: [{ text: "a", logprobs: content }] }] })
  })

  it("are kept where a whole answer is told as a stream, and a stream as a whole answer", () => {
    for (const origin of [responses, gemini]) {
      const { answer: words } = origin
      const whole = Either.getOrThrow(Pair.answer(body, origin, chat, optionsOf(origin)))
      const fold = words.fold()
      for (const event of words.events(whole)) fold.add(event)
      const again = Either.getOrThrow(origin.readAnswer(fold.answer()))
      expect(again.choices[0]?.logprobs).toEqual(Either.getOrThrow(origin.readAnswer(whole)).choices[0]?.logprobs)
      expect(again.choices[0]?.logprobs).toBeDefined()
    }
  })
})

describe("choices", () => {
  it("of Gemini stay apart, however they are numbered", () => {
    for (const index of [1, 127, 128, 4096, JSON.parse("1e999") as number]) {
      const events = streamed(chat, gemini, [
        ofGemini("STOP", [{ text: "a" }]),
        ofGemini("STOP", [{ text: "b" }], index)
      ])
      const texts = new Map<unknown, string>()
      for (const { choices } of events) {
        for (const { delta, index: at } of arrayOf(choices) as ReadonlyArray<JsonObject>) {
          const text = (delta as JsonObject).content
          if (typeof text === "string") texts.set(at, (texts.get(at) ?? "") + text)
        }
      }
      expect([...texts.values()]).toEqual(["a", "b"])
    }
  })

  it("with a sound of no bytes have no sound", () => {
    const audio = { id: "", data: "", transcript: "", expires_at: 0 }
    const body = { id: "a", choices: [{ index: 0, message: { content: "4", audio }, finish_reason: "" }] }
    for (const origin of outward) {
      if (origin === chat) continue
      const answer = Either.getOrThrow(Pair.answer(body, origin, chat, optionsOf(origin)))
      expect(JSON.stringify(answer)).not.toContain("sound")
    }
    const message = { role: "assistant", content: "4", audio }
    const read = Either.getOrThrow(Pair.read(chat, { model: "m", messages: [message] }))
    expect(Either.getOrThrow(Pair.write(read, chat, chat, { model: "m" })).body.messages).toEqual([message])
  })
})
