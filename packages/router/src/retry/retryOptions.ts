/**
 * Options of the Retry layer.
 */
import * as Field from "@switchyard/core/Field"
import { Reason } from "@switchyard/core/LlmError"
import { Schema } from "effect"

/** Retries by the reason of the latest error, for example `{ RateLimited: 5, Timeout: 0 }`; 0 means none. */
export const RetryPolicy = Schema.partial(Schema.Record({ key: Reason, value: Field.retries }))
/** Retries by the reason of the latest error. */
export type RetryPolicy = typeof RetryPolicy.Type

const limits = {
  /** Attempts in one group, the first and hedges included. Default 3. */
  attempts: Field.option(Field.positiveCount, "Attempts in one group, the first and hedges included.", 3),
  /** Beats `attempts` for errors of these reasons; what must not be retried is not retried all the same. */
  retryPolicy: Field.option(
    RetryPolicy,
    "Beats `attempts` for errors of these reasons; what must not be retried is not retried all the same."
  )
}

/**
 * Options of the layer. A request's `maxRetries` beats the deployment's (with `lowerOnly`, only a smaller one), that beats
 * the group's, that the router's.
 */
export const Options = Field.options("How often and how soon a request is tried again in its group.", {
  ...limits,
  /** The same for single model groups, by name. */
  groups: Field.option(
    Schema.Record({ key: Schema.String, value: Schema.Struct(limits) }),
    "The same for single model groups, by name."
  ),
  /** Upper end of the first wait for the same deployment; the wait is drawn evenly from its upper half. Default 500 ms. */
  baseDelay: Field.option(
    Field.duration,
    "Upper end of the first wait for the same deployment; the wait is drawn evenly from its upper half.",
    500
  ),
  /** What the upper end is multiplied with for each further retry. Default 2. */
  factor: Field.option(Field.positive, "What the upper end is multiplied with for each further retry.", 2),
  /** Highest upper end. Default 8 seconds. */
  maxDelay: Field.option(Field.duration, "Highest upper end.", 8000),
  /**
   * Longest `Retry-After` that is waited for, as the provider named it (the wait itself is up to a fifth longer, by chance),
   * and longest wait for a closed deployment to open; what takes longer is left to the fallbacks. Default 3 seconds.
   */
  maxRetryAfterWait: Field.option(
    Field.durationOrZero,
    "Longest `Retry-After` that is waited for, as the provider named it (the wait itself is up to a fifth longer, by chance), and longest wait for a closed deployment to open; what takes longer is left to the fallbacks.",
    3000
  )
})
/** Options of the layer. */
export type Options = typeof Options.Type

/** What they are when they are left out. */
export const defaults = Field.defaults(Options)
