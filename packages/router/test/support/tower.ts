/** A balancer over a scripted stub, and what layers above it work with. */
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import type { LlmErrorFields, Reason } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as Service from "@switchyard/core/Service"
import type { Slot } from "@switchyard/core/Slot"
import { open, type Status } from "@switchyard/core/Status"
import { estimate } from "@switchyard/core/Usage"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"
import * as Balancer from "../../src/balancing/Balancer.js"
import type { Strategy } from "../../src/balancing/RoutingStrategy.js"
import type { Events, RouterEvent } from "../../src/events/RouterEvents.js"
import { learnLength } from "../../src/money/answerLengths.js"
import * as DeploymentRegistry from "../../src/registry/DeploymentRegistry.js"
import * as DeploymentStats from "../../src/registry/DeploymentStats.js"

/** Lets every deployment have answered, fifty times, with so many output tokens: what calls may cost goes by that. */
export const answering = (slots: ReadonlyArray<Slot>, outputTokens: number, times = 50): void => {
  const request = LlmRequest.chat({ model: "m", messages: [] })
  const outcome = {
    _tag: "Completed",
    usage: estimate(1, outputTokens),
    timeToFirstToken: 0,
    duration: 0
  } as const
  for (const slot of slots) for (let i = 0; i < times; i++) learnLength(slot, request, outcome, 0)
}

/** Takes the first that is open. */
export const firstOpen: Strategy = {
  name: "FirstOpen",
  select: (candidates) => {
    for (let i = 0; i < candidates.size; i++) if (candidates.isOpen(i)) return i
    return -1
  }
}

/** A deployment of group `m`, by its id or with more. */
export type Member = string | (Partial<DeploymentConfig> & { readonly id: string })

/**
 * A balancer over a stub that replies by deployment and by how often that deployment was called before. No call reaches
 * the stub before `gate` lets it.
 */
export const tower = (
  members: ReadonlyArray<Member>,
  script: (id: string, nth: number) => StubLlm.Reply,
  gate: Effect.Effect<void> = Effect.void
) => {
  const statuses = new Map<string, Status>()
  const counts = new Map<string, number>()
  const published: Array<RouterEvent> = []
  const stub = StubLlm.make(({ deployment }) => {
    const nth = counts.get(deployment) ?? 0
    counts.set(deployment, nth + 1)
    return script(deployment, nth)
  })
  const attempts = Service.attempt(
    (attempt) => Effect.zipRight(gate, stub.attempts.call(attempt)),
    (slot, _, now) => {
      const status = statuses.get(slot.id) ?? open
      return status._tag !== "Open" && status.until !== undefined && status.until <= now ? open : status
    }
  )
  const registry = Effect.runSync(
    DeploymentRegistry.make({
      deployments: members.map((member) => ({
        group: "m",
        model: "m",
        ...(typeof member === "string" ? { id: member } : member)
      }))
    })
  )
  const events: Pick<Events, "publish"> = {
    publish: (event) => {
      published.push(event)
    }
  }
  return {
    stub,
    /** What `status` answers by id, until its time is up; open where nothing is said. */
    statuses,
    registry,
    published,
    events: events as Events,
    balancer: Balancer.make({ registry, strategy: firstOpen, stats: DeploymentStats.make() })(attempts),
    /** The deployments that were called, in order. */
    used: () => stub.calls.map(({ deployment }) => deployment as string).join("")
  }
}

/** A reply that fails with a reason. */
export const fails = (reason: Reason, more: Partial<LlmErrorFields> = {}): StubLlm.Reply => ({
  fail: { reason, description: "scripted", ...more }
})

/** A chat request for group `m`. */
export const chat = (overrides: LlmRequest.RequestOverrides = {}, body: object = {}): LlmRequest.LlmRequest =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], ...body }, { overrides })
