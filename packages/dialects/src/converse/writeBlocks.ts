import type { JsonObject } from "@switchyard/core/Json"
import type { FilePart, Part, Signature, Source, ToolResultPart } from "../conversation/Conversation.js"
import type { Account } from "../conversation/Problem.js"
import { formOf } from "../parts/dataUrls.js"
import { argumentsObject } from "../parts/instructions.js"
import { toolId, wordIds } from "../parts/toolIds.js"

/** What the writers of blocks know. */
export interface Desk {
  readonly account: Account
  readonly pathOf: (turn: number, part?: number) => string
  readonly knowsSignatures: boolean
  /** The model has a cache that marks are for. */
  readonly caches: boolean
  /** Names of documents that are taken: no two may be the same. */
  readonly documents: Set<string>
}

const sourceOf = (source: Source, path: string, { account }: Desk): JsonObject | undefined => {
  if (source.kind === "bytes") return { bytes: source.data }
  if (source.kind === "url" && source.url.startsWith("s3://")) return { s3Location: { uri: source.url } }
  account.lacks("meaning", path, "Bedrock takes bytes, and no URLs but of S3: send the bytes")
  return undefined
}

const mimeOf = (source: Source): string =>
  source.kind === "url" ? (source.mime ?? source.url.slice(source.url.lastIndexOf(".") + 1)) : (source.mime ?? "")

const forms: Readonly<Record<string, string>> = {
  jpg: "jpeg",
  plain: "txt",
  markdown: "md",
  msword: "doc",
  "vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
  "vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
  "vnd.ms-excel": "xls",
  quicktime: "mov",
  matroska: "mkv",
  "3gpp": "three_gp"
}
const formatOf = (source: Source): string => {
  const form = formOf(mimeOf(source))
  return Object.hasOwn(forms, form) ? (forms[form] ?? form) : form
}

/** A name of letters, digits, single spaces, hyphens, parentheses and brackets, which no other document has. */
const documentName = (name: string | undefined, { documents }: Desk): string => {
  const clean = (name ?? "Document")
    .slice(0, 180)
    .replace(/[^A-Za-z0-9\-()[\]]+/g, " ")
    .trim()
  let unique = clean === "" ? "Document" : clean
  for (let number = 2; documents.has(unique); number++) unique = `${clean || "Document"} ${number}`
  documents.add(unique)
  return unique
}

const document = ({ name, source }: FilePart, path: string, desk: Desk): JsonObject | undefined => {
  if (source.kind === "text") {
    return { document: { format: "txt", name: documentName(name, desk), source: { text: source.text } } }
  }
  const said = sourceOf(source, path, desk)
  return said && { document: { format: formatOf(source), name: documentName(name, desk), source: said } }
}

const isKnown = (signature: Signature | undefined, desk: Desk): signature is Signature =>
  signature?.dialect === "converse" && desk.knowsSignatures

const resultOf = (part: ToolResultPart, path: string, desk: Desk): JsonObject => {
  const content = part.content.flatMap((inner) => blocksOf(inner, path, desk))
  return {
    toolResult: {
      toolUseId: toolId(part.id ?? "call", wordIds),
      content: content.length === 0 ? [{ text: "(nothing)" }] : content,
      ...(part.isError === true ? { status: "error" } : {})
    }
  }
}

const blockOf = (part: Part, path: string, desk: Desk): JsonObject | undefined => {
  switch (part.type) {
    case "text":
    case "refusal":
      // A blank text is refused.
      return part.text.trim() === "" ? undefined : { text: part.text }
    case "image": {
      const source = sourceOf(part.source, path, desk)
      return source && { image: { format: formatOf(part.source), source } }
    }
    case "video": {
      const source = sourceOf(part.source, path, desk)
      return source && { video: { format: formatOf(part.source), source } }
    }
    case "audio": {
      const source = sourceOf(part.source, path, desk)
      const format = formatOf(part.source)
      return source && { audio: { format: format === "mpeg" ? "mp3" : format, source } }
    }
    case "file":
      return document(part, path, desk)
    case "toolCall":
      return {
        toolUse: {
          toolUseId: toolId(part.id ?? "call", wordIds),
          name: part.name,
          input: part.kind === "custom" ? { input: part.arguments } : argumentsObject(part.arguments)
        }
      }
    case "toolResult":
      return resultOf(part, path, desk)
    case "reasoning":
      if (!isKnown(part.signature, desk)) {
        desk.account.drop(path, "state")
        return undefined
      }
      return part.isRedacted === true
        ? { reasoningContent: { redactedContent: part.signature.value } }
        : { reasoningContent: { reasoningText: { text: part.text, signature: part.signature.value } } }
    case "opaque":
      return part.dialect === "converse" ? part.value : undefined
  }
}

/** A part as Converse's blocks: itself, and the mark of the cache behind it. */
const blocksOf = (part: Part, path: string, desk: Desk): ReadonlyArray<JsonObject> => {
  const block = blockOf(part, path, desk)
  if (block === undefined) return []
  if (part.cache === undefined) return [block]
  if (!desk.caches) {
    desk.account.drop(`${path}.cache_control`, "advisory")
    return [block]
  }
  const { ttl } = part.cache
  return [block, { cachePoint: { type: "default", ...(ttl === undefined ? {} : { ttl }) } }]
}

/** The same for a part of a turn, behind the blocks before it. Most are plain words, and need no path. */
export const writeBlocks = (part: Part, turn: number, at: number, desk: Desk, blocks: Array<JsonObject>): void => {
  if (part.type === "text" && part.cache === undefined) {
    if (part.text.trim() !== "") blocks.push({ text: part.text })
    return
  }
  for (const block of blocksOf(part, desk.pathOf(turn, at), desk)) blocks.push(block)
}
