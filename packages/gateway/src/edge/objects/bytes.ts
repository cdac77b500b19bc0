/**
 * Answers that come as bytes: passed on no faster than they are read, or put together where they are short.
 */
import type { ServerResponse } from "node:http"
import * as EventStream from "@switchyard/core/EventStream"
import { LlmError } from "@switchyard/core/LlmError"
import { Effect, Stream } from "effect"

/** Bytes of an answer that is looked through for ids. */
const maxJson = 16 * 1024 * 1024

const tooLarge = new LlmError({
  reason: "MalformedResponse",
  description: `the answer is larger than ${maxJson} bytes, too large to seal the ids in it`
})

/** The caller has room again, or is gone; then the server interrupts the fiber. */
const drained = (response: ServerResponse): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const onDrain = (): void => resume(Effect.void)
    if (!response.writableNeedDrain) return onDrain()
    response.once("drain", onDrain)
    return Effect.sync(() => response.off("drain", onDrain))
  })

/** Forwards an answer to its end; fails with what cut it. */
export const pumped = (events: EventStream.EventStream, response: ServerResponse): Effect.Effect<void, LlmError> =>
  events.forward((batch) => {
    let hasRoom = true
    for (const { bytes } of batch) if (bytes !== undefined && bytes.length > 0) hasRoom = response.write(bytes)
    return hasRoom ? undefined : drained(response)
  })

/** An answer as a text. */
export const collected = (events: EventStream.EventStream): Effect.Effect<string, LlmError> => {
  const pieces: Array<Uint8Array> = []
  let size = 0
  return Effect.map(
    events.forward((batch) => {
      for (const { bytes = new Uint8Array(0) } of batch) {
        size += bytes.length
        pieces.push(bytes)
      }
      if (size > maxJson) events.fail(tooLarge)
      return undefined
    }),
    () => Buffer.concat(pieces).toString()
  )
}

/** An answer's bytes, one piece after the other. */
export const iterated = (events: EventStream.EventStream): AsyncIterable<Uint8Array> =>
  Stream.toAsyncIterable(Stream.map(EventStream.toStream(events), ({ bytes }) => bytes ?? new Uint8Array(0)))
