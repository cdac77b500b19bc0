/**
 * Breakers that many processes share, as an engine keeps them: who opened, until when, and who may try. Results of calls on
 * closed breakers are each process's own; the engine is asked only where there was trouble.
 */
import type { Effect } from "effect"
import type { EngineError } from "./EngineError.js"

/** A provider's wish to be left alone, ms from the answer on: in its own words, and with what chance added. */
export interface SharedHold {
  readonly named: number
  readonly until: number
}

/** What all processes know of one breaker. Lengths of time are ms from the answer on. */
export interface BreakerWord {
  /** The deployment's id. */
  readonly key: string
  /** Grows with each change of this breaker, and over all of them. */
  readonly version: number
  /** The version in which it opened or closed last: results of calls from before say nothing. 0: it never did. */
  readonly epoch: number
  readonly circuit: "closed" | "open" | "halfOpen"
  /** How long it stays open; 0 when it waits for a trial. */
  readonly lasts: number
  /** Why it opened. */
  readonly reason: string
  /** How often it opened since it was last healthy. */
  readonly trips: number
  /** On trial: successes in a row, calls that may be made at once, calls that are made. */
  readonly successes: number
  readonly permits: number
  readonly probes: number
  /** It was closed by successes on trial, not by hand. */
  readonly recovered: boolean
  /** The version in which all was forgotten by hand. */
  readonly cleared: number
  readonly limit: SharedHold | undefined
  readonly outage: SharedHold | undefined
  /** An operator took the deployment out. */
  readonly isolated: boolean
}

/** A call on trial. */
export interface Probing {
  readonly key: string
  readonly attempt: string
}

/** It opened somewhere, or is to stay open for longer. */
export interface OpenAsk {
  readonly key: string
  readonly reason: string
  readonly lasts: number
  readonly trips: number
  /** Calls at once on the trial that follows. */
  readonly permits: number
  /** The call on trial that failed: one whose permit is gone has no say any more. */
  readonly attempt?: string | undefined
}

/** Asks for a permit of a breaker that is half-open, or due. */
export interface ProbeAsk {
  readonly key: string
  /** Names the call, in all processes: asked again under this name, it is the same call. Callers have no say in it. */
  readonly attempt: string
  /** How long the permit is held without a word of its process, ms. */
  readonly lease: number
  /** Calls at once before the first success. */
  readonly permits: number
  /** What its process knows: an engine that knows nothing, or less, goes on from that. */
  readonly epoch: number
  readonly trips: number
  readonly reason: string
  /** The call is made already: its permit is noted, whether there is one or not. */
  readonly made?: boolean | undefined
}

/** How a call on trial ended. */
export interface ConcludeAsk extends Probing {
  /** False: it said nothing about the deployment. */
  readonly succeeded: boolean
  /** So many successes in a row close it. */
  readonly enough: number
  /** It had no permit, and counts all the same: the last resort. */
  readonly forced?: boolean | undefined
}

/** The breakers of many processes. Each operation is atomic. */
export interface BreakerEngine {
  readonly open: (ask: OpenAsk) => Effect.Effect<BreakerWord, EngineError>
  readonly probe: (
    ask: ProbeAsk
  ) => Effect.Effect<{ readonly admitted: boolean; readonly word: BreakerWord }, EngineError>
  readonly conclude: (ask: ConcludeAsk) => Effect.Effect<BreakerWord, EngineError>
  /**
   * Closes it where nothing has changed since `epoch`; without one in any case, and then wishes of the provider are forgotten
   * too.
   */
  readonly close: (key: string, epoch: number | undefined) => Effect.Effect<BreakerWord, EngineError>
  /** The provider asked to be left alone: only ever extended. */
  readonly hold: (
    key: string,
    kind: "limit" | "outage",
    named: number,
    until: number
  ) => Effect.Effect<BreakerWord, EngineError>
  /** An operator takes a deployment out, or gives it back. */
  readonly isolate: (key: string, isolated: boolean) => Effect.Effect<BreakerWord, EngineError>
  /** Holds permits for `lease` ms from now on; gives those that are held no more. */
  readonly renew: (held: ReadonlyArray<Probing>, lease: number) => Effect.Effect<ReadonlyArray<Probing>, EngineError>
  /** All breakers that have changed after a version; of 0 all that anything is known of. */
  readonly look: (since: number) => Effect.Effect<ReadonlyArray<BreakerWord>, EngineError>
}

/** How long what closed, and nothing else, is remembered, ms: longer than any process goes without looking. */
export const remembered = 600_000
