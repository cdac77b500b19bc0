import { toMs } from "@switchyard/core/Time"
import type { Draws } from "../chance/Draws.js"
import type { Source } from "./WorkloadModel.js"

/** The rate of a source at a moment, in requests per ms. */
export const rateOf = (source: Source): { readonly at: (now: number) => number; readonly most: number } => {
  const { bursts, day } = source
  const usual = source.rate / 1000
  const from = toMs(source.from ?? 0)
  const until = from + (source.lasts === undefined ? Number.POSITIVE_INFINITY : toMs(source.lasts))
  const burst = bursts && { every: toMs(bursts.every), lasts: toMs(bursts.lasts), times: bursts.times }
  const curve = day && { length: toMs(day.length ?? 86_400_000), low: day.low ?? 0.2 }
  return {
    most: usual * Math.max(1, burst?.times ?? 1),
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

/** When the next request comes after `now`: by thinning of the densest stream that there can be, so that any curve is exact. */
export const nextArrival = (source: Source, rate: ReturnType<typeof rateOf>, draws: Draws, now: number): number => {
  let at = Math.max(now, toMs(source.from ?? 0))
  const until = source.lasts === undefined ? Number.POSITIVE_INFINITY : toMs(source.from ?? 0) + toMs(source.lasts)
  if (source.arrivals === "regular") {
    at += 1 / (rate.at(at) || rate.most)
    return at < until ? at : Number.POSITIVE_INFINITY
  }
  while (at < until) {
    at += draws.exponential(1 / rate.most)
    if (draws.uniform() * rate.most < rate.at(at)) return at
  }
  return Number.POSITIVE_INFINITY
}
