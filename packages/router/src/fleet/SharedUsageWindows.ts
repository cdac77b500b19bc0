/**
 * The use of deployments' limits, shared by many processes over an engine, in place of the windows of one process. Admission
 * is the engine's, exact over all; selection reads what was heard last. Without the engine each process admits its share.
 */
import type { Journal } from "@switchyard/core/Journal"
import * as Slot from "@switchyard/core/Slot"
import { type Busy, busy, open, type Status } from "@switchyard/core/Status"
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Context, type Duration, Effect, Runtime, type Scope } from "effect"
import { windowMs } from "../limits/slidingWindow.js"
import * as UsageWindows from "../limits/UsageWindows.js"
import type { Admitted, EngineError, Held, Recorded, Refused, SharedLimits } from "./Engine.js"
import { type EngineGuard, shareOf } from "./EngineGuard.js"
import { UsageView } from "./usageView.js"

/** Options of the state. */
export interface Options {
  /** How long a process that says nothing holds its calls' room. Default 10 seconds. */
  readonly lease?: Duration.DurationInput
  /** How often what others use is looked up, while somebody reads it. Default 250 ms. */
  readonly refresh?: Duration.DurationInput
  /** Length of the window of `rpm` and `tpm`. Default 60 seconds. */
  readonly window?: Duration.DurationInput
}

/** How long a deployment that nobody asks about is looked up, ms. */
const interest = 5_000

const limitsOf = ({ deployment: { maxParallel, rpm, tpm } }: Slot.Slot): SharedLimits => ({ maxParallel, rpm, tpm })

const isLimited = ({ deployment: { maxParallel, rpm, tpm } }: Slot.Slot): boolean =>
  rpm !== undefined || tpm !== undefined || maxParallel !== undefined

/** What this process knows of one deployment. */
interface Cell {
  readonly view: UsageView
  /** Monotonic ms of the last question about it. */
  askedAt: number
  /** The slot without limits, to count with; and with this process's share of them. Made anew with the configuration. */
  counting: Slot.Slot | undefined
  dividing: { readonly of: Slot.Slot; readonly by: string; readonly slot: Slot.Slot } | undefined
}

/** What was used of a deployment, until when. */
interface Recent {
  requests: number
  tokens: number
  at: number
}

/** A call in flight that the engine knows, or is to be told of. */
interface Open extends Held {
  readonly limits: SharedLimits
  readonly tokens: number
  /** Whether the engine holds it; `lost`: it did, and gave its room to others. */
  place: "here" | "shared" | "lost"
  /** Ends the call. */
  end: () => void
}

