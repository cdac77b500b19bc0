/**
 * Texts to embed: Google's three forms (`embedContent`, `batchEmbedContents`, Vertex's `predict`) from OpenAI's embeddings and to
 * them, requests and answers.
 */

import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import { Account, type Problem } from "../../conversation/Problem.js"
import { bytesFromBase64, bytesToBase64 } from "../../parts/base64.js"
import { asNumber, asText, objectOf } from "../../parts/values.js"
import type { Written } from "../../Translator.js"
import { field, given, listOf, objectsOf } from "../parts/spelling.js"
import { modelName } from "../request/readRequest.js"

/** Which of the three: one content, a list of requests, or instances. */
export type Form = "single" | "batch" | "predict"

/** The form of a request. */
export const formOf = (body: JsonObject): Form => {
  if (body.requests !== undefined) return "batch"
  return body.instances === undefined ? "single" : "predict"
}

/** A request in OpenAI's words, and what OpenAI has no words for: the kind of task, and a title. */
export interface Inputs {
  readonly body: JsonObject
  readonly own: JsonObject
}

const textOf = (content: unknown): string | undefined => {
  if (typeof content === "string") return content
  if (!isJsonObject(content)) return undefined
  const parts = listOf(content.parts)
  let text = ""
  for (const part of parts) {
    const words = isJsonObject(part) ? part.text : part
    if (typeof words !== "string") return undefined
    text = text === "" ? words : `${text}\n${words}`
  }
  return parts.length === 0 ? undefined : text
}

/** What one request says beside its content: the newer API has it in an object of its own. */
const settingsOf = (request: JsonObject): JsonObject => {
  const config = objectOf(field(request, "embedContentConfig") ?? request.config)
  const said = (name: string): unknown => field(config, name) ?? field(request, name)
  return {
    ...given("dimensions", asNumber(said("outputDimensionality"))),
    ...given("taskType", asText(said("taskType"))),
    ...given("title", asText(said("title")))
  }
}

const entriesOf = (body: JsonObject): ReadonlyArray<{ readonly path: string; readonly entry: JsonObject }> => {
  const form = formOf(body)
  if (form === "single") return [{ path: "content", entry: body }]
  const name = form === "batch" ? "requests" : "instances"
  return listOf(body[name]).map((entry, at) => ({
    path: `${name}[${at}].content`,
    entry: isJsonObject(entry) ? entry : {}
  }))
}

/** Google's request in OpenAI's words. All texts of one request are of one length of vector and of one task. */
export const readRequest = (body: JsonObject, model?: string): Either.Either<Inputs, ReadonlyArray<Problem>> => {
  const problems: Array<Problem> = []
  const input: Array<string> = []
  let own: JsonObject | undefined
  let named: string | undefined
  const shared = formOf(body) === "predict" ? settingsOf(objectOf(body.parameters)) : {}
  for (const { entry, path } of entriesOf(body)) {
    const text = textOf(entry.content)
    if (text === undefined) problems.push({ path, expected: "expected a content of texts" })
    else input.push(text)
    const settings = { ...shared, ...settingsOf(entry) }
    if (own !== undefined && own.dimensions !== settings.dimensions) {
      problems.push({ path, expected: "expected the same outputDimensionality as the first request has" })
    }
    own ??= settings
    named ??= asText(entry.model)
    if (problems.length >= 8) break
  }
  if (input.length === 0 && problems.length === 0)
    problems.push({ path: "requests", expected: "expected at least one" })
  if (problems.length > 0) return Either.left(problems)
  const { dimensions, ...rest } = own ?? {}
  return Either.right({
    body: {
      model: model ?? modelName(named ?? asText(body.model) ?? ""),
      input: formOf(body) === "single" ? input[0] : input,
      ...given("dimensions", dimensions)
    },
    own: rest
  })
}

const inputsOf = (input: unknown, account: Account): ReadonlyArray<string> => {
  const list = typeof input === "string" ? [input] : listOf(input)
  const texts = list.filter((one): one is string => typeof one === "string")
  if (texts.length < list.length || texts.length === 0) {
    account.refuse("input", "expected a text or a list of texts: this provider takes no tokens")
  }
  return texts
}

