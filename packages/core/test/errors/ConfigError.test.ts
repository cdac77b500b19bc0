import { assert, describe, it } from "@effect/vitest"
import { ConfigError, issue, showValue } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import { Duration, Either, Schema } from "effect"

describe("ConfigError", () => {
  it("says every problem in one line each", () => {
    const error = new ConfigError({ issues: [issue("a.b", 1, "text"), issue("c[0]", undefined, "a value")] })
    assert.strictEqual(error.message, "a.b: expected text, found 1\nc[0]: expected a value, found nothing")
    assert.strictEqual(error._tag, "ConfigError")
  })
})

describe("showValue", () => {
  it("shows JSON, numbers that JSON does not know, and at most 80 characters", () => {
    assert.strictEqual(showValue("a", { b: [1, "x"] }), '{"b":[1,"x"]}')
    assert.strictEqual(showValue("a", Number.NaN), "NaN")
    assert.strictEqual(showValue("a", 5n), "5")
    assert.strictEqual(showValue("a", null), "null")
    assert.strictEqual(showValue("a", "x".repeat(200)).length, 80)
  })

  it("shows a length of time as people write it", () => {
    assert.strictEqual(showValue("deadline", Duration.seconds(90)), "1m 30s")
    assert.strictEqual(showValue("deadline", Duration.zero), "0")
  })

  it("shows what JSON cannot", () => {
    const loop: { self?: unknown } = {}
    loop.self = loop
    assert.strictEqual(showValue("a", loop), "[object Object]")
    assert.include(
      showValue("a", () => 1),
      "=>"
    )
  })

  it("masks by the name of the field, in lists and inside values, whatever the type", () => {
    for (const path of [
      "apiKey",
      "x.api_key",
      "keys[0]",
      "x.clientSecret",
      "redis.password",
      "a.token",
      "tokens[2]",
      "headers.Authorization"
    ]) {
      assert.strictEqual(showValue(path, "hush"), "<secret>", path)
      assert.strictEqual(showValue(path, ["hush"]), "<secret>", path)
      assert.strictEqual(showValue(path, 1234), "<secret>", path)
    }
    assert.strictEqual(showValue("x", { deep: [{ apiKey: ["hush"] }] }), '{"deep":[{"apiKey":"<secret>"}]}')
  })

  it("shows that a secret is missing or empty, and what only sounds like one", () => {
    assert.strictEqual(showValue("apiKey", undefined), "nothing")
    assert.strictEqual(showValue("apiKey", ""), '""')
    assert.strictEqual(showValue("keys", []), "[]")
    assert.strictEqual(showValue("firstTokenTimeout", "soon"), '"soon"')
    assert.strictEqual(showValue("maxTokens", -1), "-1")
  })

  it("masks what looks like a credential under any name", () => {
    for (const value of ["sk-proj-abc", "Bearer abc", "AIzaSyabc", "eyJhbGciOi", "gsk_abc"]) {
      assert.strictEqual(showValue("kye", value), "<secret>")
      assert.strictEqual(showValue("x", { kye: value }), '{"kye":"<secret>"}')
    }
    assert.strictEqual(showValue("model", "skylark"), '"skylark"')
  })
})

describe("a wrong value's path", () => {
  it("names keys with dots and places in lists with brackets, below the root", () => {
    const schema = Schema.Struct({ list: Schema.Array(Schema.Struct({ name: Field.text })) })
    const issues = Field.issuesOf(schema, { list: [{ name: "a" }, { name: "" }, { nmae: "b" }] }, "root")
    assert.sameMembers(
      issues.map((one) => one.path),
      ["root.list[1].name", "root.list[2].nmae", "root.list[2].name"]
    )
    assert.deepStrictEqual(
      Field.issuesOf(schema, {}, "").map((one) => one.path),
      ["list"]
    )
  })

  it("a type's own message tells what was expected, not what was found", () => {
    const schema = Schema.Struct({
      a: Schema.String,
      b: Schema.Boolean,
      c: Schema.Array(Schema.String),
      d: Schema.Struct({ x: Schema.Number }),
      e: Schema.Literal("on", "off")
    })
    const issues = Field.issuesOf(schema, { a: 1, b: "x", c: 1, d: 1, e: "maybe" }, "o")
    const expected = Object.fromEntries(issues.map((one) => [one.path, one.expected]))
    assert.strictEqual(expected["o.a"], "a string")
    assert.strictEqual(expected["o.b"], "a boolean")
    assert.strictEqual(expected["o.c"], "a list")
    assert.strictEqual(expected["o.d"], "an object")
    assert.strictEqual(expected["o.e"], '"on" or "off"')
    assert.strictEqual(issues.length, 5, "a union complains once")
  })

  it("what decodes has no issues", () => {
    assert.isTrue(Either.isRight(Field.decode(Schema.Struct({ a: Field.count }), { a: 1 }, "x")))
    assert.deepStrictEqual(Field.issuesOf(Schema.Struct({ a: Field.count }), { a: 1 }, "x"), [])
  })
})
