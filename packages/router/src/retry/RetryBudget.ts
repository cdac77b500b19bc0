/**
 * How many extra attempts are allowed, as Finagle's retry budgets: each request deposits a fraction of an attempt, each
 * retry and each hedge withdraws a whole one, and deposits expire. In an outage every caller's retries add up to a share
 * of the traffic and not to a multiple of it.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import { toMs } from "@switchyard/core/Time"
import { Context, Effect, Layer, type Scope } from "effect"
import * as State from "../stack/State.js"
import { LeakyBucket, reserveOf } from "./leakyBucket.js"

/** Options of the budget. */
export const Options = Field.options("How many extra attempts, retries and hedges, are allowed in all.", {
  /** Extra attempts as a share of the requests within the window. Default 0.2. */
  share: Field.option(Field.nonNegative, "Extra attempts as a share of the requests within the window.", 0.2),
  /** Extra attempts per second that are allowed however few requests come. Default 10. */
  perSecond: Field.option(
    Field.nonNegative,
    "Extra attempts per second that are allowed however few requests come.",
    10
  ),
  /** How long deposits and withdrawals count. Default 10 seconds. */
  window: Field.option(Field.duration, "How long deposits and withdrawals count.", 10_000)
})
/** Options of the budget. */
export type Options = typeof Options.Type

/** What an option is when it is left out. */
export const defaults = Field.defaults(Options)

/** Gates retries inside a group and hedges; fallback hops are free. `now` is monotonic ms. */
export class RetryBudget extends Context.Tag("@switchyard/router/RetryBudget")<
  RetryBudget,
  {
    /** Notes a request, which pays for a share of an extra attempt. */
    readonly deposit: (now: number) => void
    /** Takes one extra attempt; false when the budget is empty. */
    readonly withdraw: (now: number) => boolean
    /** Extra attempts that could be withdrawn now; may have a fraction. */
    readonly balance: (now: number) => number
  }
>() {}

/** A budget's value, for composing without Layers. */
export const make = (options: Options = {}): Context.Tag.Service<RetryBudget> => {
  const { perSecond = defaults.perSecond, share = defaults.share, window = defaults.window } = options
  const bucket = new LeakyBucket(share, toMs(window), reserveOf(perSecond, toMs(window)))
  return {
    deposit: (now) => bucket.deposit(now),
    withdraw: (now) => bucket.withdraw(now),
    balance: (now) => bucket.balance(now)
  }
}

/** A budget that never runs out, for tests and for stacks that bound retries elsewhere. */
export const unlimited: Context.Tag.Service<RetryBudget> = {
  deposit: () => {},
  withdraw: () => true,
  balance: () => Number.POSITIVE_INFINITY
}

/** A budget kept in this process, shared by all layers that are given it. */
export const layerMemoryWith = (options: Options): Layer.Layer<RetryBudget, ConfigError> =>
  Layer.effect(
    RetryBudget,
    Effect.map(Field.decode(Options, options, "retryBudget"), (valid) => make(valid))
  )

/** A budget kept in this process, shared by all layers that are given it, with the defaults. */
export const layerMemory: Layer.Layer<RetryBudget> = Layer.orDie(layerMemoryWith({}))

/** A budget that never runs out. */
export const layerUnlimited: Layer.Layer<RetryBudget> = Layer.succeed(RetryBudget, unlimited)

/** How towers make their budgets: in this process, unless an app shares them with others. */
export class Making extends Context.Reference<Making>()("@switchyard/router/RetryBudget/Making", {
  defaultValue:
    () =>
    (options: Options): Effect.Effect<Context.Tag.Service<RetryBudget>, never, Scope.Scope> =>
      Effect.succeed(make(options))
}) {}

/** What retries and hedges may still cost. */
export class RetryTokens extends State.make({
  name: "retryBudget",
  tag: RetryBudget,
  options: Options,
  layer: (options) =>
    Layer.scoped(
      RetryBudget,
      Effect.gen(function* () {
        const making = yield* Making
        return yield* making(yield* Field.decode(Options, options, "retryBudget"))
      })
    )
}) {}
