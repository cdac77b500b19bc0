import type { FamilyType } from "./exposition.js"

/** Where a metric is written: once per request, once per attempt, from events, or read from the state at a scrape. */
export type Tier = "request" | "attempt" | "event" | "state"

/** Labels that the router itself sets. */
export type LabelName =
  | "model"
  | "provider"
  | "deployment"
  | "outcome"
  | "reason"
  | "kind"
  | "state"
  | "scope"
  | "from"
  | "to"
  | "field"
  | "operation"
  | "unit"

/** What there is to know about one metric. */
export interface Definition {
  /** Without the prefix. */
  readonly name: string
  readonly type: Exclude<FamilyType, "summary">
  readonly tier: Tier
  readonly help: string
  readonly labels: ReadonlyArray<LabelName>
  /** Which option holds the buckets of a histogram. */
  readonly buckets?: "latencyBuckets" | "ttftBuckets" | "tokenBuckets"
}

const request: ReadonlyArray<LabelName> = ["model", "provider"]
const deployment: ReadonlyArray<LabelName> = ["deployment", "model", "provider"]

const counter = (tier: Tier, name: string, labels: ReadonlyArray<LabelName>, help: string): Definition => ({
  name,
  type: "counter",
  tier,
  help,
  labels
})

const gauge = (tier: Tier, name: string, labels: ReadonlyArray<LabelName>, help: string): Definition => ({
  name,
  type: "gauge",
  tier,
  help,
  labels
})

const histogram = (
  tier: Tier,
  name: string,
  labels: ReadonlyArray<LabelName>,
  buckets: Exclude<Definition["buckets"], undefined>,
  help: string
): Definition => ({ name, type: "histogram", tier, help, labels, buckets })

