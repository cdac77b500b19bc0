import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as AttemptMetrics from "@switchyard/router/AttemptMetrics"
import * as Metrics from "@switchyard/router/Metrics"
import { type Exposition, effect, MetricsSink, type Sink, spanOf } from "@switchyard/router/MetricsSink"
import * as PromClientSink from "@switchyard/router/PromClientSink"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Metric, Tracer } from "effect"
import { complaints, hasPromtool } from "../support/promtool.js"

const openMetrics = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

const ids = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }

const traceOf = (span: { readonly traceId: string; readonly spanId: string; readonly sampled?: boolean }) => ({
  trace: { span: Tracer.externalSpan(span), state: undefined }
})

const usage = { inputTokens: 100, outputTokens: 10, cachedInputTokens: 0, reasoningTokens: 0, estimated: false }

const awkward = 'a"b\\c\nd é'

const deployments: Router.Options["deployments"] = [
  { id: awkward, group: "m", model: "x", provider: "pa", inputPrice: 1, outputPrice: 10, rpm: 100 },
  { id: "spare", group: "other group", model: "x", provider: "pb" }
]

const request = (model = "m") => LlmRequest.chat({ model, messages: [{ role: "user", content: "Hi" }] }, traceOf(ids))

/** What a sink shows after answers, failures, a fallback and a call that was left. */
const work = (sink: Sink, prefix: string, metrics: Metrics.Options = {}) =>
  Effect.gen(function* () {
    const options = { ...metrics, prefix }
    const stub = StubLlm.make({ usage })
    const tower = yield* Router.make(
      { deployments, metrics: options, retry: false, fallback: { chains: { general: { m: ["other group"] } } } },
      stub.attempts
    )
    const call = (model?: string) => Effect.either(LlmService.complete(tower.service, request(model)))
    yield* call()
    yield* call()
    stub.reply(({ deployment }) =>
      deployment === "spare" ? { usage } : { fail: { reason: "Unavailable", description: "down" } }
    )
    yield* call()
    stub.reply({ fail: { reason: "Authentication", description: "wrong" } })
    yield* call("other group")
    return (accept?: string) => Metrics.expose(tower.state, options, accept)
  }).pipe(Effect.provideService(MetricsSink, sink))

