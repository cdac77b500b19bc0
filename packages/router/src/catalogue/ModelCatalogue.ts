/**
 * What is publicly known of models: what they are for, what they cost, how long their prompts may be, how much they write. The
 * data is part of the package (`scripts/catalogue.mjs` renews it) and nothing is ever fetched. A provider's models are read
 * when it is first asked for, and what was found for a name is remembered.
 */
import { catalogueDate } from "./data/prices.js"
import * as ModelList from "./modelList.js"
import { matches } from "./nameClause.js"
import type { Price } from "./price.js"
import * as PriceList from "./priceList.js"

export type { UnitPrices } from "./price.js"

/** What is known of one model at one provider. */
export interface Model {
  /** The catalogue's name of the provider, for example `openai`, `aws`, `together`. */
  readonly provider: string
  /** The catalogue's name of the model; dated and regional names of it are the same model. */
  readonly id: string
  /** List prices; undefined when unknown. What is billed by the piece alone has rates of 0. */
  readonly price: Price | undefined
  /** What it is for, as LiteLLM calls it: `chat`, `embedding`, `rerank`, `image_generation`, …; undefined when unknown. */
  readonly mode: string | undefined
  /** What it may be asked for, in the words of `deployment.operations`; undefined when unknown, empty for nothing of ours. */
  readonly operations: ReadonlyArray<string> | undefined
  /** What it is known to be able to do, and not to: `tools`, `vision`, `json_schema`, `reasoning`, …; the rest is unknown. */
  readonly capabilities: Readonly<Record<string, boolean>>
  /** Tokens of a prompt that fit; undefined when unknown. */
  readonly contextWindow: number | undefined
  /** Tokens that an answer may have; undefined when unknown. */
  readonly maxOutputTokens: number | undefined
  /** The family that it is one of, for example `claude-sonnet`; undefined when unknown. */
  readonly family: string | undefined
}

/** Where a model is asked. */
export interface Place {
  /** A provider's label, as deployments bear it: `openai`, `azure`, `bedrock`, `together_ai`. */
  readonly provider?: string | undefined
  /** An address that belongs to a known provider says more than a label. */
  readonly baseUrl?: string | undefined
  /** The public name of the model that is asked there, where it goes by a name of its owner's; beats that. */
  readonly baseModel?: string | undefined
}

interface Found {
  readonly model: Model
  readonly later: PriceList.Listed["later"]
}

/** Servers of one's own: what a provider takes for the same model says nothing. */
const selfHosted = new Set(["hosted_vllm", "vllm", "ollama", "ollama_chat", "lm_studio", "llamafile", "xinference"])

const afterFirstSlash = (name: string): string => name.slice(name.indexOf("/") + 1)
const prefixOf = (name: string): string => name.slice(0, Math.max(0, name.indexOf("/")))

/** `openai` is also what is said of every server that speaks its dialect: there the model's own name decides. */
const isSaidOfAny = (provider: string | undefined): boolean => provider === undefined || provider === "openai"

const isSelfHosted = ({ provider: label }: Place): boolean => label !== undefined && selfHosted.has(label.toLowerCase())

const inPrices = (name: string, { baseUrl, provider: label }: Place): PriceList.Listed | undefined => {
  const { byAddress, byLabel, byModel, lookUp } = PriceList
  const there = baseUrl === undefined ? undefined : byAddress(baseUrl)
  if (there !== undefined) return lookUp(there, name) ?? lookUp(there, afterFirstSlash(name))
  const labelled = label === undefined ? undefined : byLabel(label)
  const found = lookUp(labelled, name) ?? lookUp(labelled, afterFirstSlash(name))
  if (found !== undefined || !isSaidOfAny(labelled?.row.id)) return found
  const prefixed = name.includes("/") ? lookUp(byLabel(prefixOf(name)), afterFirstSlash(name)) : undefined
  const last = name.slice(name.lastIndexOf("/") + 1)
  return prefixed ?? lookUp(byModel(name), name) ?? lookUp(byModel(last), last)
}

const inModels = (
  name: string,
  { baseUrl, provider: label }: Place,
  listed: PriceList.Listed | undefined
): ModelList.Described | undefined => {
  const { byAddress, byLabel, byPrices } = ModelList
  const there = baseUrl === undefined ? undefined : byAddress(baseUrl)
  const labelled = there ?? (label === undefined ? undefined : byLabel(label))
  const found = labelled?.find(name) ?? labelled?.find(afterFirstSlash(name))
  if (found !== undefined) return found
  if (there === undefined && isSaidOfAny(labelled?.name)) {
    const prefixed = name.includes("/") ? byLabel(prefixOf(name))?.find(afterFirstSlash(name)) : undefined
    if (prefixed !== undefined) return prefixed
  }
  // What the price belongs to is the same model, whoever serves it.
  const owner = listed === undefined ? undefined : byPrices(listed.provider)
  const last = name.slice(name.lastIndexOf("/") + 1)
  return listed === undefined ? undefined : (owner?.find(last) ?? owner?.find(listed.id.toLowerCase()))
}

