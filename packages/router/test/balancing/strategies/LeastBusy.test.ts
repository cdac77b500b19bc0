import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Balancer from "@switchyard/router/Balancer"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as LeastBusy from "@switchyard/router/RoutingStrategy/LeastBusy"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Fiber, Layer, TestClock } from "effect"
import { chiSquare, chiSquareLimit, choose, seeded, slotsOf, tally } from "./support.js"

const setup = (
  inFlight: ReadonlyArray<number>,
  configs: ReadonlyArray<Partial<DeploymentConfig>> = inFlight.map(() => ({}))
) => {
  const stats = DeploymentStats.make()
  const slots = slotsOf(...configs)
  slots.forEach((slot, i) => {
    stats.of(slot).inFlight = inFlight[i] ?? 0
  })
  return { slots, strategy: LeastBusy.make({ stats, random: seeded("least busy") }) }
}

describe("LeastBusy", () => {
  it("chooses the one with the fewest calls in flight", () => {
    const { slots, strategy } = setup([3, 1, 2])
    assert.strictEqual(choose(strategy, slots), "b")
    assert.strictEqual(choose(strategy, slots, { isClosed: (slot) => slot.id === "b" }), "c")
  })

  it("measures calls in flight against the weight", () => {
    const { slots, strategy } = setup([3, 2], [{ weight: 4 }, {}])
    assert.strictEqual(choose(strategy, slots), "a")
  })

  it("breaks ties evenly", () => {
    const { slots, strategy } = setup([1, 0, 0, 0])
    const counts = tally(strategy, slots, 9000)
    assert.isBelow(chiSquare(counts, [0, 1, 1, 1]), chiSquareLimit(3), String(counts))
  })

  it("takes a weight of 0 last, and the least busy one of them when there is nothing else", () => {
    const { slots, strategy } = setup([0, 5, 1], [{ weight: 0 }, { weight: 0 }, {}])
    assert.strictEqual(choose(strategy, slots), "c")
    assert.strictEqual(choose(strategy, slots, { isClosed: (slot) => slot.id === "c" }), "a")
    const zeros = setup([2, 1, 3], [{ weight: 0 }, { weight: 0 }, { weight: 0 }])
    assert.deepStrictEqual(tally(zeros.strategy, zeros.slots, 50), [0, 50, 0])
  })

  it("chooses nothing among none and among closed ones", () => {
    const { slots, strategy } = setup([0, 0])
    assert.strictEqual(choose(strategy, []), undefined)
    assert.strictEqual(choose(strategy, slots, { isClosed: () => true }), undefined)
  })

  it.effect("spreads concurrent calls evenly, whoever leaves, and ends with nothing in flight", () =>
    Effect.gen(function* () {
      const stub = StubLlm.make({ delay: "1 second" })
      const Stats = DeploymentStats.layerMemory
      const Registry = DeploymentRegistry.layer({
        deployments: ["a", "b", "c", "d"].map((id) => ({ id, group: "m", model: "m" }))
      })
      const Live = Balancer.layer.pipe(
        Layer.provide(Layer.succeed(DeploymentService, stub.attempts)),
        Layer.provide(LeastBusy.layer),
        Layer.provideMerge(Registry),
        Layer.provideMerge(Stats)
      )
      const inFlight = Effect.gen(function* () {
        const { of } = yield* DeploymentStats.DeploymentStats
        const { slots } = yield* DeploymentRegistry.DeploymentRegistry
        return slots().map((slot) => of(slot).inFlight)
      })
      yield* Effect.provide(
        Effect.gen(function* () {
          const call = LlmService.complete(LlmRequest.chat({ model: "m", messages: [{ role: "user" }] }))
          const fibers = yield* Effect.forEach(Array.from({ length: 40 }), () => Effect.fork(call))
          yield* Effect.yieldNow()
          assert.deepStrictEqual(yield* inFlight, [10, 10, 10, 10])
          yield* Fiber.interruptAll(fibers.slice(0, 20))
          yield* TestClock.adjust("1 second")
          yield* Fiber.joinAll(fibers.slice(20))
          assert.deepStrictEqual(yield* inFlight, [0, 0, 0, 0])
        }),
        Live
      )
    })
  )
})
