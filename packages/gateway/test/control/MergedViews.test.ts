/** What several gateways recorded of the last minutes, as one. */
import { assert, describe, it } from "@effect/vitest"
import type { Recording } from "@switchyard/gateway/AdminViews"
import * as Merged from "../../src/control/mergedViews.js"

const recording = (at: ReadonlyArray<number>, requests: ReadonlyArray<number>): Recording => ({
  intervalMs: 5_000,
  at,
  deployments: [
    {
      id: "east",
      group: "smart",
      requests,
      failures: requests.map(() => 0),
      inFlight: requests.map(() => 1),
      meanMs: requests.map((count) => 10 * count),
      p95Ms: requests.map((count) => 20 * count)
    }
  ]
})

const merged = (own: Recording, ...others: ReadonlyArray<Recording>) => Merged.recording(own, others).deployments[0]

describe("recordings of several gateways", () => {
  it("are added up at the times of the one that was asked, by the nearest of its samples", () => {
    const found = merged(recording([10_000, 15_000, 20_000], [1, 2, 3]), recording([12_400, 17_600, 22_400], [4, 5, 6]))
    assert.deepStrictEqual(found?.requests, [5, 2, 14])
    assert.deepStrictEqual(found?.inFlight, [2, 1, 2])
    assert.deepStrictEqual(found?.meanMs, [34, 20, 50])
    assert.deepStrictEqual(found?.p95Ms, [80, 40, 120])
  })
  it("what one recorded before the other began is not the other's", () => {
    assert.deepStrictEqual(merged(recording([100_000], [1]), recording([5_000, 99_000], [7, 2]))?.requests, [3])
  })
  it("one that has recorded nothing yet shows nothing", () => {
    assert.deepStrictEqual(merged(recording([], []), recording([5_000], [7]))?.requests, [])
  })
})
