import type { Clock, Effect } from "effect"
import type { LlmResponse } from "../answer/LlmResponse.js"
import type { LlmError } from "../errors/LlmError.js"
import type * as Outcome from "../outcome/Outcome.js"

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

/**
 * A bracket with every field, so that all have one shape: V8 reads members of many shapes by looking each one up, some hundred times a
 * call. What stands in them is called on the bracket itself, which may mean itself by `this`.
 */
export type Even<Req> = { readonly [K in keyof Required<AnyBracket<Req>>]: AnyBracket<Req>[K] } & {
  readonly self: AnyBracket<Req>
}

const evened = <Req>(self: AnyBracket<Req>): Even<Req> => ({
  self,
  when: self.when,
  begin: self.begin,
  pass: self.pass,
  onResponse: self.onResponse,
  onFirstContent: self.onFirstContent,
  learn: self.learn,
  end: self.end
})

/** Brackets that run as one, the outermost first, and what is known of all of them before any call. */
export class Brackets<Req> {
  readonly list: ReadonlyArray<Even<Req>>
  readonly learns: boolean
  readonly hearsFirstContent: boolean
  private readonly isAlways: boolean

  constructor(brackets: ReadonlyArray<AnyBracket<Req>>) {
    this.list = brackets.map(evened)
    this.learns = brackets.some(({ learn }) => learn !== undefined)
    this.hearsFirstContent = brackets.some(({ onFirstContent }) => onFirstContent !== undefined)
    this.isAlways = brackets.some(({ when }) => when === undefined)
  }

  /** Whether any of them has something to do for a request. */
  isNeeded(request: Req): boolean {
    return this.isAlways || this.list.some(({ self, when }) => when?.call(self, request))
  }

  /** These within another one. */
  within(outer: AnyBracket<Req>): Brackets<Req> {
    return new Brackets([outer, ...this.list.map(({ self }) => self)])
  }
}
