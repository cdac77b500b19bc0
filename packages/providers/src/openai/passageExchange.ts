/**
 * A passage on the wire: its answer comes as it is, under its own status, no faster than it is read.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import { EventQueue } from "@switchyard/core/EventQueue"
import { LlmError } from "@switchyard/core/LlmError"
import type { Headers, LlmResponse } from "@switchyard/core/LlmResponse"
import { isAnswer, passing } from "@switchyard/core/Passage"
import { ofBytes } from "@switchyard/core/StreamEvent"
import { type Clock, Effect } from "effect"
import type { Resume } from "../exchange/answering.js"
import { AttemptErrors } from "../exchange/attemptErrors.js"
import type { TransportError, TransportHandle, TransportHandlers } from "../transport/wire.js"

/** Bytes of an error's body that are read. */
const maxErrorBody = 1_048_576

const redirected = (attempt: Attempt, status: number): LlmError =>
  new LlmError({
    reason: "MalformedResponse",
    description: `the provider answered with a redirect (${status}), which is not followed`,
    code: "redirect",
    provider: attempt.provider,
    deployment: attempt.deployment
  })

/** The handlers of one passage. */
export class PassageExchange implements TransportHandlers {
  private readonly errors: AttemptErrors
  private handle: TransportHandle | undefined
  private aborted = false
  private paused = false
  private events: EventQueue | undefined
  private status = 0
  private headers: Headers = {}
  private text = ""
  private readonly decoder = new TextDecoder()

  constructor(
    private readonly attempt: Attempt,
    private readonly clock: Clock.Clock,
    secrets: ReadonlyArray<string>,
    private readonly resume: Resume
  ) {
    this.errors = new AttemptErrors(attempt, clock, secrets)
    attempt.expire = (error) => {
      if (this.events !== undefined) return
      this.abort()
      resume(error === undefined ? Effect.interrupt : Effect.fail(error))
    }
  }

  /** Told once, when the request is on its way. */
  runsOn(handle: TransportHandle): void {
    this.handle = handle
    if (this.aborted) handle.abort()
    else if (this.paused) handle.pause()
  }

  /** Breaks the request off. */
  abort(): void {
    this.aborted = true
    this.handle?.abort()
  }

  mayWait(): number {
    this.attempt.isWaiting = true
    return this.attempt.mayWait?.(this.attempt) ?? Number.POSITIVE_INFINITY
  }

  onConnection(): void {
    this.attempt.isWaiting = false
  }

  onHeaders(status: number, headers: Headers): void {
    this.status = status
    this.headers = headers
    if (status >= 300 && status < 400) return this.fail(redirected(this.attempt, status))
    if (!isAnswer(status)) return
    const { attempt, clock } = this
    const events = new EventQueue({
      clock,
      startedAt: attempt.startedAt,
      dialect: passing,
      estimateInputTokens: () => 0,
      provider: attempt.provider,
      deployment: attempt.deployment,
      pause: () => {
        this.paused = true
        this.handle?.pause()
      },
      resume: () => {
        this.paused = false
        this.handle?.resume()
      },
      abort: () => this.abort()
    })
    this.events = events
    attempt.adopt(events)
    // The head is an answer, also of a body that is empty.
    events.push(ofBytes(new Uint8Array(0)))
    const answer: LlmResponse = { _tag: "Streaming", status, headers, events, journal: attempt.request.route.journal }
    this.resume(Effect.succeed(answer))
  }

  onData(chunk: Uint8Array): void {
    if (this.aborted) return
    if (this.events !== undefined) return this.events.push(ofBytes(chunk))
    this.text += this.decoder.decode(chunk, { stream: true })
    if (this.text.length > maxErrorBody) this.onEnd()
  }

  onEnd(): void {
    if (this.aborted) return
    if (this.events !== undefined) return this.events.end(true)
    const { headers, status, text: body } = this
    this.fail(this.errors.said({ status, headers, body }))
  }

  onError(error: TransportError): void {
    const broken = this.errors.broken(error)
    if (this.events === undefined) this.resume(Effect.fail(broken))
    else this.events.fail(broken, true)
  }

  /** What of the request itself could not be read. */
  fail(error: LlmError): void {
    if (this.aborted) return
    this.abort()
    if (this.events === undefined) this.resume(Effect.fail(error))
    else this.events.fail(error)
  }
}
