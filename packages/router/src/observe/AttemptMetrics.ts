/**
 * Counts attempts per deployment, by outcome and reason, how long they take, and what is in flight. Sits inside the limits,
 * so that a call that was turned away locally is no attempt.
 */
import type { LeftOut } from "@switchyard/core/Attempt"
import type { ConfigError } from "@switchyard/core/ConfigError"
import type { Deployment } from "@switchyard/core/Deployment"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import * as Service from "@switchyard/core/Service"
import * as Slot from "@switchyard/core/Slot"
import { Context, Effect, Layer } from "effect"
import { outcomeLabel } from "../events/outcomeLabel.js"
import * as Concern from "../stack/Concern.js"
import * as State from "../stack/State.js"
import { effect, MetricsSink, type Sink, type Update } from "./MetricsSink.js"
import { Options } from "./metricOptions.js"
import { metricTable } from "./metricTable.js"
import { SeriesMaker, table1, table2 } from "./series.js"

const makeRow = (series: SeriesMaker, deployment: Deployment) => {
  const labels = { deployment: deployment.id, model: deployment.group, provider: deployment.provider }
  return {
    labels,
    inFlight: series.upDown(metricTable.inFlight, labels),
    ended: table2(100, (outcome, reason) => series.counter(metricTable.attempts, { ...labels, outcome, reason })),
    latency: table1(3, (outcome) => series.histogram(metricTable.attemptLatency, { ...labels, outcome }))
  }
}

/** Series of fields that are left out: pairs of dialects and known names are far fewer. */
const maxLeftOut = 2000

type Row = ReturnType<typeof makeRow>

/**
 * The layer. Series are made once per deployment and kept in its slot; a deployment that changes its group gets others.
 * `sink` defaults to Effect's own metrics.
 */
export const make = (options: Options = {}, sink: Sink = effect): Service.AttemptLayer => {
  const series = new SeriesMaker(options, sink)
  const key = Slot.key("attemptMetrics", (deployment): { row: Row } => ({ row: makeRow(series, deployment) }))
  const rowOf = (slot: Slot.Slot): Row => {
    const cell = slot.get(key)
    const { deployment } = slot
    const { model, provider } = cell.row.labels
    if (model !== deployment.group || provider !== deployment.provider) cell.row = makeRow(series, deployment)
    return cell.row
  }
  const fields = new Map<string, Update>()
  const countLeftOut = ({ fields: left, from, to }: LeftOut): void => {
    for (const { field, reason } of left) {
      const name = `${from} ${to} ${field} ${reason}`
      let count = fields.get(name)
      if (count === undefined) {
        if (fields.size >= maxLeftOut) continue
        count = series.counter(metricTable.leftOut, { from, to, field, reason })
        fields.set(name, count)
      }
      count(1)
    }
  }
  return Service.bracketAttempt({
    begin: ({ slot }) => {
      const row = rowOf(slot)
      row.inFlight(1)
      return row
    },
    end: (row, outcome, at, attempt) => {
      const label = outcomeLabel[outcome._tag]
      const cause = attempt.trace === undefined ? attempt.request : attempt
      row.inFlight(-1)
      if (attempt.leftOut !== undefined) countLeftOut(attempt.leftOut)
      row.ended(label, outcome._tag === "Failed" ? outcome.error.reason : "")(1, cause)
      row.latency(label)((at - attempt.startedAt) / 1000, cause)
    }
  })
}

/** Counts attempts around the inner service. */
export const layerWith = (options: Options): Layer.Layer<DeploymentService, ConfigError, DeploymentService> =>
  Service.wrap(DeploymentService, Effect.zipWith(Field.decode(Options, options, "metrics"), MetricsSink, make))

/** Counts attempts around the inner service, with the defaults. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService> = Layer.fresh(Layer.orDie(layerWith({})))

/** Counts nothing and costs nothing: it gives back the inner service. */
export const layerNoop: Layer.Layer<DeploymentService, never, DeploymentService> = Service.wrap(
  DeploymentService,
  Effect.succeed((next: Service.AttemptService) => next)
)

/** The layer of a tower, which keeps its series. */
export class AttemptSeries extends Context.Tag("@switchyard/router/AttemptSeries")<
  AttemptSeries,
  Service.AttemptLayer
>() {}

/** The series of attempts: gauges count in them, across reloads. */
export class CountedAttempts extends State.make({
  name: "attemptSeries",
  key: "metrics",
  tag: AttemptSeries,
  options: Options,
  layer: (options) =>
    Layer.effect(
      AttemptSeries,
      Effect.map(MetricsSink, (sink) => make(options, sink))
    )
}) {}

/** The layer as a concern of a stack. */
export class AttemptMetrics extends Concern.attempt({
  name: "attemptMetrics",
  key: "metrics",
  about: "Counts attempts, and how long they took",
  options: Options,
  state: [CountedAttempts],
  make: () => AttemptSeries
}) {}
