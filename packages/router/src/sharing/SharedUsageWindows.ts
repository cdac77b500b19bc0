/**
 * The use of deployments' limits, shared by many processes over an engine, in place of the windows of one process. Admission
 * is the engine's, exact over all; selection reads what was heard last. Without the engine each process admits its share.
 */
import * as Background from "@switchyard/core/Background"
import * as Slot from "@switchyard/core/Slot"
import { type Busy, open, type Status } from "@switchyard/core/Status"
import { nowMs, toMs } from "@switchyard/core/Time"
import { type Context, type Duration, Effect, type Scope } from "effect"
import type { SharedLimits, SharedUse } from "../fleet/Engine.js"
import type { EngineGuard } from "../fleet/EngineGuard.js"
import { windowMs } from "../limits/slidingWindow.js"
import * as UsageWindows from "../limits/UsageWindows.js"
import * as SharedCalls from "./sharedCalls.js"
import { refusedUntil, sharesOf } from "./sharedLimits.js"
import { UsageView } from "./usageView.js"

/** Options of the state. */
export interface Options extends SharedCalls.Options {
  /** How often what others use is looked up, while somebody reads it. Default 250 ms. */
  readonly refresh?: Duration.DurationInput
}

/** How long a deployment that nobody asks about is looked up, ms. */
const interest = 5_000

/** Callers have keys, too. */
const keyOf = (id: string): string => `deployment:${id}`

const limitsOf = ({ deployment: { maxParallel, rpm, tpm } }: Slot.Slot): SharedLimits => ({ maxParallel, rpm, tpm })

const isLimited = ({ deployment: { maxParallel, rpm, tpm } }: Slot.Slot): boolean =>
  rpm !== undefined || tpm !== undefined || maxParallel !== undefined

/** What this process knows of one deployment. */
interface Cell {
  readonly key: string
  readonly view: UsageView
  readonly heard: (use: SharedUse) => void
  isWatched: boolean
  /** Monotonic ms of the last question about it. */
  askedAt: number
  /** The slot without limits, to count with; and with this process's share of them. Made anew with the configuration. */
  counting: Slot.Slot | undefined
  dividing: { readonly of: Slot.Slot; readonly by: string; readonly slot: Slot.Slot } | undefined
}

/** The room of one call, with all and here. */
class SharedReservation implements UsageWindows.Reservation {
  readonly _tag = "Reservation"

  constructor(
    private readonly calls: SharedCalls.SharedCalls,
    private readonly view: UsageView,
    private readonly call: SharedCalls.Call,
    private readonly own: UsageWindows.Reservation
  ) {}

  settle(tokens: number, now: number): void {
    if (!this.calls.end(this.call, tokens, now)) return
    this.own.settle(tokens, now)
    this.ended()
  }

  release(now: number): void {
    if (!this.calls.end(this.call, undefined, now)) return
    this.own.release(now)
    this.ended()
  }

  whenLost(end: () => void): void {
    this.call.end = end
  }

  private ended(): void {
    if (this.call.place === "shared") this.view.ended()
  }
}

/** The state over a guarded engine, for as long as the scope lives. */
export const make = (
  guard: EngineGuard,
  options: Options = {}
): Effect.Effect<Context.Tag.Service<UsageWindows.UsageWindows>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const refresh = toMs(options.refresh ?? 250)
    const window = toMs(options.window ?? windowMs)
    const { usage: engine } = guard.engine
    const local = UsageWindows.make()
    const localNow = UsageWindows.takeAtOnce(local)
    const calls = yield* SharedCalls.make(guard, options)
    const watched = new Map<string, Cell>()

    const cellKey = Slot.key("sharedUsage", ({ id }): Cell => {
      const view = new UsageView()
      return {
        key: keyOf(id),
        view,
        heard: (use) => view.heard(use, nowMs(clock)),
        isWatched: false,
        askedAt: Number.NEGATIVE_INFINITY,
        counting: undefined,
        dividing: undefined
      }
    })

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
        const shares = sharesOf(limitsOf(slot), replicas)
        cell.dividing = { of: slot, by, slot: slot.withDeployment({ ...slot.deployment, ...shares }) }
      }
      return cell.dividing.slot
    }

    /** A call that goes out, counted here as well: what this process does itself it always knows. */
    const going = (
      cell: Cell,
      call: SharedCalls.Call,
      own: UsageWindows.Reservation | Busy
    ): UsageWindows.Reservation | Busy => {
      if (own._tag === "Busy") return own
      calls.start(call)
      return new SharedReservation(calls, cell.view, call, own)
    }

    /** The slot by which a call is counted; `Busy` where this process decides, and its share is used up. */
    const countedBy = (slot: Slot.Slot, cell: Cell, call: SharedCalls.Call, now: number): Slot.Slot | Busy => {
      if (call.place === "here") {
        const status = local.status(dividedSlot(slot, cell), call.tokens, now)
        if (status._tag === "Busy") return status
      }
      return countingSlot(slot, cell)
    }

    const takeNow: ReturnType<typeof UsageWindows.takeAtOnce> = (slot, tokens, now, journal) => {
      if (!isLimited(slot)) return localNow?.(slot, tokens, now, journal)
      const cell = cellOf(slot, now)
      const call = calls.askNow(cell.key, slot.deployment, tokens, cell.heard)
      if (call === undefined) return undefined
      const counted = countedBy(slot, cell, call, now)
      if ("_tag" in counted) return counted
      const own = localNow?.(counted, tokens, now, journal)
      return own === undefined ? undefined : going(cell, call, own)
    }

    const reserve: Context.Tag.Service<UsageWindows.UsageWindows>["reserve"] = (slot, tokens, now, journal) => {
      if (!isLimited(slot)) return local.reserve(slot, tokens, now, journal)
      const cell = cellOf(slot, now)
      return Effect.flatMap(calls.ask(cell.key, limitsOf(slot), tokens, cell.heard), (answer) => {
        if (answer._tag === "Refused") return Effect.succeed(refusedUntil(answer, now))
        const counted = countedBy(slot, cell, answer, now)
        if ("_tag" in counted) return Effect.succeed(counted)
        return Effect.map(local.reserve(counted, tokens, now, journal), (own) => going(cell, answer, own))
      })
    }
    UsageWindows.givesAtOnce(reserve, takeNow)

    const cellOf = (slot: Slot.Slot, now: number): Cell => {
      const cell = slot.get(cellKey)
      cell.askedAt = now
      if (!cell.isWatched) {
        cell.isWatched = true
        watched.set(slot.id, cell)
      }
      return cell
    }

    const lookUp = Effect.suspend(() => {
      const now = nowMs(clock)
      for (const [id, cell] of watched) {
        if (now - cell.askedAt <= interest) continue
        cell.isWatched = false
        watched.delete(id)
      }
      const ids = [...watched.keys()]
      if (guard.mode() === "local" || ids.length === 0) return Effect.void
      return Effect.map(guard.ask(engine.look(ids.map(keyOf), window)), (uses) => {
        const at = nowMs(clock)
        for (const [index, id] of ids.entries()) {
          const use = uses[index]
          if (use !== undefined) watched.get(id)?.view.heard(use, at)
        }
      })
    })

    yield* Background.run(Effect.forever(Effect.zipRight(Effect.sleep(refresh), Effect.ignore(lookUp))))

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
