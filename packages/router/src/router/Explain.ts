/**
 * Why a request would go where it goes: what its model name resolves to, which deployments it would consider and why the
 * others are out, and which fallbacks stand behind them. A plain read: nothing is called, reserved or counted.
 */
import type { DeploymentId } from "@switchyard/core/Deployment"
import { LlmError, type Reason } from "@switchyard/core/LlmError"
import { type FallbackTarget, inForce, type LlmRequest } from "@switchyard/core/LlmRequest"
import type { AttemptService } from "@switchyard/core/Service"
import type { Slot } from "@switchyard/core/Slot"
import { substitute } from "@switchyard/core/Wildcard"
import { Context, Option } from "effect"
import { Candidates } from "../balancing/Candidates.js"
import type { Judgement, Strategy } from "../balancing/RoutingStrategy.js"
import { Selection } from "../balancing/selection.js"
import { TowerStrategies } from "../balancing/TowerStrategies.js"
import { defaultMaxFallbacks } from "../fallback/Fallback.js"
import * as FallbackChains from "../fallback/FallbackChains.js"
import { FallbackPlans } from "../fallback/fallbackPlans.js"
import { DeploymentRegistry, type Trace } from "../registry/DeploymentRegistry.js"
import { told } from "../stack/Stack.js"
import type { Built } from "./Router.js"

/** One deployment of the group that the name resolved to. */
export interface Verdict {
  readonly deployment: DeploymentId
  /** The model that it would be asked for: stars in its own are filled in. */
  readonly model: string
  /** Its place among the tiers (by `order`), 0 for the one that is asked first. */
  readonly tier: number
  /** Whether the strategy may choose it now. A later tier is asked only when no candidate of the earlier ones is left. */
  readonly verdict: "candidate" | "out"
  /** The request's demand that it does not meet: `pinned`, `region`, `requiredTags`, `excludedTags`, `tags`, `operations`, `capabilities`, `contextWindow`. */
  readonly filter?: string
  /** Why its status is not open, for example `cooldown`, `isolated`, `rpm`, `spend`. */
  readonly reason?: string
  /** Monotonic ms when its status opens by itself; absent when it is open, or nobody knows. */
  readonly until?: number
  /** What the strategy reckons with, where it reckons: ms until the whole answer, USD, and whether both are within its bounds. */
  readonly expected?: { readonly ms?: number; readonly usd?: number; readonly isWithin?: boolean }
  /** The only one left in the last place to go: it is asked although its breaker is closed. */
  readonly forced?: true
}

/** What a kind of failure leads to. */
export type FailureKind = FallbackChains.ChainKind | "invalidRequest" | "unknownModel"

/** A fallback chain that would follow. */
export interface ExplainedChain {
  /** The kind of failure that leads to it. */
  readonly failure: FailureKind
  /** The map that it comes from, `general` where the kind has none of its own. */
  readonly from: string
  readonly targets: ReadonlyArray<FallbackTarget>
}

/** Where a request would go. */
export interface Explanation {
  /** The name that the request asks for. */
  readonly model: string
  /** The name and the aliases that it led over; the last one was looked up. That of the default group where it stood in. */
  readonly path: Trace["path"]
  /** What the last name of the path is. */
  readonly via: Trace["via"]
  /** Nothing else matched, and the default group stood in. */
  readonly isDefault: boolean
  /** How the name was resolved, in words; for an unknown one, why it was not. */
  readonly because: string
  /** The group; undefined for an unknown model. */
  readonly group: string | undefined
  /** What a wildcard's stars stand for, in order. */
  readonly captures: ReadonlyArray<string>
  /** The name of the strategy that chooses; undefined for an unknown model. */
  readonly strategy: string | undefined
  /** Tier by tier, in the order of the configuration. */
  readonly deployments: ReadonlyArray<Verdict>
  /** The chains that would follow, by the kind of failure; kinds that lead nowhere are left out. */
  readonly fallbacks: ReadonlyArray<ExplainedChain>
}

/** The part of a tower that an explanation reads. */
export interface ExplainDeps {
  readonly registry: Context.Tag.Service<DeploymentRegistry>
  readonly status: AttemptService["status"]
  readonly strategyOf: (group: string) => string
  readonly settings: Pick<Built["settings"], "fallback">
  /** The strategy of a group, which is asked what it expects of each deployment. Default: nothing is told of it. */
  readonly chooser?: (group: string) => Strategy | undefined
}

const depsOf = ({ attempts, settings, state, strategyOf }: Built): ExplainDeps => ({
  registry: Context.get(state, DeploymentRegistry),
  status: attempts.status,
  strategyOf,
  settings,
  chooser: (group) =>
    Option.getOrUndefined(Context.getOption(state as Context.Context<TowerStrategies>, TowerStrategies))?.strategyFor(
      group
    )
})

const failures: ReadonlyArray<readonly [FailureKind, Reason]> = [
  ["general", "Unavailable"],
  ["rateLimit", "RateLimited"],
  ["contextWindow", "ContextWindowExceeded"],
  ["contentPolicy", "ContentPolicyViolation"],
  ["invalidRequest", "InvalidRequest"]
]

const plansOf = ({ registry, settings }: ExplainDeps): FallbackPlans => {
  const fallback = told(settings.fallback)
  return new FallbackPlans(FallbackChains.FallbackChains.make(fallback?.chains ?? {}, registry.resolve), registry, {
    contentPolicyUsesGeneral: fallback?.contentPolicyUsesGeneral ?? false,
    invalidRequestUsesGeneral: fallback?.invalidRequestUsesGeneral ?? false
  })
}

