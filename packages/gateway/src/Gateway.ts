/**
 * A running gateway: configuration, tower, keys and server, put together.
 */

import type { IncomingMessage } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Background from "@switchyard/core/Background"
import type { ConfigError, ConfigIssue } from "@switchyard/core/ConfigError"
import { uniform } from "@switchyard/core/Dice"
import * as Time from "@switchyard/core/Time"
import type { Ledger } from "@switchyard/ledger/Ledger"
import type { LedgerError } from "@switchyard/ledger/LedgerError"
import * as Providers from "@switchyard/providers/Providers"
import * as SideCalls from "@switchyard/providers/SideCalls"
import type * as Transport from "@switchyard/providers/Transport"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import * as Metrics from "@switchyard/router/Metrics"
import { MetricsSink } from "@switchyard/router/MetricsSink"
import * as RouterEvents from "@switchyard/router/RouterEvents"
import type { AnyStack } from "@switchyard/router/Stack"
import { Context, type Duration, Effect, Layer, type Scope } from "effect"
import type { Server as Settings } from "./config/GatewayConfig.js"
import * as Problem from "./config/Problem.js"
import { serverDefaults } from "./config/serverSettings.js"
import * as ControlPlane from "./control/ControlPlane.js"
import * as Health from "./control/Health.js"
import * as Timeline from "./control/Timeline.js"
import { boundsOf } from "./edge/bounds.js"
import * as Cors from "./edge/Cors.js"
import * as Completions from "./edge/calls/Completions.js"
import * as Tokenizer from "./edge/counting/tokenizer.js"
import { checkExposure } from "./edge/exposure.js"
import { Heartbeat } from "./edge/heartbeat.js"
import * as OpenAccess from "./edge/OpenAccess.js"
import * as BatchPolling from "./edge/objects/batchPolling.js"
import * as Server from "./edge/Server.js"
import * as TemporaryPlace from "./edge/uploads/temporaryPlace.js"
import type { Refusal, TurnedAway } from "./errors/ErrorBody.js"
import * as Fleet from "./fleet/Fleet.js"
import type { SharedState } from "./fleet/SharedState.js"
import * as Generations from "./generations/Generations.js"
import { bookOf, deskOf, toldOfNamesakes } from "./keys/ledgerKeys.js"
import * as Handover from "./ledger/handover.js"
import { Recorder } from "./ledger/recorder.js"
import * as Spending from "./ledger/spending.js"
import * as EventLog from "./log/EventLog.js"
import { onceEach, onceEvery } from "./log/once.js"
import * as RequestLog from "./log/RequestLog.js"
import { sealing } from "./objects/sealing.js"
import { connectionGauge } from "./telemetry/connectionGauge.js"
import { ledgerFamilies } from "./telemetry/ledgerGauges.js"
import { lostLines, ownCounter, refusals } from "./telemetry/ownCounters.js"
import { promClientSink } from "./telemetry/promClient.js"
import { stateFamilies } from "./telemetry/stateGauges.js"
import * as Telemetry from "./telemetry/Telemetry.js"
import { exposedWith } from "./workers/exposedWith.js"
import type { Siblings } from "./workers/Siblings.js"

/** A gateway that listens. */
export interface Gateway {
  /** For example `http://127.0.0.1:4000`. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** No key is configured: only loopback is served. */
  readonly isOpen: boolean
  /** Puts another configuration in force without dropping a call; a bad one changes nothing. `server` stays as it was. */
  readonly reload: (source: Generations.Source) => Effect.Effect<void, ConfigError>
  /** Notes and publishes that a configuration could not even be read; each line says a reason. */
  readonly refuse: (why: ReadonlyArray<string>) => Effect.Effect<void>
  readonly generations: Context.Tag.Service<Generations.Generations>
  /** What the router and the gateway do, as they do it. */
  readonly events: RouterEvents.Events
  /**
   * Leaves the port to others who listen there: takes no new connections, and serves on by those that stand, each answer asking
   * its client to come by another, until all are closed or `most` has passed.
   */
  readonly retire: (most: Duration.DurationInput) => Effect.Effect<void>
  /** Calls that had to be cut when the gateway ended, because they outlasted `drainTimeout`. */
  readonly cutCalls: () => number
}

