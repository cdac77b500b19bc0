import { estimateInputTokens, type LlmRequest, maxOutputTokens } from "@switchyard/core/LlmRequest"
import type { Outcome } from "@switchyard/core/Outcome"
import type { Context } from "effect"
import { cost, type Price, type PriceBook } from "../PriceBook.js"
import type { Group } from "./resolve.js"

/** Output tokens to reckon with when the request sets no limit. */
const assumedOutputTokens = 256

const outputTokens = (request: LlmRequest): number => {
  if (request.operation === "embeddings") return 0
  const { n } = request.body
  return (maxOutputTokens(request) ?? assumedOutputTokens) * (typeof n === "number" && n > 1 ? n : 1)
}

const inputCost = (request: LlmRequest, price: Price): number => (estimateInputTokens(request) * price.input) / 1e6

/** USD that a request may cost at a price: its prompt, and the most output that it allows in each of its choices. */
export const estimateAt = (request: LlmRequest, price: Price): number =>
  inputCost(request, price) + (outputTokens(request) * price.output) / 1e6

/** USD that a request may cost on the dearest deployment of its group for it; 0 when no price is known. */
export type Estimator = (request: LlmRequest, group: Group | undefined) => number

/** An estimator over a price book. Prices are looked up once per group. */
export const estimator = (prices: Context.Tag.Service<PriceBook>): Estimator => {
  const known = new WeakMap<Group, ReadonlyArray<Price>>()
  const pricesOf = (group: Group): ReadonlyArray<Price> => {
    const found = known.get(group)
    if (found !== undefined) return found
    const distinct = new Map<string, Price>()
    for (const { deployment } of group.tiers.flat()) {
      const price = prices.price(deployment)
      if (price !== undefined) distinct.set(`${price.input} ${price.output}`, price)
    }
    const made = [...distinct.values()]
    known.set(group, made)
    return made
  }
  return (request, group) => {
    let dearest = 0
    if (group !== undefined) {
      for (const price of pricesOf(group)) dearest = Math.max(dearest, estimateAt(request, price))
    }
    return dearest
  }
}

/** Whether the provider has worked, and so bills, although nothing says how much. */
export const hasWorked = (outcome: Outcome | undefined): boolean => {
  if (outcome === undefined || outcome._tag === "Abandoned") return true
  if (outcome._tag === "Completed") return false
  const { phase, reason } = outcome.error
  return reason === "MalformedResponse" || (reason === "Timeout" && phase !== "connect")
}

/** What is known of a call's end: `cost` in USD when the Cost layer could tell. */
interface Ended {
  readonly outcome: Outcome | undefined
  readonly cost: number | undefined
}

/**
 * USD to charge for an attempt, however it ended: its known cost; else its usage at the price; else, when it was left or
 * timed out while the provider worked on it, its prompt. An error that the provider answered with costs nothing.
 */
export const chargeOf = (ended: Ended, request: LlmRequest, price: () => Price | undefined): number => {
  if (ended.cost !== undefined) return ended.cost
  const usage = ended.outcome?.usage
  if (usage === undefined && !hasWorked(ended.outcome)) return 0
  const at = price()
  if (at === undefined) return 0
  return usage === undefined ? inputCost(request, at) : cost(usage, at)
}
