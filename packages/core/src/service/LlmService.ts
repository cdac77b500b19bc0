/**
 * The request tier's tag, and the accessors that most users want: they begin the request's route, and close what a
 * caller leaves behind.
 */
import { Context, Effect, Exit, type Scope, Stream } from "effect"
import { toStream } from "../answer/EventStream.js"
import type { CompleteResponse, LlmResponse } from "../answer/LlmResponse.js"
import type { StreamEvent } from "../dialect/ChatChunk.js"
import { openAi } from "../dialect/OpenAi.js"
import { LlmError } from "../errors/LlmError.js"
import type { Journal } from "../outcome/Journal.js"
import { begin, type LlmRequest } from "../request/LlmRequest.js"
import { clockHere, nowMs } from "../shared/Time.js"
import { entryOf, type Region } from "./region.js"
import type { RequestService } from "./Service.js"

/** Told of a request's journal when it begins: a server reads it also when the request fails, or its caller leaves. */
export type Tell = (journal: Journal) => void

type Restore = NonNullable<Region>

/** The error with every attempt that was made: what the accessors fail with. */
export const withAttempts = (error: LlmError, journal: Journal): LlmError =>
  error.attempts === undefined ? error.with({ attempts: journal.attemptReports() }) : error

/**
 * Begins the request's route, calls the service and hands the response with the request's own journal to `own`. Runs in
 * an uninterruptible region, in which only what waits can be interrupted: an interruption that falls between the answer and
 * its owner must not lose an open stream. The layers of the tower share the region.
 */
const send = <A, R>(
  service: RequestService,
  request: LlmRequest,
  tell: Tell | undefined,
  own: (response: LlmResponse, journal: Journal, restore: Restore) => Effect.Effect<A, LlmError, R>
): Effect.Effect<A, LlmError, R> =>
  Effect.uninterruptibleMask((restore: Restore) => {
    const begun = begin(request, nowMs(clockHere()))
    const { journal } = begun.route
    tell?.(journal)
    const told = (call: Effect.Effect<A, LlmError, R>): Effect.Effect<A, LlmError, R> =>
      Effect.mapError(call, (error) => withAttempts(error, journal))
    return Effect.matchCauseEffect(entryOf(service)(begun, restore), {
      onFailure: (cause) => {
        journal.releaseAll()
        return told(Effect.failCause(cause))
      },
      onSuccess: (response) => {
        const owned = own(response, journal, restore)
        // What has succeeded by now has no error to tell of.
        return Exit.isExit(owned) && Exit.isSuccess(owned) ? owned : told(owned)
      }
    })
  })

/** The whole answer to a request, from a service value; `stream` in the request is ignored. */
export const complete = (
  service: RequestService,
  request: LlmRequest,
  tell?: Tell
): Effect.Effect<CompleteResponse, LlmError> =>
  send(service, request.stream ? { ...request, stream: false } : request, tell, (response, journal) => {
    if (response._tag === "Complete") return Effect.succeed(response)
    response.events.close()
    journal.releaseAll()
    return Effect.fail(
      new LlmError({ reason: "MalformedResponse", description: "a plain request was answered with a stream" })
    )
  })

const closeAll = (response: LlmResponse, journal: Journal): void => {
  // A layer's own stream (a replay, a splice) is in no attempt of the journal.
  if (response._tag === "Streaming") response.events.close()
  journal.releaseAll()
}

/** The response as it is, for as long as `use` runs: a stream in it is closed then. What `open` does, without a scope's cost. */
export const using = <A>(
  service: RequestService,
  request: LlmRequest,
  use: (response: LlmResponse) => Effect.Effect<A, LlmError>,
  tell?: Tell
): Effect.Effect<A, LlmError> =>
  send(service, request, tell, (response, journal, restore) =>
    // In the region all the same, which an `onExit` would open once more.
    Effect.matchCauseEffect(restore(Effect.suspend(() => use(response))), {
      onFailure: (cause) => {
        closeAll(response, journal)
        return Effect.failCause(cause)
      },
      onSuccess: (used) => {
        closeAll(response, journal)
        return Effect.succeed(used)
      }
    })
  )

/** The response as it is, from a service value; a stream in it is closed with the caller's scope. */
export const open = (service: RequestService, request: LlmRequest): Effect.Effect<LlmResponse, LlmError, Scope.Scope> =>
  send(service, request, undefined, (response, journal) =>
    Effect.as(
      Effect.addFinalizer(() => Effect.sync(() => closeAll(response, journal))),
      response
    )
  )

/** The answer chunk by chunk, from a service value; ending the stream early aborts the call. */
export const stream = (service: RequestService, request: LlmRequest): Stream.Stream<StreamEvent, LlmError> =>
  Stream.unwrapScoped(
    Effect.map(open(service, request.stream ? request : { ...request, stream: true }), (response) => {
      if (response._tag === "Streaming") {
        return Stream.mapError(toStream(response.events), (error) => withAttempts(error, response.journal))
      }
      return Stream.fromIterable((request.dialect ?? openAi).answer.events(response.body))
    })
  )

/**
 * Answers requests that name a model group. The outermost layer of a tower provides it.
 *
 * @example
 * ```ts
 * import * as LlmRequest from "@switchyard/core/LlmRequest"
 * import { LlmService } from "@switchyard/core/LlmService"
 * import { Effect, Stream } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const request = LlmRequest.chat({ model: "smart", messages: [{ role: "user", content: "Hi" }] })
 *   const answer = yield* LlmService.complete(request)
 *   yield* Effect.log(answer.journal.report())
 *   yield* Stream.runForEach(LlmService.stream(request), (event) => Effect.log(event.json))
 * })
 * ```
 */
export class LlmService extends Context.Tag("@switchyard/core/LlmService")<LlmService, RequestService>() {
  /** The whole answer to a request; `stream` in it is ignored. */
  static readonly complete = (request: LlmRequest): Effect.Effect<CompleteResponse, LlmError, LlmService> =>
    Effect.flatMap(LlmService, (service) => complete(service, request))

  /** The answer chunk by chunk. Retries and fallbacks happen before the first content; ending early aborts the call. */
  static readonly stream = (request: LlmRequest): Stream.Stream<StreamEvent, LlmError, LlmService> =>
    Stream.unwrap(Effect.map(LlmService, (service) => stream(service, request)))

  /** The response as it is, for servers: a stream in it lives as long as the caller's scope. */
  static readonly open = (request: LlmRequest): Effect.Effect<LlmResponse, LlmError, LlmService | Scope.Scope> =>
    Effect.flatMap(LlmService, (service) => open(service, request))
}
