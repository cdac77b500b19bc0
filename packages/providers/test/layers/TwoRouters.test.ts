/**
 * Two whole routers in one app over the same layers' values, each with an HTTP client of its own: two proxies, two mocks.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import * as ChatChunk from "@switchyard/core/ChatChunk"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { complete, LlmService } from "@switchyard/core/LlmService"
import type { RequestService } from "@switchyard/core/Service"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import * as Providers from "@switchyard/providers/Providers"
import * as Transport from "@switchyard/providers/Transport"
import * as Router from "@switchyard/router/Router"
import { Context, Effect, Layer } from "effect"

class A extends Context.Tag("A")<A, RequestService>() {}
class B extends Context.Tag("B")<B, RequestService>() {}

/** A client whose answers say whose they are. */
const clientOf = (name: string) =>
  Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.make((request) =>
      Effect.succeed(
        HttpClientResponse.fromWeb(
          request,
          Response.json({
            choices: [{ index: 0, message: { role: "assistant", content: name }, finish_reason: "stop" }]
          })
        )
      )
    )
  )

const text = (service: RequestService) =>
  Effect.map(
    complete(service, LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Who?" }] })),
    ({ body }) => ChatChunk.completionText(body)
  )

describe("two routers with an HTTP client each", () => {
  for (const [name, base] of [
    ["Providers.layer", Providers.layer],
    ["OpenAiCompatible.layer", OpenAiCompatible.layer]
  ] as const) {
    it.live(`send each through its own, over ${name}`, () => {
      const under = <I>(tag: Context.Tag<I, RequestService>, client: string) =>
        Layer.effect(tag, LlmService).pipe(
          Layer.provide(Router.layer({ deployments: [{ id: "d", group: "m", model: "m", baseUrl: "http://up/v1" }] })),
          Layer.provide(base),
          Layer.provide(Transport.layerHttpClient),
          Layer.provide(clientOf(client))
        )
      return Effect.gen(function* () {
        assert.deepStrictEqual([yield* text(yield* A), yield* text(yield* B)], ["through a", "through b"])
      }).pipe(Effect.provide(Layer.merge(under(A, "through a"), under(B, "through b"))))
    })
  }
})
