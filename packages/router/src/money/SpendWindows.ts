/**
 * Money spent per key in a window of time: reserved before a call, settled to the real cost after it, so that calls in
 * flight together overspend by no more than one of them, as long as none costs more than was reserved for it. A window
 * begins with its first reservation and ends after its length; it follows the clock, and no background task resets anything.
 */
import * as Field from "@switchyard/core/Field"
import { Context, Effect, Layer, Schema } from "effect"
import * as State from "../stack/State.js"

/** How much may be spent in how long. */
export const SpendLimit = Schema.Struct({
  /** USD per window. 0 means nothing may be spent. */
  limit: Field.nonNegative,
  /** Length of a window, for example "1 day". */
  window: Field.duration
})
/** How much may be spent in how long. */
export type SpendLimit = typeof SpendLimit.Type

/** Money set aside for one call; settle it exactly once. */
export interface Reservation {
  /**
   * Whether more may be set aside, so that the call costs `total` USD in all, where it makes a further attempt; changes nothing.
   * `soFar` is what its attempts have cost, when none of them is in flight: then a call that is the only one goes on while
   * anything is left. Undefined when one is.
   */
  readonly covers: (total: number, soFar: number | undefined, limit: number, now: number) => boolean
  /** Sets it aside; false, and nothing changes, when it does not fit. */
  readonly cover: (total: number, soFar: number | undefined, limit: number, now: number) => boolean
  /** Replaces the reservation by what the call really cost, in USD. Later calls do nothing. */
  readonly settle: (cost: number, now: number) => void
}

/** Sums of doubles miss by some units in the last place; the last call that fits must still fit. */
const tolerance = 1 + 1e-9

const isLeft = (used: number, limit: number): boolean => used * tolerance < limit

/** What a call takes, in ms, until some have been seen. */
const usualHold = 5_000

/** What a window tells once: that nothing is left, or that a sum is reached at which a warning is due. */
export type Told = "spent" | "soft"

/**
 * The window of one key, in this process. Times are monotonic ms, money is USD. The limit is said at each question and is no
 * part of the state, so a changed limit forgets nothing that was spent. One that is shared with others extends it.
 */
export class LocalSpendWindow {
  protected spent = 0
  protected reserved = 0
  protected inFlight = 0
  protected endsAt = Number.NEGATIVE_INFINITY
  private readonly told = { spent: false, soft: false }
  /** Ms that recent calls held their reservations: an average. */
  private held = usualHold

  constructor(
    /** ms */
    readonly length: number
  ) {}

  /** USD spent in the window in force, and reserved by calls in flight. */
  used(now: number): number {
    this.roll(now)
    return this.spent + this.reserved
  }

  /** When the window in force ends; undefined when none has begun, or it never ends. */
  resetsAt(now: number): number | undefined {
    this.roll(now)
    return this.endsAt > now && this.endsAt < Number.POSITIVE_INFINITY ? this.endsAt : undefined
  }

  /** Nothing is spent in a window in force, and no call is in flight. */
  isIdle(now: number): boolean {
    return !this.isHeld && this.endsAt <= now
  }

  /** A call in flight holds a reservation. */
  get isHeld(): boolean {
    return this.inFlight > 0
  }

  /** Whether a call of that estimated cost fits; the only call in flight does while anything is left. */
  fits(estimate: number, limit: number, now: number): boolean {
    const used = this.used(now) + this.heldElsewhere(now)
    return isLeft(used, limit) && (this.inFlight === 0 || used + estimate <= limit * tolerance)
  }

  /** Whether nothing is left, so that only the window's end helps and not the end of a call. */
  isSpent(limit: number, now: number): boolean {
    this.roll(now)
    return !isLeft(this.spent, limit)
  }

  /** About how soon (ms) the first of the calls in flight ends, by what recent ones took: 1 to 10 seconds. */
  get freesIn(): number {
    return Math.min(10_000, Math.max(1_000, this.held / Math.max(1, this.inFlight)))
  }

  /** True the first time in a window: who refuses calls, or warns, says so once. */
  tellOnce(now: number, what: Told = "spent"): boolean {
    this.roll(now)
    if (this.told[what]) return false
    this.told[what] = true
    return true
  }

  /**
   * Sets `estimate` aside if it fits, or what is left for the only call in flight. Undefined when it does not fit. A
   * reservation outlives the end of its window: the call is still going to cost what it costs.
   */
  reserve(estimate: number, limit: number, now: number): Reservation | undefined {
    if (!this.fits(estimate, limit, now) || !this.mayTake(estimate, limit, now)) return undefined
    this.begin(now)
    this.inFlight++
    let covered = estimate
    let amount = this.setAside(estimate, limit)
    let isOver = false
    const covers = (total: number, soFar: number | undefined, of: number, at: number): boolean => {
      if (isOver || total <= covered) return true
      const used = this.used(at) + this.heldElsewhere(at)
      const isAlone = this.inFlight === 1 && soFar !== undefined && isLeft(this.spent + soFar, of)
      return isAlone || used + total - covered <= of * tolerance
    }
    return {
      covers,
      cover: (total, soFar, of, at) => {
        if (!covers(total, soFar, of, at)) return false
        if (isOver || total <= covered) return true
        amount += this.setAside(total - covered, of)
        covered = total
        return true
      },
      settle: (cost, at) => {
        if (isOver) return
        isOver = true
        this.held += (at - now - this.held) / 8
        this.settle(amount, cost, at)
      }
    }
  }

