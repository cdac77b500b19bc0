import { assert, describe, it } from "@effect/vitest"
import * as ExactJson from "@switchyard/core/ExactJson"
import { stringify } from "@switchyard/core/ExactJson"
import type { JsonObject } from "@switchyard/core/Json"
import * as WrittenBody from "@switchyard/core/WrittenBody"
import { FastCheck as fc } from "effect"

const membersIn = (text: string) => {
  const bytes = Buffer.from(text)
  const parsed = JSON.parse(text) as JsonObject
  const exact = ExactJson.membersOf(text, parsed)
  return { parsed, members: WrittenBody.withLong(bytes, text, WrittenBody.placesOf(text), parsed, exact) }
}

/** What goes out of a body with another model. */
const sent = (text: string): string => {
  const { members, parsed } = membersIn(text)
  const body = { ...parsed, model: "theirs" }
  return members === undefined ? JSON.stringify(body) : String(stringify(body, members))
}

const long = 'Grüße, 世界 🎈 \\" {[,:]} '.repeat(60)

describe("WrittenBody", () => {
  it("a long member goes on as the bytes that it came as, and a short one is written anew", () => {
    const messages = `[ { "role":"user", "content":"${"\\u0041 \\/ é ".repeat(200)}" } ]`
    const text = `{ "model" : "ours", "mess\\u0061ges":${messages} , "n": 1 }`
    assert.strictEqual(sent(text), `{"model":"theirs","messages":${messages} ,"n":1}`)
  })

  it("a long member whose numbers parsing changes stays one of those, and a member that was replaced is written anew", () => {
    const text = `{"input":[${"1.0,".repeat(400)}2],"prompt":${JSON.stringify(long)}}`
    const { members, parsed } = membersIn(text)
    assert.isTrue(members !== undefined && "text" in (members.get("input") ?? {}))
    if (members === undefined) return
    assert.strictEqual(
      String(stringify({ ...parsed, prompt: "short" }, members)),
      `{"input":[${"1.0,".repeat(400)}2],"prompt":"short"}`
    )
  })

  it("names that stand twice are counted, escaped or not", () => {
    assert.strictEqual(WrittenBody.placesOf('{"a":{"a":1,"a":2},"b":[",",{"c":":"}],"\\u0061":"}"}').all.length, 3)
    assert.strictEqual(WrittenBody.placesOf(" {} ").all.length, 0)
  })

  it("what goes out means what came in, whatever that is and however it is written", () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.string({ unit: "binary", minLength: 400, maxLength: 2000 }),
      fc.array(fc.string({ unit: "grapheme" }), { minLength: 150, maxLength: 200 }),
      fc.constant(long)
    )
    const object = fc.dictionary(fc.string({ unit: "grapheme" }), value, { maxKeys: 6 })
    fc.assert(
      fc.property(object, fc.constantFrom(0, 1, "\t"), fc.boolean(), (json, indent, escaped) => {
        const written = JSON.stringify(json, null, indent)
        const text = escaped
          ? written.replace(/[\u0080-\uffff]/g, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`)
          : written
        assert.strictEqual(WrittenBody.placesOf(text).all.length, Object.keys(JSON.parse(text)).length)
        assert.deepStrictEqual(JSON.parse(sent(text)), { ...JSON.parse(text), model: "theirs" })
      }),
      { numRuns: 25 }
    )
  })
})
