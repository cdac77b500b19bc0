import type { Attempt } from "@switchyard/core/Attempt"
import type { LlmError } from "@switchyard/core/LlmError"
import type { Finding } from "../balancing/selection.js"
import type { RouterEvent } from "../events/RouterEvents.js"
import { type Attributes, short } from "./spanAttributes.js"

/** Something that a request's span is told about its way. */
export interface Note {
  readonly name: string
  readonly attributes: Attributes
}

/** Deployments that one note names; a group may have thousands. */
const maxNamed = 32

const named = (texts: ReadonlyArray<string>): ReadonlyArray<string> =>
  texts.length > maxNamed ? [...texts.slice(0, maxNamed), `… and ${texts.length - maxNamed} more`] : texts

const waitOf = (until: number | undefined, now: number): string =>
  until === undefined || !Number.isFinite(until) ? "" : ` for ${Math.max(0, Math.ceil(until - now))} ms`

/** Which deployments an attempt was chosen from, why the others were out, and which one it is. */
export const selectionNote = (
  { deployment, forced, group, number, request, startedAt }: Attempt,
  findings: ReadonlyArray<Finding>,
  strategy: string | undefined
): Note => {
  const candidates: Array<string> = []
  const out: Array<string> = []
  for (const { filter, slot, status } of findings) {
    if (filter !== undefined) out.push(`${slot.id}: ${filter}`)
    else if (status._tag !== "Open") out.push(`${slot.id}: ${status.reason}${waitOf(status.until, startedAt)}`)
    else candidates.push(request.route.avoided.includes(slot.id) ? `${slot.id} (failed before)` : slot.id)
  }
  return {
    name: "switchyard.selection",
    attributes: {
      "switchyard.group": group,
      "switchyard.attempt": number,
      "switchyard.strategy": strategy,
      "switchyard.candidates": named(candidates),
      "switchyard.out": named(out),
      "switchyard.deployment": deployment,
      "switchyard.forced": forced ? true : undefined
    }
  }
}

/** A deployment's own limit was faster than the selection. */
export const rejectedNote = ({ deployment, group, number }: Attempt, { description }: LlmError): Note => ({
  name: "switchyard.rejected",
  attributes: {
    "switchyard.group": group,
    "switchyard.attempt": number,
    "switchyard.deployment": deployment,
    "switchyard.reason": description
  }
})

/** Nobody in a group could take the request. */
export const nobodyNote = (group: string, { blocked = [], description }: LlmError): Note => ({
  name: "switchyard.no_deployment",
  attributes: {
    "switchyard.group": short(group),
    "switchyard.reason": short(description),
    "switchyard.out": named(
      blocked.map(({ deployment, reason, retryAfter }) => `${deployment}: ${reason}${waitOf(retryAfter, 0)}`)
    )
  }
})

/** What layers publish about a single request; undefined for what is about something else. */
export const eventNote = (event: RouterEvent): Note | undefined => {
  switch (event._tag) {
    case "Retried":
      return {
        name: "switchyard.retry",
        attributes: {
          "switchyard.group": event.group,
          "switchyard.deployment": event.deployment,
          "switchyard.reason": event.reason,
          "switchyard.delay_ms": event.delay
        }
      }
    case "FallbackTaken":
      return {
        name: "switchyard.fallback",
        attributes: {
          "switchyard.fallback": event.kind,
          "switchyard.from": event.from,
          "switchyard.to": event.to,
          "switchyard.deployment": event.deployment,
          "switchyard.reason": event.reason
        }
      }
    case "HedgeStarted":
      return {
        name: "switchyard.hedge",
        attributes: { "switchyard.group": event.group, "switchyard.deployment": event.deployment }
      }
    case "HedgeWon":
      return {
        name: "switchyard.hedge_won",
        attributes: { "switchyard.group": event.group, "switchyard.deployment": event.deployment }
      }
    case "StreamRestarted":
      return {
        name: "switchyard.restart",
        attributes: {
          "switchyard.group": event.group,
          "switchyard.deployment": event.deployment,
          "switchyard.reason": event.reason
        }
      }
    default:
      return undefined
  }
}
