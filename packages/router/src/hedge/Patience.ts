/**
 * How long a call that does not stream is waited for alone. A slow one is not ended, because nobody knows how long a whole
 * answer takes: what comes next is asked beside it, another deployment or the next fallback, and the first answer wins.
 * Where there is nowhere to go it is waited for up to the request's deadline.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { Journal } from "@switchyard/core/Journal"
import { LlmError } from "@switchyard/core/LlmError"
import { type LlmRequest, maxOutputTokens } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import { openAi } from "@switchyard/core/OpenAi"
import * as Reasoning from "@switchyard/core/Reasoning"
import * as Route from "@switchyard/core/Route"
import * as Service from "@switchyard/core/Service"
import { clockOf, fiberHere, nowMs, toMs } from "@switchyard/core/Time"
import { type Context, Effect, Layer } from "effect"
import { type Events, RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents } from "../events/TowerEvents.js"
import { RetryBudget, RetryTokens } from "../retry/RetryBudget.js"
import * as Concern from "../stack/Concern.js"
import { Overtaking, type OvertakingRules } from "./overtaking.js"

/** Options of the layer: when an attempt is slow. At the latest at half of what the deadline left it. Infinite means never. */
export const Options = Field.options("When others are asked beside a slow call that does not stream.", {
  /** An answer without a bound on its output, and any embedding. Default 60 seconds. */
  slow: Field.option(Field.duration, "An answer without a bound on its output, and any embedding.", 60_000),
  /** Added to `slow` per 1,000 tokens of the output's bound. Default 25 seconds. */
  slowPerThousand: Field.option(
    Field.durationOrZero,
    "Added to `slow` per 1,000 tokens of the output's bound.",
    25_000
  ),
  /** When the request or the model reasons, or the service tier is `flex`. Default 180 seconds, or `slow` where that is longer. */
  slowReasoning: Field.option(
    Field.duration,
    "When the request or the model reasons, or the service tier is `flex`. Default 180 seconds, or `slow` where that is longer.",
    180_000
  )
})
/** Options of the layer. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/** What the layer works with. */
export interface PatienceDeps {
  /** Pays for what is asked beside in the same group; fallbacks are free. */
  readonly budget: Context.Tag.Service<RetryBudget>
  /** Where it is published that another attempt starts beside a slow one. Default: nowhere. */
  readonly events?: Pick<Events, "publish">
}

/** Deployments that were asked already, whatever came of it. */
const asked = ({ entries }: Journal, route: Route.Route): Route.Route =>
  entries.reduce((left, entry) => (entry.rejected ? left : Route.exclude(left, entry.deployment)), route)

const tooSlow = (attempt: Attempt): LlmError =>
  new LlmError({
    reason: "Timeout",
    phase: "total",
    bound: "request",
    description: "the attempt is slow, and others are asked beside it",
    code: "slow",
    deployment: attempt.deployment,
    provider: attempt.provider
  })

/** What the group that the caller asked for failed with, and so led to the fallback that is slow now. */
const failureOf = ({ entries, fallbacks, requestedGroup }: Journal): LlmError | undefined => {
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i]
    if (entry?.outcome?._tag !== "Failed" || entry.group !== requestedGroup) continue
    const { error } = entry.outcome
    if (error.fallback === fallbacks[0]?.kind) return error
  }
  return undefined
}

