/**
 * The state of a tower, shared by all processes that use the same server and prefix: give it to a router, and its limits and
 * breakers hold over all of them.
 *
 * @example
 * ```ts
 * import * as RedisState from "@switchyard/redis/RedisState"
 * import * as Router from "@switchyard/router/Router"
 * import { Layer } from "effect"
 *
 * const Live = Router.layer({ deployments: [{ id: "eu", group: "smart", model: "gpt-4o", rpm: 500 }] }).pipe(
 *   Layer.provide(RedisState.layer({ url: "redis://127.0.0.1:6379" }))
 * )
 * ```
 */
import { randomUUID } from "node:crypto"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as SharedSpendWindows from "@switchyard/router/SharedSpendWindows"
import * as SharedStates from "@switchyard/router/SharedStates"
import { SpendWindows } from "@switchyard/router/SpendWindows"
import { Context, Effect, Layer } from "effect"
import type * as RedisConnection from "./connection/RedisConnection.js"
import * as RedisEngine from "./RedisEngine.js"

/** How the server is reached, and what is shared by it. */
export interface Options extends RedisConnection.Options, SharedStates.Options {
  /** Told when decisions move from the server to this process, and back. */
  readonly onChange?: EngineGuard.Options["onChange"]
}

/**
 * All that towers share: the use of limits, what was spent, breakers, answers, pins, latencies, the retry budget. A server that
 * can't be reached is no failure: until it is there each process decides by itself, with its share of every limit, and of what was
 * left of each budget.
 */
export const layer = (options: Options = {}): Layer.Layer<SharedStates.SharedStates | SpendWindows> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      const engine = yield* RedisEngine.make(options)
      // Callers know no id of a process, and so none of a call.
      const id = randomUUID()
      const { onChange } = options
      const guard = yield* EngineGuard.make(engine, { id, ...(onChange === undefined ? {} : { onChange }) })
      const states = yield* SharedStates.make(guard, options)
      return Context.add(states, SpendWindows, yield* SharedSpendWindows.make(guard))
    })
  )
