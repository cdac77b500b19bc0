/**
 * Answers that are no JSON: speech, and transcripts as they are.
 */

import type { JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest, Operation } from "@switchyard/core/LlmRequest"
import type { Headers } from "@switchyard/core/LlmResponse"
import { isMedia } from "@switchyard/core/Operation"
import { ofBytes } from "@switchyard/core/StreamEvent"
import { Encoding } from "effect"
import type { EventSink, Feed } from "./feed.js"

/** What a type is without its parameters, in small letters. */
const typeOf = (headers: Headers): string =>
  (headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? ""

/** Types that say nothing, and so may be anything. */
const unsaid: ReadonlySet<string> = new Set(["", "application/octet-stream", "binary/octet-stream"])

const isSound = (type: string): boolean => /^(?:audio|video)\//.test(type) || unsaid.has(type)

/** A page of text is what a proxy says in place of an answer. */
const isTranscript = (type: string): boolean =>
  (type.startsWith("text/") && type !== "text/html" && type !== "text/event-stream") ||
  type === "application/x-subrip" ||
  unsaid.has(type)

/** Whether an answer with these headers is handed on as the bytes that it is. */
export const comesInBytes = ({ operation, stream }: LlmRequest, headers: Headers): boolean => {
  if (!stream || !isMedia(operation)) return false
  switch (operation) {
    case "speech":
      return isSound(typeOf(headers))
    case "transcription":
    case "translation":
      return isTranscript(typeOf(headers))
    default:
      return false
  }
}

/** An image that came as the bytes that it is, in place of a list of images; undefined for every other answer. */
export const pictured = (
  { operation }: LlmRequest,
  headers: Headers,
  body: { readonly size: number; readonly bytes: () => Uint8Array }
): JsonObject | undefined => {
  if (operation !== "image" && operation !== "imageEdit" && operation !== "imageVariation") return undefined
  const [, format] = /^image\/([\w.+-]+)$/.exec(typeOf(headers)) ?? []
  if (format === undefined || body.size === 0) return undefined
  return { output_format: format, data: [{ b64_json: Encoding.encodeBase64(body.bytes()) }] }
}

/** Hands bytes on. Speech without a byte is none; a transcript without one is that of silence. */
export class BytesFeed implements Feed {
  private isEmpty = true

  constructor(
    private readonly sink: EventSink,
    private readonly operation: Operation,
    private readonly empty: () => LlmError
  ) {}

  data(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.isEmpty = false
    this.sink.push(ofBytes(chunk))
  }

  end(): void {
    if (this.isEmpty) {
      if (this.operation === "speech") return this.sink.fail(this.empty(), true)
      this.sink.push(ofBytes(new Uint8Array(0)))
    }
    this.sink.end(true)
  }
}

/** What is said of an answer that holds nothing of what was asked. */
export const emptyAnswer = (operation: Operation): string => {
  switch (operation) {
    case "rerank":
    case "moderation":
      return "the answer holds no results"
    case "speech":
      return "the answer is no sound"
    case "transcription":
    case "translation":
      return "the answer holds no text"
    default:
      return "the answer holds no choices or data"
  }
}