/** What beats the configuration, from a command line. */
export interface Overrides {
  readonly host?: string
  readonly port?: number
  /** Where traces and metrics are exported to. Default: nowhere. */
  readonly telemetry?: Telemetry.Settings | undefined
  /** Where proxies and certificates are read that the configuration does not name. Default: nowhere. */
  readonly environment?: UndiciTransport.Variables
  /** The concerns of the router and their order, where the configuration names none. Default: the standard stack. */
  readonly stack?: AnyStack
  /** What sends requests to providers. Default: connections of the gateway's own, as `transport` of the configuration says. */
  readonly transport?: Context.Tag.Service<Transport.Transport>
  /** Keys, budgets and records that outlive the process. Default: none; keys are those of the configuration alone. */
  readonly ledger?: Context.Tag.Service<Ledger> | undefined
  /** State of all gateways together. Default: this process's own. */
  readonly shared?: SharedState | undefined
  /** Other gateways behind the same port. Default: there are none. */
  readonly siblings?: Siblings | undefined
}

const draining: Refusal = {
  status: 503,
  code: "draining",
  message: "the gateway is shutting down",
  retryAfter: 1000
}

/** Undefined where metrics are off. */
const metricOptions = ({ source }: Generations.Generation): Metrics.Options | undefined => {
  const { metrics } = source.config.router
  return metrics === false ? undefined : (metrics ?? {})
}

const sentence = ({ expected, path, value }: ConfigIssue): string => `${path}: expected ${expected}, found ${value}`

const urlOf = (host: string, port: number): string => `http://${host.includes(":") ? `[${host}]` : host}:${port}`

/**
 * Starts a gateway. When the scope closes it serves on for `drainDelay` while it says that it is not ready, stops accepting,
 * lets calls in flight finish for at most `drainTimeout`, and then ends. Fails with everything that is wrong with the configuration, with a `ListenError`, or with a
 * `LedgerError` when the ledger does not say which keys there are. Without a `log` nothing
 * is logged but what goes to Effect's own loggers.
 */