/** OpenAI's request in one of Google's forms; `own` holds `taskType` and `title`, where they are known. */
export const writeRequest = (
  body: JsonObject,
  form: Form,
  model: string,
  own: JsonObject = {}
): Either.Either<Written, ReadonlyArray<Problem>> => {
  const account = new Account()
  const texts = inputsOf(body.input, account)
  if (body.user !== undefined) account.drop("user", "advisory")
  if (form === "single" && texts.length > 1)
    account.refuse("input", "expected one text: this model takes no more at a time")
  if (account.problems.length > 0) return Either.left(account.problems)
  const dimensions = given("outputDimensionality", asNumber(body.dimensions))
  const more = { ...given("taskType", asText(own.taskType)), ...given("title", asText(own.title)), ...dimensions }
  const content = (text: string | undefined): JsonObject => ({ parts: [{ text: text ?? "" }] })
  if (form === "single")
    return Either.right({ body: { content: content(texts[0]), ...more }, dropped: account.dropped })
  if (form === "batch") {
    const name = model.startsWith("models/") || model.startsWith("tunedModels/") ? model : `models/${model}`
    const requests = texts.map((text) => ({ model: name, content: content(text), ...more }))
    return Either.right({ body: { requests }, dropped: account.dropped })
  }
  const instances = texts.map((text) => ({
    content: text,
    ...given("task_type", asText(own.taskType)),
    ...given("title", asText(own.title))
  }))
  const parameters = Object.keys(dimensions).length > 0 ? { parameters: dimensions } : {}
  return Either.right({ body: { instances, ...parameters }, dropped: account.dropped })
}

const floats = (vector: ReadonlyArray<unknown>): string => {
  const numbers = new Float32Array(vector.length)
  for (let at = 0; at < vector.length; at++) numbers[at] = asNumber(vector[at]) ?? 0
  return bytesToBase64(new Uint8Array(numbers.buffer))
}

const numbersOf = (embedding: unknown): ReadonlyArray<unknown> => {
  if (typeof embedding !== "string") return listOf(embedding)
  const bytes = bytesFromBase64(embedding)
  const view = new DataView(bytes.buffer)
  const numbers: Array<number> = []
  for (let at = 0; at + 4 <= bytes.length; at += 4) numbers.push(view.getFloat32(at, true))
  return numbers
}

/** Tokens of an answer, however it says them; undefined where it does not. */
const tokensOf = (body: JsonObject): number | undefined => {
  const usage = field(body, "usageMetadata")
  if (isJsonObject(usage))
    return asNumber(field(usage, "promptTokenCount")) ?? asNumber(field(usage, "totalTokenCount"))
  let sum: number | undefined
  for (const { embeddings } of objectsOf(body.predictions)) {
    const count = asNumber(objectOf(objectOf(embeddings).statistics).token_count)
    if (count !== undefined) sum = (sum ?? 0) + count
  }
  return sum
}

/** Google's answer in OpenAI's words; `asBase64` where the caller asked for its vectors so. */
export const readAnswer = (body: JsonObject, model: string, asBase64 = false): Either.Either<JsonObject, string> => {
  const single = isJsonObject(body.embedding) ? [body.embedding] : undefined
  const predicted = objectsOf(body.predictions).map(({ embeddings }) => objectOf(embeddings))
  const found = single ?? (predicted.length > 0 ? predicted : objectsOf(body.embeddings))
  if (found.length === 0 || !found.every(({ values }) => Array.isArray(values)))
    return Either.left("no embeddings in the answer")
  const tokens = tokensOf(body)
  return Either.right({
    object: "list",
    data: found.map(({ values }, index) => ({
      object: "embedding",
      index,
      embedding: asBase64 ? floats(listOf(values)) : values
    })),
    model,
    ...(tokens === undefined ? {} : { usage: { prompt_tokens: tokens, total_tokens: tokens } })
  })
}

/** OpenAI's answer in one of Google's forms. */
export const writeAnswer = (body: JsonObject, form: Form): JsonObject => {
  const vectors = objectsOf(body.data).map(({ embedding }) => ({ values: numbersOf(embedding) }))
  const tokens = asNumber(objectOf(body.usage).prompt_tokens)
  if (form === "predict") return { predictions: vectors.map((embeddings) => ({ embeddings })) }
  const usage = tokens === undefined ? {} : { usageMetadata: { promptTokenCount: tokens, totalTokenCount: tokens } }
  return form === "single" ? { embedding: vectors[0] ?? { values: [] }, ...usage } : { embeddings: vectors, ...usage }
}
