/**
 * What the router does, as it does it: a typed stream of events for dashboards, logs and apps. Publishing is synchronous
 * and costs nothing while nobody listens.
 */

import type { CacheAnswer } from "@switchyard/core/Journal"
import type { FallbackKind, Reason } from "@switchyard/core/LlmError"
import type { LlmRequest, Operation } from "@switchyard/core/LlmRequest"
import type { Usage } from "@switchyard/core/Usage"
import { Context, Effect, Layer, PubSub, Stream } from "effect"
import type { OutcomeLabel } from "./outcomeLabel.js"

export type { OutcomeLabel }

/** An attempt was sent to a deployment. */
export interface AttemptStarted {
  readonly _tag: "AttemptStarted"
  /** Monotonic ms. */
  readonly at: number
  readonly group: string
  readonly deployment: string
  readonly provider: string
  /** 1 for the first attempt of the request. */
  readonly number: number
}

/** An attempt is over; a stream's at its end. */
export interface AttemptEnded {
  readonly _tag: "AttemptEnded"
  /** Monotonic ms. */
  readonly at: number
  readonly group: string
  readonly deployment: string
  readonly provider: string
  /** 1 for the first attempt of the request. */
  readonly number: number
  /** `rejected`: a local limit turned it away before a byte was sent. */
  readonly outcome: OutcomeLabel | "rejected"
  /** Why it failed; undefined unless it did. */
  readonly reason: Reason | undefined
  /** The HTTP status of the failure, where there was one. */
  readonly status: number | undefined
  /** ms */
  readonly duration: number
  /** ms to the first content; undefined unless it was answered whole. */
  readonly timeToFirstToken: number | undefined
  readonly usage: Usage | undefined
  /** USD; undefined when no price is known. */
  readonly cost: number | undefined
}

/** A request is over; a stream's at its end. */
export interface RequestEnded {
  readonly _tag: "RequestEnded"
  /** Monotonic ms. */
  readonly at: number
  readonly operation: Operation
  readonly stream: boolean
  /** The model that the caller named. */
  readonly model: string
  /** The group that answered, or was asked last. */
  readonly group: string
  /** The deployment that answered, or was asked last; undefined when none was. */
  readonly deployment: string | undefined
  readonly provider: string | undefined
  /** Attempts that were sent. */
  readonly attempts: number
  /** The kind of the last fallback hop; undefined without one. */
  readonly fallback: FallbackKind | undefined
  readonly cache: CacheAnswer | undefined
  readonly outcome: OutcomeLabel
  /** Why it failed; undefined unless it did. */
  readonly reason: Reason | undefined
  /** The HTTP status of the failure, where there was one. */
  readonly status: number | undefined
  /** ms */
  readonly latency: number
  /** ms to a stream's first content; undefined for a plain request, and when there was none. */
  readonly timeToFirstToken: number | undefined
  /** Of all attempts together. */
  readonly usage: Usage | undefined
  /** USD of all attempts together; undefined when no price is known. */
  readonly cost: number | undefined
  readonly caller: string | undefined
}

/** A batch is over, and so is known what its lines used: no request of its own tells it. */
export interface BatchSettled {
  readonly _tag: "BatchSettled"
  /** Monotonic ms. */
  readonly at: number
  readonly group: string
  readonly deployment: string
  readonly provider: string
  readonly caller: string | undefined
  readonly tags: ReadonlyArray<string>
  /** Of all lines together; what they may have used at most, where `isEstimate`. */
  readonly usage: Usage
  /** USD; undefined when no price is known. */
  readonly cost: number | undefined
  /** Nobody could learn what it used. */
  readonly isEstimate: boolean
}

/** Something that happened in the router. `at` is monotonic ms, `delay` is ms. */
export type RouterEvent =
  | AttemptStarted
  | AttemptEnded
  | RequestEnded
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
      /** The deployment that failed, where one did. */
      readonly deployment: string | undefined
      readonly reason: string
      readonly delay: number
    }
  | {
      readonly _tag: "FallbackTaken"
      readonly at: number
      readonly kind: FallbackKind
      readonly from: string
      readonly to: string
      /** The deployment that failed, where one did. */
      readonly deployment: string | undefined
      readonly reason: string
    }
  | {
      readonly _tag: "HedgeStarted"
      readonly at: number
      readonly group: string
      /** The deployment that was too slow, or failed. */
      readonly deployment: string | undefined
    }
  | { readonly _tag: "HedgeWon"; readonly at: number; readonly group: string; readonly deployment: string }
  | {
      readonly _tag: "StreamRestarted"
      readonly at: number
      readonly group: string
      /** The deployment whose stream broke. */
      readonly deployment: string | undefined
      readonly reason: string
    }
  | BatchSettled
  | { readonly _tag: "BudgetExhausted"; readonly at: number; readonly scope: string; readonly key: string }
  | {
      /** So much is spent that a warning is due; nothing is refused for it. */
      readonly _tag: "BudgetNearlySpent"
      readonly at: number
      readonly scope: string
      readonly key: string
      /** USD at which the warning was due. */
      readonly soft: number
    }
  | {
      /** A request was turned away because its group has more to do than it can. */
      readonly _tag: "RequestThrottled"
      readonly at: number
      readonly group: string
      /** Of requests like it, from 0 to 1. */
      readonly share: number
    }
  | {
      /** A configuration came into force. */
      readonly _tag: "ConfigReloaded"
      readonly at: number
      readonly generation: number
      /** What is worth knowing about it, each a line of text. */
      readonly problems: ReadonlyArray<string>
    }
  | {
      /** A configuration could not be used; the one in force stays. */
      readonly _tag: "ConfigRefused"
      readonly at: number
      /** The generation that stays in force. */
      readonly generation: number
      /** Why, each a line of text. */
      readonly problems: ReadonlyArray<string>
    }

/** The shape of the service. */
export interface Events {
  /** Tells everybody who listens; never blocks, never fails. `about` is the request that it happened to, for its trace. */
  readonly publish: (event: RouterEvent, about?: LlmRequest) => void
  /** Whether anybody listens: events of every call are not even made otherwise. */
  readonly isActive: () => boolean
  /** Everything from now on; a slow reader loses the oldest events, never the router's time. */
  readonly stream: Stream.Stream<RouterEvent>
}

/** Where layers publish what they do. Its default keeps silent, so that no layer requires it. */
export class RouterEvents extends Context.Reference<RouterEvents>()("@switchyard/router/RouterEvents", {
  defaultValue: (): Events => ({ publish: () => {}, isActive: () => false, stream: Stream.empty })
}) {}

/** Events that can be subscribed to; at most `capacity` (default 1,024) wait for a slow reader. */
export const layerWith = (options: { readonly capacity?: number }): Layer.Layer<RouterEvents> =>
  Layer.effect(
    RouterEvents,
    Effect.map(PubSub.sliding<RouterEvent>(options.capacity ?? 1024), (hub) => {
      let readers = 0
      const reading = Effect.acquireRelease(
        Effect.sync(() => {
          readers++
        }),
        () =>
          Effect.sync(() => {
            readers--
          })
      )
      return {
        publish: (event) => {
          // `unsafeOffer` refuses what does not fit; only `publish` slides.
          if (readers > 0 && !hub.unsafeOffer(event)) Effect.runSync(hub.publish(event))
        },
        isActive: () => readers > 0,
        stream: Stream.unwrapScoped(Effect.as(reading, Stream.fromPubSub(hub)))
      }
    })
  )

/** Events that can be subscribed to; at most `capacity` (default 1,024) wait for a slow reader, with the defaults. */
export const layer: Layer.Layer<RouterEvents> = layerWith({})
