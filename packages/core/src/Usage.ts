/**
 * Tokens that a call used, as the provider reported them or, failing that, estimated.
 */
import { isJsonObject, type JsonObject } from "./Json.js"

/** Token counts of one call. `inputTokens` includes the cached ones, `outputTokens` the reasoning ones, as OpenAI counts. */
export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
  /** Input tokens that the provider served from its prompt cache. */
  readonly cachedInputTokens: number
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

const count = (value: unknown): number =>
  typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0

const detail = (usage: JsonObject, field: string, name: string): number => {
  const details = usage[field]
  return isJsonObject(details) ? count(details[name]) : 0
}

/**
 * Reads the `usage` object of an OpenAI-compatible response. `undefined` when there is none to read (absent, null, or
 * without a single count), so that the caller can estimate instead.
 */
export const fromOpenAi = (usage: unknown): Usage | undefined => {
  if (!isJsonObject(usage)) return undefined
  if (typeof usage.prompt_tokens !== "number" && typeof usage.completion_tokens !== "number") {
    if (typeof usage.total_tokens !== "number") return undefined
    return { ...zero, inputTokens: count(usage.total_tokens) }
  }
  return {
    inputTokens: count(usage.prompt_tokens),
    outputTokens: count(usage.completion_tokens),
    cachedInputTokens: detail(usage, "prompt_tokens_details", "cached_tokens"),
    reasoningTokens: detail(usage, "completion_tokens_details", "reasoning_tokens"),
    estimated: false
  }
}
