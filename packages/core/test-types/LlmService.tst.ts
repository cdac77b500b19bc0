import type { StreamEvent } from "@switchyard/core/ChatChunk"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { CompleteResponse, LlmResponse } from "@switchyard/core/LlmResponse"
import { complete, LlmService, open, stream } from "@switchyard/core/LlmService"
import type { AttemptService, RequestService } from "@switchyard/core/Service"
import type { Effect, Scope, Stream } from "effect"
import { describe, expect, test } from "tstyche"

declare const request: LlmRequest.LlmRequest
declare const requests: RequestService
declare const attempts: AttemptService

describe("the accessors", () => {
  test("complete gives a whole answer, fails with LlmError alone, and needs the service alone", () => {
    expect(LlmService.complete(request)).type.toBe<Effect.Effect<CompleteResponse, LlmError, LlmService>>()
    expect(complete(requests, request)).type.toBe<Effect.Effect<CompleteResponse, LlmError>>()
  })

  test("stream needs no Scope", () => {
    expect(LlmService.stream(request)).type.toBe<Stream.Stream<StreamEvent, LlmError, LlmService>>()
    expect(stream(requests, request)).type.toBe<Stream.Stream<StreamEvent, LlmError>>()
  })

  test("open leaves the stream to the caller's Scope", () => {
    expect(LlmService.open(request)).type.toBe<Effect.Effect<LlmResponse, LlmError, LlmService | Scope.Scope>>()
    expect(open(requests, request)).type.toBe<Effect.Effect<LlmResponse, LlmError, Scope.Scope>>()
  })

  test("none takes a service of the attempt tier, or a bare payload", () => {
    expect(complete).type.not.toBeCallableWith(attempts, request)
    expect(stream).type.not.toBeCallableWith(attempts, request)
    expect(LlmService.complete).type.not.toBeCallableWith({ model: "m", messages: [] })
  })
})

describe("requests", () => {
  test("a chat request names a model and messages; other fields come in a value of a type of their own", () => {
    const own = { model: "m", messages: [{ role: "user" }], temperature: 0, odd: [1] } as const
    expect(LlmRequest.chat).type.toBeCallableWith(own)
    expect(LlmRequest.chat).type.not.toBeCallableWith({ model: "m", messages: [{ role: "user" }], odd: [1] })
    expect(LlmRequest.chat).type.not.toBeCallableWith({ model: "m" })
    expect(LlmRequest.chat).type.not.toBeCallableWith({ messages: [] })
    expect(LlmRequest.embeddings).type.not.toBeCallableWith({ model: "m" })
  })
})
