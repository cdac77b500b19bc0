/** Who asks: how many requests come when, how long their prompts and answers are, and which belong together. */
import * as Field from "@switchyard/core/Field"
import { Schema } from "effect"
import { Quantity, Time } from "../chance/Distribution.js"

const oneOf = <const L extends ReadonlyArray<string>>(...words: L) =>
  Schema.Literal(...words).annotations({
    message: () => ({ message: words.map((word) => JSON.stringify(word)).join(" or "), override: true })
  })

/** A source of requests. */
export const Source = Field.options("A source of requests.", {
  model: Field.required(Field.text, "The model group that is asked for."),
  rate: Field.required(Field.positive, "Requests per second; of sessions, how many begin."),
  arrivals: Field.option(
    oneOf("poisson", "regular"),
    "Whether requests come by chance, each on its own (`poisson`), or at equal distances (`regular`).",
    "poisson"
  ),
  from: Field.option(Field.durationOrZero, "When it begins.", 0),
  lasts: Field.option(Field.duration, "How long it lasts. Default: to the end."),
  bursts: Field.option(
    Field.options("Bursts.", {
      every: Field.required(Field.duration, "From the beginning of one to that of the next."),
      lasts: Field.required(Field.duration, "How long one lasts."),
      times: Field.required(Field.positive, "How many times more requests come meanwhile.")
    }),
    "Bursts. Default: none."
  ),
  day: Field.option(
    Field.options("A curve as that of a day.", {
      length: Field.option(Field.duration, "How long a day is.", 86_400_000),
      low: Field.option(Field.fraction, "The rate at night as a share of that at noon; `rate` is that at noon.", 0.2)
    }),
    "A curve as that of a day, which begins at midnight. Default: none."
  ),
  inputTokens: Field.option(Quantity, "Tokens of a prompt.", { median: 500, p95: 3000 }),
  outputTokens: Field.option(Quantity, "Tokens of an answer.", { median: 200, p95: 800 }),
  streams: Field.option(Field.fraction, "The share of requests that stream.", 1),
  sessions: Field.option(
    Field.options("Conversations.", {
      turns: Field.option(Quantity, "Requests of a session.", { median: 4, p95: 12 }),
      think: Field.option(Time, "From an answer to the next request.", { median: 8000, p95: 40_000 })
    }),
    "Requests are turns of conversations: each prompt holds all that was said before. Default: each request is alone."
  ),
  prefix: Field.option(
    Field.options("A beginning that prompts have in common.", {
      tokens: Field.required(Field.positiveCount, "How long it is."),
      kinds: Field.option(Field.positiveCount, "How many different ones there are.", 1)
    }),
    "A beginning that prompts have in common, as a system prompt. Default: none."
  ),
  tags: Field.option(Schema.Array(Field.text), "Tags of the requests. Default: none."),
  maxTokens: Field.option(Field.flag, "Whether requests say how long their answers may be.", false)
})
/** A source of requests. */
export type Source = typeof Source.Type
