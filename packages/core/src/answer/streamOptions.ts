import type { Cause, Clock, Effect } from "effect"
import type { Dialect } from "../dialect/Dialect.js"
import type { LlmError } from "../errors/LlmError.js"
import type { Units } from "../outcome/Usage.js"

/** A defect as a failure, and what writes its cause into the log. */
export interface Death {
  readonly error: LlmError
  readonly log: Effect.Effect<void>
}

/** How a base service is told about its stream. All are called synchronously, at most once between opposite calls. */
export interface EventStreamOptions {
  readonly clock: Clock.Clock
  /** Monotonic ms when the attempt began. */
  readonly startedAt: number
  /** The language of the events; left out: OpenAI's. */
  readonly dialect?: Dialect | undefined
  /** Estimated input tokens, asked only when the provider reports no usage. */
  readonly estimateInputTokens: () => number
  /** What the request is billed by beside tokens, as far as it tells; left out where tokens are all. */
  readonly unitsAsked?: (() => Units | undefined) | undefined
  /** Whose stream it is, for errors. */
  readonly provider?: string
  readonly deployment?: string
  /** Runs a task when what runs now has ended; left out: a promise's reaction. A clock of one's own needs it. */
  readonly soon?: ((task: () => void) => void) | undefined
  /** The queue is full: stop reading the socket. */
  readonly pause?: () => void
  /** There is room again. */
  readonly resume?: () => void
  /** Nobody wants the rest, or it is worthless: close the socket. Called at most once, and never after a clean end. */
  readonly abort?: () => void
  /** What to do with an event that is no JSON object: `cut` (default) ends the stream, `skip` counts and goes on. */
  readonly onMalformed?: "cut" | "skip"
  /**
   * What to do when the provider says that it is done, and has not said of every choice why it ends: `cut` (default) takes
   * the answer for cut off, `accept` for whole, and adds the finish reasons.
   */
  readonly onMissingFinish?: "cut" | "accept"
  /** What a defect in the stream means; left out: `Unavailable`, and the cause in the log. */
  readonly onDefect?: (cause: Cause.Cause<unknown>) => Death
}
