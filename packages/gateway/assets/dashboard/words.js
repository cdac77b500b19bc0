// @ts-check
/** Figures and events in words. */

/** @import { Entry } from "../../src/api/AdminEvents.js" */
/** @import { State } from "../../src/api/AdminViews.js" */

/**
 * @param {number | null | undefined} value
 * @returns {string}
 */
export const ms = (value) => {
  if (value === null || value === undefined) return "–"
  if (value < 1) return "<1 ms"
  if (value < 1000) return `${Math.round(value)} ms`
  return value < 10_000 ? `${(value / 1000).toFixed(2)} s` : `${Math.round(value / 1000)} s`
}

/**
 * A time to come, in ms.
 * @param {number} value
 */
export const span = (value) => {
  const seconds = Math.max(0, Math.ceil(value / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/**
 * A time that has passed, in ms.
 * @param {number} value
 */
export const ago = (value) =>
  value < 60_000
    ? `${Math.max(0, Math.round(value / 1000))} s ago`
    : `${span(value).split(" ").slice(0, 2).join(" ")} ago`

/**
 * @param {number} part
 * @param {number} whole
 */
export const share = (part, whole) => {
  if (!whole) return "–"
  const percent = (100 * part) / whole
  if (percent === 0) return "0 %"
  return percent < 0.1 ? "<0.1 %" : `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`
}

/** @param {number} value */
export const usd = (value) => {
  if (value === 0) return "$0"
  return value < 0.000_001 ? "<$0.000001" : `$${value.toFixed(value >= 0.01 ? 2 : 6)}`
}

/**
 * A moment, to the minute.
 * @param {string} iso
 */
export const dateOf = (iso) => `${iso.slice(0, 16).replace("T", " ")} UTC`

/** @param {number} value */
export const count = (value) => (value >= 10_000 ? `${(value / 1000).toFixed(1)}k` : String(value))

/**
 * The time of day.
 * @param {number} at
 */
export const timeOf = (at) =>
  new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false })

/** @type {Readonly<Record<State, string>>} */
const states = {
  healthy: "Healthy",
  unknown: "No calls yet",
  degraded: "Degraded",
  limited: "Limit reached",
  cooldown: "Cooling down",
  unhealthy: "Unhealthy",
  isolated: "Isolated"
}

/** @param {State} state */
export const stateOf = (state) => states[state] ?? state

/** @param {{ readonly deployment: string | undefined, readonly reason: string }} event */
const because = (event) => (event.deployment ? `${event.reason} of ${event.deployment}` : event.reason)

/**
 * Per type: its label, its tone, and what it says.
 * @type {{ readonly [Type in Entry["type"]]: readonly [string, string, (entry: Extract<Entry, { readonly type: Type }>) => string] }}
 */
const events = {
  CooldownOpened: [
    "Cooldown",
    "bad",
    (e) => `${e.deployment} is left alone${e.lastsMs ? ` for ${span(e.lastsMs)}` : ""}: ${e.reason}`
  ],
  CooldownHalfOpen: ["Trial", "warn", (e) => `${e.deployment} gets a call on trial`],
  CooldownClosed: ["Recovered", "good", (e) => `${e.deployment} takes calls again`],
  DeploymentIsolated: ["Isolated", "hand", (e) => `${e.deployment} was taken out by hand`],
  DeploymentReleased: ["Released", "hand", (e) => `${e.deployment} was put back by hand`],
  ProbeFailed: ["Probe failed", "bad", (e) => `${e.deployment} does not answer health probes: ${e.reason}`],
  ProbeRecovered: ["Probe good", "good", (e) => `${e.deployment} answers health probes again`],
  Retried: ["Retry", "warn", (e) => `${e.group} tried again after ${because(e)}`],
  FallbackTaken: ["Fallback", "warn", (e) => `${e.from} → ${e.to} (${e.kind}): ${because(e)}`],
  StreamRestarted: ["Restart", "warn", (e) => `A stream of ${e.group} went on elsewhere after ${because(e)}`],
  RequestThrottled: [
    "Throttled",
    "warn",
    (e) => `${e.group} has more to do than it can: about ${Math.round(e.share * 100)} % of requests are turned away`
  ],
  HedgeWon: ["Hedge won", "idle", (e) => `${e.deployment} answered first for ${e.group}`],
  BatchSettled: [
    "Batch",
    "good",
    (e) => `A batch of ${e.group} is over${e.cost === undefined ? "" : ` and cost ${e.cost.toFixed(4)} USD`}`
  ],
  BudgetExhausted: ["Budget", "bad", (e) => `The budget of ${e.scope} ${e.key} is used up`],
  BudgetNearlySpent: ["Budget", "warn", (e) => `The budget of ${e.scope} ${e.key} has reached ${e.soft} USD`],
  ConfigReloaded: ["Reload", "idle", (e) => [`Configuration ${e.generation} is in force`, ...e.problems].join("; ")],
  ConfigRefused: ["Reload", "bad", (e) => ["A configuration was refused", ...e.problems].join("; ")]
}

/**
 * What an event is called, in which tone, and what it says; one that a newer gateway knows is called by its type.
 * @param {Entry} entry
 */
export const eventOf = (entry) => {
  /** @type {readonly [string, string, (entry: any) => string]} */
  const [label, tone, said] = events[entry.type] ?? [entry.type, "idle", () => ""]
  return { label, tone, text: said(entry) }
}
