import { assert, describe, it } from "@effect/vitest"
import type { CacheEntry } from "@switchyard/router/CacheStore"
import type { Engine } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as SharedCacheStore from "@switchyard/router/SharedCacheStore"
import { Effect, type Scope } from "effect"
import { reachable } from "../fleet/reachable.js"
import { simulate } from "../support/schedules.js"

const key = "sk-caller-secret and a whole prompt"
const headers = { "content-type": "application/json" }
const answer: CacheEntry = { _tag: "Complete", status: 200, headers, raw: '{"id":"1","n":1.0}' }
const stream: CacheEntry = { _tag: "Streaming", status: 200, headers, events: ['{"a":1}', '{"a":"ü"}'] }
const failed: CacheEntry = { _tag: "Failed", error: { reason: "InvalidRequest", description: "no" } }

/** All that an engine is told of values. */
const overheard = (engine: Engine) => {
  const said: Array<string> = []
  const { values } = engine
  const own: Engine = {
    ...engine,
    values: {
      ...values,
      get: (name) => {
        said.push(name)
        return values.get(name)
      },
      set: (name, text, lasts) => {
        said.push(name)
        return values.set(name, text, lasts)
      }
    }
  }
  return { engine: own, said }
}

const process = (shared: Engine, id: string) =>
  Effect.gen(function* () {
    const { engine, state } = reachable(shared)
    const guard = yield* EngineGuard.make(engine, { id })
    return { state, guard, store: SharedCacheStore.make(guard, { maxEntryBytes: 2_000 }) }
  })

const scoped = <A, E>(body: Effect.Effect<A, E, Scope.Scope>) => simulate(Effect.scoped(body))

describe("answers over an engine", () => {
  it.effect("what one process was answered all have, until its time is over", () =>
    scoped(
      Effect.gen(function* () {
        const { engine, said } = overheard(yield* MemoryEngine.make())
        const [a, b] = [yield* process(engine, "a"), yield* process(engine, "b")]
        for (const entry of [answer, stream, failed]) {
          yield* a.store.set(key, entry, 1_000)
          assert.deepStrictEqual(yield* b.store.get(key), entry)
        }
        assert.isUndefined(yield* b.store.get(`${key}!`))
        yield* Effect.sleep("2 seconds")
        assert.isUndefined(yield* b.store.get(key))
        assert.notInclude(said.join(" "), "secret")
        assert.notInclude(said.join(" "), "prompt")
      })
    )
  )

  it.effect("what is larger than it may be stays here, and what is no entry is none", () =>
    scoped(
      Effect.gen(function* () {
        const shared = yield* MemoryEngine.make()
        const { engine, said } = overheard(shared)
        const { store } = yield* process(engine, "a")
        yield* store.set(key, { ...answer, raw: "x".repeat(2_000) }, 1_000)
        assert.isUndefined(yield* store.get(key))
        const [name = ""] = said
        for (const text of [
          "",
          "{",
          "[]",
          '{"_tag":"Complete"}',
          '{"_tag":"Complete","status":200,"headers":{"a":1},"raw":""}'
        ]) {
          yield* shared.values.set(name, text, 1_000)
          assert.isUndefined(yield* store.get(key))
        }
      })
    )
  )

  it.effect("an engine that is away knows nothing, and nothing fails", () =>
    scoped(
      Effect.gen(function* () {
        const { guard, state, store } = yield* process(yield* MemoryEngine.make(), "a")
        yield* store.set(key, answer, 10_000)
        state.isAway = true
        assert.isUndefined(yield* store.get(key))
        yield* store.set(key, stream, 10_000)
        assert.strictEqual(guard.mode(), "shared", "a cache says nothing about admission")
        yield* Effect.sleep("1 second")
        assert.strictEqual(guard.mode(), "local")
        assert.isUndefined(yield* store.get(key))
        state.isAway = false
        yield* Effect.sleep("1 second")
        assert.deepStrictEqual(yield* store.get(key), answer)
      })
    )
  )
})
