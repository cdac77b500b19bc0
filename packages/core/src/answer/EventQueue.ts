/**
 * The stream that base services feed: a bounded queue between the base service that pushes events and the one reader that
 * pulls them. It knows when the first content came and when an answer is whole, and settles its call exactly once.
 */
import { Cause, Effect } from "effect"
import { promptBlocked } from "../dialect/AnswerFailure.js"
import { type StreamEvent, StreamFacts } from "../dialect/ChatChunk.js"
import type { AnswerWords, EventReader } from "../dialect/Dialect.js"
import { openAi } from "../dialect/OpenAi.js"
import type { LlmError } from "../errors/LlmError.js"
import * as Outcome from "../outcome/Outcome.js"
import { Settlement } from "../outcome/Settlement.js"
import { estimate, type Usage, withUnits } from "../outcome/Usage.js"
import { nowMs } from "../shared/Time.js"
import { type Batch, ReadSide, type Take } from "./readSide.js"
import * as StreamErrors from "./streamErrors.js"
import type { Death, EventStreamOptions } from "./streamOptions.js"

const highWater = 64
/** Bytes that wait for their reader, of answers that are no JSON: as much as an upstream's socket holds. */
const highBytes = 256 * 1024
/** Events, and characters of them, that may come before the first content: until then nobody reads them. */
const longestPrelude = 2048
const largestPrelude = 1024 * 1024

const endlessPrelude = {
  reason: "MalformedResponse",
  description: `a stream of which ${longestPrelude} events, or ${largestPrelude} characters, hold no content`
} as const

/**
 * One stream of chunks. The producer calls `push`, `malformed`, `end` and `fail`; the consumer runs `pull` until it gives
 * an empty batch; anyone may `close` it. It is an `EventStream`, which that module makes sure of.
 */
export class EventQueue extends ReadSide {
  readonly settlement = new Settlement(() => nowMs(this.options.clock))
  readonly facts = new StreamFacts()
  /** Events that were no JSON object and were skipped, with `onMalformed: "skip"`. */
  skipped = 0
  /** Events that came so far: a base service that fed bytes and sees no more of them reports a sign of `life`. */
  heard = 0
  private queue: Array<StreamEvent> = []
  private over: { readonly error: LlmError | undefined } | undefined
  /** What the reader has still to write into the log. */
  private log: Effect.Effect<void> | undefined
  private paused = false
  /** Bytes in the queue, of answers that are no JSON. */
  private queuedBytes = 0
  /** Events and characters that came before the first content. */
  private preludeEvents = 0
  private preludeCharacters = 0

  /** Of another dialect than OpenAI's, whose chunks the facts read by themselves. */
  private readonly foreign: { readonly words: AnswerWords; readonly reader: EventReader } | undefined
  /** With `onMissingFinish: "accept"`: the last event, as a pattern for one that says why the answer ends. */
  private last: StreamEvent | undefined

