/**
 * What a caller may spend. Request tier, inside the cache (a hit costs nothing) and outside everything that calls a
 * provider: it reserves an estimate before and settles to the cost of all attempts after, failed, hedged and abandoned ones
 * included. Two of these layers with different windows stand side by side: so much per day, and so much per month.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { JournalEntry } from "@switchyard/core/Journal"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Context, Effect, type Layer, Schema } from "effect"
import { DeploymentRegistry } from "./DeploymentRegistry.js"
import { chargeOf, estimator } from "./internal/estimateCost.js"
import { type Price, PriceBook } from "./PriceBook.js"
import { type Events, RouterEvents } from "./RouterEvents.js"
import { SpendLimit, type SpendWindow, SpendWindows } from "./SpendWindows.js"

/** Options of the layer. */
export const Options = Schema.Struct({
  /** Limits by caller. */
  callers: Schema.optional(Schema.Record({ key: Schema.String, value: SpendLimit })),
  /** The limit of every caller that is not listed, each for itself; unset means none. */
  everyCaller: Schema.optional(SpendLimit)
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

const exceeded = (description: string, retryAfter: number | undefined): LlmError =>
  new LlmError({
    reason: "BudgetExceeded",
    description,
    code: "caller_budget",
    ...(retryAfter === undefined ? {} : { retryAfter })
  })

const unpriced = (model: string): LlmError =>
  new LlmError({
    reason: "BudgetExceeded",
    description: `no price is known for ${model}, so that the caller's budget could not be kept`,
    code: "unknown_price"
  })

/**
 * The layer. Requests without a caller have no budget. A call that does not fit fails with `BudgetExceeded`, with the time
 * to the end of the window as `retryAfter`, or without one when the end of a call in flight may help.
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

  const refuse = (window: SpendWindow, caller: string, limit: number, amount: number, now: number): LlmError => {
    if (!window.isSpent(amount, limit, now)) {
      return exceeded(`calls in flight hold what is left of the caller's budget of ${limit} USD`, undefined)
    }
    if (window.tellOnce(now)) events.publish({ _tag: "BudgetExhausted", at: now, scope: "caller", key: caller })
    const resetsAt = window.resetsAt(now)
    return exceeded(
      `the caller's budget of ${limit} USD is used up`,
      resetsAt === undefined ? undefined : resetsAt - now
    )
  }

  const priceOf = ({ deployment, model }: JournalEntry): Price | undefined => {
    const slot = registry.slot(deployment)
    return slot === undefined ? undefined : prices.price(slot.deployment, model)
  }

  const charge = (request: LlmRequest): number => {
    let sum = 0
    for (const entry of request.route.journal.entries) {
      sum += chargeOf(entry, request, () => priceOf(entry))
    }
    return sum
  }

  return (next) =>
    Service.request((request) => {
      const { caller } = request
      const budget = caller === undefined ? undefined : (budgets.get(caller) ?? everyCaller)
      if (caller === undefined || budget === undefined) return next.call(request)
      return Service.bracket(
        (clock) => {
          const now = nowMs(clock)
          const resolved = registry.resolve(request.model)
          if (refuseUnknownPrice && !isComplete(resolved)) return unpriced(request.model)
          const amount = estimate(request, resolved)
          const window = windows.window("caller", caller, budget.length, now)
          return window.reserve(amount, budget.limit, now) ?? refuse(window, caller, budget.limit, amount, now)
        },
        () => next.call(request),
        (reservation, _, clock) => reservation.settle(charge(request), nowMs(clock))
      )
    })
}

/** Holds callers to their budgets. */
export const layer = (
  options: Options = {}
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
