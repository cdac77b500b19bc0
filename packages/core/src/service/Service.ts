/**
 * The algebra of the tower: a service takes a request, a layer is a function from the inner service to the outer one.
 * Two tiers, two types: a layer on the wrong side of the router does not compile.
 */
import { type Clock, type Context, Effect, Exit, Layer, Pipeable } from "effect"
import type { LlmResponse } from "../answer/LlmResponse.js"
import { type Openings, unknown } from "../deployment/Opening.js"
import type { Slot } from "../deployment/Slot.js"
import { open, type Status } from "../deployment/Status.js"
import { LlmError } from "../errors/LlmError.js"
import * as Outcome from "../outcome/Outcome.js"
import type { LlmRequest } from "../request/LlmRequest.js"
import type { Attempt } from "./Attempt.js"

/** A call. A streaming response may outlive it: who gets one reads it to the end or closes it. */
export type Call = Effect.Effect<LlmResponse, LlmError>

/** Something that answers requests of one kind. */
export interface Service<in Req> extends Pipeable.Pipeable {
  readonly call: (request: Req) => Call
}

/** The request tier: takes a request that names a model group, and says beforehand when somebody could take it. */
export interface RequestService extends Service<LlmRequest> {
  /**
   * Every deployment of the request's group that passes the request's filters and is not excluded, and when it could be
   * chosen; avoided ones are among them. Empty where nobody could ever take it, and for an unknown model. It is about the
   * group that the request names: what fallbacks, a cache or a caller's own limits would do is not in it.
   */
  readonly openings: Openings<LlmRequest>
}

/** The attempt tier: takes a request with its chosen deployment, and says beforehand whether it could. */
export interface AttemptService extends Service<Attempt> {
  /** A plain read, no reservation: `now` is monotonic ms, read once per selection. */
  readonly status: (slot: Slot, request: LlmRequest, now: number) => Status
}

/** A layer of the request tier, as a plain value: retry, fallback, cache. It should forward `openings`. */
export type RequestLayer = (next: RequestService) => RequestService

/** A layer of the attempt tier, as a plain value: breaker, limits, latency. It must forward `status`. */
export type AttemptLayer = (next: AttemptService) => AttemptService

/** A property of each service, so that one that is made by spread can be piped too. */
const pipe: Pipeable.Pipeable["pipe"] = function (this: unknown) {
  // biome-ignore lint/complexity/noArguments: Pipeable's own protocol
  return Pipeable.pipeArguments(this, arguments)
}

/**
 * A request-tier service from its call. Without `openings` it says that somebody may be open now and nobody knows who, as a
 * base service does; layers above then find out by asking. A layer hands on `next.openings`, or asks them about the request
 * that it would send.
 */
export const request = (
  call: (request: LlmRequest) => Call,
  openings: RequestService["openings"] = unknown
): RequestService => ({ pipe, call, openings })

/** An attempt-tier service from its call; without `status` it is always open, as a base service is. */
export const attempt = (
  call: (attempt: Attempt) => Call,
  status: AttemptService["status"] = () => open
): AttemptService => ({ pipe, call, status })

/** Whether the calls for a request can be ended by `attempt.expire`. */
export type Expiry = (request: LlmRequest) => boolean

/** Kept beside the functions that were promised for: a service with another `call`, made by spread say, has promised nothing. */
const expiries = new WeakMap<AttemptService["call"], Expiry>()

/**
 * The service, with the promise that its calls set `attempt.expire` before they await anything, for the requests that
 * `expires` names. A layer with a timer then ends them without a fiber of its own.
 */
export const expiring = (service: AttemptService, expires: Expiry = () => true): AttemptService => {
  expiries.set(service.call, expires)
  return service
}

const never: Expiry = () => false

/** What the service promised by `expiring`; nothing for any other one. Ask once, when a layer is made. */
export const expiryOf = (service: AttemptService): Expiry => expiries.get(service.call) ?? never

