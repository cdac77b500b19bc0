/**
 * Lets callers wait for room instead of failing while a group is full: a bounded queue per group, better priorities first,
 * first come first served within one. Who waits ages, so that nobody starves behind better priorities. Optional; it stands
 * directly outside the Balancer.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import type { Opening } from "@switchyard/core/Opening"
import * as Service from "@switchyard/core/Service"
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Clock, Context, Duration, Effect, Layer, Option, Scope } from "effect"
import { ConcurrencyLimits, Learned } from "../concurrency/ConcurrencyLimits.js"
import { DeploymentUsage, UsageWindows } from "../limits/UsageWindows.js"
import { DeploymentRegistry, Registry } from "../registry/DeploymentRegistry.js"
import * as Concern from "../stack/Concern.js"
import * as State from "../stack/State.js"
import { explained, isFull, mayClear, turnOf, Waiter } from "./waitingLine.js"
import { WaitingRoom } from "./waitingRoom.js"

/** Options of the layer. */
export const Options = Field.options(
  "Lets callers wait for room instead of failing while a group is full. On by itself beside `adaptiveConcurrency`, for 1,000 requests, 15 seconds, and half a second in an overload; `false` leaves it out.",
  {
    /** Requests that may wait in one group; one more fails at once. Default 100. */
    maxQueue: Field.option(Field.count, "Requests that may wait in one group; one more fails at once.", 100),
    /** How long one may wait, the request's deadline aside. Default 30 seconds. */
    maxWait: Field.option(Field.duration, "How long one may wait, the request's deadline aside.", 30_000),
    /**
     * How long one may wait who could fall back to another group, and everybody once somebody has waited at every moment for
     * as long as `maxWait`, until nobody has had to leave for as long: a line that stands for so long is no burst but an
     * overload, in which all who are served would have waited for the longest time. Default: a tenth of `maxWait`.
     */
    overloadWait: Field.option(
      Field.duration,
      "How long one may wait who could fall back to another group, and everybody once somebody has waited at every moment for as long as `maxWait`, until nobody has had to leave for as long: a line that stands for so long is no burst but an overload, in which all who are served would have waited for the longest time. Default: a tenth of `maxWait`."
    )
  }
)
/** Options of the layer. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/**
 * Beside learned limits, which know of a burst as little as of a deployment that wakes up: what does not fit waits for as long as
 * such things last. No count bounds the line, since time does.
 */
const besideLearnedLimits: Options = { maxQueue: 1000, maxWait: 15_000, overloadWait: 500 }

/** What is left of the longest wait in an overload, where nobody says what. */
const overloadShare = 10

/** What the layer works with. */
export interface AdmissionQueueDeps {
  readonly registry: Pick<Context.Tag.Service<DeploymentRegistry>, "resolve" | "version">
  readonly windows: Pick<Context.Tag.Service<UsageWindows>, "onAdmit" | "onRelease">
  /** Learned limits, whose room is waited for as well. Default: there are none. */
  readonly concurrency?: Pick<Context.Tag.Service<ConcurrencyLimits>, "onRelease"> | undefined
  /** Where the lines stand: layers that share a room, over the same registry and windows, share its lines. Default: its own. */
  readonly room?: WaitingRoom
  /** When it closes, those who still wait for this layer give up, and nobody listens for them any more. Default: never. */
  readonly scope?: Scope.Scope
}

export type { WaitingRoom }

/** An empty room, for layers that follow each other over the same registry and windows. */
export const room = (deps: Pick<AdmissionQueueDeps, "registry" | "windows" | "concurrency">): WaitingRoom =>
  new WaitingRoom(deps.registry, deps.windows, deps.concurrency)

const priorityOf = (request: LlmRequest): number => {
  const { priority } = request.overrides
  return priority === undefined || Number.isNaN(priority) ? 0 : priority
}

/** The request with deployments left to those who wait for them. */
const leaving = (request: LlmRequest, spokenFor: LlmRequest["route"]["excluded"]): LlmRequest => ({
  ...request,
  route: { ...request.route, excluded: [...request.route.excluded, ...spokenFor], lastResort: false }
})

const nobody: ReadonlyArray<never> = []

const later = (opening: Opening): Opening => ({
  ...opening,
  opensAt: Number.POSITIVE_INFINITY,
  namedAt: Number.POSITIVE_INFINITY
})

