import { assert, describe, it } from "@effect/vitest"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmService from "@switchyard/core/LlmService"
import * as Retry from "@switchyard/router/Retry"
import * as RetryBudget from "@switchyard/router/RetryBudget"
import type * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Fiber, Schedule, TestClock } from "effect"
import { chat, fails, type Member, tower } from "../support/tower.js"

/** Who was asked, and the waits between. */
const tried = (
  members: ReadonlyArray<Member>,
  reply: StubLlm.Reply,
  schedule: Schedule.Schedule<unknown, LlmError>,
  attempts = 10
) =>
  Effect.gen(function* () {
    const { balancer, events, published, used } = tower(members, () => reply)
    const deps = { budget: RetryBudget.unlimited, events, random: () => 0.5, schedule }
    const service = Retry.make(deps, { attempts })(balancer)
    for (const _ of ["one request", "another"]) {
      const fiber = yield* Effect.fork(Effect.exit(LlmService.complete(service, chat())))
      yield* TestClock.adjust("5 minutes")
      yield* Fiber.join(fiber)
    }
    return [used(), ...published.flatMap((event) => (event._tag === "Retried" ? [event.delay] : []))]
  })

const twice = Schedule.intersect(Schedule.spaced("200 millis"), Schedule.recurs(2))

describe("a schedule", () => {
  it.effect(
    "says how long a deployment that failed is left alone, and ends the retries; each request begins it anew",
    () =>
      Effect.gen(function* () {
        const told = yield* tried(["a"], fails("Unavailable"), twice)
        assert.deepStrictEqual(told, ["aaaaaa", 200, 200, 200, 200])
      })
  )

  it.effect("grows as it says, within the attempts that are allowed", () =>
    Effect.gen(function* () {
      const told = yield* tried(["a"], fails("Unavailable"), Schedule.exponential("100 millis"), 4)
      assert.deepStrictEqual(told, ["aaaaaaaa", 100, 200, 400, 100, 200, 400])
    })
  )

  it.effect("holds up nobody: another deployment is asked at once", () =>
    Effect.gen(function* () {
      const told = yield* tried(["a", "b"], fails("Unavailable"), Schedule.intersect(twice, Schedule.recurs(1)))
      assert.deepStrictEqual(told.slice(1), [0, 0])
    })
  )

  it.effect("asks nobody earlier than a Retry-After allows", () =>
    Effect.gen(function* () {
      const told = yield* tried(["a"], fails("RateLimited", { retryAfter: 1_000 }), twice, 2)
      assert.deepStrictEqual(told, ["aaaa", 1_100, 1_100])
    })
  )

  it.effect("may look at the error", () =>
    Effect.gen(function* () {
      const onlyTimeouts = Schedule.recurWhile((error: LlmError) => error.reason === "Timeout")
      assert.deepStrictEqual(yield* tried(["a"], fails("Unavailable"), onlyTimeouts), ["aa"])
    })
  )
})
