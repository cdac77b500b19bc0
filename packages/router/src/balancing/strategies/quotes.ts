import type { Deployment } from "@switchyard/core/Deployment"
import * as Slot from "@switchyard/core/Slot"
import type { Context } from "effect"
import type { Price, PriceBook } from "../../money/PriceBook.js"
import type { Candidates } from "../Candidates.js"

interface Quote {
  deployment: Deployment | undefined
  price: Price | undefined
}

/** Prices of candidates, of which each is looked up once per deployment configuration, but for those behind a wildcard. */
export const quoting = (
  prices: Context.Tag.Service<PriceBook>
): ((candidates: Candidates, index: number) => Price | undefined) => {
  const quotes = Slot.key<Quote>("price", () => ({ deployment: undefined, price: undefined }))
  return (candidates, index) => {
    const slot = candidates.at(index)
    if (candidates.isWildcard) return prices.price(slot.deployment, candidates.modelAt(index))
    const quote = slot.get(quotes)
    if (quote.deployment !== slot.deployment) {
      quote.deployment = slot.deployment
      quote.price = prices.price(slot.deployment)
    }
    return quote.price
  }
}
