/**
 * The body of a streaming response: a bounded queue between the base service that pushes events and the one reader that
 * pulls them. It knows when the first content came and when an answer is whole, and settles its call exactly once.
 */
import { Cause, Chunk, type Clock, Effect, Option, Stream } from "effect"
import type { LlmError } from "../errors/LlmError.js"
import * as Outcome from "../outcome/Outcome.js"
import { Settlement } from "../outcome/Settlement.js"
import { estimate, type Usage } from "../outcome/Usage.js"
import { nowMs } from "../shared/Time.js"
import { errorOf, promptBlocked } from "./AnswerFailure.js"
import { addedFinish } from "./addedFinish.js"
import { type StreamEvent, StreamFacts } from "./ChatChunk.js"
import * as StreamErrors from "./streamErrors.js"

/** A defect as a failure, and what writes its cause into the log. */
export interface Death {
  readonly error: LlmError
  readonly log: Effect.Effect<void>
}

/** How a base service is told about its stream. All are called synchronously, at most once between opposite calls. */
export interface EventStreamOptions {
  readonly clock: Clock.Clock
  /** Monotonic ms when the attempt began. */
  readonly startedAt: number
  /** Estimated input tokens, asked only when the provider reports no usage. */
  readonly estimateInputTokens: () => number
  /** Whose stream it is, for errors. */
  readonly provider?: string
  readonly deployment?: string
  /** The queue is full: stop reading the socket. */
  readonly pause?: () => void
  /** There is room again. */
  readonly resume?: () => void
  /** Nobody wants the rest, or it is worthless: close the socket. Called at most once, and never after a clean end. */
  readonly abort?: () => void
  /** What to do with an event that is no JSON object: `cut` (default) ends the stream, `skip` counts and goes on. */
  readonly onMalformed?: "cut" | "skip"
  /**
   * What to do when the provider says that it is done, and has not said of every choice why it ends: `cut` (default) takes
   * the answer for cut off, `accept` for whole, and adds the finish reasons.
   */
  readonly onMissingFinish?: "cut" | "accept"
  /** What a defect in the stream means; left out: `Unavailable`, and the cause in the log. */
  readonly onDefect?: (cause: Cause.Cause<unknown>) => Death
}

const highWater = 64
/** Ms on end for which signs of life stand in for content. */
const longestHollow = 300_000
/** Events, and characters of them, that may come before the first content: until then nobody reads them. */
const longestPrelude = 2048
const largestPrelude = 1024 * 1024
const settled = Promise.resolve()
const end: ReadonlyArray<StreamEvent> = []

const endlessPrelude = {
  reason: "MalformedResponse",
  description: `a stream of which ${longestPrelude} events, or ${largestPrelude} characters, hold no content`
} as const

type Waiter = (exit: Effect.Effect<ReadonlyArray<StreamEvent>, LlmError>) => void

/**
 * Takes a batch of events; gives what to wait for before the next one, or nothing. Synchronous. What it throws ends the
 * stream, and blames no deployment.
 */
export type Take = (batch: ReadonlyArray<StreamEvent>) => Effect.Effect<void> | undefined

/**
 * One stream of chunks. The producer calls `push`, `malformed`, `end` and `fail`; the consumer runs `pull` until it gives
 * an empty batch; anyone may `close` it.
 */
export class EventStream {
  readonly settlement = new Settlement(() => nowMs(this.options.clock))
  readonly facts = new StreamFacts()
  /** Events that were no JSON object and were skipped, with `onMalformed: "skip"`. */
  skipped = 0
  /** Monotonic ms since when the reader has been waiting for a sign of life from the upstream; undefined while it is not. */
  waitingSince: number | undefined
  /** Events that came so far: a base service that fed bytes and sees no more of them reports a sign of `life`. */
  heard = 0
  /** Ms that the reader has waited since the last content, in waits that ended with a sign of life. */
  private hollow = 0
  /** As much of it as counts as silence all the same. */
  private carried = 0
  private queue: Array<StreamEvent> = []
  private waiter: Waiter | undefined
  /** The registered `forward`: hands over what is there, or ends. */
  private forwarder: (() => void) | undefined
  private isForwardDue = false
  private contentWaiter: ((exit: Effect.Effect<void, LlmError>) => void) | undefined
  private over: { readonly error: LlmError | undefined } | undefined
  /** What the reader has still to write into the log. */
  private log: Effect.Effect<void> | undefined
  private paused = false
  /** Events and characters that came before the first content. */
  private preludeEvents = 0
  private preludeCharacters = 0

