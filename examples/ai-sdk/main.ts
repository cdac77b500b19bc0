/**
 * A program of Vercel's AI SDK over a router. It runs as it is, against two loopback upstreams of which the first is down; put your
 * own endpoints and keys in their place.
 */
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Exit, Scope } from "effect"

// snippet:start program

import { createSwitchyard } from "@switchyard/ai-sdk/Switchyard"
import { generateText } from "ai"

const main = async (eu: string, us: string) => {
  const deployments = [
    { id: "eu", group: "smart", model: "gpt-4o", baseUrl: eu, apiKey: "sk-eu" },
    { id: "us", group: "smart", model: "gpt-4o", baseUrl: us, apiKey: "sk-us" }
  ]
  const switchyard = createSwitchyard({ deployments })
  const { text } = await generateText({ model: switchyard("smart"), prompt: "Where to?" })
  console.log(text)
  await switchyard.close()
}
// snippet:end program

const scope = Effect.runSync(Scope.make())
const upstream = (name: string, behaviour: FakeProvider.Behaviour) =>
  Effect.runPromise(Scope.extend(FakeProvider.make({ name, behaviour }), scope))
const [eu, us] = await Promise.all([upstream("eu", { status: 503 }), upstream("us", {})])
await main(eu.url, us.url)
await Effect.runPromise(Scope.close(scope, Exit.void))
