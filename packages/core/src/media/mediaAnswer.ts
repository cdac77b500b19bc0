import { type AnswerFailure, errorOf } from "../dialect/AnswerFailure.js"
import type { AnswerView } from "../dialect/AnswerView.js"
import type { StreamFacts } from "../dialect/ChatChunk.js"
import type { AnswerIdentity, AnswerWords, EventFold, EventReader, Turn } from "../dialect/Dialect.js"
import type { Operation } from "../dialect/payloadFields.js"
import type { StreamEvent } from "../dialect/StreamEvent.js"
import { arrayOf, isJsonObject, type JsonObject } from "../json/Json.js"
import * as Usage from "../outcome/Usage.js"
import { cannedMedia, cannedMediaEvents } from "./mediaCanned.js"

const objectOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : {})
const textIn = (value: unknown): string => (typeof value === "string" ? value : "")

const amount = (value: unknown): number | undefined => {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value
  return typeof number === "number" && Number.isFinite(number) && number >= 0 ? number : undefined
}

/** Cohere tells tokens apart from `usage`: those that it bills, else those that it read. */
const cohereTokens = ({ meta }: JsonObject): JsonObject | undefined => {
  const { billed_units: billed, tokens } = objectOf(meta)
  return [objectOf(billed), objectOf(tokens)].find(
    ({ input_tokens, output_tokens }) => amount(input_tokens) !== undefined || amount(output_tokens) !== undefined
  )
}

/** As an answer, or an event of one, tells it. Seconds are no tokens: `units` reads them. */
const usage = (body: JsonObject): Usage.Usage | undefined => {
  const told = isJsonObject(body.usage) ? body.usage : cohereTokens(body)
  const found = told === undefined || told.type === "duration" ? undefined : Usage.fromOpenAi(told)
  if (found === undefined || told === undefined) return undefined
  const details = objectOf(told.input_tokens_details ?? told.input_token_details)
  const image = amount(details.image_tokens)
  const audio = amount(details.audio_tokens)
  return {
    ...found,
    ...(image === undefined ? {} : { imageInputTokens: image }),
    ...(audio === undefined ? {} : { audioInputTokens: audio })
  }
}

const hasImage = (item: unknown): boolean =>
  isJsonObject(item) && (typeof item.b64_json === "string" || typeof item.url === "string")