/** Samples as `name{labels, sorted}` to their text, without those that a clock decides. */
const samples = ({ text }: Exposition): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.split(" # {")[0] ?? line)
      .map((line) => {
        const [, name = "", labels = "", value = ""] = /^([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
        const pairs = [...labels.matchAll(/[a-zA-Z_]+="(?:[^"\\]|\\.)*"/g)].map(([pair]) => pair).sort()
        return [`${name}{${pairs.join(",")}}`, value] as const
      })
  )

const exposed = (sink: Sink, { accept, families = [] }: { accept?: string; families?: [] } = {}) =>
  sink.expose({ prefix: "p", families, accept })

describe("a sink of prom-client", () => {
  it.scoped("holds the same figures as Effect's metrics, in both formats", () =>
    Effect.gen(function* () {
      const sink = PromClientSink.make()
      const labels = { region: "eu" }
      const theirs = yield* work(sink, "same", { labels, latencyBuckets: [0.5, 60] })
      const ours = yield* work(effect, "same", { labels, latencyBuckets: [0.5, 60] })
      const within = Effect.provideService(MetricsSink, sink)
      const plain = yield* within(theirs())
      const open = yield* within(theirs(openMetrics))
      const expected = samples(yield* ours())
      assert.isAbove(Object.keys(expected).length, 80)
      assert.deepStrictEqual(samples(plain), expected)
      assert.deepStrictEqual(samples(open), expected)
      assert.strictEqual(plain.contentType, "text/plain; version=0.0.4; charset=utf-8")
      assert.strictEqual(open.contentType, "application/openmetrics-text; version=1.0.0; charset=utf-8")
      // OpenMetrics takes the suffix from the family's name; the next plain scrape has it again.
      assert.include(open.text, "# TYPE same_requests counter\n")
      assert.isTrue(open.text.endsWith("\n# EOF\n"))
      assert.deepStrictEqual(yield* within(theirs()), plain)
      assert.include(plain.text, "# TYPE same_requests_total counter\n")
      assert.notInclude(plain.text, "trace_id")
    })
  )
  it.scoped("leaves Effect's metrics alone", () =>
    Effect.gen(function* () {
      yield* work(PromClientSink.make(), "apart")
      const names = Metric.unsafeSnapshot().map(({ metricKey }) => metricKey.name)
      assert.deepStrictEqual(
        names.filter((name) => name.startsWith("apart")),
        []
      )
    })
  )
  it.scoped.skipIf(!hasPromtool)("promtool finds nothing to complain about", () =>
    Effect.gen(function* () {
      const sink = PromClientSink.make()
      const expose = yield* work(sink, "lint")
      assert.strictEqual(complaints((yield* expose().pipe(Effect.provideService(MetricsSink, sink))).text), "")
    })
  )
  it.scoped("latencies, failures and attempts lead to the trace of the request that caused them", () =>
    Effect.gen(function* () {
      const sink = PromClientSink.make()
      const expose = yield* work(sink, "traced")
      const { text } = yield* expose(openMetrics).pipe(Effect.provideService(MetricsSink, sink))
      const exemplar = `# {trace_id="${ids.traceId}",span_id="${ids.spanId}"}`
      const named = new Set(
        text
          .split("\n")
          .filter((line) => line.includes(exemplar))
          .map((line) => line.replace(/\{.*/, ""))
      )
      assert.deepStrictEqual([...named].sort(), [
        "traced_attempt_latency_seconds_bucket",
        "traced_attempts_total",
        "traced_request_latency_seconds_bucket",
        "traced_requests_error_total"
      ])
    })
  )
  it.effect("an attempt with a span of its own leads there, and not to its request's", () =>
    Effect.gen(function* () {
      const sink = PromClientSink.make()
      const span = { traceId: ids.traceId, spanId: "00f067aa0ba902b7" }
      const inner = Service.attempt((attempt) => {
        attempt.trace = traceOf(span).trace
        return StubLlm.make().attempts.call(attempt)
      })
      yield* AttemptMetrics.make({ prefix: "p" }, sink)(inner).call(StubLlm.attempt(request(), StubLlm.slot("d")))
      const { text } = yield* exposed(sink, { accept: openMetrics })
      assert.include(text, `span_id="${span.spanId}"`)
      assert.notInclude(text, `span_id="${ids.spanId}"`)
    })
  )
  it.effect("a request without a trace, or with one that leads nowhere, counts all the same", () =>
    Effect.gen(function* () {
      const sink = PromClientSink.make()
      const update = sink.histogram({ name: "p_seconds", help: "S.", labels: [] }, [1])
      const count = sink.counter({ name: "p_total", help: "C.", labels: [["a", "b"]] })
      const long = traceOf({ traceId: "a".repeat(99), spanId: "b".repeat(16) })
      const unsampled = traceOf({ ...ids, sampled: false })
      update(0.5)
      update(0.5, { trace: undefined })
      update(7, long)
      count(1, unsampled)
      const { text } = yield* exposed(sink, { accept: openMetrics })
      assert.include(text, 'p_seconds_bucket{le="+Inf"} 3\n')
      assert.include(text, 'p_total{a="b"} 1\n')
      assert.notInclude(text, "trace_id")
      assert.isUndefined(spanOf(unsampled))
    })
  )
  it.effect("what is not a number changes nothing, a counter never goes down, a gauge does", () =>
    Effect.gen(function* () {
      const sink = PromClientSink.make()
      const count = sink.counter({ name: "p_total", help: "C.", labels: [["a", "b"]] })
      const gauge = sink.upDown({ name: "p_active", help: "A.", labels: [] })
      const update = sink.histogram({ name: "p_seconds", help: "S.", labels: [] }, [1])
      for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) for (const one of [count, gauge, update]) one(wrong)
      assert.strictEqual((yield* exposed(sink, { accept: openMetrics })).text, "# EOF\n")
      count(2)
      count(-1)
      gauge(3)
      gauge(-2)
      const { text } = yield* exposed(sink)
      assert.include(text, 'p_total{a="b"} 2\n')
      assert.include(text, "p_active 1\n")
    })
  )
  it.effect("a series that is made twice is one; labels that come later are left out, and its counts are not", () =>
    Effect.gen(function* () {
      const sink = PromClientSink.make()
      const key = { name: "p_total", help: "C." }
      sink.counter({ ...key, labels: [["model", "m"]] })(1)
      sink.counter({ ...key, labels: [["model", "m"]] })(1)
      sink.counter({
        ...key,
        labels: [
          ["region", "eu"],
          ["model", "m"]
        ]
      })(1)
      sink.counter({ ...key, labels: [] })(1)
      sink.histogram({ name: "p_seconds", help: "S.", labels: [] }, [1, 2])(1.5)
      sink.histogram({ name: "p_seconds", help: "S.", labels: [] }, [5])(1.5)
      const { text } = yield* exposed(sink)
      assert.include(text, 'p_total{model="m"} 3\np_total 1\n')
      assert.include(text, 'p_seconds_bucket{le="2"} 2\n')
    })
  )
  it.effect("values that differ in what has no UTF-8 are one series", () =>
    Effect.gen(function* () {
      const sink = PromClientSink.make()
      for (const half of ["\ud800", "\udc00"]) sink.counter({ name: "p_total", help: "C.", labels: [["a", half]] })(1)
      assert.include((yield* exposed(sink)).text, 'p_total{a="\ufffd"} 2\n')
    })
  )
  for (const [accept, isOpen] of [
    [openMetrics, true],
    ["Application/OpenMetrics-Text", true],
    ["text/plain, application/openmetrics-text; version=1.0.0; q=0.5", true],
    ["application/openmetrics-text;q=0", false],
    ["application/openmetrics-text; q=0.0, */*", false],
    ["text/plain;version=0.0.4", false],
    ["*/*", false],
    ["", false],
    [undefined, false]
  ] as const) {
    it.effect(`Accept ${JSON.stringify(accept)} gets ${isOpen ? "OpenMetrics" : "the plain text format"}`, () =>
      Effect.gen(function* () {
        const { contentType } = yield* PromClientSink.make().expose({ prefix: "p", families: [], accept })
        assert.strictEqual(contentType.startsWith("application/openmetrics-text"), isOpen)
      })
    )
  }
})
