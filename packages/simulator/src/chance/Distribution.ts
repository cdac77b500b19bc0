/**
 * How a quantity varies: times, speeds, lengths. A scenario says it in the way that is known of it: by a median and a
 * percentile, by measured quantiles, or as a mixture of both.
 */
import { duration, fraction, positive } from "@switchyard/core/Field"
import { toMs } from "@switchyard/core/Time"
import { type Duration, Schema } from "effect"
import type { Draws } from "./Draws.js"

/** A quantity: a number, or a duration where it is a time. */
type Amount = Duration.DurationInput

/** A quantity that varies. */
export type Distribution =
  | Amount
  /** Log-normal: by its median and its 95th percentile. */
  | { readonly median: Amount; readonly p95: Amount }
  /** Any between two, equally likely. */
  | { readonly from: Amount; readonly to: Amount }
  /** Exponential. */
  | { readonly mean: Amount }
  /** Empirical: by quantiles as `p50`, `p99`, with straight lines between them. */
  | { readonly quantiles: Readonly<Record<string, Amount>> }
  /** One of several, by their shares. */
  | { readonly mix: ReadonlyArray<{ readonly share: number; readonly of: Distribution }> }

const quantileName = /^p(?:100|\d{1,2}(?:\.\d+)?)$/

type Of<A> = Schema.Schema<A, A>

const schemaOf = (amount: Of<Amount>, what: string): Of<Distribution> => {
  const schema: Of<Distribution> = Schema.Union(
    amount,
    Schema.Struct({ median: amount, p95: amount }).pipe(
      Schema.filter(({ median, p95 }) => valueOf(p95) >= valueOf(median))
    ),
    Schema.Struct({ from: amount, to: amount }).pipe(Schema.filter(({ from, to }) => valueOf(to) >= valueOf(from))),
    Schema.Struct({ mean: amount }),
    Schema.Struct({ quantiles: Schema.Record({ key: Schema.String, value: amount }) }).pipe(
      Schema.filter(({ quantiles }) => areRising(quantiles))
    ),
    Schema.Struct({
      mix: Schema.Array(Schema.Struct({ share: fraction, of: Schema.suspend((): Of<Distribution> => schema) })).pipe(
        Schema.filter((parts) => parts.some(({ share }) => share > 0))
      )
    })
  ).annotations({
    message: () => ({
      message: `${what}, or { median, p95 }, { from, to }, { mean }, { quantiles: { p0, p50, … } }, { mix: [{ share, of }] }`,
      override: true
    })
  })
  return schema
}

const valueOf = (amount: Amount): number => (typeof amount === "number" ? amount : toMs(amount))

const pointsOf = (quantiles: Readonly<Record<string, Amount>>): ReadonlyArray<readonly [number, number]> =>
  Object.entries(quantiles)
    .map(([name, amount]) => [Number(name.slice(1)) / 100, valueOf(amount)] as const)
    .sort(([a], [b]) => a - b)

const areRising = (quantiles: Readonly<Record<string, Amount>>): boolean => {
  const points = pointsOf(quantiles)
  return (
    points.length >= 2 &&
    Object.keys(quantiles).every((name) => quantileName.test(name)) &&
    points.every(([, value], index) => index === 0 || value >= (points[index - 1]?.[1] ?? 0))
  )
}

/** A time that varies. */
export const Time: Of<Distribution> = schemaOf(duration as Of<Amount>, "a duration above 0")
/** A number that varies. */
export const Quantity: Of<Distribution> = schemaOf(positive as unknown as Of<Amount>, "a number above 0")

/** Draws one value: ms for times. */
export type Sampler = (draws: Draws) => number

/** The 95th percentile of a standard normal. */
const z95 = 1.6448536269514722

const ofQuantiles = (points: ReadonlyArray<readonly [number, number]>): Sampler => {
  const at = (share: number): number => {
    let before = points[0] as readonly [number, number]
    for (const point of points) {
      if (share <= point[0]) {
        const width = point[0] - before[0]
        return width === 0 ? point[1] : before[1] + ((point[1] - before[1]) * (share - before[0])) / width
      }
      before = point
    }
    return before[1]
  }
  return (draws) => at(draws.uniform())
}

/** What draws from it. */
export const sampler = (distribution: Distribution): Sampler => {
  if (typeof distribution !== "object" || distribution === null || Array.isArray(distribution)) {
    const value = valueOf(distribution as Amount)
    return () => value
  }
  if ("median" in distribution) {
    const mu = Math.log(valueOf(distribution.median))
    const sigma = (Math.log(valueOf(distribution.p95)) - mu) / z95
    return (draws) => Math.exp(mu + sigma * draws.normal())
  }
  if ("mean" in distribution) {
    const mean = valueOf(distribution.mean)
    return (draws) => draws.exponential(mean)
  }
  if ("quantiles" in distribution) return ofQuantiles(pointsOf(distribution.quantiles))
  if ("mix" in distribution) {
    const parts = distribution.mix.map(({ of, share }) => ({ share, draw: sampler(of) }))
    const whole = parts.reduce((sum, { share }) => sum + share, 0)
    return (draws) => {
      let left = draws.uniform() * whole
      for (const { draw, share } of parts) {
        left -= share
        if (left < 0) return draw(draws)
      }
      return (parts[parts.length - 1] as (typeof parts)[number]).draw(draws)
    }
  }
  if ("from" in distribution) {
    const from = valueOf(distribution.from)
    const width = valueOf(distribution.to) - from
    return (draws) => from + draws.uniform() * width
  }
  const value = valueOf(distribution as Amount)
  return () => value
}

/** What it is about on average, found by drawing: for who has to expect something. */
export const expectation = (draw: Sampler, draws: Draws, times = 500): number => {
  let sum = 0
  for (let i = 0; i < times; i++) sum += draw(draws)
  return sum / times
}
