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
  /** The model group that is asked for. */
  model: Field.required(Field.text, "The model group that is asked for."),
  /** Requests per second; of sessions, how many begin. */
  rate: Field.required(Field.positive, "Requests per second; of sessions, how many begin."),
  /** Whether requests come by chance, each on its own (`poisson`), or at equal distances (`regular`). Default `poisson`. */
  arrivals: Field.option(
    oneOf("poisson", "regular"),
    "Whether requests come by chance, each on its own (`poisson`), or at equal distances (`regular`).",
    "poisson"
  ),
  /** When it begins. Default 0. */
  from: Field.option(Field.durationOrZero, "When it begins.", 0),
  /** How long it lasts. Default: to the end. */
  lasts: Field.option(Field.duration, "How long it lasts. Default: to the end."),
  /** Bursts. Default: none. */
  bursts: Field.option(
    Field.options("Bursts.", {
      /** From the beginning of one to that of the next. */
      every: Field.required(Field.duration, "From the beginning of one to that of the next."),
      /** How long one lasts. */
      lasts: Field.required(Field.duration, "How long one lasts."),
      /** How many times more requests come meanwhile. */
      times: Field.required(Field.positive, "How many times more requests come meanwhile.")
    }),
    "Bursts. Default: none."
  ),
  /** A curve as that of a day, which begins at midnight. Default: none. */
  day: Field.option(
    Field.options("A curve as that of a day.", {
      /** How long a day is. Default 24 hours. */
      length: Field.option(Field.duration, "How long a day is.", 86_400_000),
      /** The rate at night as a share of that at noon; `rate` is that at noon. Default 0.2. */
      low: Field.option(Field.fraction, "The rate at night as a share of that at noon; `rate` is that at noon.", 0.2)
    }),
    "A curve as that of a day, which begins at midnight. Default: none."
  ),
  /** Tokens of a prompt. Default none. */
  inputTokens: Field.option(Quantity, "Tokens of a prompt.", { median: 500, p95: 3000 }),
  /** Tokens of an answer. Default none. */
  outputTokens: Field.option(Quantity, "Tokens of an answer.", { median: 200, p95: 800 }),
  /** The share of requests that stream. Default 1. */
  streams: Field.option(Field.fraction, "The share of requests that stream.", 1),
  /** Requests are turns of conversations: each prompt holds all that was said before. Default: each request is alone. */
  sessions: Field.option(
    Field.options("Conversations.", {
      /** Requests of a session. Default none. */
      turns: Field.option(Quantity, "Requests of a session.", { median: 4, p95: 12 }),
      /** From an answer to the next request. Default none. */
      think: Field.option(Time, "From an answer to the next request.", { median: 8000, p95: 40_000 })
    }),
    "Requests are turns of conversations: each prompt holds all that was said before. Default: each request is alone."
  ),
  /** A beginning that prompts have in common, as a system prompt. Default: none. */
  prefix: Field.option(
    Field.options("A beginning that prompts have in common.", {
      /** How long it is. */
      tokens: Field.required(Field.positiveCount, "How long it is."),
      /** How many different ones there are. Default 1. */
      kinds: Field.option(Field.positiveCount, "How many different ones there are.", 1)
    }),
    "A beginning that prompts have in common, as a system prompt. Default: none."
  ),
  /** Tags of the requests. Default: none. */
  tags: Field.option(Schema.Array(Field.text), "Tags of the requests. Default: none."),
  /** Whether requests say how long their answers may be. Default false. */
  maxTokens: Field.option(Field.flag, "Whether requests say how long their answers may be.", false)
})
/** A source of requests. */
export type Source = typeof Source.Type