  /** With `onMissingFinish: "accept"`: the last event, as a pattern for one that says why the answer ends. */
  private last: StreamEvent | undefined

  constructor(private readonly options: EventStreamOptions) {}

  /** Takes one parsed event from the upstream. An in-band error event fails the stream, and so does what throws on it. */
  push(event: StreamEvent): void {
    if (this.over !== undefined) return
    try {
      this.add(event)
    } catch (defect) {
      this.died(Cause.die(defect))
    }
  }

  /** Its producer died: the stream fails, and who reads it writes the cause into the log. Harmless after the end. */
  died(cause: Cause.Cause<unknown>): void {
    if (this.over !== undefined) return
    const { error, log } = this.deathOf(cause)
    this.log = log
    this.fail(error)
  }

  private add(event: StreamEvent): void {
    const error = errorOf(event.json)
    if (error !== undefined) return this.fail(StreamErrors.ofEvent(this.options, error))
    this.heard++
    const { steps } = this.facts
    this.facts.read(event.json)
    if (this.facts.steps === steps) this.life()
    else this.hollow = this.carried = 0
    if (this.options.onMissingFinish === "accept") this.last = event
    this.queue.push(event)
    if (!this.settlement.hasContent) {
      if (this.facts.hasContent || this.facts.hasReasoning) this.contentArrived()
      else if (this.isPreludeTooLong(event)) return this.fail(this.error(endlessPrelude))
    }
    if (this.forwarder !== undefined) this.forwardSoon()
    else if (this.waiter !== undefined) this.wakeReader(this.waiter)
    else if (this.queue.length >= highWater && this.settlement.hasContent && !this.paused) {
      this.paused = true
      this.options.pause?.()
    }
  }

  /**
   * The upstream has shown that it lives, by bytes that hold no content: a comment, a ping, a part of an event. Silence
   * begins anew, but after five minutes of nothing else it no longer does.
   */
  life(): void {
    if (this.waitingSince === undefined) return
    const now = nowMs(this.options.clock)
    const waited = now - this.waitingSince
    this.waitingSince = now
    this.hollow += waited
    if (this.hollow > longestHollow) this.carried += waited
  }

  /** Monotonic ms since when the upstream has been silent while its reader waits; undefined while it does not. */
  get silentSince(): number | undefined {
    return this.waitingSince === undefined ? undefined : this.waitingSince - this.carried
  }

  /** Keeps the text of the answer in `facts.keptText`, at most `length` characters; what was read before is not in it. */
  keepText(length: number): void {
    this.facts.keepText(length, this.queue)
  }

  /** Takes an event that is no JSON object: it may have held text, so by default the stream is cut here. */
  malformed(data: string, why = "is not a JSON object"): void {
    if (this.over !== undefined) return
    if (this.options.onMalformed === "skip") {
      this.skipped++
      return
    }
    this.fail(
      this.error({
        reason: "MalformedResponse",
        description: `a stream event ${why} (${data.length} characters)`
      })
    )
  }

  /**
   * The upstream ended by itself, and `saidDone`, or not: a success when the answer is whole, else a cut. A finish reason
   * that content followed is no end, until the provider says that it is done.
   */
  end(saidDone = false): void {
    if (this.over !== undefined) return
    const { facts } = this
    if (saidDone && !facts.hasFinished && this.settlement.hasContent) this.addFinish()
    if (saidDone ? facts.hasFinished : facts.isClosed) return this.complete()
    this.fail(
      this.error({
        reason: "Unavailable",
        description: "the stream ended before the answer was finished",
        code: "cut"
      }),
      true
    )
  }

  /**
   * The stream broke, or a bound ran out. After content was seen the error becomes `StreamInterrupted`; when the answer
   * was whole already, only the goodbye is missing, and it is a success.
   */
  fail(error: LlmError, upstreamGone = false): void {
    if (this.over !== undefined) return
    if (this.facts.isWhole) {
      if (!upstreamGone) this.abort()
      return this.complete()
    }
    const final = this.finalError(error)
    this.over = { error: final }
    this.paused = false
    if (!upstreamGone) this.abort()
    this.settle(Outcome.failed(final, this.settlement.hasContent ? this.usage() : this.facts.usage))
  }

  /** The caller leaves: the upstream is aborted and the call settles as `Abandoned`. Harmless after the end. */
  close(): void {
    const unread = this.queue.length > 0
    this.queue = []
    if (this.over !== undefined) {
      // Who reads on although events were dropped must not take the rest for a clean end.
      if (unread && this.over.error === undefined) this.over = { error: StreamErrors.closed(this.options) }
      return
    }
    this.over = { error: StreamErrors.closed(this.options) }
    this.abort()
    this.settle({ _tag: "Abandoned", usage: this.usage() })
  }

