/**
 * The bottom of a tower over any client: give it a function that answers and one that streams, and it keeps the promises
 * that layers rely on (usage, timing, first content, one settled end, backpressure, abort).
 */
import { Cause, type Clock, Effect, Option, Stream } from "effect"
import { type AnswerFailure, failureOf, promptBlocked } from "../answer/AnswerFailure.js"
import { completionText } from "../answer/ChatChunk.js"
import { EventStream } from "../answer/EventStream.js"
import type { CompleteResponse, StreamingResponse } from "../answer/LlmResponse.js"
import { LlmError } from "../errors/LlmError.js"
import type { JsonObject } from "../json/Json.js"
import { estimate, inBody } from "../outcome/Usage.js"
import { estimateInputTokens, type LlmRequest } from "../request/LlmRequest.js"
import { nowMs } from "../shared/Time.js"
import * as Defect from "./Defect.js"
import * as Service from "./Service.js"

/** A client of some provider. `request.model` is the provider's own model name. */
export interface Handlers {
  /** A whole answer in OpenAI's shape: `choices`, and `usage` where it is known. */
  readonly complete: (request: LlmRequest) => Effect.Effect<JsonObject, LlmError>
  /** Chunks in OpenAI's shape. An end without a `finish_reason` counts as a cut. */
  readonly stream: (request: LlmRequest) => Stream.Stream<JsonObject, LlmError>
}

/** Who is told about a stream at once, so that it is closed even when its response gets lost. */
type Adopt = (events: EventStream) => void

const errorOfFailure = (failure: AnswerFailure): LlmError => {
  switch (failure._tag) {
    case "error":
      return new LlmError({
        reason: "Unavailable",
        description: "the answer is an error",
        ...(typeof failure.error.message === "string" ? { providerMessage: failure.error.message.slice(0, 2000) } : {})
      })
    case "blocked":
      return new LlmError(promptBlocked(failure.why))
    case "empty":
      return new LlmError({ reason: "MalformedResponse", description: "the answer holds no choices or data" })
  }
}

const complete = (handlers: Handlers, request: LlmRequest, clock: Clock.Clock, dead: Defect.Dead): Service.Call => {
  const startedAt = nowMs(clock)
  let answer: Effect.Effect<JsonObject, LlmError>
  try {
    answer = handlers.complete(request)
  } catch (defect) {
    return Defect.failed(dead, Cause.die(defect), false)
  }
  return Effect.flatMap(answer, (body): Effect.Effect<CompleteResponse, LlmError> => {
    const failure = failureOf(request.operation, body)
    if (failure !== undefined) return Effect.fail(errorOfFailure(failure))
    const duration = nowMs(clock) - startedAt
    const usage = inBody(body) ?? estimate(estimateInputTokens(request), Math.ceil(completionText(body).length / 4))
    return Effect.succeed({
      _tag: "Complete",
      status: 200,
      headers: {},
      body,
      raw: JSON.stringify(body),
      outcome: { _tag: "Completed", usage, timeToFirstToken: duration, duration },
      journal: request.route.journal
    })
  })
}

/** A valve between the source and a reader that may be slower. */
class Valve {
  private isOpen = true
  private wake: (() => void) | undefined

  close(): void {
    this.isOpen = false
  }

  open(): void {
    this.isOpen = true
    this.wake?.()
    this.wake = undefined
  }

  readonly passed: Effect.Effect<void> = Effect.suspend(() =>
    this.isOpen
      ? Effect.void
      : Effect.async((resume) => {
          if (this.isOpen) return resume(Effect.void)
          this.wake = () => resume(Effect.void)
        })
  )
}

/** A stream of which not even the source could be made. */
class Unmade {
  constructor(readonly defect: unknown) {}
}

const sourceOf = (handlers: Handlers, request: LlmRequest): Stream.Stream<JsonObject, LlmError> =>
  Stream.suspend(() => {
    try {
      return handlers.stream(request)
    } catch (defect) {
      return Stream.die(new Unmade(defect))
    }
  })

const interrupted = new LlmError({ reason: "Unavailable", description: "the stream was interrupted", elsewhere: true })

const pump = (
  source: Stream.Stream<JsonObject, LlmError>,
  events: EventStream,
  valve: Valve,
  dead: Defect.Dead
): Effect.Effect<void> =>
  Stream.runForEach(source, (json) => {
    events.push({ data: JSON.stringify(json), json })
    return valve.passed
  }).pipe(
    Effect.matchCauseEffect({
      onSuccess: () => Effect.sync(() => events.end(true)),
      onFailure: (cause) => {
        const failure = Cause.failureOption(cause)
        if (Option.isSome(failure)) return Effect.sync(() => events.fail(failure.value))
        if (Cause.isInterruptedOnly(cause)) return Effect.sync(() => events.fail(interrupted))
        if (cause._tag !== "Die" || !(cause.defect instanceof Unmade)) return Effect.sync(() => events.died(cause))
        const { error, log } = Defect.deathOf(dead, Cause.die(cause.defect.defect), false)
        return Effect.zipRight(
          log,
          Effect.sync(() => events.fail(error))
        )
      }
    })
  )

const streaming = (
  handlers: Handlers,
  request: LlmRequest,
  clock: Clock.Clock,
  adopt: Adopt,
  dead: Defect.Dead
): Service.Call =>
  Effect.uninterruptible(
    Effect.suspend(() => {
      const valve = new Valve()
      let stop = () => {}
      const events = new EventStream({
        clock,
        startedAt: nowMs(clock),
        estimateInputTokens: () => estimateInputTokens(request),
        pause: () => valve.close(),
        resume: () => valve.open(),
        abort: () => stop(),
        onDefect: (cause) => Defect.deathOf(dead, cause, true)
      })
      adopt(events)
      const source = sourceOf(handlers, request)
      return Effect.map(
        Effect.forkDaemon(Effect.interruptible(pump(source, events, valve, dead))),
        (fiber): StreamingResponse => {
          stop = () => fiber.unsafeInterruptAsFork(fiber.id())
          return { _tag: "Streaming", status: 200, headers: {}, events, journal: request.route.journal }
        }
      )
    })
  )

const call = (handlers: Handlers, request: LlmRequest, adopt: Adopt, dead: Defect.Dead = { request }): Service.Call =>
  Effect.clockWith((clock) =>
    request.stream ? streaming(handlers, request, clock, adopt, dead) : complete(handlers, request, clock, dead)
  )

/**
 * A base service for the attempt tier.
 *
 * @example
 * ```ts
 * import * as BaseService from "@switchyard/core/BaseService"
 * import { Effect, Stream } from "effect"
 *
 * const echo = BaseService.make({
 *   complete: () => Effect.succeed({ choices: [{ message: { content: "Hi" }, finish_reason: "stop" }] }),
 *   stream: () => Stream.make({ choices: [{ delta: { content: "Hi" }, finish_reason: "stop" }] })
 * })
 * ```
 */
export const make = (handlers: Handlers): Service.AttemptService =>
  Service.attempt((attempt) =>
    call(handlers, { ...attempt.request, model: attempt.model }, (events) => attempt.adopt(events), attempt)
  )

/** The same for the request tier: what `Router.fromServices` routes over. */
export const forRequests = (handlers: Handlers): Service.RequestService =>
  Service.request((request) => call(handlers, request, (events) => request.route.journal.adopt(events)))
