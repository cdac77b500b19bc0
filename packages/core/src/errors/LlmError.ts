/**
 * The one error of every layer. It is classified once, here: retry, breaker, fallback, metrics and the HTTP edge read the
 * classification and never derive it again.
 */
import { Predicate, Schema } from "effect"

/** Why a call failed. The table in `docs/semantics.md` says what each reason means to each layer. */
export const Reason = Schema.Literal(
  "RateLimited",
  "QuotaExhausted",
  "Timeout",
  "Unavailable",
  "Authentication",
  "ModelNotFound",
  "MalformedResponse",
  "InvalidRequest",
  "ContextWindowExceeded",
  "ContentPolicyViolation",
  "StreamInterrupted",
  "Rejected",
  "NoDeployment",
  "UnknownModel",
  "BudgetExceeded"
)
/** Why a call failed. */
export type Reason = typeof Reason.Type

/** Which clock ran out: `connect`, `firstToken` (streams), `idle` (between chunks) or `total`. */
export const TimeoutPhase = Schema.Literal("connect", "firstToken", "idle", "total")
/** Which clock ran out. */
export type TimeoutPhase = typeof TimeoutPhase.Type

/** One attempt, as reports and final errors list it. Times are milliseconds. */
export const AttemptReport = Schema.Struct({
  /** 1 for the first attempt of the request. */
  number: Schema.Number,
  deployment: Schema.String,
  provider: Schema.String,
  group: Schema.String,
  outcome: Schema.Literal("pending", "completed", "failed", "abandoned", "rejected"),
  reason: Schema.optional(Reason),
  status: Schema.optional(Schema.Number),
  /** Milliseconds since the request began. */
  startedAfter: Schema.Number,
  /** Milliseconds until the outcome; absent while pending. */
  duration: Schema.optional(Schema.Number)
})
/** One attempt, as reports and final errors list it. */
export type AttemptReport = typeof AttemptReport.Type

/** A deployment that could not be selected, why, and for how many more milliseconds (absent when nobody knows). */
export const Blocked = Schema.Struct({
  deployment: Schema.String,
  /** A label for people: the filter or the layer that was in the way. */
  reason: Schema.String,
  /** What others act on: a status's cause, or `request` for what the request itself asks for; none for what just lost out. */
  cause: Schema.optional(Schema.Literal("limit", "failure", "operator", "request")),
  retryAfter: Schema.optional(Schema.Number),
  /** Whether a call that ends may make room before `retryAfter` is over. */
  early: Schema.optional(Schema.Boolean)
})
/** A deployment that could not be selected, and why. */
export type Blocked = typeof Blocked.Type

/** What a provider's Retry-After holds for the calls to come: its `kind`, and ms as the provider said them. */
export interface Hold {
  /** Only a 429 speaks of a `limit`; anything else is an `outage`. */
  readonly kind: "limit" | "outage"
  readonly duration: number
}

/**
 * How long a provider's Retry-After is obeyed and told on, in ms, whatever it says: beyond it nobody knows more than that it
 * will be long. The breaker has an option for its part, `maxRetryAfter`, of which this is the default.
 */
export const longestHold = 60_000

/** An answer that took longer than this many ms to say that time ran out is silence. */
const quickAnswer = 10_000

/** May the request be tried again: also on the `same` deployment (after a backoff), on an`other` one only, or `never`. */
export type RetryRule = "same" | "other" | "never"
/**
 * What a failure means to the breaker: it `counts`, it `trips` at once, it is `neutral`, or it is `doubtful`: neutral while
 * other requests succeed there, else it counts.
 */
export type BreakerRule = "counts" | "trips" | "neutral" | "doubtful"
/** Which typed fallback chain a failure leads to. */
export type FallbackKind = "general" | "contextWindow" | "contentPolicy" | "rateLimit" | "unknownModel" | "none"

interface Row {
  readonly retry: RetryRule
  readonly breaker: BreakerRule
  readonly fallback: FallbackKind
  readonly http: number
  readonly code: string
}

const row = (retry: RetryRule, breaker: BreakerRule, fallback: FallbackKind, http: number, code: string): Row => ({
  retry,
  breaker,
  fallback,
  http,
  code
})

