/**
 * Counts in a registry of `prom-client` in place of Effect's metrics: for apps that have one already, and for exemplars,
 * which lead from a bucket of a histogram to a trace. Needs the package `prom-client`; nothing else of the router does.
 */
import { Effect, Layer } from "effect"
import {
  Counter,
  Gauge,
  Histogram,
  type Metric,
  type OpenMetricsContentType,
  type PrometheusContentType,
  Registry
} from "prom-client"
import { write } from "./exposition.js"
import {
  type Exposition,
  MetricsSink,
  type SeriesKey,
  type Sink,
  spanOf,
  type Traced,
  type Update
} from "./MetricsSink.js"

/** A sink, and the registry that it counts in, whose format is OpenMetrics. */
export interface PromClientSink extends Sink {
  readonly registry: Registry<OpenMetricsContentType>
}

/** The format allows 128 characters of names and values; ids of a usual length take 63. */
const maxIdCharacters = 100

/** An update as the library takes it; without a trace the exemplar that a series has stays. */
const updateOf = (labels: Record<string, string>, value: number, cause: Traced | undefined) => {
  const span = cause === undefined ? undefined : spanOf(cause)
  return span === undefined || span.traceId.length + span.spanId.length > maxIdCharacters
    ? { labels, value }
    : { labels, value, exemplarLabels: { trace_id: span.traceId, span_id: span.spanId } }
}

/** Whether an `Accept` header names OpenMetrics, and does not rule it out by a weight of 0. */
const wantsOpenMetrics = (accept = ""): boolean =>
  accept
    .toLowerCase()
    .split(",")
    .some((range) => {
      const [type = "", ...parameters] = range.split(";").map((part) => part.trim())
      return type === "application/openmetrics-text" && !parameters.some((one) => /^q=0(\.0*)?$/.test(one))
    })

/** Half of a surrogate pair has no UTF-8: two values that differ in one only would be written as the same series. */
const wellFormed = (value: string): string => value.replace(/\p{Surrogate}/gu, "\ufffd")

/** Metrics of one kind by name, each made once, with the labels that it has. */
class Families<M> {
  private readonly byName = new Map<string, { readonly metric: M; readonly labelNames: ReadonlySet<string> }>()

  /** The metric of a series, and the series' labels; labels that the metric does not have are left out. */
  find(key: SeriesKey, make: (labelNames: Array<string>) => M): Series<M> {
    let family = this.byName.get(key.name)
    if (family === undefined) {
      const labelNames = new Set(key.labels.map(([name]) => name))
      family = { metric: make([...labelNames]), labelNames }
      this.byName.set(key.name, family)
    }
    const { labelNames, metric } = family
    const own = key.labels.filter(([name]) => labelNames.has(name))
    return { metric, labels: Object.fromEntries(own.map(([name, value]) => [name, wellFormed(value)])) }
  }

  entries(): ReadonlyArray<readonly [name: string, metric: M]> {
    return [...this.byName].map(([name, { metric }]) => [name, metric] as const)
  }
}

interface Series<M> {
  readonly metric: M
  readonly labels: Record<string, string>
}

/** An update that finds its series at its first use. The library throws at an amount that is not a number. */
const updating = <M>(
  find: () => Series<M>,
  update: (series: Series<M>, amount: number, cause: Traced | undefined) => void
): Update => {
  let series: Series<M> | undefined
  return (amount, cause) => {
    if (!Number.isFinite(amount)) return
    series ??= find()
    update(series, amount, cause)
  }
}

/**
 * A sink with a registry of its own. A name keeps the labels and the buckets of its first series: where a reload changes
 * static labels or buckets, the new ones are not shown before a restart, and nothing that is counted is lost.
 */
export const make = (): PromClientSink => {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  const plain = new Registry<PrometheusContentType>()
  const counters = new Families<Counter>()
  const gauges = new Families<Gauge>()
  const histograms = new Families<Histogram>()
  const inBoth = <M extends Metric>(metric: M): M => {
    plain.registerMetric(metric)
    return metric
  }
  const registers = [registry]

  const openMetrics = async (more: string): Promise<Exposition> => {
    const end = "# EOF\n"
    // Without a metric the library writes an empty line first, which the format does not allow.
    const text = registry.getMetricsAsArray().length === 0 ? end : await registry.metrics()
    return { contentType: registry.contentType, text: text.slice(0, -end.length) + more + end }
  }

  const text = async (more: string): Promise<Exposition> => {
    // Writing OpenMetrics takes `_total` from the counters' names for good.
    for (const [name, metric] of counters.entries()) Object.assign(metric, { name })
    return { contentType: plain.contentType, text: (await plain.metrics()) + more }
  }

  return {
    registry,
    counter: (key) =>
      updating(
        () =>
          counters.find(key, (labelNames) => {
            const { help, name } = key
            return inBoth(new Counter({ name, help, labelNames, registers, enableExemplars: true }))
          }),
        ({ labels, metric }, value, cause) => {
          // A counter that goes down is an error of the library's.
          if (value < 0) return
          metric.inc(updateOf(labels, value, cause))
        }
      ),
    upDown: (key) =>
      updating(
        () =>
          gauges.find(key, (labelNames) =>
            inBoth(new Gauge({ name: key.name, help: key.help, labelNames, registers }))
          ),
        ({ labels, metric }, amount) => metric.inc(labels, amount)
      ),
    histogram: (key, bounds) =>
      updating(
        () =>
          histograms.find(key, (labelNames) => {
            const { help, name } = key
            const buckets = [...bounds]
            return inBoth(new Histogram({ name, help, labelNames, registers, buckets, enableExemplars: true }))
          }),
        ({ labels, metric }, value, cause) => metric.observe(updateOf(labels, value, cause))
      ),
    expose: ({ accept, families }) =>
      Effect.promise(() => {
        const more = write(families)
        return wantsOpenMetrics(accept) ? openMetrics(more) : text(more)
      })
  }
}

/** The sink for everything that is built with this layer below it. */
export const layer: Layer.Layer<MetricsSink> = Layer.sync(MetricsSink, make)