  /** USD that others hold of it, and that may be spent by the time that they say so. */
  protected heldElsewhere(_now: number): number {
    return 0
  }

  /** Whether what fits may be taken at once. */
  protected mayTake(_estimate: number, _limit: number, _now: number): boolean {
    return true
  }

  /** Sets aside at most what is left; gives what it was. */
  protected setAside(estimate: number, limit: number): number {
    const amount = Math.max(0, Math.min(estimate, limit - this.spent - this.reserved))
    this.reserved += amount
    return amount
  }

  /** A call is over that had `amount` set aside. */
  protected settle(amount: number, cost: number, now: number): void {
    this.roll(now)
    this.inFlight--
    this.reserved = this.inFlight === 0 ? 0 : this.reserved - amount
    if (!(cost > 0 && cost < Number.POSITIVE_INFINITY)) return
    this.begin(now)
    this.spent += cost
  }

  /** The window has ended: nothing is spent of the next, which begins with its first call. */
  protected end(): void {
    this.spent = 0
    this.endsAt = Number.NEGATIVE_INFINITY
    this.told.spent = false
    this.told.soft = false
  }

  private begin(now: number): void {
    if (this.endsAt <= now) this.endsAt = now + this.length
  }

  protected roll(now: number): void {
    if (this.endsAt > now || this.endsAt === Number.NEGATIVE_INFINITY) return
    this.end()
  }
}

/** The window of one key, wherever it is kept: a state of one's own gives its own (another process's, a database's). */
export interface SpendWindow extends Pick<LocalSpendWindow, keyof LocalSpendWindow> {
  /**
   * Asks whoever else the money is shared with, before a reservation of that estimate: who calls `reserve` waits for it first.
   * Undefined, or left out, where there is nothing to wait for. It never fails, and takes 100 ms at most.
   */
  readonly prepare?: (estimate: number, limit: number, now: number) => Effect.Effect<void> | undefined
}

/** Where the money of each key goes. */
export class SpendWindows extends Context.Tag("@switchyard/router/SpendWindows")<
  SpendWindows,
  {
    /**
     * The window of a scope (`caller`, `team`, `user`, `total`, `deployment`, `provider`, `tag`, `requestTag`), a key and a length (ms): the same one for all who
     * ask, so that a budget per day and one per month stand side by side, and a reload finds what was spent.
     */
    readonly window: (scope: string, key: string, length: number, now: number) => SpendWindow
  }
>() {}

/** All that must be waited for before a reservation in these windows; undefined, as a rule, where that is nothing. */
export const prepared = (
  windows: ReadonlyArray<{ readonly window: SpendWindow; readonly limit: number }>,
  estimate: number,
  now: number
): Effect.Effect<void> | undefined => {
  let waits: Array<Effect.Effect<void>> | undefined
  for (const { limit, window } of windows) {
    const wait = window.prepare?.(estimate, limit, now)
    if (wait !== undefined) waits = [...(waits ?? []), wait]
  }
  return waits === undefined || waits.length < 2
    ? waits?.[0]
    : Effect.all(waits, { concurrency: "unbounded", discard: true })
}

/** Makes room for a hundredth of the capacity at once, so that looking through all windows is rare. */
const prune = (windows: Map<string, SpendWindow>, capacity: number, now: number): void => {
  for (const [key, window] of windows) if (window.isIdle(now)) windows.delete(key)
  const enough = capacity - Math.ceil(capacity / 100)
  for (const [key, window] of windows) {
    if (windows.size <= enough) return
    if (!window.isHeld) windows.delete(key)
  }
}

/**
 * A value of the service. At most `capacity` windows (default 100,000) are kept for each scope: when there are more, those
 * that have ended are forgotten, then the oldest, but never one that a call in flight holds.
 */
export const make = (capacity = 100_000): Context.Tag.Service<SpendWindows> => {
  const scopes = new Map<string, Map<string, SpendWindow>>()
  const windowsOf = (scope: string): Map<string, SpendWindow> => {
    const known = scopes.get(scope)
    if (known !== undefined) return known
    const made = new Map<string, SpendWindow>()
    scopes.set(scope, made)
    return made
  }
  return {
    window: (scope, key, length, now) => {
      const windows = windowsOf(scope)
      const name = `${length} ${key}`
      const known = windows.get(name)
      if (known !== undefined) return known
      if (windows.size >= capacity) prune(windows, capacity, now)
      const made = new LocalSpendWindow(length)
      windows.set(name, made)
      return made
    }
  }
}

/** Windows kept in this process. */
export const layerMemory: Layer.Layer<SpendWindows> = Layer.sync(SpendWindows, () => make())

/** What was spent. */
export class Spending extends State.make({ name: "spending", tag: SpendWindows, layer: () => layerMemory }) {}
