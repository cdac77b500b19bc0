import { ConfigError, issue } from "@switchyard/core/ConfigError"
import type { Sink } from "@switchyard/router/MetricsSink"
import { Effect } from "effect"

/** The library is optional, and is not even read unless it is asked for. */
export const promClientSink: Effect.Effect<Sink, ConfigError> = Effect.tryPromise({
  try: async () => (await import("@switchyard/router/PromClientSink")).make(),
  catch: () =>
    new ConfigError({
      issues: [issue("server.openMetrics", true, "the package prom-client to be installed (npm install prom-client)")]
    })
})
