/**
 * What tokens cost. A deployment's own prices win, then the book's own names, then the public list prices of the
 * `ModelCatalogue`. A price of which one half is known nowhere is unknown: half a price would make the other half free.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import * as Field from "@switchyard/core/Field"
import { Clock, Context, Effect, Layer, Schema } from "effect"
import * as ModelCatalogue from "../catalogue/ModelCatalogue.js"
import type { Price, Rates, UnitPrices } from "../catalogue/price.js"
import * as State from "../stack/State.js"

export type { Price, Rates, Tier, UnitPrices } from "../catalogue/price.js"
export { cost } from "../catalogue/price.js"

/** Looks up prices by deployment. */
export class PriceBook extends Context.Tag("@switchyard/router/PriceBook")<
  PriceBook,
  {
    /**
     * What a model costs on a deployment; the deployment's own model when none is named (a wildcard stands for many).
     * Asked for each attempt: a book of one's own should remember what is dear to find.
     */
    readonly price: (deployment: Deployment, model?: string) => Price | undefined
  }
>() {}

/**
 * What becomes of a model whose price nobody knows, where a budget should bind: `warn` (default) says so and lets it be free, `refuse` takes no such
 * configuration, and no such call where a wildcard leaves it open; or a price to assume, in USD per million tokens.
 */
export const UnknownPrice = Schema.Union(
  Schema.Literal("warn", "refuse"),
  Schema.Struct({ input: Field.price, output: Field.price })
).annotations({
  description: "What becomes of a model whose price nobody knows, where a budget should bind.",
  message: () => ({ message: "`warn`, `refuse`, or a price: `{input, output}`", override: true })
})
/** What becomes of a model whose price nobody knows, where a budget should bind. */
export type UnknownPrice = typeof UnknownPrice.Type

/** Prices of models by their names. */
export const PriceTable = Schema.Record({
  key: Schema.String,
  value: Schema.Struct({
    /** USD per million input tokens. */
    input: Field.required(Field.price, "USD per million input tokens."),
    /** USD per million input tokens from the provider's cache. */
    cachedInput: Field.required(Field.price, "USD per million input tokens from the provider's cache."),
    /** USD per million output tokens. */
    output: Field.required(Field.price, "USD per million output tokens."),
    /** USD per million input tokens that are an image's. Default: as `input`. */
    imageInput: Field.option(Field.price, "USD per million input tokens that are an image's. Default: as `input`."),
    /** USD per million input tokens that are sound's. Default: as `input`. */
    audioInput: Field.option(Field.price, "USD per million input tokens that are sound's. Default: as `input`."),
    /** USD per million output tokens that are sound's. Default: as `output`. */
    audioOutput: Field.option(Field.price, "USD per million output tokens that are sound's. Default: as `output`."),
    /** USD per image. */
    perImage: Field.option(Field.price, "USD per image."),
    /** USD per image by what is asked for: `1024x1536`, `hd`, `hd 1024x1536`; `perImage` for all others. */
    images: Field.option(
      Schema.Record({ key: Schema.String, value: Field.price }),
      "USD per image by what is asked for: `1024x1536`, `hd`, `hd 1024x1536`; `perImage` for all others."
    ),
    /** USD per second of sound, heard or spoken. */
    perSecond: Field.option(Field.price, "USD per second of sound, heard or spoken."),
    /** USD per character that is spoken. */
    perCharacter: Field.option(Field.price, "USD per character that is spoken."),
    /** USD per search, which reranking is billed by. */
    perSearch: Field.option(Field.price, "USD per search, which reranking is billed by."),
    /** The part of it that is taken off in a batch: 0.5 is half. Default: what the provider is known to take off. */
    batchDiscount: Field.option(
      Field.fraction,
      "The part of it that is taken off in a batch: 0.5 is half. Default: what the provider is known to take off."
    )
  })
}).annotations({ description: "Prices of models by their names; they beat the public list prices." })

/** The price that stands in for an unknown one. */
export const assumedOf = (unknown: UnknownPrice | undefined): BookOptions["assumed"] =>
  typeof unknown === "object" ? unknown : undefined

/** What a book says beside its names. */
export interface BookOptions {
  /** The price of every model whose price nobody knows. Unset: it stays unknown. */
  readonly assumed?: { readonly input: number; readonly output: number } | undefined
  /** Wall time in ms, for list prices that are announced for a later day. Unset: the day of the catalogue. */
  readonly at?: number | undefined
}

/** A model's name without its provider prefix and its date: `openai/gpt-4o-2024-08-06` is `gpt-4o`. */
const plainName = (model: string): string => {
  const name = model.slice(model.lastIndexOf("/") + 1).toLowerCase()
  return name.replace(/-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$/, "")
}

