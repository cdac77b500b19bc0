import { assert, describe, it } from "@effect/vitest"
import { busy, closed, isOverridable, open, type Status, worst } from "@switchyard/core/Status"
import { cases } from "@switchyard/testing/Effort"
import { FastCheck as fc } from "effect"

const until = fc.option(fc.nat(5), { nil: undefined })
const status: fc.Arbitrary<Status> = fc.oneof(
  fc.constant(open),
  fc.constant<Status>({ _tag: "Open" }),
  until.map((at) => busy("rpm", at)),
  until.map((at) => closed("cooldown", at))
)
const rank = { Open: 0, Busy: 1, Closed: 2 }
const lasts = (one: Status) => (one._tag === "Open" ? 0 : (one.until ?? Number.POSITIVE_INFINITY))

describe("worst", () => {
  it("closed is worse than busy, busy worse than open", () => {
    assert.deepStrictEqual(worst(busy("rpm", 9), closed("cooldown", 1)), closed("cooldown", 1))
    assert.deepStrictEqual(worst(open, busy("rpm")), busy("rpm"))
    assert.strictEqual(worst(open, open), open)
  })

  it("of two equal ones the one that lasts longer counts; unknown lasts longest", () => {
    assert.deepStrictEqual(worst(busy("rpm", 1), busy("tpm", 2)), busy("tpm", 2))
    assert.deepStrictEqual(worst(busy("rpm", 2), busy("maxParallel")), busy("maxParallel"))
    assert.deepStrictEqual(
      worst(closed("isolated", undefined, "operator"), closed("cooldown", 2)),
      closed("isolated", undefined, "operator")
    )
  })

  it("is never better than either, in any order, and makes no new value", () => {
    fc.assert(
      fc.property(status, status, (a, b) => {
        const found = worst(a, b)
        assert.isTrue(found === a || found === b)
        const other = worst(b, a)
        assert.strictEqual(found._tag, other._tag)
        assert.strictEqual(lasts(found), lasts(other))
        assert.strictEqual(rank[found._tag], Math.max(rank[a._tag], rank[b._tag]))
        if (a._tag === b._tag) assert.strictEqual(lasts(found), Math.max(lasts(a), lasts(b)))
      }),
      { seed: 5, numRuns: cases(2000) }
    )
  })
})

it("failed calls may be overridden, limits and orders may not, and a provider's wish holds until it is over", () => {
  const held = { ...closed("outage", 90), forcible: 50 }
  const asked: ReadonlyArray<readonly [Status, number, boolean]> = [
    [open, 0, false],
    [closed("cooldown", 90), 0, true],
    [busy("probing", undefined, "failure"), 0, true],
    [busy("rpm", 90), 0, false],
    [closed("retryAfter", 90, "limit"), 0, false],
    [closed("isolated", undefined, "operator"), 0, false],
    [held, 49, false],
    [held, 50, true]
  ]
  for (const [status, now, expected] of asked) assert.strictEqual(isOverridable(status, now), expected)
})
