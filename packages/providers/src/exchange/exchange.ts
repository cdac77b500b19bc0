/**
 * One attempt on the wire: it listens to the transport, and answers its call once.
 */
import { type AnswerFailure, errorOf, failureOf, promptBlocked } from "@switchyard/core/AnswerFailure"
import { usageOf } from "@switchyard/core/AnswerUsage"
import type { Attempt } from "@switchyard/core/Attempt"
import * as Defect from "@switchyard/core/Defect"
import { EventStream } from "@switchyard/core/EventStream"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import { estimateInputTokens } from "@switchyard/core/LlmRequest"
import type { Headers, LlmResponse } from "@switchyard/core/LlmResponse"
import { Scrubber } from "@switchyard/core/Secret"
import { nowMs } from "@switchyard/core/Time"
import { Cause, type Clock, Effect } from "effect"
import { classify, fromTransport, malformed, type Upstream } from "../errors/ErrorClassifier.js"
import type { TransportError, TransportHandle, TransportHandlers } from "../transport/wire.js"
import { BodyBuffer } from "./bodyBuffer.js"
import { EventFeed, type EventSink, streamSink } from "./eventFeed.js"
import { firstData, startOf, startOfText } from "./eventText.js"
import { FoldedAnswer } from "./foldedAnswer.js"
import { largeAnswer, readLarge } from "./largeAnswer.js"
import type { Lingering } from "./lingering.js"
import { isTooDeep, tooDeep } from "./nesting.js"
import { refusesUsage } from "./payload.js"
import { codingsOf, isPacked, Unpacker } from "./unpacker.js"

/** Bounds and ways of a base service, decoded. */
export interface ExchangeSettings {
  /** Bytes of a whole answer. */
  readonly maxBody: number
  /** Characters of one event of a stream. */
  readonly maxEvent: number
  readonly onMalformed: "cut" | "skip"
  readonly onMissingFinish: "cut" | "accept"
  readonly lingering: Lingering
}

/** The same request without what the gateway has added to it, for a provider that refuses that. */
export interface Plainer {
  readonly send: (handlers: TransportHandlers) => TransportHandle
  /** It was taken so: the provider need not be asked for more again. */
  readonly worked: () => void
}

/** How a call is answered. */
export type Resume = (effect: Effect.Effect<LlmResponse, LlmError>) => void

/** Bytes of an error's body that are read. */
const maxErrorBody = 1024 * 1024
/** Bytes that a server may send after `[DONE]` before it loses the connection. */
const maxAfterDone = 64 * 1024

/** White space before an event stream that is waited out. */
const maxUnknown = 256

const isGood = (status: number): boolean => status >= 200 && status < 300

const isEventStream = (headers: Headers): boolean =>
  headers["content-type"]?.trimStart().toLowerCase().startsWith("text/event-stream") === true

/** The handlers of one request. */
export class Exchange implements TransportHandlers {
  private handle: TransportHandle | undefined
  private aborted = false
  private paused = false
  private status = 0
  private headers: Headers = {}
  private headersAt = 0
  private body: BodyBuffer | undefined
  private events: EventStream | undefined
  private feed: EventFeed | undefined
  private sink: EventSink | undefined
  private bytesAfterDone = -1
  /** Bytes of a stream that is folded into a whole answer; below 0 where none is. */
  private folded = -1
  /** How a body is still to be unpacked; undefined once its first bytes have come. */
  private codings: ReadonlyArray<string> | undefined
  private unpacker: Unpacker | undefined
  /** The unpacker has more than it can take. */
  private choked = false
  /** Whether a body may still turn out to be an event stream. */
  private mayBeEvents = false
  /** What broke the connection, told once everything before is unpacked. */
  private broken: TransportError | undefined
  /** The request was sent again, without what the provider refused. */
  private isPlainer = false

