import * as Metrics from "@switchyard/router/Metrics"
import type { Sink, Update } from "@switchyard/router/MetricsSink"

/** The metric of what never reaches the router, whose own metrics know nothing of it. Without the prefix. @public */
export const refusals = {
  name: "refusals_total",
  help: "Requests that the gateway turned away before they were routed, by the code that their callers were told."
} as const

/** Counts under the options of the configuration in force; `false` counts nothing. Codes are the gateway's own words. */
export const refusalCounter = (
  sink: Sink,
  options: () => Metrics.Options | false | undefined
): ((code: string) => void) => {
  let made: ReturnType<typeof options>
  let series = new Map<string, Update>()
  return (code) => {
    const current = options()
    if (current === false) return
    if (current !== made) {
      made = current
      series = new Map()
    }
    let count = series.get(code)
    if (count === undefined) {
      const { labels = {}, prefix = Metrics.defaults.prefix } = current ?? {}
      count = sink.counter({
        name: `${prefix}_${refusals.name}`,
        help: refusals.help,
        labels: [...Object.entries(labels), ["code", code]]
      })
      series.set(code, count)
    }
    count(1)
  }
}
