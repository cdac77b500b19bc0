/**
 * All states that processes share over an engine, in place of those of one process: what a tower is given so that what it decides
 * holds over all of them.
 */
import { Context, Effect, type Scope } from "effect"
import * as CooldownState from "../breaker/CooldownState.js"
import type { EngineGuard } from "../fleet/EngineGuard.js"
import { CallerWindows } from "../limits/CallerWindows.js"
import { UsageWindows } from "../limits/UsageWindows.js"
import * as SharedCallerWindows from "./SharedCallerWindows.js"
import * as SharedCooldownState from "./SharedCooldownState.js"
import * as SharedUsageWindows from "./SharedUsageWindows.js"

/** Options of the states. */
export interface Options extends SharedUsageWindows.Options {}

/** The use of deployments' limits and of callers', and how a tower makes its breakers. */
export type SharedStates = UsageWindows | CallerWindows | CooldownState.Making

/** The states over a guarded engine, for as long as the scope lives. */
export const make = (
  guard: EngineGuard,
  options: Options = {}
): Effect.Effect<Context.Context<SharedStates>, never, Scope.Scope> =>
  Effect.gen(function* () {
    return Context.make(UsageWindows, yield* SharedUsageWindows.make(guard, options)).pipe(
      Context.add(CallerWindows, yield* SharedCallerWindows.make(guard, options)),
      Context.add(CooldownState.Making, (deps) => SharedCooldownState.make(guard, deps, options))
    )
  })
