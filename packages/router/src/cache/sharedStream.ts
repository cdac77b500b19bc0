import type { StreamEvent } from "@switchyard/core/ChatChunk"
import type { Dialect } from "@switchyard/core/Dialect"
import { EventQueue } from "@switchyard/core/EventQueue"
import type { EventStream } from "@switchyard/core/EventStream"
import type { LlmError } from "@switchyard/core/LlmError"
import { zero } from "@switchyard/core/Usage"
import { type Clock, Effect } from "effect"
import { eventBytes } from "./textBytes.js"

/** What a reader is made from. */
export interface ReaderOptions {
  readonly clock: Clock.Clock
  /** Monotonic ms when the reader's own request began to wait. */
  readonly startedAt: number
  readonly estimateInputTokens: () => number
  /** The language of the events; undefined is OpenAI's. */
  readonly dialect: Dialect | undefined
  /** Whether the reader answers for what the call used; for all others the answer costs nothing. */
  readonly isBearer: () => boolean
  /** The reader leaves before the end. */
  readonly onLeave: () => void
}

/** One of those who read a shared stream, each at its own pace. */
export class Reader {
  readonly events: EventQueue
  /** Index of the event that it is given next. */
  at = 0
  /** Bytes of the events that it was given. */
  bytes = 0
  /** It has enough in hand for now. */
  isFull = false
  private isDone = false

  constructor(
    private readonly options: ReaderOptions,
    onRoom: (reader: Reader) => void
  ) {
    const { clock, dialect, estimateInputTokens, startedAt } = options
    this.events = new EventQueue({
      clock,
      startedAt,
      estimateInputTokens,
      dialect,
      pause: () => {
        this.isFull = true
      },
      resume: () => {
        this.isFull = false
        onRoom(this)
      },
      abort: () => {
        this.settleUsage()
        options.onLeave()
      }
    })
  }

  /** All that it is ever given was given: the clean end, or the error that ended the stream. */
  finish(error: LlmError | undefined, skipped: number): void {
    if (this.isDone) return
    this.isDone = true
    this.settleUsage()
    this.events.skipped = skipped
    if (error === undefined) this.events.end()
    else this.events.fail(error, true)
  }

  /** Its request is over: what it has not been given yet is not wanted. */
  close(): void {
    if (!this.isDone) this.events.close()
  }

  private settleUsage(): void {
    if (!this.options.isBearer()) this.events.facts.usage = zero
  }
}

/** What the owner of a shared stream is told, each once and before the readers know. */
export interface SharedStreamListener {
  /** It has become too long to be kept. */
  readonly onTooLong: () => void
  /** It has ended, cleanly or not. */
  readonly onEnd: () => void
}

interface Logged {
  readonly event: StreamEvent
  /** Bytes of the stream up to the end of this event. */
  readonly end: number
}

/** Dropping the head of an array moves the rest of it, so it is done for many events at once. */
const trimStep = 64

/**
 * One stream with many readers. It keeps what came so far, so that who joins late gets everything; once that is more than
 * `maxBytes` the beginning is dropped, and nobody can join. It reads on when some reader has room, as long as the slowest
 * is less than `maxBytes` behind.
 */
export class SharedStream {
  private readonly readers = new Set<Reader>()
  private log: Array<Logged> = []
  private dropped = 0
  private bytes = 0
  private over: { readonly error: LlmError | undefined } | undefined
  private wake: (() => void) | undefined
  private whole = true

  constructor(
    private readonly source: EventStream,
    private readonly maxBytes: number,
    private readonly listener: SharedStreamListener
  ) {}

  /** Everything is still there, from the first event on. */
  get isWhole(): boolean {
    return this.whole
  }

  /** The texts of all events of a stream that ended cleanly; undefined for every other. */
  get texts(): ReadonlyArray<string> | undefined {
    const isClean = this.over !== undefined && this.over.error === undefined && this.source.skipped === 0
    return isClean && this.whole ? this.log.map(({ event }) => event.data) : undefined
  }

  /** A reader from the first event on. */
  open(options: ReaderOptions): Reader {
    const reader = new Reader(options, (ready) => {
      this.feed(ready)
      this.wakeUp()
    })
    this.readers.add(reader)
    this.feed(reader)
    this.wakeUp()
    return reader
  }

  /** Forgets a reader that leaves. */
  drop(reader: Reader): void {
    if (this.readers.delete(reader)) this.wakeUp()
  }

  /** Ends it for every reader, after what came so far. Harmless after the end. */
  fail(error: LlmError): void {
    if (this.over === undefined) this.end(error)
  }

  /** Reads the source to its end, no faster than the readers want. */
  readonly pump: Effect.Effect<void> = Effect.suspend(() =>
    this.wantsMore
      ? Effect.matchEffect(this.source.pull, {
          onFailure: (error) => Effect.sync(() => this.end(error)),
          onSuccess: (batch) => {
            if (batch.length === 0) return Effect.sync(() => this.end(undefined))
            this.take(batch)
            return this.pump
          }
        })
      : Effect.zipRight(this.awaitDemand, this.pump)
  )

  private readonly awaitDemand: Effect.Effect<void> = Effect.async((resume) => {
    if (this.wantsMore) return resume(Effect.void)
    this.wake = () => resume(Effect.void)
    return Effect.sync(() => {
      this.wake = undefined
    })
  })

  private wakeUp(): void {
    if (this.wake === undefined || !this.wantsMore) return
    const { wake } = this
    this.wake = undefined
    wake()
  }

  private get wantsMore(): boolean {
    let isWanted = false
    let slowest = Number.POSITIVE_INFINITY
    for (const reader of this.readers) {
      isWanted ||= !reader.isFull
      slowest = Math.min(slowest, reader.bytes)
    }
    return isWanted && (this.whole || this.bytes - slowest < this.maxBytes)
  }

  private take(batch: ReadonlyArray<StreamEvent>): void {
    for (const event of batch) {
      this.bytes += eventBytes(event.data)
      this.log.push({ event, end: this.bytes })
    }
    if (this.whole && this.bytes > this.maxBytes) {
      this.whole = false
      this.listener.onTooLong()
    }
    this.feedAll()
  }

  private end(error: LlmError | undefined): void {
    this.over = { error }
    this.listener.onEnd()
    this.feedAll()
  }

  private feedAll(): void {
    for (const reader of this.readers) this.feed(reader)
    if (!this.whole) this.trim()
  }

  private feed(reader: Reader): void {
    while (!reader.isFull) {
      const logged = this.log[reader.at - this.dropped]
      if (logged === undefined) break
      reader.at++
      reader.bytes = logged.end
      reader.events.push(logged.event)
    }
    if (this.over === undefined || reader.at < this.dropped + this.log.length) return
    this.readers.delete(reader)
    reader.finish(this.over.error, this.source.skipped)
  }

  private trim(): void {
    let slowest = this.dropped + this.log.length
    for (const reader of this.readers) slowest = Math.min(slowest, reader.at)
    const count = slowest - this.dropped
    if (count < trimStep) return
    this.log.splice(0, count)
    this.dropped = slowest
  }
}