const hopsOf = ({ overrides }: LlmRequest, { settings: { fallback } }: ExplainDeps): number =>
  overrides.disableFallbacks === true || fallback === false
    ? 0
    : inForce(overrides, overrides.maxFallbacks, fallback?.maxFallbacks ?? defaultMaxFallbacks)

const chainsOf = (plans: FallbackPlans, request: LlmRequest, isKnown: boolean): ReadonlyArray<ExplainedChain> => {
  const kinds: typeof failures = isKnown ? failures : [["unknownModel", "UnknownModel"]]
  return kinds.flatMap(([failure, reason]) => {
    const chain = plans.chain(request, request.model, new LlmError({ reason, description: "explained" }))
    return chain === undefined || chain.targets.length === 0
      ? []
      : [{ failure, from: chain.kind, targets: chain.targets }]
  })
}

const quoted = (name: string): string => JSON.stringify(name)

const because = ({ isDefault, path, resolved, via }: Trace, model: string): string => {
  const name = path[path.length - 1] ?? model
  if (resolved === undefined) {
    const led = path.length > 1 ? ` (${quoted(model)} is an alias)` : ""
    return `no group, alias, wildcard or deployment is named ${quoted(name)}${led}, and no default group stands in`
  }
  const how =
    via === "wildcard"
      ? `${quoted(name)} matches the wildcard ${quoted(resolved.group.name)}`
      : `${quoted(name)} is a ${via}`
  return isDefault ? `nothing is named ${quoted(model)}, so the default group stands in: ${how}` : how
}

const expectedOf = ({
  expectedCost: usd,
  expectedTime: ms,
  isWithin
}: Judgement): NonNullable<Verdict["expected"]> => ({
  ...(ms === undefined ? {} : { ms }),
  ...(usd === undefined ? {} : { usd }),
  ...(isWithin === undefined ? {} : { isWithin })
})

/** What the group's strategy expects of a slot; undefined for a strategy that does not reckon. */
const judging = (
  { chooser, status }: ExplainDeps,
  { captures, group }: NonNullable<Trace["resolved"]>,
  request: LlmRequest,
  now: number
): ((slot: Slot, tier: number) => Judgement | undefined) => {
  const strategy = chooser?.(group.name)
  if (strategy?.judge === undefined) return () => undefined
  const judged = group.tiers.map((slots) => {
    const judgements = strategy.judge?.(new Candidates(group.name, slots, request, now, status, [], captures))
    return new Map(slots.map((slot, index) => [slot, judgements?.[index]]))
  })
  return (slot, tier) => judged[tier]?.get(slot)
}

const verdictsOf = (
  deps: ExplainDeps,
  resolved: NonNullable<Trace["resolved"]>,
  request: LlmRequest,
  now: number
): ReadonlyArray<Verdict> => {
  const { captures, group } = resolved
  const judge = judging(deps, resolved, request, now)
  const selection = new Selection(group, request, now, deps.status)
  return selection.findings().map(({ filter, forced, slot, status: found, tier }) => {
    const judgement = judge(slot, tier)
    return {
      deployment: slot.id,
      model: substitute(slot.deployment.model, captures),
      tier,
      verdict: filter === undefined && (forced || found._tag === "Open") ? "candidate" : "out",
      ...(filter === undefined ? {} : { filter }),
      ...(found._tag === "Open" ? {} : { reason: found.reason }),
      ...(found._tag === "Open" || found.until === undefined ? {} : { until: found.until }),
      ...(judgement === undefined ? {} : { expected: expectedOf(judgement) }),
      ...(forced ? { forced } : {})
    }
  })
}

/**
 * Explains where a request would go at `now` (monotonic ms), without sending it. The first selection is meant: what a retry
 * would exclude, who waits in a queue, and limits and budgets of callers are not looked at.
 *
 * @example
 * ```ts
 * import * as LlmRequest from "@switchyard/core/LlmRequest"
 * import * as Time from "@switchyard/core/Time"
 * import * as Explain from "@switchyard/router/Explain"
 * import type * as Router from "@switchyard/router/Router"
 * import { Effect } from "effect"
 *
 * const why = (tower: Router.Built, model: string) =>
 *   Time.withNow((now) => Effect.sync(() => Explain.explain(tower, LlmRequest.chat({ model, messages: [] }), now)))
 * ```
 */
export const explain = (from: Built | ExplainDeps, request: LlmRequest, now: number): Explanation => {
  const deps = "service" in from ? depsOf(from) : from
  const trace = deps.registry.trace(request.model)
  const { resolved } = trace
  const plans = plansOf(deps)
  const hops = hopsOf(request, deps)
  const lastResort = request.route.lastResort && Math.min(hops, plans.plan(request, request.model).ahead) <= 0
  const asked = { ...request, route: { ...request.route, lastResort } }
  return {
    model: request.model,
    path: trace.path,
    via: trace.via,
    isDefault: trace.isDefault,
    because: because(trace, request.model),
    group: resolved?.group.name,
    captures: resolved?.captures ?? [],
    strategy: resolved === undefined ? undefined : deps.strategyOf(resolved.group.name),
    deployments: resolved === undefined ? [] : verdictsOf(deps, resolved, asked, now),
    fallbacks: hops > 0 ? chainsOf(plans, request, resolved !== undefined) : []
  }
}
