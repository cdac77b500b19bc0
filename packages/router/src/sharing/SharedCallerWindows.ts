/**
 * What callers, teams and users have used, shared by many processes over an engine, in place of the windows of one process: a limit
 * holds over all of them, to the last request. Without the engine each process admits its share.
 */
import type { Busy } from "@switchyard/core/Status"
import { type Context, Effect, type Scope } from "effect"
import type { SharedLimits } from "../fleet/Engine.js"
import type { EngineGuard } from "../fleet/EngineGuard.js"
import * as CallerWindows from "../limits/CallerWindows.js"
import * as SharedCalls from "./sharedCalls.js"
import { refusedUntil, sharesOf } from "./sharedLimits.js"

/** How long room is held, and for how long it counts. */
export type Options = SharedCalls.Options

/** What this process does itself it counts without limits. */
const unlimited: CallerWindows.CallerLimit = {}

const limitsOf = ({ maxParallel, rpm, tpm }: CallerWindows.CallerLimit): SharedLimits => ({ maxParallel, rpm, tpm })

/** Schemas know a limit that is not set as a key that is not there. */
const given = ({ maxParallel, rpm, tpm }: SharedLimits): CallerWindows.CallerLimit => ({
  ...(rpm === undefined ? {} : { rpm }),
  ...(tpm === undefined ? {} : { tpm }),
  ...(maxParallel === undefined ? {} : { maxParallel })
})

/** The window of one caller, by what this process knows of it, and by the engine where that is asked. */
class SharedCallerWindow implements CallerWindows.CallerWindow {
  constructor(
    private readonly key: string,
    private readonly own: CallerWindows.CallerWindow,
    private readonly guard: EngineGuard,
    private readonly calls: SharedCalls.SharedCalls
  ) {}

  /** By this process. */
  used(now: number): ReturnType<CallerWindows.CallerWindow["used"]> {
    return this.own.used(now)
  }

  get isHeld(): boolean {
    return this.own.isHeld
  }

  isIdle(now: number): boolean {
    return this.own.isIdle(now)
  }

  /** By this process's share: for who cannot wait. */
  reserve(limit: CallerWindows.CallerLimit, tokens: number, now: number): CallerWindows.Reservation | Busy {
    return this.own.reserve(this.shared(limit), tokens, now)
  }

  readonly ask = (
    limit: CallerWindows.CallerLimit,
    tokens: number,
    now: number
  ): Effect.Effect<CallerWindows.Reservation | Busy> =>
    Effect.map(this.calls.ask(this.key, limitsOf(limit), tokens), (answer) =>
      answer._tag === "Refused" ? refusedUntil(answer, now) : this.begun(answer, limit, tokens, now)
    )

  readonly askNow = (
    limit: CallerWindows.CallerLimit,
    tokens: number,
    now: number
  ): CallerWindows.Reservation | Busy | undefined => {
    const call = this.calls.askNow(this.key, limitsOf(limit), tokens)
    return call === undefined ? undefined : this.begun(call, limit, tokens, now)
  }

  private begun(
    call: SharedCalls.Call,
    limit: CallerWindows.CallerLimit,
    tokens: number,
    now: number
  ): CallerWindows.Reservation | Busy {
    const room = this.own.reserve(call.place === "here" ? this.shared(limit) : unlimited, tokens, now)
    return room._tag === "Busy" ? room : this.going(room, call, limit.maxParallel !== undefined)
  }

  private going(own: CallerWindows.Reservation, call: SharedCalls.Call, hasPermit: boolean): CallerWindows.Reservation {
    const { calls } = this
    calls.start(call)
    return {
      _tag: "Reservation",
      settle: (tokens, at) => {
        if (calls.end(call, tokens, at)) own.settle(tokens, at)
      },
      release: (at) => {
        if (calls.end(call, undefined, at)) own.release(at)
      },
      // Requests and tokens that were let in count whoever sleeps: only a permit can go to others.
      ...(hasPermit
        ? {
            whenLost: (end: () => void) => {
              call.end = end
            }
          }
        : {})
    }
  }

  private shared(limit: CallerWindows.CallerLimit): CallerWindows.CallerLimit {
    return given(sharesOf(limitsOf(limit), this.guard.replicas()))
  }
}

/**
 * The state over a guarded engine, for as long as the scope lives. A process that was frozen for longer than its lease ends those
 * of its callers' calls whose permits went to others; calls under limits of requests and tokens alone go on.
 */
export const make = (
  guard: EngineGuard,
  options: Options = {}
): Effect.Effect<Context.Tag.Service<CallerWindows.CallerWindows>, never, Scope.Scope> =>
  Effect.map(SharedCalls.make(guard, options), (calls) => {
    const local = CallerWindows.make()
    return {
      window: (caller, now, scope = "caller") =>
        new SharedCallerWindow(`${scope}:${caller}`, local.window(caller, now, scope), guard, calls)
    }
  })
