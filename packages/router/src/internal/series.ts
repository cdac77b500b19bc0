import { Metric, MetricKey, MetricLabel } from "effect"

/** Labels of one series, in the order in which they are rendered. */
export type Labels = ReadonlyArray<readonly [name: string, value: string]>

/**
 * Labels belong into the metric's key, so that an update finds its series without building one: `Metric.tagged` makes a new
 * array of labels at every update, and the registry then builds and hashes a key.
 */
const metricLabels = (labels: Labels): ReadonlyArray<MetricLabel.MetricLabel> =>
  labels.map(([name, value]) => MetricLabel.make(name, value))

/** A monotonic counter of one series; `add` is synchronous and allocates nothing. */
export const counter = (name: string, description: string, labels: Labels): ((amount: number) => void) => {
  const key = MetricKey.counter(name, { description, incremental: true })
  const metric = Metric.fromMetricKey(MetricKey.taggedWithLabels(key, metricLabels(labels)))
  return (amount) => metric.unsafeUpdate(amount, [])
}

/** A gauge of one series that follows a running count. */
export const upDown = (name: string, description: string, labels: Labels): ((change: 1 | -1) => void) => {
  const key = MetricKey.gauge(name, { description })
  const metric = Metric.fromMetricKey(MetricKey.taggedWithLabels(key, metricLabels(labels)))
  let value = 0
  return (change) => {
    value += change
    metric.unsafeUpdate(value, [])
  }
}

/**
 * A lazily filled table of series by two label values. Bounded: past `limit` series new values share one, under `other`,
 * so that no caller can grow the registry without end.
 */
export const table2 = <A>(limit: number, make: (first: string, second: string) => A): ((a: string, b: string) => A) => {
  const rows = new Map<string, Map<string, A>>()
  let size = 0
  const lookup = (first: string, second: string): A => {
    let row = rows.get(first)
    const known = row?.get(second)
    if (known !== undefined) return known
    if (size >= limit && (first !== "other" || second !== "other")) return lookup("other", "other")
    if (row === undefined) {
      row = new Map()
      rows.set(first, row)
    }
    const made = make(first, second)
    row.set(second, made)
    size++
    return made
  }
  return lookup
}
