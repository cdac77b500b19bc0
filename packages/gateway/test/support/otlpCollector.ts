/** A loopback OTLP collector: a server that keeps what exporters send it, and does to them what the test says. */
import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, type Scope } from "effect"

interface Value {
  readonly stringValue?: string
  readonly intValue?: number
  readonly doubleValue?: number
  readonly boolValue?: boolean
  readonly arrayValue?: { readonly values: ReadonlyArray<Value> }
}
interface Attribute {
  readonly key: string
  readonly value: Value
}
interface SentSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: ReadonlyArray<Attribute>
  readonly events: ReadonlyArray<{ readonly name: string; readonly attributes: ReadonlyArray<Attribute> }>
  readonly status: { readonly code: number; readonly message?: string }
}
interface SentMetric {
  readonly name: string
  readonly sum?: { readonly isMonotonic: boolean; readonly dataPoints: ReadonlyArray<Point> }
  readonly gauge?: { readonly dataPoints: ReadonlyArray<Point> }
  readonly histogram?: { readonly dataPoints: ReadonlyArray<Point> }
}
interface Point {
  readonly attributes: ReadonlyArray<Attribute>
  readonly asDouble?: number
  readonly count?: number
}

/** One export as it came. */
interface Export {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** A span with its attributes as plain values. */
export interface Span extends Omit<SentSpan, "attributes" | "events"> {
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: ReadonlyArray<{ readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }>
}

const plain = ({ arrayValue, boolValue, doubleValue, intValue, stringValue }: Value): unknown =>
  arrayValue === undefined ? (stringValue ?? intValue ?? doubleValue ?? boolValue) : arrayValue.values.map(plain)

const record = (attributes: ReadonlyArray<Attribute>): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]))

const spansOf = ({ text }: Export): ReadonlyArray<Span> => {
  const { resourceSpans } = JSON.parse(text) as {
    readonly resourceSpans: ReadonlyArray<{
      readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<SentSpan> }>
    }>
  }
  return resourceSpans
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
    .map((span) => ({
      ...span,
      attributes: record(span.attributes),
      events: span.events.map(({ attributes, name }) => ({ name, attributes: record(attributes) }))
    }))
}

const metricsOf = ({ text }: Export): ReadonlyArray<SentMetric> => {
  const { resourceMetrics } = JSON.parse(text) as {
    readonly resourceMetrics: ReadonlyArray<{
      readonly scopeMetrics: ReadonlyArray<{ readonly metrics: ReadonlyArray<SentMetric> }>
    }>
  }
  return resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
}

/** A collector that answers 200, unless it is told otherwise. */
export interface Collector {
  readonly url: string
  readonly exports: ReadonlyArray<Export>
  /** The spans so far, in the order in which they ended. */
  readonly spans: () => ReadonlyArray<Span>
  /** The points of one metric in the last export, with their labels. */
  readonly points: (name: string) => ReadonlyArray<{ readonly labels: Record<string, unknown>; readonly value: number }>
  /** Answers with this status from now on; 0 never answers. */
  readonly behave: (status: number) => void
  /** Exports that wait for an answer. */
  readonly waiting: () => number
  /** Waits until what has come satisfies the predicate, real time, at most 10 seconds. */
  readonly until: (predicate: (collector: Collector) => boolean) => Effect.Effect<void>
}

/** Starts a collector on a free port. */
export const otlpCollector: Effect.Effect<Collector, never, Scope.Scope> = Effect.gen(function* () {
  const exports: Array<Export> = []
  let status = 200
  let waiting = 0
  const watchers = new Set<() => void>()
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      exports.push({ path: request.url ?? "", headers: request.headers, text: Buffer.concat(chunks).toString() })
      if (status === 0) {
        waiting++
        response.once("close", () => {
          waiting--
        })
      } else {
        response.writeHead(status, { "content-type": "application/json" }).end("{}")
      }
      for (const watcher of [...watchers]) watcher()
    })
  })
  yield* Effect.acquireRelease(
    Effect.async<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
  const of = (path: string) => exports.filter((one) => one.path === path)
  const collector: Collector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    exports,
    spans: () => of("/v1/traces").flatMap(spansOf),
    points: (name) => {
      const last = of("/v1/metrics").at(-1)
      const metric = (last === undefined ? [] : metricsOf(last)).find((one) => one.name === name)
      const { dataPoints = [] } = metric?.sum ?? metric?.gauge ?? metric?.histogram ?? {}
      return dataPoints.map((point) => ({
        labels: record(point.attributes),
        value: point.asDouble ?? point.count ?? Number.NaN
      }))
    },
    behave: (next) => {
      status = next
    },
    waiting: () => waiting,
    until: (predicate) =>
      Effect.async<void>((resume) => {
        const check = (): void => {
          if (!predicate(collector)) return
          watchers.delete(check)
          clearTimeout(timer)
          resume(Effect.void)
        }
        const timer = setTimeout(() => {
          watchers.delete(check)
          const paths = exports.map(({ path, text }) => `${path} ${text.length}`).join(", ")
          resume(Effect.die(new Error(`the collector waited in vain; it has ${paths || "nothing"}`)))
        }, 20_000)
        watchers.add(check)
        check()
      })
  }
  return collector
})
