import type { Attempt } from "@switchyard/core/Attempt"
import type { EventStream } from "@switchyard/core/EventStream"
import { LlmError, type TimeoutPhase } from "@switchyard/core/LlmError"
import type { LlmResponse, StreamingResponse } from "@switchyard/core/LlmResponse"
import { type Call, type Region, type Run, waiting } from "@switchyard/core/Service"
import { fiberHere, nowMs } from "@switchyard/core/Time"
import { type Clock, Effect, Exit, Fiber, FiberId, Runtime } from "effect"
import { isDue, Timer, type Timers, timersFor } from "./timers.js"

/** When the bounds of one attempt run out, in monotonic ms; silences are durations in ms. Infinite ones do not bound it. */
export interface AttemptBounds {
  readonly firstTokenAt: number
  /** Silence after content. */
  readonly idle: number
  /** The same once reasoning or a tool call has begun. */
  readonly idleReasoning: number
  readonly totalAt: number
}

/** When the bound on silence runs out; `silentSince` is undefined until a stream's first content. */
const silenceDue = (bounds: AttemptBounds, silentSince: number | undefined, isWorking: boolean): number =>
  silentSince === undefined ? bounds.firstTokenAt : silentSince + (isWorking ? bounds.idleReasoning : bounds.idle)

type Running = Fiber.RuntimeFiber<LlmResponse, LlmError>

const words: Record<TimeoutPhase, string> = {
  connect: "no connection in time",
  firstToken: "no first token in time",
  idle: "the stream fell silent",
  total: "the attempt took too long"
}

const exitOf = (fiber: Running): Effect.Effect<Exit.Exit<LlmResponse, LlmError>> =>
  Effect.async((resume) => {
    fiber.addObserver((exit) => resume(Effect.succeed(exit)))
  })

const close = (exit: Exit.Exit<LlmResponse, LlmError>): void => {
  if (Exit.isSuccess(exit) && exit.value._tag === "Streaming") exit.value.events.close()
}

/**
 * Watches one attempt: one timer for whichever bound comes first. The call runs in a fiber of its own until its response
 * is there, so that it can be ended; a stream needs none after that, as its bounds make it fail from outside.
 */
export class Watch extends Timer {
  private timers: Timers | undefined
  private fiber: Running | undefined
  private isInline = false
  private events: EventStream | undefined
  private phase: TimeoutPhase = "total"
  private bound: "deployment" | "caller" | "request" = "deployment"
  private expired: LlmError | undefined

  constructor(
    private readonly attempt: Attempt,
    private readonly clock: Clock.Clock,
    private readonly bounds: AttemptBounds,
    /** What would bound it if the request had brought nothing of its own: who is sooner than this blames nobody. */
    private readonly configured: AttemptBounds
  ) {
    super()
  }

  /** Whether anything bounds the attempt at all. */
  get isBounded(): boolean {
    const { firstTokenAt, idle, idleReasoning, totalAt } = this.bounds
    const { deadline } = this.attempt.request.route
    return Math.min(deadline, firstTokenAt, idle, idleReasoning, totalAt) < Number.POSITIVE_INFINITY
  }

  /** The call within its bounds. A caller that leaves waits until the call has ended. */
  run(call: Call, region: Region, now: number): Call {
    const due = this.next(now)
    if (isDue(due, now)) return Effect.fail(this.error())
    if (region === undefined) return Effect.uninterruptibleMask((restore) => this.run(call, restore, now))
    return Effect.flatMap(Effect.runtime<never>(), (runtime) => {
      const timers = timersFor(this.clock, fiberHere())
      this.timers = timers
      this.attempt.expire = (error) => {
        this.expired ??= error
        this.fiber?.unsafeInterruptAsFork(FiberId.none)
      }
      const fiber = Runtime.runFork(runtime)(Effect.interruptible(call))
      const exit = fiber.unsafePoll()
      if (exit !== null) return this.finish(exit, region)
      this.fiber = fiber
      timers.set(this, due)
      fiber.addObserver(() => timers.remove(this))
      return Effect.matchCauseEffect(waiting(region, exitOf(fiber)), {
        onFailure: (cause) =>
          Effect.flatMap(Fiber.interrupt(fiber), (lost) => {
            close(lost)
            return Effect.failCause(cause)
          }),
        onSuccess: (known) => this.finish(known, region)
      })
    })
  }

