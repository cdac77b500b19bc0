import { estimateInputTokens, type LlmRequest, unitsAsked } from "@switchyard/core/LlmRequest"
import type { Outcome } from "@switchyard/core/Outcome"
import type { Slot } from "@switchyard/core/Slot"
import { substitute } from "@switchyard/core/Wildcard"
import type { Context } from "effect"
import { ratesFor, unitCost } from "../catalogue/price.js"
import type { Group, Resolved } from "../registry/resolve.js"
import { likelyOutput } from "./answerLengths.js"
import { cost, type Price, type PriceBook } from "./PriceBook.js"

const inputCost = (request: LlmRequest, price: Price): number => {
  const tokens = estimateInputTokens(request)
  return (tokens * ratesFor(price, tokens).input) / 1e6
}

const tokensAt = (request: LlmRequest, slot: Slot, model: string, price: Price, now: number): number =>
  inputCost(request, price) +
  (likelyOutput(request, slot, model, now) * ratesFor(price, estimateInputTokens(request)).output) / 1e6

/** USD for the units that a request asks for; undefined where it asks for none, or the price knows none of them. */
const unitsAt = (request: LlmRequest, price: Price): number | undefined => {
  const units = unitsAsked(request)
  return units === undefined ? undefined : unitCost(units, price)
}

/**
 * USD that a request may cost on a deployment at its price: the prompt, and the output that is to be expected; of what is
 * billed by units those, and the dearer of the two where the price knows both.
 */
export const estimateAt = (request: LlmRequest, slot: Slot, model: string, price: Price, now: number): number => {
  const units = unitsAt(request, price)
  return units === undefined
    ? tokensAt(request, slot, model, price, now)
    : Math.max(units, tokensAt(request, slot, model, price, now))
}

/** One deployment behind a name, with the model that it is asked for and its price. */
interface Offered {
  readonly slot: Slot
  readonly model: string
  readonly price: Price
}

/** What a name may cost: the deployments behind it that have a price, and whether one has none. */
interface Offer {
  readonly priced: ReadonlyArray<Offered>
  readonly isComplete: boolean
}

/** USD that a request may cost on the dearest deployment behind its name, 0 when no price is known; what is known of it. */
export interface Estimator {
  readonly estimate: (request: LlmRequest, resolved: Resolved | undefined, now: number) => number
  /** Whether every deployment behind the name has a price. */
  readonly isComplete: (resolved: Resolved | undefined) => boolean
}

const nothingOffered: Offer = { priced: [], isComplete: true }

/** An estimator over a price book. Prices are looked up once per group, those behind a wildcard for each name. */
export const estimator = (prices: Context.Tag.Service<PriceBook>): Estimator => {
  const known = new WeakMap<Group, Offer>()
  const offerOf = ({ captures, group }: Resolved): Offer => {
    const priced: Array<Offered> = []
    let isComplete = true
    for (const tier of group.tiers) {
      for (const slot of tier) {
        const model = substitute(slot.deployment.model, captures)
        const price = prices.price(slot.deployment, model)
        if (price === undefined) isComplete = false
        else priced.push({ slot, model, price })
      }
    }
    return { priced, isComplete }
  }
  const offer = (resolved: Resolved | undefined): Offer => {
    if (resolved === undefined) return nothingOffered
    if (resolved.captures.length > 0) return offerOf(resolved)
    const found = known.get(resolved.group)
    if (found !== undefined) return found
    const made = offerOf(resolved)
    known.set(resolved.group, made)
    return made
  }
  return {
    estimate: (request, resolved, now) => {
      let dearest = 0
      for (const { model, price, slot } of offer(resolved).priced) {
        dearest = Math.max(dearest, estimateAt(request, slot, model, price, now))
      }
      return dearest
    },
    isComplete: (resolved) => offer(resolved).isComplete
  }
}

/** Whether the provider has worked, and so bills, although nothing says how much. */
export const hasWorked = (outcome: Outcome | undefined): boolean => {
  if (outcome === undefined || outcome._tag === "Abandoned") return true
  if (outcome._tag === "Completed") return false
  const { phase, reason } = outcome.error
  return reason === "MalformedResponse" || (reason === "Timeout" && phase !== "connect")
}

/**
 * USD to charge for an attempt, however it ended: its known cost; else its usage at the price; else, when it was left or
 * timed out while the provider worked on it, its prompt. An error that the provider answered with costs nothing.
 */
export const chargeOf = (outcome: Outcome | undefined, request: LlmRequest, price: () => Price | undefined): number => {
  if (outcome?.cost !== undefined) return outcome.cost
  const usage = outcome?.usage
  if (usage === undefined && !hasWorked(outcome)) return 0
  const at = price()
  if (at === undefined) return 0
  return usage === undefined ? (unitsAt(request, at) ?? inputCost(request, at)) : cost(usage, at)
}
