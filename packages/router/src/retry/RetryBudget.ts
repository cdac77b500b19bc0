/**
 * How many extra attempts are allowed, as Finagle's retry budgets: each request deposits a fraction of an attempt, each
 * retry and each hedge withdraws a whole one, and deposits expire. In an outage every caller's retries add up to a share
 * of the traffic and not to a multiple of it.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import { toMs } from "@switchyard/core/Time"
import { Context, Effect, Layer } from "effect"
import * as State from "../stack/State.js"

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

const defaults = Field.defaults(Options)

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

/** Amounts are whole thousandths: sums of fractions would drift. */
const scale = 1000
const slots = 10

/** A leaky token bucket: a sliding sum over ten slots of the window, plus the reserve. */
class LeakyBucket {
  private readonly sums = new Array<number>(slots).fill(0)
  private readonly slotMs: number
  private readonly reserve: number
  private readonly depositOf: number
  private sum = 0
  private latest = Number.NEGATIVE_INFINITY

  constructor(share: number, perSecond: number, windowMs: number) {
    this.slotMs = windowMs / slots
    this.reserve = Math.round((perSecond * scale * windowMs) / 1000)
    this.depositOf = Math.round(share * scale)
  }

  balance(now: number): number {
    this.advance(now)
    return Math.max(0, this.reserve + this.sum) / scale
  }

  deposit(now: number): void {
    this.add(now, this.depositOf)
  }

  withdraw(now: number): boolean {
    this.advance(now)
    if (this.reserve + this.sum < scale) return false
    this.add(now, -scale)
    return true
  }

  private add(now: number, amount: number): void {
    const slot = this.advance(now)
    this.sums[slot] = (this.sums[slot] ?? 0) + amount
    this.sum += amount
  }

  /** Lets what is older than the window expire; the slot of this moment. */
  private advance(now: number): number {
    const current = Math.floor(now / this.slotMs)
    if (current > this.latest) {
      const steps = Math.min(slots, current - this.latest)
      for (let i = 0; i < steps; i++) {
        const slot = (((current - i) % slots) + slots) % slots
        this.sum -= this.sums[slot] ?? 0
        this.sums[slot] = 0
      }
      this.latest = current
    }
    return ((this.latest % slots) + slots) % slots
  }
}

/** A budget's value, for composing without Layers. */
export const make = (options: Options = {}): Context.Tag.Service<RetryBudget> => {
  const { perSecond = defaults.perSecond, share = defaults.share, window = defaults.window } = options
  const bucket = new LeakyBucket(share, perSecond, toMs(window))
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

/** What retries and hedges may still cost. */
export class RetryTokens extends State.make({
  name: "retryBudget",
  tag: RetryBudget,
  options: Options,
  layer: layerMemoryWith
}) {}
