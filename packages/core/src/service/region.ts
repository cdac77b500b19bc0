/**
 * The stretch of a call that nothing interrupts but its waits. Each layer that takes and gives back needs one, and to open it
 * costs four operations of Effect's runtime, about 2 µs. Layers that stand directly in each other share the outermost one's.
 */
import { Cause, Effect } from "effect"
import { globalValue } from "effect/GlobalValue"
import type { LlmResponse } from "../answer/LlmResponse.js"
import type { LlmError } from "../errors/LlmError.js"

/** A call. A streaming response may outlive it: who gets one reads it to the end or closes it. */
export type Call = Effect.Effect<LlmResponse, LlmError>

/**
 * What is open around a run: what lets a wait be interrupted again, as it was outside of the region; undefined where no region
 * is open, and all may be interrupted anyway.
 */
export type Region = (<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) | undefined

/**
 * A call that begins now: it is only made while a fiber runs, inside the region if there is one, and what it gives is run at
 * once, and once. So it may read the clock and take something before it returns. In a region all that waits has to stand in
 * {@link waiting}.
 */
export type Run<in Req> = (request: Req, region: Region) => Call

/** What waits: it can be interrupted whether a region is open or not. */
export const waiting = <A, E, R>(region: Region, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  region === undefined ? effect : region(effect)

/** How a call is answered; only the first counts. */
export type Resume = (answer: Call) => void

/**
 * Waits for an answer, and breaks off what was started when the caller leaves. In a region the watch over it is one operation;
 * where none is open, `Effect.async` opens one of its own.
 */
export const awaiting = (region: Region, start: (resume: Resume) => () => void): Call => {
  if (region === undefined) {
    return Effect.async<LlmResponse, LlmError>((resume) => Effect.sync(start(resume)))
  }
  let abort: (() => void) | undefined
  const answer = Effect.async<LlmResponse, LlmError>((resume) => {
    abort = start(resume)
  })
  return Effect.catchAllCause(region(answer), (cause) => {
    if (Cause.isInterrupted(cause)) abort?.()
    return Effect.failCause(cause)
  })
}

type AnyCall = (request: never) => Call

/** Kept beside the functions, as promises are: a service with another `call`, made by spread say, shares no region. */
const runs = globalValue(Symbol.for("@switchyard/core/Service/regions"), () => new WeakMap<AnyCall, Run<never>>())

/** Notes the run that is behind a call, for layers around it that have a region open. */
export const share = <Req>(call: (request: Req) => Call, run: Run<Req>): void => void runs.set(call, run)

/** The call of a run that shares regions. */
export const callOf = <Req>(run: Run<Req>): ((request: Req) => Call) => {
  const call = (request: Req): Call => Effect.suspend(() => run(request, undefined))
  share(call, run)
  return call
}

/** Enters a service as the region allows; what throws is thrown. A service that shares none can be interrupted as a whole. */
export const enteringOf = <Req>({ call }: { readonly call: (request: Req) => Call }): Run<Req> => {
  const run = runs.get(call) as Run<Req> | undefined
  if (run === undefined) return (request, region) => waiting(region, call(request))
  return (request, region) => (region === undefined ? call(request) : run(request, region))
}

/** Enters a service as the region allows. In a region a service that throws is a call that dies, as it is outside of one. */
export const entryOf = <Req>(service: { readonly call: (request: Req) => Call }): Run<Req> => {
  const enter = enteringOf(service)
  return (request, region) => {
    if (region === undefined) return enter(request, region)
    try {
      return enter(request, region)
    } catch (defect) {
      return Effect.die(defect)
    }
  }
}
