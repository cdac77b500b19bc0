import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import { glimpse, listIn } from "../json/UnreadText.js"
import { isMedia, type TextOperation } from "../shared/Operation.js"
import { signatures } from "./ChatChunk.js"
import type { Beginning, ProviderState, RequestWords, Turn, TurnPart } from "./Dialect.js"
import * as PromptSize from "./PromptSize.js"
import { choicesIn, largestOutputBound, type Operation, overlay } from "./payloadFields.js"
import { inBody } from "./reasoningFields.js"

/** How many wrong messages a refusal names: a body may hold millions. */
const maxNamed = 8

const messageProblems = (messages: unknown): ReadonlyArray<string> => {
  if (!Array.isArray(messages) || messages.length === 0) return ["messages: expected a list of at least one message"]
  const problems: Array<string> = []
  for (let at = 0; at < messages.length && problems.length < maxNamed; at++) {
    const message: unknown = messages[at]
    if (!isJsonObject(message)) problems.push(`messages.${at}: expected an object`)
    else if (typeof message.role !== "string") problems.push(`messages.${at}.role: expected a string`)
  }
  return problems
}

/** What is wrong with the field that an operation is about. By hand: a schema's decoding took longer than a whole layer. */
const contentProblems: Record<TextOperation, (body: JsonObject) => ReadonlyArray<string>> = {
  chat: ({ messages }) => messageProblems(messages),
  completion: ({ prompt }) => (prompt === undefined ? ["prompt: expected a value"] : []),
  embeddings: ({ input }) =>
    typeof input === "string" || Array.isArray(input) ? [] : ["input: expected a string or a list"]
}

const problems = (operation: Operation, body: JsonObject): ReadonlyArray<string> => {
  const { stream } = body
  const content = isMedia(operation) || operation === "object" ? [] : contentProblems[operation](body)
  return stream === undefined || stream === null || typeof stream === "boolean"
    ? content
    : ["stream: expected true or false", ...content]
}

const size = (operation: Operation, body: JsonObject): PromptSize.PromptSize =>
  operation === "chat"
    ? PromptSize.ofConversation(body.messages, body.tools)
    : PromptSize.ofInputs(operation === "completion" ? body.prompt : body.input)

const maxOutputTokens = (body: JsonObject): number | undefined => {
  const value = body.max_completion_tokens ?? body.max_tokens
  return typeof value === "number" && value >= 0 ? value : undefined
}

const responseFormat = (body: JsonObject): string | undefined => {
  const format = body.response_format
  return isJsonObject(format) && typeof format.type === "string" ? format.type : undefined
}

const hasImages = (body: JsonObject): boolean =>
  arrayOf(body.messages).some(
    (message) =>
      isJsonObject(message) &&
      listIn(message, "content").some((part) => isJsonObject(part) && part.type === "image_url")
  )

const partOf = (part: unknown): TurnPart => {
  if (typeof part === "string") return { type: "text", text: part }
  if (isJsonObject(part) && typeof part.text === "string") return { type: "text", text: part.text }
  return { type: "other", name: isJsonObject(part) && typeof part.type === "string" ? part.type : "unknown" }
}

const callOf = (call: unknown): TurnPart => {
  const called = isJsonObject(call) && isJsonObject(call.function) ? call.function : {}
  const { arguments: given, name } = called as JsonObject
  return {
    type: "tool_call",
    name: typeof name === "string" ? name : "",
    arguments: typeof given === "string" ? given : ""
  }
}

function* partsOf({ content, tool_calls }: JsonObject): Generator<TurnPart> {
  for (const part of typeof content === "string" ? [content] : arrayOf(content)) yield partOf(part)
  for (const call of arrayOf(tool_calls)) yield callOf(call)
}

/** A message of a prompt or of an answer. */
export const turnOf = (message: unknown): Turn => {
  if (!isJsonObject(message)) return { role: "unknown", parts: [] }
  const { role } = message
  return { role: typeof role === "string" ? role : "unknown", parts: partsOf(message) }
}

function* turns(operation: Operation, body: JsonObject): Generator<Turn> {
  if (operation === "chat") {
    for (const message of arrayOf(body.messages)) yield turnOf(message)
    return
  }
  const texts = operation === "completion" ? body.prompt : body.input
  for (const content of typeof texts === "string" ? [texts] : arrayOf(texts)) yield turnOf({ role: "user", content })
}

const isSystem = (role: unknown): boolean => role === "system" || role === "developer"

/** A system message counts while no user has spoken. */
const beginning = (operation: Operation, body: JsonObject): Beginning => {
  if (operation !== "chat") {
    return { system: undefined, user: operation === "completion" ? body.prompt : body.input }
  }
  let system: unknown
  let systemSeen = false
  for (const message of arrayOf(body.messages)) {
    if (!isJsonObject(message)) continue
    if (message.role === "user") return { system, user: glimpse(message, "content") }
    if (systemSeen || !isSystem(message.role)) continue
    systemSeen = true
    system = glimpse(message, "content")
  }
  return { system, user: undefined }
}

const states = (body: JsonObject): ReadonlyArray<ProviderState> => {
  const found: Array<ProviderState> = []
  for (const message of arrayOf(body.messages)) {
    if (!isJsonObject(message)) continue
    for (const value of signatures(message)) found.push({ kind: "reasoning signature", value, hard: false })
    for (const part of listIn(message, "content")) {
      const id = isJsonObject(part) && isJsonObject(part.file) ? part.file.file_id : undefined
      if (typeof id === "string" && id !== "") found.push({ kind: "file id", value: id, hard: true })
    }
  }
  const previous = body.previous_response_id
  if (typeof previous === "string" && previous !== "") {
    found.push({ kind: "response id", value: previous, hard: true })
  }
  return found
}

const prefilled = (operation: Operation, body: JsonObject, text: string): JsonObject | undefined => {
  const { messages } = body
  if (operation !== "chat" || !Array.isArray(messages)) return undefined
  return { ...body, messages: [...messages, { role: "assistant", content: text, prefix: true }] }
}

/** What routing reads of OpenAI's payloads. */
export const request: RequestWords = {
  promptFields: ["messages", "prompt", "input"],
  textFields: ["messages", "prompt", "suffix", "input", "tools", "functions", "user", "metadata", "prediction"],
  problems,
  model: (body) => body.model,
  streams: (body) => body.stream === true,
  size,
  maxOutputTokens,
  largestOutputBound,
  choices: choicesIn,
  tools: (body) => arrayOf(body.tools),
  responseFormat,
  hasImages,
  asksForReasoning: inBody,
  serviceTier: (body) => body.service_tier,
  settings: (body) => ({
    temperature: body.temperature,
    topP: body.top_p,
    maxTokens: body.max_completion_tokens ?? body.max_tokens,
    frequencyPenalty: body.frequency_penalty,
    presencePenalty: body.presence_penalty,
    seed: body.seed,
    choices: body.n
  }),
  turns,
  beginning,
  states,
  overlay,
  prefilled,
  isBeyondText: ({ logprobs, n }) =>
    (typeof n === "number" && n > 1) || logprobs === true || typeof logprobs === "number"
}