/** The state over a guarded engine, for as long as the scope lives. */
export const make = (
  guard: EngineGuard,
  options: Options = {}
): Effect.Effect<Context.Tag.Service<UsageWindows.UsageWindows>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    const lease = toMs(options.lease ?? 10_000)
    const refresh = toMs(options.refresh ?? 250)
    const window = toMs(options.window ?? windowMs)
    const { usage: engine } = guard.engine
    const local = UsageWindows.make()
    const running = new Map<string, Open>()
    const watched = new Map<string, Cell>()
    /** What was used without the engine, by deployment. */
    const unheard = new Map<string, Recent>()
    /** Calls that it holds and that ended while it was away, with the tokens that they used. */
    const unsettled = new Map<string, { readonly held: Held; readonly tokens: number | undefined }>()
    let calls = 0

    const cellKey = Slot.key(
      "sharedUsage",
      (): Cell => ({
        view: new UsageView(),
        askedAt: Number.NEGATIVE_INFINITY,
        counting: undefined,
        dividing: undefined
      })
    )

    const countingSlot = (slot: Slot.Slot, cell: Cell): Slot.Slot => {
      if (cell.counting?.id !== slot.id) {
        const deployment = { ...slot.deployment, rpm: undefined, tpm: undefined, maxParallel: undefined }
        cell.counting = slot.withDeployment(deployment)
      }
      return cell.counting
    }

    const dividedSlot = (slot: Slot.Slot, cell: Cell): Slot.Slot => {
      const replicas = guard.replicas()
      const by = `${replicas.place}/${replicas.count}`
      if (cell.dividing?.of !== slot || cell.dividing.by !== by) {
        const { maxParallel, rpm, tpm } = slot.deployment
        const share = (limit: number | undefined) => (limit === undefined ? undefined : shareOf(limit, replicas))
        const limits = { rpm: share(rpm), tpm: share(tpm), maxParallel: share(maxParallel) }
        cell.dividing = { of: slot, by, slot: slot.withDeployment({ ...slot.deployment, ...limits }) }
      }
      return cell.dividing.slot
    }

    /** What the engine is told and nobody waits for. */
    const tell = (question: Effect.Effect<unknown, unknown>): void => void runFork(Effect.ignore(question))

    const noteUse = (key: string, tokens: number, at: number): void => {
      const known = unheard.get(key)
      if (known === undefined) return void unheard.set(key, { requests: 1, tokens, at })
      known.requests++
      known.tokens += tokens
      known.at = at
    }

    const endOf = (held: Held, tokens: number | undefined): Effect.Effect<void, EngineError> =>
      tokens === undefined ? engine.release(held) : engine.settle(held, tokens)

    const ended = (open: Open, own: UsageWindows.Reservation, tokens: number | undefined, now: number): void => {
      if (!running.delete(open.attempt)) return
      if (tokens === undefined) own.release(now)
      else own.settle(tokens, now)
      if (open.place === "shared") {
        watched.get(open.key)?.view.ended()
        if (guard.mode() === "shared") tell(guard.ask(endOf(open, tokens)))
        else unsettled.set(open.attempt, { held: open, tokens })
      } else if (open.place === "here" && tokens !== undefined) noteUse(open.key, tokens, now)
    }

    /** A call that goes out, counted here as well: what this process does itself it always knows. */
    const going = (
      slot: Slot.Slot,
      cell: Cell,
      tokens: number,
      now: number,
      journal: Journal | undefined,
      open: Open
    ) =>
      Effect.map(local.reserve(countingSlot(slot, cell), tokens, now, journal), (own) => {
        if (own._tag === "Busy") return own
        running.set(open.attempt, open)
        const made: UsageWindows.Reservation = {
          _tag: "Reservation",
          settle: (used, at) => ended(open, own, used, at),
          release: (at) => ended(open, own, undefined, at),
          whenLost: (end) => {
            open.end = end
          }
        }
        return made
      })

    const byShare = (
      slot: Slot.Slot,
      cell: Cell,
      tokens: number,
      now: number,
      journal: Journal | undefined,
      open: Open
    ): Effect.Effect<UsageWindows.Reservation | Busy> => {
      const status = local.status(dividedSlot(slot, cell), tokens, now)
      return status._tag === "Busy" ? Effect.succeed(status) : going(slot, cell, tokens, now, journal, open)
    }

    const refusedUntil = ({ freesIn, reason }: Refused, now: number): Busy => ({
      ...busy(reason, freesIn === undefined ? undefined : now + freesIn),
      ...(reason === "rpm" ? {} : { early: true })
    })

    const reserve = (
      slot: Slot.Slot,
      tokens: number,
      now: number,
      journal: Journal | undefined
    ): Effect.Effect<UsageWindows.Reservation | Busy> => {
      if (!isLimited(slot)) return local.reserve(slot, tokens, now, journal)
      const cell = cellOf(slot, now)
      const attempt = `${guard.id}:${++calls}`
      const limits = limitsOf(slot)
      const open: Open = { key: slot.id, attempt, limits, tokens, place: "here", end: () => {} }
      if (guard.mode() === "local") return byShare(slot, cell, tokens, now, journal, open)
      return Effect.matchEffect(guard.ask(engine.admit({ key: slot.id, attempt, limits, tokens, lease, window })), {
        onFailure: (): Effect.Effect<UsageWindows.Reservation | Busy> => {
          // It may have been admitted all the same: then its room comes back, now or with its lease.
          tell(engine.release(open))
          return byShare(slot, cell, tokens, now, journal, open)
        },
        onSuccess: (answer: Admitted | Refused): Effect.Effect<UsageWindows.Reservation | Busy> => {
          cell.view.heard(answer.use, nowMs(clock))
          return answer._tag === "Refused"
            ? Effect.succeed(refusedUntil(answer, now))
            : going(slot, cell, tokens, now, journal, { ...open, place: "shared" })
        }
      })
    }

    const cellOf = (slot: Slot.Slot, now: number): Cell => {
      const cell = slot.get(cellKey)
      cell.askedAt = now
      watched.set(slot.id, cell)
      return cell
    }

    const lookUp = Effect.suspend(() => {
      const now = nowMs(clock)
      for (const [key, { askedAt }] of watched) if (now - askedAt > interest) watched.delete(key)
      const keys = [...watched.keys()]
      if (guard.mode() === "local" || keys.length === 0) return Effect.void
      return Effect.map(guard.ask(engine.look(keys, window)), (uses) => {
        const at = nowMs(clock)
        for (const [index, key] of keys.entries()) {
          const use = uses[index]
          if (use !== undefined) watched.get(key)?.view.heard(use, at)
        }
      })
    })

    /** Calls that the engine does not hold: none of them is turned away any more. */
    const unlimited: SharedLimits = { rpm: undefined, tpm: undefined, maxParallel: undefined }
    const hold = (open: Open): Effect.Effect<void, EngineError> => {
      const { attempt, key, tokens } = open
      return Effect.map(engine.admit({ key, attempt, limits: unlimited, tokens, lease, window }), () => {
        if (running.has(attempt)) open.place = "shared"
        else tell(engine.release(open))
      })
    }

    /** Tells the engine what went on without it. What was told is told no more, also if what comes after it fails. */
    const catchUp = Effect.suspend(() => {
      const now = nowMs(clock)
      const recent = [...unheard]
      const records = recent.map(
        ([key, { at, requests, tokens }]): Recorded => ({ key, window, ago: now - at, requests, tokens })
      )
      unheard.clear()
      const told = engine.record(records).pipe(
        Effect.tapError(() =>
          Effect.sync(() => {
            for (const [key, { at, requests, tokens }] of recent) {
              const since = unheard.get(key)
              unheard.set(key, {
                requests: requests + (since?.requests ?? 0),
                tokens: tokens + (since?.tokens ?? 0),
                at: since?.at ?? at
              })
            }
          })
        )
      )
      const settled = Effect.forEach(
        [...unsettled],
        ([attempt, { held, tokens }]) => Effect.map(endOf(held, tokens), () => unsettled.delete(attempt)),
        { discard: true }
      )
      const held = Effect.forEach(
        [...running.values()].filter(({ place }) => place === "here"),
        hold,
        { discard: true }
      )
      return (records.length === 0 ? Effect.void : told).pipe(Effect.zipRight(settled), Effect.zipRight(held))
    })

    /** A process that did not run for a while ends those calls whose room went to others meanwhile. */
    const renew = Effect.suspend(() => {
      const held = [...running.values()].filter(({ place }) => place === "shared")
      if (held.length === 0) return Effect.void
      return Effect.map(engine.renew(held, lease), (lost) => {
        for (const { attempt } of lost) {
          const open = running.get(attempt)
          if (open === undefined) continue
          open.place = "lost"
          open.end()
        }
      })
    })

    const keepUp = Effect.zipRight(catchUp, renew)
    const stop = guard.onReturn(keepUp)
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    const every = (time: number, step: Effect.Effect<unknown, unknown>) =>
      Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(time), Effect.ignore(step))))
    yield* every(refresh, lookUp)
    yield* every(
      lease / 3,
      Effect.suspend(() => (guard.mode() === "shared" ? guard.ask(keepUp) : Effect.void))
    )

    const status = (slot: Slot.Slot, tokens: number, now: number): Status => {
      if (!isLimited(slot)) return open
      const cell = cellOf(slot, now)
      return guard.mode() === "local"
        ? local.status(dividedSlot(slot, cell), tokens, now)
        : cell.view.status(slot.deployment, tokens, now)
    }

    return {
      ...local,
      usage: (slot, now) => {
        const own = local.usage(slot, now)
        if (!isLimited(slot) || guard.mode() === "local") return own
        return cellOf(slot, now).view.merged(slot.deployment, own)
      },
      status,
      reserve
    }
  })
