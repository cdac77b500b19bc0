import { Background } from "@switchyard/core"
import { Effect, Exit, Fiber, Runtime, Scope } from "effect"
import { describe, expect, it } from "vitest"

const closing = (fork: Effect.Effect<Fiber.RuntimeFiber<never>, never, Scope.Scope>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const fiber = yield* Scope.extend(fork, scope)
    yield* Scope.close(scope, Exit.void)
    return yield* Fiber.poll(fiber)
  })

describe("what runs in the background of a scope", () => {
  it("ends with it, even when it was begun where nothing can be interrupted", async () => {
    const loop = Effect.forever(Effect.sleep("1 hour"))
    for (const fork of [Background.run(loop), Effect.uninterruptible(Background.run(loop))]) {
      expect(await Effect.runPromise(closing(fork))).toMatchObject({ _tag: "Some", value: { _tag: "Failure" } })
    }
  })

  it("so does what a runtime starts that was taken there", async () => {
    const runtime = await Effect.runPromise(Effect.uninterruptible(Background.runtime()))
    const fiber = Runtime.runFork(runtime)(Effect.never)
    expect(await Effect.runPromise(Fiber.interrupt(fiber))).toMatchObject({ _tag: "Failure" })
  })
})
