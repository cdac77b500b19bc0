/**
 * What is called `layer` in all packages: a value where no option is required, `layerWith(options)` beside it, a function
 * only where something must be said. And which of them a second stack of one app gets anew.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import { LlmService } from "@switchyard/core/LlmService"
import { Transport } from "@switchyard/providers/Transport"
import * as AdmissionRates from "@switchyard/router/AdmissionRates"
import * as CacheStore from "@switchyard/router/CacheStore"
import * as CallerWindows from "@switchyard/router/CallerWindows"
import * as ConcurrencyLimits from "@switchyard/router/ConcurrencyLimits"
import * as CooldownState from "@switchyard/router/CooldownState"
import * as DeploymentRegistry from "@switchyard/router/DeploymentRegistry"
import * as DeploymentStats from "@switchyard/router/DeploymentStats"
import * as Ejections from "@switchyard/router/Ejections"
import * as LatencyTracker from "@switchyard/router/LatencyTracker"
import * as PriceBook from "@switchyard/router/PriceBook"
import * as RetryBudget from "@switchyard/router/RetryBudget"
import * as RouterEvents from "@switchyard/router/RouterEvents"
import * as Ordered from "@switchyard/router/RoutingStrategy/Ordered"
import * as SpendWindows from "@switchyard/router/SpendWindows"
import * as UsageWindows from "@switchyard/router/UsageWindows"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { type Context, Effect, Layer } from "effect"

interface Named {
  readonly name: string
  readonly value: unknown
}

const packages = ["core", "router", "providers", "litellm", "testing", "gateway", "cli"]

/** Public modules of a package whose source speaks of a layer: the others need not be loaded. */
const modules = (name: string): ReadonlyArray<readonly [module: string, path: string]> => {
  const folder = fileURLToPath(new URL(`../../../${name}/`, import.meta.url))
  const { exports = {} } = JSON.parse(readFileSync(`${folder}package.json`, "utf8")) as {
    readonly exports?: Readonly<Record<string, string | { readonly "@switchyard/source": string }>>
  }
  return Object.entries(exports).flatMap(([entry, target]) => {
    if (entry === "." || typeof target === "string") return []
    const path = folder + target["@switchyard/source"]
    return /export [^\n]*\blayer/.test(readFileSync(path, "utf8")) ? [[entry.slice(2), path] as const] : []
  })
}

const layers: ReadonlyArray<Named> = await Promise.all(
  packages.flatMap(modules).map(async ([module, path]) => {
    const loaded = (await import(path)) as Readonly<Record<string, unknown>>
    return Object.entries(loaded)
      .filter(([name]) => /^layer(?![a-z])/.test(name))
      .map(([name, value]) => ({ name: `${module}.${name}`, value }))
  })
).then((found) => found.flat())

const named = new Map(layers.map(({ name, value }) => [name, value]))

describe("whatever is called a layer", () => {
  it("is found in all packages that have any", () => {
    assert.isAtLeast(layers.length, 60)
    assert.includeMembers([...named.keys()], ["Router.layer", "Transport.layerHttpClient", "FakeProvider.layer"])
  })

  it("takes options as layerWith, beside a value with the defaults; as layer only where it cannot do without", () => {
    const wrong = layers.flatMap(({ name, value }) => {
      if (Layer.isLayer(value)) return []
      const plain = name.replace(/With$/, "")
      const takesSomething = typeof value === "function" && value.length > 0
      const isAlone = name === plain ? !named.has(`${name}With`) : Layer.isLayer(named.get(plain))
      return takesSomething && isAlone ? [] : [name]
    })
    assert.deepStrictEqual(wrong, [])
  })
})

/** A context of its own with all that a layer may ask for. */
const surroundings = Effect.suspend(() => {
  const stub = StubLlm.make()
  return Layer.build(
    Layer.mergeAll(
      Layer.succeed(DeploymentService, stub.attempts),
      Layer.succeed(LlmService, stub.requests),
      Layer.succeed(Transport, { send: () => ({ abort: () => {}, pause: () => {}, resume: () => {} }) }),
      Layer.succeed(
        HttpClient.HttpClient,
        HttpClient.make(() => Effect.never)
      ),
      Layer.fresh(RouterEvents.layer),
      DeploymentRegistry.layer({ deployments: [{ id: "a", group: "m", model: "m" }] }),
      Ordered.layer,
      AdmissionRates.layerMemory,
      CacheStore.layerMemory,
      CallerWindows.layerMemory,
      ConcurrencyLimits.layerMemory,
      CooldownState.layerMemory,
      DeploymentStats.layerMemory,
      Ejections.layerMemory,
      LatencyTracker.layerMemory,
      PriceBook.layer,
      RetryBudget.layerMemory,
      SpendWindows.layerMemory,
      UsageWindows.layerMemory
    )
  )
})

/** One value of these is one thing in an app, whoever is given it: the table in the router's README says why. */
const shared = [
  "AdmissionRates.layerMemory",
  "CallerWindows.layerMemory",
  "ConcurrencyLimits.layerMemory",
  "CooldownState.layerMemory",
  "DeploymentStats.layerMemory",
  "Ejections.layerMemory",
  "FakeProvider.layer",
  "LatencyTracker.layerMemory",
  "PriceBook.layer",
  "PromClientSink.layer",
  "RetryBudget.layerMemory",
  "RetryBudget.layerUnlimited",
  "RouterEvents.layer",
  "SpendWindows.layerMemory",
  "UndiciTransport.layer",
  "UsageWindows.layerMemory"
]

const services = (context: Context.Context<unknown>): ReadonlyArray<unknown> => [...context.unsafeMap.values()]

describe("a layer's value that is given to two stacks of one app", () => {
  it.scoped("is built anew in each, around what that one has; only state that may be shared is one for both", () =>
    Effect.gen(function* () {
      const memo = yield* Layer.makeMemoMap
      const scope = yield* Effect.scope
      const contexts = [yield* surroundings, yield* surroundings]
      const once: Array<string> = []
      for (const { name, value } of layers) {
        if (!Layer.isLayer(value)) continue
        const layer = value as Layer.Layer<unknown, unknown, never>
        const [one = [], other = []] = yield* Effect.forEach(contexts, (context) =>
          Effect.map(Effect.provide(Layer.buildWithMemoMap(layer, memo, scope), context), services)
        )
        assert.strictEqual(one.length, other.length, name)
        if (one.some((service, index) => service === other[index])) once.push(name)
      }
      assert.deepStrictEqual(once.sort(), shared)
    })
  )
})
