import { assert, describe, it } from "@effect/vitest"
import * as Field from "@switchyard/core/Field"
import { Duration, Either, JSONSchema, type Schema } from "effect"

const field = <A, I>(schema: Schema.Schema<A, I>) => schema as unknown as Schema.Schema<unknown>
const accepts = (schema: Schema.Schema<unknown>, value: unknown): boolean =>
  Field.issuesOf(schema, value, "x").length === 0

const nan = Number.NaN
const inf = Number.POSITIVE_INFINITY
const rows: ReadonlyArray<
  readonly [
    name: string,
    schema: Schema.Schema<unknown>,
    right: ReadonlyArray<unknown>,
    wrong: ReadonlyArray<unknown>,
    words: string
  ]
> = [
  ["text", field(Field.text), ["a", " ", "模型"], ["", 1, null, undefined], "a string that is not empty"],
  [
    "nonNegative",
    field(Field.nonNegative),
    [0, 0.5, 1e9],
    [-0.1, nan, inf, "1", null],
    "a finite number of at least 0"
  ],
  ["positive", field(Field.positive), [0.1, 5], [0, -1, nan, inf, "1"], "a finite number above 0"],
  ["count", field(Field.count), [0, 7], [-1, 0.5, nan, inf, "1"], "a whole number of at least 0"],
  ["positiveCount", field(Field.positiveCount), [1, 7], [0, -1, 0.5, nan, inf], "a whole number of at least 1"],
  ["finite", field(Field.finite), [-3, 0, 0.5], [nan, inf, -inf, "1"], "a finite number"],
  ["fraction", field(Field.fraction), [0, 0.5, 1], [-0.01, 1.01, nan, "0.5"], "a number from 0 to 1"],
  ["price", field(Field.price), [0, 2.5], [-1, nan, inf, "$3"], "USD per million tokens, at least 0"],
  ["retries", field(Field.retries), [0, 100], [-1, 101, 0.5, nan], "a whole number from 0 to 100"],
  ["httpUrl", field(Field.httpUrl), ["http://a", "https://a.b/v1"], ["ftp://a", "a.b", "", 5], "an http or https URL"],
  [
    "duration",
    field(Field.duration),
    [1, 0.5, "30 seconds", Duration.minutes(1), 5n, [1, 0]],
    [0, -1, nan, "", "soon", "-1 seconds", "0 seconds", -5n, null, {}],
    'a duration above 0, in ms or like "30 seconds"'
  ],
  [
    "durationOrZero",
    field(Field.durationOrZero),
    [0, 1, "0 seconds", "30 seconds", Duration.zero],
    [-1, nan, "soon", "-1 seconds", -5n, null],
    'a duration of 0 or more, in ms or like "30 seconds"'
  ]
]

describe("Field", () => {
  for (const [name, schema, right, wrong, words] of rows) {
    it(`${name} takes ${words}`, () => {
      for (const value of right) assert.isTrue(accepts(schema, value), `${String(value)} is right`)
      for (const value of wrong) {
        const issues = Field.issuesOf(schema, value, "x")
        assert.strictEqual(issues.length, 1, `${String(value)} is wrong, once`)
        assert.strictEqual(issues[0]?.expected, words)
      }
    })
  }
})

describe("options", () => {
  const Options = Field.options("How it waits.", {
    name: Field.required(Field.text, "What it is called."),
    wait: Field.option(Field.durationOrZero, "How long it waits.", 90_000),
    off: Field.option(Field.flag, "Whether it is off.", false),
    most: Field.option(Field.count, "The most.")
  })

  it("give the code the defaults that their JSON schema documents, and nothing for those without one", () => {
    const { wait, off, ...rest } = Field.defaults(Options)
    assert.deepStrictEqual({ wait, off, rest }, { wait: 90_000, off: false, rest: {} })
    const { properties, required } = JSONSchema.make(Options) as unknown as {
      readonly properties: Record<string, { readonly default?: unknown; readonly description?: string }>
      readonly required: ReadonlyArray<string>
    }
    assert.deepStrictEqual(required, ["name"])
    assert.deepStrictEqual(
      Object.entries(properties).map(([key, field]) => [key, field.description, field.default]),
      [
        ["name", "What it is called.", undefined],
        ["wait", "How long it waits.", 90_000],
        ["off", "Whether it is off.", false],
        ["most", "The most.", undefined]
      ]
    )
  })

  it("answer what is no object with a word, not with their description, and still name each wrong field", () => {
    const expected = (input: unknown) => Field.issuesOf(Options, input, "x").map((one) => [one.path, one.expected])
    assert.deepStrictEqual(expected(5), [["x", "an object"]])
    assert.deepStrictEqual(expected(true), [["x", "an object, {} for its defaults"]])
    assert.deepStrictEqual(expected({ name: "", wait: -1, of: true }), [
      ["x.of", "no such key"],
      ["x.name", "a string that is not empty"],
      ["x.wait", 'a duration of 0 or more, in ms or like "30 seconds"']
    ])
  })

  it("leave out what is left out: nothing is filled in behind the caller's back", () => {
    assert.deepStrictEqual(Either.getOrThrow(Field.decode(Options, { name: "a" }, "")), { name: "a" })
  })

  it.each([
    [{ byDefault: 250, isDuration: true, name: "wait" }, "A. Default 250 ms."],
    [{ byDefault: 1500, isDuration: true, name: "wait" }, "A. Default 1.5 seconds."],
    [{ byDefault: 1000, isDuration: true, name: "wait" }, "A. Default 1 second."],
    [{ byDefault: 60_000, isDuration: true, name: "wait" }, "A. Default 60 seconds."],
    [{ byDefault: 300_000, isDuration: true, name: "wait" }, "A. Default 5 minutes."],
    [{ byDefault: 0, isDuration: true, name: "wait" }, "A. Default 0."],
    [{ byDefault: 32 * 1024 * 1024, isDuration: false, name: "maxBytes" }, "A. Default 32 MiB."],
    [{ byDefault: 16_384, isDuration: false, name: "maxBodyBytes" }, "A. Default 16 KiB."],
    [{ byDefault: 100_000, isDuration: false, name: "most" }, "A. Default 100,000."],
    [{ byDefault: "cut", isDuration: false, name: "policy" }, "A. Default `cut`."],
    [{ byDefault: [1, 2, 4096], isDuration: false, name: "buckets" }, "A. Default from 1 to 4,096."],
    [{ byDefault: {}, isDuration: false, name: "labels" }, "A. Default none."],
    [{ byDefault: undefined, isDuration: false, name: "most" }, "A."]
  ])("say their default in words: %j", (field, text) => {
    assert.strictEqual(Field.told("A.", field), text)
    assert.strictEqual(Field.told("A. Default 5: all.", field), "A. Default 5: all.")
  })
})
