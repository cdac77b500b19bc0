/**
 * What the tower reads of Gemini's requests and answers.
 */
import type { AnswerWords, Beginning, ProviderState, RequestWords, Turn, TurnPart } from "@switchyard/core/Dialect"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import * as PromptSize from "@switchyard/core/PromptSize"
import { toUsage } from "../conversation/Tokens.js"
import { asNumber, asString, asText, objectOf } from "../parts/values.js"
import type { Translator } from "../Translator.js"
import { ofTranslator } from "../words/AnswerWords.js"
import { blockMessage } from "./answer/readAnswer.js"
import { readTokens } from "./answer/tokens.js"
import { argumentsOf } from "./parts/readParts.js"
import { readSignature } from "./parts/signatures.js"
import { field, listOf, nameIn, objectsOf } from "./parts/spelling.js"
import { problemsOf } from "./request/readRequest.js"

const configOf = (body: JsonObject): JsonObject => objectOf(field(body, "generationConfig"))

/** Google takes numbers in quotes, too. */
const tokensIn = (value: unknown): number | undefined => {
  const tokens = typeof value === "string" && value !== "" ? asNumber(Number(value)) : asNumber(value)
  return tokens !== undefined && tokens >= 0 ? tokens : undefined
}

const maxOutputTokens = (body: JsonObject): number | undefined => tokensIn(field(configOf(body), "maxOutputTokens"))

const choices = (body: JsonObject): number => Math.max(1, asNumber(field(configOf(body), "candidateCount")) ?? 1)

/** The parts of all contents. */
function* partsIn(body: JsonObject): Generator<JsonObject> {
  for (const content of objectsOf(body.contents)) yield* objectsOf(content.parts)
}

const mimeOf = (part: JsonObject): string => {
  const media = field(part, "inlineData") ?? field(part, "fileData")
  return isJsonObject(media) ? (asText(field(media, "mimeType")) ?? "") : ""
}

const hasImages = (body: JsonObject): boolean => {
  for (const part of partsIn(body)) if (mimeOf(part).startsWith("image/")) return true
  return false
}

/** What is embedded: one content, or one of each request, or Vertex's instances. */
const embedded = (body: JsonObject): ReadonlyArray<unknown> => {
  if (Array.isArray(body.requests)) return objectsOf(body.requests).map(({ content }) => content)
  if (Array.isArray(body.instances)) return objectsOf(body.instances).map(({ content }) => content)
  return body.content === undefined ? [] : [body.content]
}

const asksForReasoning = (body: JsonObject): boolean | undefined => {
  const thinking = field(configOf(body), "thinkingConfig")
  if (!isJsonObject(thinking)) return undefined
  const budget = tokensIn(field(thinking, "thinkingBudget")) ?? asNumber(field(thinking, "thinkingBudget"))
  if (budget !== undefined) return budget !== 0
  if (asText(field(thinking, "thinkingLevel")) !== undefined) return true
  return field(thinking, "includeThoughts") === true ? true : undefined
}

const responseFormat = (body: JsonObject): string | undefined => {
  const config = configOf(body)
  const mime = asText(field(config, "responseMimeType"))
  if (mime === undefined) return undefined
  if (field(config, "responseSchema") !== undefined || field(config, "responseJsonSchema") !== undefined) {
    return "json_schema"
  }
  return mime === "application/json" ? "json_object" : "text"
}

const partOf = (part: unknown): TurnPart => {
  if (typeof part === "string") return { type: "text", text: part }
  if (!isJsonObject(part)) return { type: "other", name: "unknown" }
  if (typeof part.text === "string" && part.thought !== true) return { type: "text", text: part.text }
  const call = field(part, "functionCall")
  if (isJsonObject(call)) return { type: "tool_call", name: asString(call.name) ?? "", arguments: argumentsOf(call) }
  return { type: "other", name: part.thought === true ? "reasoning" : (Object.keys(part)[0] ?? "unknown") }
}

function* turnParts(parts: unknown): Generator<TurnPart> {
  for (const part of listOf(parts)) yield partOf(part)
}

const roles: Readonly<Record<string, string>> = { model: "assistant", function: "tool" }

function* turns(body: JsonObject): Generator<Turn> {
  const system = field(body, "systemInstruction")
  if (system !== undefined) yield { role: "system", parts: turnParts(isJsonObject(system) ? system.parts : system) }
  for (const content of listOf(body.contents)) {
    if (isJsonObject(content)) {
      const role = asText(content.role) ?? "user"
      yield { role: roles[role] ?? role, parts: turnParts(content.parts) }
    } else yield { role: "user", parts: turnParts(content) }
  }
}

const partsOf = (content: unknown): unknown => (isJsonObject(content) ? listOf(content.parts) : content)

const beginning = (body: JsonObject): Beginning => ({
  system: partsOf(field(body, "systemInstruction")),
  user: partsOf(listOf(body.contents).find((content) => !isJsonObject(content) || content.role !== "model"))
})

