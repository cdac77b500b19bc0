/**
 * Counts attempts per deployment, by outcome and reason, and what is in flight. Sits inside the limits, so that a call
 * that was turned away locally is no attempt.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import type { Deployment } from "@switchyard/core/Deployment"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import * as Service from "@switchyard/core/Service"
import * as Slot from "@switchyard/core/Slot"
import { Effect, type Layer } from "effect"
import { counter, type Labels, table2, upDown } from "./internal/series.js"
import { Options } from "./RequestMetrics.js"

const makeSeries = (deployment: Deployment, options: Options) => {
  const prefix = options.prefix ?? "switchyard"
  const labels: Labels = [
    ...Object.entries(options.labels ?? {}),
    ["deployment", deployment.id],
    ["model", deployment.group],
    ["provider", deployment.provider]
  ]
  return {
    inFlight: upDown(`${prefix}_deployment_in_flight`, "Attempts in progress", labels),
    ended: table2(100, (outcome, reason) =>
      counter(`${prefix}_attempts_total`, "Attempts that ended, by outcome and reason", [
        ...labels,
        ["outcome", outcome],
        ["reason", reason]
      ])
    )
  }
}

const outcomeLabel = { Completed: "success", Failed: "failure", Abandoned: "abandoned" } as const

/** The layer. Series are made once per deployment and kept in its slot. */
export const make = (options: Options = {}): Service.AttemptLayer => {
  const key = Slot.key("attemptMetrics", (deployment) => makeSeries(deployment, options))
  return Service.mapAttempt((call, attempt) =>
    Service.bracket(
      () => {
        const series = attempt.slot.get(key)
        series.inFlight(1)
        return series
      },
      () => call,
      (series, outcome) => {
        series.inFlight(-1)
        series.ended(outcomeLabel[outcome._tag], outcome._tag === "Failed" ? outcome.error.reason : "")(1)
      }
    )
  )
}

/** Counts attempts around the inner service. */
export const layer = (options: Options = {}): Layer.Layer<DeploymentService, ConfigError, DeploymentService> =>
  Service.wrap(
    DeploymentService,
    Effect.map(Field.decode(Options, options, "metrics"), (valid) => make(valid))
  )
