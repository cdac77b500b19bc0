/**
 * What routing reads of a payload of Anthropic's.
 */
import type { Beginning, Operation, ProviderState, RequestWords, Turn, TurnPart } from "@switchyard/core/Dialect"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import * as PromptSize from "@switchyard/core/PromptSize"
import { glimpse, listIn } from "@switchyard/core/UnreadText"
import { splitSignature } from "../parts/toolIds.js"
import { asText } from "../parts/values.js"
import { defaults } from "./edit.js"

/** How many wrong messages a refusal names: a body may hold millions. */
const mostNamed = 8

const problems = (_: Operation, { messages, stream }: JsonObject): ReadonlyArray<string> => {
  const found: Array<string> = []
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") {
    found.push("stream: expected true or false")
  }
  if (!Array.isArray(messages) || messages.length === 0) {
    found.push("messages: expected a list of at least one message")
    return found
  }
  for (let at = 0; at < messages.length && found.length < mostNamed; at++) {
    const message: unknown = messages[at]
    if (!isJsonObject(message)) found.push(`messages.${at}: expected an object`)
    else if (typeof message.role !== "string") found.push(`messages.${at}.role: expected a string`)
  }
  return found
}

const bound = ({ max_tokens: most }: JsonObject): number | undefined =>
  typeof most === "number" && most >= 0 ? most : undefined

const isImage = (block: unknown): boolean =>
  isJsonObject(block) &&
  (block.type === "image" || (block.type === "tool_result" && listIn(block, "content").some(isImage)))

const hasImages = ({ messages }: JsonObject): boolean =>
  arrayOf(messages).some((message) => isJsonObject(message) && listIn(message, "content").some(isImage))

const asksForReasoning = ({ thinking }: JsonObject): boolean | undefined => {
  if (!isJsonObject(thinking) || typeof thinking.type !== "string") return undefined
  return thinking.type !== "disabled"
}

const responseFormat = ({ output_config: output, output_format: old }: JsonObject): string | undefined => {
  const format = isJsonObject(output) && isJsonObject(output.format) ? output.format : old
  return isJsonObject(format) ? asText(format.type) : undefined
}

const partOf = (block: unknown): TurnPart => {
  if (typeof block === "string") return { type: "text", text: block }
  if (!isJsonObject(block)) return { type: "other", name: "unknown" }
  if (block.type === "text" && typeof block.text === "string") return { type: "text", text: block.text }
  if (block.type === "tool_use") {
    return { type: "tool_call", name: asText(block.name) ?? "", arguments: JSON.stringify(block.input ?? {}) }
  }
  return { type: "other", name: asText(block.type) ?? "unknown" }
}

function* partsOf(content: unknown): Generator<TurnPart> {
  for (const block of typeof content === "string" ? [content] : arrayOf(content)) yield partOf(block)
}

function* turns(_: Operation, { messages, system }: JsonObject): Generator<Turn> {
  if (system !== undefined && system !== null) yield { role: "system", parts: partsOf(system) }
  for (const message of arrayOf(messages)) {
    const given: JsonObject = isJsonObject(message) ? message : {}
    yield { role: asText(given.role) ?? "unknown", parts: partsOf(given.content) }
  }
}

const beginning = (_: Operation, { messages, system }: JsonObject): Beginning => {
  for (const message of arrayOf(messages)) {
    if (isJsonObject(message) && message.role === "user") return { system, user: glimpse(message, "content") }
  }
  return { system, user: undefined }
}

const fileIn = ({ file_id: id, source }: JsonObject): string | undefined =>
  asText(id) ?? (isJsonObject(source) && source.type === "file" ? asText(source.file_id) : undefined)

const blockStates = (block: JsonObject, found: Array<ProviderState>): void => {
  switch (block.type) {
    case "thinking": {
      const value = asText(block.signature)
      if (value === undefined) return
      found.push({ kind: "thinking signature", value: splitSignature(value).signature?.value ?? value, hard: false })
      return
    }
    case "redacted_thinking": {
      const value = asText(block.data)
      if (value !== undefined) found.push({ kind: "redacted thinking", value, hard: false })
      return
    }
    case "tool_use": {
      const signature = splitSignature(asText(block.id) ?? "").signature
      if (signature !== undefined) found.push({ kind: "thought signature", value: signature.value, hard: false })
      return
    }
    case "tool_result":
      for (const inner of listIn(block, "content")) if (isJsonObject(inner)) blockStates(inner, found)
      return
    case "image":
    case "document":
    case "container_upload": {
      const value = fileIn(block)
      if (value !== undefined) found.push({ kind: "file id", value, hard: true })
    }
  }
}

const containerId = (container: unknown): string | undefined =>
  isJsonObject(container) ? asText(container.id) : asText(container)

const states = ({ container, messages }: JsonObject): ReadonlyArray<ProviderState> => {
  const found: Array<ProviderState> = []
  for (const message of arrayOf(messages)) {
    if (!isJsonObject(message)) continue
    for (const block of listIn(message, "content")) if (isJsonObject(block)) blockStates(block, found)
  }
  const value = containerId(container)
  if (value !== undefined) found.push({ kind: "container id", value, hard: true })
  return found
}

/** What is laid over or under a payload may be in chat's words. */
const inOwnWords = (body: JsonObject): JsonObject => (body.messages === undefined ? defaults(body) : body)

const overlay = (below: JsonObject, above: JsonObject): Record<string, unknown> => {
  const low = inOwnWords(below)
  const high = inOwnWords(above)
  const merged: Record<string, unknown> = { ...low, ...high }
  if (isJsonObject(low.output_config) && isJsonObject(high.output_config)) {
    merged.output_config = { ...low.output_config, ...high.output_config }
  }
  return merged
}

const thinks = ({ thinking }: JsonObject): boolean => isJsonObject(thinking) && thinking.type !== "disabled"

/** Anthropic goes on where the assistant's last turn ends; not while it thinks, and not after white space. */
const prefilled = (operation: Operation, body: JsonObject, text: string): JsonObject | undefined => {
  const { messages } = body
  if (operation !== "chat" || !Array.isArray(messages) || thinks(body) || text.trimEnd() !== text) return undefined
  return { ...body, messages: [...messages, { role: "assistant", content: text }] }
}

/** The words of payloads. */
export const request: RequestWords = {
  promptFields: ["messages", "system"],
  textFields: ["messages", "system", "tools", "metadata"],
  problems,
  model: (body) => body.model,
  streams: (body) => body.stream === true,
  size: (_, body) => PromptSize.ofConversation([body.system, body.messages], body.tools),
  maxOutputTokens: bound,
  largestOutputBound: bound,
  choices: () => 1,
  tools: (body) => arrayOf(body.tools),
  responseFormat,
  hasImages,
  asksForReasoning,
  serviceTier: ({ service_tier: tier }) => (tier === "standard_only" ? "default" : tier),
  settings: ({ max_tokens, temperature, top_p }) => ({ temperature, topP: top_p, maxTokens: max_tokens }),
  turns,
  beginning,
  states,
  overlay,
  prefilled,
  isBeyondText: () => false
}
