import type { StreamEvent } from "@switchyard/core/Dialect"
import type { EventStream } from "@switchyard/core/EventStream"
import type { LlmError } from "@switchyard/core/LlmError"
import type { CompleteResponse } from "@switchyard/core/LlmResponse"
import type { Usage } from "@switchyard/core/Usage"
import { Effect } from "effect"
import type { Around, Told } from "../../errors/spokenError.js"
import type { Manner, StreamWriter } from "./StreamWriter.js"

/** Writes one stream. */
export interface EventEncoder extends Manner {
  readonly encode: (batch: ReadonlyArray<StreamEvent>) => string
  /** What follows the last event of an answer that is whole. */
  readonly ending: (usage: Usage | undefined) => string
  /** A whole answer as a stream, its end included. */
  readonly whole: (answer: CompleteResponse) => string
  /** An error, after which nothing comes. */
  readonly failure: (told: Told, around: Around) => string
}

/** Forwards a stream to its end; fails with what cut it. */
export const pump = (
  events: EventStream,
  writer: StreamWriter,
  encoder: EventEncoder
): Effect.Effect<void, LlmError> => {
  const forwarded = events.forward((batch) => {
    const text = encoder.encode(batch)
    return text === "" || writer.write(text) ? undefined : writer.drained
  })
  return Effect.map(forwarded, () => {
    writer.write(encoder.ending(events.settlement.outcome?.usage))
  })
}
