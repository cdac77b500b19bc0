import type { Deployment } from "@switchyard/core/Deployment"
import type { BatchSettled, RouterEvent } from "../events/RouterEvents.js"
import type { Sink } from "./MetricsSink.js"
import type { Options } from "./metricOptions.js"
import { type Definition, metricTable } from "./metricTable.js"
import { SeriesMaker, table1, table2 } from "./series.js"

const maxRows = 10_000

/** Counts events, in series of the sink. */
export const counting = (
  deploymentOf: (id: string) => Deployment | undefined,
  options: Options,
  sink: Sink
): ((event: RouterEvent) => void) => {
  const series = new SeriesMaker(options, sink)
  const table = (definition: Definition) =>
    table2(maxRows, (id, reason) => {
      const deployment = deploymentOf(id)
      const { group: model = "other", provider = "none" } = deployment ?? {}
      return series.counter(definition, { deployment: id, model, provider, reason })
    })
  const retries = table(metricTable.retries)
  const hedges = table(metricTable.hedges)
  const hedgesWon = table(metricTable.hedgesWon)
  const cooldowns = table(metricTable.cooldowns)
  const probeFailures = table(metricTable.probeFailures)
  const probeRecoveries = table(metricTable.probeRecoveries)
  const streamRestarts = table(metricTable.streamRestarts)
  const costs = table2(maxRows, (model, provider) => series.counter(metricTable.cost, { model, provider }))
  const inputs = table2(maxRows, (model, provider) => series.counter(metricTable.inputTokens, { model, provider }))
  const outputs = table2(maxRows, (model, provider) => series.counter(metricTable.outputTokens, { model, provider }))
  const batches = table(metricTable.batches)
  const countBatch = ({ cost, deployment, group, isEstimate, provider, usage }: BatchSettled): void => {
    batches(deployment, isEstimate ? "estimated" : "settled")(1)
    if (cost !== undefined) costs(group, provider)(cost)
    if (isEstimate) return
    inputs(group, provider)(usage.inputTokens)
    outputs(group, provider)(usage.outputTokens)
  }
  const throttled = table1(maxRows, (model) => series.counter(metricTable.throttled, { model }))
  const budgets = table1(maxRows, (scope) => series.counter(metricTable.budgetsExhausted, { scope }))
  const nearly = table1(maxRows, (scope) => series.counter(metricTable.budgetsNearlySpent, { scope }))
  return (event) => {
    switch (event._tag) {
      case "Retried":
        return retries(event.deployment ?? "none", event.reason)(1)
      case "HedgeStarted":
        return hedges(event.deployment ?? "none", "")(1)
      case "HedgeWon":
        return hedgesWon(event.deployment, "")(1)
      case "CooldownOpened":
        return cooldowns(event.deployment, event.reason)(1)
      case "ProbeFailed":
        return probeFailures(event.deployment, event.reason)(1)
      case "ProbeRecovered":
        return probeRecoveries(event.deployment, "")(1)
      case "StreamRestarted":
        return streamRestarts(event.deployment ?? "none", event.reason)(1)
      case "BatchSettled":
        return countBatch(event)
      case "RequestThrottled":
        return throttled(event.group)(1)
      case "BudgetExhausted":
        return budgets(event.scope)(1)
      case "BudgetNearlySpent":
        return nearly(event.scope)(1)
      default:
    }
  }
}
