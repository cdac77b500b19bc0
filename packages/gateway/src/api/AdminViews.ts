/**
 * What the admin endpoints show, as schemas: the types of those who make the views, of those who read them, and the words of
 * the OpenAPI document. All of it is plain JSON; null means that nobody knows, or that there is none.
 */
import * as Problem from "@switchyard/core/Problem"
import { Schema } from "effect"

const { Boolean, NullOr, Number, String } = Schema

const list = Schema.Array

/** A field with what there is to know about it. */
const said = <A, I>(schema: Schema.Schema<A, I>, description: string): Schema.Schema<A, I> =>
  schema.annotations({ description })

/** A deployment's state in one word. */
export const State = Schema.Literal(
  "healthy",
  "unknown",
  "degraded",
  "limited",
  "cooldown",
  "unhealthy",
  "isolated"
).annotations({
  identifier: "State",
  description: "`unknown`: no call so far. `limited`: healthy, but a limit is used up."
})
/** A deployment's state in one word. `unknown`: no call so far. `limited`: healthy, but a limit is used up. */
export type State = typeof State.Type

const block = { reason: String, remainingMs: said(NullOr(Number), "For how many more ms.") }

/** Why a deployment takes no calls, and for how many more ms. */
export const Block = Schema.Struct(block).annotations({ identifier: "Block" })
/** Why a deployment takes no calls, and for how many more ms; null when nobody knows. */
export type Block = typeof Block.Type

/** How fast a deployment answers calls of one kind. */
export const AnswerTimes = Schema.Struct({
  meanMs: said(
    NullOr(Number),
    "Average that fades with time: of streams to the first content, of plain calls to the whole answer."
  ),
  p50Ms: NullOr(Number),
  p95Ms: NullOr(Number),
  samples: said(Number, "Recent answers, each counted by what time has left of its weight.")
}).annotations({ identifier: "AnswerTimes" })
/** How fast a deployment answers calls of one kind. Ms; null means that nobody knows. */
export type AnswerTimes = typeof AnswerTimes.Type

const errorEntry = {
  at: said(Number, "Wall-clock ms."),
  reason: String,
  status: said(NullOr(Number), "The provider's HTTP status."),
  message: said(String, "In our words, without the provider's, which may repeat a prompt. At most 200 characters.")
}

const failure = Schema.Struct(errorEntry)

/** One failed attempt on a deployment. */
export type Failure = typeof failure.Type

/** One deployment as `/admin/deployments` shows it. */
export const DeploymentView = Schema.Struct({
  id: String,
  group: String,
  provider: String,
  model: String,
  host: said(NullOr(String), "Host of the base URL."),
  weight: NullOr(Number),
  tags: list(String),
  state: State,
  isolated: Boolean,
  cooldown: said(
    NullOr(
      Schema.Struct({
        ...block,
        cause: NullOr(String),
        lastResort: said(
          Boolean,
          "Failures alone keep it closed, and it is alone in its group: calls go out all the same where no fallback is left."
        )
      })
    ),
    "Failures, a Retry-After or health probes keep it closed; `cause` is the error that did."
  ),
  limitedBy: NullOr(Block),
  rampFactor: said(Number, "Share of its usual traffic while it ramps up after a recovery; 1 otherwise."),
  stream: AnswerTimes,
  plain: AnswerTimes,
  inFlight: Number,
  requests: Number,
  successes: Number,
  failures: said(Number, "By the deployment's fault."),
  blameless: said(Number, "Failures by a mistake of the caller, or a bound of its own."),
  abandoned: Number,
  tokens: Number,
  lastMinute: said(
    NullOr(Schema.Struct({ requests: Number, failures: Number, tokens: Number })),
    "The last 60 seconds."
  ),
  limits: Schema.Struct({ rpm: NullOr(Number), tpm: NullOr(Number), maxParallel: NullOr(Number) }),
  headroom: said(
    NullOr(Number),
    "What is left of the limit that is nearest to full, 0 to 1; null where no limit is counted."
  ),
  spend: said(
    NullOr(Schema.Struct({ used: Number, limit: Number })),
    "USD that its own spend limit has seen in the window in force; null without one."
  ),
  lastErrors: said(list(Schema.Struct({ ...errorEntry, ageMs: Number })), "Newest first."),
  lastError: said(NullOr(String), "The reason of the last failure, also where `lastErrors` knows nothing of it."),
  lastRequestAgeMs: NullOr(Number)
}).annotations({ identifier: "DeploymentView" })
/** One deployment as `/admin/deployments` shows it. Plain JSON; null means that nobody knows, or that there is none. */
export interface DeploymentView extends Schema.Schema.Type<typeof DeploymentView> {}

