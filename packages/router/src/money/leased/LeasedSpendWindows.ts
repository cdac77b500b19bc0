/**
 * Windows of money that others spend of, too: the router's `SpendWindows` over a store that leases money and sums up what was
 * settled. Calls spend from leases of 1 % of a limit (at least one call) that last 60 s, are asked for in one batch a second, or
 * at once where a call needs more, and are given back when a window is idle for 5 s and at the end.
 */
import * as Background from "@switchyard/core/Background"
import { nowMs } from "@switchyard/core/Time"
import { type Context, Deferred, Effect, Random, type Scope } from "effect"
import type { SpendWindows } from "../SpendWindows.js"
import { type AskedAt, LeasedWindow, type Office } from "./leasedWindow.js"
import type { LeaseAsk, LeaseGrant, Spent, WindowName, WindowState } from "./SpendLease.js"

/** What the windows ask of a store. A failure is an answer: it is away then. */
export interface LeaseStore {
  /** Leases of `holder`, in place of those that it had on the same windows; an answer for each. */
  readonly lease: (holder: string, asks: ReadonlyArray<LeaseAsk>) => Effect.Effect<ReadonlyArray<LeaseGrant>, unknown>
  /** Gives back all leases of a holder that ends. */
  readonly release: (holder: string) => Effect.Effect<void, unknown>
  /** All windows in force at a time (wall-clock ms). */
  readonly windows: (now: number) => Effect.Effect<ReadonlyArray<WindowState>, unknown>
  /** Notes what was spent, so that it is not lost; never fails. */
  readonly spend: (spent: Spent) => void
  /** Waits until all that was noted so far is in the store. */
  readonly settled: Effect.Effect<void, unknown>
  /** Whether it is known that it would not answer. Left out: it is asked. */
  readonly isAway?: () => boolean
  /** What may be spent here of what was left (nano-USD), while it does not answer. Left out: an equal part for each who held a lease. */
  readonly aloneMay?: (left: number) => number
}

/** Ms that a call waits for the store at most. */
const patience = 100

/** Ms between two looks at the windows in use. */
const every = 1_000

/** Ms after which an ask counts as not answered. */
const answerWithin = 5_000

/** Windows that are asked for at once. */
const atOnce = 1_000

/** Ms that giving the leases back may take: what stays expires by itself. */
const endWithin = 2_000

const windowsKept = 100_000

const noAnswer = "the store does not answer"

const nameOf = ({ scope, key, length }: WindowName): string => `${scope}\u0000${length}\u0000${key}`

/** Forgets the oldest that no call holds, a hundredth at once. What they know is in the journal and the store. */
const prune = (windows: Map<string, LeasedWindow>, capacity: number, now: number): void => {
  for (const [key, window] of windows) if (window.isResting(now)) windows.delete(key)
  const enough = capacity - Math.ceil(capacity / 100)
  for (const [key, window] of windows) {
    if (windows.size <= enough) return
    if (!window.isHeld) windows.delete(key)
  }
}

/**
 * A value of the service, which knows from the beginning what the store knows: no call is let in because nobody has looked yet.
 * At most `capacity` windows (default 100,000) are kept. Its leases are given back when the scope
 * closes, once all that was settled is in the store.
 */
