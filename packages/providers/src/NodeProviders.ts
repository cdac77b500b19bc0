/**
 * Every provider that this package knows, over connections of Node's own: what `Router.layer` stands on in an app that has no wishes
 * for its transport.
 */
import type { DeploymentService } from "@switchyard/core/DeploymentService"
import { Layer } from "effect"
import * as Providers from "./Providers.js"
import * as UndiciTransport from "./transport/UndiciTransport.js"

/**
 * `Providers.layer` over `UndiciTransport.layer`, both with their defaults.
 *
 * @example
 * ```ts
 * import * as NodeProviders from "@switchyard/providers/NodeProviders"
 * import * as Router from "@switchyard/router/Router"
 * import { Layer } from "effect"
 *
 * const deployments = [{ id: "eu", group: "smart", model: "gpt-4o", baseUrl: "https://eu.example.com/v1" }]
 * const Live = Layer.provide(Router.layer({ deployments }), NodeProviders.layer)
 * ```
 */
export const layer: Layer.Layer<DeploymentService> = Layer.fresh(Layer.provide(Providers.layer, UndiciTransport.layer))
