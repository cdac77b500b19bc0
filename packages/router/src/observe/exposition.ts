/** What a family of series measures. */
export type FamilyType = "counter" | "gauge" | "histogram" | "summary"

/** Name and value of one label. */
export type LabelPair = readonly [name: string, value: string]

/** One number under its labels. */
export interface Sample {
  readonly labels: ReadonlyArray<LabelPair>
  readonly value: number | bigint
}

/** One distribution under its labels; the buckets are cumulative and sorted, without the one at `+Inf`. */
export interface Distribution {
  readonly labels: ReadonlyArray<LabelPair>
  readonly buckets: ReadonlyArray<readonly [bound: number, count: number]>
  readonly sum: number
  readonly count: number
}

/** Quantiles of one series under its labels. */
interface Quantiles {
  readonly labels: ReadonlyArray<LabelPair>
  readonly quantiles: ReadonlyArray<readonly [quantile: number, value: number]>
  readonly sum: number
  readonly count: number
}

/** The series of one name. */
export type Family =
  | {
      readonly type: "counter" | "gauge"
      readonly name: string
      readonly help: string
      readonly series: ReadonlyArray<Sample>
    }
  | {
      readonly type: "histogram"
      readonly name: string
      readonly help: string
      readonly series: ReadonlyArray<Distribution>
    }
  | {
      readonly type: "summary"
      readonly name: string
      readonly help: string
      readonly series: ReadonlyArray<Quantiles>
    }

type Series = Sample | Distribution | Quantiles

/** Order by UTF-16 code units: the same everywhere. */
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** A name that the format allows: what it does not becomes an underscore. */
const metricName = (name: string): string =>
  /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name) ? name : name.replace(/[^a-zA-Z0-9_:]/g, "_").replace(/^(?=[0-9]|$)/, "_")

const labelName = (name: string): string =>
  /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : name.replace(/[^a-zA-Z0-9_]/g, "_").replace(/^(?=[0-9]|$)/, "_")

/** A number as the format writes it. */
const number = (value: number | bigint): string =>
  value === Number.POSITIVE_INFINITY ? "+Inf" : value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" }

/** Half of a surrogate pair has no UTF-8: two values that differ in one only would come out as the same series. */
const labelValue = (value: string): string => {
  const escaped = /[\\"\n]/.test(value) ? value.replace(/[\\"\n]/g, (found) => escapes[found] ?? found) : value
  return /[\ud800-\udfff]/.test(escaped) ? escaped.replace(/\p{Surrogate}/gu, "\ufffd") : escaped
}

const helpText = (text: string): string => text.replace(/[\\\n]/g, (found) => escapes[found] ?? found)

/** The labels as text, sorted by name; of two with one name the later counts. The text is the identity of a series. */
const labelText = (labels: ReadonlyArray<LabelPair>): string => {
  const byName = new Map<string, string>()
  for (const [name, value] of labels) byName.set(labelName(name), value)
  return [...byName]
    .sort(([a], [b]) => compare(a, b))
    .map(([name, value]) => `${name}="${labelValue(value)}"`)
    .join(",")
}

const isSample = (series: Series): series is Sample => "value" in series
const isDistribution = (series: Series): series is Distribution => "buckets" in series

/** Bounds that both have; what each counted below such a bound is known, so the sum is a true histogram. */
const addBuckets = (a: Distribution, b: Distribution): Distribution["buckets"] => {
  const other = new Map(b.buckets)
  return a.buckets.flatMap(([bound, count]) => {
    const more = other.get(bound)
    return more === undefined ? [] : [[bound, count + more] as const]
  })
}

/** Two series with one identity would make a scrape invalid: what can be added up is, of the rest the first stays. */
const merged = (a: Series, b: Series): Series => {
  if (isSample(a) && isSample(b)) return { ...a, value: Number(a.value) + Number(b.value) }
  if (isDistribution(a) && isDistribution(b)) {
    return { ...a, buckets: addBuckets(a, b), sum: a.sum + b.sum, count: a.count + b.count }
  }
  return a
}

const joined = (text: string, name: string, value: number): string => {
  const own = `${name}="${number(value)}"`
  return text === "" ? `{${own}}` : `{${text},${own}}`
}

const lines = (name: string, text: string, series: Series, out: Array<string>): void => {
  const labels = text === "" ? "" : `{${text}}`
  if (isSample(series)) {
    out.push(`${name}${labels} ${number(series.value)}`)
    return
  }
  if (isDistribution(series)) {
    for (const [bound, count] of series.buckets) out.push(`${name}_bucket${joined(text, "le", bound)} ${number(count)}`)
    out.push(`${name}_bucket${joined(text, "le", Number.POSITIVE_INFINITY)} ${number(series.count)}`)
  } else {
    for (const [quantile, value] of series.quantiles) {
      out.push(`${name}${joined(text, "quantile", quantile)} ${number(value)}`)
    }
  }
  out.push(`${name}_sum${labels} ${number(series.sum)}`, `${name}_count${labels} ${number(series.count)}`)
}

/** Labels that the format itself sets on these types. */
const reserved: Readonly<Partial<Record<FamilyType, string>>> = { histogram: "le", summary: "quantile" }

interface Gathered {
  readonly type: FamilyType
  help: string
  readonly series: Map<string, Series>
}

/**
 * Families as text: each name once, families sorted by name and series by labels. Families of one name are joined; where
 * they differ in type, the first stays.
 */
export const write = (families: Iterable<Family>): string => {
  const byName = new Map<string, Gathered>()
  for (const family of families) {
    if (family.series.length === 0) continue
    const name = metricName(family.name)
    let gathered = byName.get(name)
    if (gathered === undefined) {
      gathered = { type: family.type, help: family.help, series: new Map() }
      byName.set(name, gathered)
    }
    if (gathered.type !== family.type) continue
    if (gathered.help === "") gathered.help = family.help
    const own = reserved[family.type]
    for (const series of family.series) {
      const kept = own === undefined ? series.labels : series.labels.filter(([label]) => labelName(label) !== own)
      const text = labelText(kept)
      const before = gathered.series.get(text)
      gathered.series.set(text, before === undefined ? series : merged(before, series))
    }
  }
  const out: Array<string> = []
  for (const [name, { help, series, type }] of [...byName].sort(([a], [b]) => compare(a, b))) {
    if (help !== "") out.push(`# HELP ${name} ${helpText(help)}`)
    out.push(`# TYPE ${name} ${type}`)
    for (const [text, one] of [...series].sort(([a], [b]) => compare(a, b))) lines(name, text, one, out)
  }
  return out.length === 0 ? "" : `${out.join("\n")}\n`
}
