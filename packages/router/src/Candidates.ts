/**
 * What a strategy chooses from: a lazy view over the slots of one tier. Nothing is computed, filtered or allocated for a
 * candidate that the strategy does not look at.
 */
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { AttemptService } from "@switchyard/core/Service"
import type { Slot } from "@switchyard/core/Slot"
import type { Status } from "@switchyard/core/Status"
import { substitute } from "./internal/resolve.js"

/** A reason to leave a deployment out, by name, so that an emptied list can say which filter emptied it. */
export interface Filter {
  readonly name: string
  readonly passes: (slot: Slot) => boolean
}

/** What a breaker says of itself, an operator's hand on it and failed health probes included. */
const breakerReasons: ReadonlySet<string> = new Set([
  "cooldown",
  "probing",
  "retryAfter",
  "outage",
  "unhealthy",
  "isolated"
])

/** Whether a breaker keeps the deployment from taking calls, and not a limit. */
const isClosedByBreaker = (status: Status): boolean => status._tag !== "Open" && breakerReasons.has(status.reason)

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
    private readonly filters: ReadonlyArray<Filter>,
    /** What the stars of a wildcard stood for; empty where the name was no wildcard's. */
    private readonly captures: ReadonlyArray<string> = []
  ) {}

  /** The provider's model name that a candidate would be asked for. */
  modelAt(index: number): string {
    return substitute(this.at(index).deployment.model, this.captures)
  }

  /** Whether the same name may mean another model next time, so that nothing about it may be kept in a slot. */
  get isWildcard(): boolean {
    return this.captures.length > 0
  }

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

  /** Whether the slot may be chosen: it passes the filters, and its status is open. The journal notes a closed breaker. */
  isOpen(index: number): boolean {
    if (!this.passes(index)) return false
    const slot = this.at(index)
    const status = this.status(slot, this.request, this.now)
    if (status._tag === "Open") return true
    if (isClosedByBreaker(status)) this.request.route.journal.noteClosed(slot.id)
    return false
  }
}
