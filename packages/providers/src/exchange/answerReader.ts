/**
 * What an answer's bytes mean: a stream or a whole body, of what was asked or of an error. It answers its call once.
 */
import { type AnswerFailure, errorOf, failureOf } from "@switchyard/core/AnswerFailure"
import { usageOf } from "@switchyard/core/AnswerUsage"
import type { Attempt } from "@switchyard/core/Attempt"
import * as Defect from "@switchyard/core/Defect"
import { EventQueue } from "@switchyard/core/EventQueue"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import { estimateInputTokens } from "@switchyard/core/LlmRequest"
import type { Headers, LlmResponse } from "@switchyard/core/LlmResponse"
import { nowMs } from "@switchyard/core/Time"
import { Cause, type Clock, Effect } from "effect"
import type { TransportError, TransportHandle, TransportHandlers } from "../transport/wire.js"
import type { AttemptErrors } from "./attemptErrors.js"
import { BodyBuffer } from "./bodyBuffer.js"
import { EventFeed, type EventSink, streamSink } from "./eventFeed.js"
import { firstData, startOf, startOfText } from "./eventText.js"
import { FoldedAnswer } from "./foldedAnswer.js"
import { largeAnswer, readLarge } from "./largeAnswer.js"
import { isTooDeep, tooDeep } from "./nesting.js"
import { refusesUsage } from "./payload.js"

/** Bounds and ways of reading an answer. */
export interface AnswerSettings {
  /** Bytes of a whole answer. */
  readonly maxBody: number
  /** Characters of one event of a stream. */
  readonly maxEvent: number
  readonly onMalformed: "cut" | "skip"
  readonly onMissingFinish: "cut" | "accept"
}

/** The same request without what the gateway has added to it, for a provider that refuses that. */
export interface Plainer {
  readonly send: (handlers: TransportHandlers) => TransportHandle
  /** It was taken so: the provider need not be asked for more again. */
  readonly worked: () => void
}

/** How a call is answered. */
export type Resume = (effect: Effect.Effect<LlmResponse, LlmError>) => void

/** What an answer does to the exchange that it comes by. */
export interface Wire {
  /** Nothing more is wanted of the answer. */
  readonly isOver: boolean
  readonly abort: () => void
  readonly pause: () => void
  readonly resume: () => void
  /** The answer is complete, though the response may not be. */
  readonly done: () => void
  readonly ask: (plainer: Plainer) => void
  /** Runs what no caller of ours would catch. */
  readonly safely: (f: () => void) => void
}

/** Bytes of an error's body that are read. */
const maxErrorBody = 1024 * 1024
/** White space before an event stream that is waited out. */
const maxUnknown = 256

const isGood = (status: number): boolean => status >= 200 && status < 300

const isEventStream = (headers: Headers): boolean =>
  headers["content-type"]?.trimStart().toLowerCase().startsWith("text/event-stream") === true

/** The answer to one attempt. */
export class AnswerReader {
  /** The answer, where it is a stream. */
  events: EventQueue | undefined
  private status = 0
  private headers: Headers = {}
  private headersAt = 0
  private body: BodyBuffer | undefined
  private feed: EventFeed | undefined
  private sink: EventSink | undefined
  /** Bytes of a stream that is folded into a whole answer; below 0 where none is. */
  private folded = -1
  /** Whether a body may still turn out to be an event stream. */
  private mayBeEvents = false
  /** The request was sent again, without what the provider refused. */
  private isPlainer = false

  constructor(
    private readonly settings: AnswerSettings,
    private readonly attempt: Attempt,
    private readonly clock: Clock.Clock,
    private readonly errors: AttemptErrors,
    private readonly wire: Wire,
    private readonly resume: Resume,
    private readonly plainer?: Plainer
  ) {}

  /** The head of the response. */
  begin(status: number, headers: Headers): void {
    this.status = status
    this.headers = headers
    this.headersAt = nowMs(this.clock)
    if (isGood(status)) {
      if (this.attempt.request.stream && isEventStream(headers)) return this.openStream()
      this.mayBeEvents = true
      this.body = new BodyBuffer(this.settings.maxBody)
    } else this.body = new BodyBuffer(maxErrorBody)
  }

