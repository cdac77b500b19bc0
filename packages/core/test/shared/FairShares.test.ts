import { assert, describe, it } from "@effect/vitest"
import { FairShares } from "../../src/shared/FairShares.js"

/** Takes as many places as there are for a caller. */
const takeAll = (shares: FairShares, caller: string | undefined, now = 0): number => {
  let taken = 0
  while (shares.mayTakeNow(caller, now)) {
    shares.take(caller)
    taken++
  }
  return taken
}

describe("places that callers share", () => {
  it("a lone caller may hold all of them", () => {
    for (const limit of [1, 3, 8, 100]) {
      assert.strictEqual(takeAll(new FairShares(limit), "joe"), limit)
      assert.strictEqual(takeAll(new FairShares(limit), undefined), limit)
    }
  })

  it("where others may come, an eighth is kept from each, of four places and more", () => {
    for (const [limit, most] of [
      [1, 1],
      [3, 3],
      [4, 3],
      [8, 7],
      [100, 88],
      [4096, 3584]
    ] as const) {
      const shares = new FairShares(limit, () => true)
      assert.strictEqual(takeAll(shares, "joe"), most)
      assert.strictEqual(takeAll(shares, undefined), limit - most)
      assert.strictEqual(shares.inUse, limit)
    }
  })

  it("while somebody goes without, nobody gets more than an equal part; later that is forgotten", () => {
    const shares = new FairShares(6, () => true)
    assert.strictEqual(takeAll(shares, "joe"), 5)
    assert.strictEqual(takeAll(shares, "eve"), 1)
    assert.isFalse(shares.mayTakeNow("ann", 0))
    for (let left = 5; left > 2; left--) shares.giveBack("joe")
    // Three callers, two places each: joe holds his, whoever asks first.
    assert.isFalse(shares.mayTakeNow("joe", 100))
    assert.strictEqual(takeAll(shares, "eve", 100), 1)
    assert.strictEqual(takeAll(shares, "ann", 100), 2)
    for (const caller of ["eve", "eve", "ann", "ann"]) shares.giveBack(caller)
    assert.isFalse(shares.mayTakeNow("joe", 9_000))
    assert.isTrue(shares.mayTakeNow("joe", 10_001))
  })

  it("who holds the most is not taken for one who goes without", () => {
    const shares = new FairShares(2, () => true)
    assert.strictEqual(takeAll(shares, "joe"), 2)
    assert.isFalse(shares.mayTakeNow("joe", 0))
    shares.giveBack("joe")
    assert.isTrue(shares.mayTakeNow("joe", 0))
    shares.take("joe")
    assert.isFalse(shares.mayTakeNow("ann", 0))
    shares.giveBack("joe")
    assert.isFalse(shares.mayTakeNow("joe", 0))
    assert.isTrue(shares.mayTakeNow("ann", 0))
  })

  it("holds nothing of callers that hold nothing", () => {
    const shares = new FairShares(4, () => true)
    for (let index = 0; index < 1000; index++) {
      shares.take(`caller ${index}`)
      shares.giveBack(`caller ${index}`)
    }
    assert.strictEqual(shares.inUse, 0)
    assert.strictEqual(shares.heldBy("caller 1"), 0)
  })
})
