import { assert, describe, it } from "@effect/vitest"
import { DeploymentId } from "@switchyard/core/Deployment"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Route from "@switchyard/core/Route"
import * as Balancer from "@switchyard/router/Balancer"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as Ordered from "@switchyard/router/RoutingStrategy/Ordered"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Layer } from "effect"
import { choose, slotsOf } from "./support.js"

const strategy = Ordered.make()

describe("Ordered", () => {
  it("asks one without a priority last, so that it does not outrank a configured one", () => {
    const slots = slotsOf({}, { priority: 7 })
    assert.strictEqual(choose(strategy, slots), "b")
    assert.strictEqual(choose(strategy, slotsOf({}, {})), "a")
  })
  it("asks the lowest priority value first, wherever it stands in the list", () => {
    assert.strictEqual(choose(strategy, slotsOf({ priority: 3 }, { priority: -1 }, { priority: 2 })), "b")
  })

  it("asks in the order of the configuration among equals, and spreads nothing", () => {
    const slots = slotsOf({}, {}, {})
    assert.deepStrictEqual(
      Array.from({ length: 20 }, () => choose(strategy, slots)),
      Array.from({ length: 20 }, () => "a")
    )
  })

  it("goes to the next while the first is closed, and back", () => {
    const slots = slotsOf({ priority: 1 }, { priority: 2 }, { priority: 3 })
    assert.strictEqual(choose(strategy, slots, { isClosed: (slot) => slot.id === "a" }), "b")
    assert.strictEqual(choose(strategy, slots, { isClosed: (slot) => slot.id !== "c" }), "c")
    assert.strictEqual(choose(strategy, slots), "a")
    assert.strictEqual(choose(strategy, slots, { isClosed: () => true }), undefined)
    assert.strictEqual(choose(strategy, []), undefined)
  })

  it.effect(
    "moves to the next within a request in which the first failed, and the next request begins with the first",
    () =>
      Effect.gen(function* () {
        const stub = StubLlm.make(({ deployment }) =>
          deployment === "a" ? { fail: { reason: "Authentication", description: "no key", status: 401 } } : {}
        )
        const Live = Balancer.layer.pipe(
          Layer.provide(Layer.succeed(DeploymentService, stub.attempts)),
          Layer.provide(Ordered.layer),
          Layer.provide(
            DeploymentRegistry.layer({
              deployments: [
                { id: "b", group: "m", model: "m", priority: 2 },
                { id: "a", group: "m", model: "m", priority: 1 }
              ]
            })
          ),
          Layer.provide(DeploymentStats.layerMemory)
        )
        const service = yield* Effect.provide(LlmService, Live)
        const first = LlmRequest.begin(LlmRequest.chat({ model: "m", messages: [{ role: "user" }] }), 0)
        const again = { ...first, route: Route.avoid(first.route, DeploymentId("a")) }
        yield* Effect.flip(service.call(first))
        yield* service.call(again)
        yield* Effect.flip(service.call(LlmRequest.begin(first, 0)))
        assert.deepStrictEqual(
          stub.calls.map((call) => call.deployment as string),
          ["a", "b", "a"]
        )
      })
  )
})
