import type { DeploymentLatency } from "@switchyard/router/LatencyTracker"
import type { AnswerTimes } from "../api/AdminViews.js"

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