  constructor(private readonly options: EventStreamOptions) {
    super(options.clock, options.soon)
    const { dialect } = options
    this.foreign =
      dialect === undefined || dialect === openAi
        ? undefined
        : { words: dialect.answer, reader: dialect.answer.reader() }
  }

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
    const { foreign } = this
    const error = (foreign?.words ?? openAi.answer).error(event)
    if (error !== undefined) return this.fail(StreamErrors.ofEvent(this.options, error))
    this.heard++
    const { steps } = this.facts
    if (foreign === undefined) this.facts.take(event)
    else this.readForeign(foreign.reader, event)
    if (this.facts.steps === steps) this.life()
    else this.silence.broken()
    if (this.options.onMissingFinish === "accept") this.last = event
    this.queue.push(event)
    if (!this.settlement.hasContent) {
      if (this.facts.hasContent || this.facts.hasReasoning) this.contentArrived()
      else if (this.isPreludeTooLong(event)) return this.fail(this.error(endlessPrelude))
    }
    if (!this.wakeForEvent() && this.isFull && this.settlement.hasContent && !this.paused) {
      this.paused = true
      this.options.pause?.()
    }
  }

  private readForeign(reader: EventReader, event: StreamEvent): void {
    const { facts } = this
    if (facts.keeps) facts.keep(reader.text(event))
    if (event.bytes !== undefined) this.queuedBytes += event.bytes.length
    reader.read(event, facts)
  }

  private get isFull(): boolean {
    return this.queue.length >= highWater || this.queuedBytes >= highBytes
  }

  /**
   * The upstream has shown that it lives, by bytes that hold no content: a comment, a ping, a part of an event. Silence
   * begins anew, but after five minutes of nothing else it no longer does.
   */
  life(): void {
    if (this.waitingSince !== undefined) this.silence.life(nowMs(this.options.clock))
  }

  /** Monotonic ms since when the upstream has been silent while its reader waits; undefined while it does not. */
  get silentSince(): number | undefined {
    return this.silence.since
  }

  /** Keeps the text of the answer in `facts.keptText`, at most `length` characters; what was read before is not in it. */
  keepText(length: number): void {
    const { foreign } = this
    if (foreign === undefined) this.facts.keepText(length, this.queue)
    else this.facts.keepText(length, this.queue, (event) => foreign.reader.text(event))
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
    if (facts.isBytes || (saidDone ? facts.hasFinished : facts.isClosed)) return this.complete()
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

  /** The stream's estimated or reported usage so far; figures that came with its beginning know nothing of what came since. */
  usage(): Usage {
    const { facts, options } = this
    const written = Math.ceil(facts.characters / 4)
    const told = facts.usage ?? estimate(options.estimateInputTokens(), written)
    const isEarly = !facts.hasFinished && told.outputTokens < written
    const usage = isEarly ? { ...told, outputTokens: written, estimated: true } : told
    return this.foreign === undefined ? usage : withUnits(usage, options.unitsAsked?.(), facts.units)
  }

  /**
   * Gives a batch to a reader; belongs to `forward`, and to streams around this one. What the reader throws ends the stream,
   * and to begin again elsewhere would help nobody.
   */
  give(take: Take, batch: Batch): Effect.Effect<void, LlmError> | undefined {
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
    const { addedFinish } = (this.options.dialect ?? openAi).answer
    if (addedFinish !== undefined) for (const event of addedFinish(last, facts)) this.push(event)
  }

  private complete(): void {
    this.over = { error: undefined }
    // The upstream may still hold its goodbye back; nothing is left that backpressure could protect from.
    this.resumeUpstream()
    const now = nowMs(this.options.clock)
    const { startedAt } = this.options
    const timeToFirstToken = (this.settlement.firstContentAt ?? now) - startedAt
    this.settle({ _tag: "Completed", usage: this.usage(), timeToFirstToken, duration: now - startedAt }, now)
  }

  /** Whoever is told of the end may die of it: the reader learns of the end all the same. */
  private settle(outcome: Outcome.Outcome, at = nowMs(this.options.clock)): void {
    try {
      this.settlement.settle(outcome, at)
    } catch (defect) {
      this.log ??= this.deathOf(Cause.die(defect)).log
    }
    this.wakeForEnd()
  }

  private deathOf(cause: Cause.Cause<unknown>): Death {
    return (
      this.options.onDefect?.(cause) ?? {
        error: this.error({ reason: "Unavailable", description: "the stream died", code: "defect" }),
        log: Effect.logError("a stream died", cause)
      }
    )
  }

  protected get hasContent(): boolean {
    return this.settlement.hasContent
  }

  protected told(): Effect.Effect<void, LlmError> | undefined {
    const { log, over } = this
    if (over === undefined) return undefined
    const { error } = over
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
    this.wakeForContent()
  }

  protected takeQueue(): Batch | undefined {
    if (this.queue.length === 0) return undefined
    const batch = this.queue
    this.queue = []
    this.queuedBytes = 0
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

  private error(fields: ConstructorParameters<typeof LlmError>[0]): LlmError {
    return StreamErrors.make(this.options, fields)
  }
}
