/**
 * What each deployment used up in the last 60 seconds, and what its calls in flight hold back: the state behind the
 * limits, and what usage-based strategies read. Windows follow the clock; no background task resets anything.
 */
import type { Journal } from "@switchyard/core/Journal"
import type { Headers } from "@switchyard/core/LlmResponse"
import * as RateLimitHeaders from "@switchyard/core/RateLimitHeaders"
import * as Slot from "@switchyard/core/Slot"
import type { Busy, Status } from "@switchyard/core/Status"
import { Context, Effect, Layer, Schema } from "effect"
import * as State from "../stack/State.js"
import { lastMinuteOf } from "../time/lastMinute.js"
import { LearnedSnapshot } from "./learnedLimit.js"
import { SlotUsage, type Taken } from "./slotUsage.js"

/** What a strategy sees of one deployment. */
export interface WindowUsage {
  /** Tokens of the last 60 s, reservations of calls in flight included. */
  readonly tokens: number
  /** Requests admitted in the last 60 s. */
  readonly requests: number
  /** The smallest share of any limit that is left, learned ones included: 1 is free or unlimited, 0 is full. */
  readonly headroom: number
}

/** Room that one call holds. The first `settle` or `release` counts, later ones do nothing. */
export interface Reservation {
  readonly _tag: "Reservation"
  /** The call is over and used this many tokens: its permit comes back, the estimate gives way to the truth. */
  readonly settle: (tokens: number, now: number) => void
  /** Nothing was sent: permit, request and tokens come back. */
  readonly release: (now: number) => void
  /** Says what ends the call where its room may be taken away: a process that was frozen finds it gone to others. */
  readonly whenLost?: (end: () => void) => void
}

/** Told about a slot, synchronously; must not throw. `journal` is the one that `reserve` was given. */
export type SlotListener = (slot: Slot.Slot, now: number, journal: Journal | undefined) => void

/**
 * The use of limits, per deployment. Limits are read from the slot's deployment at each call. Times are monotonic ms,
 * but for `wallNow`.
 */
export class UsageWindows extends Context.Tag("@switchyard/router/UsageWindows")<
  UsageWindows,
  {
    /**
     * What was used. The object belongs to the slot and is overwritten by the next call: read it, don't keep it. Of a
     * deployment without any limit it is what a Balancer counted, to the second; from the first time on that this is asked
     * its calls in flight hold their estimates too, as those of the others do.
     */
    readonly usage: (slot: Slot.Slot, now: number) => WindowUsage
    /** What calls in flight hold right now: permits, and reserved tokens; both are 0 when nothing runs. */
    readonly holding: (slot: Slot.Slot) => { readonly calls: number; readonly tokens: number }
    /** Whether calls on the slot have to be counted: it has a limit, or somebody asked for its usage or listens. */
    readonly counts: (slot: Slot.Slot) => boolean
    /** Whether a call of `tokens` estimated tokens fits now; reserves nothing. */
    readonly status: (slot: Slot.Slot, tokens: number, now: number) => Status
    /**
     * Takes a permit, one request and `tokens` estimated tokens (at most the limit) all at once, or says what is full.
     * Run it where no interruption can fall between it and the watch over the call. Listeners are told the `journal` of
     * the request, so that they know whose call it is.
     */
    readonly reserve: (
      slot: Slot.Slot,
      tokens: number,
      now: number,
      journal?: Journal
    ) => Effect.Effect<Reservation | Busy>
    /** The same at once, which spares operations; left out by a service that has to ask somebody else. */
    readonly reserveNow?: (slot: Slot.Slot, tokens: number, now: number, journal?: Journal) => Reservation | Busy
    /** Learns from a provider's rate-limit headers; `wallNow` is wall-clock ms, for dates in them. */
    readonly learn: (slot: Slot.Slot, headers: Headers, now: number, wallNow: number) => void
    /** The provider asked to be left alone for `duration` ms (60 s at most count): no headroom until then. */
    readonly throttle: (slot: Slot.Slot, duration: number, now: number) => void
    /** What providers said of their limits that another process may go on with, by deployment id. */
    readonly snapshot: (slots: ReadonlyArray<Slot.Slot>, now: number) => UsageSnapshot
    /** Goes on from another process's snapshot of `now`, which may be past. */
    readonly restore: (slots: ReadonlyArray<Slot.Slot>, saved: UsageSnapshot, now: number) => void
    /** Header values that made no sense, since the service was made. */
    readonly ignoredHeaders: () => number
    /** Calls the listener after each reservation; gives back the way to stop. */
    readonly onAdmit: (listener: SlotListener) => () => void
    /** Calls the listener after each settled or released reservation; gives back the way to stop. */
    readonly onRelease: (listener: SlotListener) => () => void
  }
>() {}

/** What providers said of their limits, by deployment id. */
export const UsageSnapshot = Schema.Record({ key: Schema.String, value: LearnedSnapshot })
/** What providers said of their limits, by deployment id. */
export type UsageSnapshot = typeof UsageSnapshot.Type

/** Headers that can shrink the headroom: with none of them there is nothing to parse. */
const telling = [
  "x-ratelimit-remaining-requests",
  "x-ratelimit-remaining-tokens",
  "anthropic-ratelimit-requests-remaining",
  "anthropic-ratelimit-tokens-remaining",
  "anthropic-ratelimit-input-tokens-remaining",
  "x-ratelimit-remaining",
  "retry-after",
  "retry-after-ms"
]

