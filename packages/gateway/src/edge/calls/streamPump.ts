import type { StreamEvent } from "@switchyard/core/Dialect"
import type { EventStream } from "@switchyard/core/EventStream"
import type { LlmError } from "@switchyard/core/LlmError"
import type { CompleteResponse } from "@switchyard/core/LlmResponse"
import type { Usage } from "@switchyard/core/Usage"
import { Effect } from "effect"
import type { Around, Told } from "../../errors/spokenError.js"
import type { Pieces } from "./chunkedBody.js"
import type { Manner, StreamWriter } from "./StreamWriter.js"

/** Writes one stream. */
export interface EventEncoder extends Manner {
  readonly encode: (batch: ReadonlyArray<StreamEvent>) => string
  /** The same, with bytes that go on as they came; left out where none do. */
  readonly pieces?: (batch: ReadonlyArray<StreamEvent>) => Pieces
  /** What follows the last event of an answer that is whole. */
  readonly ending: (usage: Usage | undefined) => string
  /** A whole answer as a stream, its end included. */
  readonly whole: (answer: CompleteResponse) => string
  /** An error, after which nothing comes. */
  readonly failure: (told: Told, around: Around) => string
}

/** Forwards a stream to its end, and ends the answer; fails with what cut it. */
export const pump = (
  events: EventStream,
  writer: StreamWriter,
  encoder: EventEncoder
): Effect.Effect<void, LlmError> => {
  const forwarded = events.forward((batch) => {
    // The end follows at once, and goes out with the last events.
    const isLast = events.settlement.outcome !== undefined
    if (isLast) writer.hold()
    const hasRoom = writer.write(encoder.pieces?.(batch) ?? encoder.encode(batch))
    return hasRoom || isLast ? undefined : writer.drained
  })
  return Effect.map(forwarded, () => {
    writer.finish(encoder.ending(events.settlement.outcome?.usage))
  })
}
