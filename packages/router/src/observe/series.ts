import type { LabelPair } from "./exposition.js"
import { effect, type SeriesKey, type Sink, type Update } from "./MetricsSink.js"
import { defaults, type Options } from "./metricOptions.js"
import type { Definition, LabelName } from "./metricTable.js"

/** What the labels of a metric say for one series. */
export type LabelValues = Readonly<Partial<Record<LabelName, string>>>

/**
 * Makes series of a sink as the options say: their prefix, their static labels, and the labels that they leave out.
 */
export class SeriesMaker {
  /** Whether series are split by model group. */
  readonly perModel: boolean
  /** Whether series are split by provider. */
  readonly perProvider: boolean
  private readonly prefix: string
  private readonly fixed: ReadonlyArray<LabelPair>

  constructor(
    private readonly options: Options = {},
    private readonly sink: Sink = effect
  ) {
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
  counter(definition: Definition, values: LabelValues): Update {
    return this.sink.counter(this.keyOf(definition, values))
  }

  /** A gauge that follows a running count; towers of one process that name it the same add up. */
  upDown(definition: Definition, values: LabelValues): Update {
    return this.sink.upDown(this.keyOf(definition, values))
  }

  /** A distribution over the buckets that the options give to the metric. */
  histogram(definition: Definition, values: LabelValues): Update {
    const option = definition.buckets ?? "latencyBuckets"
    return this.sink.histogram(this.keyOf(definition, values), this.options[option] ?? defaults[option])
  }

  private keyOf(definition: Definition, values: LabelValues): SeriesKey {
    return { name: this.nameOf(definition), help: definition.help, labels: this.labelsOf(definition, values) }
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
