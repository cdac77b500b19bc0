/**
 * The breaker of each deployment, kept in its slot, and what an operator may do to it by hand. The Cooldown layer and the
 * health probes write it; dashboards and strategies read it.
 */

import { type Uniform, uniform } from "@switchyard/core/Dice"
import { key, type Slot } from "@switchyard/core/Slot"
import { closed, type Status } from "@switchyard/core/Status"
import { toMs, withNow } from "@switchyard/core/Time"
import { Context, type Duration, Effect, Layer, Schema, type Scope } from "effect"
import { type Events, RouterEvents } from "../events/RouterEvents.js"
import { TowerEvents } from "../events/TowerEvents.js"
import * as State from "../stack/State.js"
import { Breaker as MemoryBreaker, type Ticket } from "./breaker.js"
import type { Policy } from "./breakerPolicy.js"
import { BreakerSnapshot } from "./breakerSnapshot.js"
import type { BreakerView } from "./breakerView.js"
import { slowStartOf } from "./slowStart.js"

export type { BreakerView }

/** The breaker of one deployment, wherever it is kept: a state of one's own gives its own, and one that lives in this process is the default. */
export interface Breaker extends Pick<MemoryBreaker, keyof MemoryBreaker> {
  /**
   * Asks where a call on trial is let in by others: then its answer is what `admit` would say. Undefined where `admit` can say
   * it by itself. Run it where no interruption can fall between it and the watch over the call.
   */
  readonly admitTogether?: (
    policy: Policy,
    now: number,
    forced: boolean,
    named: boolean
  ) => Effect.Effect<Ticket | undefined> | undefined
}

/** What an operator sees of one deployment: its breaker, and whether it was isolated by hand. Times are monotonic ms. */
export interface Inspection extends BreakerView {
  readonly isolated: boolean
}

/** Gives the breaker of a slot, and the operator's hand on it. */
export class CooldownState extends Context.Tag("@switchyard/router/CooldownState")<
  CooldownState,
  {
    /** The breaker of a slot, made at first use. */
    readonly of: (slot: Slot) => Breaker
    /**
     * Whether the slot's deployment may be called at `now` (monotonic ms): isolation, health probes, Retry-After, cooldown.
     * With the name that a request asks for, a wildcard is closed to models that its provider does not have.
     */
    readonly status: (slot: Slot, now: number, model?: string) => Status
    /** Whether an operator took the slot's deployment out. */
    readonly isIsolated: (slot: Slot) => boolean
    /** Everything about a slot at `now` (monotonic ms); changes nothing. */
    readonly inspect: (slot: Slot, now: number) => Inspection
    /** Takes a deployment out until `release`; calls in flight go on. An id that nobody knows yet is isolated when it comes. */
    readonly isolate: (target: Slot | string) => Effect.Effect<void>
    /** Ends an isolation, and nothing else; harmless when there is none. */
    readonly release: (target: Slot | string) => Effect.Effect<void>
    /** The ids of all isolated deployments. */
    readonly isolated: () => ReadonlyArray<string>
    /** Puts a deployment into cooldown for at least `duration`; a running cooldown is never shortened. */
    readonly cool: (slot: Slot, duration: Duration.DurationInput, reason?: string) => Effect.Effect<void>
    /** What another process may go on with, by deployment id. `now` is monotonic ms. */
    readonly snapshot: (slots: ReadonlyArray<Slot>, now: number) => CooldownSnapshot
    /** Goes on from another process's snapshot of `now`, which may be past. Deployments that it does not name stay as they are. */
    readonly restore: (slots: ReadonlyArray<Slot>, saved: CooldownSnapshot, now: number) => void
    /** Ends cooldown and Retry-After at once, for example when a key was repaired; probe failures and isolation stay. */
    readonly reset: (slot: Slot) => Effect.Effect<void>
  }
>() {}

