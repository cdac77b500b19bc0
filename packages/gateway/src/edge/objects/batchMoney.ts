/**
 * What batches cost: set aside in every window that bounds them when they are made, and settled once their results say what was
 * used, in metrics and events too, which no call of theirs tells.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import * as Usage from "@switchyard/core/Usage"
import * as KnownProviders from "@switchyard/providers/KnownProviders"
import * as HeldSpend from "@switchyard/router/HeldSpend"
import { cost, type Price, PriceBook } from "@switchyard/router/PriceBook"
import { RouterEvents } from "@switchyard/router/RouterEvents"
import { SpendWindows } from "@switchyard/router/SpendWindows"
import { Context, Effect, Option } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { Generation } from "../../generations/Generations.js"
import type { Caller } from "../../keys/KeyRing.js"
import type { LineTokens } from "./batchLines.js"

/** Files and batches that are remembered, the oldest forgotten first. */
const capacity = 10_000

/** Ms after which a batch is over, whoever has asked for it. */
const longest = 25 * 60 * 60 * 1000

/** A batch that is not over, as far as anybody knows. */
export interface Open {
  /** The provider's own id. */
  readonly id: string
  readonly deployment: Deployment
  /** Monotonic ms of the last word of it. */
  seenAt: number
}

interface Held extends Open {
  readonly money: HeldSpend.Held
  readonly price: Price | undefined
  /** What it costs of what the same answers cost one by one. */
  readonly share: number
  readonly tokens: LineTokens
  readonly caller: Caller
  readonly at: number
}

const shareAt = (deployment: Deployment, price: Price | undefined): number =>
  1 - (deployment.batchDiscount ?? price?.batchDiscount ?? KnownProviders.find(deployment.provider)?.batchDiscount ?? 0)

/** Whether money is the caller's own to spend, or shared with its team or user. */
const isCallers = (scope: HeldSpend.Bound["scope"]): boolean =>
  scope === "caller" || scope === "team" || scope === "user"

