/**
 * The metrics of a tower as a whole: the list of all of them, the counters that follow events, and the figures that are
 * read from the tower's state when somebody asks, so that no call pays for them.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { Slot } from "@switchyard/core/Slot"
import * as Time from "@switchyard/core/Time"
import { Context, Effect, Layer, Option } from "effect"
import { CooldownState } from "../breaker/CooldownState.js"
import { HealthStatus } from "../breaker/HealthStatus.js"
import { ConcurrencyLimits } from "../concurrency/ConcurrencyLimits.js"
import { EventHub } from "../events/eventHub.js"
import { RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents, tapped } from "../events/TowerEvents.js"
import { LatencyTracker } from "../latency/LatencyTracker.js"
import { UsageWindows } from "../limits/UsageWindows.js"
import { DeploymentRegistry, Registry } from "../registry/DeploymentRegistry.js"
import { DeploymentStats } from "../registry/DeploymentStats.js"
import * as Concern from "../stack/Concern.js"
import { counting } from "./eventCounters.js"
import type { Family, Sample } from "./exposition.js"
import { type Exposition, MetricsSink } from "./MetricsSink.js"
import { defaults, Options } from "./metricOptions.js"
import { type Definition, type LabelName, metricTable, type Tier } from "./metricTable.js"
import * as Prometheus from "./Prometheus.js"
import { SeriesMaker } from "./series.js"

export { type Definition, defaults, type Family, type LabelName, Options, type Tier }

/** Every metric of the router: what code, documents, dashboards and alert rules are made from and checked against. */
export const definitions: ReadonlyArray<Definition> = Object.values(metricTable)

/** What `collect` reads. */
export type Collected = DeploymentRegistry | DeploymentStats | CooldownState | LatencyTracker | UsageWindows

/** Gathers one gauge; a value that nobody knows makes no series. */
class Gauges {
  private readonly samples = new Map<Definition, Array<Sample>>()

  constructor(private readonly series: SeriesMaker) {}

  add(definition: Definition, slot: Slot, value: number | undefined, state = ""): void {
    if (value === undefined || !Number.isFinite(value)) return
    const { group: model, id: deployment, provider } = slot.deployment
    const labels = this.series.labelsOf(definition, { deployment, model, provider, state })
    const samples = this.samples.get(definition)
    if (samples === undefined) this.samples.set(definition, [{ labels, value }])
    else samples.push({ labels, value })
  }

  families(): ReadonlyArray<Family> {
    return [...this.samples].map(([definition, series]) => ({
      type: "gauge",
      name: this.series.nameOf(definition),
      help: definition.help,
      series
    }))
  }
}

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000)

const left = (limit: number | undefined, used: number): number | undefined =>
  limit === undefined ? undefined : Math.max(0, limit - used)

const circuits = { closed: "closed", open: "open", halfOpen: "half_open" } as const

const familiesAt = (state: Context.Context<Collected>, options: Options, now: number): ReadonlyArray<Family> => {
  const cooldowns = Context.get(state, CooldownState)
  const latencies = Context.get(state, LatencyTracker)
  const stats = Context.get(state, DeploymentStats)
  const windows = Context.get(state, UsageWindows)
  const concurrency = Option.getOrUndefined(Context.getOption(state, ConcurrencyLimits))
  const gauges = new Gauges(new SeriesMaker(options))
  for (const slot of Context.get(state, DeploymentRegistry).slots()) {
    const { blockedBy, circuit, health } = cooldowns.inspect(slot, now)
    for (const name of ["closed", "open", "halfOpen"] as const) {
      gauges.add(metricTable.state, slot, circuit === name ? 1 : 0, circuits[name])
    }
    for (const name of HealthStatus.literals) {
      gauges.add(metricTable.health, slot, health === name ? 1 : 0, name.toLowerCase())
    }
    const { lastMinute } = stats.of(slot)
    gauges.add(metricTable.lastMinuteRequests, slot, lastMinute.requests(now))
    gauges.add(metricTable.lastMinuteTokens, slot, lastMinute.tokens(now))
    gauges.add(metricTable.lastMinuteFailures, slot, lastMinute.failures(now))
    gauges.add(metricTable.available, slot, blockedBy === undefined || blockedBy === "probing" ? 1 : 0)
    const latency = latencies.of(slot)
    gauges.add(metricTable.latencyEma, slot, seconds(latency.duration(now)))
    gauges.add(metricTable.ttftEma, slot, seconds(latency.timeToFirstToken(now)))
    gauges.add(metricTable.concurrencyLimit, slot, concurrency?.known(slot)?.limit)
    // To ask for the usage of a deployment without limits would have its calls counted from then on.
    if (!windows.counts(slot)) continue
    const { rpm, tpm } = slot.deployment
    const { headroom, requests, tokens } = windows.usage(slot, now)
    gauges.add(metricTable.headroom, slot, headroom)
    gauges.add(metricTable.rpmHeadroom, slot, left(rpm, requests))
    gauges.add(metricTable.tpmHeadroom, slot, left(tpm, tokens))
  }
  return gauges.families()
}

