/**
 * Texts to embed for callers of Gemini: by Google's own API as they stand, by any other in OpenAI's words between the two.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { openAi } from "@switchyard/core/OpenAi"
import { formOf, readRequest, writeAnswer } from "@switchyard/dialects/GeminiEmbeddings"
import type { Problem } from "@switchyard/dialects/Problem"
import { Either } from "effect"
import type { Hearing } from "../exchange/hearing.js"
import { embedding } from "./embeddings.js"

/** What is sent, and how the answer is heard. */
export interface Embedding {
  readonly body: JsonObject
  readonly hearing: Hearing
}

/** An answer of OpenAI's, as it comes. */
const plain: Hearing = {
  framing: "sse",
  isSame: false,
  isError: (json) => openAi.answer.error({ data: "", json }) !== undefined,
  events: openAi.answer.events,
  stream: () => ({ read: () => false, end: () => {} }),
  answer: (body) => body
}

/** Asked of Google's own list of requests, of which each names the model. */
export const native = (body: JsonObject, model: string): Embedding => {
  const name = /^(?:models|tunedModels)\//.test(model) ? model : `models/${model}`
  const isOne = formOf(body) === "single"
  const requests = isOne ? [body] : arrayOf(body.requests).filter(isJsonObject)
  return {
    body: { ...(isOne ? {} : body), requests: requests.map((request) => ({ ...request, model: name })) },
    hearing: {
      ...plain,
      answer: (said) => {
        if (!isOne) return said
        const { embeddings, ...rest } = said
        const [embedding] = arrayOf(embeddings)
        return embedding === undefined ? "holds no embedding" : { embedding, ...rest }
      }
    }
  }
}

/** Asks a provider of another API. `takesOpenAi`: it takes OpenAI's own words. */
export const ofGoogle = (
  protocol: string,
  attempt: Attempt,
  takesOpenAi: boolean
): Embedding | ReadonlyArray<Problem> => {
  const { model, request } = attempt
  const read = readRequest(request.body, model)
  if (Either.isLeft(read)) return read.left
  const { body, own } = read.right
  const { dialect: _, exact: __, ...rest } = request
  const asked = { ...rest, body: takesOpenAi ? body : { ...body, ...own } }
  const made = takesOpenAi
    ? { body: { ...attempt.target.defaults, ...body, encoding_format: "float" }, hearing: plain }
    : embedding(protocol, { model, request: asked, target: attempt.target })
  if ("expected" in made) return [made]
  const form = formOf(request.body)
  const { hearing } = made
  return {
    body: made.body,
    hearing: {
      ...hearing,
      answer: (said) => {
        const answer = hearing.answer(said)
        return typeof answer === "string" ? answer : writeAnswer(answer, form)
      }
    }
  }
}
