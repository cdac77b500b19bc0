import { assert, describe, it } from "@effect/vitest"
import { EngineError } from "@switchyard/router/Engine"
import { Effect, Fiber, TestClock } from "effect"
import * as Heartbeat from "../../src/serve/heartbeat.js"

/** A worker that answers as it is told to, and when it was found hung. */
const scene = Effect.gen(function* () {
  let answer: "well" | "debugged" | "slow" | "away" = "well"
  let asked = 0
  let hung = 0
  const failing = (reason: "slow" | "away") => new EngineError({ reason, description: "" })
  const fiber = yield* Effect.fork(
    Heartbeat.watch({
      ask: (within) =>
        Effect.suspend(() => {
          asked++
          if (answer === "slow") return Effect.delay(failing("slow"), within)
          return answer === "away" ? failing("away") : Effect.succeed({ isDebugged: answer === "debugged" })
        }),
      hung: Effect.sync(() => void hung++)
    })
  )
  return {
    fiber,
    asked: () => asked,
    hung: () => hung,
    becomes: (next: typeof answer) => {
      answer = next
    }
  }
})

describe("whether a worker is well", () => {
  it.effect("is asked every 5 seconds; one that gives no answer for 5 more is hung, once", () =>
    Effect.gen(function* () {
      const { asked, becomes, fiber, hung } = yield* scene
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(asked(), 12)
      becomes("slow")
      yield* TestClock.adjust("9999 millis")
      assert.strictEqual(hung(), 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(hung(), 1)
      yield* Fiber.join(fiber)
    })
  )
  it.effect("is not asked of one that is gone, whose end is told otherwise", () =>
    Effect.gen(function* () {
      const { becomes, fiber, hung } = yield* scene
      becomes("away")
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(hung(), 0)
    })
  )
  it.effect("is nobody's business while a debugger may halt it", () =>
    Effect.gen(function* () {
      const { becomes, hung } = yield* scene
      becomes("debugged")
      yield* TestClock.adjust("5 seconds")
      becomes("slow")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(hung(), 0)
      becomes("well")
      yield* TestClock.adjust("10 seconds")
      becomes("slow")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(hung(), 1)
    })
  )
})
