/** Heap per deployment: freshly configured, and after it has served a call and is idle again. */
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"
import { isShort, repeat } from "./harness.js"

const heap = (): number => {
  const { gc } = globalThis as { gc?: () => void }
  gc?.()
  gc?.()
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
}

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(2)} KiB`

/** Prints the figures. */
export const run = (): Promise<void> =>
  Effect.gen(function* () {
    const size = isShort ? 1_000 : 5_000
    const stub = StubLlm.make({}, { keep: 0 })
    const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
    const empty = heap()
    const deployments = Array.from({ length: size }, (_, index) => ({
      id: `deployment-${index}`,
      group: "m",
      model: "gpt-4o",
      baseUrl: "https://example.com/v1",
      rpm: 1000,
      tpm: 1_000_000,
      maxParallel: 10
    }))
    const { service } = yield* Router.make({ deployments, strategy: "round-robin" }, stub.attempts)
    const built = heap()
    yield* repeat(size, LlmService.complete(service, request))
    const used = heap()
    console.log(`\nMemory per deployment (${size} deployments, default tower with limits; target: under 4 KiB idle)`)
    console.log(`  configured, its options included${kib((built - empty) / size).padStart(22)}`)
    console.log(`  idle after one call${kib((used - empty) / size).padStart(35)}`)
  }).pipe(Effect.scoped, Effect.runPromise)