const withOwn = (rates: Rates, { cachedInputPrice, inputPrice, outputPrice }: Deployment): Rates => ({
  ...rates,
  ...(inputPrice === undefined
    ? {}
    : {
        input: inputPrice,
        cachedInput: inputPrice,
        cacheWrite: undefined,
        imageInput: undefined,
        audioInput: undefined
      }),
  ...(cachedInputPrice === undefined ? {} : { cachedInput: cachedInputPrice }),
  ...(outputPrice === undefined ? {} : { output: outputPrice, audioOutput: undefined })
})

/** Prices of a deployment's own that are no tokens'; undefined without any. They alone hold where it names none of those. */
const unitPricesOf = (deployment: Deployment): UnitPrices | undefined => {
  const { imagePrices, perCharacter, perImage, perSearch, perSecond } = deployment
  if ((perImage ?? imagePrices ?? perSecond ?? perCharacter ?? perSearch) === undefined) return undefined
  return {
    ...(perImage === undefined ? {} : { perImage }),
    ...(imagePrices === undefined ? {} : { images: imagePrices }),
    ...(perSecond === undefined ? {} : { perSecond }),
    ...(perCharacter === undefined ? {} : { perCharacter }),
    ...(perSearch === undefined ? {} : { perSearch })
  }
}

/** A deployment's own price, and what it leaves open from the public one; undefined when something stays open. */
const completed = (deployment: Deployment, listed: () => Price | undefined): Price | undefined => {
  const { cachedInputPrice, inputPrice, outputPrice } = deployment
  const units = unitPricesOf(deployment)
  if (inputPrice !== undefined && outputPrice !== undefined) {
    return { input: inputPrice, cachedInput: cachedInputPrice ?? inputPrice, output: outputPrice, ...units }
  }
  if (units !== undefined && (inputPrice ?? cachedInputPrice ?? outputPrice) === undefined) {
    return { input: 0, cachedInput: 0, output: 0, ...units }
  }
  const found = listed()
  if (found === undefined || (inputPrice ?? cachedInputPrice ?? outputPrice) === undefined) return found
  const base = { ...withOwn(found, deployment), ...units }
  if (found.tiers === undefined) return base
  return { ...base, tiers: found.tiers.map((tier) => ({ ...withOwn(tier, deployment), above: tier.above })) }
}

/** Names that are remembered for a deployment: more than one only where its model is a wildcard. */
const maxNames = 1000

/** A book of prices by model name; a deployment's own prices win over it, and public list prices stand behind it. */
export const make = (
  prices: Readonly<Record<string, Price>> = {},
  { assumed, at }: BookOptions = {}
): Context.Tag.Service<PriceBook> => {
  const byName = new Map(Object.entries(prices))
  const standIn = assumed === undefined ? undefined : { ...assumed, cachedInput: assumed.input }
  const remembered = new WeakMap<Deployment, Map<string, Price | undefined>>()
  const named = (model: string): Price | undefined => byName.get(model) ?? byName.get(plainName(model))
  const find = (deployment: Deployment, model: string): Price | undefined =>
    completed(
      deployment,
      () => named(model) ?? named(deployment.baseModel ?? model) ?? ModelCatalogue.priceOf(model, deployment, at)
    ) ?? standIn
  return {
    price: (deployment, model = deployment.model) => {
      let names = remembered.get(deployment)
      if (names === undefined) {
        names = new Map()
        remembered.set(deployment, names)
      }
      const known = names.get(model)
      if (known !== undefined || names.has(model)) return known
      const found = find(deployment, model)
      if (names.size >= maxNames) names.clear()
      names.set(model, found)
      return found
    }
  }
}

/** A book of names and options: list prices are those of the day on which the layer is built. */
export const layerWith = (prices: Readonly<Record<string, Price>>, options: BookOptions = {}): Layer.Layer<PriceBook> =>
  Layer.effect(
    PriceBook,
    Effect.map(Clock.currentTimeMillis, (at) => make(prices, { at, ...options }))
  )

/** Public list prices alone, those of the day on which the layer is built. */
export const layer: Layer.Layer<PriceBook> = layerWith({})

/** What becomes of a model whose price nobody knows. */
export class UnknownPrices extends Context.Tag("@switchyard/router/UnknownPrices")<
  UnknownPrices,
  { readonly policy: UnknownPrice }
>() {}

/** What becomes of a model whose price nobody knows, where a budget should bind. Default `warn`. */
export class UnknownPricePolicy extends State.make({
  name: "unknownPrice",
  tag: UnknownPrices,
  options: UnknownPrice,
  empty: "warn",
  layer: (policy) => Layer.succeed(UnknownPrices, { policy })
}) {}

/** The prices of a tower. */
export class Prices extends State.make({
  name: "prices",
  tag: PriceBook,
  options: PriceTable,
  needs: [UnknownPricePolicy],
  layer: (prices) =>
    Layer.unwrapEffect(Effect.map(UnknownPrices, ({ policy }) => layerWith(prices, { assumed: assumedOf(policy) })))
}) {}
