/**
 * The least of one thing within a bound on another: the least cost of those that are expected to answer in time, or the least
 * time of those that cost no more than is to be spent. What is expected of a deployment is learned from its answers (how long
 * until the first token, how long and how fast it writes) and from its prices.
 *
 * Of several that cost the same the fastest is chosen, as `LeastExpectedLatency` does it, so that they share the work. A deployment
 * of which nothing is known gets a call at a time. One that is cheaper than what is chosen, and too slow by what
 * is known, is looked at again now and then, as far as there is traffic enough. Where nobody answers in time the fastest is
 * asked, and where nobody is cheap enough the cheapest.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import { uniform } from "@switchyard/core/Dice"
import * as Field from "@switchyard/core/Field"
import { estimateInputTokens } from "@switchyard/core/LlmRequest"
import type { Slot } from "@switchyard/core/Slot"
import { toMs } from "@switchyard/core/Time"
import { type Context, Effect, Layer, Schema } from "effect"
import { ratesFor } from "../../catalogue/price.js"
import { LatencyTracker } from "../../latency/LatencyTracker.js"
import { expectedOutput, usualOutput } from "../../money/answerLengths.js"
import { PriceBook } from "../../money/PriceBook.js"
import { DeploymentStats } from "../../registry/DeploymentStats.js"
import type { Candidates } from "../Candidates.js"
import { LowestPick } from "../lowestPick.js"
import { type Judgement, RoutingStrategy, type Strategy } from "../RoutingStrategy.js"
import { ExpectedTime } from "./expectedTime.js"
import * as LeastExpectedLatency from "./LeastExpectedLatency.js"
import { ModelLengths } from "./modelLengths.js"
import { quoting } from "./quotes.js"

const goal = {
  /** What is to be least: `cost`, of those that answer in time, or `latency`, of those that cost no more than the bounds say. Default `cost`. */
  minimize: Field.option(
    Schema.Literal("cost", "latency").annotations({
      message: () => ({ message: '"cost" or "latency"', override: true })
    }),
    "What is to be least: `cost`, of those that answer in time, or `latency`, of those that cost no more than the bounds say.",
    "cost"
  ),
  /** With `cost`: how long a whole answer may be expected to take. Default: three times as long as the fastest is expected to. */
  latency: Field.option(
    Field.duration,
    "With `cost`: how long a whole answer may be expected to take. Default: three times as long as the fastest is expected to."
  ),
  /** With `cost`: within what time 95 % of a deployment's streams have begun. Default: any time. */
  firstToken: Field.option(
    Field.duration,
    "With `cost`: within what time 95 % of a deployment's streams have begun. Default: any time."
  ),
  /** With `latency`: USD that a request may be expected to cost. Default: any price. */
  cost: Field.option(Field.price, "With `latency`: USD that a request may be expected to cost. Default: any price."),
  /** With `latency`: USD per million tokens, input and output of a request together. Default: any price. */
  costPerMillion: Field.option(
    Field.price,
    "With `latency`: USD per million tokens, input and output of a request together. Default: any price."
  )
}

/** Options of the strategy. */
export const Options = Field.options("The strategy `objective`: what is to be least, and within which bounds.", {
  ...goal,
  /** Other objectives for single model groups, by the group's name. */
  groups: Field.option(
    Schema.Record({ key: Schema.String, value: Field.options("The objective of a group.", goal) }),
    "Other objectives for single model groups, by the group's name."
  )
})
/** Options of the strategy. */
export type Options = typeof Options.Type

interface Goal {
  readonly minimize: "cost" | "latency"
  readonly latency: number | undefined
  readonly firstToken: number
  readonly cost: number
  readonly costPerMillion: number
}

const any = Number.POSITIVE_INFINITY

const goalOf = (options: Omit<Options, "groups">): Goal => ({
  minimize: options.minimize ?? "cost",
  latency: options.latency === undefined ? undefined : toMs(options.latency),
  firstToken: options.firstToken === undefined ? any : toMs(options.firstToken),
  cost: options.cost ?? any,
  costPerMillion: options.costPerMillion ?? any
})

/** What the strategy works with. */
export interface Deps extends LeastExpectedLatency.Deps {
  readonly prices: Context.Tag.Service<PriceBook>
}

