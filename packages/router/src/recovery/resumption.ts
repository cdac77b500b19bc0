import type { LlmError } from "@switchyard/core/LlmError"
import { type LlmRequest, wordsOf } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import type { Clock, Effect } from "effect"

/** How a stream that died after text is taken up again. */
export interface Resumption {
  readonly request: LlmRequest
  /** The text that the second stream begins with again. */
  readonly repeated: string
}

/** A way to take an answer up again: of a request with its restart's route, and the text that the caller has. */
export type Resume = (request: LlmRequest, text: string) => Resumption | undefined

/** What a recovered stream works with. */
export interface Recovering {
  readonly request: LlmRequest
  readonly clock: Clock.Clock
  /** The inner service. */
  readonly send: (request: LlmRequest) => Effect.Effect<LlmResponse, LlmError>
  /** The ways to take up text again, the best first: where one fails before it answers, the next is tried. */
  readonly ways: ReadonlyArray<Resume>
  /** Told of each restart, with what broke the stream before it and monotonic ms; must not throw. */
  readonly onRestart: (error: LlmError, now: number) => void
}

/** The answer cannot be compared by the text of its first choice alone. */
export const isFixedBy = (request: LlmRequest): boolean => wordsOf(request).isBeyondText(request.body)

/** After nothing but reasoning, or nothing at all, the answer simply begins again. */
export const anew: Resume = (request) => ({ request, repeated: "" })
