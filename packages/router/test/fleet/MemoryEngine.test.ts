import { describe, it } from "@effect/vitest"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as EngineContract from "@switchyard/testing/EngineContract"
import { Effect, TestClock } from "effect"

describe("an engine in memory", () => {
  for (const { check, name } of EngineContract.checks) {
    it.effect(name, () =>
      Effect.flatMap(MemoryEngine.make(), (engine) =>
        check({ engine, pass: (ms) => TestClock.adjust(ms), window: 1000, run: "test" })
      )
    )
  }
})
