import type { JsonObject } from "@switchyard/core/Json"
import type { CacheMark, FilePart, ImagePart, Part } from "../conversation/Conversation.js"
import type { Account } from "../conversation/Problem.js"
import { formOf, urlOf } from "../parts/dataUrls.js"
import { bareText } from "./readParts.js"

const cacheControl = (cache: CacheMark | undefined): JsonObject =>
  cache === undefined
    ? {}
    : { cache_control: { type: "ephemeral", ...(cache.ttl === undefined ? {} : { ttl: cache.ttl }) } }

const audioForm = (mime: string): string => {
  const form = formOf(mime)
  return form === "mpeg" || form === "mpeg3" ? "mp3" : form === "wave" || form === "vnd.wave" ? "wav" : form
}

const image = ({ detail, source }: ImagePart, path: string, account: Account): JsonObject | undefined => {
  const url = urlOf(source)
  if (url !== undefined) return { type: "image_url", image_url: { url, ...(detail === undefined ? {} : { detail }) } }
  account.lacks("meaning", path, "an image is sent as its bytes or a URL, not by the id of a file")
  return undefined
}

const extensions: Readonly<Record<string, string>> = { plain: "txt", markdown: "md" }

const file = ({ name, source }: FilePart, path: string, account: Account): JsonObject | undefined => {
  switch (source.kind) {
    case "text":
      return { type: "text", text: name === undefined ? source.text : `${name}:\n${source.text}` }
    case "bytes": {
      const form = formOf(source.mime)
      const filename = name ?? `file.${extensions[form] ?? form}`
      return { type: "file", file: { filename, file_data: urlOf(source) } }
    }
    case "id":
      return { type: "file", file: { file_id: source.id, ...(name === undefined ? {} : { filename: name }) } }
    case "url":
      account.lacks("meaning", path, "a file is sent as its bytes, not by a URL")
      return undefined
  }
}

/** What a part says in chat's words; undefined for what stands elsewhere in a message, or cannot be said. */
const written = (part: Part, path: string, account: Account): JsonObject | undefined => {
  switch (part.type) {
    case "text":
      return { type: "text", text: part.text }
    case "refusal":
      return { type: "refusal", refusal: part.text }
    case "image":
      return image(part, path, account)
    case "audio":
      if (part.source.kind === "bytes") {
        const { data, mime } = part.source
        return { type: "input_audio", input_audio: { data, format: audioForm(mime) } }
      }
      account.lacks("meaning", path, "a sound is sent as its bytes")
      return undefined
    case "video": {
      const url = urlOf(part.source)
      if (url !== undefined) return { type: "video_url", video_url: { url } }
      account.lacks("meaning", path, "a video is sent as its bytes or a URL")
      return undefined
    }
    case "file":
      return file(part, path, account)
    case "opaque":
      return part.dialect === "chat" ? part.value : undefined
    case "toolCall":
    case "toolResult":
    case "reasoning":
      return undefined
  }
}

/** A part of a message's content; `isOwn`: as chat's caller spelt it; `keepsMarks`: with the mark of the cache. */
export const writePart = (part: Part, isOwn: boolean, path: string, account: Account, keepsMarks = isOwn): unknown => {
  const own = isOwn ? part.extra : undefined
  if (own === bareText && part.type === "text") return part.text
  if (own?.type !== undefined) return own
  const said = written(part, path, account)
  if (said === undefined) return undefined
  const hasMark = part.cache !== undefined && (keepsMarks || isOwn)
  if (part.cache !== undefined && !hasMark) account.drop(`${path}.cache_control`, "advisory")
  return own !== undefined || hasMark ? { ...said, ...cacheControl(part.cache), ...own } : said
}
