/** A rule that chooses in place of a strategy of ours. What it must know of calls it is told, as it would see them itself. */
import type { Attempt } from "@switchyard/core/Attempt"
import type { Outcome } from "@switchyard/core/Outcome"
import type { Candidates } from "@switchyard/router/Candidates"
import type { Draws } from "../chance/Draws.js"
import type { Asked } from "../upstream/Asked.js"
import type { Foresight } from "../upstream/SimulatedUpstream.js"

/** A rule. Times are monotonic ms. */
export interface Rule {
  /** The index of an open candidate, or -1. */
  readonly select: (candidates: Candidates) => number
  /** A call begins. */
  readonly begun?: (attempt: Attempt) => void
  /** Its first content came: for a plain call, its answer. */
  readonly answered?: (attempt: Attempt, at: number) => void
  /** It is over. */
  readonly ended?: (attempt: Attempt, outcome: Outcome, at: number) => void
}

/** What a rule is made of. */
export interface RuleDeps {
  readonly draws: Draws
  /** What nobody but the oracle may ask: what would become of a call on a deployment. */
  readonly foresee: (deployment: string, asked: Asked) => Foresight
}

/** Whose turn it may be. */
export const openOnes = (candidates: Candidates): ReadonlyArray<number> => {
  const open: Array<number> = []
  for (let i = 0; i < candidates.size; i++) if (candidates.isOpen(i)) open.push(i)
  return open
}

/** The one with the least of something, the first of those that have; `among` in the order in which they are looked at. */
export const least = (among: ReadonlyArray<number>, score: (index: number) => number): number => {
  let best = -1
  let lowest = Number.POSITIVE_INFINITY
  for (const index of among) {
    const value = score(index)
    if (best === -1 || value < lowest) {
      best = index
      lowest = value
    }
  }
  return best
}

/** In an order of chance. */
export const shuffled = (indices: ReadonlyArray<number>, draws: Draws): ReadonlyArray<number> => {
  const order = [...indices]
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(draws.uniform() * (i + 1))
    const moved = order[i] as number
    order[i] = order[j] as number
    order[j] = moved
  }
  return order
}
