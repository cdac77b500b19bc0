import { toMs } from "@switchyard/core/Time"
import type { Draws } from "../chance/Draws.js"
import type { Source } from "./WorkloadModel.js"

/** How a source sends. */
export interface Rate {
  /** Requests per ms at a moment. */
  readonly at: (now: number) => number
  readonly most: number
  /** Ms of its beginning and its end. */
  readonly from: number
  readonly until: number
}

/** How a source sends, worked out once. */
export const rateOf = (source: Source): Rate => {
  const { bursts, day } = source
  const usual = source.rate / 1000
  const from = toMs(source.from ?? 0)
  const until = from + (source.lasts === undefined ? Number.POSITIVE_INFINITY : toMs(source.lasts))
  const burst = bursts && { every: toMs(bursts.every), lasts: toMs(bursts.lasts), times: bursts.times }
  const curve = day && { length: toMs(day.length ?? 86_400_000), low: day.low ?? 0.2 }
  return {
    most: usual * Math.max(1, burst?.times ?? 1),
    from,
    until,
    at: (now) => {
      if (now < from || now >= until) return 0
      const since = now - from
      const bursting = burst !== undefined && since % burst.every < burst.lasts ? burst.times : 1
      const light =
        curve === undefined
          ? 1
          : curve.low + ((1 - curve.low) * (1 - Math.cos((2 * Math.PI * (now % curve.length)) / curve.length))) / 2
      return usual * bursting * light
    }
  }
}

/** When so much of the rate has gone by as is one request: in steps, since a burst or a morning may begin meanwhile. */
const regularArrival = (rate: Rate, from: number): number => {
  const step = 1 / rate.most
  let missing = 1
  for (let at = from; at < rate.until; at += step) {
    const here = rate.at(at)
    if (here * step >= missing) {
      const due = at + missing / here
      return due < rate.until ? due : Number.POSITIVE_INFINITY
    }
    missing -= here * step
  }
  return Number.POSITIVE_INFINITY
}

/** When the next request comes after `now`: by thinning of the densest stream that there can be, so that any curve is exact. */
export const nextArrival = (source: Source, rate: Rate, draws: Draws, now: number): number => {
  const { until } = rate
  let at = Math.max(now, rate.from)
  if (source.arrivals === "regular") return regularArrival(rate, at)
  while (at < until) {
    at += draws.exponential(1 / rate.most)
    if (draws.uniform() * rate.most < rate.at(at)) return at
  }
  return Number.POSITIVE_INFINITY
}
