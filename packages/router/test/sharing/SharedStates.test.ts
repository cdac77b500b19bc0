/** Whole towers in processes of their own, as a gateway builds them, over one engine. */
import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { nowMs } from "@switchyard/core/Time"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import type { Engine } from "@switchyard/router/Engine"
import * as EngineGuard from "@switchyard/router/EngineGuard"
import { LatencyTracker } from "@switchyard/router/LatencyTracker"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import { RetryBudget } from "@switchyard/router/RetryBudget"
import * as Router from "@switchyard/router/Router"
import * as SharedStates from "@switchyard/router/SharedStates"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, Either } from "effect"
import { simulate } from "../support/schedules.js"

const deployments: ReadonlyArray<DeploymentConfig> = ["one", "two"].map((id) => ({ id, group: "m", model: "m" }))

const settings: Router.Options = {
  deployments,
  cache: {},
  cooldown: { failures: 1, jitter: 0, successThreshold: 1, duration: "5 seconds" },
  retryBudget: { share: 0, perSecond: 2 },
  retry: { attempts: 1 }
}

const chat = (content: string) => LlmRequest.chat({ model: "m", messages: [{ role: "user", content }] })

const process = (engine: Engine, id: string, options: Router.Options = settings) =>
  Effect.gen(function* () {
    const guard = yield* EngineGuard.make(engine, { id })
    const states = yield* SharedStates.make(guard)
    const stub = StubLlm.make()
    // As a gateway builds it: where nothing may be interrupted, and all the same it has to end.
    const tower = yield* Effect.uninterruptible(Effect.provide(Router.make(options, stub.attempts), states))
    const clock = yield* Effect.clock
    const slots = Context.get(tower.state, DeploymentRegistry).slots()
    return {
      tower,
      stub,
      slots,
      send: (content: string) => Effect.suspend(() => Effect.either(tower.service.call(chat(content)))),
      circuits: () => slots.map((slot) => Context.get(tower.state, CooldownState).inspect(slot, nowMs(clock)).circuit),
      durations: () => slots.map((slot) => Context.get(tower.state, LatencyTracker).of(slot).duration(nowMs(clock))),
      retries: () => Context.get(tower.state, RetryBudget).balance(nowMs(clock))
    }
  })

describe("towers over an engine", () => {
  it.effect("share breakers, answers, latencies and the retry budget, each with its own options", () =>
    simulate(
      Effect.scoped(
        Effect.gen(function* () {
          const engine = yield* MemoryEngine.make()
          const [a, b] = [yield* process(engine, "a"), yield* process(engine, "b")]
          a.stub.reply(({ deployment }) =>
            deployment === "one" ? { fail: { reason: "Unavailable", description: "down" } } : { delay: 300 }
          )
          for (let n = 0; n < 4; n++) yield* a.send(`${n}`)
          yield* Effect.sleep("3 seconds")
          assert.deepStrictEqual(b.circuits(), ["open", "closed"])
          assert.deepStrictEqual(
            b.durations().map((ms) => (ms === undefined ? undefined : Math.round(ms))),
            [undefined, 300]
          )
          assert.strictEqual(b.retries(), 10, "a half of what one process has within its window")
          const asked = b.stub.calls.length
          const answered = (yield* b.send("3")).pipe(Either.getOrThrow)
          assert.strictEqual(answered.journal.cache, "hit")
          assert.strictEqual(b.stub.calls.length, asked)
          yield* Effect.sleep("3 seconds")
          for (let n = 10; n < 20; n++) yield* b.send(`${n}`)
          yield* Effect.sleep("1 second")
          assert.deepStrictEqual(a.circuits(), ["closed", "closed"])
        })
      )
    )
  )
})
