/**
 * What one request decides and demands for itself.
 */
import type { Reason } from "../errors/LlmError.js"
import type { JsonObject } from "../json/Json.js"

/** A fallback target: a model group or a deployment id, with payload fields that reach that target only. */
export interface FallbackTarget {
  readonly model: string
  readonly overrides?: JsonObject
}

/** What one request asks of a Cache layer. */
export interface CacheControl {
  /** A fresh answer: neither a stored one nor that of a call already under way. It is stored as usual. */
  readonly noCache?: boolean
  /** The answer is not stored; a stored one will do. */
  readonly noStore?: boolean
  /** How long the answer may be kept, in ms, in place of the layer's `ttl`; 0 keeps nothing. */
  readonly ttl?: number
}

/** A drill: what a FaultInjection layer does in place of the provider. Without that layer it does nothing. */
export interface Fault {
  /** The text of an answer that no provider gives, in any group; for embeddings, one vector for each input. */
  readonly answer?: string
  /** Every attempt fails with this reason. */
  readonly fail?: Reason
  /** Ms before the failure, the answer or the provider's call. */
  readonly delay?: number
  /** `fail` and `delay` hold in fallback groups too. Default: only in the group that the caller asked for. */
  readonly everywhere?: boolean
}

/** What one request decides for itself; it beats the deployment's, the group's and the router's settings. Times in ms. */
export interface RequestOverrides {
  /** Bound of the whole request, retries and fallbacks included. */
  readonly deadline?: number
  /** Bound of each attempt. One that runs out before the configured bounds would have says nothing about the deployment. */
  readonly timeout?: number
  readonly firstTokenTimeout?: number
  readonly idleTimeout?: number
  /**
   * Streams: the longest silence. It bounds the time to the first token from above (as it is, where there is nowhere else to
   * go), and is the time between two chunks; the two bounds above beat it.
   */
  readonly silenceTimeout?: number
  /** Retries inside a group; 0 means none. */
  readonly maxRetries?: number
  /** It makes something that must not be made twice: it is tried again only where the provider surely did nothing. */
  readonly makesOnce?: boolean
  /** Fallback targets in place of the configured chains; an empty list means none. */
  readonly fallbacks?: ReadonlyArray<string | FallbackTarget>
  /** Targets for a prompt that is too long, in place of the configured chain; an empty list means none. */
  readonly contextWindowFallbacks?: ReadonlyArray<string | FallbackTarget>
  /** Targets for a refusal by content policy, in place of the configured chain; an empty list means none. */
  readonly contentPolicyFallbacks?: ReadonlyArray<string | FallbackTarget>
  readonly disableFallbacks?: boolean
  readonly maxFallbacks?: number
  /** Its place among requests that wait for room: lower first, default 0. */
  readonly priority?: number
  /** Extra headers for the provider, for example `Idempotency-Key`: the same on every attempt. */
  readonly headers?: Readonly<Record<string, string>>
  readonly cache?: CacheControl
  /**
   * The first cooldown (ms) of a deployment on which this request fails; beats the deployment's `cooldown` and the Cooldown
   * layer's `duration`. 0: a failure of this request counts for nothing, not even by its Retry-After.
   */
  readonly cooldown?: number
  /**
   * The deadline, the timeouts, the retries and the cooldown above may only lower what would be in force without them,
   * for callers that are not trusted with more. Default false.
   */
  readonly lowerOnly?: boolean
  /** Whether parameters that a model refuses are left out; beats the deployment's `dropParams`. */
  readonly dropParams?: boolean
  /** Parameters that are left out beside the deployment's own `additionalDropParams`. */
  readonly additionalDropParams?: ReadonlyArray<string>
  readonly fault?: Fault
}

/** What a request demands of the deployment that serves it, beside its tags; fallbacks are held to it too. */
export interface Demands {
  /** Whether a deployment must bear `any` of the request's tags (default) or `all` of them. */
  readonly tagMatch?: "any" | "all"
  /** Tags that a deployment must bear, whatever else matches. */
  readonly requiredTags?: ReadonlyArray<string>
  /** Tags that a deployment must not bear. */
  readonly excludedTags?: ReadonlyArray<string>
  /** The region that the request must stay in: a deployment without a region, or with another, is out. */
  readonly region?: string
  /** Capabilities needed; those that the payload shows (tools, vision, json_schema) are added by themselves. */
  readonly capabilities?: ReadonlyArray<string>
  /** The only deployment that may serve the request, by id. */
  readonly deployment?: string
}

/**
 * What is in force where a request says `own` and `configured` would be in force without it: the request's value, but with
 * `lowerOnly` the smaller one.
 */
export const inForce = ({ lowerOnly }: RequestOverrides, own: number | undefined, configured: number): number => {
  if (own === undefined) return configured
  return lowerOnly !== true || own < configured ? own : configured
}
