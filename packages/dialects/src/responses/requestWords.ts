/**
 * What routing reads of a request of Responses.
 */
import type { Beginning, Operation, ProviderState, RequestWords, Turn, TurnPart } from "@switchyard/core/Dialect"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import * as PromptSize from "@switchyard/core/PromptSize"
import { glimpse, listIn } from "@switchyard/core/UnreadText"
import { flatName } from "../parts/namespaces.js"
import { splitSignature } from "../parts/toolIds.js"
import { asString, asText, isGiven, objectOf } from "../parts/values.js"
import { unseal } from "./seal.js"

/** How many wrong items a refusal names: a body may hold millions. */
const mostNamed = 8

const problems = (_: Operation, body: JsonObject): ReadonlyArray<string> => {
  const { input, stream } = body
  const found: Array<string> = []
  if (isGiven(stream) && typeof stream !== "boolean") found.push("stream: expected true or false")
  if (typeof input === "string") return found
  if (!Array.isArray(input)) {
    const isElsewhere = isGiven(body.previous_response_id) || isGiven(body.conversation) || isGiven(body.prompt)
    if (isGiven(input) || !isElsewhere) found.push("input: expected a string or a list of items")
    return found
  }
  for (let at = 0; at < input.length && found.length < mostNamed; at++) {
    const item: unknown = input[at]
    if (!isJsonObject(item)) found.push(`input.${at}: expected an object`)
    else if (typeof item.type !== "string" && typeof item.role !== "string") {
      found.push(`input.${at}: expected a type or a role`)
    }
  }
  return found
}

const bound = ({ max_output_tokens: most }: JsonObject): number | undefined =>
  typeof most === "number" && most >= 0 ? most : undefined

const isImage = (piece: unknown): boolean => isJsonObject(piece) && piece.type === "input_image"

const hasImages = ({ input }: JsonObject): boolean =>
  arrayOf(input).some(
    (item) => isJsonObject(item) && (listIn(item, "content").some(isImage) || listIn(item, "output").some(isImage))
  )

const responseFormat = ({ text }: JsonObject): string | undefined => asText(objectOf(objectOf(text).format).type)

const asksForReasoning = ({ reasoning }: JsonObject): boolean | undefined => {
  const effort = asText(objectOf(reasoning).effort)
  if (effort !== undefined) return effort !== "none"
  return asText(objectOf(reasoning).summary) === undefined ? undefined : true
}

const partOf = (piece: unknown): TurnPart => {
  if (typeof piece === "string") return { type: "text", text: piece }
  if (!isJsonObject(piece)) return { type: "other", name: "unknown" }
  if (typeof piece.text === "string") return { type: "text", text: piece.text }
  return { type: "other", name: asText(piece.type) ?? "unknown" }
}

function* partsOf(content: unknown): Generator<TurnPart> {
  for (const piece of typeof content === "string" ? [content] : arrayOf(content)) yield partOf(piece)
}

const callOf = (item: JsonObject): TurnPart => {
  const namespace = asText(item.namespace)
  const name = asString(item.name) ?? ""
  return {
    type: "tool_call",
    name: namespace === undefined ? name : flatName(name, namespace),
    arguments: asString(item.arguments) ?? asString(item.input) ?? ""
  }
}

const turnOf = (item: unknown): Turn => {
  if (!isJsonObject(item)) return { role: "unknown", parts: [] }
  switch (item.type) {
    case undefined:
    case null:
    case "message":
      return { role: asText(item.role) ?? "unknown", parts: partsOf(item.content) }
    case "function_call":
    case "custom_tool_call":
      return { role: "assistant", parts: [callOf(item)] }
    case "function_call_output":
    case "custom_tool_call_output":
      return { role: "tool", parts: partsOf(item.output) }
    default:
      return { role: "assistant", parts: [{ type: "other", name: asText(item.type) ?? "unknown" }] }
  }
}

function* turns(_: Operation, { input, instructions }: JsonObject): Generator<Turn> {
  if (typeof instructions === "string") yield { role: "system", parts: partsOf(instructions) }
  if (typeof input === "string") yield { role: "user", parts: partsOf(input) }
  else for (const item of arrayOf(input)) yield turnOf(item)
}

/** Instructions, or the first message of the system or the developer while no user has spoken. */
const beginning = (_: Operation, { input, instructions }: JsonObject): Beginning => {
  let system: unknown = isGiven(instructions) ? instructions : undefined
  if (typeof input === "string") return { system, user: input }
  for (const item of arrayOf(input)) {
    if (!isJsonObject(item)) continue
    if (item.role === "user") return { system, user: glimpse(item, "content") }
    if (system === undefined && (item.role === "system" || item.role === "developer")) system = glimpse(item, "content")
  }
  return { system, user: undefined }
}

