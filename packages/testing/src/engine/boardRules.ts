import { Effect } from "effect"
import { expect, type Harness, type Rule } from "./engineRule.js"

/** Nothing runs out within a check, unless it says so. */
const long = 60_000

const words = ({ engine }: Harness, board: string) =>
  Effect.map(engine.boards.read(board), (posted) =>
    posted.map(({ json, member }) => `${member} ${json}`).sort((a, b) => (a < b ? -1 : 1))
  )

/** What an engine must do with boards. */
export const rules: ReadonlyArray<Rule> = [
  [
    "a board has the last word of each member, and nobody else's",
    (harness) =>
      Effect.gen(function* () {
        const { boards } = harness.engine
        const [one, other] = [`${harness.run} one`, `${harness.run} other`]
        yield* expect("a new one is empty", yield* boards.read(one), [])
        yield* boards.post(one, "a", '{"n":1}', long)
        yield* boards.post(one, "b", '{"text":"ü 1:2 {}"}', long)
        yield* boards.post(other, "a", "3", long)
        yield* boards.post(one, "a", '{"n":2}', long)
        yield* expect("one", yield* words(harness, one), ['a {"n":2}', 'b {"text":"ü 1:2 {}"}'])
        yield* expect("other", yield* words(harness, other), ["a 3"])
      })
  ],
  [
    "a word goes when its member says nothing more, and has its age until then",
    (harness) =>
      Effect.gen(function* () {
        const { boards } = harness.engine
        const { pass, window } = harness
        const board = `${harness.run} silent`
        yield* boards.post(board, "short", "1", window)
        yield* boards.post(board, "long", "2", long)
        yield* boards.post(board, "again", "3", window)
        yield* pass(window / 2)
        yield* boards.post(board, "again", "4", long)
        const ages = (yield* boards.read(board)).map(({ age, member }) => [
          member,
          member === "again" ? age < window / 2 : age >= window / 2 && age < long
        ])
        yield* expect(
          "ages",
          ages.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
          [
            ["again", true],
            ["long", true],
            ["short", true]
          ]
        )
        yield* pass(window / 2 + 50)
        yield* expect("the others stay", yield* words(harness, board), ["again 4", "long 2"])
      })
  ],
  [
    "a member that goes takes its word with it",
    (harness) =>
      Effect.gen(function* () {
        const { boards } = harness.engine
        const board = `${harness.run} gone`
        yield* boards.post(board, "a", "1", long)
        yield* boards.post(board, "b", "2", long)
        yield* boards.post(board, "a", "1", 0)
        yield* expect("at once", yield* words(harness, board), ["b 2"])
      })
  ]
]
