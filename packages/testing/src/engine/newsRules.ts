import { Effect } from "effect"
import { expect, type Harness, type Rule } from "./engineRule.js"

/** How often a word is said again before it counts as never heard, and how long after one another, ms. */
const patience = { times: 250, every: 40 }

/** Says a word until somebody has heard it: one that is said before an engine knows of the listener is lost. */
const sayUntil = ({ engine, pass }: Harness, channel: string, text: string, isHeard: () => boolean) =>
  Effect.gen(function* () {
    for (let times = 0; times < patience.times && !isHeard(); times++) {
      yield* engine.news.publish(channel, text)
      yield* pass(patience.every)
    }
  })

/** What an engine must do with news. */
export const rules: ReadonlyArray<Rule> = [
  [
    "all who listen to a channel hear what is said there, and nothing else",
    (harness) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { news } = harness.engine
          const [one, other] = [`${harness.run} {one}`, `${harness.run} other`]
          const heard: Array<ReadonlySet<string>> = []
          const listen = (channel: string) => {
            const words = new Set<string>()
            heard.push(words)
            return news.listen(channel, (text) => void words.add(text))
          }
          yield* Effect.forEach([one, one, other], listen)
          const text = '{"text":"ü"}'
          yield* sayUntil(harness, other, "other", () => heard[2]?.has("other") === true)
          yield* sayUntil(harness, one, text, () => heard[0]?.has(text) === true && heard[1]?.has(text) === true)
          yield* expect(
            "heard",
            heard.map((words) => [...words]),
            [[text], [text], ["other"]]
          )
        })
      )
  ],
  [
    "who listens no more hears no more, and takes nothing from others",
    (harness) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { news } = harness.engine
          const channel = `${harness.run} left`
          const heard = { left: "", staying: "" }
          yield* news.listen(channel, (text) => {
            heard.staying = text
          })
          yield* Effect.scoped(
            Effect.zipRight(
              news.listen(channel, (text) => {
                heard.left = text
              }),
              sayUntil(harness, channel, "1", () => heard.left === "1" && heard.staying === "1")
            )
          )
          yield* sayUntil(harness, channel, "2", () => heard.staying === "2")
          yield* expect("heard", [heard.left, heard.staying], ["1", "2"])
        })
      )
  ]
]
