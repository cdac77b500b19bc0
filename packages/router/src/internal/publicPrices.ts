const price = (input: number, cachedInput: number, output: number) => ({ input, cachedInput, output })

/** Public list prices in USD per million tokens, by model name without provider prefix and date. */
export const publicPrices = {
  "gpt-4o": price(2.5, 1.25, 10),
  "gpt-4o-mini": price(0.15, 0.075, 0.6),
  "gpt-4.1": price(2, 0.5, 8),
  "gpt-4.1-mini": price(0.4, 0.1, 1.6),
  "gpt-4.1-nano": price(0.1, 0.025, 0.4),
  o3: price(2, 0.5, 8),
  "o4-mini": price(1.1, 0.275, 4.4),
  "gpt-3.5-turbo": price(0.5, 0.5, 1.5),
  "text-embedding-3-small": price(0.02, 0.02, 0),
  "text-embedding-3-large": price(0.13, 0.13, 0),
  "claude-3-5-haiku": price(0.8, 0.08, 4),
  "claude-3-5-sonnet": price(3, 0.3, 15),
  "claude-3-7-sonnet": price(3, 0.3, 15),
  "claude-sonnet-4": price(3, 0.3, 15),
  "claude-opus-4": price(15, 1.5, 75),
  "gemini-2.0-flash": price(0.1, 0.025, 0.4),
  "gemini-2.5-flash": price(0.3, 0.075, 2.5),
  "gemini-2.5-pro": price(1.25, 0.31, 10)
}
