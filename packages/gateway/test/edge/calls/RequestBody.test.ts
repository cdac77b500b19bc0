import { stringify } from "@switchyard/core/ExactJson"
import { cases } from "@switchyard/testing/Effort"
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
      { numRuns: cases(400) }
    )
  })
})

describe("a body with long texts", () => {
  const long = 'Grüße, 世界 🎈 \\" \\n {[,:]} '.repeat(200)
  const text = fc.constantFrom(long, JSON.stringify(long).slice(1, -1), "word ".repeat(1800), "short")
  const content = fc.oneof(
    text.map((said) => `"${said}"`),
    text.map((said) => `[{"type":"text","text":"${said}"},"${said}",1.0]`)
  )
  const message = fc.tuple(fc.constantFrom("role", "c\\u006fntent", "x"), content)
  const body = fc
    .tuple(
      fc.array(message, { minLength: 1, maxLength: 4 }),
      content,
      fc.constantFrom("1.0", "9007199254740993", "1e9", "1")
    )
    .map(([messages, system, number]) => {
      const said = messages.map(([name, written]) => `{"${name}": "user", "content":${written}}`)
      return `{"model":"ours" , "t":${number},"messages": [${said.join(",")}],"system":${system},"${number}":${number}}`
    })
  const damage = fc.array(fc.tuple(fc.nat(), fc.constantFrom(0x22, 0x5c, 0x0a, 0x75, 0x20, 0x7d, 0x2c)), {
    maxLength: 2
  })

  it("is what a parser reads, goes on as that, and is refused where a parser would, whatever is broken of it", () => {
    let refused = 0
    fc.assert(
      fc.property(body, damage, (written, spoilt) => {
        const bytes = Buffer.from(written)
        for (const [at, byte] of spoilt) if ((bytes[at % bytes.length] ?? 0) < 0x80) bytes[at % bytes.length] = byte
        const parsed = parseBody(bytes, 100)
        let expected: Record<string, unknown>
        try {
          expected = JSON.parse(bytes.toString()) as Record<string, unknown>
        } catch (cause) {
          refused++
          const at = /at position (\d+)/.exec(String(cause))?.[1]
          const told = Either.isLeft(parsed) ? parsed.left.message : ""
          expect(told).toBe(`the request's body is not valid JSON${at === undefined ? "" : ` (at character ${at})`}`)
          return
        }
        if (Either.isLeft(parsed)) return expect(parsed.left.code).toBe("duplicate_field")
        const { exact, json } = parsed.right
        const sent = String(stringify({ ...json, model: "theirs" }, exact ?? new Map()))
        expect(JSON.parse(sent)).toEqual({ ...expected, model: "theirs" })
        if (exact?.has("messages") === true) {
          const messages = String(stringify({ messages: json["messages"] }, exact)).slice('{"messages":'.length, -1)
          expect(bytes.toString()).toContain(messages)
        }
        expect(json).toEqual(expected)
      }),
      { numRuns: 300 }
    )
    expect(refused).toBeGreaterThan(10)
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
