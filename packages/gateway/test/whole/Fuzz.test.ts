/**
 * A few seconds of the fuzzer: the whole corpus as it is, and some mutations of it, the same ones every time.
 * `npm run fuzz` takes minutes, and others.
 */
import { assert, describe, it } from "@effect/vitest"
import { replay, run } from "../fuzz/campaign.js"
import type { Target } from "../fuzz/target.js"
import * as targets from "../fuzz/targets.js"

/** Cases of each target; the time bound is for a machine that is busy. */
const cases = 40
const ms = 20_000

const seed = Number(process.env.FUZZ_SEED ?? 1)

const soundly = async <Case>(make: () => Promise<Target<Case>>): Promise<void> => {
  const target = await make()
  try {
    assert.deepStrictEqual(await replay(target), [])
    await target.settle()
    const { cases: judged, found } = await run(target, { seed, ms, cases, write: false })
    assert.deepStrictEqual(found, [])
    assert.isAbove(judged, 0)
  } finally {
    await target.close()
  }
}

describe("fuzz", () => {
  it("requests: each gets one sound answer, and what goes out is what its caller wrote", () => soundly(targets.edge))

  it("answers of upstreams: a caller gets all that they say, or an error that says so, however they are cut", () =>
    soundly(targets.upstream))

  it("configuration files: they are read, or what is wrong is told at its place, and no secret is", () =>
    soundly(targets.config))
})
