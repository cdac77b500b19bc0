import * as Dialect from "@switchyard/core/Dialect"
import type { JsonObject } from "@switchyard/core/Json"
import { gemini } from "@switchyard/dialects/Gemini"
import { describe, expect, it } from "vitest"
import { answers, requests } from "./fixtures.js"

const { answer, request } = gemini
const body = (name: keyof typeof requests): JsonObject => requests[name] as JsonObject
const said = (name: keyof typeof answers): JsonObject => answers[name] as JsonObject

describe("what routing reads of Gemini's requests", () => {
  it("reads bounds, choices, the form and thinking, in both spellings", () => {
    const settings = body("settings")
    expect(request.maxOutputTokens(settings)).toBe(100)
    expect(request.largestOutputBound({ generation_config: { max_output_tokens: "7" } })).toBe(7)
    expect(request.choices("chat", settings)).toBe(2)
    expect(request.isBeyondText(settings)).toBe(true)
    expect(request.isBeyondText(body("text"))).toBe(false)
    expect(request.responseFormat(body("format"))).toBe("json_schema")
    expect(request.responseFormat(body("text"))).toBeUndefined()
    const thinks = (thinkingConfig: JsonObject) => request.asksForReasoning({ generationConfig: { thinkingConfig } })
    expect(thinks({ thinkingBudget: 0 })).toBe(false)
    expect(thinks({ thinking_budget: -1 })).toBe(true)
    expect(thinks({ thinkingLevel: "LOW" })).toBe(true)
    expect(thinks({ includeThoughts: false })).toBeUndefined()
    expect(request.asksForReasoning(body("text"))).toBeUndefined()
    expect(request.settings(settings)).toMatchObject({ temperature: 0.5, topP: 0.9, maxTokens: 100, seed: 7 })
  })

  it("measures what is said and offered, and media as media", () => {
    const long = {
      contents: [{ parts: [{ text: "a".repeat(4000) }] }],
      systemInstruction: { parts: [{ text: "b".repeat(400) }] }
    }
    expect(request.size("chat", long).total).toBeGreaterThanOrEqual(1_100)
    const picture = {
      contents: [{ parts: [{ inline_data: { mime_type: "image/png", data: "A".repeat(1_000_000) } }] }]
    }
    expect(request.size("chat", picture).total).toBeLessThan(2_000)
    expect(request.hasImages(picture)).toBe(true)
    expect(request.hasImages(body("text"))).toBe(false)
    const embeds = {
      requests: [{ content: { parts: [{ text: "a".repeat(400) }] } }, { content: { parts: [{ text: "b" }] } }]
    }
    expect(request.size("embeddings", embeds).longest).toBeLessThan(request.size("embeddings", embeds).total)
  })

  it("tells the turns, and how a conversation begins", () => {
    const turns = [...request.turns("chat", body("tools"))].map(({ parts, role }) => [role, [...parts]])
    expect(turns).toEqual([
      ["user", [{ type: "text", text: "Weather?" }]],
      [
        "assistant",
        [
          { type: "other", name: "reasoning" },
          { type: "tool_call", name: "weather", arguments: '{"city":"Paris"}' },
          { type: "tool_call", name: "weather", arguments: '{"city":"London"}' }
        ]
      ],
      [
        "user",
        [
          { type: "other", name: "functionResponse" },
          { type: "other", name: "functionResponse" }
        ]
      ]
    ])
    expect(request.beginning("chat", body("settings"))).toEqual({
      system: [{ text: "Be short." }],
      user: [{ text: "Hello" }]
    })
  })

  it("knows signatures for soft state, however they are spelt, and files and caches for hard", () => {
    const issued = answer.issued({
      candidates: [{ content: { parts: [{ text: "x", thoughtSignature: "ab+/cw==" }] }, finishReason: "STOP" }],
      responseId: "r"
    })
    expect(issued).toEqual(["r", "ab+/cw=="])
    const states = request.states({
      contents: [
        { parts: [{ text: "x", thought_signature: "ab-_cw" }] },
        { parts: [{ fileData: { fileUri: "https://generativelanguage.googleapis.com/v1beta/files/a" } }] }
      ],
      cachedContent: "cachedContents/b"
    })
    expect(states.filter(({ hard }) => !hard).map(({ value }) => value)).toContain("ab+/cw==")
    expect(states.filter(({ hard }) => hard).map(({ kind }) => kind)).toEqual(["file id", "cached content"])
  })

  it("lays fields over fields, settings over settings", () => {
    expect(
      request.overlay(
        { contents: [1], generation_config: { max_output_tokens: 5, temperature: 1 } },
        { generationConfig: { maxOutputTokens: 9 }, labels: { a: "b" } }
      )
    ).toEqual({ contents: [1], generationConfig: { maxOutputTokens: 9, temperature: 1 }, labels: { a: "b" } })
  })

  it("names what is wrong, and takes what is not its own as it is", () => {
    expect(request.problems("chat", { contents: [{ parts: [1] }] })).toEqual([
      "contents[0].parts: expected a list of objects"
    ])
    expect(request.problems("chat", body("media"))).toEqual([])
    expect(request.problems("embeddings", {})).toEqual(["content: expected a content"])
    expect(request.problems("embeddings", { content: { parts: [] } })).toEqual([])
    expect(request.model({ model: "x" })).toBeUndefined()
    expect(request.streams({}, "chat")).toBe(false)
  })
})

