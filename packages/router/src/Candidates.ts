/**
 * What a strategy chooses from: a lazy view over the slots of one tier. Nothing is computed, filtered or allocated for a
 * candidate that the strategy does not look at.
 */
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { AttemptService } from "@switchyard/core/Service"
import type { Slot } from "@switchyard/core/Slot"

/** A reason to leave a deployment out, by name, so that an emptied list can say which filter emptied it. */
export interface Filter {
  readonly name: string
  readonly passes: (slot: Slot) => boolean
}

/** The candidates of one selection. */
export class Candidates {
  constructor(
    /** The name of the model group: round robin keeps one cycle per group. */
    readonly group: string,
    private readonly slots: ReadonlyArray<Slot>,
    readonly request: LlmRequest,
    /** Monotonic ms, read once per selection. */
    readonly now: number,
    private readonly status: AttemptService["status"],
    private readonly filters: ReadonlyArray<Filter>
  ) {}

  /** How many slots there are, open or not. */
  get size(): number {
    return this.slots.length
  }

  /** The slot at an index below `size`. */
  at(index: number): Slot {
    const slot = this.slots[index]
    if (slot === undefined) throw new RangeError(`candidate ${index} of ${this.slots.length}`)
    return slot
  }

  /** Whether the slot passes every filter: tags, region, this request's exclusions. */
  passes(index: number): boolean {
    const slot = this.at(index)
    for (const filter of this.filters) if (!filter.passes(slot)) return false
    return true
  }

  /** Whether the slot may be chosen: it passes the filters, and its status is open. */
  isOpen(index: number): boolean {
    return this.passes(index) && this.status(this.at(index), this.request, this.now)._tag === "Open"
  }
}
