/**
 * What an answer's bytes mean: a stream or a whole body, of what was asked or of an error. It answers its call once.
 */
import { type AnswerFailure, errorOf } from "@switchyard/core/AnswerFailure"
import { usageOf } from "@switchyard/core/AnswerUsage"
import type { Attempt } from "@switchyard/core/Attempt"
import type { AnswerWords } from "@switchyard/core/Dialect"
import type { EventQueue } from "@switchyard/core/EventQueue"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import type { Headers } from "@switchyard/core/LlmResponse"
import { openAi } from "@switchyard/core/OpenAi"
import { nowMs } from "@switchyard/core/Time"
import { Cause, type Clock, Effect } from "effect"
import type { TransportError } from "../transport/wire.js"
import type { AnswerSettings, Plainer, Resume, Wire } from "./answering.js"
import { comesInEvents, isEventStream, queueOf } from "./answerQueue.js"
import type { AttemptErrors } from "./attemptErrors.js"
import { AwsFeed, AwsTextFeed } from "./awsFeed.js"
import { BodyBuffer } from "./bodyBuffer.js"
import { BytesFeed, comesInBytes, emptyAnswer, pictured } from "./bytesFeed.js"
import { EventFeed, streamSink } from "./eventFeed.js"
import { firstData, startOf, startOfText } from "./eventText.js"
import type { EventFeedOptions, EventSink, Feed } from "./feed.js"
import { FoldedAnswer } from "./foldedAnswer.js"
import { type Hearing, parsedAs } from "./hearing.js"
import { largeAnswer, readLarge } from "./largeAnswer.js"
import { LineFeed } from "./lineFeed.js"
import { isTooDeep, tooDeep } from "./nesting.js"

/** Bytes of an error's body that are read. */
const maxErrorBody = 1_048_576
/** White space before an event stream that is waited out. */
const maxUnknown = 256
const isGood = (status: number): boolean => status >= 200 && status < 300

/** The answer to one attempt. */
export class AnswerReader {
  /** The answer, where it is a stream. */
  events: EventQueue | undefined
  private status = 0
  private headers: Headers = {}
  private headersAt = 0
  private body: BodyBuffer | undefined
  private feed: Feed | undefined
  private sink: EventSink | undefined
  /** Bytes of a stream that is folded into a whole answer; below 0 where none is. */
  private folded = -1
  /** Whether a body may still turn out to be an event stream. */
  private mayBeEvents = false
  /** The request was sent again, without what the provider refused. */
  private isPlainer = false
  private readonly words: AnswerWords
  private readonly framing: Hearing["framing"]
  private readonly onMissingFinish: "cut" | "accept"

  constructor(
    private readonly settings: AnswerSettings,
    private readonly attempt: Attempt,
    private readonly clock: Clock.Clock,
    private readonly errors: AttemptErrors,
    private readonly wire: Wire,
    private readonly resume: Resume,
    private readonly plainer?: Plainer,
    /** How an answer is heard that is not OpenAI's chat, or not for a caller who speaks that. */
    private readonly hearing?: Hearing
  ) {
    this.words = (attempt.request.dialect ?? openAi).answer
    this.framing = hearing?.framing ?? "sse"
    this.onMissingFinish = attempt.target.onMissingFinish ?? settings.onMissingFinish
  }

  /** Its head has come. */
  get hasBegun(): boolean {
    return this.status !== 0
  }

