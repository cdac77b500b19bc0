import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import type { Engine } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as Pinning from "@switchyard/router/Pinning"
import * as SharedPins from "@switchyard/router/SharedPins"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, type Scope } from "effect"
import { reachable } from "../fleet/reachable.js"
import { simulate } from "../support/schedules.js"

const chat = (more: Record<string, unknown> = {}) =>
  LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }], ...more })

const process = (shared: Engine, id: string) =>
  Effect.gen(function* () {
    let asked = 0
    const { engine, state } = reachable({
      ...shared,
      values: {
        ...shared.values,
        get: (key) => {
          asked++
          return shared.values.get(key)
        }
      }
    })
    const guard = yield* EngineGuard.make(engine, { id })
    const stub = StubLlm.make()
    const target = StubLlm.deployment("stub")
    const service = stub.requests.pipe(
      Pinning.make({}, yield* SharedPins.make(guard), (name) => (name === "stub" ? target : undefined))
    )
    return { state, service, stub, asked: () => asked, last: () => stub.calls.at(-1)?.request }
  })

const scoped = <A, E>(body: Effect.Effect<A, E, Scope.Scope>) => simulate(Effect.scoped(body))

describe("pins over an engine", () => {
  it.effect("a conversation that one process began goes on in another, at the deployment that knows it", () =>
    scoped(
      Effect.gen(function* () {
        const engine = yield* MemoryEngine.make()
        const [a, b] = [yield* process(engine, "a"), yield* process(engine, "b")]
        yield* LlmService.complete(a.service, chat({ store: true }))
        yield* Effect.yieldNow()
        yield* LlmService.complete(b.service, chat({ previous_response_id: "chatcmpl-stub" }))
        assert.deepStrictEqual(b.last()?.demands, { deployment: "stub" })
        assert.strictEqual(b.asked(), 1)
        yield* LlmService.complete(b.service, chat({ previous_response_id: "chatcmpl-stub" }))
        assert.strictEqual(b.asked(), 1, "what was learned once is known")
      })
    )
  )

  it.effect(
    "what it saw itself, and requests without state, ask nobody; of what nobody knows it asks once a minute",
    () =>
      scoped(
        Effect.gen(function* () {
          const a = yield* process(yield* MemoryEngine.make(), "a")
          yield* LlmService.complete(a.service, chat())
          yield* LlmService.complete(a.service, chat({ previous_response_id: "chatcmpl-stub" }))
          assert.strictEqual(a.asked(), 0)
          for (let n = 0; n < 3; n++)
            yield* LlmService.complete(a.service, chat({ previous_response_id: "resp_other" }))
          assert.strictEqual(a.asked(), 1)
          assert.isUndefined(a.last()?.demands.deployment)
          yield* Effect.sleep("61 seconds")
          yield* LlmService.complete(a.service, chat({ previous_response_id: "resp_other" }))
          assert.strictEqual(a.asked(), 2)
        })
      )
  )

  it.effect("the id of a chat that nobody keeps is told to nobody", () =>
    scoped(
      Effect.gen(function* () {
        const engine = yield* MemoryEngine.make()
        const [a, b] = [yield* process(engine, "a"), yield* process(engine, "b")]
        yield* LlmService.complete(a.service, chat())
        yield* Effect.yieldNow()
        yield* LlmService.complete(b.service, chat({ previous_response_id: "chatcmpl-stub" }))
        assert.isUndefined(b.last()?.demands.deployment)
      })
    )
  )

  it.effect("an engine that is away knows nothing, and nothing fails", () =>
    scoped(
      Effect.gen(function* () {
        const engine = yield* MemoryEngine.make()
        const [a, b] = [yield* process(engine, "a"), yield* process(engine, "b")]
        yield* LlmService.complete(a.service, chat({ store: true }))
        b.state.isAway = true
        yield* LlmService.complete(b.service, chat({ previous_response_id: "chatcmpl-stub" }))
        assert.isUndefined(b.last()?.demands.deployment)
        yield* LlmService.complete(b.service, chat({ store: true }))
        assert.strictEqual(b.stub.calls.length, 2)
      })
    )
  )
})
