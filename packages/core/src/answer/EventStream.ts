/**
 * The body of a streaming response, as its one reader and the layers on its way see it: what came so far, how it settles, and
 * the ways to read it. `EventQueue` is what base services feed; a layer that makes a stream of its own implements this.
 */
import { Chunk, Effect, Option, Stream } from "effect"
import type { StreamEvent, StreamFacts } from "../dialect/ChatChunk.js"
import type { LlmError } from "../errors/LlmError.js"
import type { Settlement } from "../outcome/Settlement.js"
import type { Usage } from "../outcome/Usage.js"
import { EventQueue } from "./EventQueue.js"
import type { Take } from "./readSide.js"
import type { Death, EventStreamOptions } from "./streamOptions.js"

export type { Death, EventStreamOptions, Take }

/** One stream of chunks. It has one reader, by `pull` or by `forward`; anyone may `close` it. */
export interface EventStream {
  /** First content, and how it ended: layers register here and wrap no chunk. */
  readonly settlement: Settlement
  /** What the chunks so far have said. */
  readonly facts: StreamFacts
  /** Events that were no JSON object and were skipped. */
  readonly skipped: number
  /** Monotonic ms since when the upstream has been silent while its reader waits; undefined while it does not. */
  readonly silentSince: number | undefined
  /** The next batch of events; an empty one means the clean end. */
  readonly pull: Effect.Effect<ReadonlyArray<StreamEvent>, LlmError>
  /** Gives every batch to `take` in the producer's own turn, until the clean end; fails with what ends the stream before. */
  readonly forward: (take: Take) => Effect.Effect<void, LlmError>
  /** Succeeds at the first content, or at a clean end without any; fails with what ends the stream before. Takes no event. */
  readonly awaitContent: Effect.Effect<void, LlmError>
  /** The estimated or reported usage so far. */
  readonly usage: () => Usage
  /** Keeps the text of the answer in `facts.keptText`, at most `length` characters; what was read before is not in it. */
  readonly keepText: (length: number) => void
  /** A bound ran out, or the upstream is worth nothing more: it fails, unless its answer was whole already. */
  readonly fail: (error: LlmError) => void
  /** The caller leaves: the upstream is aborted and the call settles as `Abandoned`. Harmless after the end. */
  readonly close: () => void
  /** Gives a batch to a reader, for streams around this one; what the reader throws ends the stream, and is its own fault. */
  readonly give: (take: Take, batch: ReadonlyArray<StreamEvent>) => Effect.Effect<void, LlmError> | undefined
}

/** A stream that is fed: `push`, `malformed`, `end` and `fail` are its producer's. */
export const make = (options: EventStreamOptions): EventQueue & EventStream => new EventQueue(options)

/** What makes a stream that is fed, as `make` does: `new EventStream(options)`. */
export const EventStream: new (options: EventStreamOptions) => EventQueue & EventStream = EventQueue

/** The events as an Effect `Stream`; ending the stream early closes the call. */
export const toStream = (events: EventStream): Stream.Stream<StreamEvent, LlmError> =>
  Stream.repeatEffectChunkOption(
    Effect.matchEffect(events.pull, {
      onFailure: (error) => Effect.fail(Option.some(error)),
      onSuccess: (batch) =>
        batch.length === 0 ? Effect.fail(Option.none()) : Effect.succeed(Chunk.unsafeFromArray(batch))
    })
  ).pipe(Stream.ensuring(Effect.sync(() => events.close())))
