/**
 * The rules of a breaker: those of all deployments, and what one sets for itself.
 */

/** When a breaker opens, for how long, and what closes it again. Times are ms. */
export interface Policy {
  /** Consecutive failures that open it; `Infinity` switches the rule off. */
  readonly failures: number
  /** The failure rate that opens it when exceeded; `Infinity` switches the rule off. */
  readonly failureRate: number
  /** Failures within the window that open it; `Infinity` switches the rule off. */
  readonly windowFailures: number
  /** Calls in the window below which `failureRate` and `windowFailures` say nothing. */
  readonly minimumCalls: number
  readonly window: number
  /** Failures in the window that are borne, by reason: one more opens it, and no other rule looks at them. */
  readonly allowedFails: Readonly<Record<string, number | undefined>>
  /** The first cooldown; 0 means never. */
  readonly duration: number
  readonly maxDuration: number
  /** The cooldown after a failure that opens it at once. */
  readonly tripDuration: number
  /** The most that chance takes off a cooldown, as a share. */
  readonly jitter: number
  readonly maxRetryAfter: number
  /** The most that chance adds to a Retry-After, as a share. */
  readonly retryAfterJitter: number
  /** Calls at once while half-open, before the first success. */
  readonly permits: number
  /** Successes in a row that close it, and that make a degraded deployment healthy. */
  readonly successThreshold: number
  /** How long a recovered deployment ramps up; 0 means not at all. */
  readonly slowStart: number
}

/** What a deployment sets for itself, or a request for its own failure. */
export interface Overrides {
  /** ms; takes the place of `duration`. 0 means that it never cools. */
  readonly cooldown: number | undefined
  /** Failures in the window that are borne; takes the place of the counting rules. */
  readonly allowedFails: number | undefined
}
