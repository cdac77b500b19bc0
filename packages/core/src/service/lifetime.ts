import { Cause, type Clock, Effect } from "effect"
import type { LlmResponse } from "../answer/LlmResponse.js"
import type { LlmError } from "../errors/LlmError.js"
import * as Outcome from "../outcome/Outcome.js"
import { clockHere, nowMs } from "../shared/Time.js"
import type { Call, Region } from "./region.js"

/**
 * What stands around a call as data: what it takes before, and how it is given back. All functions are synchronous and must
 * not throw; `at` is monotonic ms, the same for all brackets that run as one. `request` is what the bracket itself was given.
 */
export interface Bracket<in out Req, in out A = void> {
  /** Whether it has anything to do for a request; left out, it always has. What has nothing to do costs nothing. */
  readonly when?: (request: Req) => boolean
  /**
   * Takes something: its value when that is at once, or an effect of it when a store has to be asked. An `LlmError` is itself
   * an effect that fails, so whoever gives one has taken nothing, and the call fails with it. What is taken must not be an
   * `Effect` (an `Option` and an `Either` are some). Nothing interrupts the effect, as that would lose what it takes: give a
   * question to a store a time limit of its own.
   */
  readonly begin: (request: Req, at: number, clock: Clock.Clock) => A | Effect.Effect<A, LlmError>
  /** The request as it goes on from here, where it is another one. */
  readonly pass?: (request: Req, taken: A) => Req
  /** An answer is there: a whole one, or a stream that has begun. */
  readonly onResponse?: (taken: A, response: LlmResponse, at: number, request: Req) => void
  /** A stream's first content has come. */
  readonly onFirstContent?: (taken: A, at: number, request: Req) => void
  /**
   * What it knows of the end of an answer, whole or broken off, and adds to the outcome: those outside hear of it, and all in one
   * run with it. A call that failed or was left before an answer came has nothing to learn from.
   */
  readonly learn?: (taken: A, outcome: Outcome.Outcome, request: Req) => Outcome.Learned | undefined
  /**
   * Gives back what was taken, exactly once, however the call ends: for a stream when its last chunk, its error or its
   * abandonment is known. Left out by a guard that takes nothing.
   */
  readonly end?: (taken: A, outcome: Outcome.Outcome, at: number, request: Req) => void
}

/** Brackets whose types nobody needs any more. */
export type AnyBracket<Req> = Bracket<Req, unknown>

/** What is called within brackets; `taken` is what the innermost one took. */
export type Inner<in Req> = (request: Req, region: Region, taken: unknown) => Call

/** In place of what a bracket took that had nothing to do. */
const nothing = Symbol("nothing")

/** One call within its brackets. */
class Lifetime<Req> {
  /** By bracket, as many as have begun; made as long as they get, since what grows is first made for sixteen. */
  private readonly taken: Array<unknown>
  private readonly requests: Array<Req>
  private begun = 0
  private readonly clock = clockHere()
  /** Of what a bracket died while it learned. */
  private died: Cause.Cause<never> | undefined

  constructor(
    /** Outermost first. */
    private readonly brackets: ReadonlyArray<AnyBracket<Req>>,
    private readonly inner: Inner<Req>,
    private request: Req,
    private readonly region: Region,
    private readonly onEnd: ((request: Req, at: number) => void) | undefined
  ) {
    this.taken = new Array(brackets.length)
    this.requests = new Array(brackets.length)
  }

  /** Begins the brackets from an index on, and calls. */
  from(index: number): Call {
    const { brackets, clock } = this
    const at = nowMs(clock)
    try {
      for (let i = index; i < brackets.length; i++) {
        const bracket = brackets[i] as AnyBracket<Req>
        const begun = bracket.when?.(this.request) === false ? nothing : bracket.begin(this.request, at, clock)
        if (Effect.isEffect(begun)) return this.waitFor(begun as Effect.Effect<unknown, LlmError>, bracket, i)
        this.hold(bracket, begun)
      }
      return Effect.matchCauseEffect(this.inner(this.request, this.region, this.taken[brackets.length - 1]), this)
    } catch (defect) {
      return this.onFailure(Cause.die(defect))
    }
  }

  readonly onFailure = (cause: Cause.Cause<LlmError>): Call => {
    const died = this.end(Outcome.fromCause(cause), nowMs(this.clock))
    return Effect.failCause(died ?? cause)
  }

