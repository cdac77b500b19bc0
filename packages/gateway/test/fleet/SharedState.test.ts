/** What workers of one machine share over the engine of the process that started them. */
import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { nowMs } from "@switchyard/core/Time"
import { silent } from "@switchyard/gateway/RequestLog"
import * as SharedState from "@switchyard/gateway/SharedState"
import { CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import type { Engine } from "@switchyard/router/Engine"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, TestClock } from "effect"

const settings: Router.Options = {
  deployments: [{ id: "one", group: "m", model: "m" }],
  cooldown: { failures: 1, jitter: 0, duration: "1 hour" },
  retry: false
}

/** An engine, and how often something was asked of it. */
const counting = (engine: Engine): { readonly engine: Engine; readonly asked: () => number } => {
  let asked = 0
  const counted = <A extends object>(member: A): A =>
    new Proxy(member, {
      get: (target, name) => {
        const found: unknown = Reflect.get(target, name)
        if (typeof found === "object" && found !== null) return counted(found)
        if (typeof found !== "function") return found
        return (...args: ReadonlyArray<unknown>) => {
          const question = Reflect.apply(found, target, args) as Effect.Effect<unknown>
          return Effect.suspend(() => {
            asked++
            return question
          })
        }
      }
    })
  return { engine: counted(engine), asked: () => asked }
}

const worker = (engine: Engine) =>
  Effect.gen(function* () {
    const shared = yield* SharedState.make({ redis: undefined }, silent, engine)
    if (shared === undefined) return yield* Effect.dieMessage("nothing is shared")
    const stub = StubLlm.make()
    const tower = yield* Effect.provide(Router.make(settings, stub.attempts), shared.states)
    const [slot] = Context.get(tower.state, DeploymentRegistry).slots()
    const clock = yield* Effect.clock
    return {
      stub,
      send: Effect.suspend(() =>
        Effect.either(tower.service.call(LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })))
      ),
      circuit: () =>
        slot === undefined ? undefined : Context.get(tower.state, CooldownState).inspect(slot, nowMs(clock)).circuit
    }
  })

describe("workers that share over their primary", () => {
  it.scoped("ask it seldom while they have nothing to do: three times in a second at most", () =>
    Effect.gen(function* () {
      const { asked, engine } = counting(yield* MemoryEngine.make())
      yield* worker(engine)
      yield* TestClock.adjust("10 seconds")
      const before = asked()
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(asked() - before, 3 * 60)
      assert.isAbove(asked() - before, 0)
    })
  )
  it.scoped("all the same a breaker that opens in one is open in the other at once", () =>
    Effect.gen(function* () {
      const engine = yield* MemoryEngine.make()
      const [one, other] = [yield* worker(engine), yield* worker(engine)]
      one.stub.reply({ fail: { reason: "Unavailable", description: "down" } })
      yield* one.send
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual([one.circuit(), other.circuit()], ["open", "open"])
    })
  )
})
