import type { EngineError } from "./Engine.js"

/** How a question to the engine ended. */
export type Outcome = "answered" | EngineError["reason"]

/** Upper bounds of the times that answers took, ms: below the bound of a command they are close together. */
export const bounds: ReadonlyArray<number> = [0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 250, 1000]

/** What was asked of an engine since the start, and how long answers took. */
export class AskFigures {
  readonly outcomes: Record<Outcome, number> = { answered: 0, slow: 0, away: 0, refused: 0 }
  /** Answers by the first bound that they came within; the last are those beyond all. */
  readonly within: Array<number> = Array.from({ length: bounds.length + 1 }, () => 0)
  /** Time of all answers together, ms. */
  sum = 0

  note(outcome: Outcome, ms: number): void {
    this.outcomes[outcome]++
    if (outcome !== "answered") return
    this.sum += ms
    let at = 0
    while (at < bounds.length && ms > (bounds[at] ?? 0)) at++
    this.within[at] = (this.within[at] ?? 0) + 1
  }
}
