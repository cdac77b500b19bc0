/**
 * Where the router's figures go. By default they are Effect `Metric`s, which every exporter of an Effect app shows; another
 * sink, such as `PromClientSink`, takes their place for everything that is built under it.
 */
import type { TraceContext } from "@switchyard/core/TraceContext"
import { Context, Effect, Metric, MetricBoundaries, MetricKey, MetricLabel, type Tracer } from "effect"
import type { Family, LabelPair } from "./exposition.js"
import * as Prometheus from "./Prometheus.js"

export type { Family, LabelPair }

/** What may belong to a trace: a request, or an attempt. */
export interface Traced {
  readonly trace: TraceContext | undefined
}

/** The span that an exemplar should lead to; undefined where there is none, or nobody keeps it. */
export const spanOf = ({ trace }: Traced): Tracer.AnySpan | undefined =>
  trace?.span.sampled === true ? trace.span : undefined

/** What one series is. */
export interface SeriesKey {
  /** The whole name, prefix included. */
  readonly name: string
  readonly help: string
  /** In one order for all series of a name. */
  readonly labels: ReadonlyArray<LabelPair>
}

/**
 * Adds to one series, and makes it at its first use. Synchronous, and never throws; what is not a finite number changes
 * nothing. `cause` is the request or the attempt that it is about, for sinks that keep exemplars: see `spanOf`.
 */
export type Update = (amount: number, cause?: Traced) => void

/** What a scrape gets. */
export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/** What a scrape asks for. */
export interface ExposeOptions {
  /** Only metrics under this prefix, where the sink holds others too. */
  readonly prefix: string
  /** Figures of this moment, which the sink does not hold. */
  readonly families: ReadonlyArray<Family>
  /** The `Accept` header of the scrape. */
  readonly accept?: string | undefined
}

/** The shape of the service. Two series with one key are one series, also when they were made twice. */
export interface Sink {
  /** A monotonic counter. */
  readonly counter: (key: SeriesKey) => Update
  /** A gauge that follows a running count, up and down. */
  readonly upDown: (key: SeriesKey) => Update
  /** A distribution; `buckets` are finite upper bounds that increase. */
  readonly histogram: (key: SeriesKey, buckets: ReadonlyArray<number>) => Update
  /** Everything that was counted, as text. */
  readonly expose: (options: ExposeOptions) => Effect.Effect<Exposition>
}

/** `Metric.tagged` would make new labels at every update, and the registry then build and hash a key. */
const none: ReadonlyArray<MetricLabel.MetricLabel> = []

interface Updatable {
  readonly unsafeModify: (input: number, extraTags: ReadonlyArray<MetricLabel.MetricLabel>) => void
}

const adding = (make: () => Updatable): Update => {
  let metric: Updatable | undefined
  return (amount) => {
    // What is not a number would spoil a sum for good.
    if (!Number.isFinite(amount)) return
    metric ??= make()
    metric.unsafeModify(amount, none)
  }
}

const tagsOf = ({ labels }: SeriesKey): ReadonlyArray<MetricLabel.MetricLabel> =>
  labels.map(([name, value]) => MetricLabel.make(name, value))

/** Effect's own metrics, those of this process. Labels are part of the key, so that an update builds none. */
export const effect: Sink = {
  counter: (series) =>
    adding(() => {
      const key = MetricKey.counter(series.name, { description: series.help, incremental: true })
      return Metric.fromMetricKey(MetricKey.taggedWithLabels(key, tagsOf(series)))
    }),
  upDown: (series) =>
    adding(() => {
      const key = MetricKey.gauge(series.name, { description: series.help })
      return Metric.fromMetricKey(MetricKey.taggedWithLabels(key, tagsOf(series)))
    }),
  histogram: (series, buckets) =>
    adding(() => {
      const key = MetricKey.histogram(series.name, MetricBoundaries.fromIterable(buckets), series.help)
      return Metric.fromMetricKey(MetricKey.taggedWithLabels(key, tagsOf(series)))
    }),
  expose: ({ families, prefix }) =>
    Effect.sync(() => ({ contentType: Prometheus.contentType, text: Prometheus.render({ prefix, families }) }))
}

/** The sink in force. Its default is Effect's own metrics, so that nothing requires it. */
export class MetricsSink extends Context.Reference<MetricsSink>()("@switchyard/router/MetricsSink", {
  defaultValue: (): Sink => effect
}) {}