  constructor(
    private readonly settings: ExchangeSettings,
    private readonly attempt: Attempt,
    private readonly clock: Clock.Clock,
    private readonly secrets: ReadonlyArray<string>,
    private readonly resume: Resume,
    private readonly plainer?: Plainer
  ) {
    attempt.expire = (error) => {
      if (this.events !== undefined) return
      this.abort()
      if (error === undefined) this.resume(Effect.interrupt)
      else this.fail(error)
    }
  }

  /** Told once, when the request is on its way; the answer may have come, or been refused, before. */
  runsOn(handle: TransportHandle): void {
    this.handle = handle
    if (this.aborted) handle.abort()
    else if (this.paused) handle.pause()
  }

  /** Breaks the request off: its caller left, or its answer is worth nothing. */
  abort(): void {
    this.aborted = true
    this.handle?.abort()
    this.unpacker?.abort()
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
  private safely(f: () => void): void {
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
    if (this.events === undefined) this.resume(Effect.die(defect))
    else this.events.died(Cause.die(defect))
  }

  private begin(status: number, headers: Headers): void {
    this.status = status
    this.headers = headers
    this.headersAt = nowMs(this.clock)
    if (headers["content-encoding"] !== undefined) this.codings = codingsOf(headers["content-encoding"])
    if (isGood(status)) {
      if (this.attempt.request.stream && isEventStream(headers)) return this.openStream()
      this.mayBeEvents = true
      this.body = new BodyBuffer(this.settings.maxBody)
    } else this.body = new BodyBuffer(maxErrorBody)
  }

  private data(chunk: Uint8Array): void {
    if (this.aborted) return
    if (this.bytesAfterDone >= 0) return this.countAfterDone(chunk.length)
    const heard = this.events?.heard
    if (this.codings !== undefined) this.unpackFrom(this.codings, chunk)
    else if (this.unpacker === undefined) this.take(chunk)
    else this.feedUnpacker(this.unpacker, chunk)
    if (this.events !== undefined && this.events.heard === heard) this.events.life()
  }

  private unpackFrom(codings: ReadonlyArray<string>, first: Uint8Array): void {
    this.codings = undefined
    if (!isPacked(codings[0], first)) return this.take(first)
    const unpacker = Unpacker.make(codings, first, {
      onData: (bytes) => this.safely(() => this.take(bytes)),
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
    const error = isGood(this.status)
      ? this.malformed(`the answer ${why}`, "content_encoding")
      : this.classify(this.body?.text() ?? "")
    this.abort()
    if (this.feed === undefined) this.fail(error)
    else this.sink?.fail(error)
  }

  /** Bytes as the server means them. */
  private take(chunk: Uint8Array): void {
    if (this.aborted || this.bytesAfterDone >= 0) return
    if (this.mayBeEvents && this.areEvents(chunk)) return
    if (this.feed !== undefined) {
      if (this.folded >= 0) this.folded += chunk.length
      if (this.folded > this.settings.maxBody) this.tooLarge()
      else this.feed.data(chunk)
    } else if (this.body?.add(chunk) === false) this.tooLarge()
  }

  private tooLarge(): void {
    this.abort()
    if (isGood(this.status)) this.fail(this.malformed(`the answer is larger than ${this.settings.maxBody} bytes`))
    else this.fail(this.classify(this.body?.text() ?? ""))
  }

  /** Looks at the first bytes of a body that its type calls none; takes them when they are an event stream's. */
  private areEvents(chunk: Uint8Array): boolean {
    const { body } = this
    const before = body?.size ?? 0
    const start = startOf(body === undefined || before === 0 ? chunk : Buffer.concat([body.bytes(), chunk]))
    if (start === "unknown" && before < maxUnknown) return false
    this.mayBeEvents = false
    // What its type calls an event stream may begin with a line that means nothing.
    if (start !== "events" && (start !== "other" || !isEventStream(this.headers))) return false
    this.body = undefined
    if (this.attempt.request.stream) this.openStream()
    else this.fold()
    const early = body?.bytes() ?? chunk.subarray(0, 0)
    if (early.length > 0) this.take(early)
    this.take(chunk)
    return true
  }

  private ended(): void {
    if (this.feed === undefined) return this.finish()
    this.feed.end()
    if (this.bytesAfterDone >= 0) this.settings.lingering.delete(this)
  }

  private failed(error: TransportError): void {
    const { body, feed } = this
    if (feed !== undefined) {
      this.sink?.fail(fromTransport(error, this.upstream), true)
      this.settings.lingering.delete(this)
    } else if (body === undefined || error.kind === "aborted") {
      this.fail(fromTransport(error, this.upstream))
    } else if (!isGood(this.status)) {
      this.fail(this.classify(body.text()))
    } else {
      this.fail(this.malformed(`the answer broke off after ${body.size} bytes`, error.code))
    }
  }

  private get upstream(): Upstream {
    return { provider: this.attempt.provider, deployment: this.attempt.deployment, secrets: this.secrets }
  }

  private get onMissingFinish(): "cut" | "accept" {
    return this.attempt.target.onMissingFinish ?? this.settings.onMissingFinish
  }

  private openStream(): void {
    const { attempt, clock, headers, settings, status } = this
    if (this.isPlainer) this.plainer?.worked()
    const events = new EventStream({
      clock,
      startedAt: attempt.startedAt,
      provider: attempt.provider,
      deployment: attempt.deployment,
      estimateInputTokens: () => estimateInputTokens(attempt.request),
      pause: () => this.pauseReading(),
      resume: () => this.resumeReading(),
      abort: () => this.abort(),
      onMalformed: attempt.target.onMalformedEvent ?? settings.onMalformed,
      onMissingFinish: this.onMissingFinish,
      onDefect: (cause) => Defect.deathOf(attempt, cause, true)
    })
    attempt.adopt(events)
    this.events = events
    this.feedTo(streamSink(events))
    this.resume(Effect.succeed({ _tag: "Streaming", status, headers, events, journal: attempt.request.route.journal }))
  }

  private feedTo(sink: EventSink): void {
    const { maxEvent } = this.settings
    this.sink = sink
    this.feed = new EventFeed({
      sink,
      maxEvent,
      classify: (data, json) => this.classify(data, json),
      tooLarge: () => this.malformed(`an event is larger than ${maxEvent} characters`),
      onDone: () => this.done()
    })
  }

  /** A stream in answer to a request that wants a whole answer: it is collected, and judged, as one. */
  private fold(): void {
    this.folded = 0
    const refuse = (error: LlmError): void => {
      this.abort()
      this.fail(error)
    }
    this.feedTo(
      new FoldedAnswer(this.onMissingFinish, {
        answered: (body) => this.answered(JSON.stringify(body), body),
        cut: () => refuse(this.malformed("the stream ended before the answer was finished", "cut")),
        blocked: (why) => refuse(this.blocked(why)),
        malformed: (data, why = "is not a JSON object") =>
          refuse(this.malformed(`a stream event ${why} (${data.length} characters)`)),
        failed: refuse
      })
    )
  }

  private pauseReading(): void {
    this.paused = true
    this.handle?.pause()
    this.unpacker?.pause()
  }

  private resumeReading(): void {
    this.paused = false
    this.unpacker?.resume()
    if (!this.choked) this.handle?.resume()
  }

  /** The rest of the response is read and dropped, so that its connection can serve the next request. */
  private done(): void {
    this.bytesAfterDone = 0
    this.settings.lingering.add(this)
    this.unpacker?.abort()
    this.choked = false
    this.resumeReading()
  }

  private countAfterDone(bytes: number): void {
    this.bytesAfterDone += bytes
    if (this.bytesAfterDone <= maxAfterDone) return
    this.settings.lingering.delete(this)
    this.abort()
  }

  /** A body is complete. */
  private finish(): void {
    const { body: whole } = this
    if (
      whole !== undefined &&
      whole.size > largeAnswer &&
      isGood(this.status) &&
      this.attempt.request.forwards === true
    ) {
      return readLarge(whole.bytes(), this.attempt.request.operation, {
        isOver: () => this.aborted,
        read: (body, bytes) => this.safely(() => this.answered("", body, bytes)),
        failed: (why) => this.fail(this.malformed(`the answer ${why} (${whole.size} bytes)`))
      })
    }
    const raw = this.body?.text() ?? ""
    if (!isGood(this.status)) return this.refused(startOfText(raw) === "events" ? firstData(raw) : raw)
    const body = this.parse(raw)
    if (body !== undefined) this.answered(raw, body)
  }

  /** The provider said no, maybe only to what was added to the request: then it is asked again without that, once. */
  private refused(raw: string, json?: unknown): void {
    const { plainer, status } = this
    if (plainer === undefined || this.isPlainer || !refusesUsage(status, raw))
      return this.fail(this.classify(raw, json))
    this.isPlainer = true
    this.body = undefined
    this.unpacker = undefined
    this.runsOn(plainer.send(this))
  }

  private answered(raw: string, body: JsonObject, bytes?: Buffer): void {
    const { attempt, headers, status } = this
    const { request } = attempt
    const failure = failureOf(request.operation, body)
    if (failure !== undefined) {
      return this.failedAnswer(failure, bytes === undefined ? raw : bytes.toString("utf8", 0, largeAnswer), body)
    }
    if (this.isPlainer) this.plainer?.worked()
    this.resume(
      Effect.succeed({
        _tag: "Complete",
        status,
        headers,
        body,
        raw,
        ...(bytes === undefined ? {} : { bytes }),
        outcome: {
          _tag: "Completed",
          usage: usageOf(request, body),
          timeToFirstToken: this.headersAt - attempt.startedAt,
          duration: nowMs(this.clock) - attempt.startedAt
        },
        journal: request.route.journal
      })
    )
  }

  private failedAnswer(failure: AnswerFailure, raw: string, body: JsonObject): void {
    switch (failure._tag) {
      case "error":
        return this.refused(raw, body)
      case "blocked":
        return this.fail(this.blocked(failure.why))
      case "empty":
        return this.fail(this.malformed("the answer holds no choices or data"))
    }
  }

  private blocked(why: string): LlmError {
    const { deployment, provider } = this.upstream
    return new LlmError({
      ...promptBlocked(new Scrubber(this.secrets).clean(why)),
      provider,
      deployment,
      status: this.status
    })
  }

  private parse(raw: string): JsonObject | undefined {
    try {
      const body: unknown = JSON.parse(raw)
      if (isJsonObject(body)) {
        if (!isTooDeep(raw, body)) return body
        this.fail(this.malformed(`the answer ${tooDeep} (${raw.length} characters)`))
        return undefined
      }
      const first: unknown = Array.isArray(body) ? body[0] : undefined
      if (isJsonObject(first) && errorOf(first) !== undefined) {
        this.refused(raw, body)
        return undefined
      }
    } catch {
      // Said below, in our words: the parser's own would quote the answer.
    }
    this.fail(this.malformed(`the answer is not a JSON object (${raw.length} characters)`))
    return undefined
  }

  private fail(error: LlmError): void {
    this.resume(Effect.fail(error))
  }

  private malformed(description: string, code?: string): LlmError {
    return malformed(description, this.upstream, code)
  }

  private classify(body: string, json?: unknown): LlmError {
    return classify({
      ...this.upstream,
      status: this.status,
      headers: this.headers,
      body,
      json,
      asked: { model: this.attempt.model, body: this.attempt.request.body },
      elapsedMs: nowMs(this.clock) - this.attempt.startedAt,
      wallNowMs: this.clock.unsafeCurrentTimeMillis()
    })
  }
}
