import type { Effect } from "effect"
import { type BreakerEngine, type BreakerWord, remembered, type SharedHold } from "./BreakerEngine.js"
import type { At } from "./memoryClock.js"

/** One breaker; times are ms of the engine's clock. */
interface Circuit {
  readonly key: string
  version: number
  epoch: number
  circuit: BreakerWord["circuit"]
  until: number
  reason: string
  trips: number
  successes: number
  permits: number
  recovered: boolean
  cleared: number
  limit: SharedHold | undefined
  outage: SharedHold | undefined
  isolated: boolean
  changedAt: number
  /** Permits that are held, by attempt, until when. */
  readonly probes: Map<string, number>
  /** Calls that have had their say on this trial. */
  readonly said: Set<string>
}

const fresh = (key: string): Circuit => ({
  key,
  version: 0,
  epoch: 0,
  circuit: "closed",
  until: 0,
  reason: "",
  trips: 0,
  successes: 0,
  permits: 1,
  recovered: false,
  cleared: 0,
  limit: undefined,
  outage: undefined,
  isolated: false,
  changedAt: 0,
  probes: new Map(),
  said: new Set()
})

const leftOf = (hold: SharedHold | undefined, now: number): SharedHold | undefined =>
  hold === undefined || hold.until <= now
    ? undefined
    : { named: Math.max(0, hold.named - now), until: hold.until - now }

const wordOf = (known: Circuit, now: number): BreakerWord => ({
  key: known.key,
  version: known.version,
  epoch: known.epoch,
  circuit: known.circuit,
  lasts: known.circuit === "open" ? Math.max(0, known.until - now) : 0,
  reason: known.reason,
  trips: known.trips,
  successes: known.successes,
  permits: known.permits + known.successes,
  probes: known.probes.size,
  recovered: known.recovered,
  cleared: known.cleared,
  limit: leftOf(known.limit, now),
  outage: leftOf(known.outage, now),
  isolated: known.isolated
})

const saysNothing = ({ circuit, changedAt, isolated, limit, outage }: Circuit, now: number): boolean =>
  circuit === "closed" &&
  !isolated &&
  changedAt + remembered <= now &&
  leftOf(limit, now) === undefined &&
  leftOf(outage, now) === undefined

/** Breakers of many processes, in this one. */
export const make = (engine: At): BreakerEngine => {
  const all = new Map<string, Circuit>()
  let version = 0

  const changed = (known: Circuit, now: number): void => {
    version = Math.max(version + 1, Math.floor(now))
    known.version = version
    known.changedAt = now
  }

  /** Begins anew: what calls from before say does not count. */
  const turn = (known: Circuit, circuit: BreakerWord["circuit"], now: number): void => {
    changed(known, now)
    known.circuit = circuit
    known.epoch = known.version
    known.successes = 0
    known.recovered = false
    known.probes.clear()
    known.said.clear()
  }

  const endLeases = (now: number): void => {
    for (const [key, known] of all) {
      const before = known.probes.size
      for (const [attempt, until] of known.probes) if (until <= now) known.probes.delete(attempt)
      if (known.probes.size < before) changed(known, now)
      else if (saysNothing(known, now)) all.delete(key)
    }
  }

  const of = (key: string): Circuit => {
    const known = all.get(key) ?? fresh(key)
    all.set(key, known)
    return known
  }

  const at = <A>(f: (now: number) => A): Effect.Effect<A> =>
    engine((now) => {
      endLeases(now)
      return f(now)
    })

  const change = (key: string, f: (known: Circuit, now: number) => void): Effect.Effect<BreakerWord> =>
    at((now) => {
      const known = of(key)
      f(known, now)
      return wordOf(known, now)
    })

  const close = (known: Circuit, now: number, recovered: boolean): void => {
    turn(known, "closed", now)
    known.trips = 0
    known.recovered = recovered
  }

  return {
    open: ({ attempt, key, lasts, permits, reason, trips }) =>
      change(key, (known, now) => {
        if (attempt !== undefined && !known.probes.has(attempt)) return
        const until = now + lasts
        if (known.circuit !== "open" || known.until <= now) {
          known.trips = known.circuit === "closed" ? trips : Math.max(known.trips, trips)
          turn(known, "open", now)
          Object.assign(known, { until, reason, permits })
        } else if (until > known.until || trips > known.trips) {
          changed(known, now)
          if (until > known.until) Object.assign(known, { until, reason, permits })
          known.trips = Math.max(known.trips, trips)
        }
      }),
    probe: ({ attempt, epoch, key, lease, made = false, permits, reason, trips }) =>
      at((now) => {
        const known = of(key)
        if (known.probes.has(attempt)) return { admitted: true, word: wordOf(known, now) }
        if (known.circuit === "closed" && known.epoch <= epoch) {
          turn(known, "halfOpen", now)
          Object.assign(known, { permits, reason, trips })
        } else if (known.circuit === "open" && known.until <= now) {
          changed(known, now)
          Object.assign(known, { circuit: "halfOpen", permits })
        }
        const admitted = known.circuit === "halfOpen" && (made || known.probes.size < known.permits + known.successes)
        if (admitted) {
          known.probes.set(attempt, now + lease)
          changed(known, now)
        }
        return { admitted, word: wordOf(known, now) }
      }),
    conclude: ({ attempt, enough, forced = false, key, succeeded }) =>
      change(key, (known, now) => {
        const held = known.probes.delete(attempt)
        if (held) changed(known, now)
        if (!succeeded || !(held || forced) || known.circuit === "closed" || known.said.has(attempt)) return
        changed(known, now)
        known.said.add(attempt)
        known.circuit = "halfOpen"
        known.successes++
        if (known.successes >= enough) close(known, now, true)
      }),
    close: (key, epoch) =>
      change(key, (known, now) => {
        if (epoch === undefined) {
          close(known, now, false)
          Object.assign(known, { limit: undefined, outage: undefined, cleared: known.version })
        } else if (known.circuit !== "closed" && known.epoch <= epoch) close(known, now, false)
      }),
    hold: (key, kind, named, until) =>
      change(key, (known, now) => {
        if ((known[kind]?.until ?? 0) >= now + until) return
        known[kind] = { named: now + named, until: now + until }
        changed(known, now)
      }),
    isolate: (key, isolated) =>
      change(key, (known, now) => {
        if (known.isolated === isolated) return
        known.isolated = isolated
        changed(known, now)
      }),
    renew: (held, lease) =>
      at((now) =>
        held.filter(({ attempt, key }) => {
          const probes = all.get(key)?.probes
          if (probes?.has(attempt) !== true) return true
          probes.set(attempt, now + lease)
          return false
        })
      ),
    look: (since) =>
      at((now) => [...all.values()].filter(({ version }) => version > since).map((known) => wordOf(known, now)))
  }
}
