/**
 * The breakers of deployments, shared by many processes over an engine: one that opens anywhere is open everywhere within a
 * moment, and after its cooldown all processes together make as many calls on trial as one would. Without the engine each
 * process decides by itself, by what it knew.
 */
import * as Background from "@switchyard/core/Background"
import * as Slot from "@switchyard/core/Slot"
import { closed } from "@switchyard/core/Status"
import { nowMs, toMs, withNow } from "@switchyard/core/Time"
import { type Context, type Duration, Effect, Runtime, type Scope } from "effect"
import type { CooldownState, CooldownStateDeps, Inspection } from "../breaker/CooldownState.js"
import { slowStartOf } from "../breaker/slowStart.js"
import type { BreakerWord } from "../fleet/BreakerEngine.js"
import type { EngineError } from "../fleet/EngineError.js"
import type { EngineGuard } from "../fleet/EngineGuard.js"
import { SharedBreaker, type Sharing } from "./sharedBreaker.js"

/** Options of the state. */
export interface Options {
  /** How long a process that says nothing holds a permit of a trial. Default 10 seconds. */
  readonly lease?: Duration.DurationInput
  /** How often what others do is looked up. Default 250 ms. */
  readonly refresh?: Duration.DurationInput
}

/** After so many looks all is looked at, not only what has changed: an engine may have lost something. */
const looksUntilAll = 20

const channel = "breakers"

/** States of this process so far: two routers of one app name their calls apart. */
let made = 0

const isolatedStatus = closed("isolated", undefined, "operator")

const idOf = (target: Slot.Slot | string): string => (typeof target === "string" ? target : target.id)

