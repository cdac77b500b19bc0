/**
 * All states that processes share over an engine, in place of those of one process: what a tower is given so that what it decides
 * holds over all of them.
 */
import { Context, Effect, type Scope } from "effect"
import { CallerWindows } from "../limits/CallerWindows.js"
import { UsageWindows } from "../limits/UsageWindows.js"
import type { EngineGuard } from "./EngineGuard.js"
import * as SharedCallerWindows from "./SharedCallerWindows.js"
import * as SharedUsageWindows from "./SharedUsageWindows.js"

/** Options of the states. */
export interface Options extends SharedUsageWindows.Options {}

/** The use of deployments' limits and of callers'. */
export type SharedStates = UsageWindows | CallerWindows

/** The states over a guarded engine, for as long as the scope lives. */
export const make = (
  guard: EngineGuard,
  options: Options = {}
): Effect.Effect<Context.Context<SharedStates>, never, Scope.Scope> =>
  Effect.gen(function* () {
    return Context.make(UsageWindows, yield* SharedUsageWindows.make(guard, options)).pipe(
      Context.add(CallerWindows, yield* SharedCallerWindows.make(guard, options))
    )
  })
