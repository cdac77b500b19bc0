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
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Context, Effect, Layer, Schema } from "effect"
import { type Events, RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents } from "../events/TowerEvents.js"
import { DeploymentRegistry, Registry } from "../registry/DeploymentRegistry.js"
import * as Concern from "../stack/Concern.js"
import { type Budget, budgetsOf, CallerTerms, type Service as Terms } from "./CallerTerms.js"
import { chargeOf, estimateAt, estimator } from "./estimateCost.js"
import { type Price, PriceBook, Prices, UnknownPricePolicy, UnknownPrices } from "./PriceBook.js"
import { prepared, type Reservation, Spending, SpendLimit, type SpendWindow, SpendWindows } from "./SpendWindows.js"
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
  /** What callers are held to beside the options. Default: nothing. */
  readonly terms?: Terms | undefined
}

const none: ReadonlyArray<never> = []

const exceeded = ({ limit, scope }: Budget, retryAfter: number | undefined): LlmError =>
  new LlmError({
    reason: "BudgetExceeded",
    description: `the ${scope}'s budget of ${limit} USD is used up`,
    code: `${scope}_budget`,
    ...(retryAfter === undefined ? {} : { retryAfter })
  })

/** Nothing is used up yet: the end of a call in flight frees what it does not use. */
const held = ({ limit, scope }: Budget, retryAfter: number): LlmError =>
  new LlmError({
    reason: "Rejected",
    description: `calls in flight hold what is left of the ${scope}'s budget of ${limit} USD until they end`,
    code: `${scope}_budget`,
    retryAfter
  })

const turnedAway = ({ deployment, provider }: JournalEntry, { scope }: Budget): LlmError =>
  new LlmError({
    reason: "Rejected",
    description: `a further attempt does not fit into the ${scope}'s budget`,
    code: `${scope}_budget`,
    deployment,
    provider
  })

const unpriced = (model: string): LlmError =>
  new LlmError({
    reason: "BudgetExceeded",
    description: `no price is known for ${model}, so that the caller's budget could not be kept`,
    code: "unknown_price"
  })

/** One budget that a request is under. */
interface Asked {
  readonly budget: Budget
  readonly limit: number
  readonly window: SpendWindow
}

/** One budget that a request has money of. */
interface Share extends Asked {
  readonly reservation: Reservation
}

/**
 * The layer. Requests without a caller have no budget. A call fails with `BudgetExceeded` once nothing is left, with the
 * time to the end of the window as `retryAfter`; it fails with `Rejected`, code `caller_budget`, when calls in flight hold
 * what is left, with about the time that they take. Further attempts of a call that do not fit are not made. Where terms say
 * so, it is held to budgets of its team and its user as well, all or none: their codes are `team_budget` and `user_budget`.
 */
export const make = (
  deps: CallerBudgetDeps,
  options: Options = {},
  { refuseUnknownPrice = false }: Strictness = {}
): Service.RequestLayer => {
  const { events, prices, registry, terms, windows } = deps
  const { estimate, isComplete } = estimator(prices)
  const own = new Map(
    Object.entries(options.callers ?? {}).map(([caller, { limit, window }]): [string, Budget] => [
      caller,
      { scope: "caller", key: caller, limit, window: toMs(window) }
    ])
  )
  const everyLength = options.everyCaller === undefined ? 0 : toMs(options.everyCaller.window)

  const budgetsFor = (caller: string): ReadonlyArray<Budget> => {
    const { everyCaller } = options
    return budgetsOf(
      own.get(caller),
      everyCaller && (() => ({ scope: "caller", key: caller, limit: everyCaller.limit, window: everyLength })),
      terms?.of(caller)
    )
  }

  const refuse = ({ budget, limit, window }: Asked, now: number): LlmError => {
    if (!window.isSpent(limit, now)) return held(budget, window.freesIn)
    if (window.tellOnce(now)) {
      events.publish({ _tag: "BudgetExhausted", at: now, scope: budget.scope, key: budget.key })
    }
    const resetsAt = window.resetsAt(now)
    return exceeded(budget, resetsAt === undefined ? undefined : resetsAt - now)
  }

  const warn = ({ budget: { key, scope, soft }, window }: Asked, now: number): void => {
    if (soft !== undefined && window.isSpent(soft, now) && window.tellOnce(now, "soft")) {
      events.publish({ _tag: "BudgetNearlySpent", at: now, scope, key, soft })
    }
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
    (shares: ReadonlyArray<Share>, request: LlmRequest): Guard =>
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
      const known = pending === 0 ? soFar : undefined
      const full = shares.find(({ limit, reservation }) => !reservation.covers(total, known, limit, now))
      if (full !== undefined) return turnedAway(attempt, full.budget)
      for (const { limit, reservation } of shares) reservation.cover(total, known, limit, now)
      return undefined
    }

  /** All or nothing: what was set aside is given back when a later budget has no room. */
  const take = (
    request: LlmRequest,
    all: ReadonlyArray<Asked>,
    amount: number,
    now: number
  ): ReadonlyArray<Share> | LlmError => {
    const shares: Array<Share> = []
    for (const asked of all) {
      const reservation = asked.window.reserve(amount, asked.limit, now)
      if (reservation === undefined) {
        for (const share of shares) share.reservation.settle(0, now)
        return refuse(asked, now)
      }
      shares.push({ ...asked, reservation })
    }
    request.route.journal.guard(guard(shares, request))
    return shares
  }

  return Service.bracketRequest<ReadonlyArray<Share> | undefined>({
    begin: (request, at, clock) => {
      const { caller } = request
      const budgets = caller === undefined ? none : budgetsFor(caller)
      if (budgets.length === 0) return undefined
      const resolved = registry.resolve(request.model)
      if (refuseUnknownPrice && !isComplete(resolved)) return unpriced(request.model)
      const amount = estimate(request, resolved, at)
      const asked = budgets.map((budget) => ({
        budget,
        limit: budget.limit,
        window: windows.window(budget.scope, budget.key, budget.window, at)
      }))
      const wait = prepared(asked, amount, at)
      if (wait === undefined) return take(request, asked, amount, at)
      return Effect.flatMap(wait, () => {
        const taken = take(request, asked, amount, nowMs(clock))
        return taken instanceof LlmError ? taken : Effect.succeed(taken)
      })
    },
    end: (shares, _, at, request) => {
      if (shares === undefined) return
      const cost = charge(request)
      for (const share of shares) {
        share.reservation.settle(cost, at)
        warn(share, at)
      }
    }
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
      return make({ windows, registry, prices, events, terms: yield* CallerTerms }, valid)
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
      const told = { events: yield* RouterEvents, terms: yield* CallerTerms }
      return make({ ...deps, ...told }, options, { refuseUnknownPrice: policy === "refuse" })
    }),
  check: (given) => refused(given as unknown as Settings)
}) {}
