/**
 * What is done to requests, and what callers and the log are told of them.
 */
import * as Field from "@switchyard/core/Field"
import { Schema } from "effect"

/** What is done to every request before it is routed. */
export const Requests = Field.options("What is done to every request before it is routed.", {
  /** The model that every request is for, whatever it names. */
  model: Field.option(Field.text, "The model that every request is for, whatever it names."),
  /** Whether tags of requests and keys choose deployments (`route`) or mean nothing (`ignore`). Default `route`. */
  tags: Field.option(
    Schema.Literal("route", "ignore"),
    "Whether tags of requests and keys choose deployments (`route`) or mean nothing (`ignore`).",
    "route"
  ),
  /** Whether a deployment must bear `any` of a request's tags or `all`. Default `any`. */
  tagMatch: Field.option(
    Schema.Literal("any", "all"),
    "Whether a deployment must bear `any` of a request's tags or `all`.",
    "any"
  ),
  /** Place among requests that wait for room, where the request names none; lower first. Default 0. */
  priority: Field.option(
    Field.finite,
    "Place among requests that wait for room, where the request names none; lower first.",
    0
  ),
  /** Whether streams always end with usage, asked for or not. Default false. */
  streamUsage: Field.option(Schema.Boolean, "Whether streams always end with usage, asked for or not.", false),
  /** Whether the caller's own `x-` headers go on to the provider. Default false. */
  forwardHeaders: Field.option(Schema.Boolean, "Whether the caller's own `x-` headers go on to the provider.", false),
  /** Whether parameters that a model refuses are left out, where its deployment does not say. Default false. */
  dropParams: Field.option(
    Schema.Boolean,
    "Whether parameters that a model refuses are left out, where its deployment does not say.",
    false
  ),
  /** Whether only requests that ask for it (`cache: {"use-cache": true}`) may be answered from the cache. Default false. */
  cacheOptIn: Field.option(
    Schema.Boolean,
    'Whether only requests that ask for it (`cache: {"use-cache": true}`) may be answered from the cache.',
    false
  )
})
/** What is done to every request before it is routed. */
export type Requests = typeof Requests.Type

/** What callers are told beside the answers. */
export const Answers = Field.options("What callers are told beside the answers.", {
  /**
   * What headers and errors tell of a request's way. `all`: deployments by id, attempts, fallbacks, cost. `summary`: the group,
   * how many attempts, cost, cache and time, and no deployment. `none`: the request's id alone. Default `all` for the master
   * key and where no key is configured, `summary` for other keys.
   */
  routing: Field.option(
    Schema.Literal("all", "summary", "none"),
    "What headers and errors tell of a request's way. `all`: deployments by id, attempts, fallbacks, cost. `summary`: the group, how many attempts, cost, cache and time, and no deployment. `none`: the request's id alone. Default `all` for the master key and where no key is configured, `summary` for other keys."
  ),
  /** Whether the answering provider's request id and rate limit headers are passed on. Default false. */
  providerHeaders: Field.option(
    Schema.Boolean,
    "Whether the answering provider's request id and rate limit headers are passed on.",
    false
  )
})
/** What callers are told beside the answers. */
export type Answers = typeof Answers.Type

/** What is logged, and how. */
export const Log = Field.options("What is logged, and how.", {
  /**
   * `json`: one object a line; `pretty`: for people; `off` or false, which is what YAML makes of a bare `off`: nothing.
   * Default `pretty` on a terminal, else `json`.
   */
  format: Field.option(
    Schema.Literal("json", "pretty", "off", false),
    "`json`: one object a line; `pretty`: for people; `off` or false, which is what YAML makes of a bare `off`: nothing. Default `pretty` on a terminal, else `json`."
  ),
  /** The least that is logged: requests are `info`, their retries and fallbacks `debug`. Default `info`. */
  level: Field.option(
    Schema.Literal("debug", "info", "warn", "error"),
    "The least that is logged: requests are `info`, their retries and fallbacks `debug`.",
    "info"
  ),
  /** Share of the successful requests that are logged; all others are. Default 1. */
  sample: Field.option(Field.fraction, "Share of the successful requests that are logged; all others are.", 1),
  /** Lines about requests a second; those beyond are only counted. Changes of state are always logged. Default 1,000. */
  maxPerSecond: Field.option(
    Field.positiveCount,
    "Lines about requests a second; those beyond are only counted. Changes of state are always logged.",
    1000
  ),
  /** Whether the messages of errors are logged too. Providers quote prompts in them. Default false. */
  messages: Field.option(
    Schema.Boolean,
    "Whether the messages of errors are logged too. Providers quote prompts in them.",
    false
  )
})
/** What is logged, and how. */
export type Log = typeof Log.Type

/** What the log's settings are when they are left out. */
export const logDefaults = Field.defaults(Log)
