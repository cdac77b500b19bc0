/** What one of several gateways behind a port tells the others, for their operators, and does for them. */
import { Effect } from "effect"
import type { Entry, Latest } from "../api/AdminEvents.js"
import type { Recording } from "../api/AdminViews.js"
import type { Generations } from "../generations/Generations.js"
import type { EventLog } from "../log/EventLog.js"
import type { Siblings } from "../workers/Siblings.js"
import * as Admin from "./Admin.js"
import type { Timeline } from "./Timeline.js"

/** Deployments as one knows them. */
export interface Shown {
  readonly deployments: ReadonlyArray<Admin.DeploymentView>
  /** Requests that wait for a connection to a provider. */
  readonly waiting: number
}

/** What listeners of the others are told of this one. */
export interface Told {
  readonly index: number
  readonly views: ReadonlyArray<Admin.DeploymentView>
  readonly latest: Latest
  readonly events: ReadonlyArray<Entry>
  readonly recording: Recording | undefined
}

/** Numbers of events by the place of the gateway that told them: what comes after them is asked for. */
type Heard = Readonly<Record<number, number>>

/** What answers are made of. */
export interface AnswerDeps {
  readonly generations: Generations["Type"]
  readonly timeline: Timeline
  readonly eventLog: EventLog
  readonly waiting?: () => number
}

/** Answers the others from now on. */
export const answerSiblings = (deps: AnswerDeps, siblings: Siblings): void => {
  const { eventLog, generations, timeline } = deps
  const views = Effect.clockWith((clock) => Effect.sync(() => Admin.deployments(generations.current(), deps, clock)))
  siblings.answer("deployments", () =>
    Effect.map(views, (deployments): Shown => ({ deployments, waiting: deps.waiting?.() ?? 0 }))
  )
  siblings.answer("timeline", () => Effect.sync(() => timeline.recording()))
  siblings.answer("act", ([action, id]) =>
    Effect.asVoid(Admin.act(action as Admin.Action, String(id), generations.current(), deps))
  )
  siblings.answer("live", ([heard, isWhole]) =>
    Effect.map(
      views,
      (known): Told => ({
        index: siblings.index,
        views: known,
        latest: timeline.latest(),
        events: eventLog.since((heard as Heard)[siblings.index] ?? 0),
        recording: isWhole === true ? timeline.recording() : undefined
      })
    )
  )
}