export const make = (
  { aloneMay, isAway = () => false, lease, release, settled, spend, windows: told }: LeaseStore,
  capacity = windowsKept
): Effect.Effect<Context.Tag.Service<SpendWindows>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const holder = (yield* Effect.replicateEffect(Random.nextIntBetween(0, 0x1_0000_0000), 4))
      .map((part) => part.toString(16).padStart(8, "0"))
      .join("")
    const windows = new Map<string, LeasedWindow>()
    // A store that does not answer at the start is asked again by each window that is used.
    const toldAt: AskedAt = { now: nowMs(clock), wall: clock.unsafeCurrentTimeMillis() }
    const inForce = yield* told(toldAt.wall).pipe(
      Effect.timeoutFail({ duration: answerWithin, onTimeout: () => noAnswer }),
      Effect.orElseSucceed((): ReadonlyArray<WindowState> => [])
    )
    const known = new Map(inForce.map((state) => [nameOf(state), state]))
    const watched = new Set<LeasedWindow>()
    const wanted = new Set<LeasedWindow>()
    const bell = Effect.unsafeMakeLatch(false)
    const fiberId = yield* Effect.fiberId
    let answered = Deferred.unsafeMake<void>(fiberId)
    let askedAt: number | undefined
    let hasFailed = false
    let lookedAt = Number.NEGATIVE_INFINITY

    const office: Office = {
      isAway: (now) => hasFailed || isAway() || (askedAt !== undefined && now - askedAt >= patience),
      wallNow: () => clock.unsafeCurrentTimeMillis(),
      watch: (window) => {
        if (watched.size === 0) bell.unsafeOpen()
        watched.add(window)
      },
      want: (window) => {
        wanted.add(window)
        bell.unsafeOpen()
      },
      ask: (window) =>
        Effect.suspend(() => {
          wanted.add(window)
          bell.unsafeOpen()
          return Effect.timeoutTo(Effect.interruptible(Deferred.await(answered)), {
            duration: patience,
            onSuccess: () => undefined,
            onTimeout: () => undefined
          })
        }),
      spend,
      aloneMay,
      finally: (effect, end) => Effect.ensuring(effect, Effect.sync(end))
    }

    /** Windows to ask for: those that are wanted, and once a second all that are due. */
    const collect = (now: number): ReadonlyArray<LeasedWindow> => {
      const batch = new Set<LeasedWindow>()
      for (const window of wanted) {
        if (batch.size >= atOnce) break
        wanted.delete(window)
        batch.add(window)
      }
      if (now - lookedAt < every) return [...batch]
      lookedAt = now
      for (const window of [...watched]) {
        if (window.isResting(now)) watched.delete(window)
        else if (batch.size < atOnce && window.isDue(now)) {
          // Behind those that had to wait this time.
          watched.delete(window)
          watched.add(window)
          batch.add(window)
        }
      }
      return [...batch]
    }

    const askFor = (batch: ReadonlyArray<LeasedWindow>): Effect.Effect<void> =>
      Effect.suspend(() => {
        const at: AskedAt = { now: nowMs(clock), wall: clock.unsafeCurrentTimeMillis() }
        const isUnstored = batch.some((window) => window.hasUnstored)
        const asks = batch.map((window) => window.askAt(at))
        askedAt = at.now
        return (isUnstored ? Effect.zipRight(settled, lease(holder, asks)) : lease(holder, asks)).pipe(
          Effect.timeoutFail({ duration: answerWithin, onTimeout: () => noAnswer }),
          Effect.match({
            onSuccess: (grants) => {
              const now = nowMs(clock)
              for (const [index, window] of batch.entries()) {
                const [ask, grant] = [asks[index], grants[index]]
                if (ask !== undefined && grant !== undefined) window.learn(ask, grant, at, now)
              }
              hasFailed = false
            },
            onFailure: () => {
              for (const window of batch) window.missed()
              hasFailed = true
            }
          }),
          Effect.ensuring(
            Effect.sync(() => {
              askedAt = undefined
            })
          )
        )
      })

    const round = Effect.suspend(() => {
      bell.unsafeClose()
      const now = nowMs(clock)
      const batch = collect(now)
      if (wanted.size > 0) bell.unsafeOpen()
      if (batch.length === 0) return Effect.void
      const waiting = answered
      answered = Deferred.unsafeMake(fiberId)
      return Effect.ensuring(askFor(batch), Deferred.succeed(waiting, undefined))
    })
    // After a failure only time brings the next ask: nobody waits for a store that is away.
    const pause = Effect.suspend(() => {
      if (watched.size === 0 && wanted.size === 0) return bell.await
      const rest = Effect.sleep(Math.max(1, lookedAt + every - nowMs(clock)))
      return hasFailed
        ? Effect.zipRight(
            rest,
            Effect.sync(() => wanted.clear())
          )
        : Effect.raceFirst(bell.await, rest)
    })
    yield* Effect.addFinalizer(() =>
      Effect.zipRight(settled, release(holder)).pipe(
        Effect.timeoutFail({ duration: endWithin, onTimeout: () => noAnswer }),
        Effect.ignore
      )
    )
    yield* Background.run(Effect.forever(Effect.zipRight(round, pause)))
    return {
      window: (scope, key, length, now) => {
        const name = nameOf({ scope, key, length })
        const before = windows.get(name)
        if (before !== undefined) return before
        if (windows.size >= capacity) prune(windows, capacity, now)
        const made = new LeasedWindow({ scope, key, length }, office)
        windows.set(name, made)
        const state = known.get(name)
        if (state !== undefined) made.goOn(state, toldAt)
        known.delete(name)
        return made
      }
    }
  })
