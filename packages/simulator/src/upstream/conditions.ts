import { toMs } from "@switchyard/core/Time"
import type { Incident } from "./UpstreamModel.js"

/** What holds for an upstream at a moment. */
export interface Conditions {
  slower: number
  down: Incident["down"]
  errors: ReadonlyArray<readonly [status: number, share: number]>
  cut: number
  stall: number
  slots: number
}

/** An incident in ms. */
export class IncidentTimes {
  readonly from: number
  readonly lasts: number
  readonly every: number
  private readonly ramp: number

  constructor(readonly incident: Incident) {
    this.from = toMs(incident.from)
    this.lasts = incident.lasts === undefined ? Number.POSITIVE_INFINITY : toMs(incident.lasts)
    this.every = incident.every === undefined ? Number.POSITIVE_INFINITY : toMs(incident.every)
    this.ramp = toMs(incident.ramp ?? 0)
  }

  /** How far it has grown, from 0 to 1; 0 while it is not there. */
  strength(now: number): number {
    const since = now - this.from
    if (since < 0) return 0
    const within = this.every === Number.POSITIVE_INFINITY ? since : since % this.every
    if (within >= this.lasts) return 0
    return this.ramp === 0 ? 1 : Math.min(1, within / this.ramp)
  }

  /** Whether it is there. */
  isOn(now: number): boolean {
    const since = now - this.from
    if (since < 0) return false
    return (this.every === Number.POSITIVE_INFINITY ? since : since % this.every) < this.lasts
  }
}

/** Shares by status, as pairs. */
export const sharesOf = (errors: Readonly<Record<string, number>> | undefined): Conditions["errors"] =>
  Object.entries(errors ?? {}).map(([status, share]) => [Number(status), share] as const)

/** What holds at a moment: what always holds, and what incidents make of it. The same object each time it is called without one. */
export const conditionsAt = (usual: Conditions, incidents: ReadonlyArray<IncidentTimes>, now: number): Conditions => {
  let known = usual
  for (const times of incidents) {
    if (!times.isOn(now)) continue
    const { cut = 0, down, errors, slots, slower = 1, stall = 0 } = times.incident
    known = {
      slower: known.slower * (1 + (slower - 1) * times.strength(now)),
      down: down ?? known.down,
      errors: errors === undefined ? known.errors : [...known.errors, ...sharesOf(errors)],
      cut: Math.max(known.cut, cut),
      stall: Math.max(known.stall, stall),
      slots: Math.min(known.slots, slots ?? Number.POSITIVE_INFINITY)
    }
  }
  return known
}
