import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { count } from "../../bench/operations.js"

describe("the cost of the tower", () => {
  it.live("a plain call takes at most 22 operations of the default tower, and at most 5 more of the accessor", () =>
    Effect.gen(function* () {
      const counted = yield* count
      for (const { name, tower } of counted.slice(0, 3)) assert.isAtMost(tower, 22, name)
      for (const { called, name, tower } of counted) assert.isAtMost(called - tower, 5, name)
    })
  )
})
