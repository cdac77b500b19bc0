import type { DeploymentService } from "@switchyard/core/DeploymentService"
import type { LlmService } from "@switchyard/core/LlmService"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import * as Retry from "@switchyard/router/Retry"
import * as Router from "@switchyard/router/Router"
import * as Timeouts from "@switchyard/router/Timeouts"
import { Layer } from "effect"
import { describe, expect, test } from "tstyche"

declare const base: Layer.Layer<DeploymentService>
declare const requests: Layer.Layer<LlmService>

describe("a layer without required options", () => {
  test("is a value: a call too many does not compile", () => {
    expect(Timeouts.layer).type.not.toBeAssignableTo<(...args: ReadonlyArray<never>) => unknown>()
    expect(LatencyTracker.layerMemory).type.not.toBeAssignableTo<(...args: ReadonlyArray<never>) => unknown>()
    expect(Layer.provide(Timeouts.layer, base)).type.toBe<Layer.Layer<DeploymentService>>()
  })

  test("has no options that could be wrong, and so no error", () => {
    expect(Timeouts.layer).type.toBe<Layer.Layer<DeploymentService, never, DeploymentService>>()
    expect(LatencyTracker.layerMemory).type.toBe<Layer.Layer<LatencyTracker.LatencyTracker>>()
  })
})

describe("the same with options", () => {
  test("needs them: a forgotten call does not compile", () => {
    expect(Retry.layerWith).type.toBeCallableWith({ attempts: 3 })
    expect(Retry.layerWith).type.not.toBeCallableWith()
    expect(Layer.provide).type.not.toBeCallableWith(Retry.layerWith, requests)
    expect(Layer.provide).type.not.toBeCallableWith(Timeouts.layer, Timeouts.layerWith)
  })
})

describe("a layer that cannot do without options", () => {
  test("is a function: a forgotten call does not compile", () => {
    expect(Router.layer).type.toBeCallableWith({ deployments: [] })
    expect(Router.layer).type.not.toBeCallableWith()
    expect(Layer.provide).type.not.toBeCallableWith(Router.layer, base)
  })
})
