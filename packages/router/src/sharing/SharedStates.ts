/**
 * All states that processes share over an engine, in place of those of one process: what a tower is given so that what it decides
 * holds over all of them.
 */
import { Context, type Duration, Effect, type Scope } from "effect"
import * as CooldownState from "../breaker/CooldownState.js"
import { CacheStore } from "../cache/CacheStore.js"
import type { EngineGuard } from "../fleet/EngineGuard.js"
import * as LatencyTracker from "../latency/LatencyTracker.js"
import { CallerWindows } from "../limits/CallerWindows.js"
import { UsageWindows } from "../limits/UsageWindows.js"
import { IssuedIds } from "../pinning/Pinning.js"
import * as RetryBudget from "../retry/RetryBudget.js"
import * as SharedCacheStore from "./SharedCacheStore.js"
import * as SharedCallerWindows from "./SharedCallerWindows.js"
import * as SharedCooldownState from "./SharedCooldownState.js"
import * as SharedLatencyTracker from "./SharedLatencyTracker.js"
import * as SharedPins from "./SharedPins.js"
import * as SharedRetryBudget from "./SharedRetryBudget.js"
import * as SharedUsageWindows from "./SharedUsageWindows.js"

/** Options of the states. */
export interface Options extends SharedUsageWindows.Options {
  /**
   * How often the breakers of others are looked up besides when they tell of a change. Default `refresh`; much longer where no
   * word of theirs can be lost.
   */
  readonly breakersEvery?: Duration.DurationInput
  /** How often processes look who lends a retry, and who has run out of them. Default 250 ms. */
  readonly retriesEvery?: Duration.DurationInput
}

/**
 * The use of deployments' limits and of callers', answers and who issued what; and how a tower makes its breakers, its retry
 * budget and its figures of latency, of which each has its own options.
 */
export type SharedStates =
  | UsageWindows
  | CallerWindows
  | CacheStore
  | IssuedIds
  | CooldownState.Making
  | RetryBudget.Making
  | LatencyTracker.Making

/** The states over a guarded engine, for as long as the scope lives. */
export const make = (
  guard: EngineGuard,
  options: Options = {}
): Effect.Effect<Context.Context<SharedStates>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { breakersEvery, retriesEvery } = options
    const ofBreakers = breakersEvery === undefined ? options : { ...options, refresh: breakersEvery }
    const ofRetries: SharedRetryBudget.Pace = retriesEvery === undefined ? {} : { refresh: retriesEvery }
    return Context.make(UsageWindows, yield* SharedUsageWindows.make(guard, options)).pipe(
      Context.add(CallerWindows, yield* SharedCallerWindows.make(guard, options)),
      Context.add(CacheStore, SharedCacheStore.make(guard)),
      Context.add(IssuedIds, yield* SharedPins.make(guard)),
      Context.add(CooldownState.Making, (deps) => SharedCooldownState.make(guard, deps, ofBreakers)),
      Context.add(RetryBudget.Making, (own) => SharedRetryBudget.make(guard, own, ofRetries)),
      Context.add(LatencyTracker.Making, (own) => SharedLatencyTracker.make(guard, own))
    )
  })