  /** The next batch of events; an empty one means the clean end. One reader only. */
  readonly pull: Effect.Effect<ReadonlyArray<StreamEvent>, LlmError> = Effect.suspend(
    () =>
      this.readyBatch() ??
      Effect.async<ReadonlyArray<StreamEvent>, LlmError>((resume) => {
        // The fiber may have yielded since it looked, and events may have come.
        const ready = this.readyBatch()
        if (ready !== undefined) return resume(ready)
        this.waitingSince = nowMs(this.options.clock)
        this.waiter = resume
        return Effect.sync(() => {
          if (this.waiter !== resume) return
          this.waiter = undefined
          this.waitingSince = undefined
        })
      })
  )

  /**
   * Gives every batch to `take` in the producer's own turn, until the clean end; fails with what ends the stream before. In
   * place of `pull`, for a server's edge: a fiber that wakes for each chunk costs more than all that is done with it.
   */
  forward(take: Take): Effect.Effect<void, LlmError> {
    const next: Effect.Effect<void, LlmError> = Effect.suspend(
      () =>
        this.forwardReady(take, next) ??
        Effect.async<void, LlmError>((resume) => {
          const ready = this.forwardReady(take, next)
          if (ready !== undefined) return resume(ready)
          const forwarder = (): void => {
            const outcome = this.forwardReady(take, next)
            if (outcome === undefined) {
              this.waitingSince = nowMs(this.options.clock)
              return
            }
            forget()
            resume(outcome)
          }
          const forget = (): void => {
            if (this.forwarder !== forwarder) return
            this.forwarder = undefined
            this.waitingSince = undefined
          }
          this.waitingSince = nowMs(this.options.clock)
          this.forwarder = forwarder
          return Effect.sync(forget)
        })
    )
    return next
  }

  /**
   * Succeeds at the first content, or at a clean end without any; fails with whatever ends the stream before. The events
   * stay in the queue.
   */
  readonly awaitContent: Effect.Effect<void, LlmError> = Effect.suspend(
    () =>
      this.readyContent() ??
      Effect.async<void, LlmError>((resume) => {
        const ready = this.readyContent()
        if (ready !== undefined) return resume(ready)
        this.contentWaiter = resume
        return Effect.sync(() => {
          if (this.contentWaiter === resume) this.contentWaiter = undefined
        })
      })
  )

  /** The stream's estimated or reported usage so far. */
  usage(): Usage {
    return this.facts.usage ?? estimate(this.options.estimateInputTokens(), Math.ceil(this.facts.characters / 4))
  }

  /**
   * Gives a batch to a reader; belongs to `forward`, and to streams around this one. What the reader throws ends the stream,
   * and to begin again elsewhere would help nobody.
   */
  give(take: Take, batch: ReadonlyArray<StreamEvent>): Effect.Effect<void, LlmError> | undefined {
    try {
      return take(batch)
    } catch (defect) {
      const { error, log } = this.deathOf(Cause.die(defect))
      return Effect.zipRight(log, Effect.fail(this.breakOff(StreamErrors.ofReader(error))))
    }
  }

  /** Ends the stream because of its reader; gives the error as the reader is told of it. */
  private breakOff(error: LlmError): LlmError {
    const final = this.finalError(error)
    const wasOver = this.over !== undefined
    this.queue = []
    this.over = { error: final }
    if (wasOver) return final
    this.abort()
    this.settle(Outcome.failed(final, this.usage()))
    return final
  }

  /** Hands over what is queued. Nothing is returned while there is more to come and nothing to wait for. */
  private forwardReady(take: Take, next: Effect.Effect<void, LlmError>): Effect.Effect<void, LlmError> | undefined {
    while (this.queue.length > 0) {
      const wait = this.give(take, this.takeQueue())
      if (wait !== undefined) return Effect.zipRight(wait, next)
    }
    return this.over === undefined ? undefined : this.ending(this.over.error)
  }

  /** Runs where nobody can catch anything. */
  private readonly forwardNow = (): void => {
    this.isForwardDue = false
    try {
      this.forwarder?.()
    } catch (defect) {
      this.died(Cause.die(defect))
    }
  }

  /** Events that come in one turn, as those of one packet do, are handed over together. */
  private forwardSoon(): void {
    if (this.isForwardDue) return
    this.isForwardDue = true
    // A promise's reaction and not `queueMicrotask`, which on Node makes an async resource for each call.
    void settled.then(this.forwardNow)
  }