const table: Record<Reason, Row> = {
  RateLimited: row("same", "counts", "rateLimit", 429, "rate_limit_exceeded"),
  QuotaExhausted: row("other", "trips", "rateLimit", 429, "upstream_quota"),
  Timeout: row("same", "counts", "general", 504, "upstream_timeout"),
  Unavailable: row("same", "counts", "general", 503, "upstream_unavailable"),
  Authentication: row("other", "trips", "general", 502, "upstream_authentication"),
  ModelNotFound: row("other", "doubtful", "general", 502, "upstream_model_not_found"),
  MalformedResponse: row("same", "counts", "general", 502, "upstream_malformed_response"),
  InvalidRequest: row("never", "neutral", "none", 400, "invalid_request"),
  ContextWindowExceeded: row("never", "neutral", "contextWindow", 400, "context_length_exceeded"),
  ContentPolicyViolation: row("never", "neutral", "contentPolicy", 400, "content_policy_violation"),
  StreamInterrupted: row("never", "counts", "none", 502, "upstream_stream_interrupted"),
  Rejected: row("other", "neutral", "rateLimit", 429, "rate_limit_exceeded"),
  NoDeployment: row("never", "neutral", "general", 503, "no_deployment"),
  UnknownModel: row("never", "neutral", "unknownModel", 404, "model_not_found"),
  BudgetExceeded: row("never", "neutral", "none", 429, "insufficient_quota")
}

const fields = {
  reason: Reason,
  /** What happened, in our words; never a secret, never a prompt. */
  description: Schema.String,
  /** The HTTP status that the provider answered with. */
  status: Schema.optional(Schema.Number),
  provider: Schema.optional(Schema.String),
  deployment: Schema.optional(Schema.String),
  /** Milliseconds after which it is worth trying again, from the provider's headers or the soonest local block. */
  retryAfter: Schema.optional(Schema.Number),
  /** `Timeout` that a provider answered with: ms that it took to. */
  elapsed: Schema.optional(Schema.Number),
  /** `Timeout`, and streams that died of one: which clock ran out. */
  phase: Schema.optional(TimeoutPhase),
  /**
   * `Timeout`, and streams that died of one: whose bound it was. `caller` is the deadline of the whole request, `request` a
   * bound on the attempt that the request brought and that is tighter than what is configured: both say nothing about the
   * deployment, and after the second another one may be asked.
   */
  bound: Schema.optional(Schema.Literal("deployment", "caller", "request")),
  /**
   * Whom the answer blames where the reason leaves it open: the `deployment` (its own model does not exist, so it closes at
   * once), or the `request`, which asked for something that this deployment lacks and another one may have.
   */
  blames: Schema.optional(Schema.Literal("deployment", "request")),
  /** To ask the same deployment again is of no use; another one may do. */
  elsewhere: Schema.optional(Schema.Boolean),
  /** No connection stood, so that the provider has got nothing of the request. */
  unsent: Schema.optional(Schema.Boolean),
  /** The provider's machine-readable error code or type. */
  code: Schema.optional(Schema.String),
  /** The provider's own type of the error. */
  type: Schema.optional(Schema.String),
  /** The field of the request that the provider names. */
  param: Schema.optional(Schema.String),
  /** The provider's own message, kept for the caller. */
  providerMessage: Schema.optional(Schema.String),
  /** `StreamInterrupted`: what ended the stream. */
  interruptedBy: Schema.optional(Reason),
  /** `NoDeployment`: every deployment of the group, and why it was not available. */
  blocked: Schema.optional(Schema.Array(Blocked)),
  /** Final errors: every attempt of the request. */
  attempts: Schema.optional(Schema.Array(AttemptReport))
}

/** The data that an `LlmError` is made of. */
export type LlmErrorFields = Schema.Struct.Constructor<typeof fields>

const fieldNames = Object.keys(fields) as ReadonlyArray<keyof typeof fields>

/**
 * A call that failed, with its data and its classification. It is a schema too, so that an endpoint of `HttpApi` may answer with
 * it (`addError`); who must not see deployments and attempts is told `reason` and `providerMessage` alone.
 *
 * @example
 * ```ts
 * import { LlmError } from "@switchyard/core/LlmError"
 *
 * const error = new LlmError({ reason: "RateLimited", description: "slow down", retryAfter: 2_000 })
 * error.retry // "same": another deployment at once, this one after 2 seconds
 * error.breaker // "counts"
 * ```
 */
export class LlmError extends Schema.TaggedError<LlmError>("@switchyard/core/LlmError")("LlmError", fields) {
  override get message(): string {
    const where = this.deployment === undefined ? "" : ` [${this.deployment}]`
    const said = this.providerMessage === undefined ? "" : `: ${this.providerMessage}`
    return `${this.reason}${where}: ${this.description}${said}`
  }

