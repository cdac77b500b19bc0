/** What is known, or assumed, of an upstream: how fast it is, how much it takes, how often it fails, and what it costs. */
import * as Field from "@switchyard/core/Field"
import { Schema } from "effect"
import { Quantity, Time } from "../chance/Distribution.js"

const status = Schema.String.pipe(Schema.filter((key) => /^[45]\d\d$/.test(key))).annotations({
  message: () => ({ message: "an HTTP status from 400 to 599", override: true })
})

/** Shares of calls that are answered with an error, by its status. */
export const ErrorShares = Schema.Record({ key: status, value: Field.fraction })

/** An upstream. */
export const UpstreamModel = Field.options(
  "An upstream: how fast it is, how much it takes, how often it fails, what it costs.",
  {
    /** From the request to the first token, for an empty prompt. Default none. */
    firstToken: Field.option(Time, "From the request to the first token, for an empty prompt.", {
      median: 400,
      p95: 900
    }),
    /** Added to `firstToken` per 1,000 prompt tokens that are in no prompt cache. Default 0. */
    perThousandInput: Field.option(
      Field.durationOrZero,
      "Added to `firstToken` per 1,000 prompt tokens that are in no prompt cache.",
      0
    ),
    /** How fast an answer is written. Default none. */
    tokensPerSecond: Field.option(Quantity, "How fast an answer is written.", { median: 60, p95: 90 }),
    /** Calls that are served at once. Default: all. */
    slots: Field.option(Field.positiveCount, "Calls that are served at once. Default: all."),
    /** Calls that wait for a slot before the upstream turns more away. Default 100. */
    queue: Field.option(Field.count, "Calls that wait for a slot before the upstream turns more away.", 100),
    /** What a call is answered that finds the queue full. Default 503. */
    whenFull: Field.option(
      Schema.Literal(429, 503).annotations({ message: () => ({ message: "429 or 503", override: true }) }),
      "What a call is answered that finds the queue full.",
      503
    ),
    /** Shares of calls that are answered with an error, by its status. Default none. */
    errors: Field.option(ErrorShares, "Shares of calls that are answered with an error, by its status.", {}),
    /** How long an error takes to come. Default 50. */
    errorAfter: Field.option(Time, "How long an error takes to come.", 50),
    /** Requests per 60 s, more are answered with 429. Default: no limit. */
    rpm: Field.option(Field.positiveCount, "Requests per 60 s, more are answered with 429. Default: no limit."),
    /** Tokens per 60 s, more are answered with 429. Default: no limit. */
    tpm: Field.option(Field.positiveCount, "Tokens per 60 s, more are answered with 429. Default: no limit."),
    /** Whether its answers tell of its limits: `retry-after` and `x-ratelimit-*`. Default true. */
    announces: Field.option(
      Field.flag,
      "Whether its answers tell of its limits: `retry-after` and `x-ratelimit-*`.",
      true
    ),
    /**
     * How long it keeps a session's prompt: those tokens cost no time, and `cachedInputPrice`. Default: it has no such cache.
     */
    promptCache: Field.option(
      Field.duration,
      "How long it keeps a session's prompt: those tokens cost no time, and `cachedInputPrice`. Default: it has no such cache."
    ),
    /** USD per million input tokens. Default 0. */
    inputPrice: Field.option(Field.price, "USD per million input tokens.", 0),
    /** USD per million input tokens from its cache. Default: `inputPrice`. */
    cachedInputPrice: Field.option(Field.price, "USD per million input tokens from its cache. Default: `inputPrice`."),
    /** USD per million output tokens. Default 0. */
    outputPrice: Field.option(Field.price, "USD per million output tokens.", 0),
    /** Idle for so long, it has to start anew. Default: never. */
    coldAfter: Field.option(Field.duration, "Idle for so long, it has to start anew. Default: never."),
    /** How long that takes; calls wait meanwhile. Default 5,000. */
    coldStart: Field.option(Time, "How long that takes; calls wait meanwhile.", 5000),
    /** Where it stands: incidents may befall a region. Default: that of its deployment. */
    region: Field.option(Field.text, "Where it stands: incidents may befall a region. Default: that of its deployment.")
  }
)
/** An upstream. */
export type UpstreamModel = typeof UpstreamModel.Type

/** What befalls upstreams for a while. */
export const Incident = Field.options("What befalls upstreams for a while.", {
  /** Whom it befalls, by the deployments' ids. */
  deployments: Field.option(Schema.Array(Field.text), "Whom it befalls, by the deployments' ids."),
  /** Whom it befalls: all that stand there. */
  region: Field.option(Field.text, "Whom it befalls: all that stand there."),
  /** When it begins. */
  from: Field.required(Field.durationOrZero, "When it begins."),
  /** How long it lasts. Default: to the end. */
  lasts: Field.option(Field.duration, "How long it lasts. Default: to the end."),
  /** It begins again so long after it began. Default: it happens once. */
  every: Field.option(Field.duration, "It begins again so long after it began. Default: it happens once."),
  /** In how long `slower` reaches its full strength. Default 0. */
  ramp: Field.option(Field.durationOrZero, "In how long `slower` reaches its full strength.", 0),
  /** How many times longer everything takes. Default 1. */
  slower: Field.option(Field.positive, "How many times longer everything takes.", 1),
  /** No call succeeds: connections are refused, nothing is ever answered, or every answer is this status. */
  down: Field.option(
    Schema.Union(
      Schema.Literal("refuse", "silent"),
      Schema.Number.pipe(Schema.int(), Schema.between(400, 599))
    ).annotations({
      message: () => ({ message: '"refuse", "silent", or an HTTP status from 400 to 599', override: true })
    }),
    "No call succeeds: connections are refused, nothing is ever answered, or every answer is this status."
  ),
  /** Shares of calls that are answered with an error, by its status. Default none. */
  errors: Field.option(ErrorShares, "Shares of calls that are answered with an error, by its status.", {}),
  /** Share of streams that break off in the middle. Default 0. */
  cut: Field.option(Field.fraction, "Share of streams that break off in the middle.", 0),
  /** Share of streams that fall silent in the middle. Default 0. */
  stall: Field.option(Field.fraction, "Share of streams that fall silent in the middle.", 0),
  /** Calls that are served at once meanwhile. */
  slots: Field.option(Field.positiveCount, "Calls that are served at once meanwhile.")
})
/** What befalls upstreams for a while. */
export type Incident = typeof Incident.Type
