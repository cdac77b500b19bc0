/**
 * What may be spent in all, on deployments, providers and tags, and by requests with a tag. Attempt tier: it answers `status`, so an exhausted deployment is
 * passed over and a group that is exhausted whole leads to its fallback. The Cost layer belongs inside it.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { ConfigError } from "@switchyard/core/ConfigError"
import type { Deployment } from "@switchyard/core/Deployment"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import * as Field from "@switchyard/core/Field"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import * as Service from "@switchyard/core/Service"
import type { Slot } from "@switchyard/core/Slot"
import { type Busy, busy, closed, open, type Status, worst } from "@switchyard/core/Status"
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Context, Effect, Layer, Schema } from "effect"
import { type Events, RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents } from "../events/TowerEvents.js"
import * as Concern from "../stack/Concern.js"
import type { Strictness } from "./CallerBudget.js"
import { chargeOf, estimateAt } from "./estimateCost.js"
import { type Price, PriceBook, Prices, UnknownPricePolicy, UnknownPrices } from "./PriceBook.js"
import { prepared, type Reservation, Spending, SpendLimit, type SpendWindow, SpendWindows } from "./SpendWindows.js"
import { refused, type Settings } from "./UnpricedBudgets.js"

const limits = Schema.Record({ key: Schema.String, value: SpendLimit })

/** Options of the layer. A limit of a provider or a tag is for all its bearers together. */
export const Options = Field.options(
  "What may be spent in all, on deployments, providers and tags, and by requests with a tag.",
  {
    /** On all deployments together, whoever asks. */
    total: Field.option(SpendLimit, "On all deployments together, whoever asks."),
    /** By deployment id. */
    deployments: Field.option(limits, "By deployment id."),
    /** By provider label. */
    providers: Field.option(limits, "By provider label."),
    /** By tag of the deployment. */
    tags: Field.option(limits, "By tag of the deployment."),
    /** By tag of the request, whatever deployment serves it: what a team or a product may spend. */
    requestTags: Field.option(
      limits,
      "By tag of the request, whatever deployment serves it: what a team or a product may spend."
    )
  }
)
/** Options of the layer. */
export type Options = typeof Options.Type

/** What the layer works with. */
export interface SpendLimitsDeps {
  readonly windows: Context.Tag.Service<SpendWindows>
  readonly prices: Context.Tag.Service<PriceBook>
  readonly events: Events
}

type Scope = "total" | "deployment" | "provider" | "tag" | "requestTag"

/** The key of the one limit that has no name. */
export const everything = "all"

const none: ReadonlyArray<never> = []

const waitingForCalls = busy("spend")

/** One limit that a deployment is under. */
class Limit {
  private known: Busy = waitingForCalls

  constructor(
    readonly scope: Scope,
    readonly key: string,
    /** USD */
    readonly limit: number,
    readonly window: SpendWindow
  ) {}

  /** Busy until the window ends, or until a call in flight does. Made once per window: a status is read often. */
  busy(now: number): Busy {
    if (!this.window.isSpent(this.limit, now)) return waitingForCalls
    const until = this.window.resetsAt(now)
    if (this.known.until !== until) this.known = busy("spend", until)
    return this.known
  }
}

/** Everything that the layer knows about a deployment's configuration. */
interface Plan {
  readonly limits: ReadonlyArray<Limit>
  /** Of the deployment's own model; of a wildcard it is only known once a request names a model. */
  readonly price: Price | undefined
  readonly isWildcard: boolean
}

/** What an attempt holds back of the limits that it is under. */
interface Held {
  readonly reservations: ReadonlyArray<Reservation>
  readonly price: Price | undefined
}

const closedWithoutPrice = closed("price", undefined, "operator")

const unpriced = (attempt: Attempt): LlmError =>
  new LlmError({
    reason: "Rejected",
    description: `no price is known for ${attempt.model}, so that a spending limit could not be kept`,
    deployment: attempt.deployment,
    provider: attempt.provider,
    code: "unknown_price"
  })

const rejected = (attempt: Attempt, until: number | undefined, now: number): LlmError =>
  new LlmError({
    reason: "Rejected",
    description: "the spending limit is used up",
    deployment: attempt.deployment,
    provider: attempt.provider,
    code: "spend",
    ...(until === undefined ? {} : { retryAfter: Math.max(0, until - now) })
  })

const toLimits = (options: Options) => {
  const byKey = (given: Options["tags"]) => new Map(Object.entries(given ?? {}))
  return {
    total: byKey(options.total === undefined ? {} : { [everything]: options.total }),
    deployment: byKey(options.deployments),
    provider: byKey(options.providers),
    tag: byKey(options.tags),
    requestTag: byKey(options.requestTags)
  }
}