/** Everything that bounds what a caller's batch on a deployment may cost. */
const boundsOf = (
  { source }: Pick<Generation, "source">,
  { budgets, name, tags }: Pick<Caller, "budgets" | "name" | "tags">,
  deployment: Deployment
): ReadonlyArray<HeldSpend.Bound> => {
  const { keys, router } = source.config
  const all = typeof router.callerBudget === "object" ? router.callerBudget : undefined
  const own =
    name === undefined
      ? undefined
      : (keys.find((key) => key.name === name)?.budget ?? all?.callers?.[name] ?? all?.everyCaller)
  return [
    ...(own === undefined || name === undefined ? [] : [{ scope: "caller" as const, key: name, limit: own }]),
    ...(budgets?.() ?? []).flatMap(({ key, limit, scope, window }) =>
      Number.isFinite(limit) ? [{ scope, key, limit: { limit, window } }] : []
    ),
    ...(typeof router.spendLimits === "object" ? HeldSpend.boundsOf(router.spendLimits, deployment, tags) : [])
  ]
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

const exceeded = ({ exceeded: { key, limit, scope }, retryAfter }: HeldSpend.Exceeded): Refusal => ({
  status: 429,
  code: isCallers(scope) ? "caller_budget" : "spend",
  message: isCallers(scope)
    ? `the batch does not fit into what is left of this key's budget of ${limit.limit} USD`
    : `the batch does not fit into what is left of the spending limit of ${limit.limit} USD of ${scope === "total" ? "all" : `${scope} ${key}`}`,
  ...(retryAfter === undefined ? {} : { retryAfter })
})

const worstOf = ({ input, output }: LineTokens): Usage.Usage => Usage.estimate(input, output)

/** What bounds a batch, and what it costs at most; without windows nothing is set aside. */
const termsOf = (generation: Generation, caller: Caller, deployment: Deployment, tokens: LineTokens) => {
  const { state } = generation.tower
  const price = Option.getOrUndefined(Context.getOption(state, PriceBook))?.price(deployment)
  const share = shareAt(deployment, price)
  return {
    bounds: boundsOf(generation, caller, deployment),
    price,
    share,
    estimate: price === undefined ? 0 : cost(worstOf(tokens), price) * share,
    windows: price === undefined ? undefined : Option.getOrUndefined(Context.getOption(state, SpendWindows))
  }
}

/** The money of batches, and the files whose lines are known. */
export class BatchMoney {
  private readonly files = new Map<string, LineTokens>()
  private readonly held = new Map<string, Held>()

  /** `current` is the generation in force, to which settled batches are told. */
  constructor(private readonly current: () => Pick<Generation, "tower">) {}

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

  /** Waits for whoever else the money of a batch is shared with: who calls `reserve` waits for it first. At most 100 ms. */
  ready(
    generation: Generation,
    caller: Caller,
    deployment: Deployment,
    tokens: LineTokens,
    now: number
  ): Effect.Effect<void> {
    const { bounds, estimate, windows } = termsOf(generation, caller, deployment, tokens)
    return (windows === undefined ? undefined : HeldSpend.prepare(windows, bounds, estimate, now)) ?? Effect.void
  }

  /** Sets the cost of a batch aside where something bounds it. `keep` takes the batch once it has an id. */
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
    const { bounds, estimate, price, share, windows } = termsOf(generation, caller, deployment, tokens)
    if (price === undefined && bounds.some(({ scope }) => isCallers(scope))) {
      return { refusal: unpriced(deployment.group) }
    }
    const money: HeldSpend.Held | HeldSpend.Exceeded =
      windows === undefined ? { settle: () => {} } : HeldSpend.reserve(windows, bounds, estimate, now)
    if ("exceeded" in money) return { refusal: exceeded(money) }
    return {
      keep: (id) => {
        this.held.set(id, { id, deployment, money, price, share, tokens, caller, at: now, seenAt: now })
        this.forgetMost(now)
      },
      release: (isSpent) => money.settle(isSpent ? estimate : 0, now)
    }
  }

  /** Whether a batch is not settled yet. */
  holds(id: string): boolean {
    return this.held.has(id)
  }

  /** Notes that somebody has asked how a batch is, and that it goes on. */
  seen(id: string, now: number): void {
    const held = this.held.get(id)
    if (held !== undefined) held.seenAt = now
  }

  /** Batches of which nobody has heard for so many ms, at most `most`, the least heard of first. */
  silent(ms: number, most: number, now: number): ReadonlyArray<Open> {
    this.forgetOld(now)
    const found = [...this.held.values()].filter(({ seenAt }) => now - seenAt >= ms)
    return found.sort((a, b) => a.seenAt - b.seenAt).slice(0, most)
  }

  /** Settles a batch that is over. */
  settle(id: string, usage: Usage.Usage, now: number): void {
    this.end(id, usage, false, now)
  }

  private end(id: string, usage: Usage.Usage, isEstimate: boolean, now: number): void {
    const held = this.held.get(id)
    if (held === undefined) return
    this.held.delete(id)
    const { caller, deployment, money, price, share } = held
    const spent = price === undefined ? undefined : cost(usage, price) * share
    money.settle(spent ?? 0, now)
    const { group, id: at, provider } = deployment
    Context.get(this.current().tower.state as Context.Context<never>, RouterEvents).publish({
      _tag: "BatchSettled",
      at: now,
      group,
      deployment: at,
      provider,
      caller: caller.name,
      tags: caller.tags,
      usage,
      cost: spent,
      isEstimate
    })
  }

  /** Nobody learnt how they ended: they cost what was set aside. */
  private forgetOld(now: number): void {
    for (const [id, { at, tokens }] of this.held) {
      if (now - at < longest) return
      this.end(id, worstOf(tokens), true, now)
    }
  }

  private forgetMost(now: number): void {
    for (const [id, { tokens }] of this.held) {
      if (this.held.size <= capacity) return
      this.end(id, worstOf(tokens), true, now)
    }
  }
}