/**
 * The figures of all deployments at this moment: the breaker's state, averages of latencies, what limits still allow. For
 * `Prometheus.render`, beside what was counted. Options are taken as they are; give those of the tower's metrics.
 */
export const collect = (
  state: Context.Context<Collected>,
  options: Options = {}
): Effect.Effect<ReadonlyArray<Family>> => Effect.map(Time.now, (now) => familiesAt(state, options, now))

/**
 * One scrape, in the format that `Prometheus.contentType` names: everything that was counted under the prefix of the
 * options, and the figures of `collect`, all of one moment.
 *
 * @example
 * ```ts
 * import * as Metrics from "@switchyard/router/Metrics"
 * import type { Built } from "@switchyard/router/Router"
 *
 * const body = (tower: Built) => Metrics.scrape(tower.state, { prefix: "switchyard" })
 * ```
 */
export const scrape = (state: Context.Context<Collected>, options: Options = {}): Effect.Effect<string> =>
  Effect.map(Time.now, (now) =>
    Prometheus.render({ prefix: options.prefix ?? defaults.prefix, families: familiesAt(state, options, now) })
  )

/**
 * As `scrape`, but of the sink in force, in a format that the scrape accepts. Give it the sink under which the tower was
 * built. `more` are families of this moment that the tower knows nothing of.
 */
export const expose = (
  state: Context.Context<Collected>,
  options: Options = {},
  accept?: string,
  more: ReadonlyArray<Family> = []
): Effect.Effect<Exposition> =>
  Effect.flatMap(MetricsSink, (sink) =>
    Effect.flatMap(collect(state, options), (families) =>
      sink.expose({ prefix: options.prefix ?? defaults.prefix, families: [...families, ...more], accept })
    )
  )

/**
 * Counts what layers publish: retries, hedges, cooldowns, probes, stream restarts, exhausted budgets. Provides events that
 * count themselves on their way to those of the context.
 */
export const layerWith = (options: Options): Layer.Layer<RouterEvents, ConfigError, DeploymentRegistry> =>
  Layer.fresh(
    Layer.effect(
      RouterEvents,
      Effect.gen(function* () {
        const valid = yield* Field.decode(Options, options, "metrics")
        const registry = yield* DeploymentRegistry
        const events = new EventHub(yield* RouterEvents)
        events.tap(counting((id) => registry.slot(id)?.deployment, valid, yield* MetricsSink))
        return events
      })
    )
  )

/** Counts what layers publish: retries, hedges, cooldowns, probes, stream restarts, exhausted budgets, with the defaults. */
export const layer: Layer.Layer<RouterEvents, never, DeploymentRegistry> = Layer.fresh(Layer.orDie(layerWith({})))

/** Counts nothing and costs nothing. */
export const layerNoop: Layer.Layer<never> = Layer.empty

/** Counters of what layers publish, as a concern of a stack. */
export class EventMetrics extends Concern.beside({
  name: "eventMetrics",
  key: "metrics",
  about: "Counts retries, hedges, cooldowns, probes, stream restarts and exhausted budgets",
  options: Options,
  state: [TowerEvents, Registry],
  make: (options) =>
    Effect.gen(function* () {
      const registry = yield* DeploymentRegistry
      const sink = yield* MetricsSink
      tapped(
        yield* RouterEvents,
        counting((id) => registry.slot(id)?.deployment, options, sink)
      )
    })
}) {}