const tellsLimits = (headers: Headers): boolean => {
  for (const name of telling) if (headers[name] !== undefined) return true
  return false
}

class Listeners {
  private readonly all = new Set<SlotListener>()

  get isEmpty(): boolean {
    return this.all.size === 0
  }

  add(listener: SlotListener): () => void {
    const own: SlotListener = (slot, now, journal) => listener(slot, now, journal)
    this.all.add(own)
    return () => {
      this.all.delete(own)
    }
  }

  tell(slot: Slot.Slot, now: number, journal: Journal | undefined): void {
    for (const listener of this.all) listener(slot, now, journal)
  }
}

class MemoryReservation implements Reservation {
  readonly _tag = "Reservation"
  private isOver = false

  constructor(
    private readonly slot: Slot.Slot,
    private readonly usage: SlotUsage,
    private readonly taken: Taken,
    private readonly journal: Journal | undefined,
    private readonly released: Listeners
  ) {}

  settle(tokens: number, now: number): void {
    if (this.isOver) return
    this.isOver = true
    this.usage.settle(this.taken, tokens, now)
    this.released.tell(this.slot, now, this.journal)
  }

  release(now: number): void {
    if (this.isOver) return
    this.isOver = true
    this.usage.release(this.taken, now)
    this.released.tell(this.slot, now, this.journal)
  }
}

const hasLimit = ({ deployment: { maxParallel, rpm, tpm } }: Slot.Slot): boolean =>
  rpm !== undefined || tpm !== undefined || maxParallel !== undefined

type Reserve = Context.Tag.Service<UsageWindows>["reserve"]

/** What reserves without an effect; undefined where somebody has to be asked. */
type Take = (
  slot: Slot.Slot,
  tokens: number,
  now: number,
  journal: Journal | undefined
) => Reservation | Busy | undefined

/** Kept beside the very function: windows with another `reserve`, made by spread say, have nothing here. */
const atOnce = new WeakMap<Reserve, Take>()

/**
 * What `reserve` does, at once, as long as it has to ask nobody: 4 operations less for each attempt. Undefined for windows that
 * always have to.
 */
export const takeAtOnce = ({ reserve }: Pick<Context.Tag.Service<UsageWindows>, "reserve">): Take | undefined =>
  atOnce.get(reserve)

/** Says what `reserve` does at once. */
export const givesAtOnce = (reserve: Reserve, take: Take): void => void atOnce.set(reserve, take)

/** A value of the service, for composing without Layers: exact windows in this process, in the cells of the slots. */
export const make = (): Context.Tag.Service<UsageWindows> => {
  const key = Slot.key("usageWindows", () => new SlotUsage())
  const admitted = new Listeners()
  const released = new Listeners()
  let ignored = 0

  const take = (slot: Slot.Slot, tokens: number, now: number, journal: Journal | undefined): Reservation | Busy => {
    const usage = slot.get(key)
    const status = usage.status(slot.deployment, tokens, now)
    if (status._tag === "Busy") return status
    const taken = usage.take(slot.deployment.tpm, tokens, now)
    admitted.tell(slot, now, journal)
    return new MemoryReservation(slot, usage, taken, journal, released)
  }

  const reserve: Reserve = (slot, tokens, now, journal) => Effect.sync(() => take(slot, tokens, now, journal))
  givesAtOnce(reserve, take)

  return {
    usage: (slot, now) => {
      const usage = slot.get(key)
      const view = usage.read(slot.deployment, now)
      if (hasLimit(slot)) return view
      usage.isWatched = true
      const seen = lastMinuteOf(slot)
      view.tokens = Math.max(view.tokens, seen.tokens(now))
      view.requests = Math.max(view.requests, seen.requests(now))
      return view
    },
    holding: (slot) => slot.get(key).holding,
    counts: (slot) => hasLimit(slot) || !released.isEmpty || !admitted.isEmpty || slot.get(key).isWatched,
    status: (slot, tokens, now) => slot.get(key).status(slot.deployment, tokens, now),
    reserve,
    learn: (slot, headers, now, wallNow) => {
      if (!tellsLimits(headers)) return
      const said = RateLimitHeaders.parse(headers, wallNow)
      ignored += said.ignored
      slot.get(key).learn(said, now)
    },
    throttle: (slot, duration, now) => slot.get(key).throttle(duration, now),
    snapshot: (slots, now) =>
      Object.fromEntries(
        slots.flatMap((slot) => {
          const saved = slot.get(key).snapshot(now)
          return saved === undefined ? [] : [[slot.id, saved] as const]
        })
      ),
    restore: (slots, saved, now) => {
      for (const slot of slots) {
        const learned = Object.hasOwn(saved, slot.id) ? saved[slot.id] : undefined
        if (learned !== undefined) slot.get(key).restore(learned, now)
      }
    },
    ignoredHeaders: () => ignored,
    onAdmit: (listener) => admitted.add(listener),
    onRelease: (listener) => released.add(listener)
  }
}

/** Windows kept in this process. */
export const layerMemory: Layer.Layer<UsageWindows> = Layer.sync(UsageWindows, make)

/** What deployments have used of their limits. */
export class DeploymentUsage extends State.make({ name: "usage", tag: UsageWindows, layer: () => layerMemory }) {}
