import { Either, FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { parseBody } from "../../../src/edge/calls/requestBody.js"

const nested = (depth: number, [open, close]: readonly [string, string], inner = "") =>
  Buffer.from(`{"x":${open.repeat(depth - 1)}${inner}${close.repeat(depth - 1)}}`)

describe("the text of a body", () => {
  it("is the same however long it is and whatever it is written in, and bytes that are none are refused", () => {
    const text = fc.array(
      fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("Grüße ", "世界", "🎈", "\ufeff", "\ud83c", "word ")),
      {
        minLength: 1,
        maxLength: 400
      }
    )
    fc.assert(
      fc.property(text, fc.option(fc.nat(), { nil: undefined, freq: 1 }), (parts, damage) => {
        const bytes = Buffer.from(`{"model":"m","x":${JSON.stringify(parts.join(""))}}`)
        if (damage !== undefined) bytes[damage % bytes.length] = 0xff
        const body = parseBody(bytes, 100)
        if (damage !== undefined) expect(Either.isLeft(body) && body.left.code).toBe("invalid_utf8")
        else expect(Either.getOrThrow(body).json).toEqual(JSON.parse(bytes.toString()))
      }),
      { numRuns: 50 }
    )
  })
})

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
