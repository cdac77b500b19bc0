import type { SpendAsk, SpendGrant } from "../fleet/SpendEngine.js"
import type { LeaseAsk, Spent, WindowName } from "../money/leased/SpendLease.js"

/** What this process knows of one window. Money is nano-USD, times are monotonic ms. */
interface Known {
  readonly name: WindowName
  /** All that was settled here, ever. */
  settled: number
  /** How much of it the engine knows, or is over with its window. */
  confirmed: number
  /** What all have spent of the window in force, as it was heard last, or was known at the start; and `settled` then. */
  sum: number
  settledThen: number
  /** The engine's name of the window in force. */
  window: number
  endsAt: number
  /** The last limit and lease. */
  limit: number
  lease: number
}

/** A window that is told of, without a word about its lease. */
export type Told = WindowName & Pick<LeaseAsk, "limit" | "lasts">

const toldOf = ({ limit, name }: Known): Told => ({ ...name, limit, lasts: 0 })

const isWorthTelling = ({ confirmed, endsAt, settled, sum }: Known, now: number): boolean =>
  endsAt > now && (sum > 0 || settled > confirmed)

/** Windows that are remembered. */
const capacity = 100_000

/** The name of a window's key in the engine. */
const keyOf = ({ key, length, scope }: WindowName): string => `${scope}:${length}:${key}`

/** What this process has settled of windows that it shares, and what it has heard of them. */
export class SpentHere {
  private readonly windows = new Map<string, Known>()
  private turn: Iterator<Known> | undefined

  constructor(private readonly holder: string) {}

  /** What was known of a window before this process began. */
  begin(name: WindowName, sum: number, endsAt: number): void {
    const known = this.of(name, endsAt - 1)
    known.sum = sum
    known.endsAt = endsAt
  }

  /** Money that was settled: the first of it begins a window, where the engine has named none. */
  add(spent: Spent, now: number): void {
    const known = this.of(spent, now)
    known.settled += spent.cost
    if (known.endsAt === Number.NEGATIVE_INFINITY) known.endsAt = now + spent.length
  }

  /** What is asked and told of a window. `amount` is its lease; undefined leaves it as it is. */
  ask({ key, lasts, length, limit, scope }: Told, amount: number | undefined, now: number): SpendAsk {
    const name = { key, length, scope }
    const known = this.of(name, now)
    known.limit = limit
    const { confirmed, endsAt, settled, settledThen, sum, window } = known
    return {
      key: keyOf(name),
      holder: this.holder,
      length,
      limit,
      amount,
      lasts,
      settled,
      confirmed,
      known: sum + settled - settledThen,
      window,
      endsIn: endsAt > now ? endsAt - now : undefined
    }
  }

  /** The engine has answered. */
  heard({ key, settled }: SpendAsk, { endsIn, granted, spent, window }: SpendGrant, now: number): void {
    const known = this.windows.get(key)
    if (known === undefined) return
    known.confirmed = Math.max(known.confirmed, settled)
    known.sum = spent
    known.settledThen = settled
    known.window = window
    known.endsAt = window === 0 ? Number.NEGATIVE_INFINITY : now + endsIn
    known.lease = granted
  }

  /** All windows in force of which something was spent. */
  inForce(now: number): ReadonlyArray<Told> {
    return [...this.windows.values()].filter((known) => isWorthTelling(known, now)).map(toldOf)
  }

  /** Some of them: over time it is the turn of each. */
  next(most: number, now: number): ReadonlyArray<Told> {
    const found: Array<Told> = []
    for (let looked = 0; looked < most * 10 && found.length < most; looked++) {
      const step = this.turn?.next()
      if (step === undefined || step.done === true) {
        this.turn = this.windows.values()
        break
      }
      if (isWorthTelling(step.value, now)) found.push(toldOf(step.value))
    }
    return found
  }

  /** Windows of which this process has a lease, or has told too little. */
  unfinished(now: number): ReadonlyArray<Told> {
    return [...this.windows.values()]
      .filter(({ endsAt, lease, confirmed, settled }) => endsAt > now && (lease > 0 || settled > confirmed))
      .map(toldOf)
  }

  private of({ key, length, scope }: WindowName, now: number): Known {
    const id = keyOf({ key, length, scope })
    const found = this.windows.get(id)
    if (found !== undefined) {
      this.roll(found, now)
      return found
    }
    if (this.windows.size >= capacity) this.prune(now)
    const made: Known = {
      name: { key, length, scope },
      settled: 0,
      confirmed: 0,
      sum: 0,
      settledThen: 0,
      window: 0,
      endsAt: Number.NEGATIVE_INFINITY,
      limit: 0,
      lease: 0
    }
    this.windows.set(id, made)
    return made
  }

  /** What was spent of a window that is over counts no more. */
  private roll(known: Known, now: number): void {
    if (known.endsAt > now || known.endsAt === Number.NEGATIVE_INFINITY) return
    known.endsAt = Number.NEGATIVE_INFINITY
    known.window = 0
    known.confirmed = known.settled
    known.settledThen = known.settled
    known.sum = 0
    known.lease = 0
  }

  /** Makes room for a hundredth: what is over first, then the oldest of which the engine knows all. */
  private prune(now: number): void {
    for (const [id, known] of this.windows) {
      this.roll(known, now)
      if (known.window === 0 && known.settled === known.confirmed) this.windows.delete(id)
    }
    const enough = capacity - Math.ceil(capacity / 100)
    for (const [id, { confirmed, settled }] of this.windows) {
      if (this.windows.size <= enough) return
      if (settled === confirmed) this.windows.delete(id)
    }
  }
}
