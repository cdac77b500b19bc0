import { it } from "@effect/vitest"
import type * as RedisConnection from "@switchyard/redis/RedisConnection"
import * as RedisEngine from "@switchyard/redis/RedisEngine"
import * as EngineContract from "@switchyard/testing/EngineContract"
import { Effect } from "effect"

let runs = 0

/** Holds an engine to what every engine must do; `window` in ms of real time. */
export const contract = (options: () => RedisConnection.Options, window: number): void => {
  for (const { check, name } of EngineContract.checks) {
    it.live(name, () =>
      Effect.scoped(
        Effect.flatMap(
          RedisEngine.make({ timeout: "10 seconds", startTimeout: "10 seconds", ...options() }),
          (engine) => check({ engine, pass: (ms) => Effect.sleep(ms), window, run: `run ${++runs}` })
        )
      )
    )
  }
}
