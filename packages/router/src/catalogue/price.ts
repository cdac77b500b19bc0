import type { Units, Usage } from "@switchyard/core/Usage"

/** USD per million tokens. 0 is free. */
export interface Rates {
  readonly input: number
  /** Input tokens served from the provider's prompt cache. */
  readonly cachedInput: number
  /** Input tokens written into it. Unset: as `input`. */
  readonly cacheWrite?: number | undefined
  readonly output: number
  /** Input tokens that are an image's. Unset: as `input`. */
  readonly imageInput?: number | undefined
  /** Input tokens that are sound's. Unset: as `input`. */
  readonly audioInput?: number | undefined
  /** Output tokens that are sound's. Unset: as `output`. */
  readonly audioOutput?: number | undefined
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
  /** The part of it that is taken off in a batch: 0.5 is half. Unset: what the provider is known for. */
  readonly batchDiscount?: number | undefined
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

/** What an image costs: by the names that it has, else the usual, else the dearest. */
const imagePrice = ({ images, perImage }: UnitPrices, { imageQuality, imageSize }: Units): number | undefined => {
  if (images === undefined) return perImage
  for (const name of [`${imageQuality} ${imageSize}`, imageSize, imageQuality]) {
    if (name !== undefined && Object.hasOwn(images, name)) return images[name]
  }
  return perImage ?? Math.max(0, ...Object.values(images))
}

/** USD for units at a price; undefined where it knows none of them. */
export const unitCost = (units: Units, price: UnitPrices): number | undefined => {
  const { perCharacter, perSearch, perSecond } = price
  const { characters, images, searches, seconds } = units
  const each = images === undefined ? undefined : imagePrice(price, units)
  let sum = images === undefined || each === undefined ? undefined : images * each
  if (searches !== undefined && perSearch !== undefined) sum = (sum ?? 0) + searches * perSearch
  // Speech is billed by one of the two: what is said by characters is not said by seconds, too.
  if (characters !== undefined && perCharacter !== undefined) sum = (sum ?? 0) + characters * perCharacter
  else if (seconds !== undefined && perSecond !== undefined) sum = (sum ?? 0) + seconds * perSecond
  return sum
}

const tokenCost = (usage: Usage, price: Price): number => {
  const rates = ratesFor(price, usage.inputTokens)
  const cached = Math.min(usage.cachedInputTokens, usage.inputTokens)
  const written = Math.min(usage.cacheWriteTokens ?? 0, usage.inputTokens - cached)
  const plain = usage.inputTokens - cached - written
  return (
    (plain * rates.input +
      cached * rates.cachedInput +
      written * (rates.cacheWrite ?? rates.input) +
      usage.outputTokens * rates.output +
      dearerInput(usage, rates, plain) +
      dearerOutput(usage, rates)) /
    1e6
  )
}

/** What images and sound in the input cost more, or less, than text. */
const dearerInput = ({ audioInputTokens, imageInputTokens }: Usage, rates: Rates, plain: number): number => {
  const { audioInput, imageInput, input } = rates
  const images = Math.min(imageInputTokens ?? 0, plain)
  const sound = Math.min(audioInputTokens ?? 0, plain - images)
  return images * ((imageInput ?? input) - input) + sound * ((audioInput ?? input) - input)
}

/** The same of sound in the output. */
const dearerOutput = ({ audioOutputTokens, outputTokens }: Usage, { audioOutput, output }: Rates): number =>
  audioOutputTokens === undefined || audioOutput === undefined
    ? 0
    : Math.min(audioOutputTokens, outputTokens) * (audioOutput - output)

const hasTokenPrice = ({ input, output }: Rates): boolean => input > 0 || output > 0

/**
 * USD that a usage costs at a price: cached and cache-written input at their own rates, reasoning as output. What is billed by
 * units costs those, unless the provider told tokens and they have a price: a model has one of the two.
 */
export const cost = (usage: Usage, price: Price): number => {
  const { units } = usage
  if (units === undefined || (!usage.estimated && hasTokenPrice(price))) return tokenCost(usage, price)
  return unitCost(units, price) ?? tokenCost(usage, price)
}
