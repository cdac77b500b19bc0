/**
 * A router over loopback upstreams, for the real @effect/ai above it.
 */
import type { LlmService } from "@switchyard/core/LlmService"
import * as Providers from "@switchyard/providers/Providers"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import * as Router from "@switchyard/router/Router"
import type * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Layer } from "effect"

/** The router's layer, as an app composes it. */
export const router = (options: Router.Options): Layer.Layer<LlmService> =>
  Router.layer(options).pipe(Layer.provide(Providers.layer), Layer.provide(UndiciTransport.layer), Layer.orDie)

/** A deployment at a fake upstream. */
export const at = (upstream: FakeProvider.FakeProvider, group = "smart"): Router.Options["deployments"][number] => ({
  id: upstream.name,
  group,
  model: `${upstream.name}-model`,
  baseUrl: upstream.url,
  apiKey: "sk-test",
  inputPrice: 1,
  outputPrice: 2
})

/** The body of the request that an upstream got last. */
export const lastBody = (upstream: FakeProvider.FakeProvider) => {
  const entries = upstream.journal()
  return entries[entries.length - 1]?.body as Record<string, unknown>
}
