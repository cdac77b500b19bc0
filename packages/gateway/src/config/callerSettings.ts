/**
 * Keys that callers bear.
 */
import * as Field from "@switchyard/core/Field"
import { SpendLimit } from "@switchyard/router/SpendWindows"
import { Schema } from "effect"

/** A string of the file that nobody may read back. */
export const secret = Schema.Union(Field.text, Schema.RedactedFromSelf(Schema.String)).annotations({
  message: () => ({ message: "a string that is not empty", override: true }),
  jsonSchema: { type: "string", minLength: 1 }
})

const places = Schema.Struct({
  /** The best place that its requests may ask for. */
  min: Field.option(Field.finite, "The best place that its requests may ask for."),
  /** The worst place that its requests may ask for. */
  max: Field.option(Field.finite, "The worst place that its requests may ask for.")
}).pipe(
  Schema.filter(({ max, min }) => min === undefined || max === undefined || min <= max || "a min that is not above max")
)

/** A key that callers bear, and what it may do. */
export const VirtualKey = Schema.Struct({
  /** Who it is for: budgets, limits, logs and the cache go by it. Unique. */
  name: Field.required(Field.text, "Who it is for: budgets, limits, logs and the cache go by it. Unique."),
  /** The key itself; only its hash is kept. One of `key` and `hash`. */
  key: Field.option(secret, "The key itself; only its hash is kept. One of `key` and `hash`."),
  /** SHA-256 of the key in hex, for files that should not hold it. */
  hash: Field.option(
    Schema.String.pipe(Schema.pattern(/^(sha256:)?[0-9a-fA-F]{64}$/)).annotations({
      message: () => ({ message: "the key's SHA-256 as 64 hex digits", override: true })
    }),
    "SHA-256 of the key in hex, for files that should not hold it."
  ),
  /** Model groups that it may ask for; `*` stands for any text. Unset: all. */
  groups: Field.option(
    Schema.Array(Field.text),
    "Model groups that it may ask for; `*` stands for any text. Unset: all."
  ),
  /** Requests per 60 s. Unset: no limit. */
  rpm: Field.option(Field.count, "Requests per 60 s. Unset: no limit."),
  /** Tokens per 60 s, input and output. Unset: no limit. */
  tpm: Field.option(Field.count, "Tokens per 60 s, input and output. Unset: no limit."),
  /** Requests in progress at once. Unset: no limit. */
  maxParallel: Field.option(Field.count, "Requests in progress at once. Unset: no limit."),
  /** Bytes of a request's body, where that should be less than `server.maxBodyBytes`. */
  maxBodyBytes: Field.option(
    Field.positiveCount,
    "Bytes of a request's body, where that should be less than `server.maxBodyBytes`."
  ),
  /**
   * Places in line that its requests may ask for, lower first; what they ask for beyond is brought back to the nearest. `min`
   * unset: where a request that asks for none stands (`requests.priority`, else 0), so that no key overtakes others.
   */
  priority: Field.option(
    places,
    "Places in line that its requests may ask for, lower first; what they ask for beyond is brought back to the nearest. `min` unset: where a request that asks for none stands (`requests.priority`, else 0), so that no key overtakes others."
  ),
  /** Whether it may ask for what deployments pass through to their providers (`passThrough`). Default false. */
  passThrough: Field.option(
    Schema.Boolean,
    "Whether it may ask for what deployments pass through to their providers (`passThrough`).",
    false
  ),
  /** What it may spend. Unset: no limit. */
  budget: Field.option(SpendLimit, "What it may spend. Unset: no limit."),
  /** Tags that its requests bear beside their own. */
  tags: Field.option(Schema.Array(Field.text), "Tags that its requests bear beside their own.")
})
/** A key that callers bear, and what it may do. */
export type VirtualKey = typeof VirtualKey.Type
