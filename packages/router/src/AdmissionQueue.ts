/**
 * Lets callers wait for room instead of failing while a group is full: a bounded queue per group, strict in priority,
 * first come first served within one. Optional; it stands directly outside the Balancer.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import type { Journal } from "@switchyard/core/Journal"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { LlmService } from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import type { Slot } from "@switchyard/core/Slot"
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Clock, type Context, Duration, Effect, type Layer, Schema } from "effect"
import { DeploymentRegistry } from "./DeploymentRegistry.js"
import { explained, isFull, mayClear, Waiter, WaitingLine } from "./internal/waitingLine.js"
import { UsageWindows } from "./UsageWindows.js"

/** Options of the layer. */
export const Options = Schema.Struct({
  /** Requests that may wait in one group; one more fails at once. Default 100. */
  maxQueue: Schema.optional(Field.count),
  /** How long one may wait, the request's deadline aside. Default 30 seconds. */
  maxWait: Schema.optional(Field.duration)
})
/** Options of the layer. */
export type Options = typeof Options.Type

/** What the layer works with. */
export interface AdmissionQueueDeps {
  readonly registry: Pick<Context.Tag.Service<DeploymentRegistry>, "resolve" | "version">
  readonly windows: Pick<Context.Tag.Service<UsageWindows>, "onAdmit" | "onRelease">
}

const priorityOf = (request: LlmRequest): number => {
  const { priority } = request.overrides
  return priority === undefined || Number.isNaN(priority) ? 0 : priority
}

/** The request with deployments left to those who wait for them. */
const leaving = (request: LlmRequest, spokenFor: LlmRequest["route"]["excluded"]): LlmRequest => ({
  ...request,
  route: { ...request.route, excluded: [...request.route.excluded, ...spokenFor], lastResort: false }
})

/**
 * The layer. A place that a call gives back, or that time frees, goes to the first in line that waits for that
 * deployment; it has the turn until it is admitted or refused, and then the turn goes on. Newcomers leave the deployments
 * that others wait for alone.
 */
