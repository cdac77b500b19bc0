/** An API of `HttpApi` as an app of the control plane. */
import * as Etag from "@effect/platform/Etag"
import type * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Path from "@effect/platform/Path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeHttpPlatform from "@effect/platform-node/NodeHttpPlatform"
import { Effect, Layer } from "effect"

/** No cache keeps an answer: all of it is about this moment. */
const unkept = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  "cache-control" in response.headers ? response : HttpServerResponse.setHeader(response, "cache-control", "no-store")

/** The app of an API with its handlers. Names in its paths may be long, and are told apart by their case. */
export const appOf = (api: Layer.Layer<HttpApi.Api>): Effect.Effect<HttpApp.Default> => {
  const services = Layer.mergeAll(NodeHttpPlatform.layer, NodeFileSystem.layer, Path.layer, Etag.layerWeak)
  return Effect.gen(function* () {
    const context = yield* Layer.build(services)
    const app = yield* HttpApiBuilder.httpApp
    return Effect.map(Effect.provide(app, context), unkept)
  }).pipe(
    HttpRouter.withRouterConfig({ caseSensitive: true, maxParamLength: Number.MAX_SAFE_INTEGER }),
    Effect.provide([api, HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer]),
    Effect.scoped
  )
}