const filesIn = (pieces: ReadonlyArray<unknown>, found: Array<ProviderState>): void => {
  for (const piece of pieces) {
    const id = isJsonObject(piece) ? asText(piece.file_id) : undefined
    if (id !== undefined) found.push({ kind: "file id", value: id, hard: true })
  }
}

/** The tools that hold containers and stores of the provider. */
const toolStates = (tools: unknown, found: Array<ProviderState>): void => {
  for (const tool of arrayOf(tools)) {
    if (!isJsonObject(tool)) continue
    const container = asText(tool.container)
    if (container !== undefined) found.push({ kind: "container id", value: container, hard: true })
    for (const store of arrayOf(tool.vector_store_ids)) {
      if (typeof store === "string") found.push({ kind: "vector store id", value: store, hard: true })
    }
  }
}

const states = (body: JsonObject): ReadonlyArray<ProviderState> => {
  const found: Array<ProviderState> = []
  toolStates(body.tools, found)
  for (const item of arrayOf(body.input)) {
    if (!isJsonObject(item)) continue
    const content = asText(item.encrypted_content)
    if (content !== undefined) {
      const { value } = unseal(content).signature
      // Without it the conversation that was compacted would be gone.
      const hard = item.type !== "reasoning"
      found.push({ kind: hard ? "compacted history" : "encrypted reasoning", value, hard })
    }
    const call = typeof item.call_id === "string" ? splitSignature(item.call_id).signature : undefined
    if (call !== undefined) found.push({ kind: "thought signature", value: call.value, hard: false })
    if (item.type === "item_reference") {
      const id = asText(item.id)
      if (id !== undefined) found.push({ kind: "item id", value: id, hard: true })
    }
    filesIn(listIn(item, "content"), found)
    filesIn(listIn(item, "output"), found)
  }
  const conversation = asText(body.conversation) ?? asText(objectOf(body.conversation).id)
  if (conversation !== undefined) found.push({ kind: "conversation id", value: conversation, hard: true })
  const prompt = asText(objectOf(body.prompt).id)
  if (prompt !== undefined) found.push({ kind: "prompt id", value: prompt, hard: true })
  const previous = asText(body.previous_response_id)
  if (previous !== undefined) found.push({ kind: "response id", value: previous, hard: true })
  return found
}

/** Fields laid over others; what is said of texts and of reasoning field by field. */
const overlay = (below: JsonObject, above: JsonObject): Record<string, unknown> => {
  const merged: Record<string, unknown> = { ...below, ...above }
  for (const name of ["text", "reasoning"]) {
    const lower = below[name]
    const upper = above[name]
    if (isJsonObject(lower) && isJsonObject(upper)) merged[name] = { ...lower, ...upper }
  }
  return merged
}

/** The model is to go on where its last message ends: most providers do, and OpenAI itself begins anew. */
const prefilled = (_: Operation, body: JsonObject, text: string): JsonObject | undefined => {
  const { input } = body
  const said = typeof input === "string" ? [{ type: "message", role: "user", content: input }] : input
  if (!Array.isArray(said)) return undefined
  return { ...body, input: [...said, { type: "message", role: "assistant", content: text }] }
}

/** What routing reads of a payload. */
export const request: RequestWords = {
  promptFields: ["input", "instructions", "previous_response_id", "conversation", "prompt"],
  textFields: ["input", "instructions", "tools", "prompt", "metadata", "client_metadata", "user"],
  problems,
  model: (body) => body.model,
  streams: (body) => body.stream === true,
  size: (_, { input, instructions, tools }) => PromptSize.ofConversation([instructions, input], tools),
  maxOutputTokens: bound,
  largestOutputBound: bound,
  choices: () => 1,
  tools: ({ tools }) => arrayOf(tools),
  responseFormat,
  hasImages,
  asksForReasoning,
  serviceTier: (body) => body.service_tier,
  settings: (body) => ({ temperature: body.temperature, topP: body.top_p, maxTokens: body.max_output_tokens }),
  turns,
  beginning,
  states,
  overlay,
  prefilled,
  isBeyondText: ({ include, top_logprobs: top }) =>
    (typeof top === "number" && top > 0) || arrayOf(include).includes("message.output_text.logprobs")
}
