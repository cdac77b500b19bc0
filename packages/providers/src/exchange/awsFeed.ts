/**
 * From Amazon's binary event streams to the events of an answer: each message is an event, or all of them together are a stream
 * of server-sent events.
 */
import type { LlmError } from "@switchyard/core/LlmError"
import type { AwsDecoder, AwsMessage } from "../auth/awsMessage.js"
import { EventFeed } from "./eventFeed.js"
import type { EventFeedOptions, Feed } from "./feed.js"
import { HeardEvents } from "./heardEvents.js"
import type { Hearing } from "./hearing.js"
import { parse } from "./jsonText.js"

/** A message without headers and body: two lengths and two checksums. */
const shortest = 16

const decoder = new TextDecoder()

/** A header of a message, where it is text. */
const headerOf = (message: AwsMessage, name: string): string | undefined => {
  const value = message.headers[name]?.value
  return typeof value === "string" ? value : undefined
}

/** A message's body as text. */
const textOf = ({ body }: AwsMessage): string => decoder.decode(body)

/** Where messages go. */
interface MessageSink {
  readonly isOver: () => boolean
  readonly take: (message: AwsMessage) => void
  readonly fail: (error: LlmError) => void
}

/** Puts messages together, and tells failures among them as such: they stand behind a status of 200. */
class AwsMessages {
  private kept = new Uint8Array(0)

  constructor(
    private readonly decode: AwsDecoder,
    private readonly options: EventFeedOptions,
    private readonly sink: MessageSink
  ) {}

  data(chunk: Uint8Array): void {
    if (this.sink.isOver()) return
    let bytes = chunk
    if (this.kept.length > 0) {
      bytes = new Uint8Array(this.kept.length + chunk.length)
      bytes.set(this.kept)
      bytes.set(chunk, this.kept.length)
    }
    let from = 0
    while (bytes.length - from >= 4 && !this.sink.isOver()) {
      const length = new DataView(bytes.buffer, bytes.byteOffset + from, 4).getUint32(0)
      if (length < shortest) return this.damaged()
      if (length > this.options.maxEvent) return this.sink.fail(this.options.tooLarge())
      if (bytes.length - from < length) break
      this.take(bytes.subarray(from, from + length))
      from += length
    }
    // The chunk is its sender's: what is kept is a copy.
    this.kept = bytes.slice(from)
  }

  private take(bytes: Uint8Array): void {
    let message: AwsMessage
    try {
      message = this.decode(bytes)
    } catch {
      return this.damaged()
    }
    switch (headerOf(message, ":message-type")) {
      case "exception":
        return this.failed(headerOf(message, ":exception-type") ?? "", textOf(message))
      case "error":
        return this.failed(
          headerOf(message, ":error-code") ?? "",
          JSON.stringify({ message: headerOf(message, ":error-message") ?? "" })
        )
      default:
        this.sink.take(message)
    }
  }

  private failed(type: string, data: string): void {
    const said = parse(data)
    const json = { ...(typeof said === "object" ? said : { message: data }), __type: type }
    this.sink.fail(this.options.classify(JSON.stringify(json), json))
  }

  private damaged(): void {
    this.sink.fail(this.options.broken("a message of the event stream is damaged"))
  }
}

/** The text of a base64 text. */
const ofBase64 = (base64: string): string => decoder.decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)))

/** What Anthropic's models write comes packed: `{"bytes":"…"}`. */
const unpacked = (data: string): string => {
  const json = parse(data) as { readonly bytes?: unknown } | undefined | null
  return typeof json?.bytes === "string" ? ofBase64(json.bytes) : data
}

/** `data` is called with every chunk of bytes, then `end` at a clean end of the response. */
export class AwsFeed implements Feed {
  private readonly heard: HeardEvents
  private readonly messages: AwsMessages

  constructor(hearing: Hearing, decode: AwsDecoder, options: EventFeedOptions) {
    const heard = new HeardEvents(hearing, options)
    this.heard = heard
    this.messages = new AwsMessages(decode, options, {
      isOver: () => heard.isOver,
      take: (message) => this.take(message),
      fail: (error) => heard.fail(error)
    })
  }

  data(chunk: Uint8Array): void {
    this.messages.data(chunk)
  }

  end(): void {
    if (!this.heard.isOver) this.heard.end()
  }

  private take(message: AwsMessage): void {
    const data = textOf(message)
    const event = headerOf(message, ":event-type")
    if (event === "chunk") this.heard.take(unpacked(data), undefined)
    else this.heard.take(data, event)
  }
}

/** The same, where the messages hold the bytes of server-sent events, which may end anywhere between them: SageMaker's way. */
export class AwsTextFeed implements Feed {
  private readonly events: EventFeed
  private readonly messages: AwsMessages

  constructor(hearing: Hearing, decode: AwsDecoder, options: EventFeedOptions) {
    const events = new EventFeed(options, hearing)
    this.events = events
    this.messages = new AwsMessages(decode, options, {
      isOver: () => options.sink.isOver,
      take: ({ body }) => events.data(body),
      fail: (error) => options.sink.fail(error)
    })
  }

  data(chunk: Uint8Array): void {
    this.messages.data(chunk)
  }

  end(): void {
    this.events.end()
  }
}
