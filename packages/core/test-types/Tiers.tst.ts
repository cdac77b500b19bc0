import type { Attempt } from "@switchyard/core/Attempt"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import { LlmService } from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { Context, Effect, Layer } from "effect"
import { describe, expect, test } from "tstyche"

declare const attemptLayer: Service.AttemptLayer
declare const requestLayer: Service.RequestLayer
declare const attempts: Service.AttemptService
declare const requests: Service.RequestService

describe("layers as values", () => {
  test("a layer goes around a service of its own tier", () => {
    expect(attemptLayer).type.toBeCallableWith(attempts)
    expect(requestLayer).type.toBeCallableWith(requests)
    expect(attemptLayer(attempts)).type.toBe<Service.AttemptService>()
    expect(attempts.pipe(attemptLayer, attemptLayer)).type.toBe<Service.AttemptService>()
  })

  test("a layer of the attempt tier does not go around a request service", () => {
    expect(attemptLayer).type.not.toBeCallableWith(requests)
  })

  test("a layer of the request tier does not go around an attempt service", () => {
    expect(requestLayer).type.not.toBeCallableWith(attempts)
  })

  test("nor does either stand in for the other", () => {
    expect<Service.AttemptLayer>().type.not.toBeAssignableFrom<Service.RequestLayer>()
    expect<Service.RequestLayer>().type.not.toBeAssignableFrom<Service.AttemptLayer>()
    expect<Service.RequestService>().type.not.toBeAssignableFrom<Service.AttemptService>()
    expect<Service.AttemptService>().type.not.toBeAssignableFrom<Service.RequestService>()
  })

  test("an attempt layer must answer status: a call alone is no attempt service", () => {
    expect<Service.AttemptService>().type.not.toBeAssignableFrom<Service.Service<Attempt>>()
  })

  test("mapped layers keep their tier", () => {
    expect(Service.mapAttempt((call) => call)).type.toBe<Service.AttemptLayer>()
    expect(Service.mapRequest((call) => call)).type.toBe<Service.RequestLayer>()
  })
})

describe("onion layers", () => {
  class Tracker extends Context.Tag("Tracker")<Tracker, { readonly size: number }>() {}
  const onAttempts = Service.wrap(DeploymentService, Effect.succeed(attemptLayer))
  const onRequests = Service.wrap(LlmService, Effect.succeed(requestLayer))

  test("wrap provides and requires the same tag, and what else its making needs", () => {
    expect(onAttempts).type.toBe<Layer.Layer<DeploymentService, never, DeploymentService>>()
    expect(onRequests).type.toBe<Layer.Layer<LlmService, never, LlmService>>()
    expect(
      Service.wrap(
        LlmService,
        Effect.map(Tracker, () => requestLayer)
      )
    ).type.toBe<Layer.Layer<LlmService, never, LlmService | Tracker>>()
    expect(
      Service.wrap(
        DeploymentService,
        Effect.flatMap(Tracker, () => Effect.fail("wrong" as const))
      )
    ).type.toBe<Layer.Layer<DeploymentService, "wrong", DeploymentService | Tracker>>()
  })

  test("wrap refuses a layer of the other tier", () => {
    expect(Service.wrap<DeploymentService, Service.AttemptService, never, never>).type.not.toBeCallableWith(
      DeploymentService,
      Effect.succeed(requestLayer)
    )
    expect(Service.wrap<LlmService, Service.RequestService, never, never>).type.not.toBeCallableWith(
      LlmService,
      Effect.succeed(attemptLayer)
    )
  })

  test("on the right tier the requirement is met", () => {
    const base = Layer.succeed(DeploymentService, attempts)
    expect(onAttempts.pipe(Layer.provide(onAttempts), Layer.provide(base))).type.toBe<Layer.Layer<DeploymentService>>()
  })

  test("on the wrong tier the requirement stays open, so the stack is no finished layer", () => {
    const base = Layer.succeed(DeploymentService, attempts)
    const wrong = onRequests.pipe(Layer.provide(onAttempts), Layer.provide(base))
    expect(wrong).type.toBe<Layer.Layer<LlmService, never, LlmService>>()
    expect(wrong).type.not.toBeAssignableTo<Layer.Layer<LlmService>>()
    const upsideDown = onAttempts.pipe(Layer.provide(Layer.succeed(LlmService, requests)))
    expect(upsideDown).type.not.toBeAssignableTo<Layer.Layer<DeploymentService>>()
    expect(Effect.runPromise<unknown, unknown>).type.not.toBeCallableWith(
      Effect.provide(
        Effect.flatMap(LlmService, () => Effect.void),
        wrong
      )
    )
  })

  test("the wrong service is not provided under a tag", () => {
    expect(Layer.succeed<LlmService, Service.RequestService>).type.not.toBeCallableWith(LlmService, attempts)
    expect(Layer.succeed<DeploymentService, Service.AttemptService>).type.not.toBeCallableWith(
      DeploymentService,
      requests
    )
  })
})