/** Base64 as Google spells it, whatever a client's SDK made of it. */
const plainBase64 = (value: string): string => {
  const plain = value.replaceAll("-", "+").replaceAll("_", "/")
  return plain.length % 4 === 0 ? plain : plain.padEnd(plain.length + 4 - (plain.length % 4), "=")
}

/** Files are kept by the account that they were uploaded to. */
const fileIn = (part: JsonObject): string | undefined => {
  const file = field(part, "fileData")
  const uri = isJsonObject(file) ? asText(field(file, "fileUri")) : undefined
  return uri?.startsWith("https://generativelanguage.googleapis.com/") === true ? uri : undefined
}

const states = (body: JsonObject): ReadonlyArray<ProviderState> => {
  const found: Array<ProviderState> = []
  for (const part of partsIn(body)) {
    const said = asText(field(part, "thoughtSignature"))
    if (said !== undefined) {
      const { value } = readSignature(said).signature
      found.push({ kind: "thought signature", value, hard: false })
      const plain = plainBase64(value)
      if (plain !== value) found.push({ kind: "thought signature", value: plain, hard: false })
    }
    const file = fileIn(part)
    if (file !== undefined) found.push({ kind: "file id", value: file, hard: true })
  }
  const cached = asText(field(body, "cachedContent"))
  if (cached !== undefined) found.push({ kind: "cached content", value: cached, hard: true })
  return found
}

/** Fields laid over others, and settings over settings, in whichever spelling they are. */
const overlay = (below: JsonObject, above: JsonObject): Record<string, unknown> => {
  const merged: Record<string, unknown> = { ...below }
  for (const name in above) {
    const value = above[name]
    const there = nameIn(merged, camelOf(name))
    const before = merged[there]
    const isConfig = there === "generationConfig" || there === "generation_config"
    if (there !== name) delete merged[there]
    merged[name] = isConfig && isJsonObject(before) && isJsonObject(value) ? overlay(before, value) : value
  }
  return merged
}

const camelOf = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** What routing reads of Gemini's payloads. The model and whether it streams stand in the path. */
export const request: RequestWords = {
  promptFields: ["contents", "systemInstruction", "system_instruction", "content", "requests", "instances"],
  textFields: [
    "contents",
    "systemInstruction",
    "system_instruction",
    "tools",
    "labels",
    "content",
    "requests",
    "instances"
  ],
  problems: (operation, body) => {
    if (operation === "embeddings") return embedded(body).length > 0 ? [] : ["content: expected a content"]
    return problemsOf(body).map(({ expected, path }) => `${path}: ${expected}`)
  },
  model: () => undefined,
  streams: () => false,
  size: (operation, body) =>
    operation === "embeddings"
      ? PromptSize.ofInputs(embedded(body))
      : PromptSize.ofConversation([field(body, "systemInstruction"), body.contents], body.tools),
  maxOutputTokens,
  largestOutputBound: maxOutputTokens,
  choices: (_, body) => choices(body),
  tools: (body) => listOf(body.tools),
  responseFormat,
  hasImages,
  asksForReasoning,
  serviceTier: (body) => field(body, "serviceTier"),
  settings: (body) => {
    const config = configOf(body)
    return {
      temperature: config.temperature,
      topP: field(config, "topP"),
      maxTokens: field(config, "maxOutputTokens"),
      frequencyPenalty: field(config, "frequencyPenalty"),
      presencePenalty: field(config, "presencePenalty"),
      seed: config.seed,
      choices: field(config, "candidateCount")
    }
  },
  turns: (operation, body) =>
    operation === "embeddings"
      ? embedded(body).map((content) => ({ role: "user", parts: turnParts(partsOf(content)) }))
      : turns(body),
  beginning: (operation, body) =>
    operation === "embeddings" ? { system: undefined, user: partsOf(embedded(body)[0]) } : beginning(body),
  states,
  overlay,
  prefilled: (operation, body, text) =>
    operation === "chat"
      ? { ...body, contents: [...listOf(body.contents), { role: "model", parts: [{ text }] }] }
      : undefined,
  isBeyondText: (body) => choices(body) > 1 || field(configOf(body), "responseLogprobs") === true
}

/** The text that an event adds to the first candidate. */
const textIn = (json: JsonObject): string => {
  let text = ""
  for (const candidate of objectsOf(json.candidates)) {
    if ((candidate.index ?? 0) !== 0) continue
    for (const part of objectsOf(objectOf(candidate.content).parts)) {
      if (typeof part.text === "string" && part.thought !== true) text += part.text
    }
  }
  return text
}

/** What the tower reads of Gemini's answers. */
export const answerWords = (translator: Translator): AnswerWords => ({
  ...ofTranslator(translator, {
    text: textIn,
    blocked: blockMessage,
    hasEmbeddings: (body) =>
      isJsonObject(body.embedding) || listOf(body.embeddings).length > 0 || listOf(body.predictions).length > 0
  }),
  usage: (body) => {
    const tokens = readTokens(field(body, "usageMetadata"))
    return tokens === undefined ? undefined : toUsage(tokens)
  }
})
