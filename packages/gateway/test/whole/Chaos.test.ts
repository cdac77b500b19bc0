/**
 * A thousand requests, and thoroughly two, while upstreams die, stall, cut streams and return, and the configuration is replaced twice.
 */
import { assert, describe, it } from "@effect/vitest"
import { cases } from "@switchyard/testing/Effort"
import { Effect } from "effect"
import * as Chaos from "../support/chaos.js"
import { eventually, isSound } from "../support/gateways.js"
import { seedFrom } from "../support/seeded.js"

describe("chaos", () => {
  it.scopedLive(
    "every request gets a whole answer or a typed error, none hangs, none is truncated and called a success",
    () =>
      Effect.gen(function* () {
        const seed = seedFrom("CHAOS_SEED")
        console.log(`chaos: CHAOS_SEED=${seed}`)
        const requests = 800 + cases(1_200)
        const { counts, gateway, upstreams } = yield* Chaos.run({ seed, requests })
        const { answered, problems, ...shown } = counts
        console.log(`chaos: ${JSON.stringify(shown)}`)
        assert.deepStrictEqual(problems.slice(0, 10), [], `${problems.length} problems`)
        const failures = Object.values(counts.errors).reduce((sum, count) => sum + count, 0)
        assert.strictEqual(counts.requests, requests)
        assert.strictEqual(counts.streams, Math.ceil(requests / 3))
        assert.strictEqual(counts.successes + failures, counts.requests)
        assert.strictEqual(counts.kills, 8)
        assert.strictEqual(counts.reloads, 2)
        // Four attempts are mostly enough, but not while every upstream is dead, which a slow machine is longer at.
        assert.isAbove(counts.successes, requests / 10)
        assert.isAbove(failures, 0)
        yield* eventually(
          () => `no upstream has a request: ${upstreams.map((upstream) => upstream.inFlight()).join(", ")}`,
          () => upstreams.every((upstream) => upstream.inFlight() === 0)
        )
        // The witnesses: no success was made up, and faults of every kind did happen.
        const told = new Set(
          upstreams.flatMap((upstream) =>
            upstream
              .journal()
              .filter(({ end }) => end === "answered")
              .map(({ body }) => Chaos.numberIn(body))
          )
        )
        assert.deepStrictEqual(
          answered.filter((number) => !told.has(number)),
          []
        )
        const stats = upstreams.map((upstream) => upstream.stats())
        for (const end of ["answered", "clientAborted", "cut", "errored", "refused"] as const) {
          const count = stats.reduce((sum, one) => sum + one[end], 0)
          assert.isAbove(count, 0, end)
        }
        for (const upstream of upstreams) yield* upstream.behave({})
        yield* isSound(gateway)
      }),
    240_000
  )
})
