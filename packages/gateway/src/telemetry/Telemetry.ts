/**
 * Export of traces and metrics by OTLP over HTTP, set up by OpenTelemetry's own variables. Off unless an endpoint is named,
 * and then it costs no memory either: the exporters are loaded when they are needed.
 */
import * as Secret from "@switchyard/core/Secret"
import type * as Metrics from "@switchyard/router/Metrics"
import { Effect, Redacted, type Scope } from "effect"
import type { Variables } from "../config/Environment.js"
import type { Exporting, Settings, Target } from "./exportSettings.js"
import type { Sampling } from "./sampling.js"

export type { Exporting, Sampling, Settings, Target }

/** What the variables come to. */
export interface FromEnvironment {
  /** Undefined when nothing is exported. */
  readonly settings: Settings | undefined
  /** Variables that make no sense and are ignored, as OpenTelemetry asks; without what they hold. */
  readonly warnings: ReadonlyArray<string>
}

const samplers: Readonly<Record<string, Pick<Sampling, "root" | "followsParent">>> = {
  always_on: { root: "on", followsParent: false },
  always_off: { root: "off", followsParent: false },
  traceidratio: { root: "ratio", followsParent: false },
  parentbased_always_on: { root: "on", followsParent: true },
  parentbased_always_off: { root: "off", followsParent: true },
  parentbased_traceidratio: { root: "ratio", followsParent: true }
}

const defaultSampler = { root: "on", followsParent: true } as const

/** Reads variables by name; an empty one counts as unset. */
class Reader {
  readonly warnings: Array<string> = []

  constructor(private readonly variables: Variables) {}

  text(...names: ReadonlyArray<string>): string | undefined {
    for (const name of names) {
      const value = this.variables[name]?.trim()
      if (value !== undefined && value !== "") return value
    }
    return undefined
  }

  expected(name: string, what: string): undefined {
    this.warnings.push(`${name}: expected ${what}; ignored`)
    return undefined
  }

  number(name: string, fallback: number, most: number, what: string): number {
    const value = this.text(name)
    if (value === undefined) return fallback
    const number = /^[+-]?(?:\d+\.?\d*|\.\d+)$/.test(value) ? Number(value) : Number.NaN
    return number >= 0 && number <= most ? number : (this.expected(name, what) ?? fallback)
  }

  ms(name: string, fallback: number): number {
    return this.number(name, fallback, 2 ** 31 - 1, "a number of milliseconds") || fallback
  }

  /** Lists of `name=value`, the values percent-encoded. */
  pairs(...names: ReadonlyArray<string>): Record<string, string> {
    const pairs: Record<string, string> = {}
    for (const name of names) {
      for (const entry of this.text(name)?.split(",") ?? []) {
        const at = entry.indexOf("=")
        const key = entry.slice(0, Math.max(0, at)).trim()
        try {
          if (key === "") throw new Error("no name")
          pairs[key] = decodeURIComponent(entry.slice(at + 1).trim())
        } catch {
          this.expected(name, "a list name=value,name=value")
        }
      }
    }
    return pairs
  }

  url(name: string, suffix: string): string | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) return this.expected(name, "a URL, http or https")
    const url = new URL(value)
    if (suffix !== "") url.pathname = url.pathname.replace(/\/+$/, "") + suffix
    return url.href
  }
}

/** `fetch` takes no URL with a user and a password, and its error quotes them: they are sent as Basic authorization. */
const withoutUser = (text: string): { readonly authorization: string | undefined; readonly bare: string } => {
  const url = new URL(text)
  if (url.username === "" && url.password === "") return { authorization: undefined, bare: text }
  const authorization = Secret.basic(url)
  url.username = ""
  url.password = ""
  return { authorization, bare: url.href }
}

const isExported = (reader: Reader, kind: string): boolean => {
  const name = `OTEL_${kind}_EXPORTER`
  const exporters = (reader.text(name) ?? "otlp").split(",").map((exporter) => exporter.trim())
  if (exporters.includes("otlp")) return true
  if (!exporters.includes("none")) reader.expected(name, "otlp or none")
  return false
}

