/**
 * From the bytes of an event stream to the events of an answer.
 */
import { errorOf } from "@switchyard/core/ChatChunk"
import type { EventStream } from "@switchyard/core/EventStream"
import { isJsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import { createParser, type EventSourceMessage, type EventSourceParser } from "eventsource-parser"

/** What the feed asks of its call. */
export interface EventFeedOptions {
  readonly events: EventStream
  /** Characters that one event may have. */
  readonly maxEvent: number
  /** The error that an error event means. */
  readonly classify: (data: string, json: unknown) => LlmError
  readonly tooLarge: () => LlmError
  /** `[DONE]` came: the answer is over, its connection maybe not yet. */
  readonly onDone: () => void
}

const parse = (data: string): unknown => {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}

/** `data` is called with every chunk of bytes, then `end` at a clean end of the response. */
export class EventFeed {
  private readonly decoder = new TextDecoder()
  private readonly parser: EventSourceParser
  private flushing = false
  private over = false

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
    if (!this.isOver) this.parser.feed(this.decoder.decode(chunk, { stream: true }))
  }

  /** The response ended as its framing says. A last event without its empty line still counts, half of one does not. */
  end(): void {
    if (this.isOver) return
    this.flushing = true
    this.parser.feed(`${this.decoder.decode()}\n\n`)
    if (!this.isOver) this.options.events.end()
  }

  private get isOver(): boolean {
    return this.over || this.options.events.settlement.outcome !== undefined
  }

  private event(message: EventSourceMessage): void {
    const { data } = message
    if (data === "" || this.isOver) return
    if (data.startsWith("[DONE]")) return this.done()
    const json = parse(data)
    if (message.event === "error") return this.fail(this.options.classify(data, json))
    if (!isJsonObject(json)) {
      if (!this.flushing) this.options.events.malformed(data)
      return
    }
    if (errorOf(json) !== undefined) return this.fail(this.options.classify(data, json))
    this.options.events.push({ data, json })
  }

  private done(): void {
    this.over = true
    this.options.events.end()
    this.options.onDone()
  }

  private fail(error: LlmError): void {
    this.over = true
    this.options.events.fail(error)
  }
}
