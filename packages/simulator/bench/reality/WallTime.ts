import { VirtualTime } from "@switchyard/simulator/VirtualTime"
import { Clock } from "effect"
import { Samples } from "../../src/figures/quantiles.js"

type Event = ReturnType<VirtualTime["at"]>

/** Time as everybody has it, for models that were made for a virtual one: what happens at a moment, happens then. */
export class WallTime extends VirtualTime {
  private readonly startedAt = performance.now()
  private readonly timers = new Map<Event, NodeJS.Timeout>()
  private events = 0
  /** By how many ms each event came too late: how busy the machine was. */
  readonly lateness = new Samples()

  override get now(): number {
    return performance.now() - this.startedAt
  }

  override get pending(): number {
    return this.timers.size
  }

  override at(due: number, fire: () => void): Event {
    const event: Event = { due, order: this.events++, index: -1, fire }
    const later = (): void => {
      const left = due - this.now
      // A timer of Node's may fire a part of a millisecond early.
      if (left > 0) this.timers.set(event, setTimeout(later, Math.ceil(left)))
      else {
        this.lateness.add(-left)
        this.timers.delete(event)
        fire()
      }
    }
    this.timers.set(event, setTimeout(later, Math.max(0, due - this.now)))
    return event
  }

  override cancel(event: Event): void {
    clearTimeout(this.timers.get(event))
    this.timers.delete(event)
  }

  override readonly clock: Clock.Clock = Clock.make()
}
