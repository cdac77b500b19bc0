/**
 * Tries a group again: at once where another deployment is open, after a backoff where only those are left that failed.
 * Bounded by attempts per group and per request, by a retry budget, and by the request's deadline. Streams need nothing of
 * their own here: below, they are primed, so a failure before the first content is an ordinary one.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import { type Uniform, uniform } from "@switchyard/core/Dice"
import * as Field from "@switchyard/core/Field"
import type { LlmError } from "@switchyard/core/LlmError"
import { inForce, type LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import { isUnknown, type Opening } from "@switchyard/core/Opening"
import * as Route from "@switchyard/core/Route"
import * as Service from "@switchyard/core/Service"
import { clockHere, nowMs, toMs } from "@switchyard/core/Time"
import { type Clock, type Context, Duration, Effect, Layer } from "effect"
import { type Events, RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents } from "../events/TowerEvents.js"
import * as Concern from "../stack/Concern.js"
import { Failures } from "./failures.js"
import { isOvertaken } from "./overtaken.js"
import { RetryBudget, RetryTokens } from "./RetryBudget.js"
import { defaults, Options, RetryPolicy } from "./retryOptions.js"
import { type RetrySchedule, Steps } from "./scheduled.js"

export { Options, RetryPolicy }

/** What the layer works with. */
export interface RetryDeps {
  readonly budget: Context.Tag.Service<RetryBudget>
  /** Jitter: uniform numbers in [0, 1). */
  readonly random: Uniform
  /** Where retries are published. Default: nowhere. */
  readonly events?: Events
  /**
   * How long the same deployment is left alone after each failure, in place of `baseDelay`, `factor` and `maxDelay`. When it
   * ends, so do the retries of the group. What a Retry-After says counts all the same, and so do all other bounds.
   */
  readonly schedule?: RetrySchedule | undefined
}

/** The most that chance adds to the wait for a Retry-After, as a share. */
const waitJitter = 0.2

/** Attempts in one group when nobody says otherwise. */
export const defaultAttempts = defaults.attempts

/** One request's tries in one group. */
interface Tries {
  readonly next: Service.RequestService
  readonly enter: Service.Run<LlmRequest>
  readonly region: Service.Region
  readonly request: LlmRequest
  readonly clock: Clock.Clock
  /** What the journal held when the group was entered: its length, and the attempts that count. */
  readonly from: number
  readonly spent: number
  made: number
  /** The latest error that came from a deployment. */
  upstream: LlmError | undefined
  /** Where nobody below says who is open, another deployment is asked for once, to find out; then it is known. */
  others: "unknown" | "asked" | "none"
  /** What stands in for the backoff, where there is a schedule. */
  readonly steps: Steps | undefined
}

/** What a provider says of waiting when the request is at fault is nothing that a caller could use. */
const isCallersFault = ({ deployment, reason, retryAfter }: LlmError): boolean =>
  retryAfter !== undefined && deployment !== undefined && reason !== "NoDeployment" && reason !== "BudgetExceeded"

/** A clock's timer may ring a little early; a deployment that is still closed then would end the request. */
const sleepUntil = (clock: Clock.Clock, at: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const left = at - nowMs(clock)
    return left <= 0
      ? Effect.void
      : Effect.zipRight(clock.sleep(Duration.millis(Math.max(0.001, left))), sleepUntil(clock, at))
  })

/** Where nobody below says who opens when, a refusal may tell: who failed may be asked again unless its status forbids it. */
const toldBy = ({ blocked = [], reason, retryAfter = Number.POSITIVE_INFINITY }: LlmError, now: number): Opening => {
  const isRefused = reason === "NoDeployment" && !blocked.some((block) => block.reason === "excluded")
  const opensAt = isRefused ? now + retryAfter : now
  return { deployment: undefined, opensAt, namedAt: opensAt }
}

