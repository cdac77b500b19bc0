/**
 * When a deployment could be chosen: what a request-tier service answers before a call. Layers ask it before they wait, or
 * before they start a second attempt.
 */
import type { DeploymentId } from "./Deployment.js"

/** When one deployment could be chosen. */
export interface Opening {
  /** Undefined where nobody knows who will answer: a service that routes by rules of its own, or a layer that does not tell. */
  readonly deployment: DeploymentId | undefined
  /** Monotonic ms, infinite when nobody knows. What is open opens at the moment that was asked about. */
  readonly opensAt: number
  /** What the provider named, where `opensAt` is later by chance alone; else the same. */
  readonly namedAt: number
}

/** When those that could take a request open, as far as anybody knows. A plain read, no reservation. `now` is monotonic ms. */
export type Openings<in Req> = (request: Req, now: number) => ReadonlyArray<Opening>

/** Open now, for all that is known. Never taken for the word of a deployment. */
export const unknown: Openings<unknown> = (_, now) => [{ deployment: undefined, opensAt: now, namedAt: now }]

/** Whether whoever answered knows only that somebody may be asked: it is found out by asking. */
export const isUnknown = (openings: ReadonlyArray<Opening>): boolean =>
  openings.some(({ deployment }) => deployment === undefined)
