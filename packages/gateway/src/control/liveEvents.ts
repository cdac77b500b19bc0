import * as Background from "@switchyard/core/Background"
import type { Clock } from "effect"
import { Effect, Option, Queue, Stream } from "effect"
import type { Messages, Sample } from "../api/AdminEvents.js"
import type { Recording } from "../api/AdminViews.js"
import type { Generations } from "../generations/Generations.js"
import type { EventLog } from "../log/EventLog.js"
import type { Siblings } from "../workers/Siblings.js"
import * as Admin from "./Admin.js"
import type { Phase } from "./Health.js"
import * as Merged from "./mergedViews.js"
import type { Told } from "./siblingAnswers.js"
import type { Timeline } from "./Timeline.js"

/** What the stream tells about. */
export interface LiveDeps {
  readonly generations: Generations["Type"]
  readonly phase: () => Phase
  readonly timeline: Timeline
  readonly eventLog: EventLog
  /** Other gateways behind the same port. Default: there are none. */
  readonly siblings?: Siblings | undefined
}

/** More gateways than there can be: each has its own numbers of events. */
const places = 1024

/** Deployments that one event lists. */
const maxListed = 200

/** Ms between two samples; they keep a silent connection open too. */
const sampleEvery = 2000

/** Ms between two wakings: however many events there are, a client gets ten messages a second. */
const pause = 100

const encoder = new TextEncoder()

const message = <const Name extends keyof Messages>(event: Name, data: Messages[Name]): string =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

const troubles: Readonly<Record<Admin.State, number>> = {
  unhealthy: 0,
  cooldown: 0,
  isolated: 0,
  degraded: 1,
  limited: 1,
  healthy: 2,
  unknown: 3
}

/** All where they are few; else those in trouble and the busiest, in the order of the configuration. */
const listed = (views: ReadonlyArray<Admin.DeploymentView>): ReadonlyArray<Admin.DeploymentView> => {
  if (views.length <= maxListed) return views
  const order = (view: Admin.DeploymentView) => troubles[view.state]
  const ranked = [...views].sort((a, b) => order(a) - order(b) || b.requests - a.requests)
  const chosen = new Set(ranked.slice(0, maxListed))
  return views.filter((view) => chosen.has(view))
}

/** One client's place in what is told. It keeps nothing for a slow client: what it is told next is made when it reads. */
class Reader {
  private events = 0
  private samples = 0
  private readonly heard: Record<number, number> = {}
  private others: ReadonlyArray<Told> = []
  isDue = true

  constructor(
    private readonly deps: LiveDeps,
    private readonly clock: Clock.Clock
  ) {}

  /** Asks the others, where it is time to. */
  readonly hear = (isWhole: boolean): Effect.Effect<void> => {
    const { siblings } = this.deps
    if (siblings === undefined || !this.isDue) return Effect.void
    return Effect.map(siblings.ask("live", [this.heard, isWhole]), (told) => {
      this.others = told as ReadonlyArray<Told>
    })
  }

  snapshot(): string {
    const { timeline } = this.deps
    this.isDue = false
    this.samples = timeline.latest().number
    return message("snapshot", { ...this.sample(), events: this.newEvents(), timeline: this.recording() })
  }

  next(): string {
    let text = ""
    for (const entry of this.newEvents()) text += message("router", entry)
    if (!this.isDue) return text
    this.isDue = false
    text += message("sample", this.sample())
    const own = this.deps.timeline.latest()
    const latest = Merged.latest(
      own,
      this.others.map((other) => other.latest)
    )
    // A client that was slow has lost points, and gets them all again.
    if (latest.number === this.samples + 1) text += message("point", latest)
    else if (latest.number !== this.samples) text += message("timeline", this.recording())
    this.samples = latest.number
    return text
  }

  private newEvents() {
    const { eventLog, siblings } = this.deps
    const entries = eventLog.since(this.events)
    this.events = entries[entries.length - 1]?.number ?? this.events
    if (siblings === undefined) return entries
    const all = [{ index: siblings.index, events: entries }, ...this.others].flatMap(({ events, index }) => {
      this.heard[index] = events[events.length - 1]?.number ?? this.heard[index] ?? 0
      return events.map((entry) => ({ ...entry, id: entry.id * places + index, number: entry.number * places + index }))
    })
    this.others = this.others.map((other) => ({ ...other, events: [] }))
    return all.sort((a, b) => a.at - b.at)
  }

  private recording(): Recording {
    return Merged.recording(
      this.deps.timeline.recording(),
      this.others.flatMap(({ recording }) => recording ?? [])
    )
  }

  private sample(): Sample {
    const generation = this.deps.generations.current()
    const views = Merged.deployments(
      Admin.deployments(generation, this.deps, this.clock),
      this.others.map((other) => other.views)
    )
    return {
      at: this.clock.unsafeCurrentTimeMillis(),
      phase: this.deps.phase(),
      generation: generation.number,
      total: views.length,
      deployments: listed(views)
    }
  }
}

/**
 * Server-sent events: a `snapshot` first; then `router` events as they happen, a `sample` of all deployments every 2 s, and
 * a `point` of the timeline whenever there is a new one. It ends when the gateway drains.
 */
export const liveEvents = (deps: LiveDeps): Stream.Stream<Uint8Array> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const reader = new Reader(deps, yield* Effect.clock)
      const wake = yield* Queue.dropping<void>(1)
      yield* Effect.acquireRelease(
        Effect.sync(() => deps.eventLog.onEvent(() => wake.unsafeOffer(undefined))),
        (stop) => Effect.sync(stop)
      )
      const tick = Effect.sync(() => {
        reader.isDue = true
        wake.unsafeOffer(undefined)
      })
      yield* Background.run(Effect.forever(Effect.zipRight(Effect.sleep(sampleEvery), tick)))
      const next = Effect.zipRight(
        Effect.zipRight(Queue.take(wake), Effect.sleep(pause)),
        Effect.suspend(() =>
          deps.phase() === "draining"
            ? Effect.fail(Option.none<never>())
            : Effect.map(reader.hear(false), () => reader.next())
        )
      )
      return Stream.concat(
        Stream.fromEffect(Effect.map(reader.hear(true), () => `retry: 2000\n\n${reader.snapshot()}`)),
        Stream.repeatEffectOption(next)
      ).pipe(Stream.map((text) => encoder.encode(text === "" ? ": nothing new\n\n" : text)))
    })
  )
