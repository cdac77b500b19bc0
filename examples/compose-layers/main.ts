/**
 * A router composed of its layers, outermost first, in an Effect app. It runs as it is, against two loopback upstreams of
 * which one is down; put your own endpoints and keys in their place.
 */
import { NodeRuntime } from "@effect/platform-node"
import * as FakeProvider from "@switchyard/testing/FakeProvider"

// snippet:start compose

import * as ChatChunk from "@switchyard/core/ChatChunk"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Providers from "@switchyard/providers/Providers"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import * as Balancer from "@switchyard/router/Balancer"
import * as Cooldown from "@switchyard/router/Cooldown"
import * as CooldownState from "@switchyard/router/CooldownState"
import * as Deadline from "@switchyard/router/Deadline"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as Fallback from "@switchyard/router/Fallback"
import * as Latency from "@switchyard/router/Latency"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import * as Retry from "@switchyard/router/Retry"
import * as RetryBudget from "@switchyard/router/RetryBudget"
import * as LatencyBased from "@switchyard/router/RoutingStrategy/LatencyBased"
import * as Timeouts from "@switchyard/router/Timeouts"
import { Console, Effect, Layer, Stream } from "effect"

const router = (deployments: DeploymentRegistry.RegistryConfig["deployments"]) =>
  Deadline.layerWith({ deadline: "1 minute" }).pipe(
    Layer.provide(Fallback.layerWith({ chains: { general: { smart: ["spare"] } } })),
    Layer.provide(Retry.layerWith({ attempts: 3 })),
    Layer.provide(Balancer.layer), //                 requests name a group above, attempts a deployment below
    Layer.provide(Cooldown.layerWith({ failures: 5, duration: "30 seconds" })),
    Layer.provide(Latency.layer),
    Layer.provide(Timeouts.layerWith({ idle: "20 seconds" })),
    Layer.provide(Providers.layer), //                  the base service: OpenAI-compatible HTTP
    Layer.provide(UndiciTransport.layer),
    Layer.provide(LatencyBased.layerWith({ buffer: 0.1 })), // the routing strategy
    Layer.provide([LatencyTracker.layerMemoryWith({ alpha: 0.2 }), RetryBudget.layerMemory]),
    Layer.provide([CooldownState.layerMemory, DeploymentStats.layerMemory]),
    Layer.provide(DeploymentRegistry.layer({ deployments }))
  )

const program = Effect.gen(function* () {
  const request = LlmRequest.chat({ model: "smart", messages: [{ role: "user", content: "Where to?" }] })
  const answer = yield* LlmService.complete(request)
  yield* Console.log(ChatChunk.completionText(answer.body))
  const { attempts, deployment } = answer.journal.report()
  yield* Console.log(`${deployment} answered, after ${attempts.length} attempts`)
  yield* Stream.runForEach(LlmService.stream(request), ({ json }) =>
    Effect.sync(() => process.stdout.write(ChatChunk.text(json)))
  )
})
// snippet:end compose

const main = Effect.gen(function* () {
  const down = yield* FakeProvider.make({ name: "down", behaviour: { status: 503 } })
  const up = yield* FakeProvider.make({ name: "up", behaviour: { reply: "To the next station.\n" } })
  const deployment = (id: string, group: string, baseUrl: string) => ({
    id,
    group,
    model: "any",
    baseUrl,
    apiKey: "sk"
  })
  const deployments = [deployment("first", "smart", down.url), deployment("second", "spare", up.url)]
  yield* Effect.provide(program, router(deployments))
})

NodeRuntime.runMain(Effect.scoped(main))
