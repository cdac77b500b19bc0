import type { Chunk } from "./Chat.js"

/** One event of a stream: the JSON text as it came, and what it parsed to. */
export interface StreamEvent {
  /** Its name, in dialects whose events have one. */
  readonly event?: string
  readonly data: string
  readonly json: Chunk
}
