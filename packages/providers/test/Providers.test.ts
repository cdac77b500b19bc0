import { assert, describe, it } from "@effect/vitest"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Service from "@switchyard/core/Service"
import { closed } from "@switchyard/core/Status"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import * as Providers from "@switchyard/providers/Providers"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Either, Layer } from "effect"
import * as S from "./support/support.js"

describe("Providers", () => {
  it.scopedLive("an attempt goes to the service that speaks the deployment's protocol", () =>
    Effect.gen(function* () {
      const openai = StubLlm.make({ text: "openai" })
      const other = StubLlm.make({ text: "other" })
      const service = Providers.make({ openai: openai.attempts, other: other.attempts })
      yield* S.call(service, S.chat(), {})
      yield* S.call(service, S.chat(), { protocol: "other" })
      assert.deepStrictEqual([openai.calls.length, other.calls.length], [1, 1])
    })
  )

  it.scopedLive("a protocol that nobody speaks is Unavailable, so that another deployment is asked", () =>
    Effect.gen(function* () {
      const service = Providers.make({ openai: StubLlm.make().attempts })
      for (const protocol of ["telepathy", "toString", "__proto__"]) {
        const error = yield* Effect.flip(S.call(service, S.chat(), { protocol }))
        assert.strictEqual(error.reason, "Unavailable")
        assert.strictEqual(error.code, "unknown_protocol")
        assert.strictEqual(error.deployment, "d1")
        assert.include(error.description, protocol)
      }
    })
  )

  it("the status is that of the service that would be asked", () => {
    const shut = closed("isolated", undefined, "operator")
    const service = Providers.make({
      openai: StubLlm.make().attempts,
      other: Service.attempt(
        () => Effect.never,
        () => shut
      )
    })
    assert.strictEqual(service.status(StubLlm.slot("a"), S.chat(), 0)._tag, "Open")
    assert.strictEqual(service.status(StubLlm.slot("a", { protocol: "other" }), S.chat(), 0), shut)
    assert.strictEqual(service.status(StubLlm.slot("a", { protocol: "none" }), S.chat(), 0)._tag, "Open")
  })

  it("a configuration with unknown protocols is refused, every place named, with what is supported", () => {
    const deployments = [
      StubLlm.deployment("a"),
      StubLlm.deployment("b", { protocol: "telepathy" }),
      StubLlm.deployment("c", { protocol: "smoke" })
    ]
    const checked = Providers.check(deployments)
    assert.isTrue(Either.isLeft(checked))
    assert.deepStrictEqual(Either.isLeft(checked) ? checked.left.issues : [], [
      {
        path: "deployments[1].protocol",
        value: '"telepathy"',
        expected:
          "one of openai, responses, azure, anthropic, gemini, vertex, bedrock, sagemaker, watsonx, snowflake, oci, cohere, ollama"
      },
      {
        path: "deployments[2].protocol",
        value: '"smoke"',
        expected:
          "one of openai, responses, azure, anthropic, gemini, vertex, bedrock, sagemaker, watsonx, snowflake, oci, cohere, ollama"
      }
    ])
    assert.isTrue(Either.isRight(Providers.check(deployments, ["openai", "telepathy", "smoke"])))
  })

  it.scopedLive("what is said to be supported is what the package speaks", () =>
    Effect.gen(function* () {
      const transport = yield* S.transportOf(S.undici)
      assert.deepStrictEqual(Object.keys(Providers.protocols(transport)), [...Providers.supported])
    })
  )

  it.scopedLive.each([
    ["Providers.layer", Providers.layer],
    ["OpenAiCompatible.layer", OpenAiCompatible.layer],
    ["OpenAiCompatible.layerWith", OpenAiCompatible.layerWith({ connectTimeout: "1 second" })]
  ] as const)("%s provides a base service over the transport", ([, layer]) =>
    Effect.gen(function* () {
      const up = yield* FakeProvider.make({ name: "up" })
      const response = yield* Effect.flatMap(DeploymentService, (service) =>
        S.call(service, S.chat(), { baseUrl: up.url })
      ).pipe(Effect.provide(Layer.provide(layer, S.undici.layer)))
      assert.include(S.complete(response).raw, "Hello from up")
    })
  )

  it("deployments on clouds that lack what every request needs are told, and no others", () => {
    const w = { protocol: "watsonx", baseUrl: "https://w.example" }
    const deployments = [
      w,
      { ...w, project: "p" },
      { ...w, model: "deployment/d" },
      { protocol: "oci" },
      { protocol: "oci", project: "c" },
      { protocol: "snowflake" },
      { protocol: "openai" }
    ].map((one, index) => StubLlm.slot(`d${index}`, { model: "m", ...one }).deployment)
    assert.deepStrictEqual(
      Providers.unusable(deployments).map(({ index, problem }) => `${index} ${problem.split(":")[0]}`),
      [
        "0 watsonx needs a project or a space",
        "3 OCI needs a compartment",
        "5 Snowflake needs the account's base URL, or SNOWFLAKE_ACCOUNT_ID in the environment"
      ]
    )
  })
})
