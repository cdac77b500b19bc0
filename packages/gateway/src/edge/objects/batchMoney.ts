/**
 * What batches cost: set aside in their caller's budget when they are made, and settled once their results say what was used.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import { toMs } from "@switchyard/core/Time"
import * as Usage from "@switchyard/core/Usage"
import { cost, type Price, PriceBook } from "@switchyard/router/PriceBook"
import { type Reservation, type SpendLimit, SpendWindows } from "@switchyard/router/SpendWindows"
import { Context } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { Generation } from "../../generations/Generations.js"
import type { Caller } from "../../keys/KeyRing.js"
import type { LineTokens } from "./batchLines.js"

/** What a batch costs of what the same answers cost one by one, where the provider says so. */
const discounts: Readonly<Record<string, number>> = { openai: 0.5, azure: 0.5 }

/** Files and batches that are remembered, the oldest forgotten first. */
const capacity = 10_000

/** Ms after which a batch is over, whoever has asked for it. */
const longest = 25 * 60 * 60 * 1000

interface Held {
  readonly reservation: Reservation
  readonly price: Price
  readonly share: number
  readonly estimate: number
  readonly at: number
}

/** The budget of a key; undefined where it has none. */
const budgetOf = ({ source }: Pick<Generation, "source">, { name }: Pick<Caller, "name">): SpendLimit | undefined => {
  if (name === undefined) return undefined
  const { keys, router } = source.config
  const own = keys.find((key) => key.name === name)?.budget
  const all = typeof router.callerBudget === "object" ? router.callerBudget : undefined
  return own ?? all?.callers?.[name] ?? all?.everyCaller
}

const add = (sum: Usage.Usage, told: unknown): Usage.Usage => {
  const usage = Usage.fromOpenAi(told)
  return usage === undefined ? sum : Usage.add(sum, usage)
}

/** The sum of what results tell. */
export const summed = (): { readonly add: (told: unknown) => void; readonly sum: () => Usage.Usage } => {
  let sum = Usage.zero
  return {
    add: (told) => {
      sum = add(sum, told)
    },
    sum: () => sum
  }
}

const unpriced = (model: string): Refusal => ({
  status: 400,
  code: "unpriced_batch",
  message: `this key has a budget, and no price is known for ${model}: a batch of it cannot be paid from a budget until its price is configured`
})

const exceeded = (limit: number, retryAfter: number | undefined): Refusal => ({
  status: 429,
  code: "caller_budget",
  message: `the batch does not fit into what is left of this key's budget of ${limit} USD`,
  ...(retryAfter === undefined ? {} : { retryAfter })
})

/** The money of batches, and the files whose lines are known. */
export class BatchMoney {
  private readonly files = new Map<string, LineTokens>()
  private readonly held = new Map<string, Held>()

  /** Notes the tokens of a file whose lines were checked, under the provider's id. */
  noteFile(id: string, tokens: LineTokens): void {
    this.files.set(id, tokens)
    for (const oldest of this.files.keys()) {
      if (this.files.size <= capacity) return
      this.files.delete(oldest)
    }
  }

  /** The tokens of a file whose lines were checked here; undefined for every other one. */
  tokensOf(id: string): LineTokens | undefined {
    return this.files.get(id)
  }

  /** Sets the cost of a batch aside; nothing, where its caller has no budget. `keep` takes the batch once it has an id. */
  reserve(
    generation: Generation,
    caller: Caller,
    deployment: Deployment,
    tokens: LineTokens,
    now: number
  ):
    | { readonly refusal: Refusal }
    | { readonly keep: (id: string) => void; readonly release: (isSpent: boolean) => void } {
    this.forgetOld(now)
    const budget = budgetOf(generation, caller)
    if (budget === undefined || caller.name === undefined) return { keep: () => {}, release: () => {} }
    const { state } = generation.tower
    const price = Context.get(state, PriceBook).price(deployment)
    if (price === undefined) return { refusal: unpriced(deployment.group) }
    const share = discounts[deployment.provider] ?? 1
    const estimate = cost(Usage.estimate(tokens.input, tokens.output), price) * share
    const window = Context.get(state, SpendWindows).window("caller", caller.name, toMs(budget.window), now)
    const resetsAt = window.resetsAt(now)
    // A batch is long: it never goes on with what is left for the last call in a window.
    const isFitting = window.used(now) + estimate <= budget.limit
    const reservation = isFitting ? window.reserve(estimate, budget.limit, now) : undefined
    if (reservation === undefined) {
      return { refusal: exceeded(budget.limit, resetsAt === undefined ? undefined : resetsAt - now) }
    }
    return {
      keep: (id) => void this.held.set(id, { reservation, price, share, estimate, at: now }),
      release: (isSpent) => reservation.settle(isSpent ? estimate : 0, now)
    }
  }

  /** Whether something is set aside for a batch. */
  holds(id: string): boolean {
    return this.held.has(id)
  }

  /** Settles a batch that is over. */
  settle(id: string, usage: Usage.Usage, now: number): void {
    const held = this.held.get(id)
    if (held === undefined) return
    this.held.delete(id)
    held.reservation.settle(cost(usage, held.price) * held.share, now)
  }

  /** Nobody asked how they ended: they cost what was set aside. */
  private forgetOld(now: number): void {
    for (const [id, { at, estimate, reservation }] of this.held) {
      if (now - at < longest) return
      this.held.delete(id)
      reservation.settle(estimate, now)
    }
  }
}