const priceOfBoth = (
  listed: PriceList.Listed | undefined,
  described: ModelList.Described | undefined
): Price | undefined => {
  const known = listed?.price ?? described?.price
  const rates = known === undefined || described?.media === undefined ? known : { ...known, ...described.media }
  const units = described?.units
  // What is billed by tokens is not billed again by the piece.
  if (units === undefined || (rates !== undefined && rates.input + rates.output > 0)) return rates
  return { ...(rates ?? { input: 0, cachedInput: 0, output: 0 }), ...units }
}

const together = (
  listed: PriceList.Listed | undefined,
  described: ModelList.Described | undefined
): Found | undefined => {
  const named = listed ?? described
  if (named === undefined) return undefined
  return {
    model: {
      provider: named.provider,
      id: named.id,
      price: priceOfBoth(listed, described),
      mode: described?.mode,
      operations: described?.operations,
      capabilities: described?.capabilities ?? {},
      contextWindow: listed?.contextWindow ?? described?.contextWindow,
      maxOutputTokens: listed?.maxOutputTokens ?? described?.maxOutputTokens,
      family: described?.family
    },
    later: listed?.later ?? []
  }
}

const search = (name: string, place: Place): Found | undefined => {
  if (place.baseUrl === undefined || PriceList.byAddress(place.baseUrl) === undefined) {
    if (isSelfHosted(place)) return undefined
  }
  const listed = inPrices(name, place)
  return together(listed, inModels(name, place, listed))
}

/** Names that are remembered; callers choose them, where a deployment's model is a wildcard. */
const capacity = 10_000
/** Longer names are no model's, and nobody gets to fill the memory with them. */
const longestName = 256

const remembered = new Map<string, Found | undefined>()

const findNamed = (model: string, place: Place): Found | undefined => {
  if (model === "" || model.length > longestName || model.includes("*")) return undefined
  const key = `${place.provider ?? ""}\n${place.baseUrl ?? ""}\n${model}`
  const known = remembered.get(key)
  if (known !== undefined || remembered.has(key)) return known
  const found = search(model.toLowerCase().trim(), place)
  if (remembered.size >= capacity) remembered.clear()
  remembered.set(key, found)
  return found
}

/** A public name may bear another provider's prefix than the one where the model is asked. */
const find_ = (model: string, { baseModel, baseUrl, provider }: Place): Found | undefined => {
  const place = { baseUrl, provider }
  return baseModel === undefined ? findNamed(model, place) : (findNamed(baseModel, place) ?? findNamed(baseModel, {}))
}

/** What is known of a model at a place; undefined when nothing is. A name with a star in it is no model. */
export const find = (model: string, place: Place = {}): Model | undefined => find_(model, place)?.model

/**
 * The list price of a model at a place. `at` is wall time in ms, for prices that are announced for a later day; without it
 * those count that were in force on the day of the data. Where a price changes by the hour, it is the dearest.
 */
export const priceOf = (model: string, place: Place = {}, at?: number): Price | undefined => {
  const known = find_(model, place)
  if (known === undefined || at === undefined) return known?.model.price
  let { price } = known.model
  for (const [from, announced] of known.later) if (at >= from) price = announced
  return price
}

/** Both lists of one provider in one: a model of the second that goes by a name of the first is told once. */
const allOf = (
  lister: PriceList.Lister | undefined,
  describer: ModelList.Describer | undefined
): ReadonlyArray<Model> => {
  const listed = lister?.models ?? []
  const names = new Set(listed.map(({ id }) => id.toLowerCase()))
  const first = listed.map((one) => together(one, describer?.find(one.id.toLowerCase()))?.model)
  const second = (describer?.models ?? []).flatMap((one) => {
    const name = one.id.toLowerCase()
    if (names.has(name)) return []
    const found = together(
      listed.find(({ clause }) => matches(clause, name)),
      one
    )
    return found === undefined ? [] : [{ ...found.model, id: one.id }]
  })
  return [...first, ...second].flatMap((model) => (model === undefined ? [] : [model]))
}

/**
 * The models of a provider, by its label or by the address of its API, in the order of the catalogue; empty when the
 * provider is unknown. What a wildcard stands for, as far as anybody can say.
 *
 * @example
 * ```ts
 * import * as ModelCatalogue from "@switchyard/router/ModelCatalogue"
 *
 * const names = ModelCatalogue.models("openai").map(({ id }) => id)
 * ```
 */
export const models = (provider: string, baseUrl?: string): ReadonlyArray<Model> => {
  const priced = baseUrl === undefined ? undefined : PriceList.byAddress(baseUrl)
  const described = baseUrl === undefined ? undefined : ModelList.byAddress(baseUrl)
  if (priced !== undefined || described !== undefined) return allOf(priced, described)
  return allOf(PriceList.byLabel(provider), ModelList.byLabel(provider))
}

/** The names of the providers whose models are known, in the order of the alphabet; `models` takes each of them. */
export const providers = (): ReadonlyArray<string> => {
  const described = [...ModelList.describers().keys()]
  const priced = new Set(described.map(ModelList.pricesOf))
  return [...described, ...[...PriceList.listers().keys()].filter((name) => !priced.has(name))].sort()
}

/** The day of the data, for example `2026-11-28`. */
export const date: string = catalogueDate
