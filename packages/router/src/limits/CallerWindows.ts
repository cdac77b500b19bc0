/**
 * What each caller used up in the last 60 seconds, and what its calls in flight hold: the state behind the limits of
 * callers. It knows no limits, so that other ones, after a reload, find all that was used.
 */

import * as Field from "@switchyard/core/Field"
import type { Busy } from "@switchyard/core/Status"
import { Context, type Effect, Layer, Schema } from "effect"
import type { Scope } from "../money/CallerTerms.js"
import * as State from "../stack/State.js"
import { SlotUsage } from "./slotUsage.js"

/** What one caller may use. 0 means nothing, unset means no limit. */
export const CallerLimit = Schema.Struct({
  /** Requests per 60 s. */
  rpm: Field.option(Field.count, "Requests per 60 s."),
  /** Tokens per 60 s, input and output. */
  tpm: Field.option(Field.count, "Tokens per 60 s, input and output."),
  /** Calls in flight at once, streams included until they end. */
  maxParallel: Field.option(Field.count, "Calls in flight at once, streams included until they end.")
})
/** What one caller may use. */
export type CallerLimit = typeof CallerLimit.Type

/** Room that one call holds. */
export interface Reservation {
  readonly _tag: "Reservation"
  /** The call is over and used so many tokens: its permit comes back, the estimate gives way. Later calls do nothing. */
  readonly settle: (tokens: number, now: number) => void
  /** Nothing was asked for after all: request, tokens and permit come back. */
  readonly release: (now: number) => void
  /** Says what ends the call where its permit may be taken away: a process that was frozen finds it gone to others. */
  readonly whenLost?: (end: () => void) => void
}

/** The window of one caller. Times are monotonic ms. */
class MemoryCallerWindow {
  private readonly usage = new SlotUsage()

  /** Requests admitted and tokens used in the last 60 s, reservations of calls in flight included, and those calls. */
  used(now: number): { readonly requests: number; readonly tokens: number; readonly calls: number } {
    const { requests, tokens } = this.usage.read(none, now)
    return { requests, tokens, calls: this.usage.holding.calls }
  }

  /** A call in flight holds room. */
  get isHeld(): boolean {
    return this.usage.holding.calls > 0
  }

  /** No call is in flight, and none of the last 60 s counts. */
  isIdle(now: number): boolean {
    return this.usage.isIdle(now)
  }

  /**
   * Takes a permit, one request and `tokens` estimated tokens (at most the limit, so that any call can ever run) all at
   * once, or says which limit is full, and until when if time alone makes room.
   */
  reserve({ maxParallel, rpm, tpm }: CallerLimit, tokens: number, now: number): Reservation | Busy {
    const { usage } = this
    const status = usage.status({ maxParallel, rpm, tpm }, tokens, now)
    if (status._tag === "Busy") return status
    const taken = usage.take(tpm, tokens, now)
    let isOver = false
    return {
      _tag: "Reservation",
      settle: (used, at) => {
        if (isOver) return
        isOver = true
        usage.settle(taken, used, at)
      },
      release: (at) => {
        if (isOver) return
        isOver = true
        usage.release(taken, at)
      }
    }
  }
}

const none = { rpm: undefined, tpm: undefined, maxParallel: undefined }

/** The window of one caller, wherever it is kept: a state of one's own gives its own. */
export interface CallerWindow extends Pick<MemoryCallerWindow, keyof MemoryCallerWindow> {
  /**
   * `reserve` where others use the limit as well: they are asked first. Left out where nobody has to be. It never fails; run it where
   * no interruption can fall between it and the watch over the call.
   */
  readonly ask?: (limit: CallerLimit, tokens: number, now: number) => Effect.Effect<Reservation | Busy>
  /** What `ask` does, at once, where nobody has to be asked this time; undefined where somebody has to. */
  readonly askNow?: (limit: CallerLimit, tokens: number, now: number) => Reservation | Busy | undefined
}

/** The windows of all callers. */
export class CallerWindows extends Context.Tag("@switchyard/router/CallerWindows")<
  CallerWindows,
  {
    /**
     * The window of a caller, made at first use: the same one for all who ask. `now` is monotonic ms. With another scope than
     * `caller`, the default, that of all who belong to a team or a user.
     */
    readonly window: (caller: string, now: number, scope?: Scope) => CallerWindow
  }
>() {}

/** Makes room for a hundredth of the capacity at once, so that looking through all windows is rare. */
const prune = (windows: Map<string, CallerWindow>, capacity: number, now: number): void => {
  for (const [caller, window] of windows) if (window.isIdle(now)) windows.delete(caller)
  const enough = capacity - Math.ceil(capacity / 100)
  for (const [caller, window] of windows) {
    if (windows.size <= enough) return
    if (!window.isHeld) windows.delete(caller)
  }
}

/**
 * A value of the service. At most `capacity` callers (default 100,000, about 1 KB each) are remembered: when there are
 * more, idle ones are forgotten, then those that came first, but never one with a call in flight.
 */
export const make = (capacity = 100_000): Context.Tag.Service<CallerWindows> => {
  const windows = new Map<string, CallerWindow>()
  return {
    window: (caller, now, scope = "caller") => {
      const name = scope === "caller" ? caller : `${scope}\u0000${caller}`
      const known = windows.get(name)
      if (known !== undefined) return known
      if (windows.size >= capacity) prune(windows, capacity, now)
      const made = new MemoryCallerWindow()
      windows.set(name, made)
      return made
    }
  }
}

/** Windows kept in this process. */
export const layerMemory: Layer.Layer<CallerWindows> = Layer.sync(CallerWindows, () => make())

/** What callers have used of their limits. */
export class CallerUsage extends State.make({ name: "callerUsage", tag: CallerWindows, layer: () => layerMemory }) {}