export const make = (
  source: Generations.Source,
  overrides: Overrides = {},
  log: RequestLog.RequestLog = RequestLog.silent
): Effect.Effect<Gateway, ConfigError | LedgerError | Server.ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const { environment = {}, ledger, shared, siblings, stack, telemetry, transport: given, ...listening } = overrides
    const settings: Settings = { ...source.config.server, ...listening }
    const host = settings.host ?? serverDefaults.host
    const book = ledger === undefined ? undefined : yield* bookOf(ledger, source.config.ledger)
    const spending = yield* Spending.make(ledger, shared)
    yield* checkExposure(source.config, host, book)
    const first = toldOfNamesakes(source, book)
    for (const { message } of first.problems.slice(source.problems?.length ?? 0)) log.note("warn", "keys", { message })
    const published = Context.get(yield* Layer.build(RouterEvents.layer), RouterEvents.RouterEvents)
    const eventLog = yield* EventLog.make(log.tap(published))
    const { events } = eventLog
    const sink = settings.openMetrics === true ? yield* promClientSink : yield* MetricsSink
    const reporting = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      effect.pipe(Effect.provideService(RouterEvents.RouterEvents, events), Effect.provideService(MetricsSink, sink))
    const counting = () => generations.current().source.config.router.metrics
    const gauges: Effect.Effect<ReadonlyArray<Metrics.Family>> = Effect.suspend(() => {
      countLostLines()
      const options = metricOptions(generations.current())
      return options === undefined
        ? Effect.succeed([])
        : Effect.map(Metrics.collect(tower().state, options), (families) => [...families, ...ownFamilies(options)])
    })
    const countLost = ownCounter(lostLines, sink, counting)
    let countedLost = 0
    const countLostLines = (): void => {
      const lost = log.lostLines()
      if (lost > countedLost) countLost("", lost - countedLost)
      countedLost = lost
    }
    const waiting = (): number => transport.waiting ?? 0
    const ownFamilies = (options: Metrics.Options): ReadonlyArray<Metrics.Family> => [
      connectionGauge(waiting(), options),
      ...(ledger === undefined ? [] : ledgerFamilies(ledger.health(), clock.unsafeCurrentTimeMillis(), options)),
      ...(shared === undefined ? [] : stateFamilies(shared.guard, options))
    ]
    const exporting = yield* Telemetry.start(telemetry, gauges)
    const connecting = UndiciTransport.fromEnvironment(environment)
    for (const message of connecting.warnings) log.note("warn", "transport", { message })
    const transport =
      given ??
      (yield* UndiciTransport.make(
        {
          connections: settings.maxConcurrent ?? serverDefaults.maxConcurrent,
          ...connecting.options,
          ...source.config.transport
        },
        () => generations.current().keys.isShared
      ))
    const base = Providers.make(Providers.protocols(transport, { fetchMedia: settings.fetchMedia ?? false }))
    const side = SideCalls.make(transport)
    const sealer = sealing(settings.idSecret, () =>
      log.note("warn", "ids_sealed_for_this_process", {
        message:
          "ids of responses, files and batches are known until this process ends, and to no other replica: set server.idSecret"
      })
    )
    const generations = yield* reporting(
      Generations.make(first, base, exporting.tracer !== undefined, stack, { book, spending, shared: shared?.states })
    )
    if (ledger !== undefined) yield* Handover.keep(ledger, () => generations.current().tower)
    const clock = yield* Effect.clock
    const recorder = ledger === undefined ? undefined : new Recorder(ledger, clock, source.config)
    const heartbeat = new Heartbeat()
    yield* heartbeat.run
    let phase: Server.Phase = "starting"
    let isClosing = false
    let cutCalls = 0
    const cors = Cors.make(settings.cors)
    const openGuard = (headers: IncomingMessage["headers"], asked: OpenAccess.Asked): Refusal | undefined =>
      generations.current().keys.isOpen ? OpenAccess.check(headers, asked) : undefined
    const guard = ({ headers, method }: IncomingMessage): Refusal | undefined =>
      isClosing ? draining : openGuard(headers, { method, isNamed: cors?.names })
    const countRefusal = ownCounter(refusals, sink, counting)
    const tokenizer = settings.tokenizer === "gpt-tokenizer" ? Tokenizer.make() : undefined
    yield* Effect.addFinalizer(() => Effect.sync(() => tokenizer?.close()))
    const place = TemporaryPlace.make()
    place.sweep()
    const completions = Completions.make({
      place,
      money: yield* BatchPolling.start(generations),
      generations,
      heartbeat,
      clock,
      random: yield* uniform,
      // Of all that is served only completions are traced.
      runtime: yield* exporting.tracer === undefined
        ? Background.runtime<never>()
        : Effect.withTracer(Background.runtime<never>(), exporting.tracer),
      bounds: boundsOf(settings),
      guard,
      side,
      sealer,
      tokenizer,
      onLeftOut: onceEach((fields) =>
        log.note("warn", "fields_left_out", {
          message: `left out of a request, here and wherever it comes again: ${fields.join(", ")}; callers bring neither credentials nor headers for a provider`
        })
      ),
      onEnd: (ended) => {
        if (ended.refusal !== undefined) countRefusal(ended.refusal.code)
        if (ended.journal !== undefined) eventLog.noteFailures(ended.journal)
        recorder?.ended(ended)
        fleet.noteEnd(ended.refusal !== undefined || ended.error !== undefined)
        log.ended(ended)
      }
    })
    const fleet = yield* Fleet.make({ guard: shared?.guard, generations, inFlight: completions.inProgress })
    const tower = () => generations.current().tower
    const onRefusal = (turnedAway: TurnedAway): void => {
      countRefusal(turnedAway.refusal.code)
      log.turnedAway(turnedAway)
    }
    const exposed = (accept: string | undefined) =>
      Effect.suspend(() => {
        countLostLines()
        const options = metricOptions(generations.current())
        return options === undefined
          ? Effect.succeed(undefined)
          : Metrics.expose(tower().state, options, accept, ownFamilies(options))
      }).pipe(Effect.provideService(MetricsSink, sink))
    const other = yield* NodeHttpServer.makeHandler(
      ControlPlane.make({
        generations,
        phase: () => phase,
        timeline: yield* Timeline.make(tower),
        lostLines: log.lostLines,
        eventLog,
        isLocal: OpenAccess.isLoopback(host),
        waiting,
        ledger: ledger?.health,
        fleet: fleet.view,
        side,
        sealer,
        desk: ledger === undefined || book === undefined ? undefined : deskOf(ledger, book, generations.current),
        metrics: siblings === undefined ? exposed : yield* exposedWith(siblings, exposed),
        siblings,
        guard: (headers, method, path) =>
          openGuard(headers, {
            method,
            isNamed: path.startsWith("/admin/") ? undefined : cors?.names,
            mayBeRelayed: Health.probePaths.has(path)
          }),
        onRefusal
      })
    )
    const refuse = (why: ReadonlyArray<string>): Effect.Effect<void> =>
      Time.withNow((at) =>
        Effect.sync(() => {
          generations.refuse(why.join("\n"))
          events.publish({
            _tag: "ConfigRefused",
            at,
            generation: generations.current().number,
            problems: why
          })
        })
      )
    const reload = (next: Generations.Source): Effect.Effect<void, ConfigError> =>
      Effect.zipRight(
        checkExposure(next.config, host, book),
        Effect.suspend(() => generations.install(toldOfNamesakes(next, book)))
      ).pipe(
        Effect.tapError(({ issues }) => refuse(issues.map(sentence))),
        Effect.flatMap(({ number }) =>
          Time.withNow((at) => {
            const problems = toldOfNamesakes(next, book).problems.map(Problem.renderOne)
            return Effect.sync(() => {
              log.configure(next.config)
              recorder?.configure(next.config)
              events.publish({ _tag: "ConfigReloaded", at, generation: number, problems })
            })
          })
        )
      )
    const noteAcceptError = onceEvery(60_000, clock, (code: string) => log.note("error", "accept_failed", { code }))
    const server = yield* Server.make(settings, {
      completions,
      other,
      cors,
      onRefusal,
      heartbeat,
      onFull: (full) => log.note("warn", "connections_full", { ...full }),
      onTurnedAway: countRefusal,
      onAcceptError: noteAcceptError
    })
    phase = "ready"
    const drainDelay = Time.toMs(settings.drainDelay ?? serverDefaults.drainDelay)
    const drainTimeout = Time.toMs(settings.drainTimeout ?? serverDefaults.drainTimeout)
    const drain = Effect.gen(function* () {
      phase = "draining"
      log.note("info", "draining", {
        in_flight: completions.inProgress(),
        delay_ms: drainDelay,
        timeout_ms: drainTimeout
      })
      server.leave()
      if (drainDelay > 0) yield* Effect.sleep(drainDelay)
      isClosing = true
      yield* server.drain(drainTimeout, () => {
        cutCalls = completions.cut()
      })
      if (cutCalls > 0) log.note("warn", "drain_cut", { count: cutCalls })
    })
    yield* Effect.addFinalizer(() => drain)
    return {
      url: urlOf(host, server.port),
      host,
      port: server.port,
      isOpen: generations.current().keys.isOpen,
      reload: (next: Generations.Source) => reporting(reload(next)),
      refuse,
      generations,
      events,
      retire: server.retire,
      cutCalls: () => cutCalls
    }
  }).pipe(RequestLog.withLogger(log))