/**
 * The layer. A place that a call gives back, or that time frees, goes to the first in line that waits for that
 * deployment; it has the turn until it is admitted or refused, and then the turn goes on. Newcomers leave the deployments
 * that others wait for alone.
 */
export const make = (deps: AdmissionQueueDeps, options: Options = {}): Service.RequestLayer => {
  const { registry, windows } = deps
  const maxQueue = options.maxQueue ?? defaults.maxQueue
  const maxWait = toMs(options.maxWait ?? defaults.maxWait)
  const overloadWait = options.overloadWait === undefined ? maxWait / overloadShare : toMs(options.overloadWait)
  const room = deps.room ?? new WaitingRoom(registry, windows, deps.concurrency)
  const turnAt = (request: LlmRequest, now: number): number => turnOf(priorityOf(request), now, maxWait)
  const host = {}
  if (deps.scope !== undefined)
    Effect.runSync(
      Scope.addFinalizer(
        deps.scope,
        Effect.sync(() => room.dismiss(host))
      )
    )

  /**
   * Sleeps for `ms`, or until the turn comes. The alarm is a fiber of its own: `Effect.raceFirst` may hang for ever when
   * its fiber yields and is interrupted at the wrong operation.
   */
  const sleepUntilTurn = (waiter: Waiter, ms: number, clock: Clock.Clock): Effect.Effect<void> =>
    Effect.suspend(() => {
      let hasRung = false
      const ring = Effect.sync(() => {
        hasRung = true
        waiter.wake?.()
      })
      return Effect.acquireUseRelease(
        Effect.forkDaemon(
          Effect.interruptible(Effect.zipRight(clock.sleep(Duration.millis(Math.max(1, Math.ceil(ms)))), ring))
        ),
        () =>
          Effect.async<void>((resume) => {
            if (hasRung || waiter.hasTurn) return resume(Effect.void)
            waiter.wake = () => resume(Effect.void)
          }),
        (alarm) =>
          Effect.sync(() => {
            waiter.wake = undefined
            alarm.unsafeInterruptAsFork(alarm.id())
          })
      )
    })

  return (next) => {
    /** Calls, and leaves alone what those wait for who stand before this turn and arrival. */
    const callAfterOthers = (request: LlmRequest, turn: number, number: number): Service.Call => {
      const spokenFor = room.spokenFor(request, turn, number)
      return next.call(spokenFor.length === 0 ? request : leaving(request, spokenFor))
    }

    const ask = (waiter: Waiter, clock: Clock.Clock): Service.Call => {
      room.lineUp(waiter)
      waiter.isOfferedMore = false
      return Effect.catchAll(callAfterOthers(waiter.request, waiter.turn, waiter.number), (error): Service.Call => {
        if (!isFull(error, waiter.request)) return Effect.fail(error)
        room.refused(waiter, error, nowMs(clock))
        return stand(waiter, clock)
      })
    }

    const stand = (waiter: Waiter, clock: Clock.Clock): Service.Call =>
      Effect.suspend(() => {
        const now = nowMs(clock)
        const { deadline, lastResort } = waiter.request.route
        // Who could fall back left early, and says nothing of how long a line stands.
        if (now >= waiter.deadline && waiter.deadline < deadline && lastResort) room.turnedAway(waiter, now)
        if (now >= waiter.deadline || waiter.isDismissed) return Effect.fail(tooLate(waiter, now))
        if (waiter.hasTurn) return ask(waiter, clock)
        if (now >= waiter.until) {
          // Whoever is first in line asks; where that is somebody else, its turn will end with this one's.
          waiter.until = Number.POSITIVE_INFINITY
          room.passOn(room.lineUp(waiter), waiter)
          return stand(waiter, clock)
        }
        return Effect.zipRight(
          sleepUntilTurn(waiter, Math.min(waiter.until, waiter.deadline) - now, clock),
          stand(waiter, clock)
        )
      })

    const tooLate = (waiter: Waiter, now: number): LlmError =>
      explained(
        waiter.error,
        waiter.request,
        `no room came in ${Math.round(now - waiter.enteredAt)} ms of waiting`,
        now - waiter.askedAt
      )

    const enter = (
      group: string,
      request: LlmRequest,
      number: number,
      error: LlmError,
      now: number
    ): Effect.Effect<Waiter, LlmError> => {
      if (room.sizeOf(group) >= maxQueue) {
        return Effect.fail(explained(error, request, `${maxQueue} requests wait already`, 0))
      }
      // Where a fallback is left nothing is gained by a long wait.
      const longest = request.route.lastResort ? room.patience(group, now, maxWait, overloadWait) : overloadWait
      const patience = Math.min(maxWait, longest)
      const deadline = Math.min(now + patience, request.route.deadline)
      const waiter = new Waiter(request, group, turnAt(request, now), number, now, deadline, error, host)
      room.enter(waiter)
      return Effect.succeed(waiter)
    }

    const waitAfter = (request: LlmRequest, number: number, error: LlmError): Service.Call => {
      const group = isFull(error, request) ? registry.resolve(request.model)?.group.name : undefined
      if (group === undefined) return Effect.fail(error)
      return Effect.clockWith((clock) => {
        const now = nowMs(clock)
        return mayClear(error, request, Math.min(maxWait, request.route.deadline - now))
          ? Effect.acquireUseRelease(
              Effect.suspend(() => enter(group, request, number, error, now)),
              (waiter) => stand(waiter, clock),
              (waiter) => Effect.sync(() => room.leave(waiter))
            )
          : Effect.fail(error)
      })
    }

    /** What is kept for those who wait opens once they have had it, and nobody knows when. */
    const openings = (request: LlmRequest, now: number): ReadonlyArray<Opening> => {
      const spokenFor = room.isEmpty ? nobody : room.spokenFor(request, turnAt(request, now), Number.POSITIVE_INFINITY)
      if (spokenFor.length === 0) return next.openings(request, now)
      const isKept = ({ deployment }: Opening): boolean => deployment !== undefined && spokenFor.includes(deployment)
      const kept = next.openings(request, now).filter(isKept)
      return [...next.openings(leaving(request, spokenFor), now), ...kept.map(later)]
    }

    return Service.request(
      (request) =>
        Effect.suspend(() => {
          const number = room.arrive()
          const call = room.isEmpty
            ? next.call(request)
            : Effect.clockWith((clock) => callAfterOthers(request, turnAt(request, nowMs(clock)), number))
          return Effect.catchAll(call, (error) => waitAfter(request, number, error))
        }),
      openings
    )
  }
}

