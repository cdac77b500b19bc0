/**
 * One attempt on the wire: it listens to the transport, and answers its call once.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import { EventStream } from "@switchyard/core/EventStream"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import { estimateInputTokens } from "@switchyard/core/LlmRequest"
import type { Headers, LlmResponse } from "@switchyard/core/LlmResponse"
import { nowMs } from "@switchyard/core/Time"
import { type Clock, Effect } from "effect"
import { classify, fromTransport, malformed, type Upstream } from "../ErrorClassifier.js"
import { BodyBuffer } from "./bodyBuffer.js"
import { EventFeed } from "./eventFeed.js"
import type { Lingering } from "./lingering.js"
import { answers, errorIn, usageOf } from "./payload.js"
import type { TransportError, TransportHandle, TransportHandlers } from "./transport.js"

/** Bounds and ways of a base service, decoded. */
export interface ExchangeSettings {
  /** Bytes of a whole answer. */
  readonly maxBody: number
  /** Characters of one event of a stream. */
  readonly maxEvent: number
  readonly onMalformed: "cut" | "skip"
  readonly lingering: Lingering
}

/** How a call is answered. */
export type Resume = (effect: Effect.Effect<LlmResponse, LlmError>) => void

/** Bytes of an error's body that are read. */
const maxErrorBody = 1024 * 1024
/** Bytes that a server may send after `[DONE]` before it loses the connection. */
const maxAfterDone = 64 * 1024

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
  private bytesAfterDone = -1

  constructor(
    private readonly settings: ExchangeSettings,
    private readonly attempt: Attempt,
    private readonly clock: Clock.Clock,
    private readonly secrets: ReadonlyArray<string>,
    private readonly resume: Resume
  ) {
    attempt.expire = (error) => {
      if (this.events !== undefined) return
      this.abort()
      this.fail(error)
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
  }

  onHeaders(status: number, headers: Headers): void {
    this.status = status
    this.headers = headers
    this.headersAt = nowMs(this.clock)
    if (this.attempt.request.stream && isGood(status) && isEventStream(headers)) this.openStream()
    else this.body = new BodyBuffer(isGood(status) ? this.settings.maxBody : maxErrorBody)
  }

  onData(chunk: Uint8Array): void {
    if (this.feed !== undefined) {
      if (this.bytesAfterDone >= 0) this.countAfterDone(chunk.length)
      else this.feed.data(chunk)
    } else if (this.body?.add(chunk) === false) {
      this.abort()
      if (isGood(this.status)) this.fail(this.malformed(`the answer is larger than ${this.settings.maxBody} bytes`))
      else this.fail(this.classify(this.body.text()))
    }
  }

  onEnd(): void {
    if (this.feed === undefined) return this.finish()
    this.feed.end()
    if (this.bytesAfterDone >= 0) this.settings.lingering.delete(this)
  }

  onError(error: TransportError): void {
    const { body, feed } = this
    if (feed !== undefined) {
      this.events?.fail(fromTransport(error, this.upstream), true)
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

  private openStream(): void {
    const { attempt, clock, headers, settings, status } = this
    const events = new EventStream({
      clock,
      startedAt: attempt.startedAt,
      provider: attempt.provider,
      deployment: attempt.deployment,
      estimateInputTokens: () => estimateInputTokens(attempt.request),
      pause: () => this.pauseReading(),
      resume: () => this.resumeReading(),
      abort: () => this.abort(),
      onMalformed: settings.onMalformed
    })
    attempt.adopt(events)
    this.events = events
    this.feed = new EventFeed({
      events,
      maxEvent: settings.maxEvent,
      classify: (data, json) => this.classify(data, json),
      tooLarge: () => this.malformed(`an event is larger than ${settings.maxEvent} characters`),
      onDone: () => this.done()
    })
    this.resume(Effect.succeed({ _tag: "Streaming", status, headers, events, journal: attempt.request.route.journal }))
  }

  private pauseReading(): void {
    this.paused = true
    this.handle?.pause()
  }

  private resumeReading(): void {
    this.paused = false
    this.handle?.resume()
  }

  /** The rest of the response is read and dropped, so that its connection can serve the next request. */
  private done(): void {
    this.bytesAfterDone = 0
    this.settings.lingering.add(this)
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
    const raw = this.body?.text() ?? ""
    if (!isGood(this.status)) return this.fail(this.classify(raw))
    const body = this.parse(raw)
    if (body === undefined) return
    if (errorIn(body)) return this.fail(this.classify(raw, body))
    const { attempt, headers, status } = this
    const { request } = attempt
    if (!answers(request.operation, body)) return this.fail(this.malformed("the answer holds no choices or data"))
    this.resume(
      Effect.succeed({
        _tag: "Complete",
        status,
        headers,
        body,
        raw,
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

  private parse(raw: string): JsonObject | undefined {
    try {
      const body: unknown = JSON.parse(raw)
      if (isJsonObject(body)) return body
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
      wallNowMs: this.clock.unsafeCurrentTimeMillis()
    })
  }
}
