/** The events of a tower, over those of its app. */
import { Effect, Layer } from "effect"
import * as State from "../stack/State.js"
import { EventHub, type Tap } from "./eventHub.js"
import { type Events, RouterEvents } from "./RouterEvents.js"

/** Where the layers of a tower publish: what counts or notes events is exchanged with each reload, behind the state that publishes. */
export class TowerEvents extends State.make({
  name: "events",
  tag: RouterEvents,
  over: true,
  layer: () =>
    Layer.effect(
      RouterEvents,
      Effect.map(RouterEvents, (inner): Events => new EventHub(inner))
    ),
  update: (events) => Effect.sync(() => (events instanceof EventHub ? events.reset() : undefined))
}) {}

/** Tells this one too of a tower's events, until the tower is replaced. */
export const tapped = (events: Events, tap: Tap): void => {
  if (events instanceof EventHub) events.tap(tap)
}
