import { type Attempt, isAttempt } from "@switchyard/core/Attempt"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as Route from "@switchyard/core/Route"
import type { Call, RequestService } from "@switchyard/core/Service"
import { nowMs } from "@switchyard/core/Time"
import { Cause, type Clock, Effect, Exit, type Fiber, FiberId, Option, Runtime } from "effect"
import { Timer, type Timers, timersOf } from "../time/timers.js"
import { unharmed } from "./unharmed.js"

/** How a race is run. */
export interface RaceOptions {
  readonly next: RequestService
  readonly clock: Clock.Clock
  /** Ms after which another attempt starts beside those that run. */
  readonly delay: number
  /** Attempts at most, the first included. */
  readonly attempts: number
  /** Whether one more attempt may start; it is asked with the request that it would send. */
  readonly allow: (request: LlmRequest, now: number) => boolean
  readonly onStarted: (now: number) => void
  readonly onWon: (deployment: string, now: number) => void
}

/** One of the attempts that run against each other. */
interface Leg {
  readonly number: number
  readonly request: LlmRequest
  fiber: Fiber.RuntimeFiber<LlmResponse, LlmError> | undefined
  exit: Exit.Exit<LlmResponse, LlmError> | undefined
}

/**
 * Of several failures, the one that says most about the request decides; of equals, the later. What ends a hedge for good
 * beside others that still run (`dropped`) ends only the hedge.
 */
const weight = (cause: Cause.Cause<LlmError>, dropped: boolean): number => {
  const failure = Cause.failureOption(cause)
  if (Option.isNone(failure)) return Cause.isInterruptedOnly(cause) ? 0 : 2
  if (failure.value.retry !== "never") return 3
  return dropped || failure.value.reason === "NoDeployment" ? 1 : 4
}

/** Whether a failure may be tried elsewhere; undefined when it is none of a call but a defect or an interruption. */
const isRetryable = (exit: Exit.Failure<LlmResponse, LlmError>): boolean | undefined => {
  const failure = Cause.failureOption(exit.cause)
  return Option.isSome(failure) ? failure.value.retry !== "never" : undefined
}

/** One request's attempts against each other. The first success wins; the race is over when every attempt has ended. */
export class Race extends Timer {
  private readonly timers: Timers
  private readonly legs: Array<Leg> = []
  private readonly from: number
  private running = 0
  private winner: Leg | undefined
  private stopped = false
  private failure: Cause.Cause<LlmError> | undefined
  private failureWeight = -1
  private whenOver: (() => void) | undefined

  constructor(
    private readonly runtime: Runtime.Runtime<never>,
    private readonly request: LlmRequest,
    private readonly options: RaceOptions
  ) {
    super()
    this.timers = timersOf(options.clock, runtime)
    this.from = request.route.journal.entries.length
  }

  /** Starts the first attempt. */
  start(): void {
    this.run(this.request.route)
    this.schedule(nowMs(this.options.clock))
  }

  /** Ends when every attempt has ended. */
  readonly over: Effect.Effect<void> = Effect.async((resume) => {
    if (this.running === 0) resume(Effect.void)
    else this.whenOver = () => resume(Effect.void)
  })

  /** The winner's answer or the failure that decides; what the others left behind is closed. */
  result(): Call {
    const { failure, winner } = this
    for (const leg of this.legs) if (leg !== winner) this.discard(leg)
    if (winner?.exit === undefined) return Effect.failCause(failure ?? Cause.empty)
    const deployment = this.deploymentOf(winner)
    if (winner !== this.legs[0] && deployment !== undefined) {
      this.options.onWon(deployment, nowMs(this.options.clock))
    }
    return winner.exit
  }

  /** The caller leaves: ends every attempt, and gives back what they got. */
  readonly abandon: Effect.Effect<void> = Effect.suspend(() => {
    this.stopped = true
    this.timers.remove(this)
    this.interruptAll()
    return Effect.map(this.over, () => {
      for (const leg of this.legs) this.discard(leg)
    })
  })

  override fire(now: number): void {
    this.hedge(now)
  }

  private schedule(now: number): void {
    if (this.running > 0 && this.winner === undefined && this.legs.length < this.options.attempts) {
      this.timers.set(this, now + this.options.delay)
    } else {
      this.timers.remove(this)
    }
  }

  private hedge(now: number): void {
    if (this.legs.length >= this.options.attempts) return
    const { entries } = this.request.route.journal
    let { route } = this.request
    for (let i = this.from; i < entries.length; i++) {
      const entry = entries[i]
      if (entry !== undefined && !entry.rejected) route = Route.exclude(route, entry.deployment)
    }
    const { allow, onStarted } = this.options
    const isAllowed = this.unharmed(() => allow({ ...this.request, route }, now), false)
    if (!isAllowed) return
    this.unharmed(() => onStarted(now), undefined)
    this.run(route)
    this.schedule(now)
  }

  private unharmed<A>(run: () => A, otherwise: A): A {
    return unharmed(this.runtime, this.request, run, otherwise)
  }

  private run(route: Route.Route): void {
    const { leg: number, route: own } = Route.onLeg(route)
    const leg: Leg = { number, request: { ...this.request, route: own }, fiber: undefined, exit: undefined }
    this.legs.push(leg)
    this.running++
    leg.fiber = Runtime.runFork(this.runtime)(
      Effect.interruptible(Effect.suspend(() => this.options.next.call(leg.request)))
    )
    leg.fiber.addObserver((exit) => this.ended(leg, exit))
    if (this.winner !== undefined || this.stopped) this.interruptAll()
  }

  private ended(leg: Leg, exit: Exit.Exit<LlmResponse, LlmError>): void {
    leg.exit = exit
    this.running--
    if (this.winner === undefined && !this.stopped) {
      if (Exit.isSuccess(exit)) {
        this.winner = leg
        this.interruptAll()
      } else {
        this.failed(leg, exit)
      }
    }
    if (this.running > 0) return
    this.timers.remove(this)
    this.whenOver?.()
  }

  private failed(leg: Leg, exit: Exit.Failure<LlmResponse, LlmError>): void {
    const retryable = isRetryable(exit)
    if (retryable === false && leg === this.legs[0]) {
      // It was the request that failed, and not the deployment: no other answer is worth waiting for.
      this.failure = exit.cause
      this.stopped = true
      return this.interruptAll()
    }
    const weighs = weight(exit.cause, this.running > 0)
    if (weighs >= this.failureWeight) {
      this.failure = exit.cause
      this.failureWeight = weighs
    }
    if (retryable === true) this.hedge(nowMs(this.options.clock))
  }

  private interruptAll(): void {
    for (const leg of this.legs) if (leg.exit === undefined) leg.fiber?.unsafeInterruptAsFork(FiberId.none)
  }

  /** A success that came too late, or that got lost on its way here, has a stream that nobody reads. */
  private discard(leg: Leg): void {
    const { exit } = leg
    if (exit !== undefined && Exit.isSuccess(exit) && exit.value._tag === "Streaming") exit.value.events.close()
    this.eachAttempt(leg, (attempt) => attempt.release())
  }

  private deploymentOf(leg: Leg): string | undefined {
    let deployment: string | undefined
    this.eachAttempt(leg, (attempt) => {
      deployment = attempt.deployment
    })
    return deployment
  }

  private eachAttempt(leg: Leg, f: (attempt: Attempt) => void): void {
    const { entries } = this.request.route.journal
    for (let i = this.from; i < entries.length; i++) {
      const entry = entries[i]
      if (isAttempt(entry) && entry.request.route.legs?.includes(leg.number) === true) f(entry)
    }
  }
}
