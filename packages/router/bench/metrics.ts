/** What the metrics cost per call, both tiers together, and what a scrape of a thousand series costs. */
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { CompleteResponse } from "@switchyard/core/LlmResponse"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as Prometheus from "@switchyard/router/Prometheus"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Metric, MetricBoundaries, MetricKey, MetricLabel } from "effect"
import { cpu, isShort, median } from "./harness.js"

const options: Router.Options = {
  deployments: ["a", "b", "c", "d"].map((id) => ({ id, group: "m", model: "gpt-4o", rpm: 1e9, tpm: 1e12 }))
}

const perCall = async (): Promise<void> => {
  const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
  const attempt = StubLlm.attempt(request, StubLlm.slot("bare"))
  const answer = (await Effect.runPromise(StubLlm.make().attempts.call(attempt))) as CompleteResponse
  const base = Service.attempt(({ request: { route } }) => Effect.succeed({ ...answer, journal: route.journal }))
  const call = async (more: Partial<Router.Options>) => {
    const { service } = await Effect.runPromise(Effect.scoped(Router.make({ ...options, ...more }, base)))
    return LlmService.complete(service, request)
  }
  const off = await call({ metrics: false })
  const on = await call({})
  for (const effect of [off, on, off, on]) await cpu(effect, isShort ? 5_000 : 20_000)
  const differences: Array<number> = []
  for (let round = 0; round < (isShort ? 11 : 61); round++) {
    const first = await cpu(round % 2 === 0 ? off : on, 2_000)
    const second = await cpu(round % 2 === 0 ? on : off, 2_000)
    differences.push(round % 2 === 0 ? second - first : first - second)
  }
  console.log("\nMetrics of both tiers, on against off (CPU µs per call; median of paired rounds)")
  console.log(`  +${median(differences).toFixed(2)}`)
}

const rendering = async (): Promise<void> => {
  for (let i = 0; i < 1000; i++) {
    const labels = [MetricLabel.make("model", `model "${i}"`), MetricLabel.make("provider", "openai")]
    const key =
      i % 5 === 0
        ? MetricKey.histogram("bench_seconds", MetricBoundaries.fromIterable([0.1, 1, 5, 10, 30, 60, 120, 300, 600]))
        : MetricKey.counter("bench_total")
    Metric.fromMetricKey(MetricKey.taggedWithLabels<typeof key.keyType>(key, labels)).unsafeUpdate(1, [])
  }
  const scrape = Effect.sync(() => Prometheus.render({ prefix: "bench" }))
  const times: Array<number> = []
  for (let round = 0; round < 20; round++) times.push(await cpu(scrape, isShort ? 10 : 50))
  console.log(
    "\nA scrape of 1,000 series, 200 of them histograms (CPU ms; median, max of 20 rounds, the first one cold)"
  )
  console.log(`  ${(median(times) / 1000).toFixed(2)}  ${(Math.max(...times) / 1000).toFixed(2)}`)
}

/** Prints the costs. */
export const run = async (): Promise<void> => {
  await perCall()
  await rendering()
}