  private readyBatch(): Effect.Effect<ReadonlyArray<StreamEvent>, LlmError> | undefined {
    if (this.queue.length > 0) return Effect.succeed(this.takeQueue())
    return this.over === undefined ? undefined : this.finalBatch(this.over.error)
  }

  private readyContent(): Effect.Effect<void, LlmError> | undefined {
    if (this.settlement.hasContent) return Effect.void
    return this.over === undefined ? undefined : this.ending(this.over.error)
  }

  private finalBatch(error: LlmError | undefined): Effect.Effect<ReadonlyArray<StreamEvent>, LlmError> {
    if (error === undefined && this.log === undefined) return Effect.succeed(end)
    return Effect.as(this.ending(error), end)
  }

  private finalError(error: LlmError): LlmError {
    const { blocked, finishReason } = this.facts
    if (this.settlement.hasContent) {
      return error.reason === "StreamInterrupted"
        ? error
        : error.with({ reason: "StreamInterrupted", interruptedBy: error.reason })
    }
    return blocked === undefined || finishReason !== undefined ? error : this.error(promptBlocked(blocked))
  }

  private addFinish(): void {
    const { facts, last } = this
    if (last === undefined) return
    this.push(addedFinish(last, facts))
  }

  private complete(): void {
    this.over = { error: undefined }
    // The upstream may still hold its goodbye back; nothing is left that backpressure could protect from.
    this.resumeUpstream()
    const now = nowMs(this.options.clock)
    const outcome = {
      _tag: "Completed",
      usage: this.usage(),
      timeToFirstToken: (this.settlement.firstContentAt ?? now) - this.options.startedAt,
      duration: now - this.options.startedAt
    } as const
    this.settle(outcome, now)
  }

  /** Whoever is told of the end may die of it: the reader learns of the end all the same. */
  private settle(outcome: Outcome.Outcome, at = nowMs(this.options.clock)): void {
    try {
      this.settlement.settle(outcome, at)
    } catch (defect) {
      this.log ??= this.deathOf(Cause.die(defect)).log
    }
    this.wake()
  }

  private deathOf(cause: Cause.Cause<unknown>): Death {
    return (
      this.options.onDefect?.(cause) ?? {
        error: this.error({ reason: "Unavailable", description: "the stream died", code: "defect" }),
        log: Effect.logError("a stream died", cause)
      }
    )
  }

  /** What a reader is told at the end. */
  private ending(error: LlmError | undefined): Effect.Effect<void, LlmError> {
    const { log } = this
    const told = error === undefined ? Effect.void : Effect.fail(error)
    if (log === undefined) return told
    this.log = undefined
    return Effect.zipRight(log, told)
  }

  private isPreludeTooLong({ data }: StreamEvent): boolean {
    this.preludeCharacters += data.length
    return ++this.preludeEvents > longestPrelude || this.preludeCharacters > largestPrelude
  }

  private contentArrived(): void {
    this.settlement.firstContent()
    this.contentWaiter?.(Effect.void)
    this.contentWaiter = undefined
  }

  private takeQueue(): ReadonlyArray<StreamEvent> {
    const batch = this.queue
    this.queue = []
    this.resumeUpstream()
    return batch
  }

  private resumeUpstream(): void {
    if (!this.paused) return
    this.paused = false
    this.options.resume?.()
  }

  private abort(): void {
    this.paused = false
    this.options.abort?.()
  }

  /** The reader takes the queue when it runs, not here: if it is interrupted before, no event is lost. */
  private wakeReader(waiter: Waiter): void {
    this.waiter = undefined
    this.waitingSince = undefined
    waiter(this.pull)
  }

  private wake(): void {
    if (this.over === undefined) return
    const { contentWaiter } = this
    this.contentWaiter = undefined
    contentWaiter?.(this.ending(this.over.error))
    if (this.waiter !== undefined) this.wakeReader(this.waiter)
    if (this.forwarder !== undefined) this.forwardSoon()
  }

  private error(fields: ConstructorParameters<typeof LlmError>[0]): LlmError {
    return StreamErrors.make(this.options, fields)
  }
}

/** The events as an Effect `Stream`; ending the stream early closes the call. */
export const toStream = (events: EventStream): Stream.Stream<StreamEvent, LlmError> =>
  Stream.repeatEffectChunkOption(
    Effect.matchEffect(events.pull, {
      onFailure: (error) => Effect.fail(Option.some(error)),
      onSuccess: (batch) =>
        batch.length === 0 ? Effect.fail(Option.none()) : Effect.succeed(Chunk.unsafeFromArray(batch))
    })
  ).pipe(Stream.ensuring(Effect.sync(() => events.close())))
