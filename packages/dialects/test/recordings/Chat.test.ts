import { ChunkFold } from "@switchyard/core/ChunkFold"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { chat } from "../../src/chat/Chat.js"
import { tokensIn } from "../../src/chat/usage.js"
import type { Answer, AnswerEvent } from "../../src/conversation/Answer.js"
import type { Conversation } from "../../src/conversation/Conversation.js"
import type { WireEvent } from "../../src/Translator.js"
import { AnswerFold } from "../../src/words/AnswerFold.js"
import { exchanges, hasRecordings, streams, whySkipped } from "./recordings.js"

const providers = [
  "openai-chat",
  "openrouter",
  "groq",
  "mistral",
  "deepseek",
  "zai",
  "cerebras",
  "huggingface",
  "snowflake",
  "azure",
  "crusoe",
  "heroku",
  "ollama"
]
const others = [
  "alibaba",
  "deepseek-chat",
  "groq",
  "mistral",
  "moonshotai",
  "openai-chat",
  "openai-compatible-chat",
  "perplexity",
  "xai"
]

const conversation: Conversation = {
  origin: "chat",
  model: "m",
  stream: false,
  turns: [],
  tools: [],
  settings: {},
  extra: {}
}
const options = { conversation, id: "abc", created: 1, wantsUsage: true }

const flat = (content: unknown): string =>
  typeof content === "string"
    ? content
    : arrayOf(content)
        .map((part) => (isJsonObject(part) && part.type === "text" && typeof part.text === "string" ? part.text : ""))
        .join("")

/** What a caller must not lose of an answer, read without the reader. */
const factsOf = (body: JsonObject) =>
  arrayOf(body.choices).map((choice) => {
    const { message } = choice as { readonly message: JsonObject }
    return {
      text: flat(message.content),
      calls: arrayOf(message.tool_calls).map((call) => {
        const { function: said, id } = call as { readonly id: unknown; readonly function: JsonObject }
        return { id, name: said.name, arguments: said.arguments ?? "" }
      })
    }
  })

const told = (answer: Answer) =>
  answer.choices.map(({ parts }) => ({
    text: parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join(""),
    calls: parts.flatMap((part) =>
      part.type === "toolCall" ? [{ id: part.id, name: part.name, arguments: part.arguments }] : []
    )
  }))

const semantic = (answer: Answer) => ({
  said: told(answer),
  thoughts: answer.choices.map(({ parts }) =>
    parts
      .flatMap((part) => (part.type === "reasoning" ? [part.text] : []))
      .join("")
      .trim()
  ),
  // Some say nothing of why they ended.
  finish: answer.choices.map(({ finish }) => finish ?? "stop"),
  usage: answer.usage
})

const right = <A>(either: Either.Either<A, unknown>): A => {
  if (Either.isLeft(either)) throw new Error(JSON.stringify(either.left))
  return either.right
}

const fold = (events: ReadonlyArray<JsonObject>, from: typeof chat): Answer => {
  const reader = from.eventReader()
  const answer = new AnswerFold()
  for (const json of events) reader.read(json, (event: AnswerEvent) => answer.add(event))
  return answer.answer()
}

const rewritten = (events: ReadonlyArray<JsonObject>): ReadonlyArray<JsonObject> => {
  const reader = chat.eventReader()
  const writer = chat.eventWriter(options)
  const written: Array<JsonObject> = []
  const tell = ({ json }: WireEvent): void => void written.push(json)
  for (const json of events) reader.read(json, (event) => writer.write(event, tell))
  writer.end(tell)
  return written
}

describe.skipIf(!hasRecordings)(`recorded chats${whySkipped}`, () => {
  const all = providers.flatMap((provider) => exchanges(provider, /chat\/completions/))

  it("are there", () => expect(all.length).toBeGreaterThan(250))

  it("each request is written as it was read", () => {
    for (const { request } of all) {
      const read = right(chat.readRequest(request))
      const { body } = right(chat.writeRequest(read, { model: read.model }))
      expect(JSON.parse(JSON.stringify(body))).toEqual(request)
    }
  })

  it("each whole answer is read without loss, and written back the same", () => {
    const whole = [
      ...all.flatMap(({ json, status }) => (status === 200 && json !== undefined ? [json] : [])),
      ...others.flatMap(streams).flatMap(({ json }) => (json?.choices === undefined ? [] : [json]))
    ]
    for (const json of whole) {
      const answer = right(chat.readAnswer(json))
      expect(told(answer)).toEqual(factsOf(json))
      expect(answer.usage).toEqual(tokensIn(json))
      const again = right(chat.readAnswer(chat.writeAnswer(answer, options)))
      expect(semantic(again)).toEqual(semantic(answer))
    }
  })

  it("each stream folds to the whole answer that it is, and so does what is written of it", () => {
    const streamed = [
      ...all.flatMap(({ events, status }) => (status === 200 && events !== undefined ? [events] : [])),
      ...others.flatMap(streams).flatMap(({ events }) => (events === undefined ? [] : [events]))
    ].filter((events) => events.some(({ choices }) => arrayOf(choices).length > 0))
    expect(streamed.length).toBeGreaterThan(20)
    for (const events of streamed) {
      const chunks = new ChunkFold()
      for (const json of events) chunks.add(json)
      const whole = chunks.answer(true)
      const answer = fold(events, chat)
      if (events.some((event) => event.error !== undefined)) continue
      expect(told(answer)).toEqual(factsOf(whole))
      const written = rewritten(events)
      expect(semantic(fold(written, chat))).toEqual(semantic(answer))
      const refolded = new ChunkFold()
      for (const json of written) refolded.add(json)
      expect(factsOf(refolded.answer(true))).toEqual(factsOf(whole))
    }
  })
})
