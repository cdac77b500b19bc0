import { assert, describe, it } from "@effect/vitest"
import { LlmError } from "@switchyard/core/LlmError"
import * as Outcome from "@switchyard/core/Outcome"
import { Cause, FiberId } from "effect"

const error = new LlmError({ reason: "RateLimited", description: "slow down" })
const left = Cause.interrupt(FiberId.none)

describe("the outcome of a call that did not succeed", () => {
  it("an error is a failure, also when an interruption came with it", () => {
    for (const cause of [
      Cause.fail(error),
      Cause.parallel(left, Cause.fail(error)),
      Cause.sequential(Cause.fail(error), Cause.die("x"))
    ]) {
      const outcome = Outcome.fromCause(cause)
      assert.strictEqual(outcome._tag === "Failed" ? outcome.error : undefined, error)
    }
  })

  it("an interruption is abandonment", () => {
    assert.strictEqual(Outcome.fromCause(left)._tag, "Abandoned")
    assert.strictEqual(Outcome.fromCause(Cause.parallel(left, left))._tag, "Abandoned")
  })

  it("a defect counts as unavailable, so that breakers see it and permits come back", () => {
    for (const cause of [Cause.die(new Error("bug")), Cause.sequential(left, Cause.die("bug"))]) {
      const outcome = Outcome.fromCause(cause)
      assert.strictEqual(outcome._tag === "Failed" ? outcome.error.reason : undefined, "Unavailable")
      assert.strictEqual(outcome._tag === "Failed" ? outcome.error.code : undefined, "defect")
    }
  })
})