const targetOf = (reader: Reader, kind: "TRACES" | "METRICS"): Target | undefined => {
  const url =
    reader.url(`OTEL_EXPORTER_OTLP_${kind}_ENDPOINT`, "") ??
    reader.url("OTEL_EXPORTER_OTLP_ENDPOINT", `/v1/${kind.toLowerCase()}`)
  if (url === undefined || !isExported(reader, kind)) return undefined
  const given = reader.pairs("OTEL_EXPORTER_OTLP_HEADERS", `OTEL_EXPORTER_OTLP_${kind}_HEADERS`)
  const { authorization, bare } = withoutUser(url)
  const isGiven = Object.keys(given).some((name) => name.toLowerCase() === "authorization")
  const headers = authorization === undefined || isGiven ? given : { ...given, authorization }
  return { url: bare, headers: Redacted.make(headers) }
}

const protocolOf = (reader: Reader): Settings["protocol"] | undefined => {
  const name = "OTEL_EXPORTER_OTLP_PROTOCOL"
  switch (reader.text(name)) {
    case undefined:
    case "http/json":
      return "json"
    case "http/protobuf":
      return "protobuf"
    default:
      reader.warnings.push(`${name}: expected http/json or http/protobuf; nothing is exported`)
      return undefined
  }
}

const samplingOf = (reader: Reader): Sampling => {
  const name = reader.text("OTEL_TRACES_SAMPLER") ?? "parentbased_always_on"
  const known = Object.hasOwn(samplers, name) ? samplers[name] : undefined
  const sampler = known ?? reader.expected("OTEL_TRACES_SAMPLER", `one of ${Object.keys(samplers).join(", ")}`)
  const ratio = reader.number("OTEL_TRACES_SAMPLER_ARG", 1, 1, "a number from 0 to 1")
  return { ...(sampler ?? defaultSampler), ratio }
}

const resourceOf = (reader: Reader): Settings["resource"] => {
  const { "service.name": named, ...attributes } = reader.pairs("OTEL_RESOURCE_ATTRIBUTES")
  return { serviceName: reader.text("OTEL_SERVICE_NAME") ?? named ?? "switchyard", attributes }
}

/**
 * Reads OpenTelemetry's variables: `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`, `_TIMEOUT` and `_PROTOCOL` (`http/json`, the
 * default, or `http/protobuf`), the first two also for `TRACES` and `METRICS` alone, `OTEL_SERVICE_NAME`,
 * `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SDK_DISABLED`, `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`, `OTEL_TRACES_SAMPLER`,
 * `OTEL_TRACES_SAMPLER_ARG`, `OTEL_BSP_SCHEDULE_DELAY` and `OTEL_METRIC_EXPORT_INTERVAL`. Logs are not exported.
 */
export const fromEnvironment = (variables: Variables): FromEnvironment => {
  const reader = new Reader(variables)
  const { warnings } = reader
  if (reader.text("OTEL_SDK_DISABLED")?.toLowerCase() === "true") return { settings: undefined, warnings }
  const traces = targetOf(reader, "TRACES")
  const metrics = targetOf(reader, "METRICS")
  const unique = (): ReadonlyArray<string> => [...new Set(warnings)]
  if (traces === undefined && metrics === undefined) return { settings: undefined, warnings: unique() }
  const protocol = protocolOf(reader)
  if (protocol === undefined) return { settings: undefined, warnings: unique() }
  const settings: Settings = {
    traces,
    metrics,
    resource: resourceOf(reader),
    sampling: samplingOf(reader),
    protocol,
    timeout: reader.ms("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000),
    spanInterval: reader.ms("OTEL_BSP_SCHEDULE_DELAY", 5_000),
    metricInterval: reader.ms("OTEL_METRIC_EXPORT_INTERVAL", 60_000)
  }
  return { settings, warnings: unique() }
}

/**
 * Starts exporting, until the scope closes; what is left then goes out within three seconds. A collector that fails or hangs
 * loses data, and never holds up or fails anything else. `gauges` are read for every export of metrics.
 */
export const start = (
  settings: Settings | undefined,
  gauges: Effect.Effect<ReadonlyArray<Metrics.Family>>
): Effect.Effect<Exporting, never, Scope.Scope> =>
  settings === undefined
    ? Effect.succeed({ tracer: undefined })
    : Effect.flatMap(
        Effect.promise(() => import("./otlp.js")),
        (otlp) => otlp.start(settings, gauges)
      )
