/** How many Effect operations a plain call takes in the tower, over a base that answers at once. The same on every machine. */
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { CompleteResponse } from "@switchyard/core/LlmResponse"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { now } from "@switchyard/core/Time"
import * as Router from "@switchyard/router/Router"
import { countOperations } from "@switchyard/testing/Operations"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"

/** What is counted. */
export interface Counted {
  readonly name: string
  /** Of the tower alone. */
  readonly tower: number
  /** With the accessor that an app calls. */
  readonly called: number
}

const limits = { rpm: 1e9, tpm: 1e12, maxParallel: 1000 }

const deploymentsWith = (more: object): Router.Options["deployments"] =>
  ["a", "b", "c", "d"].map((id) => ({ id, group: "m", model: "gpt-4o", ...more }))

/** Counts them; the first three are the default tower. */
export const count: Effect.Effect<ReadonlyArray<Counted>> = Effect.gen(function* () {
  const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
  const bare = StubLlm.attempt(LlmRequest.begin(request, 0), StubLlm.slot("bare"))
  const answer = (yield* Effect.orDie(StubLlm.make().attempts.call(bare))) as CompleteResponse
  const plain = Service.attempt(({ request: { route } }) => Effect.succeed({ ...answer, journal: route.journal }))
  /** As the HTTP base does: its calls can be ended from outside, so that they need no fiber of their own, and share a region. */
  const ending = Service.expiring(
    Service.attemptWithin((attempt) => {
      attempt.expire = () => {}
      return plain.call(attempt)
    })
  )
  const counted = (name: string, base: Service.AttemptService, more: Partial<Router.Options> = {}) =>
    Effect.gen(function* () {
      const { service } = yield* Router.make({ deployments: deploymentsWith({}), ...more }, base)
      const call = LlmService.complete(service, request)
      yield* call
      const tower = yield* countOperations(service.call(LlmRequest.begin(request, yield* now)))
      return { name, tower, called: yield* countOperations(call) }
    }).pipe(Effect.scoped, Effect.orDie)
  return yield* Effect.all([
    counted("default", ending),
    counted("default, deployments with limits", ending, { deployments: deploymentsWith(limits) }),
    counted("default, a base whose calls need a fiber", plain),
    counted("with tracing", ending, { tracing: {} }),
    counted("with hedge, queue and budgets", ending, {
      hedge: { delay: "1 minute" },
      queue: {},
      callerBudget: { everyCaller: { limit: 1e12, window: "1 day" } },
      spendLimits: { providers: { openai: { limit: 1e12, window: "1 day" } } }
    })
  ])
})

/** Prints the counts. */
export const run = async (): Promise<void> => {
  console.log("\nEffect operations of a plain call (at most 22 in the default tower)")
  for (const { called, name, tower } of await Effect.runPromise(count)) {
    console.log(`  ${name.padEnd(52)}${String(tower).padStart(4)} in the tower, ${called} with the accessor`)
  }
}
