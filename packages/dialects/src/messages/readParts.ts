/**
 * Anthropic's blocks of content as parts of a conversation. What only Anthropic has a word for stays whole: as an opaque part, or
 * beside the part that says the same to others, under the block's own name in `extra`.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { CacheMark, Citation, Part, PartBase, Signature, Source } from "../conversation/Conversation.js"
import { splitSignature } from "../parts/toolIds.js"
import { asString, asText, others } from "../parts/values.js"

/** Takes what is wrong with a block, by the path from the block on. */
export type Refuse = (path: string, expected: string) => void

const markFields: ReadonlySet<string> = new Set(["type", "ttl"])

/** A mark of the cache; undefined where it says more than a mark can. */
export const readMark = (value: unknown): CacheMark | undefined => {
  if (!isJsonObject(value) || value.type !== "ephemeral" || others(value, markFields) !== undefined) return undefined
  if (value.ttl === undefined) return {}
  return typeof value.ttl === "string" ? { ttl: value.ttl } : undefined
}

/** The mark and the fields that are not known; `known` holds `cache_control`. */
const baseOf = (block: JsonObject, known: ReadonlySet<string>): PartBase | undefined => {
  const given = block.cache_control
  const extra = others(block, known)
  if (given === undefined) return extra === undefined ? undefined : { extra }
  const cache = readMark(given)
  if (cache === undefined)
    return { ...(given === null ? {} : { cache: {} }), extra: { ...extra, cache_control: given } }
  return extra === undefined ? { cache } : { cache, extra }
}

const readCitation = (value: JsonObject): Citation => ({
  dialect: "messages",
  url: asText(value.url) ?? asText(value.source),
  title: asText(value.title) ?? asText(value.document_title),
  cited: asText(value.cited_text),
  value
})

/** Citations of a text. */
export const readCitations = (value: ReadonlyArray<unknown>): ReadonlyArray<Citation> => {
  const read: Array<Citation> = []
  for (const one of value) if (isJsonObject(one)) read.push(readCitation(one))
  return read
}

/** Anthropic's own signature, or the one of another dialect that was carried in its place, and the id of its reasoning. */
export const readSignature = (value: string): { readonly signature?: Signature; readonly id?: string } => {
  if (value === "") return {}
  const { id, signature } = splitSignature(value)
  if (signature === undefined) return { signature: { dialect: "messages", value } }
  return id === "" ? { signature } : { signature, id }
}

const readSource = (source: unknown): Source | undefined => {
  if (!isJsonObject(source)) return undefined
  const { data, file_id: id, media_type, type, url } = source
  const mime = asText(media_type)
  if (type === "base64" && typeof data === "string" && mime !== undefined) return { kind: "bytes", mime, data }
  if (type === "url" && typeof url === "string") return { kind: "url", url }
  if (type === "file" && typeof id === "string") return { kind: "id", id }
  if (type === "text" && typeof data === "string") return { kind: "text", mime: mime ?? "text/plain", text: data }
  return undefined
}

/** The texts of a list of blocks, or a bare text; undefined where something else is among them. */
const textIn = (content: unknown): string | undefined => {
  if (typeof content === "string") return content
  if (!Array.isArray(content)) return undefined
  const texts: Array<string> = []
  for (const block of content) {
    if (!isJsonObject(block) || block.type !== "text" || typeof block.text !== "string") return undefined
    texts.push(block.text)
  }
  return texts.join("\n")
}

const textFields: ReadonlySet<string> = new Set(["type", "text", "citations", "cache_control"])
const imageFields: ReadonlySet<string> = new Set(["type", "source", "cache_control"])
const documentFields: ReadonlySet<string> = new Set(["type", "source", "title", "cache_control"])
const callFields: ReadonlySet<string> = new Set(["type", "id", "name", "input", "cache_control"])
const resultFields: ReadonlySet<string> = new Set(["type", "tool_use_id", "content", "is_error", "cache_control"])
const thinkingFields: ReadonlySet<string> = new Set(["type", "thinking", "signature", "cache_control"])
const redactedFields: ReadonlySet<string> = new Set(["type", "data", "cache_control"])

const opaque = (value: JsonObject): Part => ({ type: "opaque", dialect: "messages", value })

const readText = (block: JsonObject, refuse: Refuse): Part | undefined => {
  if (typeof block.text !== "string") return void refuse(".text", "a string")
  const base = baseOf(block, textFields)
  const { citations } = block
  if (citations === undefined) return { type: "text", text: block.text, ...base }
  if (Array.isArray(citations)) return { type: "text", text: block.text, ...base, citations: readCitations(citations) }
  return { type: "text", text: block.text, ...base, extra: { ...base?.extra, citations } }
}

