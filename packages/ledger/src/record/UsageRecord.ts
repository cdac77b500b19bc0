/**
 * What is kept of a request: who asked for what, where it went, what it used, what it cost and how it ended. Never what was
 * said: neither prompts nor answers nor a provider's message. Strings that callers give are at most 256 bytes of UTF-8.
 */

/** How a request ended; as the log says it. */
export type Ending = "success" | "failure" | "abandoned" | "refused"

/** One request that is over. Times are wall-clock ms, lengths of time ms, money whole nano-USD. */
export interface UsageRecord {
  /** The request's id, as its caller was told it. */
  readonly id: string
  /** When it came. */
  readonly time: number
  /** The key's name; undefined without one. The master key's is `(master)`. */
  readonly caller: string | undefined
  /** The team of the key. */
  readonly team: string | undefined
  /** The user whose key it is. */
  readonly user: string | undefined
  /** The tags of the request and of its key. */
  readonly tags: ReadonlyArray<string>
  readonly operation: string
  /** What the request named. */
  readonly model: string | undefined
  /** The model group that answered, or was asked last. */
  readonly group: string | undefined
  readonly deployment: string | undefined
  readonly provider: string | undefined
  readonly attempts: number
  readonly stream: boolean
  /** Whether the cache answered. */
  readonly isHit: boolean
  /** Tokens, disjoint: what the prompt cache served and what was written into it are not in `input`, reasoning is not in `output`. */
  readonly input: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly output: number
  readonly reasoning: number
  /** All its attempts together, nano-USD. */
  readonly cost: number
  readonly ending: Ending
  /** The HTTP status that went out; undefined when none did. */
  readonly status: number | undefined
  /** Why it failed: an error's reason or a refusal's code. */
  readonly reason: string | undefined
  /** From its coming to its end. */
  readonly latency: number
  /** From its coming to the first content of its answer; undefined when there was none. */
  readonly firstContent: number | undefined
  /** A short hash of what binds a conversation's requests together; a simulation replays prompt caches by it. */
  readonly session: string | undefined
}
