/**
 * What several gateways share, opened as a configuration says.
 */
import { randomUUID } from "node:crypto"
import * as RedisEngine from "@switchyard/redis/RedisEngine"
import type { Engine } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as SharedStates from "@switchyard/router/SharedStates"
import { type Context, Effect, type Scope } from "effect"
import type { GatewayConfig } from "../config/GatewayConfig.js"
import type { RequestLog } from "../log/RequestLog.js"

/** State of all gateways together. */
export interface SharedState {
  readonly guard: EngineGuard.EngineGuard
  /** What towers are given in place of this process's own. */
  readonly states: Context.Context<SharedStates.SharedStates>
}

/**
 * How often workers ask their primary for what it tells them anyway, and for what may be late: no word is lost on a pipe between two
 * processes of one machine. At the pace of a Redis each of them asked 13 questions a second with nothing to do, which cost primary and
 * two workers some 40 ms of CPU in each.
 */
const overPipes = { breakersEvery: "5 seconds", retriesEvery: "2 seconds" } as const

/** Tells where decisions are made, each time that it changes. */
const telling =
  (engine: string, log: Pick<RequestLog, "note">) =>
  ({ error, mode, replicas }: EngineGuard.ModeChange): void =>
    mode === "local"
      ? log.note("warn", "state_local", {
          engine,
          replicas: replicas.count,
          message: `this gateway decides by itself, with its share of every limit: ${error?.message ?? ""}`
        })
      : log.note("info", "state_shared", { engine, replicas: replicas.count })

/**
 * Opens what a configuration names, or else over the engine of the process that started this one, until the scope closes; undefined
 * where there is neither. An engine that can't be reached is
 * no failure: until it is there this gateway decides by itself.
 */
export const make = (
  { redis }: Pick<GatewayConfig, "redis">,
  log: Pick<RequestLog, "note">,
  primary?: Engine
): Effect.Effect<SharedState | undefined, never, Scope.Scope> => {
  if (redis === undefined && primary === undefined) return Effect.succeed(undefined)
  return Effect.gen(function* () {
    const isPiped = redis === undefined && primary !== undefined
    const engine = isPiped ? primary : yield* RedisEngine.make(redis as RedisEngine.Options)
    const guard = yield* EngineGuard.make(engine, {
      id: randomUUID(),
      onChange: telling(engine.name, log),
      ...(isPiped ? { every: "2 seconds", lasts: "6 seconds" } : {})
    })
    return { guard, states: yield* SharedStates.make(guard, isPiped ? overPipes : {}) }
  })
}
