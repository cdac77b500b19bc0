import type { Redacted, Tracer } from "effect"
import type { Sampling } from "./sampling.js"

/** Where one kind of data goes. */
export interface Target {
  readonly url: string
  readonly headers: Redacted.Redacted<Readonly<Record<string, string>>>
}

/** What is exported, and how. Times in ms. */
export interface Settings {
  readonly traces: Target | undefined
  readonly metrics: Target | undefined
  readonly resource: { readonly serviceName: string; readonly attributes: Record<string, string> }
  readonly sampling: Sampling
  readonly protocol: "json" | "protobuf"
  /** How long the collector may take for one export. */
  readonly timeout: number
  /** Longest time between two exports of spans. */
  readonly spanInterval: number
  /** Time between two exports of metrics. */
  readonly metricInterval: number
}

/** What a gateway needs of an export that runs. */
export interface Exporting {
  /** What keeps spans; undefined when traces are not exported. */
  readonly tracer: Tracer.Tracer | undefined
}
