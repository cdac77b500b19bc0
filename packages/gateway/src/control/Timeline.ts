/**
 * The last 15 minutes of each deployment, as a dashboard draws them: what the tower counts anyway is read every few
 * seconds into rings of fixed size, so that calls pay nothing for it and memory has a bound.
 */
import * as Background from "@switchyard/core/Background"
import type { Slot } from "@switchyard/core/Slot"
import { nowMs } from "@switchyard/core/Time"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { DeploymentStats, type Stats } from "@switchyard/router/DeploymentStats"
import { LatencyTracker } from "@switchyard/router/LatencyTracker"
import type * as Router from "@switchyard/router/Router"
import { Context, Effect, Schedule, type Scope } from "effect"
import type * as AdminEvents from "../api/AdminEvents.js"
import type * as Views from "../api/AdminViews.js"
import { mostlyStreams } from "./answerTimes.js"

/** Ms between two samples. */
export const interval = 5000

/** Samples that are kept: 15 minutes. */
export const size = 180

/** What happened to a deployment between two samples. Null: it was not there, or nobody knows. */
export type Point = AdminEvents.Point

/** One deployment's samples, oldest first, in columns. */
export type Series = Views.Series

/** All samples. */
export type Recording = Views.Recording

/** The newest sample. */
export type Latest = AdminEvents.Latest

/** Reads what was recorded. */
export interface Timeline {
  readonly recording: () => Recording
  readonly latest: () => Latest
}

/** How much is kept. */
export interface TimelineOptions {
  /** Deployments that are recorded; beyond, one with traffic takes the place of one without. Default 200. */
  readonly maxDeployments?: number
}

const columns = ["requests", "failures", "inFlight", "meanMs", "p95Ms"] as const

const orNull = (value: number | undefined): number | null => (value === undefined || Number.isNaN(value) ? null : value)

const unknownAsNaN = (value: number | undefined): number => value ?? Number.NaN

const column = (): Float32Array => new Float32Array(size).fill(Number.NaN)

/** The rings of one deployment. NaN stands for what is not known. */
class Track {
  readonly requests = column()
  readonly failures = column()
  readonly inFlight = column()
  readonly meanMs = column()
  readonly p95Ms = column()
  private stats: Stats | undefined
  private requestsBefore = 0
  private failuresBefore = 0

  constructor(
    readonly id: string,
    readonly group: string
  ) {}

  get isQuiet(): boolean {
    return !this.requests.some((count) => count > 0)
  }

  /** Says at `place` that the deployment is not there. */
  miss(place: number): void {
    for (const name of columns) this[name][place] = Number.NaN
  }

  write(place: number, stats: Stats, latency: { readonly mean: () => number; readonly p95: () => number }): void {
    // Another generation counts from zero again, in an object of its own.
    if (this.stats !== stats) {
      this.stats = stats
      this.requestsBefore = 0
      this.failuresBefore = 0
    }
    const requests = Math.max(0, stats.requests - this.requestsBefore)
    const failures = Math.max(0, stats.failures - this.failuresBefore)
    this.requestsBefore = stats.requests
    this.failuresBefore = stats.failures
    const isUsed = requests > 0 || stats.inFlight > 0
    this.requests[place] = requests
    this.failures[place] = failures
    this.inFlight[place] = stats.inFlight
    this.meanMs[place] = isUsed ? latency.mean() : Number.NaN
    this.p95Ms[place] = isUsed ? latency.p95() : Number.NaN
  }

  point(place: number): { readonly id: string; readonly group: string } & Point {
    const { failures, group, id, inFlight, meanMs, p95Ms, requests } = this
    return {
      id,
      group,
      requests: orNull(requests[place]),
      failures: orNull(failures[place]),
      inFlight: orNull(inFlight[place]),
      meanMs: orNull(meanMs[place]),
      p95Ms: orNull(p95Ms[place])
    }
  }
}

