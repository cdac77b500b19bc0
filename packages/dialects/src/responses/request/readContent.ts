import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Citation, Part, Source } from "../../conversation/Conversation.js"
import type { Problem } from "../../conversation/Problem.js"
import { sourceOf } from "../../parts/dataUrls.js"
import { asNumber, asObject, asString, asText } from "../../parts/values.js"
import { keep } from "../own.js"

/** An annotation of a text. */
export const citationOf = (annotation: JsonObject): Citation => {
  const url = asText(annotation.url)
  const title = asText(annotation.title) ?? asText(annotation.filename)
  const start = asNumber(annotation.start_index)
  const end = asNumber(annotation.end_index)
  return {
    dialect: "responses",
    ...(url === undefined ? {} : { url }),
    ...(title === undefined ? {} : { title }),
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    value: annotation
  }
}

const textOf = (item: JsonObject, piece: JsonObject): Part => {
  const annotations = arrayOf(piece.annotations).filter(isJsonObject)
  return {
    type: "text",
    text: asString(piece.text) ?? "",
    ...(annotations.length === 0 ? {} : { citations: annotations.map(citationOf) }),
    extra: keep(item, piece)
  }
}

const imageSource = (piece: JsonObject): Source | undefined => {
  const url = asText(piece.image_url)
  if (url !== undefined) return sourceOf(url)
  const id = asText(piece.file_id)
  return id === undefined ? undefined : { kind: "id", id }
}

const mimeOf = (name: string | undefined): string => {
  const form = name?.slice(name.lastIndexOf(".") + 1).toLowerCase()
  if (form === "txt" || form === "md" || form === "csv" || form === "html") return "text/plain"
  return form === "json" ? "application/json" : "application/pdf"
}

const fileSource = (piece: JsonObject): Source | undefined => {
  const data = asText(piece.file_data)
  if (data !== undefined) {
    const source = sourceOf(data)
    // Some clients send base64 without a head.
    return source.kind === "bytes" ? source : { kind: "bytes", mime: mimeOf(asText(piece.filename)), data }
  }
  const url = asText(piece.file_url)
  if (url !== undefined) return { kind: "url", url }
  const id = asText(piece.file_id)
  return id === undefined ? undefined : { kind: "id", id }
}

const audioSource = (piece: JsonObject): Source | undefined => {
  const audio = asObject(piece.input_audio)
  const data = asText(audio?.data)
  return data === undefined ? undefined : { kind: "bytes", mime: `audio/${asText(audio?.format) ?? "wav"}`, data }
}

/** A piece of content; undefined, and a problem, for what cannot be one. */
const pieceAsPart = (item: JsonObject, piece: unknown, path: string, problems: Array<Problem>): Part | undefined => {
  if (!isJsonObject(piece)) {
    problems.push({ path, expected: "expected an object" })
    return undefined
  }
  const missing = (field: string): undefined => {
    problems.push({ path: `${path}.${field}`, expected: "expected a string" })
    return undefined
  }
  switch (piece.type) {
    case "input_text":
    case "output_text":
    case "text":
    case "summary_text":
    case "reasoning_text":
      return typeof piece.text === "string" ? textOf(item, piece) : missing("text")
    case "refusal":
      return typeof piece.refusal === "string"
        ? { type: "refusal", text: piece.refusal, extra: keep(item, piece) }
        : missing("refusal")
    case "input_image": {
      const source = imageSource(piece)
      if (source === undefined) return missing("image_url")
      const detail = asText(piece.detail)
      return {
        type: "image",
        source,
        ...(detail === undefined ? {} : { detail }),
        extra: keep(item, piece, source)
      }
    }
    case "input_file": {
      const source = fileSource(piece)
      if (source === undefined) return missing("file_data")
      const name = asText(piece.filename)
      return { type: "file", source, ...(name === undefined ? {} : { name }), extra: keep(item, piece, source) }
    }
    case "input_audio": {
      const source = audioSource(piece)
      return source === undefined
        ? missing("input_audio.data")
        : { type: "audio", source, extra: keep(item, piece, source) }
    }
    default:
      return { type: "opaque", dialect: "responses", value: piece, extra: keep(item, piece) }
  }
}

/** Content: a text, or a list of pieces. */
export const contentAsParts = (
  item: JsonObject,
  content: unknown,
  path: string,
  problems: Array<Problem>
): ReadonlyArray<Part> => {
  if (typeof content === "string") return [{ type: "text", text: content, extra: keep(item) }]
  if (!Array.isArray(content)) {
    if (content !== undefined && content !== null) {
      problems.push({ path, expected: "expected a string or a list of parts" })
    }
    return []
  }
  const parts: Array<Part> = []
  content.forEach((piece: unknown, at) => {
    const part = pieceAsPart(item, piece, `${path}[${at}]`, problems)
    if (part !== undefined) parts.push(part)
  })
  return parts
}
