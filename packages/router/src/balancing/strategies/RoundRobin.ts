/**
 * Each deployment in turn: always the one that was served least recently among those that are open. So the cycle stays
 * even while deployments come, go, close and open again: among those that are open all the time, no one is ever served
 * two times more than another. One that was closed is served at once when it opens, and then waits its turn.
 *
 * When a deployment was served is kept in its slot, so a reload and a re-ordering of the list change nothing. The first
 * cycle follows the configuration. Expected time is constant: the candidates of a tier are a linked list, the one that was
 * served goes to its end, and only those are looked at that are closed and wait in front.
 */
import * as Slot from "@switchyard/core/Slot"
import { Layer } from "effect"
import type { Candidates } from "../Candidates.js"
import { RoutingStrategy, type Strategy } from "../RoutingStrategy.js"

interface Turn {
  /** The number of the selection in which the deployment was last served; 0 before the first. */
  served: number
}

const none = -1

/** The candidates of one tier, least recently served first: a linked list over their indices. */
class Cycle {
  private readonly slots: ReadonlyArray<Slot.Slot>
  private readonly next: Int32Array
  private head: number
  private tail: number

  constructor(candidates: Candidates, turns: Slot.SlotKey<Turn>) {
    this.slots = Array.from({ length: candidates.size }, (_, index) => candidates.at(index))
    const served = this.slots.map((slot) => slot.get(turns).served)
    const order = served.map((_, index) => index).sort((a, b) => (served[a] ?? 0) - (served[b] ?? 0) || a - b)
    this.next = new Int32Array(order.length)
    order.forEach((index, place) => {
      this.next[index] = order[place + 1] ?? none
    })
    this.head = order[0] ?? none
    this.tail = order[order.length - 1] ?? none
  }

  /** The first open candidate, which goes to the end; -1 when none is open, undefined when the list is another one. */
  serve(candidates: Candidates): number | undefined {
    if (candidates.size !== this.slots.length) return undefined
    let before = none
    for (let index = this.head; index !== none; index = this.next[index] ?? none) {
      if (candidates.at(index) !== this.slots[index]) return undefined
      if (candidates.isOpen(index)) {
        this.moveToEnd(index, before)
        return index
      }
      before = index
    }
    return none
  }

  private moveToEnd(index: number, before: number): void {
    if (index === this.tail) return
    const after = this.next[index] ?? none
    if (before === none) this.head = after
    else this.next[before] = after
    this.next[this.tail] = index
    this.next[index] = none
    this.tail = index
  }
}

/** The strategy, with cycles of its own. */
export const make = (): Strategy => {
  const turns = Slot.key<Turn>("roundRobin", () => ({ served: 0 }))
  // A reload makes new slots. So a tier is known by its first one, and its cycle goes when the registry drops it.
  const cycles = new WeakMap<Slot.Slot, Cycle>()
  let selections = 0
  return {
    name: "RoundRobin",
    select: (candidates) => {
      const { size } = candidates
      if (size < 2) return size === 1 && candidates.isOpen(0) ? 0 : -1
      const first = candidates.at(0)
      let index = cycles.get(first)?.serve(candidates)
      if (index === undefined) {
        const cycle = new Cycle(candidates, turns)
        cycles.set(first, cycle)
        index = cycle.serve(candidates) ?? none
      }
      if (index !== none) candidates.at(index).get(turns).served = ++selections
      return index
    }
  }
}

/** Serves the deployments of a group in turn. */
export const layer: Layer.Layer<RoutingStrategy> = Layer.fresh(Layer.sync(RoutingStrategy, make))
