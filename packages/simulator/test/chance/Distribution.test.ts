import { type Distribution, Quantity, sampler, Time } from "@switchyard/simulator/Distribution"
import { Draws } from "@switchyard/simulator/Draws"
import { Either, Schema } from "effect"
import { describe, expect, it } from "vitest"

const drawn = (distribution: Distribution): ReadonlyArray<number> => {
  const draw = sampler(distribution)
  const draws = new Draws(7, "test")
  return Array.from({ length: 20_000 }, () => draw(draws)).sort((a, b) => a - b)
}
const quantile = (values: ReadonlyArray<number>, share: number): number =>
  values[Math.floor(share * values.length)] ?? 0
const near = (value: number, expected: number): void => {
  expect(Math.abs(value / expected - 1)).toBeLessThan(0.05)
}

describe("Distribution", () => {
  it("is log-normal by its median and its 95th percentile", () => {
    const values = drawn({ median: "400 millis", p95: 900 })
    near(quantile(values, 0.5), 400)
    near(quantile(values, 0.95), 900)
  })

  it("keeps to measured quantiles, with straight lines between them", () => {
    const values = drawn({ quantiles: { p0: 100, p50: 200, p99: 1000, p100: 5000 } })
    near(quantile(values, 0.25), 150)
    near(quantile(values, 0.5), 200)
    near(quantile(values, 0.99), 1000)
    expect(values[0]).toBeGreaterThanOrEqual(100)
    expect(values.at(-1)).toBeLessThanOrEqual(5000)
  })

  it("mixes others by their shares", () => {
    const values = drawn({
      mix: [
        { share: 0.9, of: 100 },
        { share: 0.1, of: { from: 1000, to: 2000 } }
      ]
    })
    near(values.filter((value) => value === 100).length, 18_000)
    expect(values.filter((value) => value >= 1000).length).toBe(
      values.length - values.filter((value) => value === 100).length
    )
  })

  it("is exponential by its mean", () => {
    const values = drawn({ mean: 50 })
    near(values.reduce((sum, one) => sum + one, 0) / values.length, 50)
  })

  it.each([
    { median: 10, p95: 5 },
    { from: 2, to: 1 },
    { quantiles: { p50: 1 } },
    { quantiles: { p50: 2, p99: 1 } },
    { quantiles: { half: 1, p99: 2 } },
    { mix: [] },
    -1,
    "soon"
  ])("refuses %j", (bad) => {
    expect(Either.isLeft(Schema.decodeUnknownEither(Time)(bad))).toBe(true)
    expect(Either.isLeft(Schema.decodeUnknownEither(Quantity)(bad))).toBe(true)
  })

  it("draws the same from a place whatever was drawn before", () => {
    const draws = new Draws(1, "x")
    draws.begin(5, 6)
    const first = draws.normal()
    draws.uniform()
    draws.begin(5, 6)
    expect(draws.normal()).toBe(first)
    draws.begin(5, 7)
    expect(draws.normal()).not.toBe(first)
  })
})
