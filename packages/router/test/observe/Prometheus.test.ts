import { assert, describe, it } from "@effect/vitest"
import * as Prometheus from "@switchyard/router/Prometheus"
import { cases } from "@switchyard/testing/Effort"
import { Effect, Metric, MetricBoundaries, type MetricKey, MetricLabel, MetricPair, MetricState } from "effect"
import * as MetricKeys from "effect/MetricKey"
import { Counter, Gauge, Histogram, Registry } from "prom-client"
import { complaints, hasPromtool } from "../support/promtool.js"

type Labels = Readonly<Record<string, string>>

const keyed = <A extends MetricKey.MetricKey.Untyped>(key: A, labels: Labels): MetricKey.MetricKey.Untyped =>
  MetricKeys.taggedWithLabels(
    key,
    Object.entries(labels).map(([name, value]) => MetricLabel.make(name, value))
  )

const pair = (key: MetricKey.MetricKey.Untyped, state: MetricState.MetricState.Untyped) =>
  MetricPair.unsafeMake(key, state)

const counter = (name: string, value: number, labels: Labels = {}, description?: string) =>
  pair(
    keyed(MetricKeys.counter(name, description === undefined ? {} : { description }), labels),
    MetricState.counter(value)
  )

const gauge = (name: string, value: number, labels: Labels = {}, description = "A gauge.") =>
  pair(keyed(MetricKeys.gauge(name, { description }), labels), MetricState.gauge(value))

const histogram = (name: string, bounds: ReadonlyArray<number>, values: ReadonlyArray<number>, labels: Labels = {}) =>
  pair(
    keyed(MetricKeys.histogram(name, MetricBoundaries.fromIterable(bounds), "A histogram."), labels),
    MetricState.histogram({
      buckets: [...bounds, Number.POSITIVE_INFINITY].map(
        (bound) => [bound, values.filter((value) => value <= bound).length] as const
      ),
      count: values.length,
      min: 0,
      max: 0,
      sum: values.reduce((sum, value) => sum + value, 0)
    })
  )

const render = (...snapshot: ReadonlyArray<MetricPair.MetricPair.Untyped>) =>
  Prometheus.render({ prefix: "", snapshot })

