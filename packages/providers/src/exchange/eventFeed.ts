/**
 * From the bytes of an event stream to the events of an answer.
 */
import { errorOf, fromCompletion, type StreamEvent } from "@switchyard/core/ChatChunk"
import type { EventQueue } from "@switchyard/core/EventQueue"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import { WrittenChunks } from "@switchyard/core/WrittenChunk"
import { createParser, type EventSourceMessage, type EventSourceParser } from "eventsource-parser"
import { LineEnds, startOfText } from "./eventText.js"
import type { EventFeedOptions, EventSink, Feed } from "./feed.js"
import { HeardEvents } from "./heardEvents.js"
import type { Hearing } from "./hearing.js"
import { parse } from "./jsonText.js"
import { isTooDeep, tooDeep } from "./nesting.js"

/**
 * A stream's queue as what its events go to. A class, since V8 makes the getter of an object literal old at once, and with it all
 * that the literal sees: 25 KB of each stream's 100 survived until all of the heap was collected.
 */
class StreamSink implements EventSink {
  constructor(private readonly events: EventQueue) {}

  get isOver(): boolean {
    return this.events.settlement.outcome !== undefined
  }

  push(event: StreamEvent): void {
    this.events.push(event)
  }

  malformed(data: string, why?: string): void {
    this.events.malformed(data, why)
  }

  end(saidDone?: boolean): void {
    this.events.end(saidDone)
  }

  fail(error: LlmError, upstreamGone?: boolean): void {
    this.events.fail(error, upstreamGone)
  }
}

/** A stream's queue as what its events go to. */
export const streamSink = (events: EventQueue): EventSink => new StreamSink(events)

const lineFeed = 0x0a

/** Where the event that stands at `from` ends, its empty line included, or the bytes that came of it. */
const endOfEvent = (bytes: Uint8Array, from: number): number => {
  for (let at = bytes.indexOf(lineFeed, from); at !== -1; at = bytes.indexOf(lineFeed, at + 1)) {
    if (bytes[at + 1] === lineFeed) return at + 2
  }
  return bytes.length
}

/** What providers send so that nobody takes the connection for dead. */
const lifeWord = /^\s*(?:ping|pong|heart-?beat|keep-?alive)\s*$/i

const isNothing = (value: unknown): boolean =>
  value === null || value === "" || (isJsonObject(value) && Object.keys(value).length === 0)

/** Whether an event is a sign of life and nothing else: it has no part in the answer. */
const isLife = (name: string | undefined, data: string, json: unknown): boolean => {
  const hasChoices = isJsonObject(json) && Array.isArray(json.choices)
  // Some providers name the events of their answers; whoever reads by the data alone gets the words all the same.
  if (name !== undefined && name !== "message") return !(hasChoices && arrayOf(json.choices).length > 0)
  if (hasChoices) return false
  if (json === undefined) return lifeWord.test(data)
  return isNothing(json) || (isJsonObject(json) && typeof json.type === "string" && lifeWord.test(json.type))
}

/** `data` is called with every chunk of bytes, then `end` at a clean end of the response. */
export class EventFeed implements Feed {
  private readonly decoder = new TextDecoder()
  private readonly lineEnds = new LineEnds()
  private readonly parser: EventSourceParser
  private flushing = false
  private over = false
  private hasBegun = false
  /** A whole answer that came as an event stream by name only. */
  private whole: string | undefined

  /** Of dialects other than OpenAI's chat. */
  private readonly heard: HeardEvents | undefined

  /** Events that are alike are read in their bytes; of OpenAI's chat alone. */
  private readonly written: WrittenChunks | undefined
  /** All bytes so far are whole events. */
  private isBetween = false
  /** The event that is parsed, alone. */
  private parsing: Uint8Array | undefined

  /** `hearing`: how events are heard that are not OpenAI's chat, or not for a caller who speaks that. */
  constructor(
    private readonly options: EventFeedOptions,
    private readonly hearing?: Hearing
  ) {
    this.heard = hearing === undefined ? undefined : new HeardEvents(hearing, options)
    this.written = hearing === undefined ? new WrittenChunks() : undefined
    this.parser = createParser({
      onEvent: (message) => this.event(message),
      onError: (error) => {
        if (error.type === "max-buffer-size-exceeded") this.fail(options.tooLarge())
      },
      maxBufferSize: options.maxEvent
    })
  }