/** What another process may go on with: breakers by deployment id, and who was isolated by hand. */
export const CooldownSnapshot = Schema.Struct({
  breakers: Schema.Record({ key: Schema.String, value: BreakerSnapshot }),
  isolated: Schema.Array(Schema.String)
})
/** What another process may go on with: breakers by deployment id, and who was isolated by hand. */
export type CooldownSnapshot = typeof CooldownSnapshot.Type

/** What the state is made with. */
export interface CooldownStateDeps {
  /** Uniform in [0, 1), for the jitter of cooldowns. */
  readonly random: Uniform
  readonly events: Events
}

const isolatedStatus = closed("isolated", undefined, "operator")

const idOf = (target: Slot | string): string => (typeof target === "string" ? target : target.id)

/** A value of the service, for composing without Layers. */
export const make = (deps: CooldownStateDeps): Context.Tag.Service<CooldownState> => {
  const { events, random } = deps
  const cell = key(
    "cooldown",
    (deployment, slot) => new MemoryBreaker(deployment.id, random, events.publish, slowStartOf(slot))
  )
  const isolated = new Set<string>()
  const isIsolated = (slot: Slot): boolean => isolated.size > 0 && isolated.has(slot.id)
  const change = (f: (now: number) => void): Effect.Effect<void> => withNow((now) => Effect.sync(() => f(now)))
  return {
    of: (slot) => slot.get(cell),
    status: (slot, now, model) => (isIsolated(slot) ? isolatedStatus : slot.get(cell).status(now, model)),
    isIsolated,
    inspect: (slot, now) => {
      const view = slot.get(cell).view(now)
      return isIsolated(slot)
        ? { ...view, isolated: true, blockedBy: "isolated", until: undefined }
        : { ...view, isolated: false }
    },
    isolate: (target) =>
      change((now) => {
        const deployment = idOf(target)
        if (isolated.has(deployment)) return
        isolated.add(deployment)
        events.publish({ _tag: "DeploymentIsolated", at: now, deployment })
      }),
    release: (target) =>
      change((now) => {
        const deployment = idOf(target)
        if (isolated.delete(deployment)) events.publish({ _tag: "DeploymentReleased", at: now, deployment })
      }),
    isolated: () => [...isolated],
    snapshot: (slots, now) => ({
      breakers: Object.fromEntries(
        slots.flatMap((slot) => {
          const saved = slot.get(cell).snapshot(now)
          return saved === undefined ? [] : [[slot.id, saved] as const]
        })
      ),
      isolated: slots.filter(isIsolated).map(({ id }) => id)
    }),
    restore: (slots, saved, now) => {
      for (const slot of slots) {
        const breaker = Object.hasOwn(saved.breakers, slot.id) ? saved.breakers[slot.id] : undefined
        if (breaker !== undefined) slot.get(cell).restore(breaker, now)
        if (saved.isolated.includes(slot.id)) isolated.add(slot.id)
      }
    },
    cool: (slot, duration, reason = "manual") => change((now) => slot.get(cell).cool(reason, toMs(duration), now)),
    reset: (slot) => change((now) => slot.get(cell).reset(now))
  }
}

/** Breakers kept in this process. Their jitter comes from Effect's `Random` when the layer is built. */
export const layerMemory: Layer.Layer<CooldownState> = Layer.effect(
  CooldownState,
  Effect.zipWith(uniform, RouterEvents, (random, events) => make({ random, events }))
)

/** How towers make their breakers: in this process, unless an app shares them with others. */
export class Making extends Context.Reference<Making>()("@switchyard/router/CooldownState/Making", {
  defaultValue:
    () =>
    (deps: CooldownStateDeps): Effect.Effect<Context.Tag.Service<CooldownState>, never, Scope.Scope> =>
      Effect.succeed(make(deps))
}) {}

/** The breakers of a tower. */
export class Breakers extends State.make({
  name: "breakers",
  tag: CooldownState,
  needs: [TowerEvents],
  layer: () =>
    Layer.scoped(
      CooldownState,
      Effect.gen(function* () {
        const making = yield* Making
        return yield* making({ random: yield* uniform, events: yield* RouterEvents })
      })
    )
}) {}
