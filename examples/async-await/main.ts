/**
 * The router in an app of promises: one runtime for the whole process, and functions that await it. It runs as it is,
 * against a loopback upstream; put your own endpoints and keys in its place.
 */
import * as FakeProvider from "@switchyard/testing/FakeProvider"

// snippet:start async

import * as ChatChunk from "@switchyard/core/ChatChunk"
import { isLlmError, type LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Providers from "@switchyard/providers/Providers"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import * as Router from "@switchyard/router/Router"
import { Cause, Exit, Layer, ManagedRuntime, Option, Stream } from "effect"

/** Once, when the process starts: the runtime holds the router, its breakers, limits and connections. */
export const open = (options: Router.Options) => {
  const runtime = ManagedRuntime.make(
    Router.layer(options).pipe(Layer.provide(Providers.layer), Layer.provide(UndiciTransport.layer))
  )
  const request = (prompt: string) => LlmRequest.chat({ model: "smart", messages: [{ role: "user", content: prompt }] })
  return {
    /** An answer; rejects with the `LlmError` itself. `signal` ends the call, upstream too. */
    ask: async (prompt: string, signal?: AbortSignal): Promise<string> => {
      const exit = await runtime.runPromiseExit(LlmService.complete(request(prompt)), signal && { signal })
      if (Exit.isSuccess(exit)) return ChatChunk.completionText(exit.value.body)
      signal?.throwIfAborted()
      throw Option.getOrElse(Cause.failureOption(exit.cause), () => Cause.squash(exit.cause))
    },
    /** An answer as it comes; leaving the loop closes the upstream's stream. */
    stream: async function* (prompt: string): AsyncGenerator<string> {
      const chunks = Stream.map(LlmService.stream(request(prompt)), ({ json }) => ChatChunk.text(json))
      // An error becomes the last element: thrown by Effect it would be wrapped, and its `reason` out of sight.
      const all = Stream.catchAll(chunks, (error) => Stream.succeed(error))
      for await (const part of Stream.toAsyncIterableRuntime(all, await runtime.runtime())) {
        if (isLlmError(part)) throw part
        yield part
      }
    },
    /** Closes the connections; call it when the process ends. */
    close: () => runtime.dispose()
  }
}

/** What to tell a user, by the reason. */
export const wordsFor = (error: LlmError): string =>
  error.reason === "RateLimited" ? "busy, try again later" : `no answer: ${error.reason}`
// snippet:end async

const main = async (): Promise<void> => {
  const fake = ManagedRuntime.make(FakeProvider.layer)
  const upstream = await fake.runPromise(FakeProvider.FakeProviderTag)
  const deployment = { group: "smart", model: "any", baseUrl: upstream.url, apiKey: "sk" }
  const llm = open({ deployments: [{ id: "first", ...deployment }], retry: false })

  console.log(await llm.ask("Where to?"))
  for await (const text of llm.stream("And then?")) process.stdout.write(text)
  process.stdout.write("\n")

  await fake.runPromise(upstream.next({ status: 429 }))
  await llm.ask("Once more?").catch((error: unknown) => console.log(isLlmError(error) ? wordsFor(error) : error))

  await fake.runPromise(upstream.next({ latencyMs: 60_000 }))
  await llm.ask("Soon?", AbortSignal.timeout(50)).catch((error: unknown) => console.log(String(error)))

  await llm.close()
  await fake.dispose()
}

await main()