export const make = (deps: AdmissionQueueDeps, options: Options = {}): Service.RequestLayer => {
  const { registry, windows } = deps
  const maxQueue = options.maxQueue ?? 100
  const maxWait = toMs(options.maxWait ?? "30 seconds")
  const lines = new Map<string, WaitingLine>()
  let arrivals = 0
  let version = registry.version()
  let unsubscribe = () => {}

  /** A place on the deployment may be free: the first who waits for it asks, or asks again. */
  const offer = (line: WaitingLine, deployment: string): void =>
    line.firstFor(deployment, registry.version())?.giveTurn()

  const slotsFor = (request: LlmRequest): ReadonlyArray<Slot> =>
    registry.resolve(request.model)?.group.tiers.flat() ?? []

  /** What it keeps newcomers and others behind it from: everything, until it has asked after a reload. */
  const claimOf = (waiter: Waiter): ReadonlySet<string> =>
    waiter.version === registry.version()
      ? waiter.awaited
      : new Set([...waiter.awaited, ...slotsFor(waiter.request).map((slot) => slot.id)])

  /** Its turn is over: whatever it waited for may be somebody else's now. */
  const passOn = (line: WaitingLine, waiter: Waiter): void => {
    for (const deployment of claimOf(waiter)) offer(line, deployment)
  }

  const takeOut = (waiter: Waiter): WaitingLine | undefined => {
    const line = lines.get(waiter.group)
    if (line === undefined || !waiter.isInLine) return undefined
    line.remove(waiter)
    if (line.size === 0) {
      lines.delete(waiter.group)
      if (lines.size === 0) unsubscribe()
    }
    return line
  }

  /** After a reload, everyone finds out what it has changed for them, first in line first. */
  const noticeReload = (): void => {
    if (version === registry.version()) return
    version = registry.version()
    for (const line of lines.values()) for (const waiter of line.all) waiter.giveTurn()
  }

  const onAdmit = (slot: Slot, _: number, journal: Journal | undefined): void => {
    const waiter = lines.get(slot.deployment.group)?.askingFor(journal)
    const line = waiter === undefined ? undefined : takeOut(waiter)
    if (line === undefined || waiter === undefined) return
    passOn(line, waiter)
    if (waiter.awaited.has(slot.id)) return
    // Room came up where nobody expected it: there may be more.
    offer(line, slot.id)
    line.all[0]?.giveTurn()
  }

  const onRelease = (slot: Slot): void => {
    const line = lines.get(slot.deployment.group)
    if (line !== undefined) offer(line, slot.id)
  }

  const lineOf = (group: string): WaitingLine => {
    const known = lines.get(group)
    if (known !== undefined) return known
    if (lines.size === 0) {
      version = registry.version()
      const stops = [windows.onAdmit(onAdmit), windows.onRelease(onRelease)]
      unsubscribe = () => {
        for (const stop of stops) stop()
      }
    }
    const made = new WaitingLine()
    lines.set(group, made)
    return made
  }

  /** Puts it into its group's line, unless it stands there; a reload may have made it another group's. */
  const lineUp = (waiter: Waiter): WaitingLine => {
    const group = registry.resolve(waiter.request.model)?.group.name ?? waiter.group
    if (group !== waiter.group) takeOut(waiter)
    waiter.group = group
    const line = lineOf(group)
    if (!waiter.isInLine) line.insert(waiter)
    return line
  }

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
        Effect.forkDaemon(Effect.zipRight(clock.sleep(Duration.millis(Math.max(1, Math.ceil(ms)))), ring)),
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
    /** Calls, and leaves alone what those wait for who stand before this priority and arrival. */
    const callAfterOthers = (request: LlmRequest, number: number): Service.Call => {
      const group = lines.size === 0 ? undefined : registry.resolve(request.model)?.group.name
      const line = group === undefined ? undefined : lines.get(group)
      if (line === undefined) return next.call(request)
      const spokenFor = line.spokenFor(slotsFor(request), priorityOf(request), number, registry.version())
      return next.call(spokenFor.length === 0 ? request : leaving(request, spokenFor))
    }

    const ask = (waiter: Waiter, clock: Clock.Clock): Service.Call => {
      lineUp(waiter)
      waiter.isOfferedMore = false
      return Effect.catchAll(callAfterOthers(waiter.request, waiter.number), (error): Service.Call => {
        if (!isFull(error, waiter.request)) return Effect.fail(error)
        const line = lineUp(waiter)
        const before = claimOf(waiter)
        waiter.refused(error, registry.version(), nowMs(clock))
        waiter.hasTurn = waiter.isOfferedMore
        for (const deployment of before) if (!waiter.awaited.has(deployment)) offer(line, deployment)
        return stand(waiter, clock)
      })
    }

    const stand = (waiter: Waiter, clock: Clock.Clock): Service.Call =>
      Effect.suspend(() => {
        const now = nowMs(clock)
        if (now >= waiter.deadline) return Effect.fail(tooLate(waiter, now))
        if (waiter.hasTurn) return ask(waiter, clock)
        if (now >= waiter.until) {
          // Whoever is first in line asks; where that is somebody else, its turn will end with this one's.
          waiter.until = Number.POSITIVE_INFINITY
          passOn(lineUp(waiter), waiter)
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
      if ((lines.get(group)?.size ?? 0) >= maxQueue) {
        return Effect.fail(explained(error, request, `${maxQueue} requests wait already`, 0))
      }
      const deadline = Math.min(now + maxWait, request.route.deadline)
      const waiter = new Waiter(request, group, priorityOf(request), number, now, deadline, error)
      waiter.refused(error, registry.version(), now)
      const line = lineUp(waiter)
      // Where it is first it asks once more: room that came up before it stood there was told to nobody.
      for (const id of waiter.awaited) if (line.firstFor(id, registry.version()) === waiter) waiter.hasTurn = true
      return Effect.succeed(waiter)
    }

    const leave = (waiter: Waiter): void => {
      const line = takeOut(waiter)
      if (line !== undefined) passOn(line, waiter)
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
              (waiter) => Effect.sync(() => leave(waiter))
            )
          : Effect.fail(error)
      })
    }

    return Service.request((request) =>
      Effect.suspend(() => {
        const number = arrivals++
        if (lines.size > 0) noticeReload()
        return Effect.catchAll(callAfterOthers(request, number), (error) => waitAfter(request, number, error))
      })
    )
  }
}

/** Lets requests wait for room in front of the Balancer. */
export const layer = (
  options: Options = {}
): Layer.Layer<LlmService, ConfigError, LlmService | DeploymentRegistry | UsageWindows> =>
  Service.wrap(
    LlmService,
    Effect.gen(function* () {
      const valid = yield* Field.decode(Options, options, "admissionQueue")
      return make({ registry: yield* DeploymentRegistry, windows: yield* UsageWindows }, valid)
    })
  )
