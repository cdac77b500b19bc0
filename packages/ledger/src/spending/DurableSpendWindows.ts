/**
 * Windows of money that a restart, a crash and other gateways on the same store know of: the router's `SpendWindows` over a
 * ledger. What is settled is written to the journal in the same tick; calls spend from leases of 1 % of a limit (at least one
 * call) that last 60 s, are asked for in one batch a second, or at once where a call needs more, and are given back when a window
 * is idle for 5 s and at the end. What a crash leaves of a lease counts as spent until it expires.
 */
import { nowMs } from "@switchyard/core/Time"
import { SpendWindows } from "@switchyard/router/SpendWindows"
import { type Context, Deferred, Effect, Layer, Random, type Scope } from "effect"
import { LedgerError } from "../errors/LedgerError.js"
import { Ledger } from "../ledger/Ledger.js"
import type { Spent, WindowName, WindowState } from "../money/Lease.js"
import type { Store } from "../store/Store.js"
import { type AskedAt, DurableWindow, type Office } from "./durableWindow.js"

/** What the windows ask of a ledger. */
export interface LeaseStore extends Pick<Store, "lease" | "release" | "windows"> {
  /** Writes to the journal what was spent; never fails. */
  readonly spend: (spent: Spent) => void
  /** Waits until all that was written so far is in the store. */
  readonly settled: Effect.Effect<void, LedgerError>
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

const noAnswer = new LedgerError({ reason: "away", description: "the store does not answer" })

const nameOf = ({ scope, key, length }: WindowName): string => `${scope}\u0000${length}\u0000${key}`

/** Forgets the oldest that no call holds, a hundredth at once. What they know is in the journal and the store. */
const prune = (windows: Map<string, DurableWindow>, capacity: number, now: number): void => {
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
  { lease, release, settled, spend, windows: told }: LeaseStore,
  capacity = windowsKept
): Effect.Effect<Context.Tag.Service<SpendWindows>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const holder = (yield* Effect.replicateEffect(Random.nextIntBetween(0, 0x1_0000_0000), 4))
      .map((part) => part.toString(16).padStart(8, "0"))
      .join("")
    const windows = new Map<string, DurableWindow>()
    // A store that does not answer at the start is asked again by each window that is used.
    const toldAt: AskedAt = { now: nowMs(clock), wall: clock.unsafeCurrentTimeMillis() }
    const inForce = yield* told(toldAt.wall).pipe(
      Effect.timeoutFail({ duration: answerWithin, onTimeout: () => noAnswer }),
      Effect.orElseSucceed((): ReadonlyArray<WindowState> => [])
    )
    const known = new Map(inForce.map((state) => [nameOf(state), state]))
    const watched = new Set<DurableWindow>()
    const wanted = new Set<DurableWindow>()
    const bell = Effect.unsafeMakeLatch(false)
    const fiberId = yield* Effect.fiberId
    let answered = Deferred.unsafeMake<void>(fiberId)
    let askedAt: number | undefined
    let hasFailed = false
    let lookedAt = Number.NEGATIVE_INFINITY

    const office: Office = {
      isAway: (now) => hasFailed || (askedAt !== undefined && now - askedAt >= patience),
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
      finally: (effect, end) => Effect.ensuring(effect, Effect.sync(end))
    }

    /** Windows to ask for: those that are wanted, and once a second all that are due. */
    const collect = (now: number): ReadonlyArray<DurableWindow> => {
      const batch = new Set<DurableWindow>()
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

    const askFor = (batch: ReadonlyArray<DurableWindow>): Effect.Effect<void> =>
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
    yield* Effect.forkScoped(Effect.interruptible(Effect.forever(Effect.zipRight(round, pause))))
    return {
      window: (scope, key, length, now) => {
        const name = nameOf({ scope, key, length })
        const before = windows.get(name)
        if (before !== undefined) return before
        if (windows.size >= capacity) prune(windows, capacity, now)
        const made = new DurableWindow({ scope, key, length }, office)
        windows.set(name, made)
        const state = known.get(name)
        if (state !== undefined) made.goOn(state, toldAt)
        known.delete(name)
        return made
      }
    }
  })

/** Windows over a ledger, whose thread stores what the journal holds before it leases or gives back. */
export const of = (ledger: Context.Tag.Service<Ledger>): ReturnType<typeof make> => {
  const { spend, store } = ledger
  return make({ settled: Effect.void, spend, lease: store.lease, release: store.release, windows: store.windows })
}

/** Windows over a ledger. */
export const layer: Layer.Layer<SpendWindows, never, Ledger> = Layer.scoped(SpendWindows, Effect.flatMap(Ledger, of))