describe("Prometheus.render", () => {
  it("writes HELP and TYPE once for a family, families and series in order", () => {
    assert.strictEqual(
      render(
        gauge("z", 2),
        counter("b_total", 1, { model: "y" }, "Bs."),
        counter("a_total", 3, {}, "As."),
        counter("b_total", 2, { model: "x" }, "Bs.")
      ),
      `# HELP a_total As.
# TYPE a_total counter
a_total 3
# HELP b_total Bs.
# TYPE b_total counter
b_total{model="x"} 2
b_total{model="y"} 1
# HELP z A gauge.
# TYPE z gauge
z 2
`
    )
  })
  it("writes buckets that end at +Inf, then sum and count", () => {
    assert.strictEqual(
      render(histogram("t_seconds", [0.1, 1], [0.05, 0.5, 0.5, 7], { model: "m" })),
      `# HELP t_seconds A histogram.
# TYPE t_seconds histogram
t_seconds_bucket{model="m",le="0.1"} 1
t_seconds_bucket{model="m",le="1"} 3
t_seconds_bucket{model="m",le="+Inf"} 4
t_seconds_sum{model="m"} 8.05
t_seconds_count{model="m"} 4
`
    )
  })
  it("escapes label values and help texts, and nothing else in them", () => {
    assert.strictEqual(
      render(counter("a_total", 1, { l: 'a"b\\c\nd{é=,}\t' }, 'One\\two\nthree "four".')),
      '# HELP a_total One\\\\two\\nthree "four".\n# TYPE a_total counter\na_total{l="a\\"b\\\\c\\nd{é=,}\t"} 1\n'
    )
  })
  it("writes numbers as Prometheus reads them", () => {
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 1e21, 1e-7, 0.1]
    const lines = render(...values.map((value, i) => gauge("g", value, { i: String(i) })))
      .split("\n")
      .filter((line) => line.startsWith("g{"))
    assert.deepStrictEqual(
      lines.map((line) => line.split(" ")[1]),
      ["NaN", "+Inf", "-Inf", "0", "1e+21", "1e-7", "0.1"]
    )
  })
  it("names and labels that the format does not allow are mended", () => {
    const text = render(counter("my.metric-total", 1, { "0a b": "x", le: "y" }, "M."))
    assert.include(text, 'my_metric_total{_0a_b="x",le="y"} 1')
  })
  it("a histogram has no label le of its own", () => {
    const text = render(histogram("t", [1], [0.5], { le: "mine", a: "b" }))
    assert.include(text, 't_bucket{a="b",le="1"} 1')
    assert.notInclude(text, "mine")
  })
  it("series with equal labels are one series", () => {
    const text = render(
      counter("a_total", 1, { x: "1", y: "2" }, "A."),
      counter("a_total", 2, { y: "2", x: "1" }, "Another help."),
      histogram("t", [1, 2, 4], [0.5, 3]),
      histogram("t", [2, 4, 8], [3, 7])
    )
    assert.include(text, 'a_total{x="1",y="2"} 3\n')
    assert.strictEqual(text.split("# HELP a_total").length, 2)
    assert.include(text, 't_bucket{le="2"} 1\nt_bucket{le="4"} 3\nt_bucket{le="+Inf"} 4\nt_sum 13.5\nt_count 4\n')
    assert.notInclude(text, 'le="1"')
  })
  it("values that differ in what has no UTF-8 are one series", () => {
    const text = render(counter("a_total", 1, { x: "\ud800" }, "A."), counter("a_total", 1, { x: "\udc00" }, "A."))
    assert.include(text, 'a_total{x="\ufffd"} 2\n')
  })
  it("one name has one type, whatever the order", () => {
    const both = [counter("a_total", 1, {}, "A."), gauge("a_total", 5)]
    assert.strictEqual(render(...both), render(...[...both].reverse()))
    assert.strictEqual(render(...both).split("# TYPE").length, 2)
  })
  it("the count of a histogram is never less than a bucket, whatever was observed", () => {
    const metric = Metric.histogram("odd_seconds", MetricBoundaries.fromIterable([1, 2]), "Odd.")
    for (const value of [Number.NaN, 0.5, Number.POSITIVE_INFINITY, 1]) metric.unsafeUpdate(value, [])
    const text = Prometheus.render({ prefix: "odd" })
    assert.include(text, 'odd_seconds_bucket{le="+Inf"} 4\n')
    assert.include(text, "odd_seconds_count 4\n")
    assert.include(text, "odd_seconds_sum NaN\n")
  })
  it("frequencies and summaries have their forms", () => {
    const frequency = Metric.frequency("freq_words_total", { description: "Words." })
    frequency.unsafeUpdate("a", [])
    frequency.unsafeUpdate("a", [])
    assert.strictEqual(
      Prometheus.render({ prefix: "freq" }),
      '# HELP freq_words_total Words.\n# TYPE freq_words_total counter\nfreq_words_total{key="a"} 2\n'
    )
    const summary = Metric.summary({
      name: "sum_x",
      maxAge: "1 day",
      maxSize: 100,
      error: 0,
      quantiles: [0.5],
      description: "X."
    })
    Effect.runSync(Metric.update(summary, 4))
    const text = Prometheus.render({ prefix: "sum" })
    assert.include(text, '# TYPE sum_x summary\nsum_x{quantile="0.5"} ')
    assert.include(text, "sum_x_sum 4\nsum_x_count 1\n")
  })
  it("only metrics of the prefix, Effect's own never; nothing at all is an empty text", () => {
    Metric.counter("ours_a_total").unsafeUpdate(1, [])
    Metric.counter("oursnot_a_total").unsafeUpdate(1, [])
    Effect.runSync(Effect.void)
    assert.strictEqual(Prometheus.render({ prefix: "ours" }), "# TYPE ours_a_total counter\nours_a_total 1\n")
    assert.notInclude(Prometheus.render({ prefix: "" }), "effect_fiber_")
    assert.strictEqual(Prometheus.render({ prefix: "nobody" }), "")
  })
  it("families beside the snapshot join those of the same name", () => {
    const text = Prometheus.render({
      prefix: "",
      snapshot: [gauge("a", 1, { id: "x" })],
      families: [{ type: "gauge", name: "a", help: "As.", series: [{ labels: [["id", "y"]], value: 2 }] }]
    })
    assert.strictEqual(text, '# HELP a As.\n# TYPE a gauge\na{id="x"} 1\na{id="y"} 2\n')
  })
  it.skipIf(!hasPromtool)("promtool finds nothing to complain about", () => {
    const text = render(
      counter("a_total", 1, { l: 'a"b\\c\nd' }, "As."),
      gauge("b_ratio", Number.NaN, { i: "1" }),
      gauge("b_ratio", Number.NEGATIVE_INFINITY, { i: "2" }),
      histogram("c_seconds", [0.1, 1, 600], [0.05, 700], { model: "" }),
      histogram("c_seconds", [0.1, 1, 600], [], { model: "\r\u2028" })
    )
    assert.strictEqual(complaints(text), "")
  })
})

/** A small generator of its own, so that a failure names a seed. */
const randomOf = (seed: number) => {
  let state = seed
  const next = () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
  const pick = <A>(items: ReadonlyArray<A>): A => items[Math.floor(next() * items.length)] as A
  return { next, pick }
}

