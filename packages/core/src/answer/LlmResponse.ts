/**
 * A response: a whole answer, or a stream of chunks that has begun.
 */

import type { Completion } from "../dialect/Chat.js"
import type { Journal } from "../outcome/Journal.js"
import type { Completed } from "../outcome/Outcome.js"
import type { EventStream } from "./EventStream.js"

/** What a call succeeds with. */
export type LlmResponse = CompleteResponse | StreamingResponse

/** Response headers in lower case, as the provider sent them. */
export type Headers = Readonly<Record<string, string>>

/** A whole answer. */
export interface CompleteResponse {
  readonly _tag: "Complete"
  readonly status: number
  readonly headers: Headers
  /** The provider's answer in the dialect of the request (the type is OpenAI's), parsed once. Its fields are as providers send them, not as a check has found them. */
  readonly body: Completion
  /** The text that `body` was parsed from, to forward without encoding it again; empty where there are `bytes`. */
  readonly raw: string
  /** What a large answer came in. Only for requests that say `forwards`. */
  readonly bytes?: Uint8Array
  /** How the call ended, with its usage. */
  readonly outcome: Completed
  /** How the request was routed; `journal.report()` reads it. */
  readonly journal: Journal
}

/** An answer that comes chunk by chunk. Whoever gets it reads it to the end or closes it; the accessors see to that. */
export interface StreamingResponse {
  readonly _tag: "Streaming"
  readonly status: number
  readonly headers: Headers
  readonly events: EventStream
  /** How the request was routed; final once the stream has settled. */
  readonly journal: Journal
}
