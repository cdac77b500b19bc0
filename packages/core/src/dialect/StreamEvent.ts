/**
 * One event of a stream, as layers and readers hand it on.
 */
import type { Chunk } from "./Chat.js"

/** One event of a stream: the JSON text as it came, and what it parsed to. */
export interface StreamEvent {
  /** Its name, in dialects whose events have one. */
  readonly event?: string
  readonly data: string
  readonly json: Chunk
  /** Of an answer that is no JSON, as audio or a plain transcript: its next bytes. `data` and `json` are empty then. */
  readonly bytes?: Uint8Array
}

const nothing: Chunk = {}

/** The next bytes of an answer that is no JSON. */
export const ofBytes = (bytes: Uint8Array): StreamEvent => ({ data: "", json: nothing, bytes })
