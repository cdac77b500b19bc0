/**
 * Streams as each language writes them: how an event stands on the wire, what may be sent while nothing comes, how a stream
 * ends, and how an error is told in the middle of one so that nobody takes the answer for whole.
 */
import type { AnswerWords, StreamEvent } from "@switchyard/core/Dialect"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { CompleteResponse } from "@switchyard/core/LlmResponse"
import { media } from "@switchyard/core/Media"
import type { Usage } from "@switchyard/core/Usage"
import { type Around, type Speech, spoken, type Told } from "../../errors/spokenError.js"
import { ChunkEncoder } from "./chunkEncoder.js"
import type { EventEncoder } from "./streamPump.js"

export type { EventEncoder }

/** An event as it was written, with the ids in it sealed. */
export type SealedEvents = (json: JsonObject, data: string) => string

const eventStream = "text/event-stream; charset=utf-8"

const nameOf = (words: AnswerWords, { event, json }: StreamEvent): string | undefined => {
  if (event !== undefined) return event
  const named = words.eventName?.(json) ?? json.type
  return typeof named === "string" ? named : undefined
}

/** Anthropic's events, which have names; `message_stop` is one of them. */
class MessagesEncoder implements EventEncoder {
  readonly contentType = eventStream
  readonly waiting: string = 'event: ping\ndata: {"type":"ping"}\n\n'
  readonly alive: string = this.waiting

  constructor(protected readonly words: AnswerWords) {}

  encode(batch: ReadonlyArray<StreamEvent>): string {
    let text = ""
    for (const event of batch) text += this.one(event)
    return text
  }

  ending(_: Usage | undefined): string {
    return ""
  }

  whole({ body }: CompleteResponse): string {
    return this.encode(this.words.events(body)) + this.ending(undefined)
  }

  failure(told: Told, around: Around): string {
    return `event: error\ndata: ${JSON.stringify(spoken("messages", told, around))}\n\n`
  }

  protected one(event: StreamEvent): string {
    const name = nameOf(this.words, event)
    return name === undefined ? `data: ${event.data}\n\n` : `event: ${name}\ndata: ${event.data}\n\n`
  }
}

/** The events of Responses: named and numbered, and the last one says how it ended. */
class ResponsesEncoder extends MessagesEncoder {
  constructor(
    words: AnswerWords,
    private readonly sealed: SealedEvents = (_, data) => data
  ) {
    super(words)
  }

  override readonly waiting = ": waiting for the model\n\n"
  override readonly alive = ": keep-alive\n\n"
  private response: JsonObject | undefined
  private number = -1

  protected override one(event: StreamEvent): string {
    const { response, sequence_number: number } = event.json
    if (typeof number === "number") this.number = number
    if (isJsonObject(response)) this.response = response
    const data = this.sealed(event.json, event.data)
    return super.one(data === event.data ? event : { ...event, data })
  }

  /** Some clients look for the first of these, and some for the second. */
  override failure(told: Told, { id }: Around): string {
    const { code, message, param = null } = told.error
    const error = { type: "error", sequence_number: this.number + 1, code, message, param, error: told.error }
    const response = {
      id: `resp_${id ?? "failed"}`,
      object: "response",
      output: [],
      ...this.response,
      status: "failed",
      error: { code, message }
    }
    const failed = { type: "response.failed", sequence_number: this.number + 2, response }
    return `event: error\ndata: ${JSON.stringify(error)}\n\nevent: response.failed\ndata: ${this.sealed(failed, JSON.stringify(failed))}\n\n`
  }
}

/** Google's events, which have no names; the end of the stream is the end. Its clients know no comments. */
class GeminiEncoder implements EventEncoder {
  readonly contentType: string = eventStream
  readonly waiting: string = "\n\n"
  readonly alive: string = "\n\n"

  constructor(private readonly words: AnswerWords) {}

  encode(batch: ReadonlyArray<StreamEvent>): string {
    let text = ""
    for (const { data } of batch) text += this.one(data)
    return text
  }

  ending(_: Usage | undefined): string {
    return ""
  }

  whole({ body }: CompleteResponse): string {
    return this.encode(this.words.events(body)) + this.ending(undefined)
  }

  failure(told: Told, around: Around): string {
    return this.one(JSON.stringify(spoken("gemini", told, around)))
  }

  protected one(data: string): string {
    return `data: ${data}\n\n`
  }
}

/** The same as one list of JSON, which is only whole with its last bracket: what breaks off is none. */
class GeminiListEncoder extends GeminiEncoder {
  override readonly contentType = "application/json; charset=utf-8"
  override readonly waiting = "\n"
  override readonly alive = "\n"
  private hasBegun = false

  override ending(): string {
    return this.hasBegun ? "]" : "[]"
  }

  override failure(told: Told, around: Around): string {
    return `${super.failure(told, around)}]`
  }

  protected override one(data: string): string {
    const text = `${this.hasBegun ? ",\r\n" : "["}${data}`
    this.hasBegun = true
    return text
  }
}

/** The events of transcripts, speech and images, as they came: some providers name them, and some do not. */
class MediaEncoder extends MessagesEncoder {
  override readonly waiting = ": waiting for the model\n\n"
  override readonly alive = ": keep-alive\n\n"

  override failure(told: Told): string {
    return `data: ${JSON.stringify(told)}\n\n`
  }

  protected override one({ data, event }: StreamEvent): string {
    return event === undefined ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`
  }
}

/** What writes a stream in a caller's language. `wantsUsage`: of chat only, where it is the caller's to ask for. */
export const encoderFor = (
  speech: Speech,
  words: AnswerWords,
  {
    isList = false,
    sealed,
    wantsUsage = false
  }: {
    readonly isList?: boolean | undefined
    readonly wantsUsage?: boolean
    /** Of Responses alone. */
    readonly sealed?: SealedEvents | undefined
  } = {}
): EventEncoder => {
  switch (speech) {
    case "chat":
      return words === media.answer ? new MediaEncoder(words) : new ChunkEncoder(wantsUsage)
    case "messages":
      return new MessagesEncoder(words)
    case "responses":
      return new ResponsesEncoder(words, sealed)
    case "gemini":
      return isList ? new GeminiListEncoder(words) : new GeminiEncoder(words)
  }
}
