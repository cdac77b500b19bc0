/**
 * Lowest expected cost of this request on that deployment: estimated input tokens, of which a share comes from the
 * provider's prompt cache, and the output that the request allows. Prices come from the `PriceBook`, so a deployment's own
 * ones win. A price of 0 is free and wins; a deployment whose price nobody knows is last.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import { type Uniform, uniform } from "@switchyard/core/Dice"
import * as Field from "@switchyard/core/Field"
import { estimateInputTokens, type LlmRequest, maxOutputTokens, wordsOf } from "@switchyard/core/LlmRequest"
import { type Context, Effect, Layer } from "effect"
import { ratesFor } from "../../catalogue/price.js"
import { PriceBook } from "../../money/PriceBook.js"
import { LowestPick } from "../lowestPick.js"
import { RoutingStrategy, type Strategy } from "../RoutingStrategy.js"
import { quoting } from "./quotes.js"

/** Options of the strategy. */
export const Options = Field.options("The strategy that chooses by cost.", {
  /** Output tokens to reckon with when the request sets no limit. Default 256. */
  outputTokens: Field.option(Field.count, "Output tokens to reckon with when the request sets no limit.", 256),
  /** Share of the input tokens expected from the provider's prompt cache, 0 to 1. Default 0. */
  cachedShare: Field.option(
    Field.fraction,
    "Share of the input tokens expected from the provider's prompt cache, 0 to 1.",
    0
  )
})
/** Options of the strategy. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/** What the strategy works with. */
export interface Deps {
  readonly prices: Context.Tag.Service<PriceBook>
  readonly random: Uniform
}

/** Output tokens to reckon with, for all of the answers that the request asks for. */
const outputTokens = (request: LlmRequest, assumed: number): number => {
  if (request.operation === "embeddings") return 0
  const choices = wordsOf(request).choices(request.operation, request.body)
  return (maxOutputTokens(request) ?? assumed) * choices
}

/** The strategy, from the prices that it reads; a price is looked up once per deployment configuration. */
export const make = ({ prices, random }: Deps, options: Options = {}): Strategy => {
  const assumedOutput = options.outputTokens ?? defaults.outputTokens
  const cachedShare = options.cachedShare ?? defaults.cachedShare
  const pick = new LowestPick(random)
  const priceAt = quoting(prices)
  return {
    name: "CostBased",
    select: (candidates) => {
      const { request } = candidates
      const input = estimateInputTokens(request)
      const cached = cachedShare * input
      const output = outputTokens(request, assumedOutput)
      pick.clear()
      for (let i = 0; i < candidates.size; i++) {
        const price = priceAt(candidates, i)
        const rates = price === undefined ? undefined : ratesFor(price, input)
        const cost =
          rates === undefined
            ? Number.POSITIVE_INFINITY
            : (input - cached) * rates.input + cached * rates.cachedInput + output * rates.output
        if (pick.admits(cost) && candidates.isOpen(i)) pick.take(i, cost)
      }
      return pick.index
    }
  }
}

/** Sends calls to the deployment on which they cost least. */
export const layerWith = (options: Options): Layer.Layer<RoutingStrategy, ConfigError, PriceBook> =>
  Layer.fresh(
    Layer.effect(
      RoutingStrategy,
      Effect.gen(function* () {
        const valid = yield* Field.decode(Options, options, "costBased")
        return make({ prices: yield* PriceBook, random: yield* uniform }, valid)
      })
    )
  )

/** Sends calls to the deployment on which they cost least, with the defaults. */
export const layer: Layer.Layer<RoutingStrategy, never, PriceBook> = Layer.fresh(Layer.orDie(layerWith({})))
