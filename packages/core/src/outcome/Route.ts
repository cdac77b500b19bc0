/**
 * What the layers of one request tell each other, in the open: immutable but for the append-only journal.
 */
import type { DeploymentId } from "../deployment/Deployment.js"
import type { LlmError } from "../errors/LlmError.js"
import { Journal } from "./Journal.js"

/** The routing context of one request. Layers pass changed copies down; nothing flows up but the journal. */
export interface Route {
  /** Monotonic ms when the request came in. */
  readonly startedAt: number
  /** Monotonic ms by which it must be answered; `Infinity` when nobody set a deadline. */
  readonly deadline: number
  /** Deployments that must not be picked again in this request (they were silent, or a hedge is in flight there). */
  readonly excluded: ReadonlyArray<DeploymentId>
  /** Deployments that failed: picked again only when no other remains. */
  readonly avoided: ReadonlyArray<DeploymentId>
  /** Fallback targets already tried, over the whole walk. */
  readonly visited: ReadonlyArray<string>
  /** Attempts that the whole request may make. */
  readonly attemptBudget: number
  /** Attempts kept back for fallback hops that are still to come. */
  readonly reserved: number
  /** True when no fallback is left after this group: the Fallback layer clears and sets it. */
  readonly lastResort: boolean
  /** Set while this walk takes the place of a slow call that still runs. */
  readonly overtaking?: Overtaking | undefined
  /** The legs of races that this call belongs to, the outermost first: by them a race knows its attempts in the journal. */
  readonly legs?: ReadonlyArray<number> | undefined
  readonly journal: Journal
}

/** What a walk needs to know of the slow call whose place it takes. */
export interface Overtaking {
  /** Attempts of the request when its group was entered: those since then count as the group's. */
  readonly spent: number
  /** Set when the group has nothing more to offer: the walk begins with its fallbacks for this error. */
  readonly error?: LlmError
}

/** Attempts per request when nobody says otherwise. */
export const defaultAttemptBudget = 8

/** A fresh route for a request that comes in at `now` (monotonic ms). */
export const make = (group: string, now: number): Route => ({
  startedAt: now,
  deadline: Number.POSITIVE_INFINITY,
  excluded: [],
  avoided: [],
  visited: [],
  attemptBudget: defaultAttemptBudget,
  reserved: 0,
  lastResort: true,
  journal: new Journal(group, now)
})

/** How many attempts may still be made here, fallback hops' reserve set aside. */
export const attemptsLeft = (route: Route): number => route.attemptBudget - route.reserved - route.journal.spent

/** The route of a new leg of a race, and the number that the leg's attempts are known by. */
export const onLeg = (route: Route): { readonly leg: number; readonly route: Route } => {
  const leg = route.journal.nextLeg()
  return { leg, route: { ...route, legs: [...(route.legs ?? []), leg] } }
}

/** The route with a deployment that must not be picked again. */
export const exclude = (route: Route, id: DeploymentId): Route =>
  route.excluded.includes(id) ? route : { ...route, excluded: [...route.excluded, id] }

/** The route with a deployment that is picked again only when no other remains. */
export const avoid = (route: Route, id: DeploymentId): Route =>
  route.avoided.includes(id) ? route : { ...route, avoided: [...route.avoided, id] }
