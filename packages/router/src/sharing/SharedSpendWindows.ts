/**
 * Money that many processes spend of the same windows, over an engine, in place of the windows of one process: budgets and spending
 * limits bind over all of them, and are overspent by what is in flight, at most. Without the engine each process spends its lease,
 * and its share of what was left when it heard of it last.
 */
import * as Background from "@switchyard/core/Background"
import { nowMs } from "@switchyard/core/Time"
import { type Context, Effect, type Scope } from "effect"
import type { EngineError } from "../fleet/Engine.js"
import { type EngineGuard, shareOf } from "../fleet/EngineGuard.js"
import * as LeasedSpendWindows from "../money/leased/LeasedSpendWindows.js"
import type { LeaseAsk, LeaseGrant, Spent, WindowState } from "../money/leased/SpendLease.js"
import type { SpendWindows } from "../money/SpendWindows.js"
import { SpentHere, type Told } from "./spentHere.js"

/** What this process has kept of what it spent, beyond its end. */
export interface Memory {
  /** All windows in force at a time, wall-clock ms. */
  readonly windows: (now: number) => Effect.Effect<ReadonlyArray<WindowState>, unknown>
  /** Notes what was spent; never fails. */
  readonly spend: (spent: Spent) => void
}

/** Options of the state. */
export interface Options {
  /** What is told to the engine at the start, and told of all that is spent. Default: nothing is kept. */
  readonly memory?: Memory | undefined
}

/** Windows that are told again at once. */
const atOnce = 200

/** Windows that are told again in a second: an engine may have lost some of them, and nobody else noticed. */
const perSecond = 20

/** The state over a guarded engine, for as long as the scope lives. */
export const make = (
  guard: EngineGuard,
  { memory }: Options = {}
): Effect.Effect<Context.Tag.Service<SpendWindows>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const { spend: engine } = guard.engine
    const spent = new SpentHere(guard.id)

    /** Asks, and tells what was spent with it; `amounts` are the leases, none where they stay as they are. */
    const tell = (asks: ReadonlyArray<Told>, amounts?: ReadonlyArray<number>) =>
      Effect.suspend(() => {
        const now = nowMs(clock)
        const told = asks.map((ask, index) => spent.ask(ask, amounts?.[index], now))
        return Effect.map(engine.lease(told), (grants) => {
          const at = nowMs(clock)
          for (const [index, ask] of told.entries()) {
            const grant = grants[index]
            if (grant !== undefined) spent.heard(ask, grant, at)
          }
          return grants
        })
      })

    const lease = (
      _: string,
      asks: ReadonlyArray<LeaseAsk>
    ): Effect.Effect<ReadonlyArray<LeaseGrant>, EngineError | "local"> =>
      guard.mode() === "local"
        ? Effect.fail("local" as const)
        : Effect.map(
            guard.ask(
              tell(
                asks,
                asks.map(({ amount }) => amount)
              )
            ),
            (grants) =>
              asks.map((ask, index): LeaseGrant => {
                const { endsIn = 0, granted = 0, leasedByOthers = 0, spent = 0, window = 0 } = grants[index] ?? {}
                const { key, length, scope } = ask
                return {
                  scope,
                  key,
                  length,
                  spent,
                  granted,
                  leasedByOthers,
                  endsAt: window === 0 ? undefined : ask.now + endsIn,
                  expiresAt: ask.now + ask.lasts
                }
              })
          )

    /** An engine that has lost what it knew learns it again. */
    const tellAll = Effect.suspend(() => {
      const all = spent.inForce(nowMs(clock))
      const parts = Array.from({ length: Math.ceil(all.length / atOnce) }, (_, part) =>
        all.slice(part * atOnce, (part + 1) * atOnce)
      )
      return Effect.forEach(parts, (part) => tell(part), { discard: true })
    })
    const tellSome = Effect.suspend(() => {
      const some = guard.mode() === "local" ? [] : spent.next(perSecond, nowMs(clock))
      return some.length === 0 ? Effect.void : Effect.ignore(guard.ask(tell(some)))
    })
    const stop = guard.onReturn(tellAll)
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    yield* Background.run(Effect.forever(Effect.zipRight(Effect.sleep(1_000), tellSome)))

    const windows = yield* LeasedSpendWindows.make({
      lease,
      release: () =>
        Effect.suspend(() => {
          const held = spent.unfinished(nowMs(clock))
          return guard.mode() === "local" || held.length === 0
            ? Effect.void
            : tell(
                held,
                held.map(() => 0)
              )
        }),
      windows: (wall) =>
        memory === undefined
          ? Effect.succeed([])
          : Effect.tap(memory.windows(wall), (windows) =>
              Effect.sync(() => {
                const now = nowMs(clock)
                for (const { endsAt, spent: sum, ...name } of windows) {
                  if (endsAt !== undefined) spent.begin(name, sum, now + (endsAt - wall))
                }
              })
            ),
      spend: (one) => {
        spent.add(one, nowMs(clock))
        memory?.spend(one)
      },
      settled: Effect.void,
      isAway: () => guard.mode() === "local",
      aloneMay: (left) => shareOf(Math.floor(left), guard.replicas())
    })
    // What was known before this process began, those who ask first should know, too.
    if (guard.mode() === "shared") yield* Background.run(Effect.ignore(guard.ask(tellAll)))
    return windows
  })
