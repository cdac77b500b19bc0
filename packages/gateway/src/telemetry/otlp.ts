import * as OtlpMetrics from "@effect/opentelemetry/OtlpMetrics"
import { layerJson, layerProtobuf, OtlpSerialization } from "@effect/opentelemetry/OtlpSerialization"
import * as OtlpTracer from "@effect/opentelemetry/OtlpTracer"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import { RequestError } from "@effect/platform/HttpClientError"
import type * as Metrics from "@switchyard/router/Metrics"
import {
  type Clock,
  ConfigProvider,
  Context,
  Duration,
  Effect,
  Exit,
  Layer,
  Redacted,
  type Scope,
  type Tracer
} from "effect"
import type { Exporting, Settings } from "./exportSettings.js"
import { sampledTracer } from "./sampling.js"

type Family = Metrics.Family

/** How long what is left may take at the end, in ms, for each of the two exporters. */
const shutdownTimeout = 1_500

/** Exports that wait for the collector at once; more are given up, so that a collector that hangs costs no memory. */
const maxInFlight = 4

const originOf = (url: string): string => (URL.canParse(url) ? new URL(url).origin : "the endpoint")

/**
 * The client of the exporters: it gives up in time, and says once that the collector cannot be reached, and once that it
 * can be again. The exporters themselves say nothing.
 */
const guarded = (client: HttpClient.HttpClient, timeout: number): HttpClient.HttpClient => {
  let inFlight = 0
  let failing = false
  const failed = (url: string, why: string): Effect.Effect<void> => {
    if (failing) return Effect.void
    failing = true
    return Effect.logWarning(`telemetry cannot be exported to ${originOf(url)}: ${why}`)
  }
  const succeeded = (url: string): Effect.Effect<void> => {
    if (!failing) return Effect.void
    failing = false
    return Effect.logInfo(`telemetry is exported to ${originOf(url)} again`)
  }
  return HttpClient.transform(client, (send, request) =>
    Effect.suspend(() => {
      const { url } = request
      // `Encode` is what the exporter does not try again.
      const full = new RequestError({ request, reason: "Encode", description: "the collector does not keep up" })
      if (inFlight >= maxInFlight) return Effect.zipRight(failed(url, "it does not keep up"), Effect.fail(full))
      inFlight++
      const late = () => new RequestError({ request, reason: "Transport", description: "the collector did not answer" })
      return send.pipe(
        Effect.timeoutFail({ duration: Duration.millis(timeout), onTimeout: late }),
        Effect.tapBoth({
          onFailure: (error) =>
            failed(url, error._tag === "RequestError" ? (error.description ?? error.reason) : error.reason),
          onSuccess: ({ status }) => (status >= 300 ? failed(url, `status ${status}`) : succeeded(url))
        }),
        Effect.ensuring(
          Effect.sync(() => {
            inFlight--
          })
        )
      )
    })
  )
}

interface SentSpan {
  attributes: Array<{ readonly key: string }>
  events: Array<{ readonly name: string }>
  status: { readonly code: number; readonly message?: string }
}
interface SentTraces {
  readonly resourceSpans: ReadonlyArray<{
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<SentSpan> }>
  }>
}
interface SentMetrics {
  readonly resourceMetrics: ReadonlyArray<{
    readonly scopeMetrics: ReadonlyArray<{ readonly metrics: Array<unknown> }>
  }>
}

const errorCode = 2
const falseLabels: ReadonlySet<string> = new Set(["span.label", "status.interrupted"])

/**
 * The exporter labels failures as interruptions, hangs a stack on each, and says of everything else that it is explicitly
 * fine, which is the operator's word.
 */
const corrected = (data: SentTraces): SentTraces => {
  for (const { scopeSpans } of data.resourceSpans) {
    for (const { spans } of scopeSpans) {
      for (const span of spans) {
        if (span.status.code !== errorCode) {
          span.status = { code: 0 }
          continue
        }
        span.attributes = span.attributes.filter(({ key }) => !falseLabels.has(key))
        span.events = span.events.filter(({ name }) => name !== "exception")
      }
    }
  }
  return data
}

const gaugeOf = (family: Family, at: string): ReadonlyArray<unknown> =>
  family.type === "gauge"
    ? [
        {
          name: family.name,
          description: family.help,
          unit: "1",
          gauge: {
            dataPoints: family.series.map(({ labels, value }) => ({
              attributes: labels.map(([key, text]) => ({ key, value: { stringValue: text } })),
              timeUnixNano: at,
              asDouble: Number(value)
            }))
          }
        }
      ]
    : []

/** The figures that are read when somebody asks stand in no registry, so they are added here. */
const withGauges = (data: SentMetrics, families: ReadonlyArray<Family>, clock: Clock.Clock): SentMetrics => {
  const at = String(clock.unsafeCurrentTimeNanos())
  data.resourceMetrics[0]?.scopeMetrics[0]?.metrics.push(...families.flatMap((family) => gaugeOf(family, at)))
  return data
}

/** Starts the exporters that the settings ask for. */
export const start = (
  settings: Settings,
  collect: Effect.Effect<ReadonlyArray<Family>>
): Effect.Effect<Exporting, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const fetching = yield* Layer.build(FetchHttpClient.layer)
    const client = guarded(Context.get(fetching, HttpClient.HttpClient), settings.timeout)
    const encoding = Context.get(
      yield* Layer.build(settings.protocol === "protobuf" ? layerProtobuf : layerJson),
      OtlpSerialization
    )
    const families = (): ReadonlyArray<Family> => {
      const read = Effect.runSyncExit(collect)
      return Exit.isSuccess(read) ? read.value : []
    }
    const serialization: typeof encoding = {
      ...encoding,
      traces: (data) => encoding.traces(corrected(data as SentTraces)),
      metrics: (data) => encoding.metrics(withGauges(data as SentMetrics, families(), clock))
    }
    const provided = <A>(
      effect: Effect.Effect<A, never, HttpClient.HttpClient | OtlpSerialization | Scope.Scope>
    ): Effect.Effect<A, never, Scope.Scope> =>
      effect.pipe(
        Effect.provideService(HttpClient.HttpClient, client),
        Effect.provideService(OtlpSerialization, serialization),
        // The variables have been read.
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map()))
      )
    const { metrics, resource, traces } = settings
    if (metrics !== undefined) {
      yield* provided(
        OtlpMetrics.make({
          url: metrics.url,
          headers: Redacted.value(metrics.headers),
          resource,
          exportInterval: settings.metricInterval,
          shutdownTimeout
        })
      )
    }
    if (traces === undefined) return { tracer: undefined }
    const tracer: Tracer.Tracer = yield* provided(
      OtlpTracer.make({
        url: traces.url,
        headers: Redacted.value(traces.headers),
        resource,
        exportInterval: settings.spanInterval,
        shutdownTimeout
      })
    )
    return { tracer: sampledTracer(tracer, settings.sampling) }
  })
