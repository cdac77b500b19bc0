/**
 * Parts of a conversation as Anthropic's blocks of content.
 */

import type { JsonObject } from "@switchyard/core/Json"
import type {
  CacheMark,
  Citation,
  FilePart,
  ImagePart,
  Part,
  ReasoningPart,
  Source,
  TextPart,
  ToolCallPart,
  ToolResultPart
} from "../conversation/Conversation.js"
import type { Account } from "../conversation/Problem.js"
import { fromBase64 } from "../parts/base64.js"
import { toolId, withSignature, wordIds } from "../parts/toolIds.js"
import { parsedObject } from "../parts/values.js"
import { wholeBlocks } from "./readParts.js"

/** How parts are written. */
export interface Writing {
  readonly account: Account
  /** The conversation is Anthropic's own: it goes out as it came, extra fields included. */
  readonly isOwn: boolean
  readonly knowsSignatures: boolean
}

type Block = Record<string, unknown>

/** A mark of the cache. */
export const writeMark = ({ ttl }: CacheMark): JsonObject =>
  ttl === undefined ? { type: "ephemeral" } : { type: "ephemeral", ttl }

const based = (block: Block, { cache, extra }: Part, isOwn: boolean): JsonObject => {
  if (cache !== undefined) block.cache_control = writeMark(cache)
  if (isOwn && extra !== undefined) for (const name in extra) block[name] = extra[name]
  return block
}

const writeSource = (source: Source): JsonObject => {
  switch (source.kind) {
    case "bytes":
      return { type: "base64", media_type: source.mime, data: source.data }
    case "url":
      return { type: "url", url: source.url }
    case "id":
      return { type: "file", file_id: source.id }
    case "text":
      return { type: "text", media_type: "text/plain", data: source.text }
  }
}

/** The input of a call; Anthropic's own advice for text that is no JSON object is to wrap it so. */
export const inputOf = ({ arguments: text, kind }: Pick<ToolCallPart, "arguments" | "kind">): JsonObject => {
  if (kind === "custom") return { input: text }
  if (text === "" || text === "{}") return {}
  return parsedObject(text) ?? { INVALID_JSON: text }
}

/** Whether a citation can go out again: of Anthropic's own, only those of the web that nobody made up. */
const isWhole = ({ dialect, value }: Citation): boolean => dialect === "messages" && value.encrypted_index !== ""

const writeText = (part: TextPart, path: string, { account, isOwn }: Writing): JsonObject => {
  const block: Block = { type: "text", text: part.text }
  if (part.citations !== undefined) {
    const kept = part.citations.filter(isWhole)
    if (kept.length < part.citations.length) account.drop(path, "advisory")
    if (kept.length > 0 || isOwn) block.citations = kept.map(({ value }) => value)
  }
  return based(block, part, isOwn)
}

const imageTypes: ReadonlySet<string> = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"])

const writeImage = (part: ImagePart, path: string, { account, isOwn }: Writing): JsonObject | undefined => {
  const { source } = part
  if (!isOwn && source.kind === "bytes" && !imageTypes.has(source.mime === "image/jpg" ? "image/jpeg" : source.mime)) {
    account.lacks("meaning", path, "the provider takes JPEG, PNG, GIF and WebP images only")
    return undefined
  }
  const given = source.kind === "bytes" && source.mime === "image/jpg" ? { ...source, mime: "image/jpeg" } : source
  return based({ type: "image", source: writeSource(given) }, part, isOwn)
}

const isTextual = (mime: string): boolean =>
  mime.startsWith("text/") || mime === "application/json" || mime === "application/xml" || mime.endsWith("+json")

const fileSource = (part: FilePart, path: string, { account, isOwn }: Writing): Source | undefined => {
  const { source } = part
  if (isOwn || source.kind !== "bytes" || source.mime === "application/pdf") return source
  if (isTextual(source.mime)) {
    return { kind: "text", mime: "text/plain", text: fromBase64(source.data) }
  }
  account.lacks("meaning", path, "the provider takes documents in PDF and text only")
  return undefined
}

