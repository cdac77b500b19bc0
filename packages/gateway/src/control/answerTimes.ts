import type { DeploymentLatency } from "@switchyard/router/LatencyTracker"

/** How fast a deployment answers calls of one kind. Ms; null means that nobody knows. */
export interface AnswerTimes {
  /** Average that fades with time: of streams to the first content, of plain calls to the whole answer. */
  readonly meanMs: number | null
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  /** Recent answers, each counted by what time has left of its weight. */
  readonly samples: number
}

const rounded = (ms: number | undefined): number | null => (ms === undefined ? null : Math.round(ms * 10) / 10)

/** The figures of streams, or of plain calls. */
export const answerTimes = (latency: DeploymentLatency, stream: boolean, now: number): AnswerTimes => ({
  meanMs: rounded(stream ? latency.timeToFirstToken(now) : latency.duration(now)),
  p50Ms: rounded(latency.quantile(0.5, stream, now)),
  p95Ms: rounded(latency.quantile(0.95, stream, now)),
  samples: Math.round(latency.samples(stream, now) * 10) / 10
})

/** Whether most recent answers were streams: one line in a chart can only speak of one kind. */
export const mostlyStreams = (latency: DeploymentLatency, now: number): boolean =>
  latency.samples(true, now) > latency.samples(false, now)
