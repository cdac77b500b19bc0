import * as BaseService from "@switchyard/core/BaseService"
import type { Chunk, Completion } from "@switchyard/core/Chat"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { CompleteResponse } from "@switchyard/core/LlmResponse"
import { Effect, Stream } from "effect"
import type OpenAI from "openai"
import { describe, expect, test } from "tstyche"

interface OwnMessage {
  readonly role: string
  readonly content: string
  readonly sentAt: Date
}
interface OwnBody {
  model: string
  messages: Array<OwnMessage>
  temperature?: number
  guided_json?: object
}
interface OwnAnswer {
  choices: Array<{ message: { content: string }; finish_reason: string }>
}

declare const messages: ReadonlyArray<OwnMessage>
declare const own: OwnBody
declare const params: OpenAI.ChatCompletionCreateParams
declare const answer: OpenAI.ChatCompletion
declare const chunk: OpenAI.ChatCompletionChunk
declare const ownAnswer: OwnAnswer
declare const json: { readonly [key: string]: unknown }

describe("a payload", () => {
  test("may be declared as interfaces, of messages or of all of it", () => {
    expect(LlmRequest.chat({ model: "m", messages })).type.toBe<LlmRequest.LlmRequest>()
    expect(LlmRequest.chat(own)).type.toBe<LlmRequest.LlmRequest>()
  })
  test("may be what the OpenAI SDK takes, for every operation", () => {
    expect(LlmRequest.chat).type.toBeCallableWith(params)
    expect(LlmRequest.completion).type.toBeCallableWith({} as OpenAI.CompletionCreateParams)
    expect(LlmRequest.embeddings).type.toBeCallableWith({} as OpenAI.EmbeddingCreateParams)
  })
  test("as a literal holds no misspelt field", () => {
    expect(LlmRequest.chat).type.not.toBeCallableWith({ model: "m", messages: [], temprature: 0 })
    expect(LlmRequest.chat).type.not.toBeCallableWith({ model: "m", messages: [{ rol: "user", content: "Hi" }] })
    expect(LlmRequest.chat).type.not.toBeCallableWith({ model: "m", messages: [{ role: "user", contents: "Hi" }] })
    expect(LlmRequest.chat).type.not.toBeCallableWith({ model: "m", messages: [], temperature: "hot" })
    expect(LlmRequest.embeddings).type.not.toBeCallableWith({ model: "m", inputs: "x" })
  })
  test("takes a provider's own fields where they are spread, or in a value of a type that has them", () => {
    expect(LlmRequest.chat({ model: "m", messages: [], ...{ guided_json: {} } })).type.toBe<LlmRequest.LlmRequest>()
    expect(LlmRequest.chat({ model: "m", messages: [], ...json })).type.toBe<LlmRequest.LlmRequest>()
  })
})

describe("a client's answers", () => {
  test("may be the OpenAI SDK's, or interfaces of the app's own", () => {
    expect(BaseService.make).type.toBeCallableWith({
      complete: () => Effect.succeed(answer),
      stream: () => Stream.make(chunk)
    })
    expect(BaseService.forRequests).type.toBeCallableWith({
      complete: () => Effect.succeed(ownAnswer),
      stream: () => Stream.make(json)
    })
  })
  test("are no texts, and nothing without a field of an answer", () => {
    expect(BaseService.make).type.not.toBeCallableWith({
      complete: () => Effect.succeed("Hi"),
      stream: () => Stream.empty
    })
    expect(BaseService.make).type.not.toBeCallableWith({
      complete: () => Effect.succeed({ choises: [] }),
      stream: () => Stream.empty
    })
  })
})

describe("an answer", () => {
  test("is seen as what providers send", () => {
    expect<CompleteResponse["body"]>().type.toBe<Completion>()
    expect<Completion["choices"]>().type.toBe<Completion["choices"]>()
    expect((body: Completion) => body.choices?.[0]?.message?.content).type.toBe<
      (body: Completion) => string | null | undefined
    >()
    expect((piece: Chunk) => piece.choices?.[0]?.delta?.tool_calls?.[0]?.function?.arguments).type.toBe<
      (piece: Chunk) => string | undefined
    >()
  })
})
