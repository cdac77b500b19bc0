/**
 * Images, sounds, films and documents: bytes in `inlineData`, and what stands somewhere else in `fileData`.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { AudioPart, FilePart, ImagePart, Source, VideoPart } from "../../conversation/Conversation.js"
import { asString } from "../../parts/values.js"
import { field, given } from "./spelling.js"

/** A part with a source. */
export type MediaPart = ImagePart | AudioPart | VideoPart | FilePart

const mimes: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  webp: "image/webp",
  gif: "image/gif",
  heic: "image/heic",
  heif: "image/heif",
  pdf: "application/pdf",
  txt: "text/plain",
  csv: "text/csv",
  html: "text/html",
  md: "text/markdown",
  json: "application/json",
  mp3: "audio/mpeg",
  wav: "audio/wav",
  ogg: "audio/ogg",
  flac: "audio/flac",
  aac: "audio/aac",
  m4a: "audio/mp4",
  mp4: "video/mp4",
  mov: "video/quicktime",
  webm: "video/webm",
  mpeg: "video/mpeg",
  avi: "video/x-msvideo"
}

/** What a URL's bytes are taken for where nothing tells. */
const defaults: Readonly<Record<MediaPart["type"], string>> = {
  image: "image/jpeg",
  audio: "audio/mpeg",
  video: "video/mp4",
  file: "application/pdf"
}

const endingOf = (url: string): string => {
  const query = url.search(/[?#]/)
  const path = query === -1 ? url : url.slice(0, query)
  const dot = path.lastIndexOf(".")
  return dot === -1 || path.length - dot > 5 ? "" : path.slice(dot + 1).toLowerCase()
}

const mimeOf = (url: string): string | undefined => {
  const ending = endingOf(url)
  return Object.hasOwn(mimes, ending) ? mimes[ending] : undefined
}

const isFilm = (url: string): boolean => /^https:\/\/(?:www\.|m\.)?(?:youtube\.com|youtu\.be)\//.test(url)

const typeOf = (mime: string | undefined, url: string | undefined): MediaPart["type"] => {
  const said = mime ?? (url === undefined ? undefined : mimeOf(url)) ?? ""
  if (said.startsWith("image/")) return "image"
  if (said.startsWith("audio/")) return "audio"
  if (said.startsWith("video/") || (url !== undefined && isFilm(url))) return "video"
  return "file"
}

/** Google's own stores: what lies there no other provider can fetch. */
const isKept = (uri: string): boolean =>
  uri.startsWith("gs://") || /^(?:https:\/\/generativelanguage\.googleapis\.com\/.*)?\/?(?:v1\w*\/)?files\//.test(uri)

/** Bytes in the request itself; undefined where they are no text. */
export const readInline = (blob: JsonObject): MediaPart | undefined => {
  const data = field(blob, "data")
  const mime = asString(field(blob, "mimeType")) ?? "application/octet-stream"
  if (typeof data !== "string") return undefined
  const type = typeOf(mime, undefined)
  const name = asString(field(blob, "displayName"))
  const source: Source = { kind: "bytes", mime, data }
  return type === "file" ? { type, source, ...given("name", name) } : { type, source }
}

/** What stands somewhere else; undefined where nothing says where. */
export const readFile = (file: JsonObject): MediaPart | undefined => {
  const uri = field(file, "fileUri")
  if (typeof uri !== "string") return undefined
  const mime = asString(field(file, "mimeType"))
  const type = typeOf(mime, uri)
  const name = asString(field(file, "displayName"))
  const source: Source = isKept(uri)
    ? { kind: "id", id: uri, ...given("mime", mime) }
    : { kind: "url", url: uri, ...given("mime", mime) }
  return type === "file" ? { type, source, ...given("name", name) } : { type, source }
}

/** `displayName` is Vertex's alone, and so goes out only where it came in. */
const named = (part: MediaPart, isOwn: boolean): JsonObject =>
  isOwn && part.type === "file" && part.name !== undefined ? { displayName: part.name } : {}

/** A name that many give to JPEG, and Google does not know. */
const typeFor = (mime: string, isOwn: boolean): string => (mime === "image/jpg" && !isOwn ? "image/jpeg" : mime)

/** A part as Gemini has it. `isOwn`: it was read from Gemini's dialect, and nothing is added to what it said. */
export const writeMedia = (part: MediaPart, isOwn: boolean): JsonObject => {
  const { source } = part
  switch (source.kind) {
    case "bytes":
      return { inlineData: { mimeType: typeFor(source.mime, isOwn), data: source.data, ...named(part, isOwn) } }
    case "text":
      return { text: source.text }
    case "id":
      return { fileData: { ...given("mimeType", source.mime), fileUri: source.id, ...named(part, isOwn) } }
    case "url": {
      const guessed = isFilm(source.url) ? undefined : (mimeOf(source.url) ?? defaults[part.type])
      const mimeType = source.mime ?? (isOwn ? undefined : guessed)
      return { fileData: { ...given("mimeType", mimeType), fileUri: source.url, ...named(part, isOwn) } }
    }
  }
}
