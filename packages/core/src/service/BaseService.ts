/**
 * The bottom of a tower over any client: give it a function that answers and one that streams, and it keeps the promises
 * that layers rely on (usage, timing, first content, one settled end, backpressure, abort).
 */
import { Cause, type Clock, Effect, Option, Stream } from "effect"
import { usageOf } from "../answer/AnswerUsage.js"
import { EventQueue } from "../answer/EventQueue.js"
import type { EventStream } from "../answer/EventStream.js"
import type { CompleteResponse, StreamingResponse } from "../answer/LlmResponse.js"
import { type AnswerFailure, promptBlocked } from "../dialect/AnswerFailure.js"
import type { Answer, Chunk, Completion } from "../dialect/Chat.js"
import { type AnswerWords, type Dialect, eventOf } from "../dialect/Dialect.js"
import { openAi } from "../dialect/OpenAi.js"
import { ofBytes } from "../dialect/StreamEvent.js"
import { LlmError } from "../errors/LlmError.js"
import { estimateInputTokens, type LlmRequest, unitsAsked } from "../request/LlmRequest.js"
import { nowMs } from "../shared/Time.js"
import * as Defect from "./Defect.js"
import { ofRequest, ParameterBook, requestOf, tellDropped } from "./Payload.js"
import * as Service from "./Service.js"

/**
 * A client of some provider. `request.body` is what the HTTP base would send: `model` is the provider's own name (as is
 * `request.model`), `stream` fits the kind of the call, and the deployment's `defaults` stand below the caller's fields, in
 * the words of the model's family; so `client.chat.completions.create(request.body)` is right as it is. Key, base URL and
 * headers of a deployment are the client's own matter; a caller's headers are in `request.overrides.headers`.
 *
 * A client tells what went wrong by an `LlmError`; anything else, an error of another kind too, is a defect. One that throws before it returns an effect or a
 * stream fails its request at once: no other deployment is asked. One that dies later counts against its deployment, and the
 * others are asked.
 */
export interface Handlers {
  /** A whole answer in OpenAI's shape: `choices` (without them it is a `MalformedResponse`), and `usage` where it is known. */
  readonly complete: (request: LlmRequest) => Effect.Effect<Answer, LlmError>
  /**
   * Chunks in OpenAI's shape. An end without a `finish_reason` counts as a cut. Of what is no JSON, as speech in the dialect
   * `media`, the bytes.
   */
  readonly stream: (request: LlmRequest) => Stream.Stream<Answer | Uint8Array, LlmError>
  /**
   * Names of the dialects, besides OpenAI's, in which it takes requests as they are and answers in their own shape; `any` for
   * all of them. Requests in another one are refused. Default: none.
   */
  readonly dialects?: "any" | ReadonlyArray<string>
}

/** The request is in a dialect that the client does not speak, and no translator stands before it. */
const notSpoken = ({ name }: Dialect): LlmError =>
  new LlmError({
    reason: "InvalidRequest",
    description: `the client of this deployment speaks OpenAI's chat, and the request is in the dialect ${name}`,
    code: "dialect"
  })

const speaks = ({ dialects }: Handlers, dialect: Dialect): boolean =>
  dialects === "any" || dialects?.includes(dialect.name) === true

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

/** One call of a client. */
interface Asked {
  /** As the client gets it. */
  readonly request: LlmRequest
  /** As the caller made it: by it estimates are made. */
  readonly given: LlmRequest
  readonly adopt: Adopt
  readonly dead: Defect.Dead
}

const complete = (handlers: Handlers, { dead, given, request }: Asked, clock: Clock.Clock): Service.Call => {
  const startedAt = nowMs(clock)
  let answer: Effect.Effect<Answer, LlmError>
  try {
    answer = handlers.complete(request)
  } catch (defect) {
    return Defect.failed(dead, Cause.die(defect), false)
  }
  return Effect.flatMap(answer, (answered): Effect.Effect<CompleteResponse, LlmError> => {
    const body = answered as Completion
    const failure = (request.dialect ?? openAi).answer.failure(request.operation, body)
    if (failure !== undefined) return Effect.fail(errorOfFailure(failure))
    const duration = nowMs(clock) - startedAt
    return Effect.succeed({
      _tag: "Complete",
      status: 200,
      headers: {},
      body,
      raw: JSON.stringify(body),
      outcome: { _tag: "Completed", usage: usageOf(given, body), timeToFirstToken: duration, duration },
      journal: request.route.journal
    })
  })
}

