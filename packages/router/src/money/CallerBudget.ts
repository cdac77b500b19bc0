/**
 * What a caller may spend. Request tier, inside the cache (a hit costs nothing) and outside everything that calls a
 * provider: it reserves an estimate before, more for each attempt beside or after the first, and settles to the cost of all
 * attempts after, failed, hedged and abandoned ones included. Two of these layers with different windows stand side by side: so much per day, and so much per month.
 */
import { isAttempt } from "@switchyard/core/Attempt"
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { Guard, JournalEntry } from "@switchyard/core/Journal"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { toMs } from "@switchyard/core/Time"
import { type Context, Effect, Layer, Schema } from "effect"
import { type Events, RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents } from "../events/TowerEvents.js"
import { DeploymentRegistry, Registry } from "../registry/DeploymentRegistry.js"
import * as Concern from "../stack/Concern.js"
import { chargeOf, estimateAt, estimator } from "./estimateCost.js"
import { type Price, PriceBook, Prices, UnknownPricePolicy, UnknownPrices } from "./PriceBook.js"
import { type Reservation, Spending, SpendLimit, type SpendWindow, SpendWindows } from "./SpendWindows.js"
import { refused, type Settings } from "./UnpricedBudgets.js"

/** Options of the layer. */
export const Options = Field.options("What callers may spend.", {
  /** Limits by caller. */
  callers: Field.option(Schema.Record({ key: Schema.String, value: SpendLimit }), "Limits by caller."),
  /** The limit of every caller that is not listed, each for itself; unset means none. */
  everyCaller: Field.option(
    SpendLimit,
    "The limit of every caller that is not listed, each for itself; unset means none."
  )
})
/** Options of the layer. */
export type Options = typeof Options.Type

/** What a layer about money is told beside its own options. */
export interface Strictness {
  /** Whether what has no known price is refused to those who have a budget. Default false: it counts as free. */
  readonly refuseUnknownPrice?: boolean | undefined
}

/** What the layer works with. */
export interface CallerBudgetDeps {
  readonly windows: Context.Tag.Service<SpendWindows>
  readonly registry: Pick<Context.Tag.Service<DeploymentRegistry>, "resolve" | "slot">
  readonly prices: Context.Tag.Service<PriceBook>
  readonly events: Events
}

/** A limit with its window's length in ms. */
interface Budget {
  readonly limit: number
  readonly length: number
}

const toBudget = ({ limit, window }: SpendLimit): Budget => ({ limit, length: toMs(window) })

const exceeded = (limit: number, retryAfter: number | undefined): LlmError =>
  new LlmError({
    reason: "BudgetExceeded",
    description: `the caller's budget of ${limit} USD is used up`,
    code: "caller_budget",
    ...(retryAfter === undefined ? {} : { retryAfter })
  })

/** Nothing is used up yet: the end of a call in flight frees what it does not use. */
const held = (limit: number, retryAfter: number): LlmError =>
  new LlmError({
    reason: "Rejected",
    description: `calls in flight hold what is left of the caller's budget of ${limit} USD until they end`,
    code: "caller_budget",
    retryAfter
  })

const turnedAway = ({ deployment, provider }: JournalEntry): LlmError =>
  new LlmError({
    reason: "Rejected",
    description: "a further attempt does not fit into the caller's budget",
    code: "caller_budget",
    deployment,
    provider
  })

const unpriced = (model: string): LlmError =>
  new LlmError({
    reason: "BudgetExceeded",
    description: `no price is known for ${model}, so that the caller's budget could not be kept`,
    code: "unknown_price"
  })

/**
 * The layer. Requests without a caller have no budget. A call fails with `BudgetExceeded` once nothing is left, with the
 * time to the end of the window as `retryAfter`; it fails with `Rejected`, code `caller_budget`, when calls in flight hold
 * what is left, with about the time that they take. Further attempts of a call that do not fit are not made.
 */
