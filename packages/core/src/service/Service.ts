/**
 * The algebra of the tower: a service takes a request, a layer is a function from the inner service to the outer one.
 * Two tiers, two types: a layer on the wrong side of the router does not compile.
 */
import { Cause, type Clock, type Context, Effect, Layer, Option, Pipeable } from "effect"
import { globalValue } from "effect/GlobalValue"
import { type Openings, unknown } from "../deployment/Opening.js"
import type { Slot } from "../deployment/Slot.js"
import { open, type Status, worst } from "../deployment/Status.js"
import type { LlmError } from "../errors/LlmError.js"
import type { Outcome } from "../outcome/Outcome.js"
import type { LlmRequest } from "../request/LlmRequest.js"
import type { Attempt } from "./Attempt.js"
import { type AnyBracket, type Bracket, Brackets } from "./brackets.js"
import { within } from "./lifetime.js"
import { awaiting, type Call, callOf, entryOf, type Region, type Run, share, waiting } from "./region.js"

export type { Bracket, Call, Region, Run }
export { awaiting, waiting }

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

/**
 * A request-tier service that shares the uninterruptible region of the layers around it, which spares it one of its own: for
 * layers that stand in the way of each call. What waits in it has to be made interruptible by `waiting`; the service within is
 * entered by `entry`.
 */
export const requestWithin = (run: Run<LlmRequest>, openings: RequestService["openings"] = unknown): RequestService =>
  request(callOf(run), openings)

/** The same for the attempt tier. */
export const attemptWithin = (run: Run<Attempt>, status?: AttemptService["status"]): AttemptService =>
  attempt(callOf(run), status)

/** How a layer enters its inner service when it shares regions; made once, with the layer. */
export const entry: <Req>(next: Service<Req>) => Run<Req> = entryOf

/**
 * Goes on by `f` after a failure; defects and interruptions pass. An answer passes without an operation, where `Effect.catchAll`
 * has one of its own.
 */
export const recovered = (call: Call, f: (error: LlmError) => Call): Call =>
  Effect.catchAllCause(call, (cause) => {
    if (cause._tag === "Fail") return f(cause.error)
    const failure = Cause.isDie(cause) ? Option.none() : Cause.failureOption(cause)
    return Option.isSome(failure) ? f(failure.value) : Effect.failCause(cause)
  })

/** Whether the calls for a request can be ended by `attempt.expire`. */
export type Expiry = (request: LlmRequest) => boolean

/** Kept beside the functions that were promised for: a service with another `call`, made by spread say, has promised nothing. */
const expiries = globalValue(
  Symbol.for("@switchyard/core/Service/expiries"),
  () => new WeakMap<AttemptService["call"], Expiry>()
)

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

/** What a service that is nothing but brackets around another one is made of. */
interface Fold<Req> {
  readonly brackets: Brackets<Req>
  readonly inner: Run<Req>
}

/** Kept beside the functions, as promises are: a service with another `call`, made by spread say, is no such fold. */
const folds = globalValue(
  Symbol.for("@switchyard/core/Service/folds"),
  () => new WeakMap<(request: never) => Call, Fold<never>>()
)

/** The call within a bracket. Those that the service is made of already are run with it as one. */
const around = <Req, A>(
  bracket: Bracket<Req, A>,
  next: Service<Req>,
  onEnd?: (request: Req, at: number) => void
): Service<Req>["call"] => {
  const known = folds.get(next.call) as Fold<Req> | undefined
  const own = bracket as unknown as AnyBracket<Req>
  const brackets = known === undefined ? new Brackets([own]) : known.brackets.within(own)
  const inner = known?.inner ?? entryOf(next)
  const run: Run<Req> = (request, region) =>
    brackets.isNeeded(request) ? within(brackets, request, inner, region, onEnd) : inner(request, region)
  const call = (request: Req): Call => run(request, undefined)
  folds.set(call, { brackets, inner } as unknown as Fold<never>)
  share(call, run)
  return call
}

