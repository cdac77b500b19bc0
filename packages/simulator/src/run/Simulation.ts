/**
 * Runs a scenario: the tower as it serves, in a time of its own, until all requests are over. The same scenario and seed come to
 * the same result, to the byte.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import { isLlmError, LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { toMs } from "@switchyard/core/Time"
import { Cause, Effect, Exit, Option, Runtime } from "effect"
import { Figures } from "../figures/Figures.js"
import type { Result } from "../figures/Result.js"
import type { Scenario, Variant } from "../scenario/Scenario.js"
import { VirtualTime } from "../time/VirtualTime.js"
import * as Asked from "../upstream/Asked.js"
import { IncidentTimes } from "../upstream/conditions.js"
import { Line, Place } from "../upstream/line.js"
import { SimulatedUpstream } from "../upstream/SimulatedUpstream.js"
import type { Planned } from "../workload/requests.js"
import { Feed } from "./feed.js"
import { keepInList } from "./rootFibers.js"
import { build } from "./towers.js"

/** How far a variant is. */
export interface Progress {
  readonly variant: string
  /** From 0 to 1. */
  readonly share: number
  readonly requests: number
}

/** How a scenario is run. */
export interface RunOptions {
  /** In place of the scenario's. */
  readonly seed?: number | undefined
  /** Told now and then how far it is. */
  readonly onProgress?: (progress: Progress) => void
  /** Asked now and then: true ends it, with the figures so far. */
  readonly shouldStop?: () => boolean
}

/** Events between two turns of the process' own event loop. */
const eventsPerTurn = 4096
/** Nobody waits longer in it for requests that will never end, in ms. */
const patience = 7_200_000
/** Parts that a result tells of. */
const moments = 120

/** What is read of a stream: all of it, and nobody keeps it. */
const read = (): undefined => undefined

/** A request under way. */
class Sent extends Place {
  firstContentAt: number | undefined

  constructor(
    readonly request: LlmRequest.LlmRequest,
    readonly startedAt: number
  ) {
    super()
  }
}

const regionsOf = (variant: Variant, scenario: Scenario, id: string): string | undefined => {
  const { upstreams = {} } = scenario.model
  const own = upstreams[id] ?? upstreams["*"]
  return own?.region ?? variant.options.deployments.find((one) => one.id === id)?.region
}

/** The time of one run: events until everything is over. */
class Run {
  readonly time = new VirtualTime()
  readonly upstreams: ReadonlyMap<string, SimulatedUpstream>
  readonly figures: Figures
  readonly feed: Feed
  private readonly open = new Line<Sent>()
  private sends: ((planned: Planned, then: () => void) => void) | undefined

  constructor(
    private readonly scenario: Scenario,
    variant: Variant,
    seed: number
  ) {
    const { incidents = [], objective, upstreams = {}, warmUp = 0 } = scenario.model
    const { deployments } = variant.options
    const ids = deployments.map(({ id }) => id)
    const befallen = incidents.map((incident) => ({
      times: new IncidentTimes(incident),
      deployments: ids.filter(
        (id) =>
          incident.deployments?.includes(id) === true ||
          (incident.region !== undefined && regionsOf(variant, scenario, id) === incident.region)
      )
    }))
    this.upstreams = new Map(
      ids.map((id) => {
        const own = befallen.filter((one) => one.deployments.includes(id)).map(({ times }) => times)
        return [id, new SimulatedUpstream(id, upstreams[id] ?? upstreams["*"] ?? {}, this.time, own, seed)]
      })
    )
    this.feed = new Feed(scenario, this.time, seed, (planned, then) => this.sends?.(planned, then))
    this.figures = new Figures({
      warmUp: toMs(warmUp),
      objective: {
        latency: objective?.latency === undefined ? Number.POSITIVE_INFINITY : toMs(objective.latency),
        firstToken: objective?.firstToken === undefined ? Number.POSITIVE_INFINITY : toMs(objective.firstToken)
      },
      upstreams: [...this.upstreams.values()],
      incidents: befallen,
      moment: Math.max(1000, this.span() / moments)
    })
  }

