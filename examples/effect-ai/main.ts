/**
 * An Effect AI program over a router. It runs as it is, against two loopback upstreams of which the first is down; put your own
 * endpoints and keys in their place.
 */
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Exit, Scope } from "effect"

// snippet:start program

import * as LanguageModel from "@effect/ai/LanguageModel"
import * as SwitchyardLanguageModel from "@switchyard/effect-ai/SwitchyardLanguageModel"
import * as NodeProviders from "@switchyard/providers/NodeProviders"
import * as Router from "@switchyard/router/Router"
import { Effect, Layer } from "effect"

const main = (eu: string, us: string) => {
  const deployments = [
    { id: "eu", group: "smart", model: "gpt-4o", baseUrl: eu, apiKey: "sk-eu" },
    { id: "us", group: "smart", model: "gpt-4o", baseUrl: us, apiKey: "sk-us" }
  ]
  const Routed = Layer.provide(Router.layer({ deployments }), NodeProviders.layer)
  const Live = Layer.provide(SwitchyardLanguageModel.layer({ model: "smart" }), Routed)
  const program = Effect.map(LanguageModel.generateText({ prompt: "Where to?" }), ({ text }) => console.log(text))
  return Effect.runPromise(Effect.provide(program, Live))
}
// snippet:end program

const scope = Effect.runSync(Scope.make())
const upstream = (name: string, behaviour: FakeProvider.Behaviour) =>
  Effect.runPromise(Scope.extend(FakeProvider.make({ name, behaviour }), scope))
const [eu, us] = await Promise.all([upstream("eu", { status: 503 }), upstream("us", {})])
await main(eu.url, us.url)
await Effect.runPromise(Scope.close(scope, Exit.void))
