import { describe, expect, it } from "@effect/vitest"
import { keptAnswerAt, speechOf, targetOf } from "../../src/edge/callPaths.js"

describe("a path that asks a model", () => {
  it.each([
    ["/v1/chat/completions", { speech: "chat", operation: "chat" }],
    ["/openai/v1/embeddings?api-version=preview", { speech: "chat", operation: "embeddings" }],
    ["/v1/responses", { speech: "responses", operation: "chat" }],
    ["/responses/", { speech: "responses", operation: "chat" }],
    ["/openai/responses?api-version=2025-04-01-preview", { speech: "responses", operation: "chat" }],
    ["//openai//v1/responses", { speech: "responses", operation: "chat" }],
    ["/v1/responses/compact", { speech: "responses", aside: "compact" }],
    ["/v1/responses/input_tokens", { speech: "responses", aside: "count" }],
    ["/v1/messages", { speech: "messages", operation: "chat" }],
    ["/v1/messages?beta=true", { speech: "messages", operation: "chat" }],
    ["/messages", { speech: "messages" }],
    ["/anthropic/v1/messages?beta=true", { speech: "messages" }],
    ["/v1/messages/count_tokens?beta=true", { speech: "messages", aside: "count" }],
    ["/openai/deployments/org%2Fsmart/chat/completions?api-version=1", { model: "org/smart", speech: "chat" }],
    ["/openai/deployments/org/smart/responses?api-version=1", { model: "org/smart", speech: "responses" }],
    ["/engines/ft:gpt-4o:acme/completions", { model: "ft:gpt-4o:acme", operation: "completion" }],
    ["/v1/moderations", { speech: "chat", operation: "moderation" }],
    ["/v1/rerank", { speech: "chat", operation: "rerank" }],
    ["/v2/rerank", { speech: "chat", operation: "rerank" }],
    ["/rerank", { speech: "chat", operation: "rerank" }],
    ["/v1/images/generations", { operation: "image" }],
    ["/images/edits", { operation: "imageEdit" }],
    ["/openai/v1/images/variations", { operation: "imageVariation" }],
    ["/v1/audio/speech", { operation: "speech" }],
    ["/v1/audio/transcriptions", { operation: "transcription", model: undefined }],
    ["/audio/translations/", { operation: "translation" }],
    [
      "/openai/deployments/org%2Fwhisper/audio/transcriptions?api-version=1",
      { model: "org/whisper", operation: "transcription" }
    ],
    ["/openai/deployments/dall-e/images/generations", { model: "dall-e", operation: "image" }]
  ] as const)("%s", (url, expected) => {
    expect(targetOf(url)).toMatchObject(expected)
  })

  it.each([
    ["/v1beta/models/smart:generateContent", "smart", { stream: false }],
    ["/v1/models/smart:generateContent?key=k", "smart", { stream: false }],
    ["/models/smart:generateContent", "smart", { stream: false }],
    ["/v1beta/models/smart:streamGenerateContent?alt=sse", "smart", { stream: true }],
    ["/v1beta/models/smart:streamGenerateContent?key=k&alt=sse", "smart", { stream: true }],
    ["/v1beta/models/smart:streamGenerateContent?%24alt=sse", "smart", { stream: true }],
    ["/v1beta/models/smart:streamGenerateContent", "smart", { stream: true, isList: true }],
    ["/v1beta/models/smart:streamGenerateContent?alt=json", "smart", { stream: true, isList: true }],
    ["/v1beta/models/org/smart:generateContent", "org/smart", {}],
    ["/v1beta/models/org%2Fsmart%3Afree:generateContent", "org/smart:free", {}],
    ["/v1beta/models/ft:gpt:x%3AgenerateContent", "ft:gpt:x", {}],
    ["/v1beta/org/smart:generateContent", "org/smart", {}],
    ["/v1beta1/projects/p/locations/global/publishers/google/models/smart:generateContent", "smart", {}],
    ["/v1beta/models/smart:countTokens", "smart", { aside: "count" }],
    ["/v1beta/models/smart:embedContent", "smart", { operation: "embeddings" }],
    ["/v1beta/models/smart:batchEmbedContents", "smart", { operation: "embeddings" }]
  ] as const)("Google's %s", (url, model, expected) => {
    expect(targetOf(url)).toEqual(expect.objectContaining({ speech: "gemini", model, ...expected }))
    expect(targetOf(url)?.isList).toBe("isList" in expected ? true : undefined)
  })

  it.each([
    "/v1beta/models/smart",
    "/v1beta/models/smart:predict",
    "/v1beta/models/:generateContent",
    "/v1beta/models/%ff:generateContent",
    "/other/smart:generateContent",
    "/v1beta/models/smart:toString",
    "/v1/responses/resp_1",
    "/v1/messages/batches",
    "/v1/images",
    "/v1/audio/other",
    "/openai/deployments/x/audio/other",
    "/v3/rerank"
  ])("%s is none", (url) => {
    expect(targetOf(url)).toBeUndefined()
  })
})

describe("the language of an answer", () => {
  it.each([
    ["/v1/models", {}, "chat"],
    ["/v1/models", { "anthropic-version": "2023-06-01" }, "messages"],
    ["/v1/models", { "x-goog-api-key": "k" }, "gemini"],
    ["/v1beta/models?pageSize=5", {}, "gemini"],
    ["/anthropic/v1/models", {}, "messages"],
    ["/v1/chat/completions", { "anthropic-version": "2023-06-01" }, "chat"],
    ["/v1/messages", {}, "messages"]
  ] as const)("%s with %j: %s", (url, headers, expected) => {
    expect(speechOf(url, headers)).toBe(expected)
  })
})

describe("an answer that a provider keeps", () => {
  it.each([
    ["/v1/responses/resp_1", { id: "resp_1", part: undefined }],
    ["/openai/responses/resp_1/cancel", { id: "resp_1", part: "cancel" }],
    ["/responses/resp_1/input_items", { id: "resp_1", part: "input_items" }],
    ["/v1/responses/compact", undefined],
    ["/v1/responses/resp_1/other", undefined],
    ["/v1/responses", undefined]
  ])("%s", (path, expected) => {
    expect(keptAnswerAt(path)).toEqual(expected)
  })
})
