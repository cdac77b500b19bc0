/**
 * What the stream at `/admin/events` tells, message by message: for those who write it and those who read it.
 */
import type { RouterEvent } from "@switchyard/router/RouterEvents"
import type { DeploymentView, Recording } from "./AdminViews.js"

/** Events of every call: there are too many, and counters tell the same. */
export type OfCalls = "AttemptStarted" | "AttemptEnded" | "RequestEnded" | "HedgeStarted"

/** Events that are kept and told. */
export type Logged = Exclude<RouterEvent, { readonly _tag: OfCalls }>

type Fields<Event> = Event extends { readonly _tag: infer Tag }
  ? { readonly type: Tag } & Omit<Event, "_tag" | "at" | "until">
  : never

/** One event, or several that say the same within a few seconds. Plain JSON. */
export type Entry = {
  /** Stays the same when the event is counted again. */
  readonly id: number
  /** Counts up with every event: an entry that is counted again gets a higher one, and its place at the end. */
  readonly number: number
  /** Wall-clock ms; of the last one, where several are counted together. */
  readonly at: number
  readonly times: number
  /** Cooldowns: how long it is going to last, in ms. */
  readonly lastsMs?: number
} & Fields<Logged>

/** What happened to a deployment between two samples of the timeline. Null: it was not there, or nobody knows. */
export interface Point {
  readonly requests: number | null
  readonly failures: number | null
  /** At the moment of the sample. */
  readonly inFlight: number | null
  /** Ms, where the deployment was used: the fading average of its answers (streams: of their first content). */
  readonly meanMs: number | null
  /** Ms, where it was used: 95 of 100 recent answers came within it. */
  readonly p95Ms: number | null
}

/** The newest sample of the timeline. */
export interface Latest {
  /** Counts samples since the start; 0 before the first. */
  readonly number: number
  /** Wall-clock ms. */
  readonly at: number
  readonly deployments: ReadonlyArray<{ readonly id: string; readonly group: string } & Point>
}

/** How things are at a moment. */
export interface Sample {
  /** Wall-clock ms. */
  readonly at: number
  readonly phase: "starting" | "ready" | "draining"
  /** Of the configuration in force: 1 for the first. */
  readonly generation: number
  /** How many deployments there are; where they are many, fewer are listed. */
  readonly total: number
  readonly deployments: ReadonlyArray<DeploymentView>
}

/** How things are when somebody begins to listen. */
export interface Snapshot extends Sample {
  readonly events: ReadonlyArray<Entry>
  readonly timeline: Recording
}

/** What each message holds, by its name. */
export interface Messages {
  readonly snapshot: Snapshot
  readonly sample: Sample
  readonly router: Entry
  readonly point: Latest
  readonly timeline: Recording
}
