/**
 * What tokens cost. A deployment's own prices win; a book fills in for models whose price is public.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import type { Usage } from "@switchyard/core/Usage"
import { Context, Layer } from "effect"
import { publicPrices } from "./internal/publicPrices.js"

/** USD per million tokens. 0 is free; an absent price is unknown, which is something else. */
export interface Price {
  readonly input: number
  /** Input tokens served from the provider's prompt cache. */
  readonly cachedInput: number
  readonly output: number
}

/** Looks up prices by deployment. */
export class PriceBook extends Context.Tag("@switchyard/router/PriceBook")<
  PriceBook,
  { readonly price: (deployment: Deployment) => Price | undefined }
>() {}

/** USD that a usage costs at a price: cached input at its own price, reasoning as output. */
export const cost = (usage: Usage, price: Price): number =>
  ((usage.inputTokens - usage.cachedInputTokens) * price.input +
    usage.cachedInputTokens * price.cachedInput +
    usage.outputTokens * price.output) /
  1e6

const ownPrice = (deployment: Deployment): Price | undefined => {
  const { inputPrice, outputPrice } = deployment
  if (inputPrice === undefined && outputPrice === undefined) return undefined
  const input = inputPrice ?? 0
  return { input, cachedInput: deployment.cachedInputPrice ?? input, output: outputPrice ?? 0 }
}

/** A model's name without its provider prefix and its date: `openai/gpt-4o-2024-08-06` is `gpt-4o`. */
const plainName = (model: string): string => {
  const name = model.slice(model.lastIndexOf("/") + 1).toLowerCase()
  return name.replace(/-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$/, "")
}

/** A book of prices by model name; a deployment's own prices win over it. */
export const make = (prices: Readonly<Record<string, Price>> = publicPrices): Context.Tag.Service<PriceBook> => {
  const byName = new Map(Object.entries(prices))
  return {
    price: (deployment) =>
      ownPrice(deployment) ?? byName.get(deployment.model) ?? byName.get(plainName(deployment.model))
  }
}

/** The built-in table of public list prices, for models that many deployments serve. */
export const layerPublic: Layer.Layer<PriceBook> = Layer.sync(PriceBook, () => make())

/** A book of one's own, for example negotiated prices. */
export const layer = (prices: Readonly<Record<string, Price>>): Layer.Layer<PriceBook> =>
  Layer.sync(PriceBook, () => make(prices))
