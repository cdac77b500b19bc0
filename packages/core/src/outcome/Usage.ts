/**
 * Tokens that a call used, as the provider reported them or, failing that, estimated.
 */
import { isJsonObject, type JsonObject } from "../json/Json.js"

/** What a call is billed by where that is not tokens. Unset: it is not, or nobody knows. */
export interface Units {
  /** Images that came, or were asked for. */
  readonly images?: number
  /** The size of each, in pixels, as `1024x1024`; where it was named. */
  readonly imageSize?: string
  /** The quality of each, as `low`, `hd`; where it was named. */
  readonly imageQuality?: string
  /** Seconds of audio, heard or spoken. */
  readonly seconds?: number
  /** Characters to be spoken. */
  readonly characters?: number
  /** Searches: what reranking is billed by. */
  readonly searches?: number
}

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
  /** Input tokens that are an image's, where the provider tells them apart; part of `inputTokens`. */
  readonly imageInputTokens?: number
  /** Input tokens that are sound's, where the provider tells them apart; part of `inputTokens`. */
  readonly audioInputTokens?: number
  /** Output tokens that are sound's, where the provider tells them apart; part of `outputTokens`. */
  readonly audioOutputTokens?: number
  /** What is billed beside tokens, or in place of them: of operations that are no conversations alone. */
  readonly units?: Units
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

const sum = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0)

const given = <A extends object>(fields: { readonly [K in keyof A]: A[K] | undefined }): A =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as A

const addUnits = (a: Units, b: Units): Units =>
  given<Units>({
    images: sum(a.images, b.images),
    imageSize: a.imageSize ?? b.imageSize,
    imageQuality: a.imageQuality ?? b.imageQuality,
    seconds: sum(a.seconds, b.seconds),
    characters: sum(a.characters, b.characters),
    searches: sum(a.searches, b.searches)
  } as { readonly [K in keyof Units]: Units[K] | undefined })

/** What is told beside tokens, of two usages. */
const addMore = (
  a: Usage,
  b: Usage
): Pick<Usage, "imageInputTokens" | "audioInputTokens" | "audioOutputTokens" | "units"> => {
  const image = sum(a.imageInputTokens, b.imageInputTokens)
  const audio = sum(a.audioInputTokens, b.audioInputTokens)
  const spoken = sum(a.audioOutputTokens, b.audioOutputTokens)
  return {
    ...(image === undefined ? {} : { imageInputTokens: image }),
    ...(audio === undefined ? {} : { audioInputTokens: audio }),
    ...(spoken === undefined ? {} : { audioOutputTokens: spoken }),
    ...(a.units === undefined && b.units === undefined ? {} : { units: addUnits(a.units ?? {}, b.units ?? {}) })
  }
}

/** The sum of two usages; it counts as estimated when either is. */
export const add = (a: Usage, b: Usage): Usage => ({
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
  ...(a.cacheWriteTokens === undefined && b.cacheWriteTokens === undefined
    ? {}
    : { cacheWriteTokens: (a.cacheWriteTokens ?? 0) + (b.cacheWriteTokens ?? 0) }),
  reasoningTokens: a.reasoningTokens + b.reasoningTokens,
  estimated: a.estimated || b.estimated,
  ...addMore(a, b)
})

/** A usage with the units of its call: those that the answer tells beat those that the request does. */
export const withUnits = (usage: Usage, asked: Units | undefined, told?: Units): Usage =>
  asked === undefined && told === undefined && usage.units === undefined
    ? usage
    : { ...usage, units: { ...asked, ...usage.units, ...told } }

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

const reasoningIn = (usage: JsonObject, details: JsonObject): number =>
  largest(details.reasoning_tokens, usage.reasoning_tokens)

/** Tokens of pictures and sound; of most calls there are none. */
const mediaIn = (input: JsonObject, output: JsonObject): Partial<Usage> | undefined => {
  const audio = largest(input.audio_tokens)
  const image = largest(input.image_tokens)
  const spoken = largest(output.audio_tokens)
  if (audio + image + spoken === 0) return undefined
  return {
    ...(image > 0 ? { imageInputTokens: image } : {}),
    ...(audio > 0 ? { audioInputTokens: audio } : {}),
    ...(spoken > 0 ? { audioOutputTokens: spoken } : {})
  }
}

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
  const outputDetails = objectIn(usage.completion_tokens_details ?? usage.output_tokens_details)
  const reasoningTokens = reasoningIn(usage, outputDetails)
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
    estimated: false,
    ...mediaIn(details, outputDetails)
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
