import { isJsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import type { EventFeedOptions } from "./feed.js"
import type { Hearing, StreamHearing, TellEvent } from "./hearing.js"
import { parse } from "./jsonText.js"
import { isTooDeep, tooDeep } from "./nesting.js"

/** What providers send so that nobody takes the connection for dead. */
const lifeWord = /^\s*(?:ping|pong|heart-?beat|keep-?alive)?\s*$/i

/** The events of one stream on their way from the wire to whoever reads them. */
export class HeardEvents {
  private over = false
  private readonly stream: StreamHearing
  private readonly tell: TellEvent

  constructor(
    private readonly hearing: Hearing,
    private readonly options: EventFeedOptions
  ) {
    const { sink } = options
    this.stream = hearing.stream()
    this.tell = (event) => sink.push(event)
  }

  /** Nothing more is wanted. */
  get isOver(): boolean {
    return this.over || this.options.sink.isOver
  }

  /** Takes one event's data. `isCut`: the response ended within it. */
  take(data: string, event: string | undefined, isCut = false): void {
    if (this.isOver || data === "") return
    if (data.startsWith("[DONE]")) return this.done()
    const json = parse(data)
    if (event === "error" || (isJsonObject(json) && this.hearing.isError(json, event))) {
      return this.fail(this.options.classify(data, json))
    }
    if (!isJsonObject(json)) {
      if (!isCut && !lifeWord.test(data)) this.options.sink.malformed(data)
      return
    }
    if (isTooDeep(data, json)) return this.options.sink.malformed(data, tooDeep)
    const line = data.includes("\n") ? data.replaceAll("\n", " ") : data
    const isLast = this.stream.read(event === undefined ? { data: line, json } : { event, data: line, json }, this.tell)
    if (isLast && !this.isOver) this.done()
  }

  /** The response ended as its framing says. */
  end(): void {
    if (this.isOver) return
    this.stream.end(this.tell)
    if (!this.isOver) this.options.sink.end()
  }

  /** The stream cannot go on. */
  fail(error: LlmError): void {
    this.over = true
    this.options.sink.fail(error)
  }

  private done(): void {
    this.over = true
    this.stream.end(this.tell, this.options.acceptsMissingFinish)
    this.options.sink.end(true)
    this.options.onDone()
  }
}