/** Lets requests wait for room in front of the Balancer. */
export const layerWith = (
  options: Options
): Layer.Layer<LlmService, ConfigError, LlmService | DeploymentRegistry | UsageWindows> =>
  Layer.fresh(
    Layer.scoped(
      LlmService,
      Effect.gen(function* () {
        const valid = yield* Field.decode(Options, options, "admissionQueue")
        const concurrency = Option.getOrUndefined(yield* Effect.serviceOption(ConcurrencyLimits))
        const [registry, windows, scope] = [yield* DeploymentRegistry, yield* UsageWindows, yield* Effect.scope]
        return make({ registry, windows, concurrency, scope }, valid)(yield* LlmService)
      })
    )
  )

/** Lets requests wait for room in front of the Balancer, with the defaults. */
export const layer: Layer.Layer<LlmService, never, LlmService | DeploymentRegistry | UsageWindows> = Layer.fresh(
  Layer.orDie(layerWith({}))
)

/** Where requests of a tower wait. */
export class QueueRoom extends Context.Tag("@switchyard/router/QueueRoom")<QueueRoom, WaitingRoom>() {}

/** Who waits for room, and for which deployments. */
export class Waiting extends State.make({
  name: "waiting",
  tag: QueueRoom,
  needs: [Registry, DeploymentUsage, Learned],
  layer: () =>
    Layer.effect(
      QueueRoom,
      Effect.gen(function* () {
        const [registry, windows] = [yield* DeploymentRegistry, yield* UsageWindows]
        return room({ registry, windows, concurrency: yield* ConcurrencyLimits })
      })
    ),
  update: (waiting) => Effect.sync(() => waiting.noticeReload())
}) {}

/** The layer as a concern of a stack. */
export class AdmissionQueue extends Concern.request({
  name: "queue",
  about: "Lets requests wait for room, in the order of their priority",
  on: false,
  impliedBy: { adaptiveConcurrency: besideLearnedLimits },
  options: Options,
  inside: {
    hedge: "what waits is not slow",
    retry: "a request keeps its place while it waits"
  },
  state: [Waiting, Registry, DeploymentUsage],
  make: (options) =>
    Effect.gen(function* () {
      const registry = yield* DeploymentRegistry
      return make(
        { registry, windows: yield* UsageWindows, room: yield* QueueRoom, scope: yield* Effect.scope },
        options
      )
    })
}) {}
