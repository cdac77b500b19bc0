/**
 * What a model thought, in the spellings of all who speak chat: `reasoning_content` (DeepSeek, Qwen, xAI, vLLM), `reasoning` (Groq,
 * OpenRouter, Ollama), `reasoning_details` (OpenRouter), `thinking_blocks` (LiteLLM).
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { DialectName, ReasoningPart, Signature } from "../conversation/Conversation.js"
import { asString, asText } from "../parts/values.js"

/** The fields, by whose text is taken first. */
export const reasoningFields: ReadonlySet<string> = new Set([
  "thinking_blocks",
  "reasoning_details",
  "reasoning_content",
  "reasoning"
])

/** The dialect in which OpenRouter says that a signature was issued. */
const formats: Readonly<Record<string, DialectName>> = {
  "anthropic-claude-v1": "messages",
  "google-gemini-v1": "gemini",
  "openai-responses-v1": "responses",
  "azure-openai-responses-v1": "responses",
  "xai-responses-v1": "responses"
}
const formatOf: { readonly [name in DialectName]?: string } = {
  messages: "anthropic-claude-v1",
  gemini: "google-gemini-v1",
  responses: "openai-responses-v1"
}

const signed = (value: unknown, dialect: DialectName): Signature | undefined => {
  const text = asText(value)
  return text === undefined ? undefined : { dialect, value: text }
}

/** One of LiteLLM's blocks, which are Anthropic's. */
export const ofBlock = (block: unknown): ReasoningPart | undefined => {
  if (!isJsonObject(block)) return undefined
  if (block.type === "redacted_thinking") {
    return { type: "reasoning", text: "", isRedacted: true, signature: signed(block.data, "messages") }
  }
  return { type: "reasoning", text: asString(block.thinking) ?? "", signature: signed(block.signature, "messages") }
}

/** One of OpenRouter's details. */
export const ofDetail = (detail: unknown): ReasoningPart | undefined => {
  if (!isJsonObject(detail)) return undefined
  const dialect = formats[asString(detail.format) ?? ""] ?? "chat"
  const id = asText(detail.id)
  switch (detail.type) {
    case "reasoning.summary":
      return { type: "reasoning", text: asString(detail.summary) ?? "", isSummary: true, id }
    case "reasoning.encrypted":
      return { type: "reasoning", text: "", isRedacted: true, id, signature: signed(detail.data, dialect) }
    case "reasoning.text":
      return { type: "reasoning", text: asString(detail.text) ?? "", id, signature: signed(detail.signature, dialect) }
    default:
      return undefined
  }
}

/** A summary, and the encrypted thoughts behind it, are one part. */
const join = (details: ReadonlyArray<unknown>): ReadonlyArray<ReasoningPart> => {
  const parts: Array<ReasoningPart> = []
  for (const detail of details) {
    const part = ofDetail(detail)
    if (part === undefined) continue
    const last = parts[parts.length - 1]
    if (part.isRedacted === true && last?.isSummary === true && last.signature === undefined) {
      parts[parts.length - 1] = { ...last, id: part.id ?? last.id, signature: part.signature }
    } else parts.push(part)
  }
  return parts
}

const textOf = (message: JsonObject): string => asText(message.reasoning_content) ?? asText(message.reasoning) ?? ""

const found = (message: JsonObject): ReadonlyArray<ReasoningPart> => {
  const blocks = arrayOf(message.thinking_blocks).flatMap((block) => ofBlock(block) ?? [])
  if (blocks.length > 0) return blocks
  const details = join(arrayOf(message.reasoning_details))
  const text = textOf(message)
  if (details.length === 0) return text === "" ? [] : [{ type: "reasoning", text }]
  // Details may hold nothing but what is encrypted, beside a text in the clear.
  const isSilent = details.every((part) => part.text === "")
  return isSilent && text !== "" ? [{ type: "reasoning", text }, ...details] : details
}

const told: JsonObject = {}

/** What a message's fields say of its reasoning; the first part keeps them as they were spelt. */
export const readReasoning = (message: JsonObject): ReadonlyArray<ReasoningPart> => {
  const parts = found(message)
  if (parts.length === 0) return parts
  const spelt: Record<string, unknown> = {}
  for (const name of reasoningFields) if (name in message) spelt[name] = message[name]
  return parts.map((part, at) => ({ ...part, extra: at === 0 ? spelt : told }))
}

/** Between thoughts that came apart. */
export const between = "\n\n"

/** A thought's block as LiteLLM has it; for Anthropic's signatures only. */
export const blockOf = (text: string, signature: Signature, isRedacted: boolean): JsonObject =>
  isRedacted
    ? { type: "redacted_thinking", data: signature.value }
    : { type: "thinking", thinking: text, signature: signature.value }

/** A signature as OpenRouter has it, for those of all other dialects. */
export const detailOf = (signature: Signature, id: string | undefined): JsonObject => ({
  type: "reasoning.encrypted",
  data: signature.value,
  format: formatOf[signature.dialect] ?? "unknown",
  ...(id === undefined ? {} : { id })
})

/** The fields of a message that say what was thought. */
export const writeReasoning = (parts: ReadonlyArray<ReasoningPart>): JsonObject => {
  let text = ""
  const blocks: Array<JsonObject> = []
  const details: Array<JsonObject> = []
  for (const { id, isRedacted, signature, text: thought } of parts) {
    if (thought !== "") text += text === "" ? thought : between + thought
    if (signature === undefined) continue
    if (signature.dialect === "messages") blocks.push(blockOf(thought, signature, isRedacted === true))
    else details.push(detailOf(signature, id))
  }
  return {
    ...(text === "" ? {} : { reasoning_content: text }),
    ...(blocks.length === 0 ? {} : { thinking_blocks: blocks }),
    ...(details.length === 0 ? {} : { reasoning_details: details })
  }
}
