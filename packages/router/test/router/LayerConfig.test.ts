import { assert, describe, it } from "@effect/vitest"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Config, ConfigProvider, Effect, Either, Layer } from "effect"

const options = Config.map(
  Config.all({ key: Config.redacted("EU_KEY"), group: Config.withDefault(Config.string("GROUP"), "smart") }),
  ({ group, key }) => ({ deployments: [{ id: "eu", group, model: "m", apiKey: key }] })
)

const ask = (variables: ReadonlyArray<readonly [string, string]>) =>
  Effect.map(LlmService.complete(LlmRequest.chat({ model: "smart", messages: [] })), ({ journal }) =>
    String(journal.report().deployment)
  ).pipe(
    Effect.provide(
      Router.layerConfig(options).pipe(Layer.provide(Layer.succeed(DeploymentService, StubLlm.make().attempts)))
    ),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(variables))),
    Effect.either
  )

describe("Router.layerConfig", () => {
  it.effect("takes the options from Effect's Config", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ask([["EU_KEY", "sk-1"]]), Either.right("eu"))
    })
  )

  it.effect("fails with what is missing, and with what is wrong", () =>
    Effect.gen(function* () {
      assert.include(String(yield* ask([])), "EU_KEY")
      const wrong = String(
        yield* ask([
          ["EU_KEY", "sk-secret"],
          ["GROUP", ""]
        ])
      )
      assert.include(wrong, "deployments")
      assert.notInclude(wrong, "sk-secret")
    })
  )
})
