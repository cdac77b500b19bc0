/**
 * A routing strategy of one's own: fill the local model first, and spill over to the cloud only what it has no room for.
 * A strategy is any layer that provides `RoutingStrategy`; what it reads (here the calls in flight) it names in its
 * requirements.
 *
 * Run it: node --conditions=@switchyard/source --import tsx examples/custom-strategy/main.ts
 */
import * as BaseService from "@switchyard/core/BaseService"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Balancer from "@switchyard/router/Balancer"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import { lowest, RoutingStrategy, uniform } from "@switchyard/router/RoutingStrategy"
import { Console, Effect, Layer, Stream } from "effect"

/** The strategy: deployments tagged `local` first while they have fewer than `room` calls in flight, then the others. */
const layerSpillover = (options: {
  readonly room: number
}): Layer.Layer<RoutingStrategy, never, DeploymentStats.DeploymentStats> =>
  Layer.effect(
    RoutingStrategy,
    Effect.gen(function* () {
      const stats = yield* DeploymentStats.DeploymentStats
      const random = yield* uniform
      return {
        name: "Spillover",
        select: (candidates) =>
          lowest(candidates, random, (_, index) => {
            const slot = candidates.at(index)
            const { inFlight } = stats.of(slot)
            const hasRoom = slot.deployment.tags.includes("local") && inFlight < options.room
            return hasRoom ? -1 : inFlight
          })
      }
    })
  )

/** A base service in place of a provider: it answers after a while, the local model more slowly than the cloud. */
const Models: Layer.Layer<DeploymentService> = Layer.succeed(
  DeploymentService,
  BaseService.make({
    complete: ({ model }) =>
      Effect.delay(
        Effect.succeed({ model, choices: [{ message: { role: "assistant", content: "Hello." } }] }),
        model.startsWith("llama") ? 120 : 40
      ),
    stream: () => Stream.make({ choices: [{ delta: { content: "Hello." }, finish_reason: "stop" }] })
  })
)

const State = Layer.merge(
  DeploymentStats.layerMemory,
  DeploymentRegistry.layer({
    deployments: [
      { id: "workstation", group: "chat", model: "llama-3.3-70b", provider: "ollama", tags: ["local"] },
      { id: "cloud-1", group: "chat", model: "gpt-4o" },
      { id: "cloud-2", group: "chat", model: "gpt-4o" }
    ]
  })
)

const Live = Balancer.layer.pipe(
  Layer.provide(Models),
  Layer.provide(layerSpillover({ room: 2 })),
  Layer.provideMerge(State)
)

const ask = (name: string) =>
  Effect.flatMap(
    LlmService.complete(LlmRequest.chat({ model: "chat", messages: [{ role: "user", content: `I am ${name}` }] })),
    ({ journal }) => {
      const { deployment, latency } = journal.report()
      return Console.log(`  ${name.padEnd(8)} was answered by ${deployment} after ${Math.round(latency)} ms`)
    }
  )

const program = Effect.gen(function* () {
  yield* Console.log("One after the other, the workstation has room for each:")
  yield* Effect.forEach(["Ada", "Grace", "Alan"], ask)
  yield* Console.log("All at once, it takes two, and the rest spill over:")
  yield* Effect.forEach(["Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald"], ask, { concurrency: "unbounded" })
  const stats = yield* DeploymentStats.DeploymentStats
  const registry = yield* DeploymentRegistry.DeploymentRegistry
  yield* Console.log("In all:")
  for (const slot of registry.slots()) yield* Console.log(`  ${slot.id}: ${stats.of(slot).successes} calls`)
})

Effect.runPromise(Effect.provide(program, Live)).catch((error) => {
  console.error(error)
  process.exitCode = 1
})