  /** The head of the response. */
  begin(status: number, headers: Headers): void {
    this.status = status
    this.headers = headers
    this.headersAt = nowMs(this.clock)
    if (isGood(status)) {
      if (this.attempt.request.stream && comesInEvents(this.framing, headers)) return this.openStream()
      if (comesInBytes(this.attempt.request, headers)) return this.openBytes()
      this.mayBeEvents = this.framing === "sse"
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

  private openStream(): void {
    const events = this.opened()
    this.feedTo(streamSink(events))
    this.tell(events)
  }

  private opened(): EventQueue {
    const { attempt, clock, onMissingFinish, settings, wire } = this
    if (this.isPlainer) this.plainer?.worked()
    const onMalformed = attempt.target.onMalformedEvent ?? settings.onMalformed
    const events = queueOf(attempt, clock, wire, { onMalformed, onMissingFinish })
    attempt.adopt(events)
    this.events = events
    return events
  }

  private tell(events: EventQueue): void {
    const { attempt, headers, status } = this
    this.resume(Effect.succeed({ _tag: "Streaming", status, headers, events, journal: attempt.request.route.journal }))
  }

  /** What is no JSON is handed on byte by byte. */
  private openBytes(): void {
    this.mayBeEvents = false
    const events = this.opened()
    this.sink = streamSink(events)
    this.feed = new BytesFeed(this.sink, this.attempt.request.operation, () => this.malformed("the answer is empty"))
    this.tell(events)
  }

  private feedTo(sink: EventSink): void {
    const { maxEvent } = this.settings
    this.sink = sink
    this.feed = this.feedFor({
      sink,
      maxEvent,
      classify: (data, json) => this.classify(data, json),
      tooLarge: () => this.malformed(`an event is larger than ${maxEvent} characters`),
      broken: (description) => this.malformed(description),
      onDone: () => this.wire.done(),
      acceptsMissingFinish: this.onMissingFinish === "accept"
    })
  }

  private feedFor(options: EventFeedOptions): Feed {
    const { hearing } = this
    if (hearing?.framing === "ndjson") return new LineFeed(hearing, options)
    if (hearing?.decodeAws !== undefined) {
      if (hearing.framing === "aws") return new AwsFeed(hearing, hearing.decodeAws, options)
      if (hearing.framing === "aws-sse") return new AwsTextFeed(hearing, hearing.decodeAws, options)
    }
    return new EventFeed(options, hearing)
  }

  /** A stream in answer to a request that wants a whole answer: it is collected, and judged, as one. */
  private fold(): void {
    this.folded = 0
    const refuse = (error: LlmError): void => {
      this.wire.abort()
      this.fail(error)
    }
    this.feedTo(
      new FoldedAnswer(this.words, this.onMissingFinish, {
        answered: (body) => this.succeeded(JSON.stringify(body), body),
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
      this.hearing?.isSame !== false &&
      this.attempt.request.forwards === true
    ) {
      return readLarge(whole.bytes(), this.attempt.request.operation, {
        isOver: () => this.wire.isOver,
        read: (body, bytes) => this.wire.safely(() => this.answered("", body, bytes)),
        failed: (why) => this.fail(this.malformed(`the answer ${why} (${whole.size} bytes)`))
      })
    }
    const picture = whole === undefined ? undefined : pictured(this.attempt.request, this.headers, whole)
    if (picture !== undefined && isGood(this.status)) return this.answered(JSON.stringify(picture), picture)
    const raw = this.body?.text() ?? ""
    if (!isGood(this.status)) return this.refused(startOfText(raw) === "events" ? firstData(raw) : raw)
    const body = this.parse(raw)
    if (body !== undefined) this.answered(raw, body)
  }

  /** The provider said no, maybe only to what was added to the request: then it is asked again without that, once. */
  private refused(raw: string, json?: unknown): void {
    const { plainer, status } = this
    if (plainer === undefined || this.isPlainer || !plainer.isRefused(status, raw))
      return this.fail(this.classify(raw, json))
    this.isPlainer = true
    this.body = undefined
    this.wire.ask(plainer)
  }

  /** The provider's answer is whole. */
  private answered(raw: string, body: JsonObject, bytes?: Buffer): void {
    const { hearing } = this
    if (hearing === undefined) return this.succeeded(raw, body, bytes)
    if (hearing.isError(body)) return this.refused(raw, body)
    if (hearing.isSame) return this.succeeded(raw, body, bytes)
    const said = hearing.answer(body)
    if (typeof said === "string") return this.fail(this.malformed(`the answer ${said}`))
    this.succeeded(JSON.stringify(said), said)
  }

  private succeeded(raw: string, body: JsonObject, bytes?: Buffer): void {
    const { attempt, headers, status } = this
    const { request } = attempt
    const failure = this.words.failure(request.operation, body)
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
        return this.fail(this.malformed(emptyAnswer(this.attempt.request.operation)))
    }
  }

  private parse(raw: string): JsonObject | undefined {
    try {
      const body: unknown = parsedAs(raw, this.hearing)
      if (isJsonObject(body)) {
        if (!isTooDeep(raw, body)) return body
        this.fail(this.malformed(`the answer ${tooDeep} (${raw.length} characters)`))
        return undefined
      }
      const first: unknown = Array.isArray(body) ? body[0] : undefined
      if (isJsonObject(first) && (errorOf(first) !== undefined || this.hearing?.isError(first) === true)) {
        this.refused(raw, body)
        return undefined
      }
    } catch {
      // Said below, in our words: the parser's own would quote the answer.
    }
    this.fail(this.malformed(`the answer is not a JSON object (${raw.length} characters)`))
    return undefined
  }

  /** Nothing can come of it. */
  fail(error: LlmError): void {
    this.resume(Effect.fail(error))
  }

  private malformed(description: string, code?: string): LlmError {
    return this.errors.malformed(description, code)
  }

  private classify(body: string, json?: unknown): LlmError {
    return this.errors.said({ status: this.status, headers: this.headers, body, json })
  }
}
