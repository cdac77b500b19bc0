/**
 * Effect's metrics in the Prometheus text format (version 0.0.4): whatever was counted with `Metric`, as one text that a
 * scrape takes. A pure function of a snapshot; the same numbers always give the same text.
 */
import { Metric, type MetricPair, MetricState, Option } from "effect"
import { compare, type Distribution, type Family, type LabelPair, write } from "./exposition.js"

export type { Family }

/** The `Content-Type` of what `render` gives. */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

/** What to render. */
export interface RenderOptions {
  /** Only metrics whose name is this, or begins with it and an underscore. Default `switchyard`; empty means all. */
  readonly prefix?: string
  /** The metrics. Default: those of this process, as they are now. */
  readonly snapshot?: Iterable<MetricPair.MetricPair.Untyped>
  /** Families beside those of the snapshot, for example of `Metrics.collect`. Default none. */
  readonly families?: Iterable<Family>
}

/** Effect's own, without a help text; they say nothing about the router. */
const isOfRuntime = (name: string): boolean => name.startsWith("effect_fiber_")

const filterOf = (prefix: string): ((name: string) => boolean) =>
  prefix === ""
    ? (name) => !isOfRuntime(name)
    : (name) => name.startsWith(prefix) && (name.length === prefix.length || name[prefix.length] === "_")

/** Buckets that grow, and a total that none of them exceeds. What is not a number is in no bucket and in the total. */
const distribution = (labels: ReadonlyArray<LabelPair>, state: MetricState.MetricState.Histogram): Distribution => {
  const buckets: Array<readonly [number, number]> = []
  let highest = 0
  for (const [bound, count] of state.buckets) {
    highest = Math.max(highest, count)
    if (Number.isFinite(bound)) buckets.push([bound, highest])
  }
  return { labels, buckets, sum: state.sum, count: Math.max(highest, state.count) }
}

const familyOf = (pair: MetricPair.MetricPair.Untyped): Family | undefined => {
  const { metricKey, metricState: state } = pair
  const { name } = metricKey
  const help = Option.getOrElse(metricKey.description, () => "")
  const labels = metricKey.tags.map(({ key, value }) => [key, value] as const)
  if (MetricState.isCounterState(state))
    return { type: "counter", name, help, series: [{ labels, value: state.count }] }
  if (MetricState.isGaugeState(state)) return { type: "gauge", name, help, series: [{ labels, value: state.value }] }
  if (MetricState.isHistogramState(state))
    return { type: "histogram", name, help, series: [distribution(labels, state)] }
  if (MetricState.isFrequencyState(state)) {
    const series = [...state.occurrences].map(([key, value]) => ({ labels: [...labels, ["key", key] as const], value }))
    return { type: "counter", name, help, series }
  }
  if (MetricState.isSummaryState(state)) {
    const quantiles = state.quantiles.map(
      ([quantile, value]) => [quantile, Option.getOrElse(value, () => Number.NaN)] as const
    )
    return { type: "summary", name, help, series: [{ labels, quantiles, sum: state.sum, count: state.count }] }
  }
  return undefined
}

/**
 * The metrics as text. Names and labels that the format does not allow are mended, series that come out equal are added
 * up, so that the text is always valid.
 *
 * @example
 * ```ts
 * import * as Prometheus from "@switchyard/router/Prometheus"
 *
 * const text = Prometheus.render({ prefix: "switchyard" })
 * ```
 */
export const render = (options: RenderOptions = {}): string => {
  const { families = [], prefix = "switchyard", snapshot = Metric.unsafeSnapshot() } = options
  const isWanted = filterOf(prefix)
  const found: Array<Family> = []
  for (const pair of snapshot) {
    const family = isWanted(pair.metricKey.name) ? familyOf(pair) : undefined
    if (family !== undefined) found.push(family)
  }
  // The registry has no order of its own, and the first family of a name decides on its type and its help text.
  found.sort((a, b) => compare(a.type, b.type) || compare(a.help, b.help))
  return write([...families, ...found])
}
