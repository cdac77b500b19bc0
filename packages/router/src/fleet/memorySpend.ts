import type { At } from "./memoryClock.js"
import type { SpendAsk, SpendEngine, SpendGrant } from "./SpendEngine.js"

/** What is known of one process. */
interface Holder {
  settled: number
  lease: number
  until: number
}

/** The end of what never ends. */
const never = Number.MAX_SAFE_INTEGER

/** How long a process that says nothing is remembered beyond its lease, ms. */
const remembered = 600_000

const none: SpendGrant = { spent: 0, granted: 0, leasedByOthers: 0, window: 0, endsIn: 0 }

/** The window in force of one key. It is named by its end. */
class SharedSpend {
  private endsAt = 0
  private spent = 0
  private readonly holders = new Map<string, Holder>()

  isOver(now: number): boolean {
    return this.endsAt <= now
  }

  ask({ amount, confirmed, endsIn, holder, known, lasts, length, limit, settled, window }: SpendAsk, now: number) {
    if (this.isOver(now)) {
      this.endsAt = 0
      this.spent = 0
      this.holders.clear()
    }
    const mine = this.holders.get(holder)
    // What is told of a window that is over counts no more.
    const isInForce = window === 0 || window > now
    const more = isInForce ? Math.max(0, settled - Math.max(confirmed, mine?.settled ?? 0)) : 0
    const least = isInForce ? known : 0
    const hasSpent = more > 0 || least > 0
    if (this.endsAt === 0) {
      if (!(length < Number.POSITIVE_INFINITY)) this.endsAt = (amount ?? 0) > 0 || hasSpent ? never : 0
      else if (window > now) this.endsAt = window
      else if (endsIn !== undefined && endsIn > 0 && hasSpent) this.endsAt = now + Math.min(endsIn, length)
      else if ((amount ?? 0) > 0 || hasSpent) this.endsAt = now + length
    }
    if (this.endsAt === 0) return none
    this.spent = Math.max(this.spent + more, least)
    let others = 0
    for (const [name, { lease, until }] of this.holders) {
      if (name === holder) continue
      if (until > now) others += lease
      else if (until + remembered <= now) this.holders.delete(name)
    }
    const isLeft = amount === undefined && mine !== undefined && mine.until > now
    const granted = isLeft ? mine.lease : Math.max(0, Math.min(amount ?? 0, limit - this.spent - others))
    this.holders.set(holder, { settled, lease: granted, until: isLeft ? mine.until : now + lasts })
    return {
      spent: this.spent,
      granted,
      leasedByOthers: others,
      window: this.endsAt,
      endsIn: this.endsAt === never ? Number.POSITIVE_INFINITY : this.endsAt - now
    }
  }
}

/** Money in memory. Windows that are over are forgotten, from `capacity` on. */
export const make = (at: At, capacity: number): SpendEngine => {
  const keys = new Map<string, SharedSpend>()
  const spendOf = (key: string, now: number): SharedSpend => {
    const known = keys.get(key)
    if (known !== undefined) return known
    if (keys.size >= capacity) for (const [other, spend] of keys) if (spend.isOver(now)) keys.delete(other)
    const made = new SharedSpend()
    keys.set(key, made)
    return made
  }
  return { lease: (asks) => at((now) => asks.map((ask): SpendGrant => spendOf(ask.key, now).ask(ask, now))) }
}
