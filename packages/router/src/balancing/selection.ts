import { type Blocked, LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { Opening } from "@switchyard/core/Opening"
import type { AttemptService } from "@switchyard/core/Service"
import type { Slot } from "@switchyard/core/Slot"
import { isOverridable, type Status } from "@switchyard/core/Status"
import { Schema } from "effect"
import type { Group } from "../registry/resolve.js"
import { Candidates, type Filter } from "./Candidates.js"
import { notDrained, ofOrigin, requestFilters, withAvoided } from "./filters.js"
import type { Strategy } from "./RoutingStrategy.js"

/** A strategy threw, or chose something that is no open candidate. A defect of that call alone. */
export class StrategyDefect extends Schema.TaggedError<StrategyDefect>("@switchyard/router/StrategyDefect")(
  "StrategyDefect",
  { strategy: Schema.String, detail: Schema.String }
) {
  override get message(): string {
    return `strategy ${this.strategy}: ${this.detail}`
  }
}

/** What was chosen; `forced` when its breaker is closed and it is asked all the same. */
export interface Choice {
  readonly slot: Slot
  readonly forced: boolean
}

/** What stands for or against one deployment of the group. */
export interface Finding {
  readonly slot: Slot
  /** The index of its tier. */
  readonly tier: number
  /** The first filter that it does not pass. */
  readonly filter: string | undefined
  readonly status: Status
  /** Only it is left, in the last place to go: it is asked although failures closed it. */
  readonly forced: boolean
}

/** Ms from which on a deployment is closed for more than failures that may pass. */
const longestOutage = 60_000

const choose = (strategy: Strategy, candidates: Candidates): Slot | undefined => {
  const defect = (detail: string) =>
    new StrategyDefect({ strategy: (strategy.inGroup?.(candidates.group) ?? strategy).name, detail })
  let index: number
  try {
    index = strategy.select(candidates)
  } catch (cause) {
    throw defect(String(cause))
  }
  if (index === -1) return undefined
  if (!Number.isInteger(index) || index < 0 || index >= candidates.size) {
    const chosen = typeof index === "number" ? index : `${String(index)}, a ${typeof index},`
    throw defect(`chose ${chosen} of ${candidates.size} candidates`)
  }
  if (!candidates.isReady(index)) throw defect(`chose ${candidates.at(index).id}, which is not open`)
  return candidates.at(index)
}

/** What the provider named, where that is why a deployment opens at `opensAt`. */
const namedAt = (status: Status, opensAt: number): number =>
  status._tag === "Closed" && opensAt === (status.forcible ?? status.until) ? (status.named ?? opensAt) : opensAt

/** One selection: the candidates of a group for one request at one moment. */
export class Selection {
  private readonly filters: ReadonlyArray<Filter>

  constructor(
    private readonly group: Group,
    private readonly request: LlmRequest,
    private readonly now: number,
    private readonly status: AttemptService["status"],
    private readonly captures: ReadonlyArray<string> = [],
    /** What turned the request away so far, of deployments that it leaves out for that. */
    private readonly refusals: ReadonlyArray<LlmError> = []
  ) {
    this.filters = requestFilters(request, group)
  }

  /**
   * The strategy's choice: tier by tier, first among those that did not fail in this request, then among all. With
   * nothing open, the only one left in the last place to go is asked although failures closed it.
   */
  pick(strategy: Strategy): Choice | undefined {
    const first = withAvoided(this.request, this.filters)
    const preferred = ofOrigin(this.request, first)
    let slot = preferred === undefined ? undefined : this.pickWith(strategy, preferred)
    slot ??= this.pickUndrained(strategy, first) ?? this.pickWith(strategy, first)
    if (slot === undefined && first !== this.filters) slot = this.pickWith(strategy, this.filters)
    if (slot !== undefined) return { slot, forced: false }
    const only = this.forcible()
    return only !== undefined && isOverridable(this.statusOf(only), this.now) ? { slot: only, forced: true } : undefined
  }

  /** Of those that failures closed, the one that opens soonest: Envoy's panic mode. */
  leastBad(): Choice | undefined {
    let best: Slot | undefined
    let bestUntil = Number.POSITIVE_INFINITY
    for (const slot of this.slots()) {
      const status = this.statusOf(slot)
      if (!isOverridable(status, this.now) || this.failing(slot) !== undefined) continue
      const until = status._tag === "Closed" ? (status.until ?? Number.MAX_VALUE) : this.now
      if (until < bestUntil) {
        best = slot
        bestUntil = until
      }
    }
    return best === undefined ? undefined : { slot: best, forced: true }
  }

  /**
   * Of those that failures closed, the one that opens soonest and is asked by nobody, where they are more than half of those
   * that the request could go to: an outage of most is no reason to press the rest, and may be over. Without an open one it
   * is asked in the last place to go alone. Who is closed for long, as for a key that is refused, is let alone.
   */
  look(isIdle: (slot: Slot) => boolean): Choice | undefined {
    const { now, request } = this
    let best: Slot | undefined
    let bestUntil = now + longestOutage
    let all = 0
    let open = 0
    for (const slot of this.slots()) {
      if (slot.deployment.weight === 0 || this.failing(slot) !== undefined) continue
      const status = this.statusOf(slot)
      all++
      if (status._tag === "Open") open++
      if (status._tag !== "Closed" || !isOverridable(status, now) || !isIdle(slot)) continue
      if (status.until === undefined || status.until >= bestUntil) continue
      best = slot
      bestUntil = status.until
    }
    if (best === undefined || 2 * open >= all || (open === 0 && !request.route.lastResort)) return undefined
    return { slot: best, forced: true }
  }

  /** Whether a deployment other than `chosen` could take the request now. */
  hasAlternative(chosen: Slot): boolean {
    const filters = withAvoided(this.request, this.filters)
    for (const tier of this.group.tiers) {
      for (const slot of tier) {
        if (slot !== chosen && filters.every((filter) => filter.passes(slot)) && this.statusOf(slot)._tag === "Open") {
          return true
        }
      }
    }
    return false
  }

  /** Every deployment that passes the filters, avoided ones included, and when it could be chosen. */
  openings(): ReadonlyArray<Opening> {
    const forced = this.forcible()
    return this.slots()
      .filter((slot) => this.failing(slot) === undefined)
      .map((slot) => {
        const status = this.statusOf(slot)
        const opensAt = this.opensAt(slot, status, forced) ?? Number.POSITIVE_INFINITY
        return { deployment: slot.id, opensAt, namedAt: namedAt(status, opensAt) }
      })
  }

  /** Every deployment of the group, chosen from or not, and why. */
  findings(): ReadonlyArray<Finding> {
    const only = this.forcible()
    return this.group.tiers.flatMap((slots, tier) =>
      slots.map((slot) => {
        const status = this.statusOf(slot)
        return {
          slot,
          tier,
          filter: this.failing(slot),
          status,
          forced: slot === only && isOverridable(status, this.now)
        }
      })
    )
  }

  /**
   * Why nothing could be chosen, deployment by deployment, and when it is worth asking again. What the request's filters
   * ruled out was never a candidate, and says nothing; where a filter left nobody, those that came to it tell of it.
   */
  nothing(): LlmError {
    const blocked = this.candidates().map((slot) => this.blocked(slot))
    const reasons = [...new Set(blocked.map((block) => block.reason))].sort().join(", ")
    const soonest = Math.min(...blocked.map((block) => block.retryAfter ?? Number.POSITIVE_INFINITY))
    const tooLong = blocked.length > 0 && blocked.every((block) => block.reason === "contextWindow")
    if (blocked.length > 0 && blocked.every((block) => block.reason === "operations")) {
      const description = `no deployment of ${this.group.name} serves ${this.request.operation}`
      return new LlmError({ reason: "NoDeployment", description, blocked })
    }
    return new LlmError({
      reason: tooLong ? "ContextWindowExceeded" : "NoDeployment",
      description: tooLong
        ? `the prompt is longer than the context window of every deployment of ${this.group.name}`
        : `no deployment of ${this.group.name} can take the request (${reasons})`,
      blocked,
      ...(Number.isFinite(soonest) ? { retryAfter: soonest } : {})
    })
  }

  private blocked(slot: Slot): Blocked {
    const status = this.statusOf(slot)
    const failing = this.failing(slot)
    // A deployment that was left out because a limit turned it away is blocked by that limit, whatever its status says by now:
    // others may give room back meanwhile, and where many processes share a limit, what is read of it is a moment old.
    const refusal =
      failing === "excluded" && status._tag === "Open"
        ? this.refusals.find(({ deployment }) => deployment === slot.id)
        : undefined
    if (refusal !== undefined) {
      const { code = "excluded", retryAfter } = refusal
      return { deployment: slot.id, reason: code, cause: "limit", ...(retryAfter === undefined ? {} : { retryAfter }) }
    }
    if (failing !== undefined && (failing !== "excluded" || status._tag === "Open")) {
      return { deployment: slot.id, reason: failing, ...(failing === "excluded" ? {} : { cause: "request" as const }) }
    }
    if (status._tag === "Open") return { deployment: slot.id, reason: "not chosen" }
    const opensAt = this.opensAt(slot, status, this.forcible())
    return {
      deployment: slot.id,
      reason: status.reason,
      cause: status.cause,
      ...(status._tag === "Busy" && status.early === true ? { early: true } : {}),
      ...(opensAt === undefined ? {} : { retryAfter: Math.max(0, opensAt - this.now) })
    }
  }

  /**
   * Those that pass what the request asks for; with none, those that came as far as the filter which left nobody. Its
   * exclusions are no such filter: they come from what happened to it.
   */
  private candidates(): ReadonlyArray<Slot> {
    let left = this.slots()
    for (const { name, passes } of this.filters) {
      if (name === "excluded") continue
      const passing = left.filter(passes)
      if (passing.length === 0) return left
      left = passing
    }
    return left
  }

  /** Monotonic ms when it would be asked, `forced` also while failures alone keep it closed; undefined when nobody knows. */
  private opensAt(slot: Slot, status: Status, forced: Slot | undefined): number | undefined {
    if (status._tag === "Open" || (slot === forced && isOverridable(status, this.now))) return this.now
    return (slot === forced && status._tag === "Closed" ? status.forcible : undefined) ?? status.until
  }

  /** Looks through all tiers for one that does not drain: those of weight 0 are for when nothing else is left. */
  private pickUndrained(strategy: Strategy, filters: ReadonlyArray<Filter>): Slot | undefined {
    return this.group.declares.drained && this.group.tiers.length > 1
      ? this.pickWith(strategy, [...filters, notDrained])
      : undefined
  }

  private pickWith(strategy: Strategy, filters: ReadonlyArray<Filter>): Slot | undefined {
    const { captures, group, now, request, status } = this
    for (const tier of group.tiers) {
      const slot = choose(strategy, new Candidates(group.name, tier, request, now, status, filters, captures))
      if (slot !== undefined) return slot
    }
    return undefined
  }

  /** The only one left in the last place to go, which is asked although failures closed it. */
  private forcible(): Slot | undefined {
    if (!this.request.route.lastResort) return undefined
    const left = this.slots().filter((slot) => this.failing(slot) === undefined)
    return left.length === 1 ? left[0] : undefined
  }

  private slots(): ReadonlyArray<Slot> {
    return this.group.tiers.flat()
  }

  private failing(slot: Slot): string | undefined {
    return this.filters.find((filter) => !filter.passes(slot))?.name
  }

  private statusOf(slot: Slot): Status {
    return this.status(slot, this.request, this.now)
  }
}