/** Takes the samples; a value of its own, so that whoever owns the time says when. */
class Recorder {
  private readonly tracks = new Map<string, Track>()
  private readonly at = new Float64Array(size)
  private count = 0

  constructor(private readonly maxDeployments: number) {}

  sample(state: Context.Context<Router.State>, now: number, wallNow: number): void {
    const slots = Context.get(state, DeploymentRegistry).slots()
    const statsOf = Context.get(state, DeploymentStats)
    const tracker = Context.get(state, LatencyTracker)
    const place = this.count % size
    const present = new Set<string>(slots.map(({ id }) => id))
    for (const track of this.tracks.values()) track.miss(place)
    for (const slot of slots) {
      const stats = statsOf.of(slot)
      const track = this.trackOf(slot, stats, present)
      if (track === undefined) continue
      const latency = tracker.of(slot)
      const stream = mostlyStreams(latency, now)
      track.write(place, stats, {
        mean: () => unknownAsNaN(stream ? latency.timeToFirstToken(now) : latency.duration(now)),
        p95: () => unknownAsNaN(latency.quantile(0.95, stream, now))
      })
    }
    this.at[place] = wallNow
    this.count++
    for (const [id, track] of this.tracks) if (!present.has(id) && track.isQuiet) this.tracks.delete(id)
  }

  recording(): Recording {
    const places = this.places(size)
    const values = (ring: Float32Array) => places.map((place) => orNull(ring[place]))
    return {
      intervalMs: interval,
      at: places.map((place) => this.at[place] ?? 0),
      deployments: [...this.tracks.values()].map(({ id, group, requests, failures, inFlight, meanMs, p95Ms }) => ({
        id,
        group,
        requests: values(requests),
        failures: values(failures),
        inFlight: values(inFlight),
        meanMs: values(meanMs),
        p95Ms: values(p95Ms)
      }))
    }
  }

  latest(): Latest {
    const place = (this.count + size - 1) % size
    return {
      number: this.count,
      at: this.at[place] ?? 0,
      deployments: this.count === 0 ? [] : [...this.tracks.values()].map((track) => track.point(place))
    }
  }

  /** Where the last `most` samples are, oldest first. */
  private places(most: number): ReadonlyArray<number> {
    const length = Math.min(this.count, most, size)
    return Array.from({ length }, (_, index) => (this.count - length + index) % size)
  }

  private trackOf(slot: Slot, stats: Stats, present: ReadonlySet<string>): Track | undefined {
    const known = this.tracks.get(slot.id)
    if (known !== undefined) return known
    if (this.tracks.size >= this.maxDeployments && !this.makeRoom(stats.requests > 0, present)) return undefined
    const made = new Track(slot.id, slot.deployment.group)
    this.tracks.set(slot.id, made)
    return made
  }

  /** Forgets a deployment that has left, or else, for one with traffic, one that had none. */
  private makeRoom(isBusy: boolean, present: ReadonlySet<string>): boolean {
    for (const id of this.tracks.keys()) if (!present.has(id)) return this.tracks.delete(id)
    if (!isBusy) return false
    for (const [id, track] of this.tracks) if (track.isQuiet) return this.tracks.delete(id)
    return false
  }
}

/** Records the tower that is in force at each sample, until the scope closes. */
export const make = (
  tower: () => Pick<Router.Built, "state">,
  options: TimelineOptions = {}
): Effect.Effect<Timeline, never, Scope.Scope> =>
  Effect.suspend(() => {
    const recorder = new Recorder(options.maxDeployments ?? 200)
    const sample = Effect.clockWith((clock) =>
      Effect.sync(() => recorder.sample(tower().state, nowMs(clock), clock.unsafeCurrentTimeMillis()))
    )
    const timeline: Timeline = {
      recording: () => recorder.recording(),
      latest: () => recorder.latest()
    }
    return Effect.schedule(sample, Schedule.spaced(interval)).pipe(Background.run, Effect.as(timeline))
  })
