import { Schema } from "effect"
import { ownLabels } from "./metricTable.js"

const expecting = (expected: string) => ({ message: () => ({ message: expected, override: true }) })

const isIncreasing = (bounds: ReadonlyArray<number>): boolean =>
  bounds.length > 0 && bounds.every((bound, i) => Number.isFinite(bound) && bound > (bounds[i - 1] ?? -Infinity))

const buckets = Schema.optional(
  Schema.Array(Schema.Number)
    .pipe(Schema.filter(isIncreasing))
    .annotations(expecting("finite numbers, each greater than the one before, and at least one"))
)

const nameRule = "a name of letters, digits and underscores, no digit first, not two underscores first"

const problemOf = (name: string): string | undefined =>
  !/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)
    ? nameRule
    : ownLabels.has(name)
      ? "a label that no metric has already"
      : undefined

const flag = Schema.optional(Schema.Boolean.annotations(expecting("true or false")))

/** Options of the metrics of both tiers. */
export const Options = Schema.Struct({
  /** Whether anybody may read them where the gateway is reached from elsewhere, without a key. Default false. */
  public: flag,
  /** Before every metric's name. Default `switchyard`. */
  prefix: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^[a-zA-Z_][a-zA-Z0-9_]*$/)).annotations(
      expecting("letters, digits and underscores, no digit first")
    )
  ),
  /** Labels on every series, for example `{ region: "eu" }`. */
  labels: Schema.optional(
    Schema.Record({ key: Schema.String, value: Schema.String }).pipe(
      Schema.filter((labels) =>
        Object.keys(labels).flatMap((name) => {
          const message = problemOf(name)
          return message === undefined ? [] : [{ path: [name], message }]
        })
      )
    )
  ),
  /** Upper bounds of the latency histograms in seconds, sorted. Default from 0.05 to 600. */
  latencyBuckets: buckets,
  /** Upper bounds of the time to the first token in seconds, sorted. Default from 0.05 to 60. */
  ttftBuckets: buckets,
  /** Upper bounds of the token histograms, sorted. Default from 4 to 1,048,576. */
  tokenBuckets: buckets,
  /** Whether series are split by model group; `false` leaves the label `model` out. Default true. */
  perModel: flag,
  /** Whether series are split by provider; `false` leaves the label `provider` out. Default true. */
  perProvider: flag
})
/** Options of the metrics of both tiers. */
export type Options = typeof Options.Type

/** What an option is when it is left out. Buckets in seconds and tokens. */
export const defaults = {
  public: false,
  prefix: "switchyard",
  labels: {},
  latencyBuckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600],
  ttftBuckets: [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60],
  tokenBuckets: [4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576],
  perModel: true,
  perProvider: true
} as const satisfies Required<Options>