const writeFile = (part: FilePart, path: string, writing: Writing): JsonObject | undefined => {
  const { source } = part
  if (source.kind === "bytes" && imageTypes.has(source.mime)) {
    return based({ type: "image", source: writeSource(source) }, part, writing.isOwn)
  }
  const given = fileSource(part, path, writing)
  if (given === undefined) return undefined
  const block: Block = { type: "document", source: writeSource(given) }
  if (part.name !== undefined) block.title = part.name
  return based(block, part, writing.isOwn)
}

/** The id of a call as Anthropic takes it. */
const callId = (id: string | undefined): string => toolId(id ?? "", wordIds)

const writeResult = (part: ToolResultPart, path: string, writing: Writing): JsonObject => {
  const { content, isBare, isError } = part
  const block: Block = { type: "tool_result", tool_use_id: callId(part.id) }
  const first = content[0]
  if (isBare === true && content.length === 1 && first?.type === "text") block.content = first.text
  else {
    const blocks = writeParts(content, () => path, writing)
    if (blocks.length > 0) block.content = blocks
  }
  if (isError !== undefined) block.is_error = isError
  return based(block, part, writing.isOwn)
}

const writeReasoning = (part: ReasoningPart, path: string, writing: Writing): JsonObject | undefined => {
  const { isRedacted, signature, text } = part
  if (signature === undefined || signature.dialect !== "messages" || !writing.knowsSignatures) {
    writing.account.drop(path, "state")
    return undefined
  }
  return isRedacted === true
    ? based({ type: "redacted_thinking", data: signature.value }, part, writing.isOwn)
    : based({ type: "thinking", thinking: text, signature: signature.value }, part, writing.isOwn)
}

/** A block that was kept whole beside its part. */
const wholeOf = (extra: JsonObject): JsonObject | undefined => {
  for (const name of wholeBlocks) if (extra[name] !== undefined) return extra[name] as JsonObject
  return undefined
}

/** Anthropic refuses empty texts, which others send beside their calls. */
const isEmpty = ({ text }: TextPart): boolean => text === "" || text.trim() === ""

/** One part; undefined where it is left out. */
const writePart = (part: Part, path: string, writing: Writing): JsonObject | undefined => {
  if (writing.isOwn && part.extra !== undefined) {
    const whole = wholeOf(part.extra)
    if (whole !== undefined) return whole
  }
  switch (part.type) {
    case "text":
      return !writing.isOwn && isEmpty(part) ? undefined : writeText(part, path, writing)
    case "refusal":
      return part.text === "" ? undefined : { type: "text", text: part.text }
    case "image":
      return writeImage(part, path, writing)
    case "file":
      return writeFile(part, path, writing)
    case "toolCall":
      return writeCall(part, writing)
    case "toolResult":
      return writeResult(part, path, writing)
    case "reasoning":
      return writeReasoning(part, path, writing)
    case "opaque":
      if (part.dialect === "messages") return part.value
      writing.account.lacks("tool", path)
      return undefined
    case "audio":
    case "video":
      writing.account.lacks("meaning", path, `the provider takes no ${part.type}`)
      return undefined
  }
}

const writeCall = (part: ToolCallPart, { isOwn }: Writing): JsonObject => {
  const id = isOwn && part.signature !== undefined ? withSignature(callId(part.id), part.signature) : callId(part.id)
  return based({ type: "tool_use", id, name: part.name, input: inputOf(part) }, part, isOwn)
}

/** A list of parts. */
export const writeParts = (
  parts: ReadonlyArray<Part>,
  pathOf: (part: number) => string,
  writing: Writing
): ReadonlyArray<JsonObject> => {
  const blocks: Array<JsonObject> = []
  for (let at = 0; at < parts.length; at++) {
    const block = writePart(parts[at] as Part, pathOf(at), writing)
    if (block !== undefined) blocks.push(block)
  }
  return blocks
}
