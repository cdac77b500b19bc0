/**
 * From the bytes of a stream of lines, each a JSON object, to the events of an answer: Ollama's way.
 */
import type { EventFeedOptions, Feed } from "./feed.js"
import { HeardEvents } from "./heardEvents.js"
import type { Hearing } from "./hearing.js"

/** `data` is called with every chunk of bytes, then `end` at a clean end of the response. */
export class LineFeed implements Feed {
  private readonly decoder = new TextDecoder()
  private readonly heard: HeardEvents
  private pieces: Array<string> = []
  private length = 0

  constructor(
    hearing: Hearing,
    private readonly options: EventFeedOptions
  ) {
    this.heard = new HeardEvents(hearing, options)
  }

  data(chunk: Uint8Array): void {
    if (!this.heard.isOver) this.feed(this.decoder.decode(chunk, { stream: true }))
  }

  end(): void {
    if (this.heard.isOver) return
    this.feed(this.decoder.decode())
    this.heard.take(this.line(), undefined, true)
    this.heard.end()
  }

  private feed(text: string): void {
    let from = 0
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", from)) {
      this.pieces.push(text.slice(from, at))
      this.heard.take(this.line(), undefined)
      from = at + 1
    }
    this.pieces.push(from === 0 ? text : text.slice(from))
    this.length += text.length - from
    if (this.length > this.options.maxEvent && !this.heard.isOver) this.heard.fail(this.options.tooLarge())
  }

  private line(): string {
    const line = this.pieces.join("").trim()
    this.pieces = []
    this.length = 0
    return line
  }
}
