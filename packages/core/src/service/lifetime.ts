import { Cause, Effect } from "effect"
import type { LlmResponse } from "../answer/LlmResponse.js"
import type { LlmError } from "../errors/LlmError.js"
import * as Outcome from "../outcome/Outcome.js"
import { clockHere, nowMs } from "../shared/Time.js"
import type { Brackets, Even } from "./brackets.js"
import type { Call, Region } from "./region.js"

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
    private readonly brackets: Brackets<Req>,
    private readonly inner: Inner<Req>,
    private request: Req,
    private readonly region: Region,
    private readonly onEnd: ((request: Req, at: number) => void) | undefined
  ) {
    this.taken = new Array(brackets.list.length)
    this.requests = new Array(brackets.list.length)
  }

  /** Begins the brackets from an index on, and calls. */
  from(index: number): Call {
    const { clock } = this
    const { list } = this.brackets
    const at = nowMs(clock)
    try {
      for (let i = index; i < list.length; i++) {
        const bracket = list[i] as Even<Req>
        const { begin, self, when } = bracket
        const begun = when?.call(self, this.request) === false ? nothing : begin.call(self, this.request, at, clock)
        if (Effect.isEffect(begun)) return this.waitFor(begun as Effect.Effect<unknown, LlmError>, bracket, i)
        this.hold(bracket, begun)
      }
      return Effect.matchCauseEffect(this.inner(this.request, this.region, this.taken[list.length - 1]), this)
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
    const { hearsFirstContent, learns } = this.brackets
    if (response._tag === "Complete") {
      const outcome = learns ? this.learn(response.outcome) : response.outcome
      const died = this.end(outcome, at)
      if (died !== undefined) return Effect.failCause(died)
      return Effect.succeed(outcome === response.outcome ? response : { ...response, outcome })
    }
    const { settlement } = response.events
    if (learns) settlement.onSettling((outcome) => this.learn(outcome))
    if (hearsFirstContent) {
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
    const { begun, requests, taken } = this
    const { list } = this.brackets
    let outcome = first
    for (let i = begun - 1; i >= 0; i--) {
      const { learn, self } = list[i] as Even<Req>
      if (learn === undefined || taken[i] === nothing) continue
      try {
        const learned = learn.call(self, taken[i], outcome, requests[i] as Req)
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

  private waitFor(begun: Effect.Effect<unknown, LlmError>, bracket: Even<Req>, index: number): Call {
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

  private hold({ pass, self }: Even<Req>, taken: unknown): void {
    this.taken[this.begun] = taken
    this.requests[this.begun++] = this.request
    if (taken !== nothing && pass !== undefined) this.request = pass.call(self, this.request, taken)
  }

  /** A stream that a bracket dies of is closed: nobody above will get it. */
  private tellResponse(response: LlmResponse, at: number): Cause.Cause<never> | undefined {
    const { requests, taken } = this
    const { list } = this.brackets
    try {
      for (let i = list.length - 1; i >= 0; i--) {
        const { onResponse, self } = list[i] as Even<Req>
        if (onResponse !== undefined && taken[i] !== nothing) {
          onResponse.call(self, taken[i], response, at, requests[i] as Req)
        }
      }
      return undefined
    } catch (defect) {
      if (response._tag === "Streaming") response.events.close()
      return Cause.die(defect)
    }
  }

  private tellFirstContent(at: number): void {
    const { requests, taken } = this
    const { list } = this.brackets
    let died: Cause.Cause<never> | undefined
    for (let i = list.length - 1; i >= 0; i--) {
      const { onFirstContent, self } = list[i] as Even<Req>
      try {
        if (taken[i] !== nothing) onFirstContent?.call(self, taken[i], at, requests[i] as Req)
      } catch (defect) {
        died ??= Cause.die(defect)
      }
    }
    if (died !== undefined) throw Cause.squash(died)
  }

  /** Gives back what was taken, innermost first; the outer ones hear of an inner one that dies. */
  private end(first: Outcome.Outcome, at: number): Cause.Cause<never> | undefined {
    const { begun, requests, taken } = this
    const { list } = this.brackets
    let outcome = first
    let { died } = this
    for (let i = begun - 1; i >= 0; i--) {
      const { end, self } = list[i] as Even<Req>
      if (end === undefined || taken[i] === nothing) continue
      try {
        end.call(self, taken[i], outcome, at, requests[i] as Req)
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
  brackets: Brackets<Req>,
  request: Req,
  inner: Inner<Req>,
  region?: Region,
  onEnd?: (request: Req, at: number) => void
): Call =>
  region === undefined
    ? Effect.uninterruptibleMask((restore) => new Lifetime(brackets, inner, request, restore, onEnd).from(0))
    : new Lifetime(brackets, inner, request, region, onEnd).from(0)
