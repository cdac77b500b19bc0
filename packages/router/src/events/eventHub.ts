import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { Events, RouterEvent } from "./RouterEvents.js"

/** What is told of events on their way. */
export type Tap = (event: RouterEvent, about: LlmRequest | undefined) => void

/**
 * Events of a tower, which tell taps on their way to those who listen. State that outlives a reload holds on to its events, so
 * what taps them can be exchanged behind it. Only rare events are told to taps at a cost, never one per call.
 */
export class EventHub implements Events {
  private taps: ReadonlyArray<Tap> = []
  readonly isActive: Events["isActive"]
  readonly stream: Events["stream"]
  readonly publish: Events["publish"]

  constructor(inner: Events) {
    this.isActive = inner.isActive
    this.stream = inner.stream
    this.publish = (event, about) => {
      for (const tap of this.taps) tap(event, about)
      inner.publish(event, about)
    }
  }

  /** Tells this one too, from now on. */
  tap(tap: Tap): void {
    this.taps = [...this.taps, tap]
  }

  /** Tells nobody but those who listen. */
  reset(): void {
    this.taps = []
  }
}