/** A request-tier layer that changes the call and forwards `openings`. */
export const mapRequest =
  (f: (call: Call, request: LlmRequest) => Call): RequestLayer =>
  (next) =>
    request((input) => f(next.call(input), input), next.openings)

/** A request-tier layer that changes the request: also `openings` are asked about the changed one. `f` must be pure. */
export const mapInput =
  (f: (request: LlmRequest) => LlmRequest): RequestLayer =>
  (next) =>
    request(
      (input) => next.call(f(input)),
      (input, now) => next.openings(f(input), now)
    )

/** An attempt-tier layer that changes the call and forwards `status`. */
export const mapAttempt =
  (f: (call: Call, attempt: Attempt) => Call): AttemptLayer =>
  (next) =>
    attempt((input) => f(next.call(input), input), next.status)

/**
 * Runs `f` exactly once when the call is over, however it ends: for a plain call when the effect ends, for a stream when
 * its last chunk, its error or its abandonment is known. `f` is synchronous and must not throw.
 */
export const onSettled = (call: Call, f: (outcome: Outcome.Outcome) => void): Call =>
  Effect.onExit(call, (exit) =>
    Effect.sync(() => {
      if (Exit.isFailure(exit)) f(Outcome.fromCause(exit.cause))
      else if (exit.value._tag === "Complete") f(exit.value.outcome)
      else exit.value.events.settlement.onSettled(f)
    })
  )

/**
 * Takes something for the length of a call and gives it back exactly once when the call has settled, however it ends:
 * permits, reservations, gauges. `begin` and the watch over the call are one uninterruptible step: between a plain
 * `Effect.suspend` and an `onExit` after it a fiber may yield, be interrupted, and leak what it took. When `begin` gives
 * an `LlmError` nothing was taken, and the call fails with it. `begin` and `end` are synchronous and must not throw; a
 * `call` that throws is a defect of the call, and `end` hears of it.
 */
export const bracket = <A>(
  begin: (clock: Clock.Clock) => A | LlmError,
  call: (taken: A) => Call,
  end: (taken: A, outcome: Outcome.Outcome, clock: Clock.Clock) => void
): Call =>
  Effect.uninterruptibleMask((restore) =>
    Effect.clockWith((clock) => {
      const taken = begin(clock)
      if (taken instanceof LlmError) return Effect.fail(taken)
      return Effect.matchCauseEffect(restore(Effect.suspend(() => call(taken))), {
        onFailure: (cause) => {
          end(taken, Outcome.fromCause(cause), clock)
          return Effect.failCause(cause)
        },
        onSuccess: (response) => {
          if (response._tag === "Complete") end(taken, response.outcome, clock)
          else response.events.settlement.onSettled((outcome) => end(taken, outcome, clock))
          return Effect.succeed(response)
        }
      })
    })
  )

/**
 * Waits for the first content of a stream, so that everything before it is an ordinary failure and retry, fallback and
 * hedging need no stream code. Plain responses pass. A caller that leaves while waiting closes the stream.
 */
export const primed = (call: Call): Call =>
  Effect.flatMap(call, (response) =>
    response._tag === "Complete" || response.events.settlement.hasContent
      ? Effect.succeed(response)
      : Effect.as(
          Effect.onInterrupt(response.events.awaitContent, () => Effect.sync(() => response.events.close())),
          response
        )
  )

/**
 * Lifts a layer value to an onion `Layer`: it takes the inner service from the context and provides the outer one under
 * the same tag. What else the layer needs shows in `R`.
 */
export const wrap = <I, S, E, R>(
  tag: Context.Tag<I, S>,
  make: Effect.Effect<(next: S) => S, E, R>
): Layer.Layer<I, E, I | R> =>
  Layer.fresh(
    Layer.effect(
      tag,
      Effect.zipWith(make, tag, (layer, next) => layer(next))
    )
  )