/** A stream of which not even the source could be made. */
class Unmade {
  constructor(readonly defect: unknown) {}
}

type Source = Stream.Stream<Answer | Uint8Array, LlmError>

const sourceOf = (handlers: Handlers, request: LlmRequest): Source =>
  Stream.suspend(() => {
    try {
      return handlers.stream(request)
    } catch (defect) {
      return Stream.die(new Unmade(defect))
    }
  })

const interrupted = new LlmError({ reason: "Unavailable", description: "the stream was interrupted", elsewhere: true })

const pump = (
  source: Source,
  words: AnswerWords,
  events: EventQueue,
  /** Closed while the reader is slower than the source. */
  room: Effect.Latch,
  dead: Defect.Dead
): Effect.Effect<void> =>
  Stream.runForEach(source, (json) => {
    events.push(json instanceof Uint8Array ? ofBytes(json) : eventOf(words, json as Chunk))
    return room.await
  }).pipe(
    Effect.matchCauseEffect({
      onSuccess: () => Effect.sync(() => events.end(true)),
      onFailure: (cause) => {
        const failure = Cause.failureOption(cause)
        if (Option.isSome(failure) && !Defect.isForeign(failure.value)) {
          return Effect.sync(() => events.fail(failure.value))
        }
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

const streaming = (handlers: Handlers, { adopt, dead, given, request }: Asked, clock: Clock.Clock): Service.Call =>
  Effect.uninterruptible(
    Effect.suspend(() => {
      const room = Effect.unsafeMakeLatch(true)
      let stop = () => {}
      const events = new EventQueue({
        clock,
        startedAt: nowMs(clock),
        estimateInputTokens: () => estimateInputTokens(given),
        unitsAsked: () => unitsAsked(given),
        dialect: request.dialect,
        pause: () => room.unsafeClose(),
        resume: () => room.unsafeOpen(),
        abort: () => stop(),
        onDefect: (cause) => Defect.deathOf(dead, cause, true)
      })
      adopt(events)
      const source = sourceOf(handlers, request)
      return Effect.map(
        Effect.forkDaemon(Effect.interruptible(pump(source, (request.dialect ?? openAi).answer, events, room, dead))),
        (fiber): StreamingResponse => {
          stop = () => fiber.unsafeInterruptAsFork(fiber.id())
          return { _tag: "Streaming", status: 200, headers: {}, events, journal: request.route.journal }
        }
      )
    })
  )

const call = (handlers: Handlers, asked: Asked): Service.Call => {
  const { dialect, stream } = asked.request
  if (dialect !== undefined && !speaks(handlers, dialect)) return Effect.fail(notSpoken(dialect))
  return Effect.clockWith((clock) => (stream ? streaming(handlers, asked, clock) : complete(handlers, asked, clock)))
}

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
export const make = (handlers: Handlers): Service.AttemptService => {
  const book = new ParameterBook()
  return Service.attempt((attempt) => {
    const parameters = book.of(attempt)
    const request = requestOf(attempt, parameters)
    const asked = {
      request,
      given: attempt.request,
      adopt: (events: EventStream) => attempt.adopt(events),
      dead: attempt
    }
    const told = tellDropped(attempt, parameters)
    return told === undefined ? call(handlers, asked) : Effect.zipRight(told, call(handlers, asked))
  })
}

/**
 * The same for the request tier: what `Router.fromServices` routes over, which sees to the deployment's model and defaults.
 * Alone it knows of no deployment, and sends the request's own `model`; it is open for all that it knows.
 */
export const forRequests = (handlers: Handlers): Service.RequestService =>
  Service.request((given) => {
    const body = ofRequest(given)
    const request = body === given.body ? given : { ...given, body }
    return call(handlers, { request, given, adopt: (events) => given.route.journal.adopt(events), dead: { request } })
  })
