import { type Attempt, isAttempt } from "@switchyard/core/Attempt"
import type { Journal } from "@switchyard/core/Journal"
import type { LlmError } from "@switchyard/core/LlmError"

/** Attempts that still run, and beside which nobody has been asked yet. */
export const slowOnes = (journal: Journal): ReadonlyArray<Attempt> =>
  journal.entries.filter(
    (entry): entry is Attempt => isAttempt(entry) && entry.outcome === undefined && !entry.overtaken
  )

/** Whether an error comes from an attempt beside which others are asked already: its place is taken, nobody tries again. */
export const isOvertaken = (journal: Journal, error: LlmError): boolean =>
  journal.entries.some(
    (entry) =>
      isAttempt(entry) &&
      entry.overtaken &&
      entry.outcome?._tag === "Failed" &&
      (entry.outcome.error === error || entry.deployment === error.deployment)
  )
