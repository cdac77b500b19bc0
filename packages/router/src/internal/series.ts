import { Metric, MetricBoundaries, MetricKey, MetricLabel } from "effect"
import type { LabelPair } from "./exposition.js"
import { defaults, type Options } from "./metricOptions.js"
import type { Definition, LabelName } from "./metricTable.js"

/** What the labels of a metric say for one series. */
export type LabelValues = Readonly<Partial<Record<LabelName, string>>>

/** Adds to one series; synchronous, allocates nothing, and makes the series at its first use. */
export type Add = (amount: number) => void

/** `Metric.tagged` would make new labels at every update, and the registry then build and hash a key. */
const none: ReadonlyArray<MetricLabel.MetricLabel> = []

interface Updatable {
  readonly unsafeModify: (input: number, extraTags: ReadonlyArray<MetricLabel.MetricLabel>) => void
}

const adding = (make: () => Updatable): Add => {
  let metric: Updatable | undefined
  return (amount) => {
    // What is not a number would spoil a sum for good.
    if (!Number.isFinite(amount)) return
    metric ??= make()
    metric.unsafeModify(amount, none)
  }
}

/**
 * Makes series as the options say: their prefix, their static labels, and the labels that they leave out. Labels are part
 * of the metric's key, so that an update finds its series without building one.
 */
export class SeriesMaker {
  /** Whether series are split by model group. */
  readonly perModel: boolean
  /** Whether series are split by provider. */
  readonly perProvider: boolean
  private readonly prefix: string
  private readonly fixed: ReadonlyArray<LabelPair>

  constructor(private readonly options: Options = {}) {
    this.prefix = options.prefix ?? defaults.prefix
    this.fixed = Object.entries(options.labels ?? defaults.labels)
    this.perModel = options.perModel ?? defaults.perModel
    this.perProvider = options.perProvider ?? defaults.perProvider
  }

  /** The metric's whole name. */
  nameOf({ name }: Definition): string {
    return `${this.prefix}_${name}`
  }

  /** The labels of one series: the static ones, and those of the metric that the options leave in. */
  labelsOf(definition: Definition, values: LabelValues): ReadonlyArray<LabelPair> {
    const labels: Array<LabelPair> = [...this.fixed]
    for (const name of definition.labels) {
      if ((name === "model" && !this.perModel) || (name === "provider" && !this.perProvider)) continue
      labels.push([name, values[name] ?? ""])
    }
    return labels
  }

  /** A monotonic counter. */
  counter(definition: Definition, values: LabelValues): Add {
    return adding(() => {
      const key = MetricKey.counter(this.nameOf(definition), { description: definition.help, incremental: true })
      return Metric.fromMetricKey(MetricKey.taggedWithLabels(key, this.tagsOf(definition, values)))
    })
  }

  /** A gauge that follows a running count; towers of one process that name it the same add up. */
  upDown(definition: Definition, values: LabelValues): Add {
    return adding(() => {
      const key = MetricKey.gauge(this.nameOf(definition), { description: definition.help })
      return Metric.fromMetricKey(MetricKey.taggedWithLabels(key, this.tagsOf(definition, values)))
    })
  }

  /** A distribution over the buckets that the options give to the metric. */
  histogram(definition: Definition, values: LabelValues): Add {
    return adding(() => {
      const option = definition.buckets ?? "latencyBuckets"
      const boundaries = MetricBoundaries.fromIterable(this.options[option] ?? defaults[option])
      const key = MetricKey.histogram(this.nameOf(definition), boundaries, definition.help)
      return Metric.fromMetricKey(MetricKey.taggedWithLabels(key, this.tagsOf(definition, values)))
    })
  }

  private tagsOf(definition: Definition, values: LabelValues): ReadonlyArray<MetricLabel.MetricLabel> {
    return this.labelsOf(definition, values).map(([name, value]) => MetricLabel.make(name, value))
  }
}

/**
 * A lazily filled table by two label values. Bounded: past `limit` rows new values share one, under `other`, so that no
 * caller can grow the registry without end.
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

/** A lazily filled table by one label value, bounded in the same way. */
export const table1 = <A>(limit: number, make: (value: string) => A): ((value: string) => A) => {
  const rows = new Map<string, A>()
  const lookup = (value: string): A => {
    const known = rows.get(value)
    if (known !== undefined) return known
    if (rows.size >= limit && value !== "other") return lookup("other")
    const made = make(value)
    rows.set(value, made)
    return made
  }
  return lookup
}
