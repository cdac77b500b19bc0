/**
 * What takes the bytes of a stream, and where its events go.
 */
import type { StreamEvent } from "@switchyard/core/ChatChunk"
import type { LlmError } from "@switchyard/core/LlmError"

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
  /** The bytes make no sense. */
  readonly broken: (description: string) => LlmError
  /** `[DONE]` came: the answer is over, its connection maybe not yet. */
  readonly onDone: () => void
  /** Whether an answer that does not say why it ends is whole once its provider says that it is done. Default false. */
  readonly acceptsMissingFinish?: boolean
}

/** Takes the bytes of a stream. */
export interface Feed {
  readonly data: (chunk: Uint8Array) => void
  readonly end: () => void
}