  /** May the request be tried again, and where. */
  get retry(): RetryRule {
    if (this.reason === "Timeout" && this.bound === "caller") return "never"
    if (this.reason === "InvalidRequest" && this.elsewhere === true) return "other"
    const { retry } = table[this.reason]
    const onlyElsewhere = this.isSilence || this.elsewhere === true || this.blames === "request"
    return retry === "same" && onlyElsewhere ? "other" : retry
  }

  /** Whether the provider surely did nothing: what makes something there may be asked for again. */
  get isUndone(): boolean {
    if (this.unsent === true || this.reason === "Rejected") return true
    return this.status === 429 || this.status === 503
  }

  /** What the failure says about the deployment's health. */
  get breaker(): BreakerRule {
    if (this.bound === "caller" || this.bound === "request" || this.blames === "request") return "neutral"
    if (this.reason === "ModelNotFound" && this.blames === "deployment") return "trips"
    if (this.reason === "Authentication" && this.status === 403) return "counts"
    return table[this.reason].breaker
  }

  /** Which typed fallback chain comes next. */
  get fallback(): FallbackKind {
    if (this.reason === "NoDeployment" && this.blockedByLimitsOnly) return "rateLimit"
    return table[this.reason].fallback
  }

  /**
   * The deployment said nothing at all in time: it is not asked again within the request. A 408 or 504 that came quickly is
   * a word of some proxy, not silence; one that took more than 10 s, and a 524, is.
   */
  get isSilence(): boolean {
    const { bound, elapsed, reason, status } = this
    if (status === 524) return reason === "Unavailable" || reason === "Timeout"
    if (reason !== "Timeout" || bound === "caller") return false
    return status === undefined || (elapsed !== undefined && elapsed > quickAnswer)
  }

  /** What the provider's Retry-After means to later calls; undefined without one, and on a plain 500, where it means nothing. */
  get hold(): Hold | undefined {
    const { reason, retryAfter, status } = this
    if (retryAfter === undefined || !(retryAfter > 0) || status === 500) return undefined
    if (reason === "Rejected" || this.blames === "request" || table[reason].retry === "never") return undefined
    const isLimit = reason === "RateLimited" || (reason === "QuotaExhausted" && status === 429)
    return { kind: isLimit ? "limit" : "outage", duration: retryAfter }
  }

  /** The HTTP status that a gateway answers with. */
  get httpStatus(): number {
    if (this.reason === "NoDeployment" && this.blockedByLimitsOnly) return 429
    if (this.isUnserved) return 400
    if (this.reason === "Unavailable" && this.status !== undefined && this.status !== 503) return 502
    return table[this.reason].http
  }

  /** The machine-readable code that a gateway answers with. */
  get httpCode(): string {
    return this.isUnserved ? "unsupported_operation" : table[this.reason].code
  }

  /** `NoDeployment` only: every block is a limit, so waiting or another group helps and nothing is broken. */
  get blockedByLimitsOnly(): boolean {
    return this.blockedOnlyBy("limit")
  }

  /** What ended the stream, for those who have delivered nothing of it: an ordinary failure. Other errors are themselves. */
  get beforeDelivery(): LlmError {
    if (this.reason !== "StreamInterrupted") return this
    return this.with({ reason: this.interruptedBy ?? "Unavailable", interruptedBy: undefined })
  }

  /** `NoDeployment` only: nobody has what the request asks for, so waiting does not help. */
  get blockedByFiltersOnly(): boolean {
    return this.blockedOnlyBy("request")
  }

  /** `NoDeployment` only: the group has nobody who does what is asked at all. */
  get isUnserved(): boolean {
    const { blocked = [], reason } = this
    return reason === "NoDeployment" && blocked.length > 0 && blocked.every((block) => block.reason === "operations")
  }

  private blockedOnlyBy(cause: Blocked["cause"]): boolean {
    return this.blocked !== undefined && this.blocked.length > 0 && this.blocked.every((block) => block.cause === cause)
  }

  /** The same error with some fields replaced. */
  with(changes: Partial<LlmErrorFields>): LlmError {
    return new LlmError({ ...this.data, ...changes })
  }

  /** The plain data of the error, without the tag and the stack. */
  get data(): LlmErrorFields {
    const data: Record<string, unknown> = {}
    for (const name of fieldNames) {
      if (this[name] !== undefined) data[name] = this[name]
    }
    return data as LlmErrorFields
  }
}

/** Whether it is an `LlmError`, whichever copy of this module made it. */
export const isLlmError = (it: unknown): it is LlmError => Predicate.isTagged(it, "LlmError")
