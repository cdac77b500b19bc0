/**
 * Tokens that a call used, as the provider reported them or, failing that, estimated.
 */
import { isJsonObject, type JsonObject } from "../json/Json.js"

/** Token counts of one call. `inputTokens` includes the cached ones, `outputTokens` the reasoning ones, as OpenAI counts. */
export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
  /** Input tokens that the provider served from its prompt cache. */
  readonly cachedInputTokens: number
  /** Input tokens that the provider wrote into its prompt cache, where it says so; some take more for them. */
  readonly cacheWriteTokens?: number
  /** Output tokens spent on reasoning that is not part of the visible text. */
  readonly reasoningTokens: number
  /** True when the provider sent no usage, and the counts are characters divided by four. */
  readonly estimated: boolean
}

/** No tokens at all, for example for a call that failed before the provider saw it. */
export const zero: Usage = {
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  reasoningTokens: 0,
  estimated: false
}

/** Input plus output tokens: what TPM limits count. */
export const total = (usage: Usage): number => usage.inputTokens + usage.outputTokens

/** The sum of two usages; it counts as estimated when either is. */
export const add = (a: Usage, b: Usage): Usage => ({
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
  ...(a.cacheWriteTokens === undefined && b.cacheWriteTokens === undefined
    ? {}
    : { cacheWriteTokens: (a.cacheWriteTokens ?? 0) + (b.cacheWriteTokens ?? 0) }),
  reasoningTokens: a.reasoningTokens + b.reasoningTokens,
  estimated: a.estimated || b.estimated
})

/** An estimated usage from token counts that nobody reported. */
export const estimate = (inputTokens: number, outputTokens: number): Usage => ({
  ...zero,
  inputTokens,
  outputTokens,
  estimated: true
})

/** No call uses more tokens; a larger count is an underflow or a lie. */
const mostTokens = 1e8

/** A count of tokens; undefined for everything that is none. Some providers write numbers as strings. */
const count = (value: unknown): number | undefined => {
  const number = typeof value === "string" && /^\d{1,9}(?:\.0+)?$/.test(value.trim()) ? Number(value) : value
  return typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= mostTokens
    ? number
    : undefined
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

/** The largest of the counts: who tells one figure in two spellings has used it once. */
const largest = (...values: ReadonlyArray<unknown>): number => {
  let most = 0
  for (const value of values) {
    const known = count(value)
    if (known !== undefined && known > most) most = known
  }
  return most
}

const nothing: JsonObject = {}
const objectIn = (value: unknown): JsonObject => (isJsonObject(value) ? value : nothing)

const cachedIn = (usage: JsonObject, details: JsonObject): number =>
  largest(
    details.cached_tokens,
    details.cache_read_tokens,
    details.cache_read_input_tokens,
    usage.cached_tokens,
    usage.prompt_cache_hit_tokens,
    usage.cache_read_input_tokens,
    usage.num_cached_tokens
  )

const writtenIn = (usage: JsonObject, details: JsonObject): number =>
  largest(
    usage.cache_creation_input_tokens,
    usage.cache_write_input_tokens,
    details.cache_creation_tokens,
    details.cache_creation_input_tokens,
    details.cache_write_tokens
  )

const reasoningIn = (usage: JsonObject): number =>
  largest(
    objectIn(usage.completion_tokens_details ?? usage.output_tokens_details).reasoning_tokens,
    usage.reasoning_tokens
  )

/**
 * Reads the `usage` object of an OpenAI-compatible response, in every spelling that its providers have. `undefined` when
 * there is none to read (absent, null, without a single count, or with one that can't be: a fraction, below 0, above 1e8),
 * so that the caller can estimate instead.
 */
export const fromOpenAi = (usage: unknown): Usage | undefined => {
  if (!isJsonObject(usage)) return undefined
  const input = usage.prompt_tokens ?? usage.input_tokens
  const output = usage.completion_tokens ?? usage.output_tokens
  const total = count(usage.total_tokens)
  if (!isGiven(input) && !isGiven(output)) return total === undefined ? undefined : { ...zero, inputTokens: total }
  let inputTokens = count(input ?? 0)
  let outputTokens = count(output ?? 0)
  if (inputTokens === undefined || outputTokens === undefined) return undefined
  const details = objectIn(usage.prompt_tokens_details ?? usage.input_tokens_details)
  const cachedInputTokens = cachedIn(usage, details)
  const written = writtenIn(usage, details)
  // `input_tokens` beside figures of a cache is Anthropic's way: the cache's tokens come on top.
  const isOnTop = usage.prompt_tokens === undefined && usage.input_tokens_details === undefined
  if (isOnTop || cachedInputTokens + written > inputTokens) inputTokens += cachedInputTokens + written
  const reasoningTokens = reasoningIn(usage)
  // So is reasoning where the total says so, or where it is more than the output that it should be a part of.
  if (
    reasoningTokens > outputTokens ||
    (reasoningTokens > 0 && total === inputTokens + outputTokens + reasoningTokens)
  ) {
    outputTokens += reasoningTokens
  }
  return {
    inputTokens,
    outputTokens,
    cachedInputTokens,
    ...(written > 0 ? { cacheWriteTokens: written } : {}),
    reasoningTokens,
    estimated: false
  }
}

/** The usage in a whole answer or in a chunk, wherever its provider puts it: on top, at Groq's `x_groq`, at the first choice. */
export const inBody = (body: JsonObject): Usage | undefined => {
  if (isGiven(body.usage)) return fromOpenAi(body.usage)
  const own = isJsonObject(body.x_groq) ? fromOpenAi(body.x_groq.usage) : undefined
  if (own !== undefined) return own
  const first = Array.isArray(body.choices) ? (body.choices[0] as unknown) : undefined
  return isJsonObject(first) && first.usage !== undefined ? fromOpenAi(first.usage) : undefined
}
