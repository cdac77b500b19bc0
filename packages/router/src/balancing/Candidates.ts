/**
 * What a strategy chooses from: a lazy view over the slots of one tier. Nothing is computed, filtered or allocated for a
 * candidate that the strategy does not look at.
 */
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { AttemptService } from "@switchyard/core/Service"
import type { Slot } from "@switchyard/core/Slot"
import type { Status } from "@switchyard/core/Status"
import { substitute } from "@switchyard/core/Wildcard"
import { slowStartOf } from "../breaker/slowStart.js"

/** A reason to leave a deployment out, by name, so that an emptied list can say which filter emptied it. */
export interface Filter {
  readonly name: string
  readonly passes: (slot: Slot) => boolean
}

/** Whether a breaker, an operator's hand or failed health probes keep the deployment from taking calls, and not a limit of ours. */
const isClosedByBreaker = (status: Status): boolean =>
  status._tag === "Closed" || (status._tag === "Busy" && status.cause !== "limit")

/** The candidates of one selection. */
export class Candidates {
  private weighed: boolean | undefined
  private recovering: Map<number, boolean> | undefined

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

  /** The same candidates under the same indices, of which only those may be chosen that pass one more filter. */
  only(filter: Filter): Candidates {
    const { captures, filters, group, now, request, slots, status } = this
    return new Candidates(group, slots, request, now, status, [...filters, filter], captures)
  }

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

  /**
   * Whether the slot may be chosen: it is ready, it does not drain (weight 0) while another one is ready, and a recovered
   * one is in on this selection. Every strategy that asks honours weights of 0 and slow starts by that alone.
   */
  isOpen(index: number): boolean {
    const slot = this.at(index)
    if (slot.deployment.weight === 0 && this.isReady(index) && this.othersReady()) return false
    if (slowStartOf(slot).isRunning(this.now) && !this.isIn(index)) return false
    return this.isReady(index)
  }

  /** A deployment's weight at this moment, slow start included; one that has none counts as 1. */
  weightAt(index: number): number {
    const slot = this.at(index)
    return (slot.deployment.weight ?? 1) * slowStartOf(slot).factor(this.now)
  }

  /** Whether the slot passes the filters, and its status is open. The journal notes a closed breaker. */
  isReady(index: number): boolean {
    if (!this.passes(index)) return false
    const slot = this.at(index)
    const status = this.status(slot, this.request, this.now)
    if (status._tag === "Open") return true
    if (isClosedByBreaker(status)) this.request.route.journal.noteClosed(slot.id)
    return false
  }

  /** Whether a deployment with a weight is ready. */
  private othersReady(): boolean {
    if (this.weighed === undefined) {
      this.weighed = false
      for (let i = 0; i < this.size && !this.weighed; i++) {
        this.weighed = this.at(i).deployment.weight !== 0 && this.isReady(i)
      }
    }
    return this.weighed
  }

  /** Whether a recovered deployment is in on this selection; it always is where all others are out or recovering too. */
  private isIn(index: number): boolean {
    this.recovering ??= new Map()
    const known = this.recovering.get(index)
    if (known !== undefined) return known
    const isIn = slowStartOf(this.at(index)).admits(this.now) || !this.fullyReady()
    this.recovering.set(index, isIn)
    return isIn
  }

  private fullyReady(): boolean {
    for (let i = 0; i < this.size; i++) {
      const slot = this.at(i)
      if (slot.deployment.weight !== 0 && !slowStartOf(slot).isRunning(this.now) && this.isReady(i)) return true
    }
    return false
  }
}
