/**
 * Two stacks in one app, composed by hand of the same layers' values, provided at once as apps do.
 */
import { assert, describe, it } from "@effect/vitest"
import * as ChatChunk from "@switchyard/core/ChatChunk"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { complete, LlmService } from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as Balancer from "@switchyard/router/Balancer"
import * as Cache from "@switchyard/router/Cache"
import * as CacheStore from "@switchyard/router/CacheStore"
import * as Cooldown from "@switchyard/router/Cooldown"
import * as CooldownState from "@switchyard/router/CooldownState"
import * as Cost from "@switchyard/router/Cost"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as Latency from "@switchyard/router/Latency"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import * as PriceBook from "@switchyard/router/PriceBook"
import * as RequestEvents from "@switchyard/router/RequestEvents"
import * as Retry from "@switchyard/router/Retry"
import * as RetryBudget from "@switchyard/router/RetryBudget"
import * as RoundRobin from "@switchyard/router/RoutingStrategy/RoundRobin"
import * as Timeouts from "@switchyard/router/Timeouts"
import * as Tracing from "@switchyard/router/Tracing"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Context, Effect, Layer } from "effect"

class Eu extends Context.Tag("Eu")<Eu, Service.RequestService>() {}
class Us extends Context.Tag("Us")<Us, Service.RequestService>() {}

/** A layer of an app's own, bound to a constant as apps do. */
let passed = 0
const counting = Service.wrap(
  LlmService,
  Effect.succeed(
    Service.mapRequest((call) =>
      Effect.suspend(() => {
        passed++
        return call
      })
    )
  )
)

/** The whole way: every layer is one value for both stacks, and the deployments have the same names. */
const stack = (stub: StubLlm.StubLlm) =>
  counting.pipe(
    Layer.provide(RequestEvents.layer),
    Layer.provide(Tracing.layer),
    Layer.provide(Cache.layer.pipe(Layer.provide(CacheStore.layerMemory))),
    Layer.provide(Retry.layer.pipe(Layer.provide(RetryBudget.layerMemory))),
    Layer.provide(Balancer.layer),
    Layer.provide(Cooldown.layer),
    Layer.provide(Latency.layer),
    Layer.provide(Cost.layer.pipe(Layer.provide(PriceBook.layer))),
    Layer.provide(Timeouts.layer),
    Layer.provide(Tracing.layerAttempts),
    Layer.provide(Layer.succeed(DeploymentService, stub.attempts)),
    Layer.provide(RoundRobin.layer),
    Layer.provide([CooldownState.layerMemory, DeploymentStats.layerMemory, LatencyTracker.layerMemory]),
    Layer.provide(
      DeploymentRegistry.layer({ deployments: ["one", "two"].map((id) => ({ id, group: "m", model: "m" })) })
    )
  )

const under = <I>(tag: Context.Tag<I, Service.RequestService>, stub: StubLlm.StubLlm) =>
  Layer.effect(tag, LlmService).pipe(Layer.provide(stack(stub)))

const request = () => LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Where?" }] })

const ask = (service: Service.RequestService) =>
  Effect.map(complete(service, request()), ({ body, journal }) => [
    ChatChunk.completionText(body),
    journal.report().deployment
  ])

const both = () => {
  const eu = StubLlm.make({ text: "from eu" })
  const us = StubLlm.make({ text: "from us" })
  return { eu, us, Live: Layer.merge(under(Eu, eu), under(Us, us)) }
}

describe("two stacks of the same layers in one app", () => {
  it.effect("are each answered by their own upstream, and say so", () => {
    const { eu, Live, us } = both()
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* ask(yield* Eu), ["from eu", "one"])
      assert.deepStrictEqual(yield* ask(yield* Us), ["from us", "one"])
      assert.deepStrictEqual([eu.calls.length, us.calls.length], [1, 1])
    }).pipe(Effect.provide(Live))
  })

  it.effect("have breakers of their own, though they share the service that keeps them", () => {
    const { eu, Live } = both()
    return Effect.gen(function* () {
      eu.reply(({ deployment }) =>
        deployment === "one" ? { fail: { reason: "Authentication", description: "no" } } : { text: "from eu" }
      )
      assert.deepStrictEqual(yield* ask(yield* Eu), ["from eu", "two"])
      assert.deepStrictEqual(yield* ask(yield* Us), ["from us", "one"])
      const again = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "And now?" }] })
      const { journal } = yield* complete(yield* Eu, again)
      assert.deepStrictEqual(
        journal.entries.map(({ deployment }) => String(deployment)),
        ["two"]
      )
    }).pipe(Effect.provide(Live))
  })
})

describe("a layer's value that stands twice in one stack", () => {
  it.effect("is there twice", () => {
    const stub = StubLlm.make()
    passed = 0
    return Effect.gen(function* () {
      yield* LlmService.complete(request())
      assert.strictEqual(passed, 2)
    }).pipe(
      Effect.provide(counting.pipe(Layer.provide(counting), Layer.provide(Layer.succeed(LlmService, stub.requests))))
    )
  })
})