  /** Bytes as the server means them. */
  take(chunk: Uint8Array): void {
    if (this.wire.isOver) return
    if (this.mayBeEvents && this.areEvents(chunk)) return
    if (this.feed !== undefined) {
      if (this.folded >= 0) this.folded += chunk.length
      if (this.folded > this.settings.maxBody) this.tooLarge()
      else this.feed.data(chunk)
    } else if (this.body?.add(chunk) === false) this.tooLarge()
  }

  /** The response has ended. */
  ended(): void {
    if (this.feed === undefined) this.finish()
    else this.feed.end()
  }

  /** The connection broke. */
  failed(error: TransportError): void {
    const { body, feed } = this
    if (feed !== undefined) {
      this.sink?.fail(this.errors.broken(error), true)
    } else if (body === undefined || error.kind === "aborted") {
      this.fail(this.errors.broken(error))
    } else if (!isGood(this.status)) {
      this.fail(this.classify(body.text()))
    } else {
      this.fail(this.malformed(`the answer broke off after ${body.size} bytes`, error.code))
    }
  }

  /** Its bytes cannot be unpacked. */
  spoiled(why: string): void {
    const error = isGood(this.status)
      ? this.malformed(`the answer ${why}`, "content_encoding")
      : this.classify(this.body?.text() ?? "")
    this.wire.abort()
    if (this.feed === undefined) this.fail(error)
    else this.sink?.fail(error)
  }

  /** Something of ours failed on the way. */
  died(defect: unknown): void {
    if (this.events === undefined) this.resume(Effect.die(defect))
    else this.events.died(Cause.die(defect))
  }

  private tooLarge(): void {
    this.wire.abort()
    if (isGood(this.status)) this.fail(this.malformed(`the answer is larger than ${this.settings.maxBody} bytes`))
    else this.fail(this.classify(this.body?.text() ?? ""))
  }

  /** Looks at the first bytes of a body that its type calls none; takes them when they are an event stream's. */
  private areEvents(chunk: Uint8Array): boolean {
    const { body } = this
    const before = body?.size ?? 0
    const start = startOf(body === undefined || before === 0 ? chunk : body.bytes(chunk))
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

  private get onMissingFinish(): "cut" | "accept" {
    return this.attempt.target.onMissingFinish ?? this.settings.onMissingFinish
  }

  private openStream(): void {
    const { attempt, clock, headers, settings, status } = this
    if (this.isPlainer) this.plainer?.worked()
    const events = new EventQueue({
      clock,
      startedAt: attempt.startedAt,
      provider: attempt.provider,
      deployment: attempt.deployment,
      estimateInputTokens: () => estimateInputTokens(attempt.request),
      pause: () => this.wire.pause(),
      resume: () => this.wire.resume(),
      abort: () => this.wire.abort(),
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
      onDone: () => this.wire.done()
    })
  }

  /** A stream in answer to a request that wants a whole answer: it is collected, and judged, as one. */
  private fold(): void {
    this.folded = 0
    const refuse = (error: LlmError): void => {
      this.wire.abort()
      this.fail(error)
    }
    this.feedTo(
      new FoldedAnswer(this.onMissingFinish, {
        answered: (body) => this.answered(JSON.stringify(body), body),
        cut: () => refuse(this.malformed("the stream ended before the answer was finished", "cut")),
        blocked: (why) => refuse(this.errors.blocked(why, this.status)),
        malformed: (data, why = "is not a JSON object") =>
          refuse(this.malformed(`a stream event ${why} (${data.length} characters)`)),
        failed: refuse
      })
    )
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
        isOver: () => this.wire.isOver,
        read: (body, bytes) => this.wire.safely(() => this.answered("", body, bytes)),
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
    this.wire.ask(plainer)
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
        return this.fail(this.errors.blocked(failure.why, this.status))
      case "empty":
        return this.fail(this.malformed("the answer holds no choices or data"))
    }
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
    return this.errors.malformed(description, code)
  }

  private classify(body: string, json?: unknown): LlmError {
    return this.errors.said({ status: this.status, headers: this.headers, body, json })
  }
}
