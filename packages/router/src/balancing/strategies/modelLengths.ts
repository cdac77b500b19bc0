import type { Slot } from "@switchyard/core/Slot"
import { usualOutput } from "../../money/answerLengths.js"
import type { Candidates } from "../Candidates.js"

/** The usual output tokens of the models of a selection, over all deployments that run them. One for a selection. */
export class ModelLengths {
  private readonly means = new Map<string, { sum: number; count: number }>()

  begin(candidates: Candidates): void {
    this.means.clear()
    for (let i = 0; i < candidates.size; i++) {
      const slot = candidates.at(i)
      const usual = usualOutput(slot)
      if (usual === undefined) continue
      const known = this.means.get(slot.deployment.model)
      if (known === undefined) this.means.set(slot.deployment.model, { sum: usual, count: 1 })
      else {
        known.sum += usual
        known.count++
      }
    }
  }

  /** Undefined while nobody knows. */
  of({ deployment: { model } }: Slot): number | undefined {
    const known = this.means.get(model)
    return known === undefined ? undefined : known.sum / known.count
  }
}
