/** Metrics of the processes behind one port, which the one that started them has counted. */
import * as Metrics from "@switchyard/router/Metrics"
import * as Prometheus from "@switchyard/router/Prometheus"

/** What is counted. */
export interface Counts {
  /** Workers that serve now. */
  readonly serving: number
  /** Workers that ended by themselves, and were replaced. */
  readonly restarts: number
}

interface WorkerMetric {
  /** Without the prefix. */
  readonly name: string
  readonly help: string
  readonly type: "gauge" | "counter"
  readonly value: (counts: Counts) => number
}

/** What is told where several processes serve. @public */
export const workerMetrics: ReadonlyArray<WorkerMetric> = [
  {
    name: "workers",
    help: "Processes that serve behind the port; told where there are several.",
    type: "gauge",
    value: ({ serving }) => serving
  },
  {
    name: "worker_restarts_total",
    help: "Processes behind the port that ended by themselves and were begun anew.",
    type: "counter",
    value: ({ restarts }) => restarts
  }
]

/** As text, under the options of the metrics in force; empty where they are off. */
export const text = (counts: Counts, options: Metrics.Options | false | undefined): string => {
  if (options === false) return ""
  const { labels = {}, prefix = Metrics.defaults.prefix } = options ?? {}
  const families = workerMetrics.map(({ help, name, type, value }) => ({
    type,
    name: `${prefix}_${name}`,
    help,
    series: [{ labels: Object.entries(labels), value: value(counts) }]
  }))
  return Prometheus.render({ prefix, snapshot: [], families })
}
