import type { Beginning, FileFacts, RequestWords, Turn } from "../dialect/Dialect.js"
import * as PromptSize from "../dialect/PromptSize.js"
import type { Operation } from "../dialect/payloadFields.js"
import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import type { Units } from "../outcome/Usage.js"

/** Forms say everything in texts. */
const isTrue = (value: unknown): boolean => value === true || value === "true"

const isUnset = (value: unknown): boolean => value === undefined || value === null

/** Transcripts that are no JSON. */
const plainFormats: ReadonlySet<unknown> = new Set(["text", "srt", "vtt"])

const isHeard = (operation: Operation): boolean => operation === "transcription" || operation === "translation"

/** Whether a payload asks for the answer event by event. */
export const asksForEvents = (operation: Operation, body: JsonObject): boolean => {
  switch (operation) {
    case "speech":
      return body.stream_format === "sse"
    case "transcription":
    case "image":
    case "imageEdit":
      return isTrue(body.stream)
    default:
      return false
  }
}

/** Whether the answer to a payload is no JSON: sound, or a transcript as it is. */
export const answersInBytes = (operation: Operation, body: JsonObject): boolean =>
  operation === "speech"
    ? body.stream_format !== "sse"
    : isHeard(operation) && plainFormats.has(body.response_format) && !asksForEvents(operation, body)

const textProblem = (name: string, value: unknown): ReadonlyArray<string> =>
  typeof value === "string" ? [] : [`${name}: expected a string`]

const contentProblems = (operation: Operation, body: JsonObject): ReadonlyArray<string> => {
  const { documents, input, prompt, query } = body
  switch (operation) {
    case "rerank":
      return [
        ...textProblem("query", query),
        ...(Array.isArray(documents) && documents.length > 0
          ? []
          : ["documents: expected a list of at least one document"])
      ]
    case "moderation":
      return typeof input === "string" || Array.isArray(input) ? [] : ["input: expected a string or a list"]
    case "speech":
      return textProblem("input", input)
    case "image":
    case "imageEdit":
      return textProblem("prompt", prompt)
    default:
      return []
  }
}

const problems = (operation: Operation, body: JsonObject): ReadonlyArray<string> => {
  const { stream } = body
  const isSaid = isUnset(stream) || typeof stream === "boolean" || stream === "true" || stream === "false"
  return [...(isSaid ? [] : ["stream: expected true or false"]), ...contentProblems(operation, body)]
}

/** What a document to be ranked says: a text, or an object with texts in it. */
const size = (operation: Operation, body: JsonObject): PromptSize.PromptSize => {
  if (operation !== "rerank") return PromptSize.ofInputs(operation === "moderation" ? body.input : textOf(body))
  const query = PromptSize.ofInputs(body.query).total
  const documents = PromptSize.ofInputs(body.documents)
  // Documents that are too long are cut by who ranks them.
  return { total: query + documents.total, longest: query }
}

const textOf = ({ input, prompt }: JsonObject): unknown => input ?? prompt ?? ""

/** Images of one request: nobody makes more. */
const mostImages = 128

const countOf = (value: unknown): number => {
  const count = typeof value === "string" ? Number(value) : value
  return typeof count === "number" && count > 1 ? Math.min(Math.floor(count), mostImages) : 1
}

const isImage = (operation: Operation): boolean =>
  operation === "image" || operation === "imageEdit" || operation === "imageVariation"

const choices = (operation: Operation, body: JsonObject): number => (isImage(operation) ? countOf(body.n) : 1)

const textOrNone = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" && value !== "auto" ? value : undefined

const imageUnits = (body: JsonObject): Units => {
  const size = textOrNone(body.size)
  const quality = textOrNone(body.quality)
  return {
    images: countOf(body.n),
    ...(size === undefined ? {} : { imageSize: size }),
    ...(quality === undefined ? {} : { imageQuality: quality })
  }
}

/** Bytes a second of sound by its type: about what speech is stored at, and for waves 16 bits of 16 kHz. */
const byteRates: ReadonlyArray<readonly [type: RegExp, rate: number]> = [
  [/wav|wave|pcm|aiff/i, 32_000],
  [/flac/i, 24_000],
  [/ogg|opus|webm/i, 6_000]
]
const commonByteRate = 12_000

/** Seconds that a file of sound lasts, as near as its size and type tell. */
const secondsOf = ({ contentType, filename, seconds, size }: FileFacts): number => {
  if (seconds !== undefined) return seconds
  const extension = filename.slice(filename.lastIndexOf(".") + 1)
  const known = byteRates.find(([type]) => type.test(contentType) || type.test(extension))
  return size / (known?.[1] ?? commonByteRate)
}

/** Characters that are spoken in a second. */
const spokenPerSecond = 15

/** Documents that are ranked in one search, where a provider bills by searches. */
const documentsPerSearch = 100

const units = (operation: Operation, body: JsonObject, files: ReadonlyArray<FileFacts>): Units => {
  switch (operation) {
    case "rerank":
      return { searches: Math.max(1, Math.ceil(arrayOf(body.documents).length / documentsPerSearch)) }
    case "image":
    case "imageEdit":
    case "imageVariation":
      return imageUnits(body)
    case "speech": {
      const characters = typeof body.input === "string" ? body.input.length : 0
      return { characters, seconds: characters / spokenPerSecond }
    }
    case "transcription":
    case "translation":
      return { seconds: files.reduce((sum, file) => sum + secondsOf(file), 0) }
    default:
      return {}
  }
}

/** What a document says, for traces. */
const documentText = (document: unknown): string =>
  typeof document === "string" ? document : isJsonObject(document) ? JSON.stringify(document) : ""

function* turns(operation: Operation, body: JsonObject): Generator<Turn> {
  const texts =
    operation === "rerank" ? [body.query, ...arrayOf(body.documents).map(documentText)] : [textOf(body)].flat()
  for (const text of texts) {
    const said = isJsonObject(text) ? text.text : text
    if (typeof said === "string" && said !== "") yield { role: "user", parts: [{ type: "text", text: said }] }
  }
}

const beginning = (operation: Operation, body: JsonObject): Beginning => ({
  system: undefined,
  user: operation === "rerank" ? body.query : textOf(body)
})

/** What routing reads of these payloads. */
export const request: RequestWords = {
  promptFields: ["prompt", "input", "query", "documents"],
  textFields: ["prompt", "input", "query", "documents", "instructions", "user", "image", "mask", "file"],
  problems,
  model: (body) => body.model,
  streams: (body, operation) => asksForEvents(operation, body) || answersInBytes(operation, body),
  size,
  maxOutputTokens: () => undefined,
  largestOutputBound: () => undefined,
  choices,
  units,
  tools: () => [],
  responseFormat: () => undefined,
  hasImages: () => false,
  asksForReasoning: () => undefined,
  serviceTier: (body) => body.service_tier,
  settings: (body) => ({ temperature: body.temperature, choices: body.n }),
  turns,
  beginning,
  states: () => [],
  overlay: (below, above) => ({ ...below, ...above }),
  prefilled: () => undefined,
  isBeyondText: () => true
}
