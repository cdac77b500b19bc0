/**
 * Counts requests as callers see them: one request is one, however many attempts it took. Effect `Metric`s, so that every
 * exporter of an Effect app shows them.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import { Effect, type Layer, Schema } from "effect"
import { DeploymentRegistry } from "./DeploymentRegistry.js"
import { counter, type Labels, table2, upDown } from "./internal/series.js"

/** Options of the metrics layers of both tiers. */
export const Options = Schema.Struct({
  /** Before every metric's name. Default `switchyard`. */
  prefix: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^[a-zA-Z_][a-zA-Z0-9_]*$/)).annotations({
      message: () => ({ message: "letters, digits and underscores, no digit first", override: true })
    })
  ),
  /** Labels on every series, for example `{ region: "eu" }`. */
  labels: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.String }))
})
/** Options of the metrics layers of both tiers. */
export type Options = typeof Options.Type

const maxSeries = 1000

const makeSeries = (options: Options) => {
  const prefix = options.prefix ?? "switchyard"
  const fixed: Labels = Object.entries(options.labels ?? {})
  return {
    active: table2(maxSeries, (model) =>
      upDown(`${prefix}_active_requests`, "Requests in progress", [...fixed, ["model", model]])
    ),
    ended: table2(maxSeries, (model, provider) => {
      const labels: Labels = [...fixed, ["model", model], ["provider", provider]]
      const count = (name: string, description: string) => counter(`${prefix}_${name}`, description, labels)
      return {
        total: count("requests_total", "Requests that ended, however they ended"),
        success: count("requests_success_total", "Requests that were answered whole"),
        abandoned: count("requests_abandoned_total", "Requests whose caller left"),
        inputTokens: count("input_tokens_total", "Input tokens of all attempts"),
        outputTokens: count("output_tokens_total", "Output tokens of all attempts"),
        fallbacks: count("fallbacks_total", "Fallback hops"),
        error: table2(maxSeries, (reason) =>
          counter(`${prefix}_requests_error_total`, "Requests that failed, by reason", [...labels, ["reason", reason]])
        )
      }
    })
  }
}

/** The layer; `known` says which model names are groups: all others count as `other`, so that callers can't add series. */
export const make = (known: (model: string) => boolean, options: Options = {}): Service.RequestLayer => {
  const series = makeSeries(options)
  const ended = (request: LlmRequest, model: string, outcome: Outcome) => {
    const { journal } = request.route
    const row = series.ended(model, journal.cache === "hit" ? "cache" : (journal.last?.provider ?? "none"))
    row.total(1)
    if (outcome._tag === "Completed") row.success(1)
    else if (outcome._tag === "Abandoned") row.abandoned(1)
    else row.error(outcome.error.reason, "")(1)
    if (journal.fallbacks.length > 0) row.fallbacks(journal.fallbacks.length)
    const { usage } = journal
    if (usage !== undefined) {
      row.inputTokens(usage.inputTokens)
      row.outputTokens(usage.outputTokens)
    }
  }
  return (next) =>
    Service.request((request) =>
      Service.bracket(
        () => {
          const model = known(request.model) ? request.model : "other"
          series.active(model, "")(1)
          return model
        },
        () => next.call(request),
        (model, outcome) => {
          series.active(model, "")(-1)
          ended(request, model, outcome)
        }
      )
    )
}

/** Counts requests around the inner service. The outermost layer but for caches that should not count. */
export const layer = (options: Options = {}): Layer.Layer<LlmService, ConfigError, LlmService | DeploymentRegistry> =>
  Service.wrap(
    LlmService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "metrics")
      const registry = yield* DeploymentRegistry
      return make((model) => registry.resolve(model) !== undefined, valid)
    })
  )