  /** Sets the timer for a plain call that can be ended from outside, and says so where it is too late already. */
  start(now: number): LlmError | undefined {
    const due = this.next(now)
    if (isDue(due, now)) return this.error()
    this.timers = timersFor(this.clock, fiberHere())
    this.isInline = true
    this.timers.set(this, due)
    return undefined
  }

  /** Takes the timer back. */
  stop(): void {
    this.timers?.remove(this)
  }

  /**
   * A call of a service whose calls can be ended from outside: in the caller's own fiber, which saves a fiber for each
   * attempt.
   */
  runInline(enter: Run<Attempt>, region: Region, now: number): Call {
    if (region === undefined) return Effect.uninterruptibleMask((restore) => this.runInline(enter, restore, now))
    const late = this.start(now)
    if (late !== undefined) return Effect.fail(late)
    return Effect.matchCauseEffect(enter(this.attempt, region), {
      onFailure: (cause) => {
        this.stop()
        return this.expired === undefined ? Effect.failCause(cause) : Effect.fail(this.expired)
      },
      onSuccess: (response) => {
        this.stop()
        return response._tag === "Complete" ? Effect.succeed(response) : this.follow(response, region)
      }
    })
  }

  override fire(now: number): void {
    const due = this.next(now)
    if (!isDue(due, now)) return this.timers?.set(this, due)
    if (this.events !== undefined) {
      this.expired = this.error()
      return this.events.fail(this.expired)
    }
    if (!this.isInline) {
      this.expired = this.error()
      this.fiber?.unsafeInterruptAsFork(FiberId.none)
      return
    }
    const { expire } = this.attempt
    // The call has not begun yet: its fiber was made to wait.
    if (expire === undefined) return this.timers?.set(this, now + 1)
    this.expired = this.error()
    expire(this.expired)
  }

  /** When the first bound runs out as things stand, and which it is. A tie goes to the caller's deadline. */
  private next(now: number): number {
    const { bounds, configured, events } = this
    const { deadline } = this.attempt.request.route
    // While nobody reads, silence is the reader's.
    const silentSince = events?.settlement.hasContent === true ? (events.silentSince ?? now) : undefined
    const isWorking = events?.facts.isWorking === true
    const silence = silenceDue(bounds, silentSince, isWorking)
    const due = Math.min(bounds.totalAt, silence)
    if (deadline <= due) {
      this.phase = "total"
      this.bound = "caller"
      return deadline
    }
    this.phase = due < silence ? "total" : silentSince === undefined ? "firstToken" : "idle"
    const isConfigured =
      bounds === configured || configured.totalAt <= due || silenceDue(configured, silentSince, isWorking) <= due
    this.bound = isConfigured ? "deployment" : "request"
    return due
  }

  private error(): LlmError {
    const { attempt, bound, phase } = this
    if (attempt.isWaiting && bound !== "caller") {
      // The deployment has not been asked yet: it is not its silence.
      return new LlmError({
        reason: "Rejected",
        description: "all connections to the provider's host are in use",
        code: "no_connection",
        deployment: attempt.deployment,
        provider: attempt.provider
      })
    }
    return new LlmError({
      reason: "Timeout",
      phase,
      bound,
      description: bound === "caller" ? "the request's deadline passed" : words[phase],
      deployment: attempt.deployment,
      provider: attempt.provider
    })
  }

  private finish(exit: Exit.Exit<LlmResponse, LlmError>, region: Region): Call {
    if (Exit.isFailure(exit)) return this.expired === undefined ? exit : Effect.fail(this.expired)
    return exit.value._tag === "Complete" ? exit : this.follow(exit.value, region)
  }

  /** From here on the stream itself is told when a bound runs out. Waits for its first content. */
  private follow(response: StreamingResponse, region: Region): Call {
    const { events } = response
    const { settlement } = events
    const schedule = () => {
      const now = nowMs(this.clock)
      this.timers?.set(this, this.next(now))
    }
    this.events = events
    this.fiber = undefined
    if (!settlement.hasContent) schedule()
    settlement.onFirstContent(schedule)
    settlement.onSettled(() => this.timers?.remove(this))
    if (settlement.hasContent) return Effect.succeed(response)
    return Effect.matchCauseEffect(waiting(region, events.awaitContent), {
      onFailure: (cause) => {
        events.close()
        return Effect.failCause(cause)
      },
      onSuccess: () => Effect.succeed(response)
    })
  }
}