describe("what the tower reads of Gemini's answers", () => {
  it("reads usage of answers and embeddings, and what failed", () => {
    expect(answer.usage(said("tools"))).toMatchObject({
      inputTokens: 105,
      outputTokens: 50,
      cachedInputTokens: 40,
      reasoningTokens: 30
    })
    expect(answer.usage({ embedding: { values: [1] }, usageMetadata: { promptTokenCount: 3 } })).toMatchObject({
      inputTokens: 3
    })
    expect(answer.failure("chat", said("text"))).toBeUndefined()
    expect(answer.failure("chat", said("blocked"))).toEqual({ _tag: "blocked", why: "SAFETY: no" })
    expect(answer.failure("chat", {})).toEqual({ _tag: "empty" })
    expect(answer.failure("embeddings", { embeddings: [{ values: [1] }] })).toBeUndefined()
    expect(answer.failure("chat", { error: { code: 500, message: "m", status: "INTERNAL" } })).toMatchObject({
      _tag: "error",
      error: { message: "m" }
    })
  })

  it("tells a whole answer as a stream and puts it together again", () => {
    for (const name of ["text", "tools", "grounded", "blocked", "silent", "image"] as const) {
      const fold = answer.fold()
      for (const event of answer.events(said(name))) fold.add(event)
      expect(answer.view(fold.answer()), name).toMatchObject({
        ...answer.view(said(name)),
        body: {}
      })
    }
  })

  it("makes an answer up for drills", () => {
    const asked = { operation: "chat", model: "m", body: {}, inputTokens: 3 } as const
    const made = answer.canned(asked, "Hello", { id: "i", created: 1 })
    expect(answer.view(made)).toMatchObject({ text: "Hello", finishReason: "stop", usage: { inputTokens: 3 } })
    expect(answer.reader().text(Dialect.eventOf(answer, made))).toBe("Hello")
  })

  it("takes a stream up again where it broke off", () => {
    const event = (text: string, finishReason?: string) =>
      Dialect.eventOf(answer, {
        candidates: [
          { content: { parts: [{ text }], role: "model" }, ...(finishReason === undefined ? {} : { finishReason }) }
        ],
        responseId: "a",
        modelVersion: "g"
      })
    const delivered = answer.delivered?.()
    delivered?.read(event("Hello "))
    delivered?.read(event("wor"))
    const joint = delivered?.joint(delivered.text)
    const events = [...(joint?.take(event("Hello world")) ?? []), ...(joint?.take(event(", again", "STOP")) ?? [])]
    const fold = answer.fold()
    for (const one of [event("Hello "), event("wor"), ...events]) fold.add(one)
    expect(answer.view(fold.answer())).toMatchObject({ text: "Hello world, again", finishReason: "stop" })
  })
})
