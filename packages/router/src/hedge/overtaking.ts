import { type Attempt, isAttempt } from "@switchyard/core/Attempt"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import { type Call, type Region, type RequestService, type Run, waiting } from "@switchyard/core/Service"
import { nowMs } from "@switchyard/core/Time"
import { Cause, type Clock, type Context, Effect, Exit, type Fiber, FiberId, Option, Runtime } from "effect"
import { slowOnes } from "../retry/overtaken.js"
import { isDue, Timer, type Timers, timersFor } from "../time/timers.js"
import { unharmed } from "./unharmed.js"

/** How plain calls are overtaken; one for all calls of a layer. */
export interface OvertakingRules {
  /** Ms after its start at which an attempt is slow. */
  readonly slowAfter: (attempt: Attempt) => number
  /** The request for what comes next in place of the slow attempts; undefined when there is nowhere to go now. */
  readonly onward: (call: Overtaking, slow: ReadonlyArray<Attempt>, now: number) => LlmRequest | undefined
  readonly onStarted: (call: Overtaking, slow: Attempt, now: number) => void
  readonly onWon: (call: Overtaking, now: number) => void
}

/** How often it is looked again whether there is somewhere to go, in ms. */
const lookAgain = 2_000

type Running = Fiber.RuntimeFiber<LlmResponse, LlmError>

/** Whether a failure ends the request wherever it is met. */
const isFinal = (cause: Cause.Cause<LlmError>): boolean => {
  const failure = Cause.failureOption(cause)
  return Option.isNone(failure) || failure.value.retry === "never"
}

/**
 * One plain call, and what is asked beside it while it is slow. The call runs in the caller's own fiber, and until it is slow
 * it costs a timer; what overtakes it runs in fibers of its own. The first success wins.
 */
export class Overtaking extends Timer {
  private readonly timers: Timers
  private readonly beside: Array<Running> = []
  private running = 0
  private won: Exit.Success<LlmResponse, LlmError> | undefined
  /** The caller's own call is over. */
  private isOver = false
  /** What was asked beside it last has failed: there is nothing more to ask. */
  private isExhausted = false
  private whenSettled: (() => void) | undefined

  /** Attempts of the whole request before this call. */
  readonly spent: number

  constructor(
    private readonly rules: OvertakingRules,
    readonly next: RequestService,
    readonly request: LlmRequest,
    private readonly clock: Clock.Clock,
    /** The caller's: what is asked beside its call inherits what is local to it. Read then only, since reading copies. */
    private readonly caller: Fiber.RuntimeFiber<unknown, unknown>
  ) {
    super()
    this.spent = request.route.journal.spent
    this.timers = timersFor(clock, caller)
  }

  private get runtime(): Runtime.Runtime<never> {
    return Runtime.make({
      context: this.caller.currentContext as Context.Context<never>,
      fiberRefs: this.caller.getFiberRefs(),
      runtimeFlags: Runtime.defaultRuntimeFlags
    })
  }

  /** The call; `due` is when it is looked for slow attempts first (monotonic ms). */
  run(enter: Run<LlmRequest>, region: Region, due: number): Call {
    if (region === undefined) return Effect.uninterruptibleMask((restore) => this.run(enter, restore, due))
    this.timers.set(this, due)
    return Effect.matchCauseEffect(enter(this.request, region), {
      onFailure: (cause) => {
        this.over()
        return this.beside.length === 0 ? Effect.failCause(cause) : this.failed(cause, region)
      },
      onSuccess: (response) => {
        this.over()
        return this.beside.length === 0 ? Effect.succeed(response) : Effect.as(this.endOthers, response)
      }
    })
  }

  override fire(now: number): void {
    if (this.isOver || this.isExhausted || this.won !== undefined) {
      if (this.won !== undefined && !this.isOver) this.abandonSlow(now)
      return
    }
    const { onStarted, onward, slowAfter } = this.rules
    const slow = slowOnes(this.request.route.journal)
    let due = slow.length === 0 ? now + lookAgain : now
    for (const attempt of slow) due = Math.max(due, attempt.startedAt + slowAfter(attempt))
    if (!isDue(due, now)) return this.timers.set(this, due)
    // An attempt that nobody can end from outside would be waited for all the same.
    const canEnd = slow.every(({ expire }) => expire !== undefined)
    const next = canEnd ? this.unharmed(() => onward(this, slow, now), undefined) : undefined
    const latest = slow[slow.length - 1]
    if (next === undefined || latest === undefined) return this.timers.set(this, now + lookAgain)
    for (const attempt of slow) attempt.overtaken = true
    this.unharmed(() => onStarted(this, latest, now), undefined)
    this.ask(next)
    if (!this.isOver) this.timers.set(this, now + lookAgain)
  }

  private unharmed<A>(run: () => A, otherwise: A): A {
    return unharmed(this.runtime, this.request, run, otherwise)
  }

  private ask(request: LlmRequest): void {
    this.running++
    const fiber = Runtime.runFork(this.runtime)(Effect.interruptible(Effect.suspend(() => this.next.call(request))))
    this.beside.push(fiber)
    fiber.addObserver((exit) => this.ended(fiber, exit))
  }

  private ended(fiber: Running, exit: Exit.Exit<LlmResponse, LlmError>): void {
    this.running--
    if (this.won === undefined && Exit.isSuccess(exit)) {
      this.won = exit
      for (const other of this.beside) if (other !== fiber) other.unsafeInterruptAsFork(FiberId.none)
      if (!this.isOver) this.abandonSlow(nowMs(this.clock))
    } else if (fiber === this.beside[this.beside.length - 1]) this.isExhausted = true
    if (this.running === 0 || this.won !== undefined) this.whenSettled?.()
  }

  /** Ends the caller's own call as if its caller had left; one that has not quite begun is ended a moment later. */
  private abandonSlow(now: number): void {
    let isLeft = false
    for (const entry of this.request.route.journal.entries) {
      if (!isAttempt(entry) || entry.outcome !== undefined) continue
      if (entry.expire === undefined) isLeft = true
      else entry.expire(undefined)
    }
    if (isLeft && !this.isOver) this.timers.set(this, now + 1)
  }

  private over(): void {
    this.isOver = true
    this.timers.remove(this)
  }

  /** Ends all that runs beside, and waits for it. */
  private readonly endOthers: Effect.Effect<void> = Effect.suspend(() => {
    for (const fiber of this.beside) fiber.unsafeInterruptAsFork(FiberId.none)
    return this.settled(() => this.running === 0)
  })

  private settled(isSo: () => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const look = (): void => {
        if (isSo()) resume(Effect.void)
      }
      this.whenSettled = look
      look()
    })
  }

  /** The caller's own call has failed, or was ended because another one won. */
  private failed(cause: Cause.Cause<LlmError>, region: Region): Call {
    if (this.won === undefined && isFinal(cause)) return Effect.zipRight(this.endOthers, Effect.failCause(cause))
    return Effect.matchCauseEffect(
      waiting(
        region,
        this.settled(() => this.running === 0 || this.won !== undefined)
      ),
      {
        onFailure: (left) => Effect.zipRight(this.endOthers, Effect.failCause(left)),
        onSuccess: () =>
          Effect.flatMap(this.endOthers, () => {
            if (this.won === undefined) return Effect.failCause(cause)
            this.rules.onWon(this, nowMs(this.clock))
            return this.won
          })
      }
    )
  }
}
