/**
 * The health of a deployment, as litellm-rs names it, and how it may change. The table is the whole truth: what it does not
 * list does not happen, so a failure can never turn a deployment that is shut out into one that may be selected.
 */
import { Schema } from "effect"

/** `Unknown`: nothing seen yet. `Degraded`: failing, or on trial. `Unhealthy`: probes fail. `Cooldown`: failures closed it. */
export const HealthStatus = Schema.Literal("Unknown", "Healthy", "Degraded", "Unhealthy", "Cooldown")
/** The health of a deployment. */
export type HealthStatus = typeof HealthStatus.Type

/**
 * What changes a health. `Failed` and `Succeeded` are results of calls; `Tripped` closes the breaker, `Expired` is the end
 * of that cooldown, `Recovered` are enough successes in a row; `ProbeFailed` and `ProbeRecovered` come from health probes.
 */
export type HealthEvent =
  | "Succeeded"
  | "Failed"
  | "Tripped"
  | "Expired"
  | "Recovered"
  | "ProbeFailed"
  | "ProbeRecovered"

/** Where each event leads from each health; an event that is not listed changes nothing. */
export const transitions: Readonly<Record<HealthStatus, Readonly<Partial<Record<HealthEvent, HealthStatus>>>>> = {
  Unknown: { Succeeded: "Healthy", Failed: "Degraded", Tripped: "Cooldown", ProbeFailed: "Unhealthy" },
  Healthy: { Failed: "Degraded", Tripped: "Cooldown", ProbeFailed: "Unhealthy" },
  Degraded: { Recovered: "Healthy", Tripped: "Cooldown", ProbeFailed: "Unhealthy" },
  Unhealthy: { ProbeRecovered: "Degraded", Tripped: "Cooldown" },
  Cooldown: { Expired: "Degraded", ProbeFailed: "Unhealthy" }
}

/** The health after an event. */
export const after = (status: HealthStatus, event: HealthEvent): HealthStatus => transitions[status][event] ?? status

/** Whether one health may follow another directly; every health may stay as it is. */
export const canBecome = (from: HealthStatus, to: HealthStatus): boolean =>
  from === to || Object.values(transitions[from]).includes(to)

/** Whether a deployment of that health may be given calls. */
export const isSelectable = (status: HealthStatus): boolean => status !== "Unhealthy" && status !== "Cooldown"

/** Each health as a number, for gauges: the values that litellm-rs stores. */
export const codes: Readonly<Record<HealthStatus, number>> = {
  Unknown: 0,
  Healthy: 1,
  Degraded: 2,
  Unhealthy: 3,
  Cooldown: 4
}