/** What `/admin/deployments` tells. */
export const Deployments = Schema.Struct({
  deployments: said(list(DeploymentView), "In the order of the configuration."),
  connectionsWaiting: Schema.optionalWith(
    said(Number, "Requests that wait for a connection to a provider; gateways before 0.1 do not tell."),
    { default: () => 0 }
  )
}).annotations({ identifier: "Deployments" })
/** What `/admin/deployments` tells. */
export interface Deployments extends Schema.Schema.Type<typeof Deployments> {}

const column = list(NullOr(Number))

/** One deployment's samples, oldest first, in columns. */
export const Series = Schema.Struct({
  id: String,
  group: String,
  requests: said(column, "What happened between two samples. Null: it was not there, or nobody knows."),
  failures: column,
  inFlight: said(column, "At the moment of the sample."),
  meanMs: said(
    column,
    "Where the deployment was used: the fading average of its answers (streams: of their first content)."
  ),
  p95Ms: said(column, "Where it was used: 95 of 100 recent answers came within it.")
}).annotations({ identifier: "Series" })
/** One deployment's samples, oldest first, in columns. */
export interface Series extends Schema.Schema.Type<typeof Series> {}

/** The last 15 minutes of all deployments. */
export const Recording = Schema.Struct({
  intervalMs: said(Number, "Ms between two samples."),
  at: said(list(Number), "Wall-clock ms of each sample, oldest first."),
  deployments: list(Series)
}).annotations({ identifier: "Recording" })
/** The last 15 minutes of all deployments. */
export interface Recording extends Schema.Schema.Type<typeof Recording> {}

/** A configuration in force, without its secrets. */
export const ConfigView = Schema.Struct({
  generation: said(Number, "1 for the first configuration, one more with each reload."),
  installedAt: said(Number, "Wall-clock ms."),
  files: list(String),
  problems: list(
    Schema.Struct({
      ...Problem.Fields.fields,
      file: Schema.optional(String),
      line: Schema.optional(Number),
      column: Schema.optional(Number)
    })
  ),
  lastRefusal: said(NullOr(String), "Why the last reload was refused; null when it was not."),
  lostLogLines: said(Number, "Lines that the log has lost since the start."),
  ledger: said(
    NullOr(
      Schema.Struct({
        engine: Schema.Literal("sqlite", "postgres"),
        place: said(String, "A file, or an address without its password."),
        state: said(Schema.Literal("up", "away"), "`away`: what happens waits in the journal until the store is back."),
        error: said(NullOr(String), "Why it is away."),
        awaySince: said(NullOr(Number), "Wall-clock ms."),
        waitingBytes: said(Number, "Bytes of the journal that are not in the store yet."),
        lostRecords: said(Number, "Records that found no room in the journal, since the start.")
      })
    ),
    "What keeps keys, budgets and usage; null where nothing does."
  ),
  config: said(Schema.Unknown, "The settings in the words of the file, or of the code.")
}).annotations({
  identifier: "ConfigView",
  description: "What is a secret, looks like one, or holds one reads `<secret>`, wherever it stands."
})
/** A configuration in force, without its secrets. */
export interface ConfigView extends Schema.Schema.Type<typeof ConfigView> {}
