import type { HealthStatus } from "./HealthStatus.js"

/** The state of a breaker at one moment, for dashboards and tests. */
export interface BreakerView {
  readonly deployment: string
  readonly health: HealthStatus
  readonly circuit: "closed" | "open" | "halfOpen"
  /** Why it takes no calls (`isolated`, `unhealthy`, `outage`, `retryAfter`, `cooldown`, `probing`); undefined when it takes them. */
  readonly blockedBy: string | undefined
  /** Monotonic ms when it takes calls again by itself; undefined when it takes them, or nobody knows. */
  readonly until: number | undefined
  /** The error that opened it last; undefined once it recovered. */
  readonly reason: string | undefined
  /** Counts changes of state: results of calls from an older one are ignored. */
  readonly epoch: number
  readonly consecutiveFailures: number
  readonly consecutiveSuccesses: number
  /** How often it opened since it was last healthy. */
  readonly trips: number
  /** Half-open permits that are free; 0 when it is not half-open. */
  readonly permits: number
  /** The share of its traffic that a recovered deployment should get, 0 to 1. */
  readonly rampFactor: number
}