/** The layer, from what it works with. */
export const make = (deps: RetryDeps, options: Options = {}): Service.RequestLayer => {
  const { budget, events, random, schedule } = deps
  const { attempts = defaults.attempts, factor = defaults.factor, groups = {}, retryPolicy = {} } = options
  const baseDelay = toMs(options.baseDelay ?? defaults.baseDelay)
  const maxDelay = toMs(options.maxDelay ?? defaults.maxDelay)
  const maxWait = toMs(options.maxRetryAfterWait ?? defaults.maxRetryAfterWait)

  /** Retries in a group before an error is known: what hedges may use up. */
  const retriesAtFirst = ({ model, overrides }: LlmRequest): number =>
    inForce(overrides, overrides.maxRetries, (groups[model]?.attempts ?? attempts) - 1)

  const retriesAfter = ({ request }: Tries, { latest }: Failures, { reason }: LlmError): number => {
    const group = groups[latest?.group ?? request.model] ?? groups[request.model]
    const configured =
      latest?.target.retryPolicy[reason] ??
      latest?.target.maxRetries ??
      group?.retryPolicy?.[reason] ??
      (group?.attempts === undefined ? undefined : group.attempts - 1) ??
      retryPolicy[reason] ??
      attempts - 1
    return inForce(request.overrides, request.overrides.maxRetries, configured)
  }

  /** The request for a try: below, hedges see no more attempts than the group has left. */
  const bounded = (request: LlmRequest, route: Route.Route, spent: number, retries: number): LlmRequest => {
    const attemptBudget = Math.min(route.attemptBudget, spent + route.reserved + 1 + retries)
    return attemptBudget === route.attemptBudget && route === request.route
      ? request
      : { ...request, route: { ...route, attemptBudget } }
  }

  /** Half of it is sure, so that a provider under pressure is never hammered. */
  const backoff = (retry: number): number => (0.5 + random() / 2) * Math.min(maxDelay, baseDelay * factor ** retry)

  /** Ms to wait for what opens in `opensIn` ms, where the provider named `namedIn`: callers don't come back all at once. */
  const spread = (opensIn: number, namedIn: number): number =>
    opensIn + random() * Math.max(0, namedIn * (1 + waitJitter) - opensIn)

  /** How long to wait, in ms, and the route then; undefined when nothing opens within the waits that are allowed. */
  const plan = (
    tries: Tries,
    failures: Failures,
    failure: LlmError,
    same: number,
    now: number
  ): { readonly wait: number; readonly route: Route.Route } | undefined => {
    const { route } = failures
    let wait = Number.POSITIVE_INFINITY
    let openings = tries.next.openings({ ...tries.request, route }, now)
    if (isUnknown(openings)) {
      if (tries.others === "unknown" && failures.latest !== undefined) {
        tries.others = "asked"
        return { wait: 0, route: failures.routeToOther() }
      }
      openings = [toldBy(failure, now)]
    }
    for (const { deployment, namedAt, opensAt } of openings) {
      const failed = deployment === undefined || route.avoided.includes(deployment)
      const held = failures.held(deployment)
      const opensIn = Math.max(opensAt, held) - now
      if (!failed && opensIn <= 0) return { wait: 0, route: failures.routeToOther() }
      const namedIn = Math.max(namedAt, held) - now
      if (namedIn > maxWait) continue
      const isNamed = namedAt < opensAt || held >= opensAt
      const least = failed ? Math.max(opensIn, same) : opensIn
      const by = isNamed ? Math.max(least, spread(opensIn, namedIn)) : least
      wait = Math.min(wait, now + by < route.deadline ? by : least)
    }
    return now + wait < route.deadline ? { wait, route: failures.routeAt(now + wait) } : undefined
  }

  /**
   * The error that the caller gets: its `retryAfter` is when this router would ask the group again, and not what a provider
   * said, which may be anything. Undefined when that is at once.
   */
  const told = (error: LlmError, failures: Failures, { next, request }: Tries, now: number): LlmError => {
    const openings = next.openings(request, now)
    if (isUnknown(openings)) return error
    let soonest = Number.POSITIVE_INFINITY
    for (const { deployment, opensAt } of openings) {
      soonest = Math.min(soonest, opensAt > now ? opensAt : failures.held(deployment))
    }
    const retryAfter = soonest > now && soonest < Number.POSITIVE_INFINITY ? soonest - now : undefined
    return retryAfter === error.retryAfter ? error : error.with({ retryAfter })
  }

  /** Sleeps until a deployment is open: while this one waited, others may have been told to wait longer. */
  const untilOpen = (tries: Tries, route: Route.Route, at: number, latest: number): Effect.Effect<void> =>
    Effect.flatMap(sleepUntil(tries.clock, at), () => {
      const now = nowMs(tries.clock)
      let next = Number.POSITIVE_INFINITY
      for (const { namedAt, opensAt } of tries.next.openings({ ...tries.request, route }, now)) {
        if (opensAt <= now) return Effect.void
        next = Math.min(next, now + spread(opensAt - now, namedAt - now))
      }
      return next <= latest && next < route.deadline ? untilOpen(tries, route, next, latest) : Effect.void
    })

  const afterFailure = (tries: Tries, failure: LlmError): Service.Call => {
    const { clock, from, request, spent } = tries
    const error = failure.reason === "NoDeployment" ? (tries.upstream ?? failure) : failure
    // A refusal by the router itself names no deployment: there is nothing that another one would do better.
    if (isOvertaken(request.route.journal, error)) return Effect.fail(error)
    const mustNot = request.overrides.makesOnce === true && !error.isUndone
    if (mustNot || error.retry === "never" || (error.reason === "Rejected" && error.deployment === undefined)) {
      return Effect.fail(isCallersFault(error) ? error.with({ retryAfter: undefined }) : error)
    }
    if (error.reason !== "Rejected") tries.upstream = error
    if (tries.others === "asked" && failure.reason === "NoDeployment") {
      tries.others = "none"
      tries.made--
    }
    const now = nowMs(clock)
    const failures = new Failures(request, from, error, now)
    const used = Math.max(tries.made, request.route.journal.spent - spent)
    const retries = retriesAfter(tries, failures, error)
    const isSpent = used > retries || Route.attemptsLeft(request.route) <= 0
    const { steps } = tries
    if (isSpent) return retry(tries, failure, error, failures, retries, undefined)
    return steps === undefined
      ? retry(tries, failure, error, failures, retries, backoff(used - 1))
      : Effect.flatMap(Service.waiting(tries.region, steps.next(error)), (same) =>
          retry(tries, failure, error, failures, retries, same)
        )
  }

  /** `same` is how long, in ms, the same deployment is left alone; undefined where nobody is to be asked again. */
  const retry = (
    tries: Tries,
    failure: LlmError,
    error: LlmError,
    failures: Failures,
    retries: number,
    same: number | undefined
  ): Service.Call => {
    const { clock, request, spent } = tries
    const now = nowMs(clock)
    const planned = same === undefined ? undefined : plan(tries, failures, failure, same, now)
    if (planned === undefined || now >= request.route.deadline || !budget.withdraw(now)) {
      return Effect.fail(told(error, failures, tries, now))
    }
    const { route, wait } = planned
    const { latest } = failures
    events?.publish(
      {
        _tag: "Retried",
        at: now,
        group: latest?.group ?? request.model,
        deployment: latest?.deployment ?? error.deployment,
        reason: error.reason,
        delay: wait
      },
      request
    )
    tries.made++
    const again = Effect.suspend(() => attempt(tries, bounded(request, route, spent, retries)))
    if (wait <= 0) return again
    const slept = untilOpen(tries, route, now + wait, now + wait + maxWait)
    return Effect.zipRight(Service.waiting(tries.region, slept), again)
  }

  const attempt = (tries: Tries, request: LlmRequest): Service.Call =>
    Service.recovered(tries.enter(request, tries.region), (error) => afterFailure(tries, error))

  return (next) => {
    const enter = Service.entry(next)
    return Service.requestWithin((request, region) => {
      const clock = clockHere()
      const { route } = request
      const spent = route.overtaking?.spent ?? route.journal.spent
      const from = route.journal.entries.length
      budget.deposit(nowMs(clock))
      return Service.recovered(enter(bounded(request, route, spent, retriesAtFirst(request)), region), (error) =>
        afterFailure(
          {
            next,
            enter,
            region,
            request,
            clock,
            from,
            spent,
            made: 1,
            upstream: undefined,
            others: "unknown",
            steps: schedule && new Steps(schedule, clock)
          },
          error
        )
      )
    }, next.openings)
  }
}

