/**
 * Traces and metrics of a running gateway, as a collector gets them by OTLP over real sockets.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as Telemetry from "@switchyard/gateway/Telemetry"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Logger, Redacted, Tracer } from "effect"
import { sampledTracer } from "../../src/telemetry/sampling.js"
import { decode, masterKey, upstreamKey } from "../support/gateways.js"
import { type Collector, otlpCollector, type Span } from "../support/otlpCollector.js"

const exporterKey = "exporter-key-77aa"

const settingsFor = (url: string, more: Readonly<Record<string, string>> = {}): Telemetry.Settings => {
  const { settings, warnings } = Telemetry.fromEnvironment({
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_HEADERS: `x-exporter=${exporterKey}`,
    OTEL_SERVICE_NAME: "edge",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test,team=a%3Db",
    OTEL_BSP_SCHEDULE_DELAY: "50",
    OTEL_METRIC_EXPORT_INTERVAL: "50",
    ...more
  })
  assert.deepStrictEqual(warnings, [])
  if (settings === undefined) throw new Error("nothing is exported")
  return settings
}

/** Metrics are of the process, so each gateway has names of its own. */
let gateways = 0

/** A gateway before `first` (asked first), `second` and `spare`, and a collector. */
const setup = (settings: object = {}, variables: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const collector = yield* otlpCollector
    const first = yield* FakeProvider.make({ name: "first" })
    const second = yield* FakeProvider.make({ name: "second" })
    const spare = yield* FakeProvider.make({ name: "spare" })
    const deployment = ({ name, url }: FakeProvider.FakeProvider, group: string, priority: number) => ({
      id: name,
      group,
      model: `${name}-model`,
      provider: "openai",
      baseUrl: `${url}?api-key=${upstreamKey}`,
      apiKey: upstreamKey,
      priority,
      inputPrice: 1,
      outputPrice: 1
    })
    const gateway = yield* Gateway.make(
      {
        config: decode({
          deployments: [deployment(first, "smart", 1), deployment(second, "smart", 2), deployment(spare, "spare", 1)],
          strategy: "priority-based",
          retry: { baseDelay: 1 },
          cooldown: false,
          fallback: { chains: { general: { smart: ["spare"] } } },
          masterKey,
          metrics: { prefix: `telemetry_test_${++gateways}` },
          server: { port: 0, drainTimeout: "1 second" },
          ...settings
        })
      },
      { telemetry: settingsFor(collector.url, variables) }
    )
    const post = (body: object, headers: Readonly<Record<string, string>> = {}, signal?: AbortSignal) =>
      Effect.promise(async () => {
        const response = await fetch(`${gateway.url}/v1/chat/completions`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${masterKey}`, ...headers },
          body: JSON.stringify({ model: "smart", messages: [{ role: "user", content: "a secret wish" }], ...body }),
          ...(signal === undefined ? {} : { signal })
        })
        return { status: response.status, text: await response.text() }
      })
    return { collector, first, second, spare, gateway, post, prefix: `telemetry_test_${gateways}` }
  })

const incoming = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }
const traceparent = `00-${incoming.traceId}-${incoming.spanId}-01`

const requestsOf = (collector: Collector) => collector.spans().filter(({ kind }) => kind === 2)
const attemptsOf = (collector: Collector, request: Span | undefined) =>
  collector.spans().filter(({ parentSpanId }) => parentSpanId === request?.spanId)
const notes = (span: Span | undefined): Array<string> => span?.events.map(({ name }) => name) ?? []
const ends = (spans: ReadonlyArray<Span>) =>
  spans
    .map(
      ({ attributes, status }) =>
        `${attributes["switchyard.deployment"]} ${attributes["switchyard.outcome"]} ${status.code}`
    )
    .sort()

describe("a gateway that exports", () => {
  it.scopedLive(
    "a retry, a hedge, a fallback, a stream and a caller that leaves, each whole and under its request",
    () =>
      Effect.gen(function* () {
        const { collector, first, gateway, post, second } = yield* setup()
        const hedging = yield* setup({ hedge: { delay: 200 } })
        const done = (count: number) => collector.until((one) => requestsOf(one).length >= count)

        yield* first.next({ status: 503 })
        assert.strictEqual((yield* post({ temperature: 0.5 })).status, 200)
        yield* done(1)

        yield* hedging.first.next({ hang: true })
        assert.strictEqual((yield* hedging.post({})).status, 200)
        yield* hedging.collector.until((one) => requestsOf(one).length === 1)

        yield* first.behave({ status: 500 })
        yield* second.behave({ status: 500 })
        assert.strictEqual((yield* post({})).status, 200)
        yield* done(2)

        yield* first.behave({ chunkGapMs: 5 })
        yield* second.behave({})
        assert.strictEqual((yield* post({ stream: true })).status, 200)
        yield* done(3)

        yield* first.behave({ stallAfterChunks: 1 })
        const left = new AbortController()
        yield* Effect.promise(async () => {
          const response = await fetch(`${gateway.url}/v1/chat/completions`, {
            method: "POST",
            headers: { "content-type": "application/json", authorization: `Bearer ${masterKey}` },
            body: JSON.stringify({ model: "smart", stream: true, messages: [{ role: "user", content: "x" }] }),
            signal: left.signal
          })
          await response.body?.getReader().read()
          left.abort()
        })
        yield* done(4)

        const spans = requestsOf(collector)
        const [retried, fallen, streamed, abandoned] = spans
        const [hedged] = requestsOf(hedging.collector)
        const attempts = (span: Span | undefined) => ends(attemptsOf(collector, span))
        assert.deepStrictEqual(attempts(retried), ["first failure 2", "second success 0"])
        assert.deepStrictEqual(ends(attemptsOf(hedging.collector, hedged)), ["first abandoned 0", "second success 0"])
        assert.strictEqual(attempts(fallen).at(-1), "spare success 0")
        assert.isAtLeast(attempts(fallen).filter((end) => end.endsWith("failure 2")).length, 2)
        assert.deepStrictEqual(attempts(streamed), ["first success 0"])
        assert.deepStrictEqual(attempts(abandoned), ["first abandoned 0"])
        assert.include(notes(retried), "switchyard.retry")
        assert.include(notes(hedged), "switchyard.hedge_won")
        assert.include(notes(fallen), "switchyard.fallback")
        assert.deepStrictEqual(
          spans.map(({ name, parentSpanId, status }) => [name, parentSpanId, status]),
          spans.map(() => ["chat smart", undefined, { code: 0 }])
        )
        for (const span of collector.spans()) {
          assert.isAtLeast(Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)), 0)
          assert.notInclude(Object.keys(span.attributes), "span.label")
          assert.notInclude(notes(span), "exception")
        }

        const [failed] = attemptsOf(collector, retried).filter(({ status }) => status.code === 2)
        const [good] = attemptsOf(collector, retried).filter(({ status }) => status.code === 0)
        assert.strictEqual(failed?.attributes["error.type"], "Unavailable")
        assert.strictEqual(failed?.attributes["http.response.status_code"], 503)
        assert.match(failed?.status.message ?? "", /^Unavailable: /)
        assert.match(String(good?.attributes["gen_ai.response.id"]), /^chatcmpl-second-/)
        assert.include(good?.attributes ?? {}, {
          "gen_ai.operation.name": "chat",
          "gen_ai.provider.name": "openai",
          "gen_ai.request.model": "second-model",
          "gen_ai.request.temperature": 0.5,
          "server.address": "127.0.0.1",
          "server.port": second.port,
          "switchyard.group": "smart"
        })
        assert.isAbove(Number(good?.attributes["gen_ai.usage.output_tokens"]), 0)
        assert.isAbove(Number(good?.attributes["switchyard.cost_usd"]), 0)
        assert.deepStrictEqual(good?.attributes["gen_ai.response.finish_reasons"], ["stop"])
        assert.isAbove(Number(streamed?.attributes["switchyard.time_to_first_token_ms"]), 0)
      }),
    120_000
  )

  it.scopedLive("holds no prompt and no key, in spans, metrics and headers other than its own", () =>
    Effect.gen(function* () {
      const { collector, first, post, second, spare } = yield* setup()
      yield* post({})
      for (const provider of [first, second, spare]) {
        yield* provider.behave({ status: 400, error: { message: `bad key ${upstreamKey}: a secret wish` } })
      }
      yield* post({})
      yield* collector.until((one) => requestsOf(one).length >= 2)
      yield* collector.until(({ exports }) => exports.some(({ path }) => path === "/v1/metrics"))
      for (const { headers, text } of collector.exports) {
        assert.notMatch(text, /wish|sk-|exporter-key/)
        assert.notMatch(JSON.stringify({ ...headers, "x-exporter": "" }), /wish|sk-|exporter-key/)
        assert.strictEqual(headers["x-exporter"], exporterKey)
      }
    })
  )

  it.scopedLive("holds prompts and answers where the configuration says so", () =>
    Effect.gen(function* () {
      const { collector, post } = yield* setup({ tracing: { captureContent: true } })
      yield* post({ stream: true })
      yield* collector.until((one) => requestsOf(one).length === 1)
      const [request] = requestsOf(collector)
      assert.include(String(request?.attributes["gen_ai.input.messages"]), "a secret wish")
      assert.include(String(request?.attributes["gen_ai.output.messages"]), "Hello from first")
    })
  )

  it.scopedLive(
    "carries a trace on: from the caller's header, through the request and the attempt, to the provider",
    () =>
      Effect.gen(function* () {
        const { collector, first, post, second } = yield* setup()
        yield* first.next({ status: 503 })
        yield* post({}, { traceparent, tracestate: "vendor=1" })
        yield* collector.until((one) => requestsOf(one).length === 1)
        const [request] = requestsOf(collector)
        assert.deepStrictEqual([request?.traceId, request?.parentSpanId], [incoming.traceId, incoming.spanId])
        const sent = [...first.journal(), ...second.journal()].map(({ headers }) => headers)
        const ids = attemptsOf(collector, request).map(({ spanId }) => `00-${incoming.traceId}-${spanId}-01`)
        assert.strictEqual(ids.length, 2)
        assert.deepStrictEqual(sent.map((headers) => headers["traceparent"]).sort(), ids.sort())
        assert.deepStrictEqual(
          sent.map((headers) => headers["tracestate"]),
          ["vendor=1", "vendor=1"]
        )
      })
  )

  it.scopedLive("goes by its sampler: what the caller does not keep is not exported, but carried on", () =>
    Effect.gen(function* () {
      const { collector, first, post } = yield* setup()
      yield* post({}, { traceparent: traceparent.replace(/01$/, "00") })
      yield* post({}, { traceparent: "00-nonsense" })
      yield* collector.until((one) => requestsOf(one).length === 1)
      const [request] = requestsOf(collector)
      assert.isUndefined(request?.parentSpanId)
      const [unkept, kept] = first.journal().map(({ headers }) => headers["traceparent"] ?? "")
      assert.match(unkept ?? "", new RegExp(`^00-${incoming.traceId}-[0-9a-f]{16}-00$`))
      assert.notInclude(unkept ?? "", incoming.spanId)
      assert.match(kept ?? "", new RegExp(`^00-${request?.traceId}-[0-9a-f]{16}-01$`))
    })
  )

  it.scopedLive("sends what was counted and the figures of the deployments, under the resource that it was given", () =>
    Effect.gen(function* () {
      const { collector, gateway, post, prefix } = yield* setup()
      yield* post({})
      yield* post({})
      yield* collector.until((one) => one.points(`${prefix}_requests_total`).some(({ value }) => value === 2))
      const scraped = yield* Effect.promise(async () => (await fetch(`${gateway.url}/metrics`)).text())
      assert.match(scraped, new RegExp(`^${prefix}_requests_total\\{[^}]*\\} 2$`, "m"))
      const states = collector.points(`${prefix}_deployment_state`)
      assert.strictEqual(states.filter(({ value }) => value === 1).length, 3)
      const [sent] = collector.exports
      const resource = JSON.parse(sent?.text ?? "{}") as Record<string, ReadonlyArray<{ readonly resource: object }>>
      const [attributes] = Object.values(resource).map(([one]) => JSON.stringify(one?.resource))
      assert.include(attributes, '{"key":"service.name","value":{"stringValue":"edge"}}')
      assert.include(attributes, '{"key":"team","value":{"stringValue":"a=b"}}')
    })
  )

  it.scopedLive(
    "answers as ever while the collector fails or hangs, and says so once",
    () =>
      Effect.gen(function* () {
        const said: Array<string> = []
        const keep = Logger.make(({ message }) => {
          said.push(String(message))
        })
        yield* Effect.gen(function* () {
          const { collector, post } = yield* setup()
          collector.behave(500)
          yield* post({})
          yield* collector.until(({ exports }) => exports.filter(({ path }) => path === "/v1/traces").length > 1)
          assert.strictEqual((yield* post({})).status, 200)
          collector.behave(0)
          yield* collector.until((one) => one.waiting() > 0)
          assert.strictEqual((yield* post({})).status, 200)
          assert.deepStrictEqual(said, [`telemetry cannot be exported to ${collector.url}: status 500`])
        }).pipe(Effect.scoped, Effect.provide(Logger.replace(Logger.defaultLogger, keep)))
      }),
    120_000
  )

  it.scopedLive("does not trace requests whose configuration says no", () =>
    Effect.gen(function* () {
      const { collector, first, post } = yield* setup({ tracing: false })
      yield* post({}, { traceparent })
      const exported = collector.exports.length
      yield* collector.until(({ exports }) => exports.length > exported + 1)
      assert.deepStrictEqual(collector.spans(), [])
      assert.strictEqual(first.journal()[0]?.headers["traceparent"], traceparent)
    })
  )
})

describe("a gateway that exports nothing", () => {
  it.scopedLive("passes the caller's place in a trace on as it came", () =>
    Effect.gen(function* () {
      const provider = yield* FakeProvider.make()
      const deployments = [{ id: "a", group: "smart", model: "x", baseUrl: provider.url }]
      const gateway = yield* Gateway.make({ config: decode({ deployments, server: { port: 0 } }) })
      const post = (headers: Readonly<Record<string, string>>) =>
        Effect.promise(() =>
          fetch(`${gateway.url}/v1/chat/completions`, {
            method: "POST",
            headers: { "content-type": "application/json", ...headers },
            body: JSON.stringify({ model: "smart", messages: [{ role: "user", content: "x" }] })
          })
        )
      yield* post({ traceparent, tracestate: "a=1,b=2" })
      yield* post({})
      yield* post({ traceparent: `${traceparent}-more` })
      assert.deepStrictEqual(
        provider.journal().map(({ headers }) => [headers["traceparent"], headers["tracestate"]]),
        [
          [traceparent, "a=1,b=2"],
          [undefined, undefined],
          [undefined, undefined]
        ]
      )
    })
  )
})

describe("OpenTelemetry's variables", () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://otel.example.com:4318/base/" }
  const read = (variables: Readonly<Record<string, string>>) => Telemetry.fromEnvironment(variables)

  it("name nothing, and nothing is exported", () => {
    for (const off of [
      {},
      { OTEL_EXPORTER_OTLP_ENDPOINT: " " },
      { ...endpoint, OTEL_SDK_DISABLED: "TRUE" },
      { ...endpoint, OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none" }
    ]) {
      assert.deepStrictEqual(read(off), { settings: undefined, warnings: [] })
    }
  })

  it("name one endpoint for all, or one for each", () => {
    const { settings } = read({
      ...endpoint,
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://metrics/push",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20x, a=1",
      OTEL_EXPORTER_OTLP_METRICS_HEADERS: "a=2"
    })
    assert.strictEqual(settings?.traces?.url, "https://otel.example.com:4318/base/v1/traces")
    assert.strictEqual(settings?.metrics?.url, "http://metrics/push")
    assert.deepStrictEqual(
      [settings?.traces, settings?.metrics].map((target) => target && Redacted.value(target.headers)),
      [
        { authorization: "Bearer x", a: "1" },
        { authorization: "Bearer x", a: "2" }
      ]
    )
    assert.notInclude(JSON.stringify(settings), "Bearer")
    assert.isUndefined(read({ ...endpoint, OTEL_METRICS_EXPORTER: "none" }).settings?.metrics)
    assert.isUndefined(read({ ...endpoint, OTEL_TRACES_EXPORTER: "none" }).settings?.traces)
  })

  it("that make no sense are named, without what they hold, and defaults stand in", () => {
    const { settings, warnings } = read({
      ...endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: "sk-oops",
      OTEL_TRACES_SAMPLER: "jaeger_remote",
      OTEL_TRACES_SAMPLER_ARG: "2",
      OTEL_METRIC_EXPORT_INTERVAL: "0x10",
      OTEL_METRICS_EXPORTER: "prometheus"
    })
    assert.deepStrictEqual(settings?.sampling, { root: "on", followsParent: true, ratio: 1 })
    assert.strictEqual(settings?.metricInterval, 60_000)
    assert.deepStrictEqual(
      warnings.map((warning) => warning.split(":")[0]),
      [
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_METRICS_EXPORTER",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
        "OTEL_METRIC_EXPORT_INTERVAL"
      ]
    )
    assert.notInclude(warnings.join(), "sk-oops")
    assert.isUndefined(read({ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }).settings)
    assert.strictEqual(read({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317" }).warnings.length, 1)
  })

  it("choose which traces are kept: each of them whole, by its id where it begins here", () => {
    const kept = (name: string, argument: string, parent?: boolean): number => {
      const { settings } = read({ ...endpoint, OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument })
      if (settings === undefined) throw new Error("nothing is exported")
      let count = 0
      for (let i = 0; i < 250; i++) {
        const traceId = ((BigInt(i) << 48n) | (1n << 120n)).toString(16).padStart(32, "0")
        const sampling = sampledTracer(Effect.runSync(Effect.tracer), settings.sampling)
        count += Effect.runSync(
          Effect.gen(function* () {
            const remote = Tracer.externalSpan({ traceId, spanId: "1".repeat(16), sampled: parent })
            const root = yield* Effect.makeSpan("root", parent === undefined ? {} : { parent: remote })
            const child = yield* Effect.makeSpan("child", { parent: root })
            assert.strictEqual(child.sampled, root.sampled)
            assert.strictEqual(child.traceId, root.traceId)
            assert.match(root.spanId, /^[0-9a-f]{16}$/)
            return root.sampled ? 1 : 0
          }).pipe(Effect.withTracer(sampling))
        )
      }
      return count
    }
    assert.deepStrictEqual(
      [
        kept("always_on", "1", false),
        kept("always_off", "1", true),
        kept("parentbased_always_on", "1", false),
        kept("parentbased_always_off", "1", true),
        kept("parentbased_always_off", "1")
      ],
      [250, 0, 0, 250, 0]
    )
    assert.approximately(kept("traceidratio", "0.25", true), 62, 10)
    assert.strictEqual(kept("traceidratio", "0", true), 0)
    assert.strictEqual(kept("traceidratio", "1", true), 250)
  })
})
