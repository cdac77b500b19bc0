/** What was spent, as the admin endpoints show it: sums of days of UTC. Money is USD. */
import { Schema } from "effect"

const sums = {
  /** With what failed. */
  requests: Schema.Number,
  failures: Schema.Number,
  cost: Schema.Number,
  /** Of all kinds. */
  tokens: Schema.Number
}

/** One sum. `name` is empty for what has none: requests without a team, for one. */
export const SpendSum = Schema.Struct({
  name: Schema.String,
  /** What a team is called beside its id. */
  alias: Schema.NullOr(Schema.String),
  ...sums
}).annotations({ identifier: "SpendSum" })
/** One sum. */
export interface SpendSum extends Schema.Schema.Type<typeof SpendSum> {}

/** Those that cost most, and how many there are. */
export const SpendTable = Schema.Struct({ rows: Schema.Array(SpendSum), total: Schema.Number }).annotations({
  identifier: "SpendTable"
})
/** Those that cost most, and how many there are. */
export interface SpendTable extends Schema.Schema.Type<typeof SpendTable> {}

/** What was spent in the days up to today. */
export const SpendView = Schema.Struct({
  hasLedger: Schema.Boolean.annotations({ description: "Without a ledger nothing is kept, and all is empty." }),
  from: Schema.String,
  to: Schema.String,
  total: SpendSum,
  days: Schema.Array(SpendSum).annotations({ description: "Each of them, also those on which nothing was asked." }),
  keys: SpendTable,
  teams: SpendTable,
  models: SpendTable,
  deployments: SpendTable
}).annotations({ identifier: "SpendView" })
/** What was spent in the days up to today. */
export interface SpendView extends Schema.Schema.Type<typeof SpendView> {}
