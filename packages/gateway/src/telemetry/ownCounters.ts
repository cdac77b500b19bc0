import * as Metrics from "@switchyard/router/Metrics"
import type { Sink, Update } from "@switchyard/router/MetricsSink"

/** A counter of the gateway's own. Names are without the prefix. */
export interface OwnCounter {
  readonly name: string
  readonly help: string
  /** The label that tells its series apart. */
  readonly labels: readonly [string] | readonly []
}

/** The metric of what never reaches the router, whose own metrics know nothing of it. @public */
export const refusals: OwnCounter = {
  name: "refusals_total",
  help: "Requests that the gateway turned away before they were routed, by the code that their callers were told.",
  labels: ["code"]
}

/** The metric of a log that cannot be written. @public */
export const lostLines: OwnCounter = {
  name: "log_lines_lost_total",
  help: "Lines of the log that were lost, because its reader was too slow or gone, or its disk full.",
  labels: []
}

/** Counts; the value of the label is one of the gateway's own words. */
export type Count = (value?: string, by?: number) => void

/** Counts under the options of the configuration in force; `false` counts nothing. */
export const ownCounter = (
  { help, labels: [label], name }: OwnCounter,
  sink: Sink,
  options: () => Metrics.Options | false | undefined
): Count => {
  let made: ReturnType<typeof options>
  let series = new Map<string, Update>()
  return (value = "", by = 1) => {
    const current = options()
    if (current === false) return
    if (current !== made) {
      made = current
      series = new Map()
    }
    let count = series.get(value)
    if (count === undefined) {
      const { labels = {}, prefix = Metrics.defaults.prefix } = current ?? {}
      count = sink.counter({
        name: `${prefix}_${name}`,
        help,
        labels: [...Object.entries(labels), ...(label === undefined ? [] : [[label, value] as const])]
      })
      series.set(value, count)
    }
    count(by)
  }
}
