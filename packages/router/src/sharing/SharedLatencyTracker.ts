/**
 * How fast deployments answer, as all processes together saw it lately: each says its own averages on a board of the engine, and
 * weighs what the others say by how many and how recent their samples are. A process that has just begun chooses as the others do.
 * What only it can know it goes by alone: calls that wait for an answer, failures, quantiles.
 */
import * as Background from "@switchyard/core/Background"
import * as Slot from "@switchyard/core/Slot"
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Context, type Duration, Effect, type Scope } from "effect"
import type { EngineGuard } from "../fleet/EngineGuard.js"
import * as LatencyTracker from "../latency/LatencyTracker.js"
import { type Fading, type Heard, MergedAverage, read, written } from "./heardFigures.js"

/** How often processes tell each other. Default 2 seconds. */
export interface Pace {
  readonly refresh?: Duration.DurationInput
}

const board = "latencies"

/** How many times its refresh a word stands without a new one. */
const lasting = 3

/** The figures of one deployment: this process's, with what others say. */
class SharedFigures implements LatencyTracker.DeploymentLatency {
  readonly wholes: MergedAverage
  readonly perToken: MergedAverage
  readonly firsts: MergedAverage
  readonly writing: MergedAverage
  private peaked: Heard["peak"]

  constructor(
    readonly own: LatencyTracker.DeploymentLatency,
    private readonly fading: Fading
  ) {
    this.wholes = new MergedAverage(own.wholes, fading.halfLife)
    this.perToken = new MergedAverage(own.perToken, fading.halfLife)
    this.firsts = new MergedAverage(own.firsts, fading.halfLife)
    this.writing = new MergedAverage(own.writing, fading.halfLife)
  }

  hear(heard: Heard | undefined): void {
    this.wholes.heard = heard?.wholes
    this.perToken.heard = heard?.perToken
    this.firsts.heard = heard?.firsts
    this.writing.heard = heard?.writing
    this.peaked = heard?.peak
  }

  firstsBeside(beside: number): LatencyTracker.Average {
    return this.own.firstsBeside(beside)
  }

  duration(now: number): number | undefined {
    return this.wholes.get(now)
  }

  durationPerToken(now: number): number | undefined {
    return this.perToken.get(now)
  }

  timeToFirstToken(now: number): number | undefined {
    return this.firsts.get(now)
  }

  /** A peak that others see is one. */
  peak(now: number): number | undefined {
    const own = this.own.peak(now)
    if (this.peaked === undefined) return own
    return Math.max(own ?? 0, this.peaked.value * Math.exp((this.peaked.heardAt - now) / this.fading.tau))
  }

  failurePenalty(now: number): number {
    return this.own.failurePenalty(now)
  }

  get isFailing(): boolean {
    return this.own.isFailing
  }

  get running(): number {
    return this.own.running
  }

  get unanswered(): number {
    return this.own.unanswered
  }

  get oldestUnanswered(): number | undefined {
    return this.own.oldestUnanswered
  }

  quantile(q: number, stream: boolean, now: number): number | undefined {
    return this.own.quantile(q, stream, now)
  }

  samples(stream: boolean, now: number): number {
    return this.own.samples(stream, now)
  }
}

/** The tracker over a guarded engine, for as long as the scope lives. It looks once before it is given back. */
export const make = (
  guard: EngineGuard,
  options: LatencyTracker.Options = {},
  pace: Pace = {}
): Effect.Effect<Context.Tag.Service<LatencyTracker.LatencyTracker>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const { defaults } = LatencyTracker
    const { halfLife = defaults.halfLife, tau = defaults.tau } = options
    const fading = { halfLife: toMs(halfLife), tau: toMs(tau) }
    const refresh = toMs(pace.refresh ?? 2_000)
    const local = LatencyTracker.make(options)
    const all = new Map<string, SharedFigures>()
    const { boards } = guard.engine
    let heard: ReadonlyMap<string, Heard> = new Map()

    const cell = Slot.key("sharedLatency", (deployment, slot) => {
      const made = new SharedFigures(local.of(slot), fading)
      made.hear(heard.get(deployment.id))
      all.set(deployment.id, made)
      return made
    })

    const look = Effect.suspend(() =>
      guard.mode() === "local"
        ? Effect.void
        : Effect.map(guard.ask(boards.read(board)), (posted) => {
            const others = posted.filter(({ member }) => member !== guard.id)
            heard = read(others, fading, nowMs(clock))
            for (const [id, figures] of all) figures.hear(heard.get(id))
          })
    )
    const tell = Effect.suspend(() => {
      const own = [...all].map(([id, figures]) => [id, figures.own] as const)
      if (guard.mode() === "local" || own.length === 0) return Effect.void
      return guard.ask(boards.post(board, guard.id, written(own, nowMs(clock)), lasting * refresh))
    })
    yield* Effect.ignore(look)
    const round = Effect.zipRight(Effect.ignore(tell), Effect.ignore(look))
    yield* Background.run(Effect.forever(Effect.zipRight(Effect.sleep(refresh), round)))

    return {
      of: (slot) => slot.get(cell),
      group: local.group,
      begin: (slot, stream, now) => {
        slot.get(cell)
        return local.begin(slot, stream, now)
      }
    }
  })
