/**
 * How a call ended. Every call settles exactly once: `Completed`, `Failed` or `Abandoned`.
 */
import { Cause, Option } from "effect"
import { LlmError } from "../errors/LlmError.js"
import type { Usage } from "./Usage.js"

/** How a call ended. */
export type Outcome = Completed | Failed | Abandoned

/** What layers on its way have learned of a call that ended, for those outside them. */
export interface Learned {
  /** USD; undefined where no layer knows a price. */
  readonly cost?: number | undefined
}

/** A whole answer: for a stream, a clean end. */
export interface Completed extends Learned {
  readonly _tag: "Completed"
  readonly usage: Usage
  /** Milliseconds from the start of the attempt to the first content: for a plain call, to the response's headers. */
  readonly timeToFirstToken: number
  /** Milliseconds from the start of the attempt to its end. */
  readonly duration: number
}

/** An error, before or after content. */
export interface Failed extends Learned {
  readonly _tag: "Failed"
  readonly error: LlmError
  /** What was used up all the same, when known or worth estimating. */
  readonly usage: Usage | undefined
}

/** The caller left: interrupted, or it stopped reading a stream. Says nothing about the deployment. */
export interface Abandoned extends Learned {
  readonly _tag: "Abandoned"
  readonly usage: Usage | undefined
}

/** A call that failed with `error`. */
export const failed = (error: LlmError, usage?: Usage): Failed => ({ _tag: "Failed", error, usage })

/** A call that its caller left. */
export const abandoned: Abandoned = { _tag: "Abandoned", usage: undefined }

/**
 * The outcome of a call that did not succeed. A defect (a bug in a layer or a service) counts as `Unavailable`, so that
 * permits come back and breakers see it; an interruption is `Abandoned`.
 */
export const fromCause = (cause: Cause.Cause<LlmError>): Failed | Abandoned => {
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure)) return failed(failure.value)
  if (Cause.isInterruptedOnly(cause)) return abandoned
  return failed(new LlmError({ reason: "Unavailable", description: "the service died of a defect", code: "defect" }))
}
