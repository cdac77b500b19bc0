/** What `/metrics` says, held against what clients and upstreams saw, and against a real Prometheus that scrapes it. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import type { Gateway } from "@switchyard/gateway/Gateway"
import * as Metrics from "@switchyard/router/Metrics"
import { MetricsSink } from "@switchyard/router/MetricsSink"
import * as PromClientSink from "@switchyard/router/PromClientSink"
import * as Router from "@switchyard/router/Router"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Runtime, Tracer } from "effect"
import * as Chaos from "../support/chaos.js"
import { authorized, chat, deploymentOf, eventually, inFlight, messages, post, start } from "../support/gateways.js"
import {
  askUntil,
  hasPrometheus,
  hasPromtool,
  promtool,
  type Sample,
  samplesIn,
  startPrometheus
} from "../support/prometheus.js"
import { seedFrom } from "../support/seeded.js"

/** Escaped in three ways, and beyond ASCII. */
const awkward = 'a"b\\c\nd é'

const openMetrics = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

const scrape = ({ url }: { readonly url: string }, accept = "text/plain") =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/metrics`, { headers: { accept } })
    return { type: response.headers.get("content-type") ?? "", text: await response.text() }
  })

/** The sum of a metric's samples that bear the labels. */
const sumOf = (samples: ReadonlyArray<Sample>, name: string, labels: Sample["labels"] = {}): number =>
  samples
    .filter((one) => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0)

/** The sums of a metric by one label. */
const by = (samples: ReadonlyArray<Sample>, name: string, label: string): Readonly<Record<string, number>> => {
  const sums: Record<string, number> = {}
  for (const one of samples) {
    if (one.name !== name) continue
    const key = one.labels[label] ?? ""
    sums[key] = (sums[key] ?? 0) + one.value
  }
  return sums
}

/** What the clients of a workload saw, and what they asked for. */
class Seen {
  requests = 0
  successes = 0
  abandoned = 0
  fallbacks = 0
  input = 0
  output = 0
  embeddings = 0
  readonly errors: Record<string, number> = {}
}

/**
 * Every ending that a request can have, so many times: answered whole, streamed, answered by a fallback, refused by the
 * provider, refused here, left by the caller. No upstream dies, so its journal holds every attempt.
 */
const workload = (prefix: string, settings: Readonly<Record<string, unknown>> = {}) =>
  Effect.gen(function* () {
    const [east, west, silent] = yield* Effect.all([
      FakeProvider.make({ name: "east" }),
      FakeProvider.make({ name: "west" }),
      FakeProvider.make({ name: "silent", behaviour: { hang: true } })
    ])
    const gateway = yield* start([], {
      deployments: [
        deploymentOf(east, { id: awkward, inputPrice: 1, outputPrice: 10 }),
        deploymentOf(west, { id: "west", group: "spare" }),
        deploymentOf(silent, { id: "silent", group: "silent" })
      ],
      retry: false,
      cooldown: false,
      fallback: { chains: { general: { smart: ["spare"] } } },
      metrics: { prefix },
      ...settings
    })
    const seen = new Seen()
    const usage = (prompt: number, completion: number) => ({ prompt_tokens: prompt, completion_tokens: completion })
    const ask = (body: Readonly<Record<string, unknown>> = {}, path = "/v1/chat/completions") =>
      Effect.map(post(gateway, path, { model: "smart", messages, ...body }), (answer) => {
        seen.requests++
        if (answer.status === 200) seen.successes++
        return answer
      })
    for (let round = 1; round <= 5; round++) {
      yield* east.next({ usage: usage(100 + round, 10) })
      yield* ask()
      yield* east.next({ usage: usage(200 + round, 20), chunks: 4 })
      yield* ask({ stream: true, stream_options: { include_usage: true } })
      yield* east.next({ status: 503 })
      yield* west.next({ usage: usage(300 + round, 30) })
      yield* ask()
      seen.fallbacks++
      yield* east.next({ status: 400, error: { message: "no", code: "invalid_value" } })
      yield* ask()
      seen.errors["InvalidRequest"] = (seen.errors["InvalidRequest"] ?? 0) + 1
      yield* ask({ model: "nobody knows" })
      seen.errors["UnknownModel"] = (seen.errors["UnknownModel"] ?? 0) + 1
      seen.input += 600 + 3 * round
      seen.output += 60
      const leave = new AbortController()
      const left = fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", ...authorized },
        body: JSON.stringify({ model: "silent", messages }),
        signal: leave.signal
      }).catch(() => undefined)
      yield* eventually(
        () => "the silent upstream has the request",
        () => silent.inFlight() === 1
      )
      leave.abort()
      yield* Effect.promise(() => left)
      yield* eventually(
        () => "the silent upstream has lost the request",
        () => silent.inFlight() === 0
      )
      seen.requests++
      seen.abandoned++
    }
    yield* eventually(
      () => JSON.stringify(inFlight(gateway)),
      () => Object.keys(inFlight(gateway)).length === 0
    )
    const attempts = {
      [awkward]: east.stats().requests,
      west: west.stats().requests,
      silent: silent.stats().requests
    }
    return { attempts, gateway, seen }
  })

/** Everything of the workload, in the samples of a scrape. */
const assertCounts = (
  samples: ReadonlyArray<Sample>,
  prefix: string,
  { attempts, seen }: { readonly attempts: Readonly<Record<string, number>>; readonly seen: Seen }
): void => {
  const sum = (name: string, labels?: Sample["labels"]) => sumOf(samples, `${prefix}_${name}`, labels)
  assert.strictEqual(sum("requests_total"), seen.requests)
  assert.strictEqual(sum("requests_success_total"), seen.successes)
  assert.deepStrictEqual(by(samples, `${prefix}_requests_error_total`, "reason"), seen.errors)
  assert.strictEqual(sum("requests_abandoned_total"), seen.abandoned)
  assert.strictEqual(sum("request_latency_seconds_count"), seen.requests)
  assert.strictEqual(sum("input_tokens_total", { model: "smart" }), seen.input)
  assert.strictEqual(sum("output_tokens_total", { model: "smart" }), seen.output)
  assert.strictEqual(sum("fallbacks_total", { kind: "general" }), seen.fallbacks)
  assert.deepStrictEqual(by(samples, `${prefix}_attempts_total`, "deployment"), attempts)
  assert.strictEqual(sum("attempts_total", { outcome: "failure", reason: "Unavailable" }), seen.fallbacks)
  assert.strictEqual(sum("attempts_total", { outcome: "abandoned" }), seen.abandoned)
  assert.strictEqual(sum("active_requests"), 0)
  assert.strictEqual(sum("deployment_in_flight"), 0)
}

/** Counters and histograms, which stand still between two scrapes, as text that can be compared. */
const standing = (samples: ReadonlyArray<Sample>, prefix: string): ReadonlyArray<string> =>
  samples
    .filter(({ name }) => name.startsWith(`${prefix}_`) && /_(total|bucket|sum|count)$/.test(name))
    .map(({ labels: { instance, job, ...labels }, name, value }) => {
      // To Prometheus an empty label is none, and a bound is a number.
      const sorted = Object.entries(labels)
        .filter(([, text]) => text !== "")
        .map(([label, text]) => (label === "le" ? [label, Number(text.replace("+Inf", "Infinity"))] : [label, text]))
        .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1))
      return `${name} ${JSON.stringify(sorted)} ${value}`
    })
    .sort()

/** A real Prometheus stores what the gateway shows. */
const storedBy = (gateway: Pick<Gateway, "url" | "port">, prefix: string, requests: number, accept: string) =>
  Effect.gen(function* () {
    const prometheus = yield* startPrometheus([`127.0.0.1:${gateway.port}`])
    yield* askUntil(
      "Prometheus has scraped",
      prometheus.query(`sum(${prefix}_requests_total)`),
      ([found]) => found?.value === requests
    )
    const stored = yield* prometheus.query(`{job="switchyard",__name__=~"${prefix}_.*"}`)
    const { text } = yield* scrape(gateway, accept)
    const shown = standing(samplesIn(text), prefix)
    assert.isAbove(shown.length, 100)
    assert.deepStrictEqual(standing(stored, prefix), shown)
    return { prometheus, stored }
  })

describe("the chaos run", () => {
  it.scopedLive(
    "totals are those that clients saw, and promtool has nothing to complain about",
    () =>
      Effect.gen(function* () {
        const seed = seedFrom("CHAOS_SEED")
        console.log(`scrape: CHAOS_SEED=${seed}`)
        const { counts, gateway } = yield* Chaos.run({
          seed,
          requests: 600,
          settings: { metrics: { prefix: "chaos" } }
        })
        assert.deepStrictEqual(counts.problems.slice(0, 10), [])
        yield* eventually(
          () => JSON.stringify(inFlight(gateway)),
          () => Object.keys(inFlight(gateway)).length === 0
        )
        const { text, type } = yield* scrape(gateway)
        assert.strictEqual(type, "text/plain; version=0.0.4; charset=utf-8")
        const samples = samplesIn(text)
        assert.strictEqual(sumOf(samples, "chaos_requests_total"), counts.requests)
        assert.strictEqual(sumOf(samples, "chaos_requests_success_total"), counts.successes)
        assert.strictEqual(sumOf(samples, "chaos_requests_abandoned_total"), 0)
        const failed = Object.values(counts.errors).reduce((sum, count) => sum + count, 0)
        assert.strictEqual(sumOf(samples, "chaos_requests_error_total"), failed)
        const codes: Record<string, number> = {}
        for (const [reason, count] of Object.entries(by(samples, "chaos_requests_error_total", "reason"))) {
          const code = codeOf[reason] ?? reason
          codes[code] = (codes[code] ?? 0) + count
        }
        assert.deepStrictEqual(codes, counts.errors)
        assert.isAtLeast(sumOf(samples, "chaos_attempts_total"), counts.attempts)
        assert.isAtLeast(sumOf(samples, "chaos_output_tokens_total"), counts.tokens.output)
        assert.strictEqual(sumOf(samples, "chaos_active_requests"), 0)
        assert.strictEqual(sumOf(samples, "chaos_deployment_in_flight"), 0)
        if (!hasPromtool) return
        const checked = promtool(["check", "metrics"], { input: text })
        assert.isTrue(checked.isContent, checked.said)
      }),
    240_000
  )
})

/** The codes that clients read, of the reasons that the run can end in. */
const codeOf: Readonly<Record<string, string>> = {
  RateLimited: "rate_limit_exceeded",
  Rejected: "rate_limit_exceeded",
  Timeout: "upstream_timeout",
  Unavailable: "upstream_unavailable",
  MalformedResponse: "upstream_malformed_response",
  StreamInterrupted: "upstream_stream_interrupted",
  NoDeployment: "no_deployment"
}

describe("a workload with every ending", () => {
  it.scopedLive(
    "requests, errors by reason, abandoned ones, tokens, attempts and fallbacks are what clients and upstreams saw",
    () =>
      Effect.gen(function* () {
        const done = yield* workload("ending")
        const { text } = yield* scrape(done.gateway)
        assertCounts(samplesIn(text), "ending", done)
        if (!hasPromtool) return
        const checked = promtool(["check", "metrics"], { input: text })
        assert.isTrue(checked.isContent, checked.said)
      })
  )
  it.scopedLive.skipIf(!hasPrometheus)(
    "a real Prometheus stores what was shown, awkward labels included",
    () =>
      Effect.gen(function* () {
        const done = yield* workload("stored")
        const { stored } = yield* storedBy(done.gateway, "stored", done.seen.requests, "text/plain")
        assertCounts(stored, "stored", done)
      }),
    240_000
  )
  it.scopedLive.skipIf(!hasPrometheus)(
    "with openMetrics it is asked in that format, and stores the same",
    () =>
      Effect.gen(function* () {
        const done = yield* workload("open", { server: { openMetrics: true } })
        const { type } = yield* scrape(done.gateway, openMetrics)
        assert.strictEqual(type, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        const plain = yield* scrape(done.gateway)
        assert.strictEqual(plain.type, "text/plain; version=0.0.4; charset=utf-8")
        const checked = promtool(["check", "metrics"], { input: plain.text })
        assert.isTrue(checked.isContent, checked.said)
        assertCounts(samplesIn(plain.text), "open", done)
        const { stored } = yield* storedBy(done.gateway, "open", done.seen.requests, openMetrics)
        assertCounts(stored, "open", done)
        // A reload goes on counting in the same registry.
        yield* Effect.orDie(done.gateway.reload(done.gateway.generations.current().source))
        yield* chat(done.gateway)
        const after = yield* scrape(done.gateway)
        assert.strictEqual(sumOf(samplesIn(after.text), "open_requests_total"), done.seen.requests + 1)
      }),
    240_000
  )
})

describe("exemplars", () => {
  it.scopedLive.skipIf(!hasPrometheus)(
    "a real Prometheus finds the trace of a request by its latency, and of an attempt",
    () =>
      Effect.gen(function* () {
        const sink = PromClientSink.make()
        const options: Metrics.Options = { prefix: "traced" }
        const within = Effect.provideService(MetricsSink, sink)
        const tower = yield* within(
          Router.make(
            { deployments: [{ id: awkward, group: "m", model: "x" }], metrics: options },
            StubLlm.make().attempts
          )
        )
        const run = Runtime.runPromise(yield* Effect.runtime<never>())
        const server = yield* Effect.acquireRelease(
          Effect.async<{ readonly port: number; readonly close: () => void }>((resume) => {
            const http = createServer((request, response) => {
              run(within(Metrics.expose(tower.state, options, request.headers.accept))).then(
                ({ contentType, text }) => {
                  response.setHeader("content-type", contentType)
                  response.end(text)
                }
              )
            })
            http.listen(0, "127.0.0.1", () =>
              resume(
                Effect.succeed({
                  port: (http.address() as AddressInfo).port,
                  close: () => {
                    http.closeAllConnections()
                    http.close()
                  }
                })
              )
            )
          }),
          ({ close }) => Effect.sync(close)
        )
        const ids = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }
        const trace = { span: Tracer.externalSpan(ids), state: undefined }
        yield* LlmService.complete(tower.service, LlmRequest.chat({ model: "m", messages }, { trace }))
        const prometheus = yield* startPrometheus([`127.0.0.1:${server.port}`])
        const found = yield* askUntil(
          "exemplars",
          prometheus.exemplars('{__name__=~"traced_(request|attempt)_latency_seconds_bucket"}'),
          (all) => all.length >= 2
        )
        for (const exemplar of found) {
          assert.strictEqual(exemplar["trace_id"], ids.traceId)
          assert.strictEqual(exemplar["span_id"], ids.spanId)
        }
        assert.isTrue(found.some(({ deployment }) => deployment === awkward))
      }),
    240_000
  )
})
