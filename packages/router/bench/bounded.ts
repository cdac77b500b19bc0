/**
 * A million distinct callers, session keys and model names (20,000 with BENCH_SHORT=1): whatever callers make up, the heap
 * stops growing. Exits with 1 when the second half of the run grew it by more than 16 MiB.
 */
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"

const total = process.env.BENCH_SHORT === "1" ? 20_000 : 1_000_000

const options: Router.Options = {
  deployments: ["a", "b", "c", "d"].map((id) => ({ id, group: "m", model: "gpt-4o" })),
  aliases: { other: "m" },
  strategy: "sticky",
  callerBudget: { everyCaller: { limit: 1000, window: "1 day" } },
  cache: { ttl: "1 hour" },
  cacheStore: { maxBytes: 8 * 2 ** 20 }
}

const heap = (): number => {
  const { gc } = globalThis as { gc?: () => void }
  gc?.()
  return process.memoryUsage().heapUsed / 2 ** 20
}

const program = Effect.gen(function* () {
  const stub = StubLlm.make({}, { keep: 0 })
  const { service } = yield* Router.make(options, stub.attempts)
  const send = (index: number) => {
    const request = LlmRequest.chat(
      { model: index % 4 === 0 ? `made-up-${index}` : "m", messages: [{ role: "user", content: `question ${index}` }] },
      { caller: `caller-${index}`, sessionKey: `session-${index}` }
    )
    return Effect.ignore(LlmService.complete(service, request))
  }
  const heaps = [heap()]
  for (let part = 0; part < 10; part++) {
    let index = (part * total) / 10
    const end = ((part + 1) * total) / 10
    yield* Effect.whileLoop({
      while: () => index < end,
      body: () => send(index),
      step: () => {
        index++
      }
    })
    heaps.push(heap())
  }
  console.log(`bounded state: ${total} distinct callers, sessions, prompts and (a quarter) model names`)
  console.log(`  heap in MiB, at each tenth: ${heaps.map((value) => value.toFixed(0)).join(" ")}`)
  return (heaps[10] ?? 0) - (heaps[5] ?? 0)
}).pipe(Effect.scoped)

const growth = await Effect.runPromise(program)
console.log(growth <= 16 ? "  it stopped growing" : `  GROWS: ${growth.toFixed(1)} MiB in the second half`)
process.exit(growth <= 16 ? 0 : 1)