/** Every metric of the router. Code, documents, dashboards and alert rules take names, help texts and labels from here. */
export const metricTable = {
  requests: counter("request", "requests_total", request, "Requests that ended, however they ended."),
  successes: counter("request", "requests_success_total", request, "Requests that were answered whole."),
  errors: counter("request", "requests_error_total", [...request, "reason"], "Requests that failed, by reason."),
  abandoned: counter("request", "requests_abandoned_total", request, "Requests whose caller left before the end."),
  active: gauge("request", "active_requests", ["model"], "Requests in progress; a stream counts until its end."),
  inputTokens: counter("request", "input_tokens_total", request, "Input tokens of all attempts."),
  outputTokens: counter("request", "output_tokens_total", request, "Output tokens of all attempts."),
  cost: counter(
    "request",
    "cost_usd_total",
    request,
    "Cost of all attempts, and of batches once they are over, in USD, where a price is known."
  ),
  requestInputTokens: histogram(
    "request",
    "request_input_tokens",
    request,
    "tokenBuckets",
    "Input tokens of one request, all attempts together."
  ),
  requestOutputTokens: histogram(
    "request",
    "request_output_tokens",
    request,
    "tokenBuckets",
    "Output tokens of one request, all attempts together."
  ),
  latency: histogram(
    "request",
    "request_latency_seconds",
    [...request, "outcome"],
    "latencyBuckets",
    "Time from a request's start to its end, for a stream to its last event."
  ),
  ttft: histogram(
    "request",
    "ttft_seconds",
    request,
    "ttftBuckets",
    "Time from a streamed request's start to its first content."
  ),
  cacheHits: counter(
    "request",
    "cache_hits_total",
    request,
    "Requests answered from the cache, or by the call of an equal request."
  ),
  cacheMisses: counter("request", "cache_misses_total", request, "Requests that asked the cache in vain."),
  embeddings: counter(
    "request",
    "embedding_requests_total",
    request,
    "Requests for embeddings that ended; requests_total counts them too."
  ),
  embeddingTokens: counter(
    "request",
    "embedding_tokens_total",
    request,
    "Tokens of requests for embeddings; input_tokens_total counts them too."
  ),
  operations: counter(
    "request",
    "operation_requests_total",
    [...request, "operation"],
    "Requests beside conversations and embeddings that ended, by operation; requests_total counts them too."
  ),
  units: counter(
    "request",
    "units_total",
    [...request, "unit"],
    "What is billed beside tokens, of all attempts: images, seconds, characters, searches."
  ),
  fallbacks: counter("request", "fallbacks_total", [...request, "kind"], "Fallback hops, by kind."),
  attempts: counter(
    "attempt",
    "attempts_total",
    [...deployment, "outcome", "reason"],
    "Attempts that ended, by outcome and reason; the reason is empty unless the outcome is failure."
  ),
  attemptLatency: histogram(
    "attempt",
    "attempt_latency_seconds",
    [...deployment, "outcome"],
    "latencyBuckets",
    "Time from an attempt's start to its end, for a stream to its last event."
  ),
  inFlight: gauge(
    "attempt",
    "deployment_in_flight",
    deployment,
    "Attempts in progress; a stream counts until its end."
  ),
  leftOut: counter(
    "attempt",
    "fields_left_out_total",
    ["from", "to", "field", "reason"],
    "Fields that attempts left out because the provider's dialect has no word for them, by both dialects."
  ),
  retries: counter("event", "retries_total", [...deployment, "reason"], "Retries, by the deployment that failed."),
  hedges: counter("event", "hedges_total", deployment, "Hedges that started, by the deployment that was too slow."),
  hedgesWon: counter("event", "hedges_won_total", deployment, "Hedges that answered first, by their deployment."),
  cooldowns: counter("event", "cooldowns_total", [...deployment, "reason"], "Cooldowns that began, by reason."),
  probeFailures: counter(
    "event",
    "probe_failures_total",
    [...deployment, "reason"],
    "Times that health probes took a deployment out."
  ),
  probeRecoveries: counter(
    "event",
    "probe_recoveries_total",
    deployment,
    "Times that health probes let a deployment back in."
  ),
  streamRestarts: counter(
    "event",
    "stream_restarts_total",
    [...deployment, "reason"],
    "Streams that were begun again elsewhere, by the deployment whose stream broke."
  ),
  batches: counter(
    "event",
    "batches_settled_total",
    [...deployment, "reason"],
    "Batches that are over, by whether their results told what they used (settled) or the estimate holds (estimated)."
  ),
  throttled: counter(
    "event",
    "requests_throttled_total",
    ["model"],
    "Requests that were turned away because their group had more to do than it can."
  ),
  budgetsExhausted: counter("event", "budgets_exhausted_total", ["scope"], "Budgets that ran out, by what they bound."),
  budgetsNearlySpent: counter(
    "event",
    "budgets_nearly_spent_total",
    ["scope"],
    "Budgets of which so much was spent that a warning was due, by what they bound."
  ),
  state: gauge(
    "state",
    "deployment_state",
    [...deployment, "state"],
    "1 for the state of the deployment's breaker (closed, open, half_open), 0 for the others."
  ),
  health: gauge(
    "state",
    "deployment_health",
    [...deployment, "state"],
    "1 for the deployment's health (unknown, healthy, degraded, unhealthy, cooldown), 0 for the others."
  ),
  lastMinuteRequests: gauge(
    "state",
    "deployment_last_minute_requests",
    deployment,
    "Attempts that began in the last 60 seconds; also without a limit."
  ),
  lastMinuteTokens: gauge(
    "state",
    "deployment_last_minute_tokens",
    deployment,
    "Input and output tokens of attempts that ended in the last 60 seconds; also without a limit."
  ),
  lastMinuteFailures: gauge(
    "state",
    "deployment_last_minute_failures",
    deployment,
    "Attempts of the last 60 seconds that failed by the deployment's fault; a caller's mistake is none."
  ),
  available: gauge(
    "state",
    "deployment_available",
    deployment,
    "1 while the deployment takes calls; 0 in a cooldown, told to wait, isolated, or found unhealthy."
  ),
  latencyEma: gauge(
    "state",
    "deployment_latency_ema_seconds",
    deployment,
    "Moving average of the time of whole answers; absent while unknown."
  ),
  ttftEma: gauge(
    "state",
    "deployment_ttft_ema_seconds",
    deployment,
    "Moving average of the time to the first content of streams; absent while unknown."
  ),
  headroom: gauge(
    "state",
    "deployment_headroom_ratio",
    deployment,
    "Smallest share of any limit that is left, from 0 to 1; absent without a limit."
  ),
  rpmHeadroom: gauge(
    "state",
    "deployment_rpm_headroom",
    deployment,
    "Requests that the limit still allows in this minute; absent without a limit."
  ),
  tpmHeadroom: gauge(
    "state",
    "deployment_tpm_headroom",
    deployment,
    "Tokens that the limit still allows in this minute; absent without a limit."
  ),
  concurrencyLimit: gauge(
    "state",
    "deployment_concurrency_limit",
    deployment,
    "Calls at once that the deployment bears, as learned; absent without adaptive concurrency."
  )
} as const satisfies Readonly<Record<string, Definition>>

/** Labels that a metric or the format sets itself, so that static labels must not. */
export const ownLabels: ReadonlySet<string> = new Set<string>([
  "le",
  "quantile",
  // The gateway's.
  "code",
  ...Object.values<Definition>(metricTable).flatMap(({ labels }) => labels)
])
