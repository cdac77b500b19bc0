/** How siblings are compared. */
export interface Rule {
  /** ms */
  readonly interval: number
  readonly minimumRequests: number
  readonly minimumHosts: number
  readonly deviations: number
  /** ms */
  readonly duration: number
  /** ms */
  readonly maxDuration: number
  readonly maxShare: number
}

/** What one deployment has done in the interval that runs, and whether it is out. */
export class Sibling {
  good = 0
  bad = 0
  /** Monotonic ms until which it is out. */
  ejectedUntil = Number.NEGATIVE_INFINITY
  /** How often it was put out, less one for each comparison that it stood. */
  times = 0
  /** Intervals in a row without a call. */
  idle = 0

  constructor(readonly deployment: string) {}

  get calls(): number {
    return this.good + this.bad
  }

  get rate(): number {
    return this.good / this.calls
  }
}

/** Who was put out, until when. */
export type OnEjected = (sibling: Sibling, until: number, now: number) => void

/** Differences of success below this are nothing to put anybody out for. */
const leastGap = 0.05
/** After so many intervals without a call it is no sibling any more: a reload may have taken it out. */
const forgottenAfter = 20

const sum = (values: ReadonlyArray<number>): number => values.reduce((all, one) => all + one, 0)

/**
 * How far below its siblings a deployment may be: so many deviations, which are those of the siblings among each other and
 * those that chance gives to as many calls as it had. Envoy takes the deviation of all, the outlier included, by which no
 * outlier of four or fewer is one.
 */
const leastRate = (own: Sibling, others: ReadonlyArray<Sibling>, { deviations }: Rule): number => {
  const mean = sum(others.map(({ rate }) => rate)) / others.length
  const spread = sum(others.map(({ rate }) => (rate - mean) ** 2)) / others.length
  const chance = (mean * (1 - mean)) / own.calls
  return mean - Math.max(leastGap, deviations * Math.sqrt(spread + chance))
}

/** The deployments of one group, compared whenever an interval has passed: no task runs for it. */
export class Siblings {
  private readonly members = new Set<Sibling>()
  private endsAt: number | undefined

  /** A call of a sibling ended at `now`. */
  record(sibling: Sibling, isGood: boolean, now: number, rule: Rule, onEjected: OnEjected): void {
    this.members.add(sibling)
    this.endsAt ??= now + rule.interval
    if (now >= this.endsAt) {
      this.compare(now, rule, onEjected)
      this.endsAt = now + rule.interval
    }
    if (isGood) sibling.good++
    else sibling.bad++
  }

  private compare(now: number, rule: Rule, onEjected: OnEjected): void {
    const out = [...this.members].filter(({ ejectedUntil }) => ejectedUntil > now).length
    const most = Math.min(this.members.size - 1, Math.max(1, Math.floor(rule.maxShare * this.members.size)))
    const known = [...this.members].filter(
      ({ calls, ejectedUntil }) => ejectedUntil <= now && calls >= rule.minimumRequests
    )
    const ejected = known.length < rule.minimumHosts ? [] : this.outliers(known, rule).slice(0, Math.max(0, most - out))
    for (const sibling of this.members) {
      if (ejected.includes(sibling)) this.eject(sibling, now, rule, onEjected)
      else if (known.includes(sibling)) sibling.times = Math.max(0, sibling.times - 1)
      sibling.idle = sibling.calls === 0 && sibling.ejectedUntil <= now ? sibling.idle + 1 : 0
      if (sibling.idle > forgottenAfter) this.members.delete(sibling)
      sibling.good = 0
      sibling.bad = 0
    }
  }

  /** The worst first; each is compared with those that are better. */
  private outliers(known: ReadonlyArray<Sibling>, rule: Rule): ReadonlyArray<Sibling> {
    const ranked = [...known].sort((a, b) => a.rate - b.rate)
    const found: Array<Sibling> = []
    for (const [place, sibling] of ranked.entries()) {
      const better = ranked.slice(place + 1)
      if (better.length === 0 || sibling.rate >= leastRate(sibling, better, rule)) break
      found.push(sibling)
    }
    return found
  }

  private eject(sibling: Sibling, now: number, { duration, maxDuration }: Rule, onEjected: OnEjected): void {
    sibling.times++
    sibling.ejectedUntil = now + Math.min(Math.max(duration, maxDuration), duration * sibling.times)
    onEjected(sibling, sibling.ejectedUntil, now)
  }
}
