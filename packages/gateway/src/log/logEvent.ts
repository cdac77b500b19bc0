import type { RouterEvent } from "@switchyard/router/RouterEvents"
import type { FieldValue, Level } from "./logText.js"

/** An event as a line tells it. */
export interface EventLine {
  readonly level: Level
  readonly event: string
  readonly fields: Readonly<Record<string, FieldValue>>
  /** It comes with requests, so a flood of requests is a flood of these. */
  readonly isFrequent: boolean
}

type Of<Tag extends RouterEvent["_tag"]> = Extract<RouterEvent, { readonly _tag: Tag }>

const state = (level: Level, event: string, fields: EventLine["fields"]): EventLine => ({
  level,
  event,
  fields,
  isFrequent: false
})

const frequent = (event: string, fields: EventLine["fields"]): EventLine => ({
  level: "debug",
  event,
  fields,
  isFrequent: true
})

const opened = ({ at, deployment, reason, until }: Of<"CooldownOpened">): EventLine =>
  state("warn", "cooldown_opened", { deployment, reason, lasts_ms: Math.max(0, Math.round(until - at)) })

const fallback = ({ deployment, from, kind, reason, to }: Of<"FallbackTaken">): EventLine =>
  frequent("fallback_taken", { kind, from, to, deployment, reason })

const settled = ({ caller, cost, deployment, group, isEstimate, usage }: Of<"BatchSettled">): EventLine =>
  state("info", "batch_settled", {
    group,
    deployment,
    caller,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cost_usd: cost,
    estimated: isEstimate
  })

const retried = ({ delay, deployment, group, reason }: Of<"Retried">): EventLine =>
  frequent("retried", { group, deployment, reason, delay_ms: Math.round(delay) })

/** How an event is told; undefined for those of every call, which the line of the request sums up. */
export const lineOf = (event: RouterEvent): EventLine | undefined => {
  switch (event._tag) {
    case "CooldownOpened":
      return opened(event)
    case "CooldownHalfOpen":
      return state("warn", "cooldown_half_open", { deployment: event.deployment })
    case "CooldownClosed":
      return state("info", "cooldown_closed", { deployment: event.deployment })
    case "DeploymentIsolated":
      return state("warn", "deployment_isolated", { deployment: event.deployment })
    case "DeploymentReleased":
      return state("info", "deployment_released", { deployment: event.deployment })
    case "ProbeFailed":
      return state("warn", "probe_failed", { deployment: event.deployment, reason: event.reason })
    case "ProbeRecovered":
      return state("info", "probe_recovered", { deployment: event.deployment })
    case "BatchSettled":
      return settled(event)
    case "BudgetExhausted":
      return state("warn", "budget_exhausted", { scope: event.scope, key: event.key })
    case "BudgetNearlySpent":
      return state("warn", "budget_nearly_spent", { scope: event.scope, key: event.key, soft_usd: event.soft })
    case "ConfigReloaded":
      return state("info", "config_reloaded", { generation: event.generation, problems: event.problems })
    case "ConfigRefused":
      return state("error", "config_refused", { generation: event.generation, problems: event.problems })
    case "Retried":
      return retried(event)
    case "FallbackTaken":
      return fallback(event)
    case "HedgeStarted":
      return frequent("hedge_started", { group: event.group, deployment: event.deployment })
    case "HedgeWon":
      return frequent("hedge_won", { group: event.group, deployment: event.deployment })
    case "RequestThrottled":
      return frequent("request_throttled", { group: event.group, share: event.share })
    case "StreamRestarted":
      return frequent("stream_restarted", { group: event.group, deployment: event.deployment, reason: event.reason })
    default:
      return undefined
  }
}