  /** Takes bytes; a character may be cut in two between chunks. */
  data(chunk: Uint8Array): void {
    if (this.isOver) return
    if (this.written === undefined || !this.hasBegun || this.whole !== undefined) return this.parse(chunk)
    for (let at = 0; at < chunk.length && !this.isOver; ) {
      const event = this.isBetween ? this.written.match(chunk, at) : undefined
      if (event !== undefined && event.end - at <= this.options.maxEvent) {
        this.options.sink.push(event)
        at = event.end
        continue
      }
      const end = endOfEvent(chunk, at)
      this.parseNext(chunk.subarray(at, end))
      at = end
    }
  }

  /** Takes the bytes of one event, or of a part of one. */
  private parseNext(bytes: Uint8Array): void {
    this.parsing = this.isBetween ? bytes : undefined
    this.parse(bytes)
    this.parsing = undefined
  }

  private parse(chunk: Uint8Array): void {
    const text = this.decoder.decode(chunk, { stream: true })
    if (this.hasBegun && this.whole === undefined) this.parser.feed(this.lineEnds.read(text))
    else this.begin(text)
    this.isBetween = chunk.length > 1 && chunk[chunk.length - 1] === lineFeed && chunk[chunk.length - 2] === lineFeed
  }

  /** The response ended as its framing says. A last event without its empty line still counts, half of one does not. */
  end(): void {
    if (this.isOver) return
    if (this.whole !== undefined) return this.endWhole(this.whole + this.decoder.decode())
    this.flushing = true
    this.parser.feed(`${this.lineEnds.read(this.decoder.decode())}\n\n`)
    if (this.heard !== undefined) this.heard.end()
    else if (!this.isOver) this.options.sink.end()
  }

  private get isOver(): boolean {
    return this.over || this.options.sink.isOver || this.heard?.isOver === true
  }

  private begin(text: string): void {
    const start = this.whole === undefined ? startOfText(text) : "object"
    if (start === "object") {
      this.whole = (this.whole ?? "") + text
      if (this.whole.length > this.options.maxEvent) this.fail(this.options.tooLarge())
      return
    }
    if (start !== "unknown") this.hasBegun = true
    this.parser.feed(this.lineEnds.read(text))
  }

  private endWhole(data: string): void {
    const json = parse(data)
    if (this.hearing !== undefined && isJsonObject(json)) return this.endHeard(this.hearing, data, json)
    if (!isJsonObject(json)) this.options.sink.malformed(data)
    else if (isTooDeep(data, json)) this.options.sink.malformed(data, tooDeep)
    else if (Array.isArray(json.choices) && errorOf(json) === undefined) {
      const chunk = fromCompletion(json)
      this.options.sink.push({ data: JSON.stringify(chunk), json: chunk })
    } else return this.fail(this.options.classify(data, json))
    if (!this.isOver) this.options.sink.end()
  }

  private endHeard(hearing: Hearing, data: string, json: JsonObject): void {
    if (hearing.isError(json)) return this.fail(this.options.classify(data, json))
    const answer = isTooDeep(data, json) ? tooDeep : hearing.answer(json)
    if (typeof answer === "string") return this.options.sink.malformed(data, answer)
    for (const event of hearing.events(answer)) this.options.sink.push(event)
    if (!this.isOver) this.options.sink.end(true)
  }

  private event(message: EventSourceMessage): void {
    const { data, event } = message
    if (this.heard !== undefined) return this.heard.take(data, event, this.flushing)
    if (data === "" || this.isOver) return
    if (data.startsWith("[DONE]")) return this.done()
    const json = parse(data)
    if (event === "error") return this.fail(this.options.classify(data, json))
    if (isLife(event, data, json)) return
    if (!isJsonObject(json)) {
      if (!this.flushing) this.options.sink.malformed(data)
      return
    }
    if (errorOf(json) !== undefined) return this.fail(this.options.classify(data, json))
    if (isTooDeep(data, json)) return this.options.sink.malformed(data, tooDeep)
    // The lines of one event are one JSON text, in which a line's end is only space.
    this.options.sink.push({ data: data.includes("\n") ? data.replaceAll("\n", " ") : data, json })
    if (this.parsing !== undefined && event === undefined) this.written?.learn(this.parsing, json)
  }

  private done(): void {
    this.over = true
    this.options.sink.end(true)
    this.options.onDone()
  }

  private fail(error: LlmError): void {
    this.over = true
    this.options.sink.fail(error)
  }
}
