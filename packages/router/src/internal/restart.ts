import { fromCompletion } from "@switchyard/core/ChatChunk"
import type { DeploymentId } from "@switchyard/core/Deployment"
import { EventStream } from "@switchyard/core/EventStream"
import type { LlmError, Reason } from "@switchyard/core/LlmError"
import { estimateInputTokens, type LlmRequest } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as Route from "@switchyard/core/Route"
import type { Clock } from "effect"
import type { RouterEvent } from "../RouterEvents.js"

/** What another deployment would answer no differently, or must not be asked. */
const final: ReadonlySet<Reason> = new Set([
  "InvalidRequest",
  "ContextWindowExceeded",
  "ContentPolicyViolation",
  "BudgetExceeded"
])

/** Whether a stream that died of this may begin again elsewhere. */
export const canBeRepaired = (error: LlmError): boolean =>
  error.reason === "StreamInterrupted" &&
  error.bound !== "caller" &&
  (error.interruptedBy === undefined || !final.has(error.interruptedBy))

/**
 * The route of a restart: deployments whose stream died or stayed silent are excluded, others that failed are avoided,
 * and fallback targets that failed stay visited. Undefined when neither time nor an attempt is left.
 */
export const restartRoute = (route: Route.Route, now: number, restarts: number): Route.Route | undefined => {
  if (Route.attemptsLeft(route) <= 0 || restarts >= route.attemptBudget || now >= route.deadline) return undefined
  const excluded = new Set<DeploymentId>(route.excluded)
  const avoided = new Set<DeploymentId>(route.avoided)
  for (const { deployment, outcome, rejected } of route.journal.entries) {
    if (rejected || outcome?._tag !== "Failed") continue
    const { error } = outcome
    if (error.reason === "StreamInterrupted" || error.isSilence) excluded.add(deployment)
    else avoided.add(deployment)
  }
  const hops = route.journal.fallbacks
  const answering = hops[hops.length - 1]?.to
  const visited = new Set(route.visited)
  for (const { to } of hops) if (to !== answering) visited.add(to)
  return { ...route, excluded: [...excluded], avoided: [...avoided], visited: [...visited] }
}

/** A stream broke, and begins again elsewhere. */
export const restarted = (request: LlmRequest, error: LlmError, at: number): RouterEvent => ({
  _tag: "StreamRestarted",
  at,
  group: request.model,
  deployment: error.deployment,
  reason: error.interruptedBy ?? error.reason
})

/** The events of an answer; those of a whole one are a single chunk and a clean end. */
export const asEvents = (response: LlmResponse, request: LlmRequest, clock: Clock.Clock): EventStream => {
  if (response._tag === "Streaming") return response.events
  const events = new EventStream({
    clock,
    startedAt: request.route.startedAt,
    estimateInputTokens: () => estimateInputTokens(request)
  })
  const json = fromCompletion(response.body)
  events.push({ data: JSON.stringify(json), json })
  events.end()
  return events
}