/** The layer, from what it works with. */
export const make = (deps: PatienceDeps, options: Options = {}): Service.RequestLayer => {
  const { budget, events } = deps
  const slow = toMs(options.slow ?? defaults.slow)
  const perToken = toMs(options.slowPerThousand ?? defaults.slowPerThousand) / 1000
  const slowReasoning = toMs(options.slowReasoning ?? Math.max(defaults.slowReasoning, slow))
  const soonest = Math.min(slow, slowReasoning)

  const outputBound = ({ request, target }: Attempt): number =>
    maxOutputTokens(request) ?? openAi.request.maxOutputTokens(target.defaults) ?? 0

  const slowAfter = (attempt: Attempt): number => {
    const { operation, route } = attempt.request
    const isSlowToSpeak = operation !== "embeddings" && (Reasoning.isExpected(attempt) || Reasoning.isFlex(attempt))
    const known = isSlowToSpeak ? slowReasoning : slow + outputBound(attempt) * perToken
    return Math.min(known, (route.deadline - attempt.startedAt) / 2)
  }

  /** Where the walk goes on: in the same group while another deployment is open and may be asked, else over its fallbacks. */
  const onward = (
    { next, request, spent }: Overtaking,
    attempts: ReadonlyArray<Attempt>,
    now: number
  ): LlmRequest | undefined => {
    const isOpen = (asking: LlmRequest): boolean => next.openings(asking, now).some(({ opensAt }) => opensAt <= now)
    const latest = attempts[attempts.length - 1]
    const { journal } = request.route
    if (latest === undefined || Route.attemptsLeft(request.route) <= 0 || now >= request.route.deadline)
      return undefined
    const route = asked(journal, request.route)
    const inGroup = latest.request
    const hasSibling =
      Route.attemptsLeft(inGroup.route) > 0 &&
      isOpen({ ...inGroup, route: asked(journal, inGroup.route) }) &&
      budget.withdraw(now)
    if (!hasSibling && inGroup.route.lastResort) return undefined
    const hops = journal.fallbacks
    if (hops.length === 0 && hasSibling) return { ...request, route: { ...route, overtaking: { spent } } }
    const closed = hops.map(({ to }) => to).filter((to) => !isOpen({ ...request, model: to, route }))
    const error = (hops.length === 0 ? undefined : failureOf(journal)) ?? tooSlow(latest)
    const visited = [...route.visited, ...closed]
    return { ...request, route: { ...route, visited, overtaking: { spent, error } } }
  }

  const rules: OvertakingRules = {
    slowAfter,
    onward,
    onStarted: ({ request }, { deployment }, at) =>
      events?.publish({ _tag: "HedgeStarted", at, group: request.model, deployment }, request),
    onWon: ({ request }, at) => {
      const deployment = request.route.journal.answered?.deployment
      if (deployment !== undefined) {
        events?.publish({ _tag: "HedgeWon", at, group: request.model, deployment }, request)
      }
    }
  }

  return (next) => {
    const enter = Service.entry(next)
    return Service.requestWithin((request, region) => {
      if (request.stream || soonest === Number.POSITIVE_INFINITY) return enter(request, region)
      const caller = fiberHere()
      const clock = clockOf(caller)
      const now = nowMs(clock)
      const due = now + Math.min(soonest, (request.route.deadline - now) / 2)
      const overtaking = new Overtaking(rules, next, request, clock, caller)
      return overtaking.run(enter, region, due)
    }, next.openings)
  }
}

/** Asks others beside slow calls of the inner service. Belongs directly outside Fallback; below, a Timeouts layer must be. */
export const layerWith = (options: Options): Layer.Layer<LlmService, ConfigError, LlmService | RetryBudget> =>
  Service.wrap(
    LlmService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "patience")
      const budget = yield* RetryBudget
      return make({ budget, events: yield* RouterEvents }, valid)
    })
  )

/** Asks others beside slow calls of the inner service, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService | RetryBudget> = Layer.fresh(Layer.orDie(layerWith({})))

/** The layer as a concern of a stack. */
export class Patience extends Concern.request({
  name: "patience",
  about: "Asks others beside a slow call that does not stream",
  options: Options,
  outside: { fallback: "others are those that a fallback would ask" },
  state: [RetryTokens, TowerEvents],
  make: (options) =>
    Effect.gen(function* () {
      return make({ budget: yield* RetryBudget, events: yield* RouterEvents }, options)
    })
}) {}
