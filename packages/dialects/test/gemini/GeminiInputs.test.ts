import type { JsonObject } from "@switchyard/core/Json"
import * as GeminiCounts from "@switchyard/dialects/GeminiCounts"
import * as GeminiEmbeddings from "@switchyard/dialects/GeminiEmbeddings"
import { Either } from "effect"
import { describe, expect, it } from "vitest"

const content = (text: string): JsonObject => ({ parts: [{ text }] })

describe("texts to embed", () => {
  const forms: ReadonlyArray<readonly [GeminiEmbeddings.Form, JsonObject, JsonObject]> = [
    [
      "single",
      { content: content("a"), taskType: "RETRIEVAL_QUERY", outputDimensionality: 8 },
      { model: "g", input: "a", dimensions: 8 }
    ],
    [
      "batch",
      {
        requests: [
          { model: "models/g", content: content("a"), taskType: "CLUSTERING", title: "t" },
          { model: "models/g", content: content("b"), taskType: "CLUSTERING", title: "t" }
        ]
      },
      { model: "g", input: ["a", "b"] }
    ],
    [
      "predict",
      { instances: [{ content: "a", task_type: "CLUSTERING" }], parameters: { outputDimensionality: 8 } },
      { model: "g", input: ["a"], dimensions: 8 }
    ]
  ]

  for (const [form, body, expected] of forms) {
    it(`are read in OpenAI's words and written again: ${form}`, () => {
      const read = Either.getOrThrow(GeminiEmbeddings.readRequest(body, "g"))
      expect(GeminiEmbeddings.formOf(body)).toBe(form)
      expect(read.body).toEqual(expected)
      expect(Either.getOrThrow(GeminiEmbeddings.writeRequest(read.body, form, "g", read.own)).body).toEqual(body)
    })
  }

  it("are refused by name where they are none, or where one form cannot say them", () => {
    const left = (said: Either.Either<unknown, ReadonlyArray<{ readonly path: string }>>) =>
      Either.isLeft(said) ? said.left.map(({ path }) => path) : []
    expect(left(GeminiEmbeddings.readRequest({}))).toEqual(["content"])
    expect(left(GeminiEmbeddings.readRequest({ requests: [] }))).toEqual(["requests"])
    expect(left(GeminiEmbeddings.readRequest({ requests: [1, { content: content("a") }] }))).toEqual([
      "requests[0].content"
    ])
    expect(left(GeminiEmbeddings.readRequest({ content: { parts: [{ inlineData: {} }] } }))).toEqual(["content"])
    expect(left(GeminiEmbeddings.writeRequest({ input: [1, 2] }, "batch", "g"))).toEqual(["input"])
    expect(left(GeminiEmbeddings.writeRequest({ input: ["a", "b"] }, "single", "g"))).toEqual(["input"])
  })

  it("have answers in all forms, as numbers or as base64", () => {
    const numbers = [0.5, -2]
    for (const body of [
      { embedding: { values: numbers }, usageMetadata: { promptTokenCount: 3 } },
      { embeddings: [{ values: numbers }], usageMetadata: { promptTokenCount: 3 } },
      { predictions: [{ embeddings: { values: numbers, statistics: { token_count: 3 } } }] }
    ]) {
      const said = Either.getOrThrow(GeminiEmbeddings.readAnswer(body, "g"))
      expect(said).toEqual({
        object: "list",
        data: [{ object: "embedding", index: 0, embedding: numbers }],
        model: "g",
        usage: { prompt_tokens: 3, total_tokens: 3 }
      })
      const encoded = Either.getOrThrow(GeminiEmbeddings.readAnswer(body, "g", true))
      expect(encoded.data).toEqual([{ object: "embedding", index: 0, embedding: "AAAAPwAAAMA=" }])
      expect(GeminiEmbeddings.writeAnswer(encoded, "single")).toEqual({
        embedding: { values: numbers },
        usageMetadata: { promptTokenCount: 3, totalTokenCount: 3 }
      })
    }
    expect(Either.isLeft(GeminiEmbeddings.readAnswer({ embeddings: [{}] }, "g"))).toBe(true)
  })
})

describe("tokens to count", () => {
  it("are asked for with what counts", () => {
    const contents = [{ role: "user", ...content("a") }]
    expect(GeminiCounts.writeRequest({ contents, generationConfig: undefined }, "g")).toEqual({ contents })
    const body = { contents, system_instruction: content("b"), safetySettings: [] }
    expect(GeminiCounts.writeRequest(body, "g")).toEqual({
      generateContentRequest: { model: "models/g", contents, system_instruction: content("b") }
    })
    expect(GeminiCounts.writeRequest(body, "g", true)).toEqual({ contents, system_instruction: content("b") })
    expect(GeminiCounts.readRequest(GeminiCounts.writeRequest(body, "g"))).toMatchObject({ contents })
    expect(GeminiCounts.readRequest({ contents })).toEqual({ contents })
  })
})
