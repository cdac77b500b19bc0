/**
 * Plain figures per deployment: what is in flight, and how calls ended so far. The Balancer writes them; strategies,
 * dashboards and reports read them.
 */
import type { Outcome } from "@switchyard/core/Outcome"
import * as Slot from "@switchyard/core/Slot"
import { total } from "@switchyard/core/Usage"
import { Context, Layer } from "effect"

/** The figures of one deployment. Counters count attempts, since the process began. */
export interface Stats {
  /** Attempts that have begun and not ended; a stream counts until its end. */
  inFlight: number
  requests: number
  successes: number
  failures: number
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
}

const empty = (): Stats => ({
  inFlight: 0,
  requests: 0,
  successes: 0,
  failures: 0,
  abandoned: 0,
  tokens: 0,
  consecutiveSuccesses: 0,
  lastRequestAt: undefined,
  lastError: undefined
})

/** Notes that an attempt begins. */
export const started = (stats: Stats, now: number): void => {
  stats.inFlight++
  stats.requests++
  stats.lastRequestAt = now
}

/** Notes how an attempt ended; called once for each `started`. */
export const settled = (stats: Stats, outcome: Outcome): void => {
  stats.inFlight--
  if (outcome.usage !== undefined) stats.tokens += total(outcome.usage)
  switch (outcome._tag) {
    case "Completed":
      stats.successes++
      stats.consecutiveSuccesses++
      break
    case "Failed":
      stats.failures++
      stats.consecutiveSuccesses = 0
      stats.lastError = outcome.error.reason
      break
    case "Abandoned":
      stats.abandoned++
  }
}

/** Takes back an attempt that a local limit turned away before a byte was sent. */
export const rejected = (stats: Stats): void => {
  stats.inFlight--
  stats.requests--
}

/** Gives the figures of a slot's deployment. */
export class DeploymentStats extends Context.Tag("@switchyard/router/DeploymentStats")<
  DeploymentStats,
  { readonly of: (slot: Slot.Slot) => Stats }
>() {}

/** A value of the service, for composing without Layers. */
export const make = (): Context.Tag.Service<DeploymentStats> => {
  const key = Slot.key<Stats>("stats", empty)
  return { of: (slot) => slot.get(key) }
}

/** Figures kept in this process. */
export const layerMemory: Layer.Layer<DeploymentStats> = Layer.sync(DeploymentStats, make)
