/**
 * Publishes how each request ended, for logs and dashboards. While nobody listens a call passes as it is.
 */
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { Effect, type Layer } from "effect"
import { TowerEvents } from "../events/TowerEvents.js"
import * as Concern from "../stack/Concern.js"
import { outcomeLabel } from "./outcomeLabel.js"
import { type Events, type RequestEnded, RouterEvents } from "./RouterEvents.js"

interface Running {
  readonly startedAt: number
  firstContentAt: number | undefined
}

const ended = (request: LlmRequest, running: Running, outcome: Outcome, at: number): RequestEnded => {
  const { journal } = request.route
  const entry = journal.answered ?? journal.last
  const hop = journal.fallbacks[journal.fallbacks.length - 1]
  const { firstContentAt, startedAt } = running
  const error = outcome._tag === "Failed" ? outcome.error : undefined
  return {
    _tag: "RequestEnded",
    at,
    operation: request.operation,
    stream: request.stream,
    model: request.model,
    group: entry?.group ?? hop?.to ?? request.model,
    deployment: entry?.deployment,
    provider: entry?.provider,
    attempts: journal.spent,
    fallback: hop?.kind,
    cache: journal.cache,
    outcome: outcomeLabel[outcome._tag],
    reason: error?.reason,
    status: error?.status,
    latency: at - startedAt,
    timeToFirstToken: firstContentAt === undefined ? undefined : firstContentAt - startedAt,
    usage: journal.usage,
    cost: journal.cost,
    caller: request.caller
  }
}

/** The layer, from where it publishes. */
export const make = (events: Pick<Events, "publish" | "isActive">): Service.RequestLayer =>
  Service.bracketRequest<Running>({
    when: () => events.isActive(),
    begin: ({ route }) => ({ startedAt: route.startedAt, firstContentAt: undefined }),
    onFirstContent: (running, at) => {
      running.firstContentAt = at
    },
    end: (running, outcome, at, request) => events.publish(ended(request, running, outcome, at))
  })

/** Publishes the ends of requests around the inner service. The outermost layer. */
export const layer: Layer.Layer<LlmService, never, LlmService> = Service.wrap(
  LlmService,
  Effect.map(RouterEvents, make)
)

/** The layer as a concern of a stack. */
export class RequestEvents extends Concern.request({
  name: "requestEvents",
  about: "Publishes the end of every request, while somebody listens",
  outside: { cache: "what the cache answers is told too" },
  state: [TowerEvents],
  make: () => Effect.map(RouterEvents, make)
}) {}
