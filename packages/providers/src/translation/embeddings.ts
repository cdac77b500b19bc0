/**
 * Texts to embed, asked of providers in their own words, and answered in OpenAI's.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { Deployment } from "@switchyard/core/Deployment"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { openAi } from "@switchyard/core/OpenAi"
import * as GeminiEmbeddings from "@switchyard/dialects/GeminiEmbeddings"
import type { Problem } from "@switchyard/dialects/Problem"
import { Either } from "effect"
import type { Hearing } from "../exchange/hearing.js"
import { placed } from "../protocols/oci.js"
import { named } from "../protocols/watsonx.js"

/** What is asked. */
interface Wanted {
  readonly model: string
  readonly texts: ReadonlyArray<string>
  readonly dimensions: number | undefined
  /** The deployment's defaults and the caller's own fields, beside what OpenAI knows. */
  readonly more: JsonObject
  readonly deployment: Deployment
}

/** What is answered. */
interface Vectors {
  readonly vectors: ReadonlyArray<ReadonlyArray<unknown>>
  readonly tokens: number | undefined
}

/** How one API embeds texts. */
interface Embedder {
  /** It takes one text at a time. */
  readonly isSingle?: boolean
  readonly write: (wanted: Wanted) => JsonObject
  readonly read: (body: JsonObject) => Vectors
}

const objectOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : {})
const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined)
const rows = (value: unknown): ReadonlyArray<ReadonlyArray<unknown>> => arrayOf(value).map(arrayOf)
const given = (fields: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/** Google's forms, as its own dialect has them. */
const google = (form: GeminiEmbeddings.Form): Embedder => ({
  isSingle: form === "single",
  write: ({ dimensions, model, more, texts }) => {
    const own = given({ taskType: more.taskType ?? more.task_type, title: more.title })
    const written = GeminiEmbeddings.writeRequest({ input: texts, ...given({ dimensions }) }, form, model, own)
    return Either.isRight(written) ? written.right.body : {}
  },
  read: (body) => {
    const answer = GeminiEmbeddings.readAnswer(body, "")
    if (Either.isLeft(answer)) return { vectors: [], tokens: undefined }
    return {
      vectors: arrayOf(answer.right.data).map((one) => arrayOf(objectOf(one).embedding)),
      tokens: numberOf(objectOf(answer.right.usage).prompt_tokens)
    }
  }
})

const batch = google("batch")
const predict = google("predict")
const single = google("single")

const cohereRead = (body: JsonObject): Vectors => {
  const { embeddings, meta } = body
  return {
    vectors: rows(isJsonObject(embeddings) ? embeddings.float : embeddings),
    tokens: numberOf(objectOf(objectOf(meta).billed_units).input_tokens)
  }
}

const cohere: Embedder = {
  write: ({ dimensions, model, more, texts }) => ({
    model,
    texts,
    input_type: more.input_type ?? "search_document",
    embedding_types: ["float"],
    ...given({ output_dimension: dimensions, truncate: more.truncate })
  }),
  read: cohereRead
}

const bedrockCohere: Embedder = {
  write: (wanted) => {
    const { model: _, ...body } = cohere.write(wanted)
    return body
  },
  read: cohereRead
}

const titan: Embedder = {
  isSingle: true,
  write: ({ dimensions, model, more, texts }) => ({
    inputText: texts[0] ?? "",
    // The first version takes nothing else.
    ...(/embed-text-v1/.test(model) ? {} : given({ dimensions, normalize: more.normalize }))
  }),
  read: (body) => ({
    vectors: body.embedding === undefined ? [] : [arrayOf(body.embedding)],
    tokens: numberOf(body.inputTextTokenCount)
  })
}

const nova: Embedder = {
  isSingle: true,
  write: ({ dimensions, more, texts }) => ({
    taskType: "SINGLE_EMBEDDING",
    singleEmbeddingParams: {
      embeddingPurpose: more.embeddingPurpose ?? "GENERIC_INDEX",
      ...given({ embeddingDimension: dimensions }),
      text: { truncationMode: "NONE", value: texts[0] ?? "" }
    }
  }),
  read: (body) => ({
    vectors: arrayOf(body.embeddings).map((one) => arrayOf(objectOf(one).embedding)),
    tokens: numberOf(body.inputTextTokenCount)
  })
}

const ollama: Embedder = {
  write: ({ dimensions, model, more, texts }) => ({
    model,
    input: texts,
    ...given({ dimensions, keep_alive: more.keep_alive, options: more.options, truncate: more.truncate })
  }),
  read: (body) => ({ vectors: rows(body.embeddings), tokens: numberOf(body.prompt_eval_count) })
}

/** Hugging Face's containers answer with a bare list, or with one in an object. */
const sagemaker: Embedder = {
  write: ({ more, texts }) => ({ inputs: texts, ...more }),
  read: (body) => ({ vectors: rows(body.embedding ?? body.embeddings), tokens: undefined })
}

/** Each vector stands in a list of its own. */
const snowflake: Embedder = {
  write: ({ model, more, texts }) => ({ model, text: texts, ...more }),
  read: (body) => ({
    vectors: arrayOf(body.data).map((one) => {
      const [first] = arrayOf(objectOf(one).embedding)
      return Array.isArray(first) ? first : arrayOf(objectOf(one).embedding)
    }),
    tokens: numberOf(objectOf(body.usage).total_tokens)
  })
}

const oci: Embedder = {
  write: ({ deployment, dimensions, model, more, texts }) => ({
    ...placed(deployment, model),
    inputs: texts,
    truncate: more.truncate ?? "END",
    ...given({
      inputType: typeof more.input_type === "string" ? more.input_type.toUpperCase() : undefined,
      outputDimensions: dimensions
    })
  }),
  read: (body) => {
    const counts = arrayOf(body.inputTextTokenCounts).map(Number)
    return {
      vectors: rows(body.embeddings),
      tokens:
        counts.length === 0 ? numberOf(objectOf(body.usage).totalTokens) : counts.reduce((sum, count) => sum + count, 0)
    }
  }
}

const watsonx: Embedder = {
  write: ({ deployment, model, more, texts }) => {
    const { project_id: _, space_id: __, ...parameters } = more
    return {
      inputs: texts,
      ...named(deployment, model),
      ...(Object.keys(parameters).length === 0 ? {} : { parameters })
    }
  },
  read: (body) => ({
    vectors: arrayOf(body.results).map((one) => arrayOf(objectOf(one).embedding)),
    tokens: numberOf(body.input_token_count)
  })
}

const embedderOf = (protocol: string, model: string): Embedder | undefined => {
  switch (protocol) {
    case "gemini":
      return batch
    case "vertex":
      return /gemini-embedding-(?!001)/.test(model) ? single : predict
    case "bedrock":
      if (/titan-embed/.test(model)) return titan
      if (/nova.*embed/.test(model)) return nova
      return /cohere\.embed/.test(model) ? bedrockCohere : undefined
    case "watsonx":
      return watsonx
    case "oci":
      return oci
    case "snowflake":
      return snowflake
    case "sagemaker":
      return sagemaker
    case "cohere":
      return cohere
    case "ollama":
      return ollama
    default:
      return undefined
  }
}

const base64 = (vector: ReadonlyArray<unknown>): string => {
  const bytes = new Uint8Array(vector.length * 4)
  const view = new DataView(bytes.buffer)
  for (const [index, value] of vector.entries()) view.setFloat32(index * 4, Number(value), true)
  let text = ""
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

const textsOf = (input: unknown): ReadonlyArray<string> | undefined => {
  const list = typeof input === "string" ? [input] : arrayOf(input)
  return list.length > 0 && list.every((text) => typeof text === "string") ? list : undefined
}

const openAiFields = new Set(["model", "input", "dimensions", "encoding_format", "user"])

/** How texts are embedded by one attempt: what is sent and how the answer is heard, or what cannot be said. */
export const embedding = (
  protocol: string,
  { model, request, target }: Pick<Attempt, "model" | "request" | "target">
): { readonly body: JsonObject; readonly hearing: Hearing } | Problem => {
  const { body } = request
  const embedder = embedderOf(protocol, model)
  if (embedder === undefined) return { path: "model", expected: "a model that embeds texts: this one does not" }
  const texts = textsOf(body.input)
  if (texts === undefined)
    return { path: "input", expected: "a text or a list of texts: this provider takes no tokens" }
  if (embedder.isSingle === true && texts.length > 1) {
    return { path: "input", expected: "one text at a time: this model takes no more" }
  }
  const laid: JsonObject = { ...target.defaults, ...body }
  const wanted: Wanted = {
    deployment: target,
    model,
    texts,
    dimensions: numberOf(laid.dimensions),
    more: Object.fromEntries(Object.entries(laid).filter(([name]) => !openAiFields.has(name)))
  }
  const isBase64 = laid.encoding_format === "base64"
  const { answer } = openAi
  return {
    body: embedder.write(wanted),
    hearing: {
      framing: "sse",
      isSame: false,
      isError: (json) => answer.error({ data: "", json }) !== undefined,
      events: answer.events,
      ofList: (list) => ({ embeddings: list }),
      stream: () => ({ read: () => false, end: () => {} }),
      answer: (said) => {
        const { tokens, vectors } = embedder.read(said)
        if (vectors.length !== texts.length) return `holds ${vectors.length} embeddings of ${texts.length}`
        return {
          object: "list",
          data: vectors.map((vector, index) => ({
            object: "embedding",
            index,
            embedding: isBase64 ? base64(vector) : vector
          })),
          model,
          ...(tokens === undefined ? {} : { usage: { prompt_tokens: tokens, total_tokens: tokens } })
        }
      }
    }
  }
}
