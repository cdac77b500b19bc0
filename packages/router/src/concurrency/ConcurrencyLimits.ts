/**
 * What is known of how many calls at once each deployment bears: the state behind adaptive concurrency, in the cells of the
 * slots, so that it outlives a reload. Metrics read it.
 */
import * as Slot from "@switchyard/core/Slot"
import { Context, Layer } from "effect"
import * as State from "../stack/State.js"
import { LearnedConcurrency } from "./learnedConcurrency.js"

export type { LearnedConcurrency }

/** The learned limits of deployments. */
export class ConcurrencyLimits extends Context.Tag("@switchyard/router/ConcurrencyLimits")<
  ConcurrencyLimits,
  {
    /** What is known of the slot's deployment, which begins with a limit of `initial`; a live view, not a copy. */
    readonly of: (slot: Slot.Slot, initial: number) => LearnedConcurrency
    /** The same without making it: undefined for a deployment that was never asked. */
    readonly known: (slot: Slot.Slot) => LearnedConcurrency | undefined
    /** Says that a call is over and its room free. */
    readonly released: (slot: Slot.Slot, now: number) => void
    /** Calls the listener for each call that is over, `now` being monotonic ms; gives back the way to stop. */
    readonly onRelease: (listener: (slot: Slot.Slot, now: number) => void) => () => void
  }
>() {}

interface Cell {
  learned: LearnedConcurrency | undefined
}

/** A value of the service, for composing without Layers. */
export const make = (): Context.Tag.Service<ConcurrencyLimits> => {
  const key = Slot.key<Cell>("concurrency", () => ({ learned: undefined }))
  const listeners = new Set<{ readonly tell: (slot: Slot.Slot, now: number) => void }>()
  return {
    of: (slot, initial) => {
      const cell = slot.get(key)
      cell.learned ??= new LearnedConcurrency({ initial })
      return cell.learned
    },
    known: (slot) => slot.get(key).learned,
    released: (slot, now) => {
      for (const { tell } of listeners) tell(slot, now)
    },
    onRelease: (tell) => {
      const own = { tell }
      listeners.add(own)
      return () => {
        listeners.delete(own)
      }
    }
  }
}

/** Limits kept in this process. */
export const layerMemory: Layer.Layer<ConcurrencyLimits> = Layer.sync(ConcurrencyLimits, make)

/** The learned limits of a tower's deployments. */
export class Learned extends State.make({
  name: "concurrency",
  tag: ConcurrencyLimits,
  layer: () => layerMemory
}) {}