/** The layer. Deployments that no limit names pass straight through. */
export const make = (
  deps: SpendLimitsDeps,
  options: Options = {},
  { refuseUnknownPrice = false }: Strictness = {}
): Service.AttemptLayer => {
  const { events, prices, windows } = deps
  const configured = toLimits(options)
  const plans = new WeakMap<Deployment, Plan>()
  const limitsOfRequests = new WeakMap<ReadonlyArray<string>, ReadonlyArray<Limit>>()

  const limitsOf = (scope: Scope, keys: ReadonlyArray<string>, now: number): ReadonlyArray<Limit> =>
    [...new Set(keys)].flatMap((key) => {
      const found = configured[scope].get(key)
      if (found === undefined) return []
      return [new Limit(scope, key, found.limit, windows.window(scope, key, toMs(found.window), now))]
    })

  const planOf = (deployment: Deployment, now: number): Plan => {
    const known = plans.get(deployment)
    if (known !== undefined) return known
    const plan = {
      limits: [
        ...limitsOf("total", [everything], now),
        ...limitsOf("deployment", [deployment.id], now),
        ...limitsOf("provider", [deployment.provider], now),
        ...limitsOf("tag", deployment.tags, now)
      ],
      price: prices.price(deployment),
      isWildcard: deployment.model.includes("*")
    }
    plans.set(deployment, plan)
    return plan
  }

  /** The same list for the same tags: every candidate of a selection asks for it. */
  const requestLimits = ({ tags }: LlmRequest, now: number): ReadonlyArray<Limit> => {
    if (configured.requestTag.size === 0 || tags.length === 0) return none
    const known = limitsOfRequests.get(tags)
    if (known !== undefined) return known
    const found = limitsOf("requestTag", tags, now)
    limitsOfRequests.set(tags, found)
    return found
  }

  const estimateOf = (price: Price | undefined, request: LlmRequest, slot: Slot, model: string, now: number): number =>
    price === undefined ? 0 : estimateAt(request, slot, model, price, now)

  const priceOf = ({ isWildcard, price }: Plan, attempt: Attempt): Price | undefined =>
    isWildcard ? prices.price(attempt.target, attempt.model) : price

  const refuse = (limit: Limit, now: number): Busy => {
    const status = limit.busy(now)
    if (status !== waitingForCalls && limit.window.tellOnce(now)) {
      events.publish({ _tag: "BudgetExhausted", at: now, scope: limit.scope, key: limit.key })
    }
    return status
  }

  const status = (limits: ReadonlyArray<Limit>, estimate: number, now: number): Status => {
    let found: Status = open
    for (const limit of limits) {
      if (!limit.window.fits(estimate, limit.limit, now)) found = worst(found, refuse(limit, now))
    }
    return found
  }

  /** All or nothing: what was reserved is given back when a later window has no room. */
  const reserveAll = (
    attempt: Attempt,
    limits: ReadonlyArray<Limit>,
    price: Price | undefined,
    estimate: number,
    now: number
  ): Held | LlmError => {
    const reservations: Array<Reservation> = []
    for (const limit of limits) {
      const reservation = limit.window.reserve(estimate, limit.limit, now)
      if (reservation === undefined) {
        for (const made of reservations) made.settle(0, now)
        return rejected(attempt, refuse(limit, now).until, now)
      }
      reservations.push(reservation)
    }
    return { reservations, price }
  }

  return Service.bracketAttempt<Held | undefined>({
    begin: (attempt, at, clock) => {
      const plan = planOf(attempt.target, at)
      const ofRequest = requestLimits(attempt.request, at)
      if (plan.limits.length === 0 && ofRequest.length === 0) return undefined
      const all = ofRequest.length === 0 ? plan.limits : [...plan.limits, ...ofRequest]
      const price = priceOf(plan, attempt)
      if (refuseUnknownPrice && price === undefined) return unpriced(attempt)
      const estimate = estimateOf(price, attempt.request, attempt.slot, attempt.model, at)
      const wait = prepared(all, estimate, at)
      if (wait === undefined) return reserveAll(attempt, all, price, estimate, at)
      return Effect.flatMap(wait, () => {
        const held = reserveAll(attempt, all, price, estimate, nowMs(clock))
        return held instanceof LlmError ? held : Effect.succeed(held)
      })
    },
    end: (held, outcome, at, attempt) => {
      if (held === undefined) return
      const charge = chargeOf(outcome, attempt.request, () => held.price)
      for (const made of held.reservations) made.settle(charge, at)
    },
    status: (slot, request, now) => {
      const plan = planOf(slot.deployment, now)
      const ofRequest = requestLimits(request, now)
      if (plan.limits.length === 0 && ofRequest.length === 0) return open
      if (refuseUnknownPrice && !plan.isWildcard && plan.price === undefined) return closedWithoutPrice
      const estimate = estimateOf(plan.price, request, slot, slot.deployment.model, now)
      return worst(status(plan.limits, estimate, now), status(ofRequest, estimate, now))
    }
  })
}

/** Holds deployments, providers and tags to their spending limits. */
export const layerWith = (
  options: Options
): Layer.Layer<DeploymentService, ConfigError, DeploymentService | SpendWindows | PriceBook> =>
  Service.wrap(
    DeploymentService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "spendLimits")
      const windows = yield* SpendWindows
      const prices = yield* PriceBook
      const events = yield* RouterEvents
      return make({ windows, prices, events }, valid)
    })
  )

/** Holds deployments, providers and tags to their spending limits, with the defaults. */
export const layer: Layer.Layer<DeploymentService, never, DeploymentService | SpendWindows | PriceBook> = Layer.fresh(
  Layer.orDie(layerWith({}))
)

/** The layer as a concern of a stack. */
export class SpendLimits extends Concern.attempt({
  name: "spendLimits",
  about: "Money that all together, a deployment, a provider, a model or a tag may cost",
  on: false,
  options: Options,
  outside: { cost: "what a call cost is known inside" },
  state: [Spending, Prices, UnknownPricePolicy, TowerEvents],
  make: (options) =>
    Effect.gen(function* () {
      const { policy } = yield* UnknownPrices
      const deps = { windows: yield* SpendWindows, prices: yield* PriceBook, events: yield* RouterEvents }
      return make(deps, options, { refuseUnknownPrice: policy === "refuse" })
    }),
  check: (given) => refused(given as unknown as Settings)
}) {}
