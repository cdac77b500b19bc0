/**
 * What spans cost per call, both tiers and the notes of routing together: left out, on with a trace that nobody keeps, and on
 * with one that is kept by a tracer that does no more than remember.
 */
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { CompleteResponse } from "@switchyard/core/LlmResponse"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Tracer } from "effect"
import { cpu, isShort, median } from "./harness.js"

const options: Router.Options = {
  deployments: ["a", "b", "c", "d"].map((id) => ({ id, group: "m", model: "gpt-4o", rpm: 1e9, tpm: 1e12 })),
  metrics: false
}

/** Prints the costs. */
export const run = async (): Promise<void> => {
  const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
  const attempt = StubLlm.attempt(request, StubLlm.slot("bare"))
  const answer = (await Effect.runPromise(StubLlm.make().attempts.call(attempt))) as CompleteResponse
  const base = Service.attempt(({ request: { route } }) => Effect.succeed({ ...answer, journal: route.journal }))
  const call = async (more: Partial<Router.Options>) => {
    const { service } = await Effect.runPromise(Effect.scoped(Router.make({ ...options, ...more }, base)))
    return LlmService.complete(service, request)
  }
  const tracer = Effect.runSync(Effect.tracer)
  const unkept = Tracer.make({
    ...tracer,
    span: (...given) => Object.assign(tracer.span(...given), { sampled: false })
  })
  const subjects = [
    ["left out, twice", await call({}), await call({ tracing: false })],
    ["on, disabled in the app", await call({}), Effect.withTracerEnabled(await call({ tracing: {} }), false)],
    ["on, a trace that is not sampled", await call({}), Effect.withTracer(await call({ tracing: {} }), unkept)],
    ["on, a trace that is sampled", await call({}), await call({ tracing: {} })]
  ] as const
  console.log("\nTracing of both tiers, against none (CPU µs per call; median of paired rounds)")
  for (const [name, off, on] of subjects) {
    for (const effect of [off, on, off, on]) await cpu(effect, isShort ? 2_000 : 10_000)
    const differences: Array<number> = []
    for (let round = 0; round < (isShort ? 11 : 41); round++) {
      const first = await cpu(round % 2 === 0 ? off : on, 2_000)
      const second = await cpu(round % 2 === 0 ? on : off, 2_000)
      differences.push(round % 2 === 0 ? second - first : first - second)
    }
    console.log(`  ${name.padEnd(40)}${median(differences) < 0 ? "" : "+"}${median(differences).toFixed(2)}`)
  }
}