/**
 * Retries around the inner service. Belongs outside Hedge and the Balancer, inside Fallback. `schedule` is Effect's: its
 * delays in place of the three of the options, its end the end of the retries, within all that bounds them.
 *
 * @example
 * ```ts
 * import * as Retry from "@switchyard/router/Retry"
 * import { Schedule } from "effect"
 *
 * const layer = Retry.layerWith({ attempts: 5 }, Schedule.jittered(Schedule.exponential("200 millis")))
 * ```
 */
export const layerWith = (
  options: Options,
  schedule?: RetrySchedule
): Layer.Layer<LlmService, ConfigError, LlmService | RetryBudget> =>
  Service.wrap(
    LlmService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "retry")
      const budget = yield* RetryBudget
      return make({ budget, events: yield* RouterEvents, random: yield* uniform, schedule }, valid)
    })
  )

/** Retries around the inner service, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService | RetryBudget> = Layer.fresh(Layer.orDie(layerWith({})))

const asConcern = (schedule: RetrySchedule | undefined) =>
  Concern.request({
    name: "retry",
    about: "Tries again, on another deployment where there is one",
    options: Options,
    outside: { hedge: "a race is tried again as a whole" },
    state: [RetryTokens, TowerEvents],
    make: (options) =>
      Effect.gen(function* () {
        const deps = { budget: yield* RetryBudget, events: yield* RouterEvents, random: yield* uniform }
        return make({ ...deps, schedule }, options)
      })
  })

/** The layer as a concern of a stack. */
export class Retry extends asConcern(undefined) {}

/**
 * The same with an Effect `Schedule` in place of the backoff of its options.
 *
 * @example
 * ```ts
 * import * as Retry from "@switchyard/router/Retry"
 * import * as Router from "@switchyard/router/Router"
 * import { Schedule } from "effect"
 *
 * const stack = Router.standard.replace("retry", Retry.scheduled(Schedule.exponential("200 millis")))
 * ```
 */
export const scheduled = (schedule: RetrySchedule) => asConcern(schedule)
