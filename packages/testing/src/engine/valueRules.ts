import { Effect } from "effect"
import { expect, type Rule } from "./engineRule.js"

/** Nothing runs out within a check, unless it says so. */
const long = 60_000

/** What an engine must do with values. */
export const rules: ReadonlyArray<Rule> = [
  [
    "a value is what was put there last, whatever letters are in it, until it is removed",
    ({ engine: { values }, run }) =>
      Effect.gen(function* () {
        const [key, other] = [`${run} {value}`, `${run} other`]
        yield* expect("at first", yield* values.get(key), undefined)
        yield* values.set(key, "one", long)
        const text = `{"ü":"1:2 \\n {}"}${"x".repeat(10_000)}`
        yield* values.set(key, text, long)
        yield* values.set(other, "2", long)
        yield* expect("the last", yield* values.get(key), text)
        yield* expect("the other", yield* values.get(other), "2")
        yield* values.remove(key)
        yield* values.remove(key)
        yield* expect("removed", yield* values.get(key), undefined)
        yield* expect("and only that", yield* values.get(other), "2")
      })
  ],
  [
    "a value goes when its time is over, counted from the last time that it was put there",
    ({ engine: { values }, pass, run, window }) =>
      Effect.gen(function* () {
        const [short, again] = [`${run} short`, `${run} again`]
        yield* values.set(short, "1", window)
        yield* values.set(again, "1", window)
        yield* values.set(again, "2", long)
        yield* pass(window + 50)
        yield* expect("both", [yield* values.get(short), yield* values.get(again)], [undefined, "2"])
      })
  ]
]
