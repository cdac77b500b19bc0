/**
 * Counts requests as callers see them: one request is one, however many attempts it took. Effect `Metric`s, so that every
 * exporter of an Effect app shows them. Everything but `active_requests` is counted when the request settles.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { Journal } from "@switchyard/core/Journal"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import { isMedia } from "@switchyard/core/Operation"
import type { Outcome } from "@switchyard/core/Outcome"
import * as Service from "@switchyard/core/Service"
import type { Units } from "@switchyard/core/Usage"
import { Context, Effect, Layer } from "effect"
import { outcomeLabel } from "../events/outcomeLabel.js"
import { DeploymentRegistry, Registry } from "../registry/DeploymentRegistry.js"
import * as Concern from "../stack/Concern.js"
import * as State from "../stack/State.js"
import { effect, MetricsSink, type Sink, type Update } from "./MetricsSink.js"
import { Options } from "./metricOptions.js"
import { metricTable } from "./metricTable.js"
import { SeriesMaker, table1, table2 } from "./series.js"

const maxRows = 1000

/** What is kept about one request while it runs. */
interface Running {
  readonly model: string
  readonly active: Update
  /** Monotonic ms of a stream's first content. */
  firstContentAt: number | undefined
}

/** The series of one model and one provider. */
const makeRow = (series: SeriesMaker, model: string, provider: string) => {
  const labels = { model, provider }
  return {
    requests: series.counter(metricTable.requests, labels),
    successes: series.counter(metricTable.successes, labels),
    abandoned: series.counter(metricTable.abandoned, labels),
    errors: table1(100, (reason) => series.counter(metricTable.errors, { ...labels, reason })),
    inputTokens: series.counter(metricTable.inputTokens, labels),
    outputTokens: series.counter(metricTable.outputTokens, labels),
    cost: series.counter(metricTable.cost, labels),
    requestInputTokens: series.histogram(metricTable.requestInputTokens, labels),
    requestOutputTokens: series.histogram(metricTable.requestOutputTokens, labels),
    latency: table1(3, (outcome) => series.histogram(metricTable.latency, { ...labels, outcome })),
    ttft: series.histogram(metricTable.ttft, labels),
    cacheHits: series.counter(metricTable.cacheHits, labels),
    cacheMisses: series.counter(metricTable.cacheMisses, labels),
    embeddings: series.counter(metricTable.embeddings, labels),
    embeddingTokens: series.counter(metricTable.embeddingTokens, labels),
    operations: table1(20, (operation) => series.counter(metricTable.operations, { ...labels, operation })),
    units: table1(10, (unit) => series.counter(metricTable.units, { ...labels, unit })),
    fallbacks: table1(10, (kind) => series.counter(metricTable.fallbacks, { ...labels, kind }))
  }
}

/** Units that are counted, by name. */
const counted = ["images", "seconds", "characters", "searches"] as const

const countUnits = ({ units }: Pick<ReturnType<typeof makeRow>, "units">, used: Units): void => {
  for (const unit of counted) {
    const amount = used[unit]
    if (amount !== undefined && amount > 0) units(unit)(amount)
  }
}

const providerOf = ({ cache, last }: Journal): string =>
  cache === "hit" || cache === "shared" ? "cache" : (last?.provider ?? "none")

/**
 * The layer. `groupOf` gives the model group that a name means: names without one count as `other`, so that callers can't
 * add series. `sink` defaults to Effect's own metrics.
 */
export const make = (
  groupOf: (model: string) => string | undefined,
  options: Options = {},
  sink: Sink = effect
): Service.RequestLayer => {
  const series = new SeriesMaker(options, sink)
  const active = table1(maxRows, (model) => series.upDown(metricTable.active, { model }))
  const rows = table2(maxRows, (model, provider) => makeRow(series, model, provider))

  const count = (request: LlmRequest, running: Running, outcome: Outcome, at: number): void => {
    const { operation } = request
    const { journal, startedAt } = request.route
    const row = rows(running.model, series.perProvider ? providerOf(journal) : "all")
    row.requests(1)
    row.successes(outcome._tag === "Completed" ? 1 : 0)
    if (outcome._tag === "Abandoned") row.abandoned(1)
    else if (outcome._tag === "Failed") row.errors(outcome.error.reason)(1, request)
    row.latency(outcomeLabel[outcome._tag])((at - startedAt) / 1000, request)
    if (running.firstContentAt !== undefined) row.ttft((running.firstContentAt - startedAt) / 1000, request)
    if (journal.cache === "miss") row.cacheMisses(1)
    else if (journal.cache !== undefined) row.cacheHits(1)
    for (const { kind } of journal.fallbacks) row.fallbacks(kind)(1)
    if (operation === "embeddings") row.embeddings(1)
    else if (isMedia(operation)) row.operations(operation)(1)
    const { cost, usage } = journal
    if (cost !== undefined) row.cost(cost)
    if (usage === undefined) return
    row.inputTokens(usage.inputTokens)
    row.outputTokens(usage.outputTokens)
    row.requestInputTokens(usage.inputTokens)
    row.requestOutputTokens(usage.outputTokens)
    if (operation === "embeddings") row.embeddingTokens(usage.inputTokens)
    if (usage.units !== undefined) countUnits(row, usage.units)
  }

  return Service.bracketRequest<Running>({
    begin: (request) => {
      const model = series.perModel ? (groupOf(request.model) ?? "other") : "all"
      const running: Running = { model, active: active(model), firstContentAt: undefined }
      running.active(1)
      return running
    },
    onFirstContent: (running, at) => {
      running.firstContentAt = at
    },
    end: (running, outcome, at, request) => {
      running.active(-1)
      count(request, running, outcome, at)
    }
  })
}

/** Counts requests around the inner service. The outermost layer, so that answers from a cache count too. */
export const layerWith = (options: Options): Layer.Layer<LlmService, ConfigError, LlmService | DeploymentRegistry> =>
  Service.wrap(
    LlmService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "metrics")
      const registry = yield* DeploymentRegistry
      return make((model) => registry.resolve(model)?.group.name, valid, yield* MetricsSink)
    })
  )

/** Counts requests around the inner service, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService | DeploymentRegistry> = Layer.fresh(
  Layer.orDie(layerWith({}))
)

/** Counts nothing and costs nothing: it gives back the inner service. */
export const layerNoop: Layer.Layer<LlmService, never, LlmService> = Service.wrap(
  LlmService,
  Effect.succeed((next: Service.RequestService) => next)
)

/** The layer of a tower, which keeps its series. */
export class RequestSeries extends Context.Tag("@switchyard/router/RequestSeries")<
  RequestSeries,
  Service.RequestLayer
>() {}

/** The series of requests: gauges count in them, across reloads. */
export class CountedRequests extends State.make({
  name: "requestSeries",
  key: "metrics",
  tag: RequestSeries,
  options: Options,
  needs: [Registry],
  layer: (options) =>
    Layer.effect(
      RequestSeries,
      Effect.zipWith(DeploymentRegistry, MetricsSink, (registry, sink) =>
        make((model) => registry.resolve(model)?.group.name, options, sink)
      )
    )
}) {}

/** The layer as a concern of a stack. */
export class RequestMetrics extends Concern.request({
  name: "requestMetrics",
  key: "metrics",
  about: "Counts requests, and how long they took",
  options: Options,
  outside: { cache: "what the cache answers is counted too", deadline: "the time of a request is all of it" },
  state: [CountedRequests],
  make: () => RequestSeries
}) {}
