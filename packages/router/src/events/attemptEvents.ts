import type { Attempt } from "@switchyard/core/Attempt"
import type { Outcome } from "@switchyard/core/Outcome"
import { outcomeLabel } from "./outcomeLabel.js"
import type { AttemptEnded, AttemptStarted } from "./RouterEvents.js"

/** An attempt that has been written into the journal. */
export const attemptStarted = ({ deployment, group, number, provider, startedAt }: Attempt): AttemptStarted => ({
  _tag: "AttemptStarted",
  at: startedAt,
  group,
  deployment,
  provider,
  number
})

/** An attempt that has been settled. */
export const attemptEnded = (attempt: Attempt, outcome: Outcome, at: number): AttemptEnded => {
  const { cost, deployment, group, number, provider, rejected, startedAt } = attempt
  const error = outcome._tag === "Failed" ? outcome.error : undefined
  return {
    _tag: "AttemptEnded",
    at,
    group,
    deployment,
    provider,
    number,
    outcome: rejected ? "rejected" : outcomeLabel[outcome._tag],
    reason: error?.reason,
    status: error?.status,
    duration: at - startedAt,
    timeToFirstToken: outcome._tag === "Completed" ? outcome.timeToFirstToken : undefined,
    usage: outcome.usage,
    cost
  }
}
