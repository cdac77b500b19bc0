/**
 * Parts of a turn as Gemini has them.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart } from "../../conversation/Conversation.js"
import { parsedObject } from "../../parts/values.js"
import { writeMedia } from "./media.js"
import { writeSignature } from "./signatures.js"

/** How parts are written. */
export interface PartOptions {
  /** They were read from Gemini's dialect: fields that only it knows go out again. */
  readonly isOwn: boolean
  /** Whether a signature may stand there: of a request only Gemini's own, of an answer any. */
  readonly signs: (part: TextPart | ReasoningPart | ToolCallPart) => boolean
  /** Whether the model reads media inside the results of functions. */
  readonly hasMediaInResults: boolean
}

/** Spreads are dear where a conversation has thousands of parts: most have neither signature nor fields of their own. */
const completed = (
  written: Record<string, unknown>,
  signature: JsonObject,
  extra: JsonObject | undefined
): JsonObject => {
  if (signature.thoughtSignature !== undefined) written.thoughtSignature = signature.thoughtSignature
  return extra === undefined ? written : { ...written, ...extra }
}

const unsigned: JsonObject = {}

/** A signature, or nothing. */
const signatureOf = (part: TextPart | ReasoningPart | ToolCallPart, options: PartOptions): JsonObject =>
  part.signature === undefined || !options.signs(part)
    ? unsigned
    : { thoughtSignature: writeSignature(part.signature, part.type === "reasoning" && part.isRedacted === true) }

/** Arguments as an object. Text that is none was the model's mistake: it is kept as such, so that it sees what it wrote. */
const argumentsFor = (call: ToolCallPart): JsonObject =>
  call.kind === "custom"
    ? { input: call.arguments }
    : (parsedObject(call.arguments || "{}") ?? { input: call.arguments })

const writeCall = (part: ToolCallPart): JsonObject => {
  const args = argumentsFor(part)
  return part.id === undefined ? { name: part.name, args } : { id: part.id, name: part.name, args }
}

const isMedia = ({ type }: Part): boolean => type === "image" || type === "audio" || type === "video" || type === "file"

const responseOf = (part: ToolResultPart): JsonObject => {
  let text = ""
  for (const inner of part.content) {
    if (inner.type === "text") text = text === "" ? inner.text : `${text}\n${inner.text}`
  }
  return part.isError === true ? { error: text } : { output: text }
}

/** What a tool answered; media that cannot stand in it are given to `beside`. */
const writeResult = (part: ToolResultPart, options: PartOptions, beside: Array<JsonObject>): JsonObject => {
  const { response, ...extra } = (options.isOwn ? part.extra : undefined) ?? unsigned
  let media: Array<JsonObject> | undefined
  for (const inner of part.content) {
    if (!isMedia(inner)) continue
    media ??= []
    media.push(...writePart(inner, options, media))
  }
  const isInside = options.isOwn || options.hasMediaInResults
  if (!isInside && media !== undefined) beside.push(...media)
  const result: Record<string, unknown> = {}
  if (part.id !== undefined) result.id = part.id
  result.name = part.name ?? ""
  result.response = response ?? responseOf(part)
  if (media !== undefined && isInside) result.parts = media
  return { functionResponse: completed(result, unsigned, options.isOwn ? extra : undefined) }
}

/** A part in as many of Gemini's as it takes: none for what says nothing. `beside`: parts that come after all of the turn. */
export const writePart = (part: Part, options: PartOptions, beside: Array<JsonObject>): ReadonlyArray<JsonObject> => {
  const extra = options.isOwn ? part.extra : undefined
  switch (part.type) {
    case "text": {
      const signature = signatureOf(part, options)
      if (part.text === "" && !options.isOwn && signature.thoughtSignature === undefined) return []
      return [completed({ text: part.text }, signature, extra)]
    }
    case "reasoning":
      return [completed({ text: part.text, thought: true }, signatureOf(part, options), extra)]
    case "refusal":
      return part.text === "" ? [] : [{ text: part.text }]
    case "toolCall":
      return [completed({ functionCall: writeCall(part) }, signatureOf(part, options), extra)]
    case "toolResult":
      return [writeResult(part, options, beside)]
    case "opaque":
      return part.dialect === "gemini" ? [part.value] : []
    default:
      return [{ ...writeMedia(part, options.isOwn), ...extra }]
  }
}