const units = (body: JsonObject): Usage.Units => {
  const told = objectOf(body.usage)
  const searches = amount(objectOf(objectOf(body.meta).billed_units).search_units)
  const seconds = amount(told.type === "duration" ? told.seconds : (told.seconds ?? body.duration))
  const images = arrayOf(body.data).filter(hasImage).length
  const { quality, size } = body
  return {
    ...(searches === undefined ? {} : { searches }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(images === 0 ? {} : { images }),
    ...(typeof size === "string" && size !== "auto" ? { imageSize: size } : {}),
    ...(typeof quality === "string" && quality !== "auto" ? { imageQuality: quality } : {})
  }
}

const isAnswer = (operation: Operation, body: JsonObject): boolean => {
  switch (operation) {
    case "rerank":
      return Array.isArray(body.results)
    case "moderation":
      return Array.isArray(body.results) && body.results.length > 0
    case "image":
    case "imageEdit":
    case "imageVariation":
      return Array.isArray(body.data) && body.data.length > 0
    case "transcription":
    case "translation":
      // Of silence, an empty one.
      return typeof body.text === "string"
    default:
      return false
  }
}

const saysSomething = ({ detail, errors, message, msg }: JsonObject): boolean =>
  [message, msg, detail, errors].some((value) => value !== undefined && value !== null && value !== "")

const failure = (operation: Operation, body: JsonObject): AnswerFailure | undefined => {
  if (isAnswer(operation, body) && (body.error === undefined || body.error === null)) return undefined
  const error = errorOf(body)
  if (error !== undefined) return { _tag: "error", error }
  if (isAnswer(operation, body)) return undefined
  return saysSomething(body) ? { _tag: "error", error: body } : { _tag: "empty" }
}

const view = (body: JsonObject): AnswerView => ({
  text: textIn(body.text),
  reasoning: "",
  refusal: undefined,
  toolCalls: [],
  finishReason: "stop",
  usage: usage(body),
  body
})

const identity = ({ id, model }: JsonObject): AnswerIdentity => ({ id, model, finishReasons: [] })

const turn = ({ text }: JsonObject): Turn | undefined =>
  typeof text === "string" ? { role: "assistant", parts: [{ type: "text", text }] } : undefined

/** What an event adds to a transcript. */
const addedText = ({ json }: StreamEvent): string => (json.type === "transcript.text.delta" ? textIn(json.delta) : "")

const readEvent = ({ bytes, json }: StreamEvent, facts: StreamFacts): void => {
  if (bytes !== undefined) return facts.bytesCame()
  // vLLM transcribes in chunks of a chat.
  if (Array.isArray(json.choices)) return facts.read(json)
  const used = usage(json)
  if (used !== undefined) facts.used(used)
  const type = textIn(json.type)
  switch (type) {
    case "transcript.text.delta":
      return facts.content(textIn(json.delta).length)
    case "transcript.text.segment":
    case "speech.audio.delta":
      return facts.content(0)
    case "transcript.text.done":
    case "speech.audio.done":
      // Of silence, it is the first that comes.
      if (!facts.hasContent) facts.content(textIn(json.text).length)
      facts.units = { ...facts.units, ...units(json) }
      return facts.ended("stop")
    default:
      if (type.endsWith(".partial_image")) return facts.content(0)
      if (!/^image\w*\.completed$/.test(type)) return
      facts.content(0)
      facts.units = { ...facts.units, ...units(json), images: (facts.units?.images ?? 0) + 1 }
      facts.ended("stop")
  }
}

const reader: EventReader = { read: readEvent, text: addedText }

/** The whole answer that events are: a transcript, or images. */
class MediaFold implements EventFold {
  private text = ""
  private last: JsonObject = {}
  private readonly images: Array<JsonObject> = []

  add(event: StreamEvent): void {
    const { json } = event
    this.text += addedText(event)
    const type = textIn(json.type)
    if (type === "transcript.text.done") {
      this.last = json
      if (typeof json.text === "string") this.text = json.text
    } else if (/^image\w*\.completed$/.test(type)) {
      this.last = json
      const { b64_json, url } = json
      this.images.push({
        ...(b64_json === undefined ? {} : { b64_json }),
        ...(url === undefined ? {} : { url })
      })
    }
  }

  answer(): JsonObject {
    const { usage: used } = this.last
    const more = used === undefined ? {} : { usage: used }
    if (this.images.length === 0) return { text: this.text, ...more }
    const { background, created_at: created, output_format, quality, size } = this.last
    const said = Object.entries({ created, background, output_format, quality, size })
    return { ...Object.fromEntries(said.filter(([, value]) => value !== undefined)), data: this.images, ...more }
  }
}

const asEvent = (json: JsonObject): StreamEvent => ({
  ...(typeof json.type === "string" ? { event: json.type } : {}),
  data: JSON.stringify(json),
  json
})

/** A whole answer as events: a transcript's text, or each image as it is complete. */
const events = (body: JsonObject): ReadonlyArray<StreamEvent> => {
  const used = body.usage === undefined ? {} : { usage: body.usage }
  if (typeof body.text === "string") {
    return [
      asEvent({ type: "transcript.text.delta", delta: body.text }),
      asEvent({ type: "transcript.text.done", text: body.text, ...used })
    ]
  }
  const { created, data, usage: _, ...rest } = body
  const items = arrayOf(data).filter(isJsonObject)
  return items.map((item, index) =>
    asEvent({
      type: "image_generation.completed",
      ...rest,
      ...item,
      created_at: created,
      ...(index === items.length - 1 ? used : {})
    })
  )
}

/** What the tower reads of these answers and of their events. */
export const answer: AnswerWords = {
  failure,
  usage,
  units,
  characters: ({ text }) => textIn(text).length,
  view,
  identity,
  turn,
  issued: () => [],
  isFiltered: () => false,
  error: ({ bytes, json }) => (bytes === undefined ? errorOf(json) : undefined),
  eventName: ({ type }) => (typeof type === "string" ? type : undefined),
  reader: () => reader,
  fold: () => new MediaFold(),
  events,
  canned: cannedMedia,
  cannedEvents: cannedMediaEvents
}
