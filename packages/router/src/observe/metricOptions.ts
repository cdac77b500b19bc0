import * as Field from "@switchyard/core/Field"
import { Schema } from "effect"
import { ownLabels } from "./metricTable.js"

const expecting = (expected: string) => ({ message: () => ({ message: expected, override: true }) })

const isIncreasing = (bounds: ReadonlyArray<number>): boolean =>
  bounds.length > 0 && bounds.every((bound, i) => Number.isFinite(bound) && bound > (bounds[i - 1] ?? -Infinity))

const buckets = Schema.Array(Schema.Number)
  .pipe(Schema.filter(isIncreasing))
  .annotations(expecting("finite numbers, each greater than the one before, and at least one"))

const nameRule = "a name of letters, digits and underscores, no digit first, not two underscores first"

const problemOf = (name: string): string | undefined =>
  !/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)
    ? nameRule
    : ownLabels.has(name)
      ? "a label that no metric has already"
      : undefined

/** Options of the metrics of both tiers. */
export const Options = Field.options("The metrics of both tiers: their names, labels and buckets.", {
  /** Whether anybody may read them where the gateway is reached from elsewhere, without a key. Default false. */
  public: Field.option(
    Field.flag,
    "Whether anybody may read them where the gateway is reached from elsewhere, without a key.",
    false
  ),
  /** Before every metric's name. Default `switchyard`. */
  prefix: Field.option(
    Schema.String.pipe(Schema.pattern(/^[a-zA-Z_][a-zA-Z0-9_]*$/)).annotations(
      expecting("letters, digits and underscores, no digit first")
    ),
    "Before every metric's name.",
    "switchyard"
  ),
  /** Labels on every series, for example `{ region: "eu" }`. Default none. */
  labels: Field.option(
    Schema.Record({ key: Schema.String, value: Schema.String }).pipe(
      Schema.filter((labels) =>
        Object.keys(labels).flatMap((name) => {
          const message = problemOf(name)
          return message === undefined ? [] : [{ path: [name], message }]
        })
      )
    ),
    'Labels on every series, for example `{ region: "eu" }`.',
    {}
  ),
  /** Upper bounds of the latency histograms in seconds, sorted. Default from 0.05 to 600. */
  latencyBuckets: Field.option(
    buckets,
    "Upper bounds of the latency histograms in seconds, sorted.",
    [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600]
  ),
  /** Upper bounds of the time to the first token in seconds, sorted. Default from 0.05 to 60. */
  ttftBuckets: Field.option(
    buckets,
    "Upper bounds of the time to the first token in seconds, sorted.",
    [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60]
  ),
  /** Upper bounds of the token histograms, sorted. Default from 4 to 1,048,576. */
  tokenBuckets: Field.option(
    buckets,
    "Upper bounds of the token histograms, sorted.",
    [4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576]
  ),
  /** Whether series are split by model group; `false` leaves the label `model` out. Default true. */
  perModel: Field.option(
    Field.flag,
    "Whether series are split by model group; `false` leaves the label `model` out.",
    true
  ),
  /** Whether series are split by provider; `false` leaves the label `provider` out. Default true. */
  perProvider: Field.option(
    Field.flag,
    "Whether series are split by provider; `false` leaves the label `provider` out.",
    true
  )
})
/** Options of the metrics of both tiers. */
export type Options = typeof Options.Type

/** What an option is when it is left out. Buckets in seconds and tokens. */
export const defaults = Field.defaults(Options)
