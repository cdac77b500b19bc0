/**
 * Tokens of one call, counted without overlap. OpenAI counts cached and reasoning tokens inside the sums, Anthropic counts the
 * cache outside, Gemini the thoughts: disjoint figures are the only ones that mean the same everywhere.
 */
import type { Usage } from "@switchyard/core/Usage"

/** Disjoint counts of tokens. */
export interface Tokens {
  /** Input that no cache served or stored. */
  readonly uncached: number
  readonly cacheRead: number
  /** Input that was written into the provider's cache for minutes. */
  readonly cacheWrite: number
  /** The same for an hour, where it is told apart; undefined where it is not. */
  readonly cacheWriteHour?: number | undefined
  /** Output that the caller sees. */
  readonly text: number
  readonly reasoning: number
}

/** No tokens at all. */
export const zero: Tokens = { uncached: 0, cacheRead: 0, cacheWrite: 0, text: 0, reasoning: 0 }

/** What an answer used of which nobody told it: the prompt as the tower measures it, and four characters to a token of what was said. */
export const estimated = (input: number, characters: number): Tokens => ({
  ...zero,
  uncached: input,
  text: Math.ceil(characters / 4)
})

/** All input: uncached, read from the cache and written to it. */
export const input = (tokens: Tokens): number =>
  tokens.uncached + tokens.cacheRead + tokens.cacheWrite + (tokens.cacheWriteHour ?? 0)

/** All output: text and reasoning. */
export const output = (tokens: Tokens): number => tokens.text + tokens.reasoning

/** As the tower counts: cached inside the input, reasoning inside the output. */
export const toUsage = (tokens: Tokens): Usage => {
  const written = tokens.cacheWrite + (tokens.cacheWriteHour ?? 0)
  return {
    inputTokens: input(tokens),
    outputTokens: output(tokens),
    cachedInputTokens: tokens.cacheRead,
    ...(written > 0 ? { cacheWriteTokens: written } : {}),
    reasoningTokens: tokens.reasoning,
    estimated: false
  }
}

/** From the tower's figures. */
export const fromUsage = (usage: Usage): Tokens => ({
  uncached: Math.max(0, usage.inputTokens - usage.cachedInputTokens - (usage.cacheWriteTokens ?? 0)),
  cacheRead: usage.cachedInputTokens,
  cacheWrite: usage.cacheWriteTokens ?? 0,
  text: Math.max(0, usage.outputTokens - usage.reasoningTokens),
  reasoning: usage.reasoningTokens
})

/** A count that can be, of at least 0; else 0. Some tell tokens of a cache in fractions, by their price: they are rounded. */
export const count = (value: unknown): number =>
  typeof value === "number" && value >= 0 && value <= 1e8 ? Math.round(value) : 0
