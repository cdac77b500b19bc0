/**
 * One attempt on the wire: it listens to the transport, unpacks what comes, and keeps the pace of whoever reads.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { LlmError } from "@switchyard/core/LlmError"
import type { Headers } from "@switchyard/core/LlmResponse"
import { type Clock, Effect } from "effect"
import type { TransportError, TransportHandle, TransportHandlers } from "../transport/wire.js"
import type { AnswerSettings, Plainer, Resume, Wire } from "./answering.js"
import { AnswerReader } from "./answerReader.js"
import { AttemptErrors } from "./attemptErrors.js"
import type { Hearing } from "./hearing.js"
import type { Lingering, Waiting } from "./lingering.js"
import { codingsOf, isPacked, Unpacker } from "./unpacker.js"

/** Bounds and ways of a base service, decoded. */
export interface ExchangeSettings extends AnswerSettings {
  readonly lingering: Lingering
}

/** Bytes that a server may send after `[DONE]` before it loses the connection. */
const maxAfterDone = 64 * 1024

/** The handlers of one request. */
export class Exchange implements TransportHandlers, Wire, Waiting {
  seat = -1
  waitsSince = 0
  private readonly answer: AnswerReader
  private handle: TransportHandle | undefined
  private aborted = false
  private paused = false
  private bytesAfterDone = -1
  /** How a body is still to be unpacked; undefined once its first bytes have come. */
  private codings: ReadonlyArray<string> | undefined
  private unpacker: Unpacker | undefined
  /** The unpacker has more than it can take. */
  private choked = false
  /** What broke the connection, told once everything before is unpacked. */
  private broken: TransportError | undefined

  constructor(
    private readonly settings: ExchangeSettings,
    private readonly attempt: Attempt,
    clock: Clock.Clock,
    secrets: ReadonlyArray<string>,
    resume: Resume,
    plainer?: Plainer,
    hearing?: Hearing
  ) {
    const errors = new AttemptErrors(attempt, clock, secrets)
    const answer = new AnswerReader(settings, attempt, clock, errors, this, resume, plainer, hearing)
    this.answer = answer
    attempt.expire = (error) => {
      if (answer.events !== undefined) return
      this.abort()
      resume(error === undefined ? Effect.interrupt : Effect.fail(error))
    }
  }

  /** Nothing more is wanted of the answer. */
  get isOver(): boolean {
    return this.aborted || this.bytesAfterDone >= 0
  }

  /** Told once, when the request is on its way; the answer may have come, or been refused, before. */
  runsOn(handle: TransportHandle): void {
    this.handle = handle
    if (this.aborted) handle.abort()
    else if (this.paused) handle.pause()
  }

  /** Asks again, in a request without what the provider refused. */
  ask(plainer: Plainer): void {
    this.unpacker = undefined
    this.runsOn(plainer.send(this))
  }

  /** Breaks the request off: its caller left, or its answer is worth nothing. */
  abort(): void {
    this.aborted = true
    this.handle?.abort()
    this.unpacker?.abort()
  }

  /** Its own body cannot be read: whatever becomes of the connection says less. */
  unsendable(error: LlmError): void {
    const { deployment, provider } = this.attempt
    if (this.aborted || this.answer.hasBegun) return
    this.abort()
    this.answer.fail(error.with({ deployment, provider }))
  }

  /** Holds the answer back: whoever reads it is slower. */
  pause(): void {
    this.paused = true
    this.handle?.pause()
    this.unpacker?.pause()
  }

  /** Lets it come again. */
  resume(): void {
    this.paused = false
    this.unpacker?.resume()
    if (!this.choked) this.handle?.resume()
  }

  /** The rest of the response is read and dropped, so that its connection can serve the next request. */
  done(): void {
    this.bytesAfterDone = 0
    this.settings.lingering.add(this)
    this.unpacker?.abort()
    this.choked = false
    this.resume()
  }

  mayWait(): number {
    this.attempt.isWaiting = true
    return this.attempt.mayWait?.(this.attempt) ?? Number.POSITIVE_INFINITY
  }

  onConnection(): void {
    this.attempt.isWaiting = false
  }

  onHeaders(status: number, headers: Headers): void {
    try {
      this.begin(status, headers)
    } catch (defect) {
      this.died(defect)
    }
  }

  onData(chunk: Uint8Array): void {
    try {
      this.data(chunk)
    } catch (defect) {
      this.died(defect)
    }
  }

  onEnd(): void {
    this.safely(() => {
      if (this.unpacker !== undefined && this.bytesAfterDone < 0) this.unpacker.end()
      else this.ended()
    })
  }

  onError(error: TransportError): void {
    this.safely(() => {
      this.broken = error
      // What has come already is unpacked first.
      if (this.unpacker !== undefined && this.bytesAfterDone < 0) this.unpacker.end()
      else this.failed(error)
    })
  }

  /** Who calls is a socket or an unpacker: what is thrown at them would end the process. */
  safely(f: () => void): void {
    try {
      f()
    } catch (defect) {
      this.died(defect)
    }
  }

  /** What dies of an answer is that answer's failure. */
  private died(defect: unknown): void {
    this.settings.lingering.delete(this)
    this.abort()
    this.answer.died(defect)
  }

  private begin(status: number, headers: Headers): void {
    if (headers["content-encoding"] !== undefined) this.codings = codingsOf(headers["content-encoding"])
    this.answer.begin(status, headers)
  }

  private data(chunk: Uint8Array): void {
    if (this.aborted) return
    if (this.bytesAfterDone >= 0) return this.countAfterDone(chunk.length)
    const { events } = this.answer
    const heard = events?.heard
    if (this.codings !== undefined) this.unpackFrom(this.codings, chunk)
    else if (this.unpacker === undefined) this.answer.take(chunk)
    else this.feedUnpacker(this.unpacker, chunk)
    if (events !== undefined && events.heard === heard) events.life()
  }

  private unpackFrom(codings: ReadonlyArray<string>, first: Uint8Array): void {
    this.codings = undefined
    if (!isPacked(codings[0], first)) return this.answer.take(first)
    const unpacker = Unpacker.make(codings, first, {
      onData: (bytes) => this.safely(() => this.answer.take(bytes)),
      onEnd: () => this.safely(() => (this.broken === undefined ? this.ended() : this.failed(this.broken))),
      onBad: (why) => this.safely(() => this.badlyPacked(why)),
      onDrain: () => {
        this.choked = false
        if (!this.paused) this.handle?.resume()
      }
    })
    if (unpacker === undefined) return this.badlyPacked("is packed in a way that nobody asked for")
    this.unpacker = unpacker
    if (this.paused) unpacker.pause()
    this.feedUnpacker(unpacker, first)
  }

  private feedUnpacker(unpacker: Unpacker, chunk: Uint8Array): void {
    if (unpacker.write(chunk)) return
    this.choked = true
    this.handle?.pause()
  }

  private badlyPacked(why: string): void {
    if (this.broken !== undefined) return this.failed(this.broken)
    if (this.bytesAfterDone >= 0) return
    this.answer.spoiled(why)
  }

  private ended(): void {
    this.answer.ended()
    if (this.bytesAfterDone >= 0) this.settings.lingering.delete(this)
  }

  private failed(error: TransportError): void {
    this.answer.failed(error)
    if (this.bytesAfterDone >= 0) this.settings.lingering.delete(this)
  }

  private countAfterDone(bytes: number): void {
    this.bytesAfterDone += bytes
    if (this.bytesAfterDone <= maxAfterDone) return
    this.settings.lingering.delete(this)
    this.abort()
  }
}
