/**
 * Texts to embed, asked of each provider in its own words, and answered in OpenAI's.
 */
import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { JsonObject } from "@switchyard/core/Json"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import { Effect } from "effect"
import { answering } from "../support/answering.js"
import * as S from "../support/support.js"

const bedrock = { protocol: "bedrock", apiKey: "key", baseUrl: "https://bedrock.example" }
const vertex = {
  protocol: "vertex",
  apiKey: "ya29.key",
  baseUrl: "https://vertex.example",
  project: "p",
  location: "eu"
}
const one = [0.5, 0.25]
const two = [0.125, 1]

interface Case {
  readonly name: string
  readonly on: Partial<DeploymentConfig>
  readonly input: string | ReadonlyArray<string>
  readonly dimensions?: number
  readonly url: string
  readonly asked: JsonObject
  readonly answer: JsonObject
  readonly vectors: ReadonlyArray<ReadonlyArray<number>>
  readonly tokens: number | undefined
}

const cases: ReadonlyArray<Case> = [
  {
    name: "Cohere",
    on: {
      protocol: "cohere",
      model: "embed-v4.0",
      baseUrl: "https://cohere.example",
      defaults: { input_type: "search_query" }
    },
    input: ["a", "b"],
    dimensions: 2,
    url: "https://cohere.example/v2/embed",
    asked: {
      model: "embed-v4.0",
      texts: ["a", "b"],
      input_type: "search_query",
      embedding_types: ["float"],
      output_dimension: 2
    },
    answer: { id: "e", embeddings: { float: [one, two] }, meta: { billed_units: { input_tokens: 3 } } },
    vectors: [one, two],
    tokens: 3
  },
  {
    name: "Ollama",
    on: {
      protocol: "ollama",
      model: "nomic-embed-text",
      baseUrl: "http://ollama.example",
      defaults: { keep_alive: "5m" }
    },
    input: ["a", "b"],
    url: "http://ollama.example/api/embed",
    asked: { model: "nomic-embed-text", input: ["a", "b"], keep_alive: "5m" },
    answer: { model: "nomic-embed-text", embeddings: [one, two], prompt_eval_count: 3 },
    vectors: [one, two],
    tokens: 3
  },
  {
    name: "Titan on Bedrock",
    on: { ...bedrock, model: "amazon.titan-embed-text-v2:0" },
    input: "a",
    dimensions: 256,
    url: "https://bedrock.example/model/amazon.titan-embed-text-v2%3A0/invoke",
    asked: { inputText: "a", dimensions: 256 },
    answer: { embedding: one, inputTextTokenCount: 1 },
    vectors: [one],
    tokens: 1
  },
  {
    name: "Cohere on Bedrock",
    on: { ...bedrock, model: "cohere.embed-english-v3" },
    input: ["a", "b"],
    url: "https://bedrock.example/model/cohere.embed-english-v3/invoke",
    asked: { texts: ["a", "b"], input_type: "search_document", embedding_types: ["float"] },
    answer: { id: "e", embeddings: { float: [one, two] } },
    vectors: [one, two],
    tokens: undefined
  },
  {
    name: "Vertex AI's models of old",
    on: { ...vertex, model: "text-embedding-005" },
    input: ["a", "b"],
    dimensions: 2,
    url: "https://vertex.example/v1/projects/p/locations/eu/publishers/google/models/text-embedding-005:predict",
    asked: { instances: [{ content: "a" }, { content: "b" }], parameters: { outputDimensionality: 2 } },
    answer: {
      predictions: [
        { embeddings: { values: one, statistics: { token_count: 1 } } },
        { embeddings: { values: two, statistics: { token_count: 2 } } }
      ]
    },
    vectors: [one, two],
    tokens: 3
  },
  {
    name: "Vertex AI's newer models",
    on: { ...vertex, model: "gemini-embedding-2" },
    input: "a",
    url: "https://vertex.example/v1/projects/p/locations/eu/publishers/google/models/gemini-embedding-2:embedContent",
    asked: { content: { parts: [{ text: "a" }] } },
    answer: { embedding: { values: one }, usageMetadata: { promptTokenCount: 1 } },
    vectors: [one],
    tokens: 1
  }
]

describe("texts to embed", () => {
  it.effect.each(cases)("are asked in the words of $name, and answered in OpenAI's", (given) =>
    Effect.gen(function* () {
      const { sent, transport } = answering(() => given.answer)
      const request = LlmRequest.embeddings({
        model: "m",
        input: given.input,
        ...(given.dimensions === undefined ? {} : { dimensions: given.dimensions })
      })
      const { body, outcome } = S.complete(yield* S.call(OpenAiCompatible.make(transport), request, given.on))
      assert.deepStrictEqual([sent[0]?.url, sent[0]?.body], [given.url, given.asked])
      const answer = body as JsonObject
      assert.deepStrictEqual(
        answer.data,
        given.vectors.map((embedding, index) => ({ object: "embedding", index, embedding }))
      )
      assert.strictEqual(answer.object, "list")
      if (given.tokens !== undefined) assert.strictEqual(outcome.usage?.inputTokens, given.tokens)
    })
  )

  it.effect("come as base64 where that is asked for, and are no answer where some are missing", () =>
    Effect.gen(function* () {
      const on = { protocol: "ollama", baseUrl: "http://ollama.example" }
      const { transport } = answering(() => ({ embeddings: [one] }))
      const service = OpenAiCompatible.make(transport)
      const request = (input: ReadonlyArray<string>) =>
        LlmRequest.embeddings({ model: "m", input, encoding_format: "base64" })
      const { body } = S.complete(yield* S.call(service, request(["a"]), on))
      const [first] = (body as { readonly data: ReadonlyArray<{ readonly embedding: string }> }).data
      const bytes = Buffer.from(first?.embedding ?? "", "base64")
      assert.deepStrictEqual([bytes.readFloatLE(0), bytes.readFloatLE(4)], one)
      const error = yield* Effect.flip(S.call(service, request(["a", "b"]), on))
      assert.strictEqual(error.reason, "MalformedResponse")
    })
  )

  it.effect("one at a time is all that some models take, and tokens none: both are refused by name", () =>
    Effect.gen(function* () {
      const { sent, transport } = answering(() => ({}))
      const service = OpenAiCompatible.make(transport)
      for (const input of [["a", "b"], [[1, 2]]]) {
        const request = LlmRequest.embeddings({ model: "m", input })
        const error = yield* Effect.flip(
          S.call(service, request, { ...bedrock, model: "amazon.titan-embed-text-v2:0" })
        )
        assert.deepStrictEqual([error.reason, error.param], ["InvalidRequest", "input"])
      }
      assert.deepStrictEqual(sent, [])
    })
  )
})