/** The state over a guarded engine, for as long as the scope lives. */
export const make = (
  guard: EngineGuard,
  { events, random }: CooldownStateDeps,
  options: Options = {}
): Effect.Effect<Context.Tag.Service<CooldownState>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const runFork = Runtime.runFork(yield* Background.runtime<never>())
    const lease = toMs(options.lease ?? 10_000)
    const refresh = toMs(options.refresh ?? 250)
    const engine = guard.engine.breakers
    const breakers = new Map<string, SharedBreaker>()
    /** What was heard last, also of deployments that nobody asked about yet. */
    const words = new Map<string, BreakerWord>()
    const untold = new Set<SharedBreaker>()
    const isolated = new Set<string>()
    /** What an operator did and the engine does not know. */
    const unheard = new Map<string, boolean>()
    let heard = 0
    let looks = 0
    const self = `${guard.id}:${++made}`
    let calls = 0

    const noteIsolated = (deployment: string, is: boolean): void => {
      if (isolated.has(deployment) === is) return
      if (is) isolated.add(deployment)
      else isolated.delete(deployment)
      events.publish({ _tag: is ? "DeploymentIsolated" : "DeploymentReleased", at: nowMs(clock), deployment })
    }

    const hear = (word: BreakerWord): void => {
      const known = words.get(word.key)
      if (known !== undefined && known.version > word.version) return
      words.set(word.key, word)
      if (!unheard.has(word.key)) noteIsolated(word.key, word.isolated)
      breakers.get(word.key)?.follow(word, nowMs(clock))
    }

    const sharing: Sharing = {
      engine,
      lease,
      isShared: () => guard.mode() === "shared",
      ask: guard.ask,
      run: (question) => void runFork(question),
      name: () => `${self}:${++calls}`,
      hear,
      spread: () => spread(),
      untold: (breaker) => void untold.add(breaker)
    }

    const cell = Slot.key("sharedCooldown", (deployment, slot) => {
      const made = new SharedBreaker(deployment.id, random, events.publish, slowStartOf(slot), sharing)
      breakers.set(deployment.id, made)
      const word = words.get(deployment.id)
      if (word !== undefined) made.follow(word, nowMs(clock))
      return made
    })

    /** Tells what the engine does not know. */
    const catchUp: Effect.Effect<void, EngineError> = Effect.suspend(() => {
      const now = nowMs(clock)
      const late = [...untold]
      untold.clear()
      const retold = Effect.forEach(late, (breaker) => breaker.retell(now), { discard: true }).pipe(
        Effect.tapError(() =>
          Effect.sync(() => {
            for (const breaker of late) untold.add(breaker)
          })
        )
      )
      const isolations = Effect.forEach(
        [...unheard],
        ([key, is]) =>
          Effect.map(engine.isolate(key, is), (word) => {
            if (unheard.get(key) === is) unheard.delete(key)
            hear(word)
            spread()
          }),
        { discard: true }
      )
      return Effect.zipRight(retold, isolations)
    })

    /** What an engine that tells of all has no word of, it has lost. */
    const noteLost = (all: ReadonlyArray<BreakerWord>, before: number): void => {
      const known = new Map(all.map((word) => [word.key, word]))
      const isAnew = all.every(({ version }) => version < before) && before > 0
      for (const breaker of breakers.values()) {
        if (isAnew) breaker.forget()
        else if (!known.has(breaker.deployment) && breaker.isMissed(before)) breaker.forget()
      }
      for (const key of words.keys()) if (!known.has(key)) words.delete(key)
      for (const key of isolated) if (!known.has(key)) unheard.set(key, true)
    }

    const lookAt = (since: number): Effect.Effect<void, EngineError> => {
      const before = heard
      return Effect.map(engine.look(since), (found) => {
        if (since === 0) {
          noteLost(found, before)
          heard = 0
        }
        for (const word of found) {
          heard = Math.max(heard, word.version)
          hear(word)
        }
      })
    }

    /** Others look sooner, where that is not under way. */
    let isSpreading = false
    const spread = (): void => {
      if (isSpreading) return
      isSpreading = true
      const told = Effect.ensuring(
        guard.engine.news.publish(channel, ""),
        Effect.sync(() => {
          isSpreading = false
        })
      )
      runFork(Effect.ignore(told))
    }
    let isLooking = false
    let isNews = false
    const lookSooner: Effect.Effect<void> = Effect.suspend(() => {
      isNews = true
      if (isLooking || guard.mode() === "local") return Effect.void
      isLooking = true
      const look = Effect.suspend(() => {
        isNews = false
        return Effect.ignore(guard.ask(lookAt(heard)))
      })
      return Effect.ensuring(
        Effect.repeat(look, { while: () => isNews }),
        Effect.sync(() => {
          isLooking = false
        })
      )
    })

    const lookUp = Effect.suspend(() => {
      if (guard.mode() === "local") return Effect.void
      const isTurn = looks++ % looksUntilAll === 0
      return guard.ask(
        Effect.zipRight(
          catchUp,
          Effect.suspend(() => lookAt(isTurn ? 0 : heard))
        )
      )
    })

    /** A process that did not run for a while learns which of its calls on trial have no say any more. */
    const renew = Effect.suspend(() => {
      const trials = [...breakers.values()].flatMap((breaker) => [...breaker.trials.values()])
      const held = trials.filter(({ place }) => place === "shared")
      if (guard.mode() === "local" || held.length === 0) return Effect.void
      const asked = held.map(({ attempt, key }) => ({ attempt, key }))
      return Effect.map(guard.ask(engine.renew(asked, lease)), (lost) => {
        const gone = new Set(lost.map(({ attempt }) => attempt))
        for (const trial of held) if (gone.has(trial.attempt)) trial.place = "lost"
      })
    })

    const stop = guard.onReturn(
      Effect.zipRight(
        catchUp,
        Effect.suspend(() => lookAt(0))
      )
    )
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    const every = (time: number, step: Effect.Effect<unknown, unknown>) =>
      // A tower may be built where nothing may be interrupted, and still has to end.
      Background.run(Effect.forever(Effect.zipRight(Effect.sleep(time), Effect.ignore(step))))
    yield* guard.engine.news.listen(channel, () => void runFork(lookSooner))
    yield* Effect.ignore(lookUp)
    yield* every(refresh, lookUp)
    yield* every(lease / 3, renew)

    const isIsolated = (slot: Slot.Slot): boolean => isolated.size > 0 && isolated.has(slot.id)
    const change = (f: (now: number) => void): Effect.Effect<void> => withNow((now) => Effect.sync(() => f(now)))
    const setIsolated = (target: Slot.Slot | string, is: boolean): Effect.Effect<void> =>
      Effect.suspend(() => {
        const key = idOf(target)
        noteIsolated(key, is)
        unheard.set(key, is)
        return guard.mode() === "local" ? Effect.void : Effect.ignore(guard.ask(catchUp))
      })

    return {
      of: (slot) => slot.get(cell),
      status: (slot, now, model) => (isIsolated(slot) ? isolatedStatus : slot.get(cell).status(now, model)),
      isIsolated,
      inspect: (slot, now): Inspection => {
        const view = slot.get(cell).view(now)
        return isIsolated(slot)
          ? { ...view, isolated: true, blockedBy: "isolated", until: undefined }
          : { ...view, isolated: false }
      },
      isolate: (target) => setIsolated(target, true),
      release: (target) => setIsolated(target, false),
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
      // Others know better than a process that was not there.
      restore: (slots, saved, now) => {
        if (guard.mode() === "shared") return
        for (const slot of slots) {
          const breaker = Object.hasOwn(saved.breakers, slot.id) ? saved.breakers[slot.id] : undefined
          if (breaker !== undefined) slot.get(cell).restore(breaker, now)
          if (saved.isolated.includes(slot.id)) noteIsolated(slot.id, true)
        }
      },
      cool: (slot, duration, reason = "manual") => change((now) => slot.get(cell).cool(reason, toMs(duration), now)),
      reset: (slot) => change((now) => slot.get(cell).reset(now))
    }
  })
