/**
 * What the router does, as it does it: a typed stream of events for dashboards, logs and apps. Publishing is synchronous
 * and costs nothing while nobody listens.
 */
import type { FallbackKind } from "@switchyard/core/LlmError"
import { Context, Effect, Layer, PubSub, Stream } from "effect"

/** Something that happened in the router. `at` is monotonic ms. */
export type RouterEvent =
  | {
      readonly _tag: "CooldownOpened"
      readonly at: number
      readonly deployment: string
      readonly reason: string
      readonly until: number
    }
  | { readonly _tag: "CooldownHalfOpen"; readonly at: number; readonly deployment: string }
  | { readonly _tag: "CooldownClosed"; readonly at: number; readonly deployment: string }
  | { readonly _tag: "DeploymentIsolated"; readonly at: number; readonly deployment: string }
  | { readonly _tag: "DeploymentReleased"; readonly at: number; readonly deployment: string }
  | { readonly _tag: "ProbeFailed"; readonly at: number; readonly deployment: string; readonly reason: string }
  | { readonly _tag: "ProbeRecovered"; readonly at: number; readonly deployment: string }
  | {
      readonly _tag: "Retried"
      readonly at: number
      readonly group: string
      readonly reason: string
      readonly delay: number
    }
  | {
      readonly _tag: "FallbackTaken"
      readonly at: number
      readonly kind: FallbackKind
      readonly from: string
      readonly to: string
      readonly reason: string
    }
  | { readonly _tag: "HedgeStarted"; readonly at: number; readonly group: string }
  | { readonly _tag: "HedgeWon"; readonly at: number; readonly group: string; readonly deployment: string }
  | { readonly _tag: "BudgetExhausted"; readonly at: number; readonly scope: string; readonly key: string }

/** The shape of the service. */
export interface Events {
  /** Tells everybody who listens; never blocks, never fails. */
  readonly publish: (event: RouterEvent) => void
  /** Everything from now on; a slow reader loses the oldest events, never the router's time. */
  readonly stream: Stream.Stream<RouterEvent>
}

/** Where layers publish what they do. Its default keeps silent, so that no layer requires it. */
export class RouterEvents extends Context.Reference<RouterEvents>()("@switchyard/router/RouterEvents", {
  defaultValue: (): Events => ({ publish: () => {}, stream: Stream.empty })
}) {}

/** Events that can be subscribed to; at most `capacity` (default 1,024) wait for a slow reader. */
export const layer = (options: { readonly capacity?: number } = {}): Layer.Layer<RouterEvents> =>
  Layer.effect(
    RouterEvents,
    Effect.map(PubSub.sliding<RouterEvent>(options.capacity ?? 1024), (hub) => ({
      publish: (event) => {
        hub.unsafeOffer(event)
      },
      stream: Stream.fromPubSub(hub)
    }))
  )
