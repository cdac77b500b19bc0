import type { DeploymentId } from "@switchyard/core/Deployment"
import { EventQueue } from "@switchyard/core/EventQueue"
import type { EventStream } from "@switchyard/core/EventStream"
import type { LlmError, Reason } from "@switchyard/core/LlmError"
import { estimateInputTokens, type LlmRequest } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { openAi } from "@switchyard/core/OpenAi"
import * as Route from "@switchyard/core/Route"
import type { Clock } from "effect"
import type { RouterEvent } from "../events/RouterEvents.js"

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

/** Streams of one deployment that may die in one request before it is left alone. */
const maxDeaths = 3

/** What a restart goes by, besides the route of the request. */
export interface Restarting {
  /** Monotonic ms. */
  readonly now: number
  /** How many there were before. */
  readonly restarts: number
  /** Fallback hops that led to the stream that died; later ones led nowhere. */
  readonly hops: number
  /** Nothing was delivered that must come again: then the deployment whose stream died is the last choice, but one. */
  readonly isFresh: boolean
}

/**
 * The route of a restart: deployments whose stream died or stayed silent are excluded, others that failed are avoided,
 * and fallback targets that failed stay visited. Who refused the restart's own request has not failed. Undefined when
 * neither time nor an attempt is left.
 */
export const restartRoute = (route: Route.Route, restarting: Restarting): Route.Route | undefined => {
  const { hops, isFresh, now, restarts } = restarting
  if (Route.attemptsLeft(route) <= 0 || restarts >= route.attemptBudget || now >= route.deadline) return undefined
  const excluded = new Set<DeploymentId>(route.excluded)
  const avoided = new Set<DeploymentId>(route.avoided)
  const deaths = new Map<DeploymentId, number>()
  for (const { deployment, outcome, rejected } of route.journal.entries) {
    if (rejected || outcome?._tag !== "Failed") continue
    const { error } = outcome
    const died = error.reason === "StreamInterrupted"
    if (died) deaths.set(deployment, (deaths.get(deployment) ?? 0) + 1)
    const isSilence = error.beforeDelivery.isSilence
    if (isSilence || (died && (!isFresh || (deaths.get(deployment) ?? 0) >= maxDeaths))) excluded.add(deployment)
    else if (died || error.retry !== "never") avoided.add(deployment)
  }
  const taken = route.journal.fallbacks.slice(0, hops)
  const answering = taken[taken.length - 1]?.to
  const visited = new Set(route.visited)
  for (const { to } of taken) if (to !== answering) visited.add(to)
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

/** The events of an answer; those of a whole one come at once, with a clean end. */
export const asEvents = (response: LlmResponse, request: LlmRequest, clock: Clock.Clock): EventStream => {
  if (response._tag === "Streaming") return response.events
  const events = new EventQueue({
    clock,
    startedAt: request.route.startedAt,
    estimateInputTokens: () => estimateInputTokens(request),
    dialect: request.dialect
  })
  for (const event of (request.dialect ?? openAi).answer.events(response.body)) events.push(event)
  events.end()
  return events
}
