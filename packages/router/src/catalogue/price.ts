import type { Usage } from "@switchyard/core/Usage"

/** USD per million tokens. 0 is free. */
export interface Rates {
  readonly input: number
  /** Input tokens served from the provider's prompt cache. */
  readonly cachedInput: number
  /** Input tokens written into it. Unset: as `input`. */
  readonly cacheWrite?: number | undefined
  readonly output: number
}

/** Rates of calls whose prompt is longer than `above` tokens: they hold for the whole call. */
export interface Tier extends Rates {
  readonly above: number
}

/** USD apiece for what is not counted in tokens. 0 is free; an absent one is unknown. */
export interface UnitPrices {
  /** An image that is made, of the usual size and quality where those matter. */
  readonly perImage?: number | undefined
  /** Images by what they are asked as: `1024x1536`, `hd`, `hd 1024x1536`. */
  readonly images?: Readonly<Record<string, number>> | undefined
  /** A second of audio that is heard or spoken, or of video that is made. */
  readonly perSecond?: number | undefined
  /** A character of text that is spoken. */
  readonly perCharacter?: number | undefined
  /** A query that is searched for, or whose documents are ranked. */
  readonly perSearch?: number | undefined
  /** A page of a document that is read. */
  readonly perPage?: number | undefined
}

/** USD per million tokens, and apiece for the rest. 0 is free; an absent price is unknown, which is something else. */
export interface Price extends Rates, UnitPrices {
  /** Rates of long prompts, shortest first. Unset: none. */
  readonly tiers?: ReadonlyArray<Tier> | undefined
}

/** The rates of a call with so many input tokens, cached ones included. */
export const ratesFor = (price: Price, inputTokens: number): Rates => {
  if (price.tiers === undefined) return price
  let rates: Rates = price
  for (const tier of price.tiers) if (inputTokens > tier.above) rates = tier
  return rates
}

/** USD that a usage costs at a price: cached and cache-written input at their own rates, reasoning as output. */
export const cost = (usage: Usage, price: Price): number => {
  const rates = ratesFor(price, usage.inputTokens)
  const cached = Math.min(usage.cachedInputTokens, usage.inputTokens)
  const written = Math.min(usage.cacheWriteTokens ?? 0, usage.inputTokens - cached)
  return (
    ((usage.inputTokens - cached - written) * rates.input +
      cached * rates.cachedInput +
      written * (rates.cacheWrite ?? rates.input) +
      usage.outputTokens * rates.output) /
    1e6
  )
}