  /** About how long requests come, in ms. */
  private span(): number {
    const { model, trace } = this.scenario
    if (trace !== undefined) return trace.at(-1)?.at ?? 0
    if (model.duration !== undefined) return toMs(model.duration)
    const rate = (model.workload ?? []).reduce((sum, one) => sum + one.rate, 0)
    return ((model.requests ?? 0) / rate) * 1000
  }

  /** Sends a request to a tower, and follows it to its end. */
  connect(
    send: (
      request: LlmRequest.LlmRequest,
      told: (response: LlmResponse) => void,
      over: (exit: Exit.Exit<void, LlmError>) => void
    ) => void
  ): void {
    this.sends = (planned, then) => {
      const { now } = this.time
      const request = LlmRequest.begin(planned.request, now)
      const { journal } = request.route
      Asked.note(journal, planned.asked)
      const sent = new Sent(request, now)
      this.open.join(sent)
      this.figures.begun(now)
      send(
        request,
        (response) => {
          if (response._tag === "Streaming") {
            response.events.settlement.onFirstContent((at) => {
              sent.firstContentAt = at
            })
          }
        },
        (exit) => {
          this.end(sent, Exit.isSuccess(exit) ? undefined : errorOf(exit.cause))
          then()
        }
      )
    }
  }

  private end(sent: Sent, error: LlmError | undefined): void {
    this.open.leave(sent)
    const { firstContentAt, request, startedAt } = sent
    this.figures.ended({
      startedAt,
      endedAt: this.time.now,
      firstContentAt,
      error,
      attempts: request.route.journal.spent
    })
  }

  /** All requests have come, and are over. */
  get isOver(): boolean {
    return this.feed.isDry && this.open.size === 0
  }

  /** Those that wait for what never comes have failed. */
  giveUp(): void {
    for (let sent = this.open.first; sent !== undefined; sent = this.open.first) this.end(sent, unfinished)
  }
}

const unfinished = new LlmError({ reason: "Timeout", description: "it was not over when the simulation ended" })

const errorOf = (cause: Cause.Cause<LlmError>): LlmError => {
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure) && isLlmError(failure.value)) return failure.value
  return new LlmError({ reason: "Unavailable", description: "the tower died of a defect", code: "defect" })
}

/** In virtual time only; errors have no stacks there, which halves the time of those that fail much. */
const withoutStacks = (run: () => boolean): boolean => {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return run()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** Runs one variant of a scenario. The process' own event loop gets its turn in between. */
export const run = (
  scenario: Scenario,
  variant: Variant,
  options: RunOptions = {}
): Effect.Effect<Result, ConfigError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const seed = options.seed ?? scenario.model.seed ?? 1
      keepInList()
      const own = new Run(scenario, variant, seed)
      const { feed, figures, time } = own
      const replicas = { count: scenario.model.replicas ?? 1, shares: scenario.model.shares ?? false }
      const towers = yield* build(variant, replicas, time, own.upstreams, seed)
      // The runtime brings the scheduler of its time: to name it for each fiber would copy what is local to it.
      const fork = Runtime.runFork(towers.runtime)
      let next = 0
      own.connect((request, told, over) => {
        const service = towers.services[next++ % replicas.count] as (typeof towers.services)[number]
        const call = Effect.flatMap(service.call(request), (response) => {
          told(response)
          return response._tag === "Streaming" ? response.events.forward(read) : Effect.void
        })
        fork(call).addObserver(over)
      })
      feed.start()
      const isOver = (): boolean => own.isOver || (feed.isDry && time.now - feed.lastSentAt > patience)
      let isStopped = false
      while (withoutStacks(() => time.run(eventsPerTurn, isOver))) {
        options.onProgress?.({ variant: variant.name, share: feed.progress, requests: feed.sent })
        isStopped = options.shouldStop?.() === true
        if (isStopped) break
        yield* Effect.sleep(0)
      }
      if (!isStopped) own.giveUp()
      options.onProgress?.({ variant: variant.name, share: feed.progress, requests: feed.sent })
      return figures.result({
        variant: variant.name,
        strategy: towers.strategy,
        seed,
        isPartial: isStopped,
        simulated: time.now,
        lasted: isStopped ? time.now : feed.lastSentAt
      })
    })
  )