const pieces = ["a", "B", "7", " ", "é", "😀", '"', "\\", "\n", "\\n", "{", "}", ",", "=", "#", "\t", "\u2028", "le"]
const numbers = [0, 1, -1, 0.1, 1e21, 1e-9, 123456.789, Number.MAX_SAFE_INTEGER, Number.NaN, Infinity, -Infinity]

interface Line {
  readonly name: string
  readonly labels: Labels
  readonly value: number
}

/** Reads the text format as Prometheus does, and throws at what it would refuse. */
const parse = (text: string): ReadonlyArray<Line> => {
  const found: Array<Line> = []
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue
    const head = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{)?/.exec(line)
    if (head === null) throw new Error(`no name in ${line}`)
    let rest = line.slice(head[0].length)
    const labels: Record<string, string> = {}
    while (head[2] !== undefined && !rest.startsWith("}")) {
      const label = /^,?([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"/.exec(rest)
      if (label === null) throw new Error(`no label in ${rest}`)
      const [whole, name = "", value = ""] = label
      if (name in labels) throw new Error(`${name} twice in ${line}`)
      labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped))
      rest = rest.slice(whole.length)
    }
    const shown = rest.replace(/^\}/, "").trim()
    const value = shown === "Nan" || shown === "NaN" ? Number.NaN : Number(shown.replace("Inf", "Infinity"))
    if (Number.isNaN(value) && !/^nan$/i.test(shown)) throw new Error(`no number in ${line}`)
    found.push({ name: head[1] ?? "", labels, value })
  }
  return found
}

const canonical = (lines: ReadonlyArray<Line>) =>
  lines
    .map(({ labels, name, value }) => {
      const sorted = Object.entries(labels)
        .map(([key, text]) => [key, key === "le" ? String(Number(text.replace("Inf", "Infinity"))) : text])
        .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1))
      return `${name}${JSON.stringify(sorted)} ${value}`
    })
    .sort()

describe("Prometheus.render and prom-client", () => {
  it("say the same of random labels and numbers", async () => {
    const base = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31))
    for (let round = 0; round < cases(600); round++) {
      const seed = (base + round) | 0
      const { next, pick } = randomOf(seed)
      const value = () => Array.from({ length: Math.floor(next() * 6) }, () => pick(pieces)).join("")
      const registry = new Registry()
      const prefix = `diff_${base}_${round}`
      const names = ["model", "provider", "x_1"].slice(0, Math.floor(next() * 4))
      const bounds = [0.1, 0.5, 1, 30, 600].slice(0, 1 + Math.floor(next() * 5))
      const labelNames = names
      const help = `A gauge: ${value()}`
      const theirs = {
        counter: new Counter({ name: `${prefix}_a_total`, help: "As.", labelNames, registers: [registry] }),
        gauge: new Gauge({ name: `${prefix}_g`, help, labelNames, registers: [registry] }),
        histogram: new Histogram({
          name: `${prefix}_h`,
          help: "Hs.",
          labelNames,
          buckets: [...bounds],
          registers: [registry]
        })
      }
      const tagged = <A extends MetricKey.MetricKey.Untyped>(key: A, labels: Labels): A => keyed(key, labels) as A
      for (let i = 0; i < 12; i++) {
        const labels = Object.fromEntries(names.map((name) => [name, value()]))
        const amount = Math.abs(pick(numbers.filter(Number.isFinite)))
        theirs.counter.inc(labels, amount)
        Metric.fromMetricKey(
          tagged(MetricKeys.counter(`${prefix}_a_total`, { incremental: true }), labels)
        ).unsafeUpdate(amount, [])
        const level = pick(numbers)
        theirs.gauge.set(labels, level)
        Metric.fromMetricKey(tagged(MetricKeys.gauge(`${prefix}_g`, { description: help }), labels)).unsafeUpdate(
          level,
          []
        )
        const observed = pick([0.05, 0.1, 0.3, 2, 31, 601, 1e9, -3])
        theirs.histogram.observe(labels, observed)
        Metric.fromMetricKey(
          tagged(MetricKeys.histogram(`${prefix}_h`, MetricBoundaries.fromIterable(bounds)), labels)
        ).unsafeUpdate(observed, [])
      }
      const ours = Prometheus.render({ prefix })
      const expected = await registry.metrics()
      assert.deepStrictEqual(canonical(parse(ours)), canonical(parse(expected)), `SEED=${seed}`)
      const helpOf = (text: string) => text.split("\n").find((line) => line.startsWith(`# HELP ${prefix}_g `))
      assert.strictEqual(helpOf(ours), helpOf(expected), `SEED=${seed}`)
      assert.strictEqual(ours, Prometheus.render({ prefix }), `SEED=${seed}: the same numbers, the same text`)
    }
  })
})
