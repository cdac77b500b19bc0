import type { CannedRequest, Stamp } from "../dialect/Dialect.js"
import { ofBytes, type StreamEvent } from "../dialect/StreamEvent.js"
import { arrayOf, type JsonObject } from "../json/Json.js"
import { answersInBytes, request } from "./mediaRequest.js"

/** One clear pixel, as a PNG in base64. */
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

const wholeNumber = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isInteger(value) && value > 0 ? value : undefined

const ranking = ({ body, inputTokens }: CannedRequest, { id }: Stamp): JsonObject => {
  const documents = arrayOf(body.documents)
  const count = Math.min(documents.length, wholeNumber(body.top_n) ?? documents.length)
  const results = Array.from({ length: count }, (_, index) => ({
    index,
    relevance_score: 1 - index / documents.length,
    ...(body.return_documents === true ? { document: { text: documents[index] } } : {})
  }))
  return { id, results, meta: { billed_units: { search_units: 1 }, tokens: { input_tokens: inputTokens } } }
}

const judgement = ({ body, model }: CannedRequest, { id }: Stamp): JsonObject => {
  const inputs = Array.isArray(body.input) && typeof body.input[0] === "string" ? body.input.length : 1
  const results = Array.from({ length: inputs }, () => ({ flagged: false, categories: {}, category_scores: {} }))
  return { id, model, results }
}

/** A whole answer that is made up: a transcript says the text, images are one clear pixel, documents are ranked as they stand. */
export const cannedMedia = (asked: CannedRequest, text: string, stamp: Stamp): JsonObject => {
  const { body, operation } = asked
  switch (operation) {
    case "rerank":
      return ranking(asked, stamp)
    case "moderation":
      return judgement(asked, stamp)
    case "image":
    case "imageEdit":
    case "imageVariation": {
      const data = Array.from({ length: request.choices(operation, body) }, () => ({ b64_json: pixel }))
      return { created: stamp.created, data }
    }
    default:
      return { text }
  }
}

/** A tenth of a second of silence, as a wave of 16 bits of 16 kHz. */
const silence = (): Uint8Array => {
  const samples = 1600
  const bytes = new Uint8Array(44 + samples * 2)
  const view = new DataView(bytes.buffer)
  const write = (at: number, text: string): void => {
    for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index)
  }
  write(0, "RIFF")
  view.setUint32(4, bytes.length - 8, true)
  write(8, "WAVEfmt ")
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)
  view.setUint16(22, 1, true)
  view.setUint32(24, 16_000, true)
  view.setUint32(28, 32_000, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true)
  write(36, "data")
  view.setUint32(40, samples * 2, true)
  return bytes
}

const asEvent = (json: JsonObject & { readonly type: string }): StreamEvent => ({
  event: json.type,
  data: JSON.stringify(json),
  json
})

const spokenUsage = (inputTokens: number): JsonObject => ({
  input_tokens: inputTokens,
  output_tokens: 0,
  total_tokens: inputTokens
})

const base64 = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

/** The same as a stream: speech is silence, a transcript comes word by word or, where it is no JSON, as it is. */
export const cannedMediaEvents = (asked: CannedRequest, text: string, stamp: Stamp): ReadonlyArray<StreamEvent> => {
  const { body, inputTokens, operation } = asked
  if (operation === "speech") {
    if (answersInBytes(operation, body)) return [ofBytes(silence())]
    return [
      asEvent({ type: "speech.audio.delta", audio: base64(silence()) }),
      asEvent({ type: "speech.audio.done", usage: spokenUsage(inputTokens) })
    ]
  }
  if (answersInBytes(operation, body)) return [ofBytes(new TextEncoder().encode(text))]
  const whole = cannedMedia(asked, text, stamp)
  if (operation !== "transcription" && operation !== "translation") {
    const type = operation === "imageEdit" ? "image_edit.completed" : "image_generation.completed"
    return arrayOf(whole.data).map((item) => asEvent({ type, ...(item as JsonObject), created_at: stamp.created }))
  }
  const words = text.split(/(?<= )/).filter((word) => word !== "")
  return [
    ...words.map((delta) => asEvent({ type: "transcript.text.delta", delta })),
    asEvent({ type: "transcript.text.done", text })
  ]
}