export const make = (
  deps: CallerBudgetDeps,
  options: Options = {},
  { refuseUnknownPrice = false }: Strictness = {}
): Service.RequestLayer => {
  const { events, prices, registry, windows } = deps
  const { estimate, isComplete } = estimator(prices)
  const budgets = new Map(Object.entries(options.callers ?? {}).map(([caller, limit]) => [caller, toBudget(limit)]))
  const everyCaller = options.everyCaller === undefined ? undefined : toBudget(options.everyCaller)

  const refuse = (window: SpendWindow, caller: string, limit: number, now: number): LlmError => {
    if (!window.isSpent(limit, now)) return held(limit, window.freesIn)
    if (window.tellOnce(now)) events.publish({ _tag: "BudgetExhausted", at: now, scope: "caller", key: caller })
    const resetsAt = window.resetsAt(now)
    return exceeded(limit, resetsAt === undefined ? undefined : resetsAt - now)
  }

  const priceOf = ({ deployment, model }: JournalEntry): Price | undefined => {
    const slot = registry.slot(deployment)
    return slot === undefined ? undefined : prices.price(slot.deployment, model)
  }

  const charge = (request: LlmRequest): number => {
    let sum = 0
    for (const entry of request.route.journal.entries) {
      sum += chargeOf(entry.outcome, request, () => priceOf(entry))
    }
    return sum
  }

  const mayCost = (entry: JournalEntry, now: number): number => {
    const price = priceOf(entry)
    return price === undefined || !isAttempt(entry) ? 0 : estimateAt(entry.request, entry.slot, entry.model, price, now)
  }

  /** Covers what all attempts of a request may cost together, before each of them. */
  const guard =
    (reservation: Reservation, request: LlmRequest, limit: number): Guard =>
    (attempt) => {
      const now = attempt.startedAt
      let soFar = 0
      let pending = 0
      for (const entry of request.route.journal.entries) {
        if (entry === attempt || entry.rejected) continue
        if (entry.outcome === undefined) pending += mayCost(entry, now)
        else soFar += chargeOf(entry.outcome, request, () => priceOf(entry))
      }
      // What was set aside for the request's own group; that its answers have grown meanwhile takes nobody's place away.
      if (soFar === 0 && pending === 0 && request.route.journal.fallbacks.length === 0) return undefined
      const total = soFar + pending + mayCost(attempt, now)
      const isOnly = pending === 0
      return reservation.cover(total, isOnly ? soFar : undefined, limit, now) ? undefined : turnedAway(attempt)
    }

  return Service.bracketRequest({
    begin: (request, at) => {
      const { caller } = request
      const budget = caller === undefined ? undefined : (budgets.get(caller) ?? everyCaller)
      if (caller === undefined || budget === undefined) return undefined
      const resolved = registry.resolve(request.model)
      if (refuseUnknownPrice && !isComplete(resolved)) return unpriced(request.model)
      const amount = estimate(request, resolved, at)
      const window = windows.window("caller", caller, budget.length, at)
      const reservation = window.reserve(amount, budget.limit, at)
      if (reservation === undefined) return refuse(window, caller, budget.limit, at)
      request.route.journal.guard(guard(reservation, request, budget.limit))
      return reservation
    },
    end: (reservation, _, at, request) => reservation?.settle(charge(request), at)
  })
}

/** Holds callers to their budgets. */
export const layerWith = (
  options: Options
): Layer.Layer<LlmService, ConfigError, LlmService | SpendWindows | DeploymentRegistry | PriceBook> =>
  Service.wrap(
    LlmService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "callerBudget")
      const windows = yield* SpendWindows
      const registry = yield* DeploymentRegistry
      const prices = yield* PriceBook
      const events = yield* RouterEvents
      return make({ windows, registry, prices, events }, valid)
    })
  )

/** Holds callers to their budgets, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService | SpendWindows | DeploymentRegistry | PriceBook> =
  Layer.fresh(Layer.orDie(layerWith({})))

/** The layer as a concern of a stack. */
export class CallerBudget extends Concern.request({
  name: "callerBudget",
  about: "Money that a caller may spend",
  on: false,
  options: Options,
  outside: {
    retry: "money is set aside once for all attempts",
    fallback: "money is set aside once for all groups"
  },
  inside: { cache: "a hit costs nothing" },
  state: [Spending, Registry, Prices, UnknownPricePolicy, TowerEvents],
  make: (options) =>
    Effect.gen(function* () {
      const { policy } = yield* UnknownPrices
      const deps = { windows: yield* SpendWindows, registry: yield* DeploymentRegistry, prices: yield* PriceBook }
      return make({ ...deps, events: yield* RouterEvents }, options, { refuseUnknownPrice: policy === "refuse" })
    }),
  check: (given) => refused(given as unknown as Settings)
}) {}
