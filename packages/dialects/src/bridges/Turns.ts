/**
 * Turns of a conversation, for libraries that have a word of their own for each part: what becomes of their parts in a chat
 * request.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { CacheMark, Part, Source, ToolCallPart, Turn } from "../conversation/Conversation.js"
import { bytesFromBase64, bytesToBase64, fromBase64 } from "../parts/base64.js"
import { sourceOf } from "../parts/dataUrls.js"
import { asObject } from "../parts/values.js"
import { spelt, type Thought } from "./states.js"

export type { Thought }

/** A picture, a sound, a film or a document. */
export interface Media {
  /** `image/png`, `image/*`, `application/pdf`, … */
  readonly mime: string
  /** Bytes, their base64, or where they are; a `data:` URL is its bytes. */
  readonly data: Uint8Array | string | URL
  readonly name?: string | undefined
  readonly cache?: CacheMark | undefined
  /** `low`, `high` or `auto`, as OpenAI has it for images. */
  readonly detail?: string | undefined
}

const urlText = /^(?:https?|data|gs|s3|file):/i

const sourceFor = ({ data, mime }: Media): Source => {
  if (data instanceof URL) return sourceOf(data.href, mime)
  if (typeof data !== "string") return { kind: "bytes", mime, data: bytesToBase64(data) }
  return urlText.test(data.slice(0, 8)) ? sourceOf(data, mime) : { kind: "bytes", mime, data }
}

/** A mime with its second half: nobody takes `image/*`. */
const exact = (mime: string): string =>
  mime === "image/*" ? "image/jpeg" : mime === "audio/*" ? "audio/mpeg" : mime === "video/*" ? "video/mp4" : mime

/** What only some who speak chat read, and translations do: media by their address. */
const byUrl = (kind: "audio" | "video" | "document", url: string, name: string | undefined): JsonObject => ({
  type: `${kind}_url`,
  [`${kind}_url`]: { url },
  ...(name === undefined || kind !== "document" ? {} : { document_name: name })
})

/** Words, with the mark where a prompt's cache may end. */
export const text = (said: string, cache?: CacheMark): Part =>
  cache === undefined ? { type: "text", text: said } : { type: "text", text: said, cache }

/** A part of a turn that is no words. Text files go as their text. */
export const media = (given: Media): Part => {
  const { cache, detail, name } = given
  const mime = exact(given.mime)
  const source = sourceFor({ ...given, mime })
  const base = cache === undefined ? {} : { cache }
  if (mime.startsWith("image/")) return { type: "image", source, ...base, ...(detail === undefined ? {} : { detail }) }
  const kind = mime.startsWith("audio/") ? "audio" : mime.startsWith("video/") ? "video" : "file"
  if (source.kind === "url") {
    return { type: kind, source, extra: byUrl(kind === "file" ? "document" : kind, source.url, name), name, ...base }
  }
  if (kind !== "file") return { type: kind, source, ...base }
  if (source.kind === "bytes" && /^text\/|^application\/(?:json|xml|yaml)\b/.test(mime)) {
    return { type: "file", source: { kind: "text", mime, text: fromBase64(source.data) }, name, ...base }
  }
  return { type: "file", source, name, ...base }
}

/** The bytes of base64. */
export const bytesOf = (base64: string): Uint8Array => bytesFromBase64(base64)

/** A turn of words, or of words and media. */
export const turn = (role: "system" | "user", parts: ReadonlyArray<Part>, at: number): Turn => ({
  role,
  parts,
  at,
  isBare: parts.length === 1 && parts[0]?.cache === undefined
})

/** A call as the model made it; `state` as it came with the call. */
export interface Call {
  readonly id: string
  readonly name: string
  /** JSON text. */
  readonly arguments: string
  readonly state?: JsonObject | undefined
}

const callPart = ({ arguments: text, id, name, state }: Call): ToolCallPart => {
  const extra = asObject(state)?.extra_content
  return {
    type: "toolCall",
    id,
    name,
    kind: "function",
    arguments: text,
    ...(extra === undefined ? {} : { extra: { extra_content: extra } })
  }
}

/** What the model said in an earlier turn. */
export const assistant = (
  said: {
    readonly thoughts: ReadonlyArray<Thought>
    readonly content: ReadonlyArray<Part>
    readonly calls: ReadonlyArray<Call>
  },
  at: number
): Turn => {
  const extra = spelt(said.thoughts)
  const thoughts: ReadonlyArray<Part> =
    Object.keys(extra).length === 0 ? [] : [{ type: "reasoning", text: said.thoughts[0]?.text ?? "", extra }]
  return {
    role: "assistant",
    parts: [...thoughts, ...said.content, ...said.calls.map(callPart)],
    at,
    isBare: said.content.length === 1 && said.content[0]?.cache === undefined,
    // A message without content or calls is refused.
    ...(said.content.length > 0 ? {} : { extra: { content: said.calls.length > 0 ? null : "" } })
  }
}

/** What a tool answered. */
export interface Output {
  readonly id: string
  readonly text: string
  /** Pictures and files that it gave. */
  readonly media?: ReadonlyArray<Part> | undefined
}

/** What tools answered to one turn's calls: a tool's answer is text in chat; what it gave besides follows as the user's. */
export const outputs = (all: ReadonlyArray<Output>, at: number): ReadonlyArray<Turn> => {
  const results: ReadonlyArray<Turn> = all.map(({ id, text }) => ({
    role: "tool",
    parts: [{ type: "toolResult", id, kind: "function", content: [{ type: "text", text }] }],
    at,
    isBare: true
  }))
  const shown = all.flatMap(({ id, media = [] }): ReadonlyArray<Part> => {
    return media.length === 0 ? [] : [{ type: "text", text: `What the tool of call ${id} gave:` }, ...media]
  })
  return shown.length === 0 ? results : [...results, { role: "user", parts: shown, at }]
}
