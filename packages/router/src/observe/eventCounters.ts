import type { Deployment } from "@switchyard/core/Deployment"
import type { Events, RouterEvent } from "../events/RouterEvents.js"
import { effect, type Sink } from "./MetricsSink.js"
import type { Options } from "./metricOptions.js"
import { type Definition, metricTable } from "./metricTable.js"
import { SeriesMaker, table1, table2 } from "./series.js"

const maxRows = 10_000

type Count = (event: RouterEvent) => void

const silent: Count = () => {}

const counting = (deploymentOf: (id: string) => Deployment | undefined, options: Options, sink: Sink): Count => {
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
  const budgets = table1(maxRows, (scope) => series.counter(metricTable.budgetsExhausted, { scope }))
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
      case "BudgetExhausted":
        return budgets(event.scope)(1)
      default:
    }
  }
}

/**
 * Events that are counted on their way to those who listen. State that outlives a reload holds on to its events, so what
 * counts can be exchanged behind them. Only rare events are counted here, never one per call.
 */
export class EventCounters {
  private count = silent
  /** What layers publish to. */
  readonly events: Events

  constructor(inner: Events) {
    this.events = {
      publish: (event) => {
        this.count(event)
        inner.publish(event)
      },
      isActive: inner.isActive,
      stream: inner.stream
    }
  }

  /** Counts from now on as the options say; `false` counts nothing. */
  use(deploymentOf: (id: string) => Deployment | undefined, options: Options | false = {}, sink: Sink = effect): void {
    this.count = options === false ? silent : counting(deploymentOf, options, sink)
  }
}