  readonly onSuccess = (response: LlmResponse): Call => {
    const at = nowMs(this.clock)
    const unread = this.tellResponse(response, at)
    if (unread !== undefined) return Effect.failCause(this.end(Outcome.fromCause(unread), at) ?? unread)
    const learns = this.brackets.some(({ learn }) => learn !== undefined)
    if (response._tag === "Complete") {
      const outcome = learns ? this.learn(response.outcome) : response.outcome
      const died = this.end(outcome, at)
      if (died !== undefined) return Effect.failCause(died)
      return Effect.succeed(outcome === response.outcome ? response : { ...response, outcome })
    }
    const { settlement } = response.events
    if (learns) settlement.onSettling((outcome) => this.learn(outcome))
    if (this.brackets.some(({ onFirstContent }) => onFirstContent !== undefined)) {
      settlement.onFirstContent((came) => this.tellFirstContent(came))
    }
    settlement.onSettled((outcome, ended) => {
      const died = this.end(outcome, ended)
      if (died !== undefined) throw Cause.squash(died)
    })
    return Effect.succeed(response)
  }

  /** Innermost first. What throws here is told by `end`, after everything was given back. */
  private learn<O extends Outcome.Outcome>(first: O): O {
    const { begun, brackets, requests, taken } = this
    let outcome = first
    for (let i = begun - 1; i >= 0; i--) {
      try {
        const learned = taken[i] === nothing ? undefined : brackets[i]?.learn?.(taken[i], outcome, requests[i] as Req)
        if (learned === undefined) continue
        if (outcome === first) outcome = { ...first }
        // Named: to assign all that an object has takes V8 4 µs more.
        const copy: { cost?: number | undefined } = outcome
        copy.cost = learned.cost
      } catch (defect) {
        this.died ??= Cause.die(defect)
      }
    }
    return outcome
  }

  private waitFor(begun: Effect.Effect<unknown, LlmError>, bracket: AnyBracket<Req>, index: number): Call {
    return Effect.matchCauseEffect(begun, {
      onFailure: this.onFailure,
      onSuccess: (taken) => {
        try {
          this.hold(bracket, taken)
        } catch (defect) {
          return this.onFailure(Cause.die(defect))
        }
        return this.from(index + 1)
      }
    })
  }

  private hold(bracket: AnyBracket<Req>, taken: unknown): void {
    this.taken[this.begun] = taken
    this.requests[this.begun++] = this.request
    if (taken !== nothing && bracket.pass !== undefined) this.request = bracket.pass(this.request, taken)
  }

  /** A stream that a bracket dies of is closed: nobody above will get it. */
  private tellResponse(response: LlmResponse, at: number): Cause.Cause<never> | undefined {
    const { brackets, requests, taken } = this
    try {
      for (let i = brackets.length - 1; i >= 0; i--) {
        if (taken[i] !== nothing) brackets[i]?.onResponse?.(taken[i], response, at, requests[i] as Req)
      }
      return undefined
    } catch (defect) {
      if (response._tag === "Streaming") response.events.close()
      return Cause.die(defect)
    }
  }

  private tellFirstContent(at: number): void {
    const { brackets, requests, taken } = this
    let died: Cause.Cause<never> | undefined
    for (let i = brackets.length - 1; i >= 0; i--) {
      try {
        if (taken[i] !== nothing) brackets[i]?.onFirstContent?.(taken[i], at, requests[i] as Req)
      } catch (defect) {
        died ??= Cause.die(defect)
      }
    }
    if (died !== undefined) throw Cause.squash(died)
  }

  /** Gives back what was taken, innermost first; the outer ones hear of an inner one that dies. */
  private end(first: Outcome.Outcome, at: number): Cause.Cause<never> | undefined {
    const { begun, brackets, requests, taken } = this
    let outcome = first
    let { died } = this
    for (let i = begun - 1; i >= 0; i--) {
      try {
        if (taken[i] !== nothing) brackets[i]?.end?.(taken[i], outcome, at, requests[i] as Req)
      } catch (defect) {
        const cause = Cause.die(defect)
        died = died === undefined ? cause : Cause.sequential(died, cause)
        outcome = Outcome.fromCause(cause)
      }
    }
    this.onEnd?.(this.request, at)
    return died
  }
}

/**
 * Runs brackets, the outermost first, around one call, in the operations of one; `onEnd` is told when they have ended. The first `begin` and the watch over the
 * call are one uninterruptible step: between a plain `Effect.suspend` and an `onExit` after it a fiber may yield, be
 * interrupted, and leak what it took. So a region is opened, unless one is open already.
 */
export const within = <Req>(
  brackets: ReadonlyArray<AnyBracket<Req>>,
  request: Req,
  inner: Inner<Req>,
  region?: Region,
  onEnd?: (request: Req, at: number) => void
): Call =>
  region === undefined
    ? Effect.uninterruptibleMask((restore) => new Lifetime(brackets, inner, request, restore, onEnd).from(0))
    : new Lifetime(brackets, inner, request, region, onEnd).from(0)
