import type { JsonObject } from "@switchyard/core/Json"
import type { Citation, FilePart, Part, Source } from "../../conversation/Conversation.js"
import { formOf, urlOf } from "../../parts/dataUrls.js"
import { pieceOf } from "../own.js"

/** A citation as an annotation; one of another dialect only where it says a URL. */
const annotationOf = (
  { dialect, end, start, title, url, value }: Citation,
  length: number
): ReadonlyArray<JsonObject> => {
  if (dialect === "responses") return [value]
  if (url === undefined) return []
  return [{ type: "url_citation", start_index: start ?? 0, end_index: end ?? length, url, title: title ?? "" }]
}

/** Citations as annotations. */
export const annotationsOf = (
  citations: ReadonlyArray<Citation> | undefined,
  length: number
): ReadonlyArray<JsonObject> =>
  citations === undefined ? [] : citations.flatMap((citation) => annotationOf(citation, length))

const imageFields = (source: Source): JsonObject =>
  source.kind === "id" ? { file_id: source.id } : { image_url: urlOf(source) }

const fileFields = ({ name, source }: FilePart): JsonObject => {
  if (source.kind === "id") return { file_id: source.id }
  if (source.kind === "url") return { file_url: source.url }
  // OpenAI wants a name beside bytes.
  return { filename: name ?? "document.pdf", file_data: urlOf(source) }
}

/** A part as a piece of what is told to the model; undefined for what cannot be one. */
export const inputPiece = (part: Part): JsonObject | undefined => {
  const own = pieceOf(part)
  if (own !== undefined) return own
  switch (part.type) {
    case "text":
      return { type: "input_text", text: part.text }
    case "refusal":
      return { type: "input_text", text: part.text }
    case "image":
      return { type: "input_image", detail: part.detail ?? "auto", ...imageFields(part.source) }
    case "file":
      return part.source.kind === "text"
        ? {
            type: "input_text",
            text: part.name === undefined ? part.source.text : `${part.name}\n\n${part.source.text}`
          }
        : { type: "input_file", ...fileFields(part) }
    case "audio":
      return part.source.kind === "bytes"
        ? { type: "input_audio", input_audio: { data: part.source.data, format: formOf(part.source.mime) } }
        : undefined
    case "opaque":
      return part.dialect === "responses" ? part.value : undefined
    default:
      return undefined
  }
}

/** A part as a piece of what the model said; undefined for what cannot be one. */
export const outputPiece = (part: Part): JsonObject | undefined => {
  const own = pieceOf(part)
  if (own !== undefined) return own
  if (part.type === "text") {
    return { type: "output_text", text: part.text, annotations: annotationsOf(part.citations, part.text.length) }
  }
  return part.type === "refusal" ? { type: "refusal", refusal: part.text } : undefined
}

/** A picture that a model has made, as the item of the tool that makes pictures. */
export const imageItem = (source: Source): JsonObject | undefined =>
  source.kind === "bytes" ? { type: "image_generation_call", status: "completed", result: source.data } : undefined
