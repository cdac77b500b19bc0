/** What came of one variant of a scenario. Times are ms, money USD; NaN where there was nothing to measure. */

/** How a time was spread. */
export interface Spread {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly mean: number
}

/** What one deployment did. */
export interface DeploymentResult {
  readonly id: string
  readonly calls: number
  /** Of all calls. */
  readonly share: number
  readonly completed: number
  readonly failed: number
  readonly limited: number
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly outputTokens: number
  readonly cost: number
}

/** How an incident was met. */
export interface IncidentResult {
  readonly deployments: ReadonlyArray<string>
  readonly from: number
  readonly to: number
  /** Until those it befell had less than half of the calls that they had before; undefined where that never came. */
  readonly detected: number | undefined
  /** From its end until they had more than half of that again; undefined where that never came. */
  readonly recovered: number | undefined
}

/** What happened in one part of the time, for charts. */
export interface Moment {
  /** When it began. */
  readonly at: number
  readonly requests: number
  readonly completed: number
  readonly failed: number
  /** Latency of those that ended in it. */
  readonly p50: number
  readonly p95: number
  /** Calls by deployment, in the order of `deployments`. */
  readonly calls: ReadonlyArray<number>
}

/** What came of one variant. */
export interface Result {
  readonly variant: string
  readonly strategy: string
  readonly seed: number
  /** It was stopped before its end: these are the figures so far. */
  readonly isPartial: boolean
  /** How long it was, in its own time. */
  readonly simulated: number
  /** How long requests came. */
  readonly lasted: number
  readonly requests: number
  readonly completed: number
  /** Answered within the objective. */
  readonly good: number
  /** Good ones per second. */
  readonly goodput: number
  /** Failed requests by reason. */
  readonly errors: Readonly<Record<string, number>>
  /** Of those that were answered. */
  readonly latency: Spread
  /** Of streams. */
  readonly firstToken: Spread
  /** Of all: one that failed counts as long as it took. */
  readonly anyEnd: Spread
  readonly attemptsPerRequest: number
  /** Attempts that an upstream answered with an error, or broke off. */
  readonly failedAttempts: number
  /** 429s that upstreams gave. */
  readonly limited: number
  readonly cost: number
  readonly deployments: ReadonlyArray<DeploymentResult>
  readonly incidents: ReadonlyArray<IncidentResult>
  readonly moments: ReadonlyArray<Moment>
}
