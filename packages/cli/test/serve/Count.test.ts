import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { countOf, resolved } from "../../src/serve/count.js"

const group = "/sys/fs/cgroup"

describe("how many workers there are", () => {
  it("is one where nothing is said, and what is said else, 512 at most", () => {
    assert.deepStrictEqual(
      [undefined, 1, 3, 9_000].map((count) => resolved(count)),
      [1, 1, 3, 512]
    )
  })

  it("is by `auto` one for each core that this process may use, fewer where its container has fewer", () => {
    const on = (cores: number, files: Readonly<Record<string, string>>) =>
      resolved("auto", (path) => files[path], cores)
    const first = (quota: string) => ({
      [`${group}/cpu/cpu.cfs_quota_us`]: `${quota}\n`,
      [`${group}/cpu/cpu.cfs_period_us`]: "100000\n"
    })
    const second = (max: string) => ({ [`${group}/cpu.max`]: `${max}\n` })
    assert.strictEqual(on(64, {}), 64)
    assert.strictEqual(on(1_024, {}), 512)
    assert.deepStrictEqual(
      ["max 100000", "200000 100000", "250000 100000", "50000 100000", "9900000 100000", "nonsense"].map((max) =>
        on(64, second(max))
      ),
      [64, 2, 2, 1, 64, 64]
    )
    assert.deepStrictEqual(
      ["-1", "400000", "10000"].map((quota) => on(64, first(quota))),
      [64, 4, 1]
    )
  })

  it("is asked for by a whole number or `auto`, and nothing else", () => {
    assert.strictEqual(Effect.runSync(countOf("auto")), "auto")
    assert.strictEqual(Effect.runSync(countOf("512")), 512)
    for (const wrong of ["0", "513", "-1", "1.5", "", "many", "1e2"]) {
      assert.match(
        Effect.runSync(Effect.flip(countOf(wrong))).message,
        /expected a whole number from 1 to 512, or auto/
      )
    }
  })
})
