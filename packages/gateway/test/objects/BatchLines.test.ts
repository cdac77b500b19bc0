import { assert, describe, it } from "@effect/vitest"
import { BadLine, checked } from "../../src/edge/objects/batchLines.js"

const line = (body: string, more = ""): string =>
  `{"custom_id":"a","method":"POST","url":"/v1/chat/completions"${more},"body":${body}}`

const written = (text: string): string => checked(1, text, () => ({ model: "theirs" }), { input: 0, output: 0 })

describe("a line of a batch", () => {
  it("goes on with the provider's name of its model, and its numbers as they were written", () => {
    const body = '{"model":"ours","seed":12345678901234567890,"temperature":1.0,"messages":[]}'
    assert.strictEqual(
      written(line(body)),
      line('{"model":"theirs","seed":12345678901234567890,"temperature":1.0,"messages":[]}')
    )
    assert.strictEqual(
      written(line('{"model":"ours","messages":[]}', ',"note":1e2')),
      line('{"model":"theirs","messages":[]}', ',"note":1e2')
    )
  })

  it("has each field once, however often it was written", () => {
    assert.strictEqual(
      written(line('{"model":"ours","seed":1.0,"model":"mine","seed":2.0,"messages":[]}')),
      line('{"model":"theirs","seed":2.0,"messages":[]}')
    )
    assert.throws(() => written(line('{"model":1.0}')), BadLine)
  })
})
