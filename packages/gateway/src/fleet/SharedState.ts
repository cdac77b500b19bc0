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
    const engine =
      redis === undefined && primary !== undefined ? primary : yield* RedisEngine.make(redis as RedisEngine.Options)
    const guard = yield* EngineGuard.make(engine, { id: randomUUID(), onChange: telling(engine.name, log) })
    return { guard, states: yield* SharedStates.make(guard) }
  })
}