const readDocument = (block: JsonObject): Part => {
  const { source, title } = block
  const name = asText(title)
  const named = name === undefined ? (title === undefined ? undefined : { title }) : undefined
  const read = readSource(source)
  const base = baseOf(block, documentFields)
  const extra = named === undefined ? base?.extra : { ...base?.extra, ...named }
  const rest = { ...base, ...(extra === undefined ? {} : { extra }), ...(name === undefined ? {} : { name }) }
  if (read !== undefined) return { type: "file", source: read, ...rest }
  const text = isJsonObject(source) && source.type === "content" ? textIn(source.content) : undefined
  if (text === undefined) return opaque(block)
  return { type: "file", source: { kind: "text", mime: "text/plain", text }, ...rest, extra: { ...extra, source } }
}

/** The arguments of a call, as text. */
export const argumentsOf = (input: unknown): string => (input === undefined ? "{}" : JSON.stringify(input))

/** A call of a tool. */
const readCall = (block: JsonObject): Part => {
  const id = asText(block.id)
  const split = id === undefined ? undefined : splitSignature(id)
  return {
    type: "toolCall",
    id: split?.id,
    name: asString(block.name) ?? "",
    kind: "function",
    arguments: argumentsOf(block.input),
    ...(split?.signature === undefined ? {} : { signature: split.signature }),
    ...baseOf(block, callFields)
  }
}

const readResult = (block: JsonObject, refuse: Refuse): Part | undefined => {
  const { content, is_error: isError, tool_use_id } = block
  const id = asText(tool_use_id)
  if (id === undefined) return void refuse(".tool_use_id", "the id of a call")
  const base = baseOf(block, resultFields)
  const shared = {
    type: "toolResult" as const,
    id: splitSignature(id).id,
    kind: "function" as const,
    ...(typeof isError === "boolean" ? { isError } : {}),
    ...base
  }
  if (typeof content === "string") return { ...shared, isBare: true, content: [{ type: "text", text: content }] }
  if (content === undefined || content === null) return { ...shared, content: [] }
  if (!Array.isArray(content)) return void refuse(".content", "a string or a list of blocks")
  const parts = readBlocks(content, (path, expected) => refuse(`.content${path}`, expected))
  return parts.length === 0
    ? { ...shared, content: parts, extra: { ...base?.extra, content } }
    : { ...shared, content: parts }
}

const readThinking = (block: JsonObject): Part => ({
  type: "reasoning",
  text: asString(block.thinking) ?? "",
  ...readSignature(asString(block.signature) ?? ""),
  ...baseOf(block, thinkingFields)
})

const readRedacted = (block: JsonObject): Part => ({
  type: "reasoning",
  text: "",
  isRedacted: true,
  signature: { dialect: "messages", value: asString(block.data) ?? "" },
  ...baseOf(block, redactedFields)
})

/** Blocks that others can take as another part, with the block itself beside it. */
const readForeign = (block: JsonObject): Part => {
  const mark = readMark(block.cache_control)
  const cache = mark === undefined ? {} : { cache: mark }
  switch (block.type) {
    case "search_result": {
      const text = textIn(block.content)
      if (text === undefined) return opaque(block)
      const source: Source = { kind: "text", mime: "text/plain", text }
      return { type: "file", source, name: asText(block.title), ...cache, extra: { search_result: block } }
    }
    case "container_upload": {
      const id = asText(block.file_id)
      return id === undefined
        ? opaque(block)
        : { type: "file", source: { kind: "id", id }, ...cache, extra: { container_upload: block } }
    }
    case "compaction": {
      const text = asText(block.content)
      return text === undefined ? opaque(block) : { type: "text", text, ...cache, extra: { compaction: block } }
    }
    default:
      return opaque(block)
  }
}

const readImage = (block: JsonObject): Part => {
  const source = readSource(block.source)
  return source === undefined ? opaque(block) : { type: "image", source, ...baseOf(block, imageFields) }
}

/** One block; undefined where it is none, which is refused. */
export const readBlock = (block: unknown, refuse: Refuse): Part | undefined => {
  if (typeof block === "string") return { type: "text", text: block }
  if (!isJsonObject(block)) return void refuse("", "a block of content")
  switch (block.type) {
    case "text":
      return readText(block, refuse)
    case "image":
      return readImage(block)
    case "document":
      return readDocument(block)
    case "tool_use":
      return readCall(block)
    case "tool_result":
      return readResult(block, refuse)
    case "thinking":
      return readThinking(block)
    case "redacted_thinking":
      return readRedacted(block)
    default:
      if (typeof block.type !== "string") return void refuse(".type", "a string")
      return readForeign(block)
  }
}

/** Names of blocks that stand in `extra` beside the part that others take in their place. */
export const wholeBlocks: ReadonlyArray<string> = ["search_result", "container_upload", "compaction"]

/** A list of blocks. */
export const readBlocks = (blocks: ReadonlyArray<unknown>, refuse: Refuse): ReadonlyArray<Part> => {
  const parts: Array<Part> = []
  for (let at = 0; at < blocks.length; at++) {
    const part = readBlock(blocks[at], (path, expected) => refuse(`[${at}]${path}`, expected))
    if (part !== undefined) parts.push(part)
  }
  return parts
}