/** Where nobody says what is in time, it is what takes so many times as long as the fastest. */
const timesTheFastest = 3
/** Prices that differ by less are the same. */
const sameCost = 1.01
/** From this share of the bound on, ever fewer calls go there, so that a deployment keeps what it can take and no more. */
const brimFrom = 0.9
/** Ms after which what is known of a deployment that is too slow is looked at again. */
const lookAgainAfter = 10_000
/** Of so many calls of a group at most one looks at such a deployment. */
const callsPerLook = 8

const without = (candidates: Candidates, ids: ReadonlySet<string>): Candidates =>
  ids.size === 0 ? candidates : candidates.only({ name: "cost", passes: ({ id }) => !ids.has(id) })

/** The strategy, from the figures that it reads. */
export const make = (deps: Deps, options: Options = {}): Strategy => {
  const { prices, random, tracker } = deps
  const fastest = LeastExpectedLatency.make(deps)
  const priceAt = quoting(prices)
  const standard = goalOf(options)
  const goals = new Map(Object.entries(options.groups ?? {}).map(([name, own]) => [name, goalOf(own)]))
  const sinceLook = new Map<string, number>()
  const times = new ExpectedTime(deps)
  const lengths = new ModelLengths()
  /** Of the selection under way: what each candidate is expected to take, and to cost. */
  const expected: Array<number | undefined> = []
  const costs: Array<number> = []
  const pick = new LowestPick(random)
  const old = new LowestPick(random)

  /**
   * A model's answers are as long wherever it runs: some long ones would make a deployment dearer than its equals. One that is not
   * known yet writes as much as the group does: a guess would make it dearer for ever.
   */
  const outputAt = ({ group, now, request }: Candidates, slot: Slot): number =>
    expectedOutput(request, slot, lengths.of(slot) ?? tracker.group(group)?.length.get(now))

  const costAt = (candidates: Candidates, index: number): number | undefined => {
    const price = priceAt(candidates, index)
    if (price === undefined) return undefined
    const input = estimateInputTokens(candidates.request)
    const rates = ratesFor(price, input)
    return (input * rates.input + outputAt(candidates, candidates.at(index)) * rates.output) / 1e6
  }

  /** Of a plain call its time is the whole answer's, and so in proportion to its length. */
  const timeAt = (candidates: Candidates, index: number): number | undefined => {
    const { now, request } = candidates
    const slot = candidates.at(index)
    if (request.stream) return times.of(candidates, slot)
    const latency = tracker.of(slot)
    const whole = latency.duration(now)
    if (whole === undefined) return undefined
    const usual = usualOutput(slot) ?? 0
    const share = usual > 0 ? Math.min(1, outputAt(candidates, slot) / usual) : 1
    const { oldestUnanswered } = latency
    // One call that takes twice as long as usual is nothing unusual.
    const waited = oldestUnanswered === undefined ? 0 : (now - oldestUnanswered) / 2
    return (waited + whole * share) * latency.failurePenalty(now)
  }

  /** Notes what is expected of each candidate. */
  const survey = (candidates: Candidates): void => {
    times.begin(candidates)
    lengths.begin(candidates)
    expected.length = 0
    for (let i = 0; i < candidates.size; i++) expected.push(timeAt(candidates, i))
  }

  /** How long an answer may take, in ms, after a survey. */
  const boundOf = ({ latency }: Goal): number => {
    if (latency !== undefined) return latency
    let fastest = any
    for (const time of expected) if (time !== undefined && time < fastest) fastest = time
    return timesTheFastest * fastest
  }

  /** The share of the bound that is expected to be taken: above 1 is too slow. Undefined while nobody knows. */
  const lateness = (candidates: Candidates, index: number, { firstToken }: Goal, bound: number): number | undefined => {
    const time = expected[index]
    if (time === undefined || firstToken === any) return time === undefined ? undefined : time / bound
    const first = tracker.of(candidates.at(index)).quantile(0.95, true, candidates.now) ?? 0
    return Math.max(time / bound, first / firstToken)
  }

  const isAffordable = (candidates: Candidates, index: number, { cost, costPerMillion }: Goal): boolean => {
    if (cost === any && costPerMillion === any) return true
    const expected = costAt(candidates, index)
    if (expected === undefined) return false
    const tokens = estimateInputTokens(candidates.request) + outputAt(candidates, candidates.at(index))
    return expected <= cost && (expected * 1e6) / Math.max(1, tokens) <= costPerMillion
  }

  /** Nothing waits there for an answer, so that one more call finds out how it is. */
  const mayExplore = (candidates: Candidates, index: number): boolean =>
    index !== -1 && tracker.of(candidates.at(index)).unanswered < 1

  const looksAgain = (candidates: Candidates): boolean => {
    const calls = (sinceLook.get(candidates.group) ?? 0) + 1
    const isDue = calls >= callsPerLook && mayExplore(candidates, old.index)
    sinceLook.set(candidates.group, isDue ? 0 : calls)
    return isDue
  }

  /** The fastest of those that cost what the one costs that was picked, so that they share the work. */
  const fastestOf = (candidates: Candidates): number => {
    const { index, score } = pick
    const others = new Set<string>()
    for (const [at, cost] of costs.entries()) {
      if (cost > score * sameCost || cost * sameCost < score) others.add(candidates.at(at).id)
    }
    if (others.size === candidates.size - 1) return index
    const chosen = fastest.select(without(candidates, others))
    return chosen === -1 ? index : chosen
  }

  const cheapest = (candidates: Candidates, goal: Goal): number => {
    const { now } = candidates
    pick.clear()
    old.clear()
    costs.length = 0
    survey(candidates)
    const bound = boundOf(goal)
    const brim = 1 - (1 - brimFrom) * random()
    for (let i = 0; i < candidates.size; i++) {
      const slot = candidates.at(i)
      const cost = costAt(candidates, i) ?? any
      costs.push(cost)
      const late = lateness(candidates, i, goal, bound)
      if (late === undefined ? mayExplore(candidates, i) : late <= brim) {
        if (pick.admits(cost) && candidates.isOpen(i)) pick.take(i, cost)
      } else if (late !== undefined && old.admits(cost)) {
        if (tracker.of(slot).wholes.age(now) >= lookAgainAfter && candidates.isOpen(i)) old.take(i, cost)
      }
    }
    const isWorthALook = old.index !== -1 && (pick.index === -1 || old.score < pick.score)
    if (isWorthALook && looksAgain(candidates)) return old.index
    return pick.index === -1 ? fastest.select(candidates) : fastestOf(candidates)
  }

  const leastCost = (candidates: Candidates): number => {
    pick.clear()
    for (let i = 0; i < candidates.size; i++) {
      const cost = costAt(candidates, i) ?? any
      if (pick.admits(cost) && candidates.isOpen(i)) pick.take(i, cost)
    }
    return pick.index
  }

  const affordable = (candidates: Candidates, goal: Goal): Candidates => {
    lengths.begin(candidates)
    const dear = new Set<string>()
    for (let i = 0; i < candidates.size; i++) {
      if (!isAffordable(candidates, i, goal)) dear.add(candidates.at(i).id)
    }
    return without(candidates, dear)
  }

  const goalFor = (group: string): Goal => goals.get(group) ?? standard

  return {
    name: "Objective",
    select: (candidates) => {
      const goal = goalFor(candidates.group)
      if (goal.minimize === "cost") return cheapest(candidates, goal)
      const index = fastest.select(affordable(candidates, goal))
      return index === -1 ? leastCost(candidates) : index
    },
    judge: (candidates): ReadonlyArray<Judgement> => {
      const goal = goalFor(candidates.group)
      survey(candidates)
      const bound = boundOf(goal)
      return expected.map((expectedTime, index) => {
        const late = goal.minimize === "cost" ? lateness(candidates, index, goal, bound) : undefined
        return {
          expectedTime,
          expectedCost: costAt(candidates, index),
          isWithin:
            goal.minimize === "latency"
              ? isAffordable(candidates, index, goal)
              : late === undefined
                ? undefined
                : late <= 1
        }
      })
    }
  }
}

/** Sends calls where the objective says. */
export const layerWith = (
  options: Options
): Layer.Layer<RoutingStrategy, ConfigError, PriceBook | LatencyTracker | DeploymentStats> =>
  Layer.fresh(
    Layer.effect(
      RoutingStrategy,
      Effect.gen(function* () {
        const valid = yield* Field.decode(Options, options, "objective")
        const deps = { tracker: yield* LatencyTracker, stats: yield* DeploymentStats, prices: yield* PriceBook }
        return make({ ...deps, random: yield* uniform }, valid)
      })
    )
  )

/** Sends calls to the cheapest deployment that is expected to answer in three times what the fastest takes. */
export const layer: Layer.Layer<RoutingStrategy, never, PriceBook | LatencyTracker | DeploymentStats> = Layer.fresh(
  Layer.orDie(layerWith({}))
)