/** A bracket of the attempt tier; with `status`, it also has a say in whether a deployment takes a request. */
export interface AttemptBracket<in out A = void> extends Bracket<Attempt, A> {
  /** A plain read, no reservation. The worse of it and of what the inner service says counts. */
  readonly status?: AttemptService["status"]
}

/**
 * A layer of the attempt tier that takes and gives back, or only watches. Around a service of which the outermost layers are
 * such ones, it runs with them as one bracket, which costs 2 operations however many they are, and 5 more where no region is open: order, and who hears what,
 * stay as they are written. A layer of another kind between them begins a new one.
 */
export const bracketAttempt =
  <A>(bracket: AttemptBracket<A>): AttemptLayer =>
  (next) => {
    const { status } = bracket
    return attempt(
      around(bracket, next),
      status === undefined
        ? next.status
        : (slot, input, now) => worst(status(slot, input, now), next.status(slot, input, now))
    )
  }

/** The outermost bracket ends last, and so its stamp is the one that the journal keeps. */
const noteEnd = ({ route }: LlmRequest, at: number): void => route.journal.noteEnd(at)

/** A bracket of the request tier. */
export interface RequestBracket<in out A = void> extends Bracket<LlmRequest, A> {
  /** The request whose openings are asked about, where `pass` changes what they depend on: the model, or its demands. Pure. */
  readonly asks?: (request: LlmRequest) => LlmRequest
}

/** The same for the request tier. */
export const bracketRequest =
  <A>(bracket: RequestBracket<A>): RequestLayer =>
  (next) => {
    const { asks } = bracket
    return request(
      around(bracket, next, noteEnd),
      asks === undefined ? next.openings : (input, now) => next.openings(asks(input), now)
    )
  }

/**
 * Takes something for the length of a call and gives it back exactly once when the call has settled, however it ends:
 * permits, reservations, gauges. `begin` gives what it took, or an effect of it; an `LlmError` is an effect that fails, and
 * says that nothing was taken. What holds for a `Bracket` holds here; a layer of nothing else is better written as one, by
 * `bracketAttempt` or `bracketRequest`. A `call` that throws is a defect of the call, and `end` hears of it.
 */
export const bracket = <A>(
  begin: (at: number, clock: Clock.Clock) => A | Effect.Effect<A, LlmError>,
  call: (taken: A) => Call,
  end: (taken: A, outcome: Outcome, at: number) => void
): Call =>
  within<void>(
    new Brackets([
      { begin: (_, at, clock) => begin(at, clock), end: (taken, outcome, at) => end(taken as A, outcome, at) }
    ]),
    undefined,
    (_, region, taken) => waiting(region, call(taken as A))
  )

/**
 * Runs `f` exactly once when the call is over, however it ends: for a plain call when the effect ends, for a stream when
 * its last chunk, its error or its abandonment is known. `f` is synchronous and must not throw; `at` is monotonic ms.
 */
export const onSettled = (call: Call, f: (outcome: Outcome, at: number) => void): Call =>
  bracket(
    () => undefined,
    () => call,
    (_, outcome, at) => f(outcome, at)
  )

/**
 * Waits for the first content of a stream, so that everything before it is an ordinary failure and retry, fallback and
 * hedging need no stream code. Plain responses pass. A caller that leaves while waiting closes the stream.
 */
export const primed = (call: Call): Call => primedWithin(call, undefined)

/** The same for a call that was entered in a region. */
export const primedWithin = (call: Call, region: Region): Call =>
  Effect.flatMap(call, (response) =>
    response._tag === "Complete" || response.events.settlement.hasContent
      ? Effect.succeed(response)
      : Effect.as(
          Effect.onInterrupt(waiting(region, response.events.awaitContent), () =>
            Effect.sync(() => response.events.close())
          ),
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
