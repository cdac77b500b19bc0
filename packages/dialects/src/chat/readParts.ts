import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { CacheMark, Citation, Part, Source } from "../conversation/Conversation.js"
import { sourceOf } from "../parts/dataUrls.js"
import { asNumber, asObject, asString, asText, others } from "../parts/values.js"

const ofText: ReadonlySet<string> = new Set(["type", "text", "cache_control"])
const ofImage: ReadonlySet<string> = new Set(["type", "image_url", "cache_control"])
const ofUrl: ReadonlySet<string> = new Set(["url", "detail"])

/** A mark of the cache as Anthropic spells it, which others took over. */
export const readCache = (value: unknown): CacheMark | undefined => {
  if (!isJsonObject(value)) return undefined
  const ttl = asText(value.ttl)
  return ttl === undefined ? {} : { ttl }
}

/** Written back it is the same. */
const isPlainCache = (value: unknown): boolean => {
  if (value === undefined) return true
  if (!isJsonObject(value) || value.type !== "ephemeral") return false
  for (const name in value) if (name !== "type" && name !== "ttl") return false
  return value.ttl === undefined || asText(value.ttl) !== undefined
}

/** What a part bears beyond what was read; the whole part where it was spelt otherwise than it would be written. */
const extraOf = (part: JsonObject, known: ReadonlySet<string>, isPlain: boolean): JsonObject | undefined =>
  isPlain && isPlainCache(part.cache_control) ? others(part, known) : part

/** Stands for a part that was a bare string. */
export const bareText: JsonObject = {}

const audioMime = (format: string): string => (format === "mp3" ? "audio/mpeg" : `audio/${format}`)

const urlIn = (value: unknown): string | undefined =>
  asString(value) ?? (isJsonObject(value) ? asString(value.url) : undefined)

const hasScheme = (text: string): boolean => /^[a-z][a-z0-9+.-]{1,20}:/i.test(text.slice(0, 24))

const fileSource = (file: JsonObject): Source | undefined => {
  const data = asText(file.file_data)
  if (data !== undefined) {
    return hasScheme(data) ? sourceOf(data, asText(file.format)) : { kind: "bytes", mime: "application/pdf", data }
  }
  const id = asText(file.file_id)
  return id === undefined ? undefined : { kind: "id", id }
}

const isPlainFile = (file: JsonObject, source: Source): boolean => {
  for (const name in file) if (name !== "file_data" && name !== "file_id" && name !== "filename") return false
  return source.kind === "id" || hasScheme(asString(file.file_data) ?? "")
}

const thinkingText = (value: unknown): string => {
  if (typeof value === "string") return value
  let text = ""
  for (const part of arrayOf(value)) if (isJsonObject(part)) text += asString(part.text) ?? ""
  return text
}

const opaque = (part: JsonObject): Part => ({ type: "opaque", dialect: "chat", value: part })

const readers: Readonly<Record<string, (part: JsonObject) => Part | undefined>> = {
  text: (part) => {
    const text = asString(part.text)
    return text === undefined
      ? undefined
      : { type: "text", text, cache: readCache(part.cache_control), extra: extraOf(part, ofText, true) }
  },
  image_url: (part) => {
    const { image_url: image } = part
    const url = urlIn(image)
    if (url === undefined) return undefined
    const isPlain = isJsonObject(image) && others(image, ofUrl) === undefined
    return {
      type: "image",
      source: sourceOf(url),
      detail: isJsonObject(image) ? asString(image.detail) : undefined,
      cache: readCache(part.cache_control),
      extra: extraOf(part, ofImage, isPlain)
    }
  },
  input_audio: (part) => {
    const audio = asObject(part.input_audio)
    const data = asString(audio?.data)
    if (audio === undefined || data === undefined) return undefined
    const mime = audioMime(asText(audio.format) ?? "wav")
    return { type: "audio", source: { kind: "bytes", mime, data }, cache: readCache(part.cache_control), extra: part }
  },
  audio_url: (part) => {
    const url = urlIn(part.audio_url)
    return url === undefined ? undefined : { type: "audio", source: sourceOf(url), extra: part }
  },
  video_url: (part) => {
    const url = urlIn(part.video_url)
    return url === undefined ? undefined : { type: "video", source: sourceOf(url), extra: part }
  },
  document_url: (part) => {
    const url = urlIn(part.document_url)
    return url === undefined
      ? undefined
      : { type: "file", source: sourceOf(url), name: asText(part.document_name), extra: part }
  },
  file: (part) => {
    const file = asObject(part.file)
    const source = file === undefined ? undefined : fileSource(file)
    if (file === undefined || source === undefined) return undefined
    const name = asText(file.filename)
    const cache = readCache(part.cache_control)
    const known: ReadonlySet<string> = new Set(["type", "file", "cache_control"])
    return { type: "file", source, name, cache, extra: extraOf(part, known, isPlainFile(file, source)) }
  },
  refusal: (part) => {
    const text = asString(part.refusal)
    return text === undefined ? undefined : { type: "refusal", text, extra: part }
  },
  // Mistral's, and Databricks'.
  thinking: (part) => ({ type: "reasoning", text: thinkingText(part.thinking), extra: part }),
  reasoning: (part) => ({
    type: "reasoning",
    text: thinkingText(part.summary) || thinkingText(part.text),
    extra: part
  })
}

const readPart = (part: unknown): Part | undefined => {
  if (typeof part === "string") return { type: "text", text: part, extra: bareText }
  if (!isJsonObject(part)) return undefined
  const { type } = part
  if (typeof type === "string")
    return (Object.hasOwn(readers, type) ? readers[type]?.(part) : undefined) ?? opaque(part)
  return typeof part.text === "string" ? { type: "text", text: part.text, extra: part } : opaque(part)
}

/** The parts of content that is a string or a list; undefined when it is neither, nor absent. */
export const readContent = (content: unknown): ReadonlyArray<Part> | undefined => {
  if (content === undefined || content === null) return []
  if (typeof content === "string") return [{ type: "text", text: content }]
  if (!Array.isArray(content)) return undefined
  return content.flatMap((part) => readPart(part) ?? [])
}

/** Annotations as citations. */
export const readCitations = (annotations: unknown): ReadonlyArray<Citation> | undefined => {
  const list = arrayOf(annotations)
  if (list.length === 0) return undefined
  return list.flatMap((value): ReadonlyArray<Citation> => {
    if (!isJsonObject(value)) return []
    const said = asObject(value.url_citation) ?? value
    return [
      {
        dialect: "chat",
        url: asText(said.url),
        title: asText(said.title),
        cited: asText(said.content),
        start: asNumber(said.start_index),
        end: asNumber(said.end_index),
        value
      }
    ]
  })
}
