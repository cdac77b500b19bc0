/**
 * Whether the gateway lives, and whether it can answer: what load balancers and orchestrators ask.
 */
import { open, type Status, worst } from "@switchyard/core/Status"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import type * as Router from "@switchyard/router/Router"
import { UsageWindows } from "@switchyard/router/UsageWindows"
import { Context } from "effect"

/** Where in its life the gateway is. It takes requests while it is `ready`. */
export type Phase = "starting" | "ready" | "draining"

/** Where probes ask: open to everybody, also through a proxy. */
export const probePaths: ReadonlySet<string> = new Set([
  "/health/live",
  "/health/liveliness",
  "/health/liveness",
  "/health/ready",
  "/health/readiness"
])

/** A model group of which no deployment can be called now. */
export interface ClosedGroup {
  readonly group: string
  /** Why the one that returns soonest is closed, for example `cooldown`. */
  readonly reason: string
  /** Ms until the soonest returns by itself; null when nobody knows. */
  readonly returnsInMs: number | null
}

/** What `/health/ready` says to whoever may know names. */
export interface Readiness {
  readonly status: Phase
  readonly phase: Phase
  /** Groups with no open deployment. The gateway is ready all the same: other groups answer, and fallbacks may. */
  readonly closedGroups: ReadonlyArray<ClosedGroup>
}

/** What it says to everybody else. */
export interface Counts {
  readonly status: Phase
  readonly phase: Phase
  readonly counts: { readonly groups: number; readonly closedGroups: number }
}

const returnsAt = (status: Status): number =>
  status._tag === "Open" ? Number.NEGATIVE_INFINITY : (status.until ?? Number.POSITIVE_INFINITY)

/** The groups with no open deployment at `now` (monotonic ms). */
export const closedGroups = (state: Context.Context<Router.State>, now: number): ReadonlyArray<ClosedGroup> => {
  const cooldowns = Context.get(state, CooldownState)
  const usage = Context.get(state, UsageWindows)
  const soonest = new Map<string, Status>()
  for (const slot of Context.get(state, DeploymentRegistry).slots()) {
    const { group } = slot.deployment
    const known = soonest.get(group)
    if (known === open) continue
    const status = worst(cooldowns.status(slot, now), usage.status(slot, 1, now))
    if (known === undefined || returnsAt(status) < returnsAt(known)) soonest.set(group, status)
  }
  return [...soonest].flatMap(([group, status]) =>
    status._tag === "Open"
      ? []
      : [
          {
            group,
            reason: status.reason,
            returnsInMs: status.until === undefined ? null : Math.max(0, Math.round(status.until - now))
          }
        ]
  )
}

/**
 * Whether the gateway can answer, and which groups cannot, of those that `mayUse` lets one know; without it their number only.
 */
export const readiness = (
  phase: Phase,
  state: Context.Context<Router.State>,
  now: number,
  mayUse?: (group: string) => boolean
): Readiness | Counts => {
  const closed = closedGroups(state, now)
  if (mayUse !== undefined) {
    return { status: phase, phase, closedGroups: closed.filter(({ group }) => mayUse(group)) }
  }
  const slots = Context.get(state, DeploymentRegistry).slots()
  const groups = new Set(slots.map(({ deployment }) => deployment.group)).size
  return { status: phase, phase, counts: { groups, closedGroups: closed.length } }
}
