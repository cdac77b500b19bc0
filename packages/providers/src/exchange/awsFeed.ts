/**
 * From the bytes of Amazon's binary event streams to the events of an answer. Failures stand in them too, behind a status of
 * 200.
 */

import type { AwsDecoder, AwsMessage } from "../auth/awsMessage.js"
import type { EventFeedOptions, Feed } from "./feed.js"
import { HeardEvents } from "./heardEvents.js"
import type { Hearing } from "./hearing.js"
import { parse } from "./jsonText.js"

/** A message without headers and body: two lengths and two checksums. */
const shortest = 16

const decoder = new TextDecoder()

const headerOf = (message: AwsMessage, name: string): string | undefined => {
  const value = message.headers[name]?.value
  return typeof value === "string" ? value : undefined
}

/** The text of a base64 text. */
const textOf = (base64: string): string => decoder.decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)))

/** What Anthropic's models write comes packed: `{"bytes":"…"}`. */
const unpacked = (data: string): string => {
  const json = parse(data) as { readonly bytes?: unknown } | undefined | null
  return typeof json?.bytes === "string" ? textOf(json.bytes) : data
}

/** `data` is called with every chunk of bytes, then `end` at a clean end of the response. */
export class AwsFeed implements Feed {
  private readonly heard: HeardEvents
  private kept = new Uint8Array(0)

  constructor(
    hearing: Hearing,
    private readonly decode: AwsDecoder,
    private readonly options: EventFeedOptions
  ) {
    this.heard = new HeardEvents(hearing, options)
  }

  data(chunk: Uint8Array): void {
    if (this.heard.isOver) return
    let bytes = chunk
    if (this.kept.length > 0) {
      bytes = new Uint8Array(this.kept.length + chunk.length)
      bytes.set(this.kept)
      bytes.set(chunk, this.kept.length)
    }
    let from = 0
    while (bytes.length - from >= 4 && !this.heard.isOver) {
      const length = new DataView(bytes.buffer, bytes.byteOffset + from, 4).getUint32(0)
      if (length < shortest) return this.damaged()
      if (length > this.options.maxEvent) return this.heard.fail(this.options.tooLarge())
      if (bytes.length - from < length) break
      this.take(bytes.subarray(from, from + length))
      from += length
    }
    // The chunk is its sender's: what is kept is a copy.
    this.kept = bytes.slice(from)
  }

  end(): void {
    if (!this.heard.isOver) this.heard.end()
  }

  private take(bytes: Uint8Array): void {
    let message: AwsMessage
    try {
      message = this.decode(bytes)
    } catch {
      return this.damaged()
    }
    const data = decoder.decode(message.body)
    switch (headerOf(message, ":message-type")) {
      case "exception":
        return this.failed(headerOf(message, ":exception-type") ?? "", data)
      case "error":
        return this.failed(
          headerOf(message, ":error-code") ?? "",
          JSON.stringify({ message: headerOf(message, ":error-message") ?? "" })
        )
      default: {
        const event = headerOf(message, ":event-type")
        if (event === "chunk") this.heard.take(unpacked(data), undefined)
        else this.heard.take(data, event)
      }
    }
  }

  private failed(type: string, data: string): void {
    const said = parse(data)
    const json = { ...(typeof said === "object" ? said : { message: data }), __type: type }
    this.heard.fail(this.options.classify(JSON.stringify(json), json))
  }

  private damaged(): void {
    this.heard.fail(this.options.broken("a message of the event stream is damaged"))
  }
}
