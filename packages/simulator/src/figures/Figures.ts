/** Gathers what happens in a simulation, and tells it as one result. */
import type { LlmError } from "@switchyard/core/LlmError"
import type { IncidentTimes } from "../upstream/conditions.js"
import type { SimulatedUpstream } from "../upstream/SimulatedUpstream.js"
import { Samples } from "./quantiles.js"
import type { IncidentResult, Moment, Result, Spread } from "./Result.js"
import { reactions } from "./reactions.js"

/** An incident, and whom it befalls. */
export interface Befallen {
  readonly times: IncidentTimes
  readonly deployments: ReadonlyArray<string>
}

/** What figures are about. */
export interface FiguresOptions {
  /** Ms that come before the first request that counts. */
  readonly warmUp: number
  readonly objective: { readonly latency: number; readonly firstToken: number }
  readonly upstreams: ReadonlyArray<SimulatedUpstream>
  readonly incidents: ReadonlyArray<Befallen>
  /** Ms of one moment. */
  readonly moment: number
}

/** One request that is over. */
export interface Ended {
  readonly startedAt: number
  readonly endedAt: number
  /** Undefined for plain calls, and where none came. */
  readonly firstContentAt: number | undefined
  readonly error: LlmError | undefined
  readonly attempts: number
}

interface MomentFigures {
  requests: number
  completed: number
  failed: number
  latency: Samples
  calls: Float64Array
}

const spreadOf = (samples: Samples): Spread => ({
  p50: samples.quantile(0.5),
  p95: samples.quantile(0.95),
  p99: samples.quantile(0.99),
  mean: samples.mean
})

/** The figures of one variant. */
export class Figures {
  private readonly latency = new Samples()
  private readonly firstToken = new Samples()
  private readonly anyEnd = new Samples()
  private readonly errors = new Map<string, number>()
  private readonly parts: Array<MomentFigures> = []
  /** Calls by deployment and second. */
  private readonly calls: ReadonlyArray<Array<number>>
  private requests = 0
  private completed = 0
  private good = 0
  private attempts = 0

  constructor(private readonly options: FiguresOptions) {
    this.calls = options.upstreams.map(() => [])
    for (const [index, upstream] of options.upstreams.entries()) {
      const calls = this.calls[index] as Array<number>
      upstream.onCall = (now) => {
        const second = Math.floor(now / 1000)
        while (calls.length <= second) calls.push(0)
        calls[second] = (calls[second] ?? 0) + 1
        const part = this.partAt(now)
        part.calls[index] = (part.calls[index] ?? 0) + 1
      }
    }
  }

  private partAt(now: number): MomentFigures {
    const at = Math.floor(now / this.options.moment)
    while (this.parts.length <= at) {
      const calls = new Float64Array(this.options.upstreams.length)
      this.parts.push({ requests: 0, completed: 0, failed: 0, latency: new Samples(), calls })
    }
    return this.parts[at] as MomentFigures
  }

  /** A request has come. */
  begun(now: number): void {
    this.partAt(now).requests++
  }

  /** A request is over. */
  ended({ attempts, endedAt, error, firstContentAt, startedAt }: Ended): void {
    const took = endedAt - startedAt
    const part = this.partAt(endedAt)
    if (error === undefined) {
      part.completed++
      part.latency.add(took)
    } else part.failed++
    if (startedAt < this.options.warmUp) return
    this.requests++
    this.attempts += attempts
    this.anyEnd.add(took)
    if (error !== undefined) {
      this.errors.set(error.reason, (this.errors.get(error.reason) ?? 0) + 1)
      return
    }
    const { objective } = this.options
    const first = firstContentAt === undefined ? took : firstContentAt - startedAt
    this.completed++
    this.latency.add(took)
    if (firstContentAt !== undefined) this.firstToken.add(first)
    if (took <= objective.latency && first <= objective.firstToken) this.good++
  }

  /** Everything so far. */
  result(about: Pick<Result, "variant" | "strategy" | "seed" | "isPartial" | "simulated" | "lasted">): Result {
    const { incidents, moment, upstreams, warmUp } = this.options
    const all = upstreams.reduce((sum, { counts }) => sum + counts.calls, 0)
    const seconds = Math.max(1, about.lasted - warmUp) / 1000
    const sum = (of: (upstream: SimulatedUpstream) => number): number =>
      upstreams.reduce((sum, one) => sum + of(one), 0)
    const ids = upstreams.map(({ id }) => id)
    return {
      ...about,
      requests: this.requests,
      completed: this.completed,
      good: this.good,
      goodput: this.good / seconds,
      errors: Object.fromEntries([...this.errors].sort(([a], [b]) => (a < b ? -1 : 1))),
      latency: spreadOf(this.latency),
      firstToken: spreadOf(this.firstToken),
      anyEnd: spreadOf(this.anyEnd),
      attemptsPerRequest: this.attempts / this.requests,
      failedAttempts: sum(({ counts }) => counts.failed),
      limited: sum(({ counts }) => counts.limited),
      cost: sum(({ counts }) => counts.cost),
      deployments: upstreams.map(({ counts, id }) => {
        const { left: _, ...told } = counts
        return { id, share: all === 0 ? 0 : counts.calls / all, ...told }
      }),
      incidents: incidents.flatMap(
        (one): ReadonlyArray<IncidentResult> =>
          reactions(
            one,
            one.deployments.map((id) => this.calls[ids.indexOf(id)] ?? []),
            this.calls,
            about.simulated
          )
      ),
      moments: this.parts.map(
        ({ calls, completed, failed, latency, requests }, index): Moment => ({
          at: index * moment,
          requests,
          completed,
          failed,
          p50: latency.quantile(0.5),
          p95: latency.quantile(0.95),
          calls: [...calls]
        })
      )
    }
  }
}
