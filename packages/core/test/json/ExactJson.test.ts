import { assert, describe, it } from "@effect/vitest"
import * as ExactJson from "@switchyard/core/ExactJson"
import { FastCheck as fc } from "effect"

const through = (text: string): string => {
  const parsed = JSON.parse(text)
  const members = ExactJson.membersOf(text, parsed)
  return members === undefined ? JSON.stringify(parsed) : String(ExactJson.stringify(parsed, members))
}

describe("ExactJson", () => {
  it.each([
    ['{"seed":9223372036854775807,"a":1}'],
    ['{"temperature":1.0,"top_p":0.10}'],
    ['{"x":-0}'],
    ['{"x":1e5,"y":1E+2}'],
    ['{"x":0.12345678901234567890}'],
    ['{"tools":[{"function":{"parameters":{"minimum":-9223372036854775808,"maximum":9223372036854775807}}}]}'],
    ['{"a":"1.0 \\\\","seed":12345678901234567890,"b":"\\"1.0"}'],
    ['{"metadata":{"version 1.0":"9223372036854775807"},"input":[1.0,2.0]}'],
    ['{"q\\"{[,:":1.0,"":[[],{}]}']
  ])("%s goes on as it was written", (text) => {
    assert.strictEqual(through(text), text)
  })

  it("what parsing does not change is not kept: most payloads, whatever their texts look like", () => {
    for (const text of [
      '{"a":1,"b":0.7,"c":"9223372036854775807 1.0 1e9"}',
      '{"a":123456789012345}',
      "{}",
      '{"a":0.1}'
    ]) {
      assert.isUndefined(ExactJson.membersOf(text, JSON.parse(text)), text)
    }
  })

  it("of a name that stands twice the last one counts, and a member that was replaced is written anew", () => {
    assert.strictEqual(through('{"seed":1.0,"seed":2}'), '{"seed":2}')
    assert.strictEqual(through('{"seed":2,"seed":3.0}'), '{"seed":3.0}')
    const parsed = JSON.parse('{"a":1.0,"b":[2.0],"model":"x"}')
    const members = ExactJson.membersOf('{"a":1.0,"b":[2.0],"model":"x"}', parsed)
    assert.isDefined(members)
    if (members === undefined) return
    assert.strictEqual(
      ExactJson.stringify({ ...parsed, b: [3], c: undefined, model: "y" }, members),
      '{"a":1.0,"b":[3],"model":"y"}'
    )
  })

  it("any object means the same as before, spaces or none", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 2), (object, indent) => {
        const text = JSON.stringify({ ...object, extra: "a number stands here" }, null, indent).replace(
          '"a number stands here"',
          "1.50"
        )
        assert.deepStrictEqual(JSON.parse(through(text)), JSON.parse(text))
      })
    )
  })

  it("numbers that no reader can hold are named by their paths", () => {
    assert.deepStrictEqual(ExactJson.infinitePaths(JSON.parse('{"a":1e999,"b":[{"c":-1e999}],"d":1}')), ["a", "b.0.c"])
    assert.deepStrictEqual(ExactJson.infinitePaths({ a: 1, b: [null, "x"] }), [])
  })
})
