/**
 * What went wrong lately and what the router did about it: the last events with the time of day, and the last errors of
 * each deployment. Memory has a bound, whatever happens.
 */
import type { Journal } from "@switchyard/core/Journal"
import { nowMs } from "@switchyard/core/Time"
import type { Events, RouterEvent } from "@switchyard/router/RouterEvents"
import { type Clock, Effect, Stream } from "effect"
import type * as AdminEvents from "../api/AdminEvents.js"
import type { Failure } from "../api/AdminViews.js"

/** One event, or several that say the same within a few seconds. Plain JSON. */
export type Entry = AdminEvents.Entry

/** One failed attempt on a deployment. Plain JSON. */
export type ErrorEntry = Failure

/** Keeps and gives out events and errors. */
export interface EventLog {
  /** Give these to the towers as their `RouterEvents`: what they publish is kept, and passed on. */
  readonly events: Events
  /** The events after `number` (default: all that are kept), oldest first. */
  readonly since: (number?: number) => ReadonlyArray<Entry>
  /** The last errors of a deployment, newest first. */
  readonly errorsOf: (deployment: string) => ReadonlyArray<ErrorEntry>
  /** Keeps the failed attempts of a request that is over. Call it once for each request; cheap when nothing failed. */
  readonly noteFailures: (journal: Journal) => void
  /** Calls `listener` synchronously after each new event; it must not throw. Gives back the way to stop. */
  readonly onEvent: (listener: () => void) => () => void
}

/** Events that are kept. */
export const maxEvents = 500

/** Errors that are kept for each deployment. */
export const maxErrors = 5

const maxDeployments = 1000

/** While a group is down every request tells the same; events of these kinds are counted together for so many ms. */
const countedFor = 5000

const counted: ReadonlySet<string> = new Set([
  "Retried",
  "FallbackTaken",
  "HedgeWon",
  "StreamRestarted",
  "BudgetExhausted"
])

interface Kept {
  readonly entry: Entry
  /** What it says, without times; undefined for an event that is never counted together. */
  readonly key: string | undefined
  readonly firstAt: number
}

const ofCalls: ReadonlySet<string> = new Set<AdminEvents.OfCalls>([
  "AttemptStarted",
  "AttemptEnded",
  "RequestEnded",
  "HedgeStarted"
])

const isLogged = (event: RouterEvent): event is AdminEvents.Logged => !ofCalls.has(event._tag)

const keyOf = (event: AdminEvents.Logged): string | undefined => {
  if (!counted.has(event._tag)) return undefined
  const { at: _at, delay: _delay, ...said } = event as AdminEvents.Logged & { readonly delay?: number }
  return JSON.stringify(said)
}

const shorten = (text: string): string => (text.length > 200 ? `${text.slice(0, 199)}…` : text)

class MemoryEventLog implements EventLog {
  private readonly kept: Array<Kept> = []
  private readonly errors = new Map<string, Array<ErrorEntry>>()
  private readonly listeners = new Set<() => void>()
  private count = 0

  readonly events: Events

  constructor(
    private readonly clock: Clock.Clock,
    next: Events
  ) {
    this.events = {
      publish: (event) => {
        this.see(event)
        next.publish(event)
      },
      // Nothing is kept of the events of every call, so they need not be made for this.
      isActive: next.isActive,
      stream: next.stream
    }
  }

  since = (number = 0): ReadonlyArray<Entry> =>
    this.kept.filter(({ entry }) => entry.number > number).map(({ entry }) => entry)

  errorsOf = (deployment: string): ReadonlyArray<ErrorEntry> => this.errors.get(deployment) ?? []

  noteFailures = ({ entries }: Journal): void => {
    for (const { deployment, endedAt, outcome, rejected } of entries) {
      if (rejected || endedAt === undefined || outcome?._tag !== "Failed") continue
      const { description, reason, status } = outcome.error
      const error = { at: this.wall(endedAt), reason, status: status ?? null, message: shorten(description) }
      const known = this.errors.get(deployment) ?? []
      // The deployment that failed longest ago is the first to be forgotten.
      this.errors.delete(deployment)
      this.errors.set(deployment, [error, ...known].slice(0, maxErrors))
    }
    if (this.errors.size <= maxDeployments) return
    for (const deployment of this.errors.keys()) {
      if (this.errors.size <= maxDeployments) break
      this.errors.delete(deployment)
    }
  }

  onEvent = (listener: () => void): (() => void) => {
    const own = () => listener()
    this.listeners.add(own)
    return () => {
      this.listeners.delete(own)
    }
  }

  private see(event: RouterEvent): void {
    if (!isLogged(event)) return
    const { _tag, at, ...fields } = event
    const { until, ...shown } = fields as { readonly until?: number }
    const lasts = until === undefined ? {} : { lastsMs: Math.max(0, Math.round(until - at)) }
    this.add({ ...shown, ...lasts, type: _tag }, this.wall(at), keyOf(event))
  }

  private add(fields: object, at: number, key: string | undefined): void {
    const earlier = key === undefined ? undefined : this.takeOut(key, at)
    const times = (earlier?.entry.times ?? 0) + 1
    this.count++
    const entry = { id: earlier?.entry.id ?? this.count, number: this.count, at, times, ...fields } as Entry
    this.kept.push({ entry, key, firstAt: earlier?.firstAt ?? at })
    if (this.kept.length > maxEvents) this.kept.shift()
    for (const listener of this.listeners) listener()
  }

  /** The entry that still counts events of this key. */
  private takeOut(key: string, at: number): Kept | undefined {
    const index = this.kept.findIndex((kept) => kept.key === key && at - kept.firstAt < countedFor)
    return index === -1 ? undefined : this.kept.splice(index, 1)[0]
  }

  private wall(monotonic: number): number {
    return Math.round(this.clock.unsafeCurrentTimeMillis() - (nowMs(this.clock) - monotonic))
  }
}

const silent: Events = { publish: () => {}, isActive: () => false, stream: Stream.empty }

/**
 * A log of what is published to its `events`: retries, fallbacks, hedges that won, budgets that ran out, reloads, and every
 * change of a deployment's state. It is written as the events are published, so none is lost; they go on to `next`.
 */
export const make = (next: Events = silent): Effect.Effect<EventLog> =>
  Effect.map(Effect.clock, (clock) => new MemoryEventLog(clock, next))
