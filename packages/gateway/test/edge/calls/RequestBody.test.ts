import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { parseBody } from "../../../src/edge/calls/requestBody.js"

const nested = (depth: number, [open, close]: readonly [string, string], inner = "") =>
  Buffer.from(`{"x":${open.repeat(depth - 1)}${inner}${close.repeat(depth - 1)}}`)

describe("the depth of a body", () => {
  it("may be exactly the bound, the object itself included, and not one more", () => {
    for (const max of [1, 2, 100]) {
      const lists = (depth: number) => (depth === 1 ? Buffer.from('{"x":1}') : nested(depth, ["[", "]"]))
      const objects = (depth: number) => nested(depth, ['{"x":', "}"], "1")
      for (const body of [lists, objects]) {
        expect(Either.isRight(parseBody(body(max), max))).toBe(true)
        const refused = parseBody(body(max + 1), max)
        expect(Either.isLeft(refused) && refused.left.code).toBe("too_deep")
      }
    }
  })
})
