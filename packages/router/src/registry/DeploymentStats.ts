/**
 * Plain figures per deployment: what is in flight, and how calls ended so far. The Balancer writes them; strategies,
 * dashboards and reports read them.
 */
import type { Outcome } from "@switchyard/core/Outcome"
import * as Slot from "@switchyard/core/Slot"
import { total } from "@switchyard/core/Usage"
import { Context, Layer } from "effect"
import * as State from "../stack/State.js"
import { type LastMinute as Counted, lastMinuteOf } from "../time/lastMinute.js"

/** The figures of one deployment. Counters count attempts, since the process began. */
export interface Stats {
  /** Attempts that have begun and not ended; a stream counts until its end. */
  inFlight: number
  requests: number
  successes: number
  /** Attempts that failed by the deployment's fault, as its breaker sees it. */
  failures: number
  /** Attempts that failed otherwise: by a mistake of the caller, or a bound of its own. */
  blameless: number
  /** Attempts whose caller left. */
  abandoned: number
  /** Tokens of settled attempts, input and output. */
  tokens: number
  /** Successes since the last failure. */
  consecutiveSuccesses: number
  /** Monotonic ms of the last attempt's begin; undefined before the first. */
  lastRequestAt: number | undefined
  /** The last failure, as a reason; undefined before the first. */
  lastError: string | undefined
  /** What the last 60 seconds saw, to the second; also of deployments without limits. `now` is monotonic ms. */
  readonly lastMinute: LastMinute
}

/** What the last 60 seconds saw of one deployment. */
export interface LastMinute {
  /** Attempts that began. */
  requests(now: number): number
  /** Tokens of attempts that ended, input and output. */
  tokens(now: number): number
  /** Attempts that failed by the deployment's fault. */
  failures(now: number): number
}

class Figures implements Stats {
  inFlight = 0
  requests = 0
  successes = 0
  failures = 0
  blameless = 0
  abandoned = 0
  tokens = 0
  consecutiveSuccesses = 0
  lastRequestAt: number | undefined
  lastError: string | undefined

  constructor(readonly lastMinute: Counted) {}
}

/** Notes that an attempt begins. */
export const started = (stats: Stats, now: number): void => {
  stats.inFlight++
  stats.requests++
  stats.lastRequestAt = now
  if (stats instanceof Figures) stats.lastMinute.begin(now)
}

/** Notes how an attempt ended; called once for each `started`. `now` is when: by default as the last attempt began. */
export const settled = (stats: Stats, outcome: Outcome, now: number = stats.lastRequestAt ?? 0): void => {
  const reported = outcome.usage === undefined ? 0 : total(outcome.usage)
  // A service of one's own may say anything, and what is no number would spoil the sum for good.
  const tokens = Number.isFinite(reported) ? reported : 0
  const isFailure = outcome._tag === "Failed" && outcome.error.breaker !== "neutral"
  stats.inFlight--
  stats.tokens += tokens
  if (stats instanceof Figures) stats.lastMinute.end(tokens, isFailure, now)
  switch (outcome._tag) {
    case "Completed":
      stats.successes++
      stats.consecutiveSuccesses++
      break
    case "Failed":
      if (!isFailure) {
        stats.blameless++
        break
      }
      stats.failures++
      stats.consecutiveSuccesses = 0
      stats.lastError = outcome.error.reason
      break
    case "Abandoned":
      stats.abandoned++
  }
}

/** Takes back an attempt that a local limit turned away before a byte was sent. */
export const rejected = (stats: Stats, now: number = stats.lastRequestAt ?? 0): void => {
  stats.inFlight--
  stats.requests--
  if (stats instanceof Figures) stats.lastMinute.takeBack(now)
}

/** Gives the figures of a slot's deployment. */
export class DeploymentStats extends Context.Tag("@switchyard/router/DeploymentStats")<
  DeploymentStats,
  { readonly of: (slot: Slot.Slot) => Stats }
>() {}

/** A value of the service, for composing without Layers. */
export const make = (): Context.Tag.Service<DeploymentStats> => {
  const key = Slot.key<Stats>("stats", (_, slot) => new Figures(lastMinuteOf(slot)))
  return { of: (slot) => slot.get(key) }
}

/** Figures kept in this process. */
export const layerMemory: Layer.Layer<DeploymentStats> = Layer.sync(DeploymentStats, make)

/** What is in flight and was answered, per deployment. */
export class Statistics extends State.make({ name: "stats", tag: DeploymentStats, layer: () => layerMemory }) {}
