import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import type { Slot } from "@switchyard/core/Slot"
import * as CooldownState from "@switchyard/router/CooldownState"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect } from "effect"
import { simulate } from "../support/schedules.js"

const strategies = [
  "simple-shuffle",
  "round-robin",
  "ordered",
  "priority-based",
  "least-busy",
  "usage-based-routing",
  "rate-limit-aware",
  "latency-based-routing",
  "cost-based-routing",
  "peak-ewma",
  "least-expected-latency",
  "objective",
  "sticky"
]

type Member = Partial<DeploymentConfig> & { readonly id: string }

const setup = (strategy: string, members: ReadonlyArray<Member>, options: Partial<Router.Options> = {}) =>
  Effect.gen(function* () {
    const stub = StubLlm.make()
    const deployments = members.map((member) => ({ group: "m", model: "m", ...member }))
    const tower = yield* Router.make({ deployments, strategy, ...options }, stub.attempts)
    const ask = (sessionKey: string) =>
      Effect.scoped(
        LlmService.complete(
          tower.service,
          LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] }, { sessionKey })
        )
      )
    return {
      tower,
      /** The share of `n` sequential calls that a deployment gets. */
      share: (id: string, n: number) =>
        Effect.gen(function* () {
          const before = stub.calls.length
          for (let i = 0; i < n; i++) {
            yield* ask(`session ${i}`)
            if (i % 5 === 4) yield* Effect.sleep(100)
          }
          return stub.calls.slice(before).filter(({ deployment }) => deployment === id).length / n
        })
    }
  })

describe("a weight of 0 drains", () => {
  for (const strategy of strategies) {
    it.effect(`under ${strategy}: such a deployment is for when nothing else is left`, () =>
      Effect.gen(function* () {
        // It is the first, the cheapest, the most preferred, and of the first tier.
        const drained = { id: "a", weight: 0, priority: 0, order: 1, inputPrice: 0, outputPrice: 0 }
        for (const order of [1, 2]) {
          const { share, tower } = yield* setup(strategy, [drained, { id: "b", priority: 1, order }])
          assert.strictEqual(yield* share("a", 20), 0, `order ${order}`)
          const cooldowns = Context.get(tower.state, CooldownState.CooldownState)
          yield* cooldowns.isolate("b")
          assert.strictEqual(yield* share("a", 5), 1, `order ${order}, nothing else left`)
        }
        const { share } = yield* setup(strategy, [drained, { id: "b", weight: 0 }], { retry: false })
        assert.isAbove(yield* share("a", 20), 0, "all drain")
      }).pipe(Effect.scoped, simulate)
    )
  }
})

describe("a recovered deployment with slow start", () => {
  const recover = (slot: Slot, tower: Router.Built) =>
    Effect.gen(function* () {
      const cooldowns = Context.get(tower.state, CooldownState.CooldownState)
      yield* cooldowns.cool(slot, "1 second")
      yield* Effect.sleep("2 seconds")
    })

  for (const strategy of strategies.filter((name) => name !== "ordered")) {
    it.effect(`gets less than its usual traffic under ${strategy}, and then all of it`, () =>
      Effect.gen(function* () {
        const members = [
          { id: "a", inputPrice: 1, outputPrice: 1 },
          { id: "b", inputPrice: 1, outputPrice: 1 }
        ]
        const { share, tower } = yield* setup(strategy, members, {
          cooldown: { successThreshold: 1, slowStart: "10 minutes" }
        })
        const usual = yield* share("b", 30)
        const slot = Context.get(tower.state, DeploymentRegistry.DeploymentRegistry).slot("b")
        if (slot === undefined) return assert.fail("no such slot")
        yield* recover(slot, tower)
        yield* share("b", 20)
        const slow = yield* share("b", 200)
        assert.isBelow(slow, 0.25, `usually ${usual}`)
        assert.isAbove(slow, 0)
        yield* Effect.sleep("10 minutes")
        const later = yield* share("b", 50)
        assert.isAbove(later, Math.min(0.3, usual / 2), `usually ${usual}`)
      }).pipe(Effect.scoped, simulate)
    )
  }

  it.effect("is not waited for where it stands alone, or all are recovering", () =>
    Effect.gen(function* () {
      for (const ids of [["a"], ["a", "b"]]) {
        const { share, tower } = yield* setup(
          "round-robin",
          ids.map((id) => ({ id })),
          { cooldown: { successThreshold: 1, slowStart: "10 minutes" } }
        )
        for (const slot of Context.get(tower.state, DeploymentRegistry.DeploymentRegistry).slots()) {
          yield* recover(slot, tower)
        }
        assert.strictEqual(yield* share("a", 20), 1 / ids.length)
      }
    }).pipe(Effect.scoped, simulate)
  )
})
