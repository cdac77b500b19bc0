import type { ConfigError } from "@switchyard/core/ConfigError"
import type { DeploymentService } from "@switchyard/core/DeploymentService"
import type { LlmService } from "@switchyard/core/LlmService"
import type * as Service from "@switchyard/core/Service"
import * as Concern from "@switchyard/router/Concern"
import { Cooldown } from "@switchyard/router/Cooldown"
import { Breakers, CooldownState } from "@switchyard/router/CooldownState"
import { LatencyTracker } from "@switchyard/router/LatencyTracker"
import { Retry } from "@switchyard/router/Retry"
import * as Router from "@switchyard/router/Router"
import * as Stack from "@switchyard/router/Stack"
import * as State from "@switchyard/router/State"
import { Context, Effect, Layer, Schema } from "effect"
import { describe, expect, test } from "tstyche"

declare const attempts: Service.AttemptLayer
declare const requests: Service.RequestLayer

class AttemptLog extends Concern.attempt({ name: "attemptLog", make: () => attempts }) {}
class Redaction extends Concern.request({
  name: "redaction",
  options: Schema.Struct({ words: Schema.optional(Schema.Array(Schema.String)) }),
  make: () => requests
}) {}
class Vault extends Context.Tag("app/Vault")<Vault, { readonly key: string }>() {}
class Vaults extends State.required("vault", Vault) {}
class Guard extends Concern.request({ name: "guard", state: [Vaults], make: () => Effect.as(Vault, requests) }) {}

const { standard } = Router
const deployments = [{ id: "a", group: "m", model: "m" }]

describe("a stack is changed by name", () => {
  test("a name that is not there does not compile", () => {
    expect(standard.insertAfter).type.not.toBeCallableWith("cooldwn", AttemptLog)
    expect(standard.remove).type.not.toBeCallableWith("nothing")
    expect(standard.remove("pinning").remove).type.not.toBeCallableWith("pinning")
    expect(standard.insertAfter).type.toBeCallableWith("cooldown", AttemptLog)
  })
  test("nor does a concern of the wrong tier, and the error says which is which", () => {
    expect(standard.insertAfter).type.not.toBeCallableWith("cooldown", Redaction)
    expect(standard.insertBefore).type.not.toBeCallableWith("balancer", AttemptLog)
    expect(standard.insertAfter).type.toBeCallableWith("balancer", AttemptLog)
    expect(standard.insertBefore).type.toBeCallableWith("balancer", Redaction)
    expect(standard.replace).type.not.toBeCallableWith("retry", AttemptLog)
    expect(Stack.make).type.not.toBeCallableWith({
      request: [Retry, AttemptLog],
      turn: standard.concerns[0],
      attempt: []
    })
  })
  test("nor does a name twice, or a tower without its turn", () => {
    expect(standard.append).type.not.toBeCallableWith(Cooldown)
    expect(standard.append(Redaction).append).type.not.toBeCallableWith(Redaction)
    expect(standard.remove).type.not.toBeCallableWith("balancer")
  })
})

describe("the options of a stack", () => {
  test("are those of its concerns, and no others", () => {
    const stack = standard.append(Redaction)
    expect(Router.layer).type.toBeCallableWith({ deployments, stack, redaction: { words: ["x"] } })
    expect(Router.layer).type.not.toBeCallableWith({ deployments, coldown: {} })
    expect(Router.layer).type.not.toBeCallableWith({ deployments, cooldown: { failres: 3 } })
    expect(Router.layer).type.not.toBeCallableWith({ deployments, prices: false })
    expect(Router.layer).type.toBeCallableWith({ deployments, cooldown: false, metrics: false })
  })
})

describe("what a stack needs", () => {
  test("of the app shows in the layer, and is gone with the concern", () => {
    type Made<R> = Layer.Layer<LlmService | Router.Tower, ConfigError, R>
    expect(Router.layer({ deployments })).type.toBe<Made<DeploymentService>>()
    const guarded = standard.append(Guard)
    expect(Router.layer({ deployments, stack: guarded })).type.toBe<Made<DeploymentService | Vault>>()
    expect(Router.layer({ deployments, stack: guarded.remove("guard") })).type.toBe<Made<DeploymentService>>()
  })
  test("a concern reads no state that it does not name, and a state is made of none that it does not name", () => {
    expect(Concern.attempt).type.not.toBeCallableWith({
      name: "undeclared",
      state: [Breakers],
      make: () => Effect.as(LatencyTracker, attempts)
    })
    expect(State.make).type.not.toBeCallableWith({
      name: "undeclared",
      tag: Vault,
      layer: () => Layer.effect(Vault, Effect.as(CooldownState, { key: "" }))
    })
  })
})
