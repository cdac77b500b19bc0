import { assert, describe, it } from "@effect/vitest"
import * as Field from "@switchyard/core/Field"
import { Duration, type Schema } from "effect"

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
