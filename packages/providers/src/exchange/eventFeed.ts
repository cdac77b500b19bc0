/**
 * From the bytes of an event stream to the events of an answer.
 */
import { errorOf, fromCompletion, type StreamEvent } from "@switchyard/core/ChatChunk"
import type { EventQueue } from "@switchyard/core/EventQueue"
import { arrayOf, isJsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import { createParser, type EventSourceMessage, type EventSourceParser } from "eventsource-parser"
import { startOfText } from "./eventText.js"
import { isTooDeep, tooDeep } from "./nesting.js"

/** Where the events go: a stream's queue, or the whole answer that they are folded into. */
export interface EventSink {
  readonly isOver: boolean
  readonly push: (event: StreamEvent) => void
  readonly malformed: (data: string, why?: string) => void
  /** The answer is over by itself; `saidDone`: the provider says so. */
  readonly end: (saidDone?: boolean) => void
  /** `upstreamGone`: there is no connection left to break off. */
  readonly fail: (error: LlmError, upstreamGone?: boolean) => void
}

/** What the feed asks of its call. */
export interface EventFeedOptions {
  readonly sink: EventSink
  /** Characters that one event may have. */
  readonly maxEvent: number
  /** The error that an error event means. */
  readonly classify: (data: string, json: unknown) => LlmError
  readonly tooLarge: () => LlmError
  /** `[DONE]` came: the answer is over, its connection maybe not yet. */
  readonly onDone: () => void
}

/** A stream's queue as what its events go to. */
export const streamSink = (events: EventQueue): EventSink => ({
  get isOver() {
    return events.settlement.outcome !== undefined
  },
  push: (event) => events.push(event),
  malformed: (data, why) => events.malformed(data, why),
  end: (saidDone) => events.end(saidDone),
  fail: (error, upstreamGone) => events.fail(error, upstreamGone)
})

const parse = (data: string): unknown => {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
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
export class EventFeed {
  private readonly decoder = new TextDecoder()
  private readonly parser: EventSourceParser
  private flushing = false
  private over = false
  private hasBegun = false
  /** A whole answer that came as an event stream by name only. */
  private whole: string | undefined

  constructor(private readonly options: EventFeedOptions) {
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
    const text = this.decoder.decode(chunk, { stream: true })
    if (this.hasBegun && this.whole === undefined) this.parser.feed(text)
    else this.begin(text)
  }

  /** The response ended as its framing says. A last event without its empty line still counts, half of one does not. */
  end(): void {
    if (this.isOver) return
    if (this.whole !== undefined) return this.endWhole(this.whole + this.decoder.decode())
    this.flushing = true
    this.parser.feed(`${this.decoder.decode()}\n\n`)
    if (!this.isOver) this.options.sink.end()
  }

  private get isOver(): boolean {
    return this.over || this.options.sink.isOver
  }

  private begin(text: string): void {
    const start = this.whole === undefined ? startOfText(text) : "object"
    if (start === "object") {
      this.whole = (this.whole ?? "") + text
      if (this.whole.length > this.options.maxEvent) this.fail(this.options.tooLarge())
      return
    }
    if (start !== "unknown") this.hasBegun = true
    this.parser.feed(text)
  }

  private endWhole(data: string): void {
    const json = parse(data)
    if (!isJsonObject(json)) this.options.sink.malformed(data)
    else if (isTooDeep(data, json)) this.options.sink.malformed(data, tooDeep)
    else if (Array.isArray(json.choices) && errorOf(json) === undefined) {
      const chunk = fromCompletion(json)
      this.options.sink.push({ data: JSON.stringify(chunk), json: chunk })
    } else return this.fail(this.options.classify(data, json))
    if (!this.isOver) this.options.sink.end()
  }

  private event(message: EventSourceMessage): void {
    const { data, event } = message
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
